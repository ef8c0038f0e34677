"""Kernels that count the words of closed panes: the six results and their kin.

A pane's words come in the order of arrival, which in each chamber is the order of time
but for small steps back; whatever depends on order is sorted, so that the same words
give the same tables in any order. Orbits are relative to the pane's first one here.
:mod:`muonscope.counting.fused` owns the arrays.
"""

from typing import Any

import numpy as np

from muonscope._jit import kernel, part
from muonscope.counting.blocks.multiplicity import MULTIPLICITIES
from muonscope.counting.word_classes import CHAMBER_SHIFT, SCINTILLATOR, TRIGGER

_UNLIMITED = 2**62
_NO_T0 = np.int32(2**31 - 1)
_ORBIT_MASK = np.uint64(0xFFFFFFFF)
_S5, _S17, _S49 = np.uint64(5), np.uint64(17), np.uint64(49)
_BX_MASK, _TDC_MASK = np.uint64(4095), np.uint64(31)
_CLASS_MASK, _CHAMBER_SHIFT = np.uint32(0xFFFF), np.uint32(CHAMBER_SHIFT)
_SCINTILLATOR, _TRIGGER = np.uint64(SCINTILLATOR), np.uint64(TRIGGER)
_ONE = np.uint64(1)
_MOST = np.int32(MULTIPLICITIES - 1)
_KEY_ORBIT, _KEY_TIME, _KEY_MASK = 34, 17, (1 << 17) - 1


def _types(t: Any) -> Any:
    i64, i32, u64, u32 = t.int64[::1], t.int32[::1], t.uint64[::1], t.uint32[::1]
    i64_2, i64_3 = t.int64[:, ::1], t.int64[:, :, ::1]
    return t.void(
        u64, i64, i64, t.int64, t.int64, u32, t.int16[:, ::1], i64,
        i64_2, i64_2, i64_3, i64_3, u32, u32, i64_2, u32, i32, i64_2,
    )  # fmt: skip


@part
def sort_nearly(values: Any) -> None:
    """Sort in place: linear where ``values`` is nearly sorted, as it is here.

    An insertion sort that gives up once it has moved too much, for a shell sort (gaps of
    Ciura 2001, extended by 2.25), which copes with anything.
    """
    steps_back = 0
    for i in range(1, len(values)):
        steps_back += values[i] < values[i - 1]
    if steps_back == 0 or insertion_sort(values, 1, 8 * len(values) + 64) >= 0:
        return
    gap = 1750
    while gap * 9 // 4 < len(values):
        gap = gap * 9 // 4
    while gap > 1750:
        insertion_sort(values, gap, _UNLIMITED)
        gap = gap * 4 // 9
    for gap in (1750, 701, 301, 132, 57, 23, 10, 4, 1):
        insertion_sort(values, gap, _UNLIMITED)


@part
def insertion_sort(values: Any, gap: int, budget: int) -> int:
    """Sort every ``gap``-th value; stop after ``budget`` moves; return what is left of it."""
    for i in range(gap, len(values)):
        value = values[i]
        j = i
        while j >= gap and values[j - gap] > value:
            values[j] = values[j - gap]
            j -= gap
        values[j] = value
        budget -= i - j
        if budget < 0:
            break
    return budget


@part
def tally(
    words: Any,
    start: Any,
    ticks: Any,
    classes: Any,
    hits: Any,
    per_orbit: Any,
    touched: Any,
    n_touched: Any,
    t0: Any,
) -> int:
    """Count words per class and hits per orbit; note t0; return the scintillator words.

    ``per_orbit`` counts hits at [chamber * orbits + orbit]. ``touched`` lists, for each
    chamber, the orbits that it counts in, ``n_touched`` of them; ``t0`` is the earliest
    scintillator time in each orbit, in ticks from its start. Indices are unsigned, which
    spares the test for negative ones: a third of the time here.
    """
    scintillator_words = 0
    orbits = np.uint64(len(t0))
    for word in words:
        entry = classes[word >> _S49]
        hits[np.uint64(entry & _CLASS_MASK)] += 1
        chamber = np.uint64(entry >> _CHAMBER_SHIFT)
        orbit = ((word >> _S17) & _ORBIT_MASK) - start
        if chamber < _TRIGGER:
            cell = chamber * orbits + orbit
            count = per_orbit[cell]
            per_orbit[cell] = count + np.int32(1)
            n = n_touched[chamber]
            touched[chamber * orbits + n + chamber] = orbit
            n_touched[chamber] = n + np.uint64(count == 0)
        elif chamber == _SCINTILLATOR:
            time = ((word >> _S5) & _BX_MASK) * ticks + (word & _TDC_MASK)
            t0[orbit] = min(t0[orbit], np.int32(time))
            scintillator_words += 1
    return scintillator_words


@part
def list_orbits(
    start: Any,
    per_orbit: Any,
    touched: Any,
    n_touched: Any,
    total: Any,
    multiplicity: Any,
    orbit_numbers: Any,
    orbit_hits: Any,
    ends: Any,
    at: Any,
) -> Any:
    """List each chamber's orbits with their hits, fill the multiplicities, clear the scratch.

    Writes from index ``at`` on, the end of each chamber's list to ``ends``; returns the
    last end. The last row of ``multiplicity`` is for all chambers together.
    """
    n_chambers, orbits = np.uint64(len(n_touched)), np.uint64(len(total))
    all_orbits = touched[n_chambers * (orbits + _ONE) :]
    n_all = np.uint64(0)
    for chamber in range(n_chambers):
        n = n_touched[chamber]
        first = chamber * (orbits + _ONE)
        mine, counts = touched[first : first + n], per_orbit[chamber * orbits :]
        sort_nearly(mine)
        row = multiplicity[chamber]
        for i in range(n):
            orbit = np.uint64(mine[i])
            count = counts[orbit]
            counts[orbit] = 0
            orbit_numbers[at + i] = start + orbit
            orbit_hits[at + i] = count
            row[np.uint64(min(count, _MOST))] += 1
            before = total[orbit]
            total[orbit] = before + count
            all_orbits[n_all] = orbit
            n_all += np.uint64(before == 0)
        n_touched[chamber] = 0
        at += n
        ends[chamber] = at
    row = multiplicity[n_chambers]
    for i in range(n_all):
        orbit = np.uint64(all_orbits[i])
        row[np.uint64(min(total[orbit], _MOST))] += 1
        total[orbit] = 0
    return at


@part
def select(
    words: Any, start: Any, ticks: Any, classes: Any, t0: Any, keys: Any, n_keys: Any
) -> None:
    """Collect the hits in orbits with a scintillator hit, as sortable keys per chamber.

    A key holds orbit, time in ticks, and cell.
    """
    n_keys[:] = 0
    for word in words:
        orbit = ((word >> _S17) & _ORBIT_MASK) - start
        if t0[orbit] != _NO_T0:
            entry = classes[word >> _S49]
            chamber = np.uint64(entry >> _CHAMBER_SHIFT)
            if chamber < _TRIGGER:
                time = ((word >> _S5) & _BX_MASK) * ticks + (word & _TDC_MASK)
                place = np.int64(orbit) << _KEY_ORBIT | np.int64(time) << _KEY_TIME
                keys[chamber, n_keys[chamber]] = place | np.int64(entry & _CLASS_MASK)
                n_keys[chamber] += 1


@part
def list_drifts(
    start: Any,
    keys: Any,
    n_keys: Any,
    t0: Any,
    bins: Any,
    lowest: Any,
    scint_hits: Any,
    histogram: Any,
    drift_orbits: Any,
    drift_ticks: Any,
    ends: Any,
    at: int,
) -> int:
    """List drift times in the order of time, and fill their histogram and the cells.

    ``bins[chamber, t - lowest[chamber]]`` is the bin of a drift time of ``t`` ticks; its
    first and last entries stand for all that lies below and above.
    """
    last = bins.shape[1] - 1
    for chamber in range(len(keys)):
        n = n_keys[chamber]
        sort_nearly(keys[chamber, :n])
        for i in range(n):
            key = keys[chamber, i]
            orbit = key >> _KEY_ORBIT
            ticks = ((key >> _KEY_TIME) & _KEY_MASK) - t0[orbit]
            scint_hits[key & _KEY_MASK] += 1
            histogram[chamber, bins[chamber, min(max(ticks - lowest[chamber], 0), last)]] += 1
            drift_orbits[at + i] = start + np.uint64(orbit)
            drift_ticks[at + i] = ticks
        at += n
        ends[chamber] = at
    return at


@kernel(_types)
def count_panes(
    words: Any,
    ends: Any,
    starts: Any,
    pane_orbits: int,
    ticks_per_bx: int,
    classes: Any,
    bins: Any,
    lowest: Any,
    hits: Any,
    scint_hits: Any,
    multiplicity: Any,
    histogram: Any,
    orbit_numbers: Any,
    orbit_hits: Any,
    orbit_ends: Any,
    drift_orbits: Any,
    drift_ticks: Any,
    drift_ends: Any,
) -> None:
    """Count the words of many panes: pane ``i`` is ``words[ends[i-1]:ends[i]]``.

    ``starts`` (panes,) are first orbits; the rest, from ``hits`` on, is the output, one
    row per pane or a flat list with its ends.
    """
    n_chambers, longest, begin = len(bins), 0, 0
    for end in ends:
        longest, begin = max(longest, end - begin), end
    per_orbit = np.zeros(n_chambers * pane_orbits, np.int32)
    touched = np.empty((n_chambers + 1) * (pane_orbits + 1), np.uint32)
    n_touched, n_keys = np.zeros(n_chambers, np.uint64), np.zeros(n_chambers, np.int64)
    total = np.zeros(pane_orbits, np.int32)
    t0 = np.full(pane_orbits, _NO_T0, np.int32)
    keys = np.empty((n_chambers, longest), np.int64)
    begin, at_orbit, at_drift = 0, np.uint64(0), 0
    ticks = np.uint64(ticks_per_bx)
    for pane in range(len(ends)):
        mine, start = words[begin : ends[pane]], np.uint64(starts[pane])
        begin = ends[pane]
        scintillator_words = tally(
            mine, start, ticks, classes, hits[pane], per_orbit, touched, n_touched, t0
        )
        at_orbit = list_orbits(
            start, per_orbit, touched, n_touched, total, multiplicity[pane],
            orbit_numbers, orbit_hits, orbit_ends[pane], at_orbit,
        )  # fmt: skip
        if scintillator_words > 0:
            select(mine, start, ticks, classes, t0, keys, n_keys)
            at_drift = list_drifts(
                start, keys, n_keys, t0, bins, lowest, scint_hits[pane], histogram[pane],
                drift_orbits, drift_ticks, drift_ends[pane], at_drift,
            )  # fmt: skip
            t0[:] = _NO_T0
        else:
            drift_ends[pane, :] = at_drift
