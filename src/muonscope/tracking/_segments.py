"""The kernel that finds segments: straight lines through the hits of one chamber, with their t0.

All patterns of sides are tried. With four hits the line, t0 and one check follow from the
normal equations of ``x_i = b + m z_i``, ``x_i = u_i + s_i r(T_i - t0)``; with three they are
solved exactly. :mod:`muonscope.tracking.reconstruct` describes the arrays.
"""

import math
from typing import Any

import numpy as np

from muonscope._jit import kernel, part, read_only, tuple_of

__all__ = ["MOST_IN_LAYER", "find_segments", "residuals"]

MOST_IN_LAYER = 10
"""Hits of a layer in an event beyond which the event is skipped."""

_ROUNDS = 2
_MORE_ROUNDS = 6
_SETTLED_NS = 0.1
_NEAR_MM2 = 2.0
_SOLVED_MM = 0.01
_STEEPEST = 45.0


@part
def radius(t: Any, d: Any, length: Any, cell: Any) -> Any:
    """Return the distance from the wire after the drift time ``t``, mm; negative before 0."""
    v, steps = cell[0], len(cell) - 8
    if t <= 0.0:
        return v * t + (cell[7] if steps > 0 else 0.0)
    r = v * (t + d)
    for _ in range(2):
        far = d * math.exp(-r / length)
        r -= (r / v - d + far - t) / (1.0 / v - far / length)
    if steps > 0:
        place = min(t / cell[5], 1.0) * steps
        k = min(int(place), steps - 1)
        r += cell[7 + k] + (place - k) * (cell[8 + k] - cell[7 + k])
    return r


@part
def rate(r: Any, d: Any, length: Any, v: Any) -> Any:
    """Return how fast the distance from the wire grows with the drift time at ``r``, mm/ns."""
    if r <= 0.0:
        return v
    return 1.0 / (1.0 / v - d * math.exp(-r / length) / length)


@part
def bend(m: Any, cell: Any) -> Any:
    """Return delay and length of the drift relation for a slope."""
    tilt = min(math.degrees(math.atan(abs(m))) / _STEEPEST, 1.0)
    return cell[1] + cell[2] * tilt**2.2, cell[3] + cell[4] * tilt**1.6


@part
def fit_four(u: Any, z: Any, s: Any, t: Any, solve: Any, cell: Any, out: Any) -> Any:
    """Fit a line and t0 to four hits: write (b, m, t0, rss); return whether drifts are possible."""
    v = cell[0]
    y0, y1, y2, y3 = (
        u[0] + s[0] * v * t[0], u[1] + s[1] * v * t[1],
        u[2] + s[2] * v * t[2], u[3] + s[3] * v * t[3],
    )  # fmt: skip
    b = solve[0, 0] * y0 + solve[0, 1] * y1 + solve[0, 2] * y2 + solve[0, 3] * y3
    m = solve[1, 0] * y0 + solve[1, 1] * y1 + solve[1, 2] * y2 + solve[1, 3] * y3
    t0 = (solve[2, 0] * y0 + solve[2, 1] * y1 + solve[2, 2] * y2 + solve[2, 3] * y3) / v
    for i in range(4):
        if not -40.0 < t[i] - t0 < cell[5] + 40.0:
            return False
    d, length = bend(m, cell)
    last = t0
    for _ in range(_ROUNDS):
        b, m, u0, last = 0.0, 0.0, 0.0, t0
        for i in range(4):
            y = u[i] + s[i] * (radius(t[i] - t0, d, length, cell) + v * t0)
            b += solve[0, i] * y
            m += solve[1, i] * y
            u0 += solve[2, i] * y
        t0 = u0 / v
    out[0], out[1], out[2] = b, m, t0
    rss = weigh(u, z, s, t, d, length, cell, out)
    if abs(t0 - last) > _SETTLED_NS and rss < _NEAR_MM2:
        for _ in range(_MORE_ROUNDS):
            last = out[2]
            d, length = bend(out[1], cell)
            step(u, z, s, t, d, length, cell, out)
            if abs(out[2] - last) < _SETTLED_NS:
                break
        rss = weigh(u, z, s, t, d, length, cell, out)
    for i in range(4):
        if not -cell[6] < t[i] - out[2] < cell[5] + cell[6]:
            return False
    out[3] = rss
    return True


@part
def weigh(u: Any, z: Any, s: Any, t: Any, d: Any, length: Any, cell: Any, out: Any) -> Any:
    """Return the sum of the squares of the misses of four hits, mm2."""
    rss = 0.0
    for i in range(4):
        r = radius(t[i] - out[2], d, length, cell)
        rss += (u[i] + s[i] * r - out[0] - out[1] * z[i]) ** 2
    return rss


@part
def step(u: Any, z: Any, s: Any, t: Any, d: Any, length: Any, cell: Any, out: Any) -> None:
    """Better line and t0 of four hits by one step of Gauss and Newton.

    The normal equations of a whole pattern take the drift velocity for the slope of the drift
    relation; within a millimetre of a wire it is up to three times that.
    """
    n, sz, szz, sg, sgz, sgg, sy, syz, syg = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for i in range(4):
        r = radius(t[i] - out[2], d, length, cell)
        g = s[i] * rate(r, d, length, cell[0])
        y = u[i] + s[i] * r - out[0] - out[1] * z[i]
        n += 1.0
        sz += z[i]
        szz += z[i] * z[i]
        sg += g
        sgz += g * z[i]
        sgg += g * g
        sy += y
        syz += y * z[i]
        syg += y * g
    det = n * (szz * sgg - sgz * sgz) - sz * (sz * sgg - sgz * sg) + sg * (sz * sgz - szz * sg)
    if abs(det) < 1e-9:
        return
    out[0] += (sy * (szz * sgg - sgz * sgz) - sz * (syz * sgg - sgz * syg)
               + sg * (syz * sgz - szz * syg)) / det  # fmt: skip
    out[1] += (n * (syz * sgg - sgz * syg) - sy * (sz * sgg - sgz * sg)
               + sg * (sz * syg - syz * sg)) / det  # fmt: skip
    out[2] += (n * (szz * syg - syz * sgz) - sz * (sz * syg - syz * sg)
               + sy * (sz * sgz - szz * sg)) / det  # fmt: skip


@part
def fit_three(u: Any, z: Any, s: Any, t: Any, cell: Any, out: Any) -> Any:
    """Solve for the line and t0 of three hits; return whether there is a possible one."""
    v = cell[0]
    a0, a1, a2 = z[2] - z[1], -(z[2] - z[0]), z[1] - z[0]
    det = a0 * s[0] + a1 * s[1] + a2 * s[2]
    if abs(det) < 1e-6:
        return False
    t0 = (a0 * (u[0] / v + s[0] * t[0]) + a1 * (u[1] / v + s[1] * t[1])
          + a2 * (u[2] / v + s[2] * t[2])) / det  # fmt: skip
    x0, x2 = u[0] + s[0] * v * (t[0] - t0), u[2] + s[2] * v * (t[2] - t0)
    m = (x2 - x0) / (z[2] - z[0])
    d, length = bend(m, cell)
    for turn in range(_ROUNDS + _MORE_ROUNDS):
        r0, r1, r2 = (
            radius(t[0] - t0, d, length, cell), radius(t[1] - t0, d, length, cell),
            radius(t[2] - t0, d, length, cell),
        )  # fmt: skip
        x0, x2 = u[0] + s[0] * r0, u[2] + s[2] * r2
        m = (x2 - x0) / (z[2] - z[0])
        if abs(m) > 3.0:
            return False
        miss = a0 * x0 + a1 * (u[1] + s[1] * r1) + a2 * x2
        if abs(miss) < _SOLVED_MM * abs(det):
            break
        if turn < _ROUNDS:
            t0 += miss / (det * v)
        else:
            d, length = bend(m, cell)
            grows = (a0 * s[0] * rate(r0, d, length, v) + a1 * s[1] * rate(r1, d, length, v)
                     + a2 * s[2] * rate(r2, d, length, v))  # fmt: skip
            t0 += miss / grows
    for i in range(3):
        if not -cell[6] < t[i] - t0 < cell[5] + cell[6]:
            return False
    out[0], out[1], out[2], out[3] = x0 - m * z[0], m, t0, 0.0
    return True


@part
def keep(best: Any, kept: int, most: int, out: Any, sides: int) -> int:
    """Put a solution among the best ones, in the order of their rss; return their number."""
    at = kept
    while at > 0 and best[at - 1, 3] > out[3]:
        if at < most:
            for k in range(5):
                best[at, k] = best[at - 1, k]
        at -= 1
    if at == most:
        return kept
    for k in range(4):
        best[at, k] = out[k]
    best[at, 4] = sides
    return min(kept + 1, most)


def _types(t: Any) -> Any:
    real, whole = t.float64, t.int64
    return whole(
        read_only(real), read_only(whole), read_only(whole), read_only(whole), read_only(real),
        read_only(real), read_only(real, 3), read_only(real, 2), read_only(real), t.boolean,
        tuple_of(real, 5), t.int64[:, ::1], t.float64[:, ::1],
    )  # fmt: skip


@kernel(_types)
def find_segments(
    time: Any, chamber: Any, layer: Any, ends: Any, place: Any, height: Any, solve: Any,
    check: Any, cell: Any, every: Any, cuts: Any, whole: Any, found: Any,
) -> Any:  # fmt: skip
    """Write the segments of events; return how many, or -1 if there is no room for them.

    No layer may have more than :data:`MOST_IN_LAYER` hits in an event.

    Parameters
    ----------
    time, chamber, layer, place
        Of each hit: corrected time, ns; chamber; layer 0 .. 3; place of its wire in the chamber.
    ends
        End of each event.
    height
        Of the four layers in a chamber, mm.
    solve, check
        Of each pattern of sides, shape (16, 3, 4) and (16, 4): line and t0 from four places,
        and what is zero where they fit.
    cell
        Velocity, mm/ns; delay, delay with slope, length, length with slope of the drift
        relation; longest drift time; how far a drift time may be outside, ns; corrections of
        the relation, none or at least two, mm.
    every
        Whether three hits are tried also where four with one of them fit.
    cuts
        Largest check before the drift relation is used, mm; largest rss; largest |slope|; how many
        solutions of four hits are kept; largest slope of neighbours.
    whole, found
        Written. Event, chamber, number of hits, sides (bit of a layer: right of the wire), hits
        of the layers or -1, rank among those of the same hits: shape (9, n). Place at the middle
        of the chamber, slope, t0, rss: shape (4, n).
    """
    most_check, most_rss, steepest, most_kept, neighbours = cuts
    hits = np.empty((4, MOST_IN_LAYER), np.int64)
    number = np.empty(4, np.int64)
    u, z, s, t, out = np.empty(4), np.empty(4), np.empty(4), np.empty(4), np.empty(4)
    best = np.empty((4, 6))
    picked = np.empty(4, np.int64)
    n = 0
    reach = 13.0 * neighbours + 42.0
    for event in range(len(ends)):
        lo, hi = (ends[event - 1] if event else 0), ends[event]
        if hi - lo < 3:
            continue
        chambers = 0
        for i in range(lo, hi):
            chambers = max(chambers, chamber[i] + 1)
        for c in range(chambers):
            number[:] = 0
            for i in range(lo, hi):
                if chamber[i] == c:
                    hits[layer[i], number[layer[i]]] = i
                    number[layer[i]] += 1
            layers = 0
            for k in range(4):
                layers += number[k] > 0
            if layers < 3:
                continue
            first = n
            used = 0
            if layers == 4:
                for i0 in range(number[0]):
                    for i1 in range(number[1]):
                        if abs(place[hits[0, i0]] - place[hits[1, i1]]) > reach:
                            continue
                        for i2 in range(number[2]):
                            if abs(place[hits[1, i1]] - place[hits[2, i2]]) > reach:
                                continue
                            for i3 in range(number[3]):
                                if abs(place[hits[2, i2]] - place[hits[3, i3]]) > reach:
                                    continue
                                picked[0], picked[1] = hits[0, i0], hits[1, i1]
                                picked[2], picked[3] = hits[2, i2], hits[3, i3]
                                for k in range(4):
                                    u[k], t[k], z[k] = place[picked[k]], time[picked[k]], height[k]
                                kept = 0
                                for sides in range(1, 15):
                                    miss = 0.0
                                    for k in range(4):
                                        s[k] = 1.0 if sides >> k & 1 else -1.0
                                        miss += check[sides, k] * (u[k] + s[k] * cell[0] * t[k])
                                    if abs(miss) > most_check:
                                        continue
                                    if not fit_four(u, z, s, t, solve[sides], cell, out):
                                        continue
                                    if out[3] > most_rss or abs(out[1]) > steepest:
                                        continue
                                    kept = keep(best, kept, int(most_kept), out, sides)
                                for rank in range(kept):
                                    if n == whole.shape[1]:
                                        return -1
                                    whole[0, n], whole[1, n], whole[2, n] = event, c, 4
                                    whole[3, n] = int(best[rank, 4])
                                    for k in range(4):
                                        whole[4 + k, n] = picked[k]
                                    whole[8, n] = rank
                                    for k in range(4):
                                        found[k, n] = best[rank, k]
                                    n += 1
                                if kept:
                                    used += 1
            quads = n
            for skip in range(4):  # three layers, of hits that no four have
                if used and layers == 4 and number.max() == 1 and not every:
                    break
                empty = False
                for k in range(4):
                    if k != skip and number[k] == 0:
                        empty = True
                if empty:
                    continue
                ks = ((1, 2, 3), (0, 2, 3), (0, 1, 3), (0, 1, 2))[skip]
                for i0 in range(number[ks[0]]):
                    for i1 in range(number[ks[1]]):
                        for i2 in range(number[ks[2]]):
                            h0, h1, h2 = hits[ks[0], i0], hits[ks[1], i1], hits[ks[2], i2]
                            taken = False
                            for q in range(first, 0 if every else quads):
                                if (
                                    whole[8, q] == 0
                                    and found[3, q] < 1.0
                                    and (
                                        whole[4 + ks[0], q] == h0
                                        or whole[4 + ks[1], q] == h1
                                        or whole[4 + ks[2], q] == h2
                                    )
                                ):
                                    taken = True
                                    break
                            if taken:
                                continue
                            if abs(place[h0] - place[h1]) > reach * (ks[1] - ks[0]):
                                continue
                            if abs(place[h1] - place[h2]) > reach * (ks[2] - ks[1]):
                                continue
                            picked[0], picked[1], picked[2] = h0, h1, h2
                            for j in range(3):
                                u[j], t[j] = place[picked[j]], time[picked[j]]
                                z[j] = height[ks[j]]
                            for sides in range(8):
                                for j in range(3):
                                    s[j] = 1.0 if sides >> j & 1 else -1.0
                                if not fit_three(u, z, s, t, cell, out):
                                    continue
                                if abs(out[1]) > steepest:
                                    continue
                                if n == whole.shape[1]:
                                    return -1
                                whole[0, n], whole[1, n], whole[2, n] = event, c, 3
                                whole[3, n] = 0
                                for k in range(4):
                                    whole[4 + k, n] = -1
                                for j in range(3):
                                    whole[4 + ks[j], n] = picked[j]
                                    whole[3, n] |= (sides >> j & 1) << ks[j]
                                whole[8, n] = 0
                                for k in range(4):
                                    found[k, n] = out[k]
                                n += 1
    return n


def _residual_types(t: Any) -> Any:
    real = t.float64
    return t.void(
        read_only(real), read_only(real), read_only(real), read_only(real), read_only(t.int64),
        read_only(real, 2), read_only(real), real[::1],
    )  # fmt: skip


@kernel(_residual_types)
def residuals(
    time: Any, x: Any, z: Any, tilt: Any, side: Any, line: Any, cell: Any, out: Any
) -> None:
    """Write measured less fitted places of hits, mm: ``line`` has that of each, shape (5, n)."""
    for i in range(len(time)):
        at, height, slope, t0 = line[0, i], line[1, i], line[2, i], line[3, i]
        d, length = bend(slope, cell)
        scale = math.cos(tilt[i]) - slope * math.sin(tilt[i])
        r = radius(time[i] - t0, d, length, cell)
        out[i] = x[i] + side[i] * scale * r - at - slope * (z[i] - height)
