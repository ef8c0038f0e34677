"""The kernel that joins segments to tracks over the chambers of a view.

Pairs of segments whose t0 and slopes agree are seeds; the best of them gather the hits near their
line in all chambers of the view, and line and t0 are fitted to all together.
"""

import math
from typing import Any

import numpy as np

from muonscope._jit import kernel, part, read_only, tuple_of

__all__ = ["find_tracks"]

_SEEDS = 4
_ROADS_MM = (4.0, 2.0, 1.5, 1.5)
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
def fit_road(
    line: Any, lo: Any, hi: Any, view: Any, time: Any, chamber: Any, layer: Any, x: Any, z: Any,
    views: Any, tilt: Any, used: Any, cell: Any, road: Any, own: Any, side: Any, miss: Any,
) -> Any:  # fmt: skip
    """Gather hits near a line (x at 0, slope, t0), fit it to them; return (hits, chambers, chi2).

    ``own`` has the hit of each layer of each chamber, or -1; ``side`` and ``miss`` of each.
    """
    v = cell[0]
    for c in range(own.shape[0]):
        for k in range(4):
            own[c, k] = -1
    steep = min(math.degrees(math.atan(abs(line[1]))) / _STEEPEST, 1.0)
    d, length = cell[1] + cell[2] * steep**2.2, cell[3] + cell[4] * steep**1.6
    for i in range(lo, hi):
        c = chamber[i]
        if views[c] != view or used[i]:
            continue
        scale = math.cos(tilt[c]) - line[1] * math.sin(tilt[c])
        distance = (line[0] + line[1] * z[i] - x[i]) / scale
        if abs(distance) > 24.0:
            continue
        drift = time[i] - line[2]
        if drift < -cell[6] or drift > cell[5] + 2 * cell[6]:
            continue
        r = radius(drift, d, length, cell)
        off = abs(distance) - r
        if abs(off) > road:
            continue
        k = layer[i]
        if own[c, k] < 0 or abs(off) < abs(miss[c, k]):
            own[c, k], miss[c, k] = i, off
            side[c, k] = 1 if distance >= 0 else -1
    n = 0
    a00, a01, a02, a11, a12, a22 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    b0, b1, b2 = 0.0, 0.0, 0.0
    for c in range(own.shape[0]):
        for k in range(4):
            i = own[c, k]
            if i < 0:
                continue
            scale = math.cos(tilt[c]) - line[1] * math.sin(tilt[c])
            drift = time[i] - line[2]
            r = radius(drift, d, length, cell)
            g = side[c, k] * scale * v
            y = x[i] + side[c, k] * scale * r
            n += 1
            a00 += 1.0
            a01 += z[i]
            a02 += g
            a11 += z[i] * z[i]
            a12 += z[i] * g
            a22 += g * g
            b0 += y
            b1 += y * z[i]
            b2 += y * g
    if n < 4:
        return 0, 0, 0.0
    det = (
        a00 * (a11 * a22 - a12 * a12)
        - a01 * (a01 * a22 - a12 * a02)
        + a02 * (a01 * a12 - a11 * a02)
    )
    if abs(det) < 1e-9:
        return 0, 0, 0.0
    s0 = (b0 * (a11 * a22 - a12 * a12) - a01 * (b1 * a22 - a12 * b2) + a02 * (
        b1 * a12 - a11 * b2)) / det  # fmt: skip
    s1 = (a00 * (b1 * a22 - a12 * b2) - b0 * (a01 * a22 - a12 * a02) + a02 * (
        a01 * b2 - b1 * a02)) / det  # fmt: skip
    s2 = (a00 * (a11 * b2 - b1 * a12) - a01 * (a01 * b2 - b1 * a02) + b0 * (
        a01 * a12 - a11 * a02)) / det  # fmt: skip
    chi2 = 0.0
    chambers = 0
    for c in range(own.shape[0]):
        hits = 0
        for k in range(4):
            i = own[c, k]
            if i < 0:
                continue
            hits += 1
            scale = math.cos(tilt[c]) - line[1] * math.sin(tilt[c])
            drift = time[i] - line[2]
            r = radius(drift, d, length, cell)
            off = x[i] + side[c, k] * scale * (r - v * s2) - s0 - s1 * z[i]
            miss[c, k] = off
            chi2 += off * off
        chambers += hits > 0
    line[0], line[1] = s0, s1
    line[2] += s2
    return n, chambers, chi2


def _types(t: Any) -> Any:
    real, whole = t.float64, t.int64
    return whole(
        read_only(real), read_only(whole), read_only(whole), read_only(whole), read_only(real),
        read_only(real), read_only(whole), read_only(real), read_only(whole, 2),
        read_only(real, 2), read_only(real), tuple_of(real, 4), t.int64[:, ::1],
        t.float64[:, ::1], t.int64[::1], t.int64[::1], t.float64[::1],
    )  # fmt: skip


@kernel(_types)
def find_tracks(
    time: Any, chamber: Any, layer: Any, ends: Any, x: Any, z: Any, views: Any, tilt: Any,
    segment: Any, line: Any, cell: Any, cuts: Any, whole: Any, found: Any, of: Any,
    sides: Any, misses: Any,
) -> Any:  # fmt: skip
    """Write the tracks of events; return how many, or -1 if there is no room for them.

    Parameters
    ----------
    time, chamber, layer, ends
        As for ``find_segments``.
    x, z
        Of the wire of each hit, in the frame of the telescope.
    views, tilt
        Of each chamber.
    segment, line
        As ``find_segments`` wrote them; of ``line`` place, height, slope in the frame of the
        telescope, t0 and rss: shape (5, n).
    cell
        As for ``find_segments``.
    cuts
        Largest difference of t0 in a seed, ns; of slopes; largest chi2 per degree of freedom;
        resolution, mm.
    whole, found
        Written. Event, view, hits, chambers: shape (4, n). x at height 0, slope, t0, chi2: (4, n).
    of, sides, misses
        Written. Of each hit the track, or -1; its side; the residual, mm.
    """
    most_apart, most_bent, most_chi2, sigma = cuts
    n_chambers = len(views)
    own, side = np.empty((n_chambers, 4), np.int64), np.empty((n_chambers, 4), np.int64)
    miss = np.empty((n_chambers, 4))
    best_own, best_side = np.empty((n_chambers, 4), np.int64), np.empty((n_chambers, 4), np.int64)
    best_miss = np.empty((n_chambers, 4))
    seeds, score = np.empty((_SEEDS, 3)), np.empty(_SEEDS)
    at, best = np.empty(3), np.empty(3)
    used = np.zeros(len(time), np.bool_)
    of[:] = -1
    n, first = 0, 0
    n_segments = segment.shape[1]
    n_views = 0
    for c in range(n_chambers):
        n_views = max(n_views, views[c] + 1)
    while first < n_segments:
        event = segment[0, first]
        last = first
        while last < n_segments and segment[0, last] == event:
            last += 1
        lo, hi = (ends[event - 1] if event else 0), ends[event]
        for view in range(n_views):
            for _again in range(8):
                kept = 0
                for a in range(first, last):
                    if views[segment[1, a]] != view:
                        continue
                    busy = False
                    for k in range(4):
                        busy |= segment[4 + k, a] >= 0 and used[segment[4 + k, a]]
                    if busy:
                        continue
                    for b in range(a + 1, last):
                        if views[segment[1, b]] != view or segment[1, a] == segment[1, b]:
                            continue
                        apart = abs(line[3, a] - line[3, b])
                        if apart > most_apart:
                            continue
                        busy = False
                        for k in range(4):
                            busy |= segment[4 + k, b] >= 0 and used[segment[4 + k, b]]
                        if busy:
                            continue
                        slope = (line[0, b] - line[0, a]) / (line[1, b] - line[1, a])
                        bent = max(abs(slope - line[2, a]), abs(slope - line[2, b]))
                        if bent > most_bent * (1.0 + slope * slope):
                            continue
                        worth = (
                            (apart / 8.0) ** 2
                            + ((slope - line[2, a]) / 0.03) ** 2
                            + ((slope - line[2, b]) / 0.03) ** 2
                            + (line[4, a] + line[4, b]) / sigma**2
                            + 4.0 * (8 - segment[2, a] - segment[2, b])
                        )
                        place = kept
                        while place > 0 and score[place - 1] > worth:
                            if place < _SEEDS:
                                score[place] = score[place - 1]
                                seeds[place] = seeds[place - 1]
                            place -= 1
                        if place < _SEEDS:
                            score[place] = worth
                            seeds[place, 0] = line[0, a] - slope * line[1, a]
                            seeds[place, 1] = slope
                            seeds[place, 2] = 0.5 * (line[3, a] + line[3, b])
                            kept = min(kept + 1, _SEEDS)
                best_n, best_chi2, best_chambers = 0, 0.0, 0
                for seed in range(kept):
                    at[:] = seeds[seed]
                    hits, chambers, chi2 = 0, 0, 0.0
                    for road in _ROADS_MM:
                        hits, chambers, chi2 = fit_road(
                            at, lo, hi, view, time, chamber, layer, x, z, views, tilt, used, cell,
                            road, own, side, miss,
                        )  # fmt: skip
                        if hits < 5:
                            break
                    if hits < 6 or chambers < 2:
                        continue
                    chi2 /= sigma**2
                    if chi2 > most_chi2 * (hits - 3):
                        continue
                    if hits > best_n or (hits == best_n and chi2 < best_chi2):
                        best_n, best_chi2, best_chambers = hits, chi2, chambers
                        best[:] = at
                        best_own[:], best_side[:], best_miss[:] = own, side, miss
                if best_n == 0:
                    break
                if n == whole.shape[1]:
                    return -1
                whole[0, n], whole[1, n] = event, view
                whole[2, n], whole[3, n] = best_n, best_chambers
                found[0, n], found[1, n] = best[0], best[1]
                found[2, n], found[3, n] = best[2], best_chi2
                for c in range(n_chambers):
                    for k in range(4):
                        i = best_own[c, k]
                        if i >= 0:
                            used[i] = True
                            of[i], sides[i], misses[i] = n, best_side[c, k], best_miss[c, k]
                n += 1
        first = last
    return n
