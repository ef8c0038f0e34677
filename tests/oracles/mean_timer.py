"""An oracle of t0, angle and place of a segment: least squares over all left-right choices.

Shares no code with the package. For hits in layers with wires w and raw times T, and for
each choice of sides s, the place is x = w + s v (T - t0) = b + m z: linear in b, m and t0.
The best choice has the least residual among those with drift times in the cell.
"""

from itertools import product

import numpy as np

V_MM_PER_NS = 21 / 390
T_MAX_NS = 390.0


def segment(
    wire_mm: np.ndarray, z_mm: np.ndarray, raw_ns: np.ndarray
) -> tuple[float, float, float, float]:
    """Return t0 (ns), slope, place at z 0 (mm) and the sum of squared residuals (mm^2)."""
    best = (float("inf"), 0.0, 0.0, 0.0)
    for sides in product((-1.0, 1.0), repeat=len(wire_mm)):
        s = np.array(sides)
        # w + s v T = b + m z + s v t0
        matrix = np.stack([np.ones_like(z_mm), z_mm, s * V_MM_PER_NS], axis=1)
        if np.linalg.matrix_rank(matrix) < 3:
            continue
        solution, *_ = np.linalg.lstsq(matrix, wire_mm + s * V_MM_PER_NS * raw_ns, rcond=None)
        place, slope, t0 = solution
        drift = raw_ns - t0
        if (drift < -15).any() or (drift > T_MAX_NS + 15).any() or abs(slope) > 1.2:
            continue
        rest = wire_mm + s * V_MM_PER_NS * drift - place - slope * z_mm
        best = min(best, (float(rest @ rest), t0, slope, place))
    return best[1], best[2], best[3], best[0]
