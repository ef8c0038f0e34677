"""The drift box: whether drift times are shifted or stretched against the reference."""

from typing import Any

import numpy as np
import numpy.typing as npt

from muonscope.counting.blocks.drift import DRIFT_BIN_NS, DRIFT_BINS, DRIFT_LOW_NS

__all__ = ["LEAST_ENTRIES", "BoxTemplates"]

Array = npt.NDArray[Any]

LEAST_ENTRIES = 2_000
"""Drift times that a chamber's reference must have."""

_KERNEL = np.array([1, 4, 6, 4, 1]) / 16
"""Smooths a template by 2.5 ns, one bin."""

_FLOOR = 0.005
"""Part of the entries that is taken to be spread evenly: bins that were empty may get entries."""

_MOST_GAIN = 3.0
"""What a window may gain by chance, above twice what is expected of it."""

_CENTRES = DRIFT_LOW_NS + DRIFT_BIN_NS * (np.arange(DRIFT_BINS) + 0.5)


class BoxTemplates:
    """Log-likelihood ratios of a histogram's entries, for each chamber and each hypothesis."""

    def __init__(self, box: Array, shifts_ns: list[float], stretches: list[float]) -> None:
        """Take the reference's histograms, shape (n_chambers, 322).

        The hypotheses are the shifts, then the stretches (1.04: by 4 %, from the rising edge).
        """
        inside = box[:, 1:-1].astype(np.float64)
        self.entries = inside.sum(axis=1)
        smooth = np.stack([np.convolve(row, _KERNEL, mode="same") for row in inside])
        total = np.maximum(smooth.sum(axis=1, keepdims=True), 1.0)
        self._smooth = (1 - _FLOOR) * smooth / total + _FLOOR / DRIFT_BINS
        self._start = [_rising_edge(row) for row in smooth]
        moved = [[self._moved(c, s, 1.0) for s in shifts_ns] for c in range(len(box))]
        for c, rows in enumerate(moved):
            rows += [self._moved(c, 0.0, f) for f in stretches]
        self._ratios = np.log(np.array(moved)) - np.log(self._smooth)[:, None, :]
        self._information = np.einsum("cb,chb->hc", self._smooth, -self._ratios)

    def scores(self, box: Array) -> Array:
        """Return by how much each hypothesis gains, shape (hypotheses, n_chambers).

        Hits of a train come together, and a few of them outside of the box would weigh as much
        as a minute of others: a window gains at most :data:`_MOST_GAIN` above twice what its
        entries would where the hypothesis is true.
        """
        inside = box[:, 1:-1].astype(np.float64)
        gains: Array = np.einsum("cb,chb->hc", inside, self._ratios)
        most: Array = _MOST_GAIN + 2 * inside.sum(axis=1) * self._information
        return np.minimum(gains, most)

    def expected_score(self, entries: Array) -> Array:
        """Return the score, of the hypothesis that is hardest to find, that entries may give."""
        least: Array = entries * self._information.min(axis=0)
        return least

    def best_shift(self, chamber: int, box: Array) -> float:
        """Return the shift, ns, that fits the entries of a chamber best, from -60 to 60."""
        grid = np.arange(-60.0, 61.0)
        likely = [box[1:-1] @ np.log(self._moved(chamber, s, 1.0)) for s in grid]
        return float(grid[int(np.argmax(likely))])

    def _moved(self, chamber: int, shift_ns: float, stretch: float) -> Array:
        """Return the template that is shifted, and stretched from its rising edge."""
        start = self._start[chamber]
        at = start + (_CENTRES - start - shift_ns) / stretch
        moved: Array = np.interp(at, _CENTRES, self._smooth[chamber])
        normal: Array = moved / moved.sum()
        return normal


def _rising_edge(row: Array) -> float:
    """Return where a histogram first reaches half of its mean height between its edges, ns."""
    if not row.any():
        return 0.0
    plateau = np.sort(row)[-DRIFT_BINS // 4 :].mean()
    return float(_CENTRES[int(np.argmax(row >= plateau / 2))])
