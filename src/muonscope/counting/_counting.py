"""Kernels that count the words of closed panes: the six results and their kin.

A pane's words come in the order of arrival, which in each chamber is the order of time
but for small steps back; whatever depends on order is sorted, so that the same words
give the same tables in any order. Orbits are relative to the pane's first one here.
:mod:`muonscope.counting.summary` names the tables and owns the arrays.
"""

from typing import Any

import numpy as np
from numba import types

from muonscope._jit import kernel, part

MULTIPLICITIES = 64
"""Entries of a multiplicity table: 0 .. 62 hits, and 63 or more."""

SCINTILLATOR, TRIGGER = -1, -2
"""What stands for the chamber in classes that are no cells."""

_UNLIMITED = 2**62
_NO_T0 = np.int32(2**31 - 1)
_ORBIT_MASK = np.uint64(0xFFFFFFFF)
_S5, _S17, _S49 = np.uint64(5), np.uint64(17), np.uint64(49)
_BX_MASK, _TDC_MASK = np.uint64(4095), np.uint64(31)
_KEY_ORBIT, _KEY_TIME, _KEY_CELL = 34, 17, (1 << 17) - 1

_int = types.int64
_i64, _i32, _u64 = types.int64[::1], types.int32[::1], types.uint64[::1]
_u32, _i64_2, _i64_3 = types.uint32[::1], types.int64[:, ::1], types.int64[:, :, ::1]


@part
def sort_nearly(values: Any) -> None:
    """Sort in place: linear where ``values`` is nearly sorted, as it is here.

    An insertion sort that gives up once it has moved too much, for a shell sort (gaps of
    Ciura 2001, extended by 2.25), which copes with anything.
    """
    budget = 8 * len(values) + 64
    if insertion_sort(values, 1, budget) >= 0:
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
    start: int,
    ticks: int,
    clock_class: Any,
    chamber_of: Any,
    hits: Any,
    per_orbit: Any,
    touched: Any,
    n_touched: Any,
    t0: Any,
) -> int:
    """Count words per class and hits per orbit; note t0; return the scintillator words.

    ``per_orbit`` (chambers, orbits) counts; ``touched`` lists the orbits that a chamber
    counts in, ``n_touched`` of them; ``t0`` is the earliest scintillator time in each
    orbit, in ticks from its start.
    """
    scintillator_words = 0
    for word in words:
        index = clock_class[word >> _S49]
        hits[index] += 1
        chamber = chamber_of[index]
        orbit = np.int64((word >> _S17) & _ORBIT_MASK) - start
        if chamber >= 0:
            count = per_orbit[chamber, orbit]
            per_orbit[chamber, orbit] = count + 1
            n = n_touched[chamber]
            touched[chamber, n] = orbit
            n_touched[chamber] = n + (count == 0)
        elif chamber == SCINTILLATOR:
            time = np.int64((word >> _S5) & _BX_MASK) * ticks + np.int64(word & _TDC_MASK)
            t0[orbit] = min(t0[orbit], time)
            scintillator_words += 1
    return scintillator_words


@part
def list_orbits(
    start: int,
    per_orbit: Any,
    touched: Any,
    n_touched: Any,
    total: Any,
    multiplicity: Any,
    orbit_numbers: Any,
    orbit_hits: Any,
    ends: Any,
    at: int,
) -> int:
    """List each chamber's orbits with their hits, fill the multiplicities, clear the scratch.

    Writes from index ``at`` on, the end of each chamber's list to ``ends``; returns the
    last end. The last row of ``multiplicity`` is for all chambers together.
    """
    n_chambers = len(per_orbit)
    n_total = 0
    for chamber in range(n_chambers):
        n = n_touched[chamber]
        sort_nearly(touched[chamber, :n])
        for i in range(n):
            orbit = touched[chamber, i]
            count = per_orbit[chamber, orbit]
            per_orbit[chamber, orbit] = 0
            orbit_numbers[at + i] = start + orbit
            orbit_hits[at + i] = count
            multiplicity[chamber, min(count, MULTIPLICITIES - 1)] += 1
            before = total[orbit]
            total[orbit] = before + count
            touched[n_chambers, n_total] = orbit
            n_total += before == 0
        n_touched[chamber] = 0
        at += n
        ends[chamber] = at
    for i in range(n_total):
        orbit = touched[n_chambers, i]
        multiplicity[n_chambers, min(total[orbit], MULTIPLICITIES - 1)] += 1
        total[orbit] = 0
    return at


@part
def select(
    words: Any,
    start: int,
    ticks: int,
    clock_class: Any,
    chamber_of: Any,
    t0: Any,
    keys: Any,
    n_keys: Any,
) -> None:
    """Collect the hits in orbits with a scintillator hit, as sortable keys per chamber.

    A key holds orbit, time in ticks, and cell.
    """
    n_keys[:] = 0
    for word in words:
        orbit = np.int64((word >> _S17) & _ORBIT_MASK) - start
        if t0[orbit] != _NO_T0:
            index = np.int64(clock_class[word >> _S49])
            chamber = chamber_of[index]
            if chamber >= 0:
                time = np.int64((word >> _S5) & _BX_MASK) * ticks + np.int64(word & _TDC_MASK)
                keys[chamber, n_keys[chamber]] = orbit << _KEY_ORBIT | time << _KEY_TIME | index
                n_keys[chamber] += 1


@part
def list_drifts(
    start: int,
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
            ticks = ((key >> _KEY_TIME) & _KEY_CELL) - t0[orbit]
            scint_hits[key & _KEY_CELL] += 1
            histogram[chamber, bins[chamber, min(max(ticks - lowest[chamber], 0), last)]] += 1
            drift_orbits[at + i] = start + orbit
            drift_ticks[at + i] = ticks
        at += n
        ends[chamber] = at
    return at


@kernel(
    types.void(
        _u64, _i64, _i64, _int, _int,
        _i32, _i32, types.int16[:, ::1], _i64,
        _i64_2, _i64_2, _i64_3, _i64_3,
        _u32, _u32, _i64_2, _u32, _i32, _i64_2,
    )
)  # fmt: skip
def count_panes(
    words: Any,
    ends: Any,
    starts: Any,
    pane_orbits: int,
    ticks: int,
    clock_class: Any,
    chamber_of: Any,
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
    per_orbit = np.zeros((n_chambers, pane_orbits), np.int32)
    touched = np.empty((n_chambers + 1, pane_orbits + 1), np.int64)
    n_touched, n_keys = np.zeros(n_chambers, np.int64), np.zeros(n_chambers, np.int64)
    total = np.zeros(pane_orbits, np.int32)
    t0 = np.full(pane_orbits, _NO_T0, np.int32)
    keys = np.empty((n_chambers, longest), np.int64)
    begin = at_orbit = at_drift = 0
    for pane in range(len(ends)):
        mine, start = words[begin : ends[pane]], starts[pane]
        begin = ends[pane]
        scintillator_words = tally(
            mine, start, ticks, clock_class, chamber_of, hits[pane], per_orbit, touched, n_touched, t0
        )
        at_orbit = list_orbits(
            start, per_orbit, touched, n_touched, total, multiplicity[pane],
            orbit_numbers, orbit_hits, orbit_ends[pane], at_orbit,
        )  # fmt: skip
        if scintillator_words > 0:
            select(mine, start, ticks, clock_class, chamber_of, t0, keys, n_keys)
            at_drift = list_drifts(
                start, keys, n_keys, t0, bins, lowest, scint_hits[pane], histogram[pane],
                drift_orbits, drift_ticks, drift_ends[pane], at_drift,
            )  # fmt: skip
            t0[:] = _NO_T0
        else:
            drift_ends[pane, :] = at_drift
