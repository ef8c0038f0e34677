"""Oracles of the simulation's kernels: one muon, one hit at a time, in plain Python.

Shares no code with the package. Cells are looked for one by one instead of computed, and
hits are put in order by sorting instead of inserting.
"""

import math
from collections.abc import Iterable, Sequence

Cell = tuple[int, int, int]
"""Chamber, layer 0 .. 3, wire 0 .. 15."""


def cells_of(
    x: float, y: float, slope_x: float, slope_y: float, middle: float,
    chambers: Sequence[tuple[float, str, float, float]], half_gas: float,
) -> dict[Cell, tuple[float, int]]:  # fmt: skip
    """Return distance and side of every cell that a muon reaches.

    A chamber is height, view, offset and tilt. A cell is reached if the track is in its gas
    anywhere within 5.75 mm above or below the wire, for the two wires next to the track.
    """
    found: dict[Cell, tuple[float, int]] = {}
    for number, (height, view, offset, tilt) in enumerate(chambers):
        here_x, here_y = x + slope_x * (height - middle), y + slope_y * (height - middle)
        along, slope, across, slope_across = (
            (here_x, slope_x, here_y, slope_y)
            if view == "phi"
            else (here_y, slope_y, here_x, slope_x)
        )
        # two points of the line, turned into the chamber's frame about its centre
        points = []
        for z in (-100.0, 100.0):
            u = along - offset + slope * z
            points.append(
                (u * math.cos(tilt) + z * math.sin(tilt), z * math.cos(tilt) - u * math.sin(tilt))
            )
        (u0, z0), (u1, z1) = points
        turned = (u1 - u0) / (z1 - z0)
        for layer in range(4):
            z = 13 * layer - 19.5
            at = u0 + turned * (z - z0)
            if abs(across + slope_across * z) > 350:
                continue
            reach = 5.75 * abs(turned)
            for wire in range(16):
                centre = 42 * wire + (-294 if layer % 2 == 0 else -315)
                distance = at - centre
                side = -1 if distance < 0 else 1
                if abs(distance) <= 42 and abs(distance) - reach <= half_gas:
                    found[number, layer, wire] = (abs(distance), side)
    return found


def lanes_of(
    hits: Iterable[tuple[int, int, int]], lane_of: Sequence[int], dead: int, per_orbit: int
) -> list[list[tuple[int, int]]]:
    """Return (leaves, number) of the hits of each lane, in order of leaving.

    ``hits`` are (tick, address, jitter) in order of time.
    """
    alive_from: dict[int, int] = {}
    lanes: list[list[tuple[int, int]]] = [[] for _ in range(max(lane_of) + 1)]
    for number, (tick, address, jitter) in enumerate(hits):
        if tick < alive_from.get(address, -1):
            continue
        alive_from[address] = tick + dead
        end_of_orbit = (tick // per_orbit + 1) * per_orbit - 1
        lanes[lane_of[address]].append((min(tick + jitter, end_of_orbit), number))
    return [sorted(lane) for lane in lanes]
