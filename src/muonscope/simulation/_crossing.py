"""The kernel that finds the cells that muons go through: geometry only, nothing random.

:mod:`muonscope.simulation.chambers` describes the arrays and makes hits of the cells.
"""

import math

from numba import types

from muonscope._jit import kernel, read_only

__all__ = ["cross_cells"]

_f64, _i64 = types.float64[::1], types.int64[::1]
_in_f64 = read_only(types.float64)
_in_f64_2 = types.Array(types.float64, 2, "C", readonly=True)
_in_i64_2 = types.Array(types.int64, 2, "C", readonly=True)


@kernel(
    types.UniTuple(types.int64, 2)(
        types.UniTuple(_in_f64, 4), types.float64, read_only(types.boolean),
        types.UniTuple(_in_f64, 4), _in_f64_2, _in_i64_2,
        types.UniTuple(types.float64, 4),
        _i64, _i64, _f64, _f64, _i64, _i64, _i64, _i64, _f64, _i64, _f64,
    )
)  # fmt: skip
def cross_cells(
    muons, middle, measures_x, places, first_wire, wires, sizes,
    muon_of, chamber_of, slope_of, x_of, layers_of, crossing_of, layer_of, wire_of, r_of, side_of,
    along_of,
):  # type: ignore[no-untyped-def]  # fmt: skip
    """Write the crossings of muons with chambers, and those with cells; return how many.

    ``muons`` are x, y and their slopes at the height ``middle``; ``places`` height, offset,
    and tilt of each chamber; ``sizes`` the width of a cell, the
    half-width of its gas, half the height of that, and half the length of a wire. The
    heights of the layers stand last in ``places``.
    """
    x, y, slope_x, slope_y = muons
    height, offset, tilt, layer_z = places
    width, half_gas, half_height, half_length = sizes
    half = width / 2
    n, hits = 0, 0
    for muon in range(len(x)):
        for chamber in range(len(height)):
            up = height[chamber] - middle
            if measures_x[chamber]:
                along, across = x[muon] + slope_x[muon] * up, y[muon] + slope_y[muon] * up
                slope, slope_across = slope_x[muon], slope_y[muon]
            else:
                along, across = y[muon] + slope_y[muon] * up, x[muon] + slope_x[muon] * up
                slope, slope_across = slope_y[muon], slope_x[muon]
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
                if 0 <= wire < wires[chamber, layer]:
                    inside += 1
                    if distance <= half_gas:
                        crossing_of[hits], layer_of[hits] = n, layer
                        wire_of[hits], r_of[hits], side_of[hits] = wire, distance, side
                        along_of[hits] = along_wire
                        hits += 1
                # the cell next door, where the track leaves this one within the gas height
                beyond = distance + half_height * abs(slope) - half
                wire += side
                if beyond >= half - half_gas and 0 <= wire < wires[chamber, layer]:
                    crossing_of[hits], layer_of[hits] = n, layer + 4
                    wire_of[hits], r_of[hits] = wire, max(half - beyond, 0.0)
                    side_of[hits], along_of[hits] = -side, along_wire
                    hits += 1
            if inside or hits > before:
                muon_of[n], chamber_of[n] = muon, chamber
                slope_of[n], x_of[n], layers_of[n] = slope, along, inside
                n += 1
    return n, hits
