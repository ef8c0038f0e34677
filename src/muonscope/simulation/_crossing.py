"""The kernel that finds the cells that muons go through: geometry only, nothing random.

:mod:`muonscope.simulation.chambers` describes the arrays and makes hits of the cells.
"""

import math
from typing import Any

from muonscope._jit import kernel, read_only, tuple_of

__all__ = ["cross_cells"]


def _types(t: Any) -> Any:
    real, whole = t.float64, t.int64
    i64_2, f64_2 = t.int64[:, ::1], t.float64[:, ::1]
    return tuple_of(whole, 2)(
        tuple_of(read_only(real), 4), real, read_only(t.boolean),
        tuple_of(read_only(real), 4), read_only(real, 2), read_only(whole, 2),
        tuple_of(real, 4), i64_2, f64_2, i64_2, f64_2,
    )  # fmt: skip


@kernel(_types)
def cross_cells(
    muons: Any, middle: float, measures_x: Any, places: Any, first_wire: Any, wires: Any,
    sizes: Any, crossing: Any, crossing_at: Any, reached: Any, reached_at: Any,
) -> Any:  # fmt: skip
    """Write the crossings of muons with chambers, and those with cells; return how many.

    Parameters
    ----------
    muons
        x, y and their slopes at the height ``middle``; each of shape (n,).
    measures_x, places, first_wire, wires
        Of each chamber: whether it measures x; height, offset and tilt, then the heights
        of the four layers in it; place of the first wire and number of wires, (c, 4).
    sizes
        Width of a cell, half-width of its gas, half the height of that, half the length
        of a wire.
    crossing, crossing_at
        Written: row of the muon, chamber, layers with a cell there, shape (3, n c); slope
        and place in the chamber's frame, shape (2, n c).
    reached, reached_at
        Written: row of the crossing, layer (4 more for the cell next door), wire, side,
        shape (4, 8 n c); distance from the wire at its height, place along it, shape
        (2, 8 n c). A cell is reached if the track is in its gas at any height.
    """
    x, y, slope_x, slope_y = muons
    height, offset, tilt, layer_z = places
    width, half_gas, half_height, half_length = sizes
    n, hits = 0, 0
    for muon in range(len(x)):
        for chamber in range(len(height)):
            up = height[chamber] - middle
            at_x, at_y = x[muon] + slope_x[muon] * up, y[muon] + slope_y[muon] * up
            if measures_x[chamber]:
                along, slope, across, slope_across = at_x, slope_x[muon], at_y, slope_y[muon]
            else:
                along, slope, across, slope_across = at_y, slope_y[muon], at_x, slope_x[muon]
            along -= offset[chamber]
            if tilt[chamber] != 0:
                cos, sin = math.cos(tilt[chamber]), math.sin(tilt[chamber])
                rise = along * sin / (cos - slope * sin)
                along = (along + slope * rise) * cos + rise * sin
                slope = (slope * cos + sin) / (cos - slope * sin)
            before, inside = hits, 0
            for layer in range(4):
                at = along + slope * layer_z[layer]
                along_wire = across + slope_across * layer_z[layer]
                if abs(along_wire) > half_length:
                    continue
                wire = math.floor((at - first_wire[chamber, layer]) / width + 0.5)
                distance = at - (first_wire[chamber, layer] + wire * width)
                side = -1 if distance < 0 else 1
                distance = abs(distance)
                reach = half_height * abs(slope)
                if 0 <= wire < wires[chamber, layer]:
                    inside += 1
                    if distance - reach <= half_gas:
                        reached[0, hits], reached[1, hits] = n, layer
                        reached[2, hits], reached[3, hits] = wire, side
                        reached_at[0, hits], reached_at[1, hits] = distance, along_wire
                        hits += 1
                # the cell next door, where the track leaves this one within the gas height
                distance = width - distance
                wire += side
                if distance - reach <= half_gas and 0 <= wire < wires[chamber, layer]:
                    reached[0, hits], reached[1, hits] = n, layer + 4
                    reached[2, hits], reached[3, hits] = wire, -side
                    reached_at[0, hits], reached_at[1, hits] = distance, along_wire
                    hits += 1
            if inside or hits > before:
                crossing[0, n], crossing[1, n], crossing[2, n] = muon, chamber, inside
                crossing_at[0, n], crossing_at[1, n] = slope, along
                n += 1
    return n, hits
