"""Kernels that count the words of closed panes: the six results, and what judges need.

A pane's words come in the order of arrival, which in each chamber is the order of time
but for small steps back; whatever depends on order is sorted, so that the same words
give the same tables in any order. Orbits are relative to the pane's first one here.
:mod:`muonscope.counting.fused` owns the arrays.
"""

from typing import Any, NamedTuple

import numpy as np

from muonscope._jit import kernel, part
from muonscope.counting.blocks.drift import FEW_HITS
from muonscope.counting.blocks.multiplicity import CROWDED, MULTIPLICITIES
from muonscope.counting.blocks.together import TOGETHER_HITS
from muonscope.counting.word_classes import CHAMBER_SHIFT, SCINTILLATOR, TRIGGER

_UNLIMITED = 2**62
_NO_T0 = np.int32(2**31 - 1)
_ORBIT_MASK = np.uint64(0xFFFFFFFF)
_S5, _S17, _S49 = np.uint64(5), np.uint64(17), np.uint64(49)
_BX_MASK, _TDC_MASK = np.uint64(4095), np.uint64(31)
_CLASS_MASK, _CHAMBER_SHIFT = np.uint32(0xFFFF), np.uint32(CHAMBER_SHIFT)
_SCINTILLATOR, _TRIGGER = np.uint64(SCINTILLATOR), np.uint64(TRIGGER)
_ZERO, _ONE = np.uint64(0), np.uint64(1)
_MOST, _MOST_CROWDED = np.int32(MULTIPLICITIES - 1), np.int32(MULTIPLICITIES + CROWDED - 2)
_TOGETHER = np.int32(TOGETHER_HITS)
_KEY_ORBIT, _KEY_TIME, _KEY_MASK = 34, 17, (1 << 17) - 1


class Look(NamedTuple):
    """What does not change from pane to pane."""

    ticks_per_bx: int
    classes: Any
    """uint32 (32768,): see :class:`~muonscope.counting.word_classes.ClassTable`."""
    bins: Any
    """int16: bin of a drift time of ``t`` ticks at [chamber, t - lowest[chamber]]."""
    lowest: Any


class Into(NamedTuple):
    """Where counts go: the columns of the fused blocks by their names, one row per pane."""

    class_words: Any
    scint_hits: Any
    multiplicity: Any
    crowded: Any
    together: Any
    scint_orbits: Any
    drift_histogram: Any
    drift_few: Any
    orbits: Any
    orbit_hits: Any
    orbit_ends: Any
    drift_orbits: Any
    drift_ticks: Any
    drift_ends: Any


def _types(t: Any) -> Any:
    i64, i32, u64, u32 = t.int64[::1], t.int32[::1], t.uint64[::1], t.uint32[::1]
    i64_2, i64_3 = t.int64[:, ::1], t.int64[:, :, ::1]
    look = t.NamedTuple((t.int64, u32, t.int16[:, ::1], i64), Look)
    into = (
        i64_2, i64_2, i64_3, i64_3, i64_3, i64_2, i64_3, i64_3,
        u32, u32, i64_2, u32, i32, i64_2,
    )  # fmt: skip
    return t.void(u64, i64, i64, i64, look, t.NamedTuple(into, Into))


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
    """Count words per class and hits per orbit; note t0; return the orbits that have one.

    ``per_orbit`` counts hits at [chamber * orbits + orbit]. ``touched`` lists, for each
    chamber, the orbits that it counts in, ``n_touched`` of them; ``t0`` is the earliest
    scintillator time in each orbit, in ticks from its start. Indices are unsigned, which
    spares the test for negative ones: a third of the time here.
    """
    scintillator_orbits = 0
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
            scintillator_orbits += t0[orbit] == _NO_T0
            t0[orbit] = min(t0[orbit], np.int32(time))
    return scintillator_orbits


@part
def list_orbits(
    start: Any,
    per_orbit: Any,
    touched: Any,
    n_touched: Any,
    total: Any,
    in_many: Any,
    multiplicity: Any,
    crowded: Any,
    together: Any,
    orbit_numbers: Any,
    orbit_hits: Any,
    ends: Any,
    at: Any,
) -> Any:
    """List each chamber's orbits with their hits, fill the multiplicities, clear the scratch.

    Writes from index ``at`` on, the end of each chamber's list to ``ends``; returns the
    last end. The last rows of ``multiplicity`` and ``crowded`` are for all chambers together.
    ``in_many`` has a bit for each chamber that has many hits in the orbit.
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
            if count >= _TOGETHER:
                in_many[orbit] |= _ONE << chamber
                if count >= _MOST:
                    crowded[chamber, np.uint64(min(count, _MOST_CROWDED) - _MOST)] += 1
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
        if total[orbit] >= _MOST:
            crowded[n_chambers, np.uint64(min(total[orbit], _MOST_CROWDED) - _MOST)] += 1
        many = in_many[orbit]
        if many != _ZERO:
            for a in range(n_chambers):
                if many >> a & _ONE:
                    for b in range(n_chambers):
                        together[a, b] += np.int64(many >> b & _ONE)
            in_many[orbit] = _ZERO
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
    scint_orbits: Any,
    histogram: Any,
    few: Any,
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
        end = 0
        for i in range(n):
            key = keys[chamber, i]
            orbit = key >> _KEY_ORBIT
            if i == end:  # the first one of its orbit
                while end < n and keys[chamber, end] >> _KEY_ORBIT == orbit:
                    end += 1
                scint_orbits[chamber] += 1
                in_few = np.int64(end - i <= FEW_HITS)
            ticks = ((key >> _KEY_TIME) & _KEY_MASK) - t0[orbit]
            scint_hits[key & _KEY_MASK] += 1
            place = bins[chamber, min(max(ticks - lowest[chamber], 0), last)]
            histogram[chamber, place] += 1
            few[chamber, place] += in_few
            drift_orbits[at + i] = start + np.uint64(orbit)
            drift_ticks[at + i] = ticks
        at += n
        ends[chamber] = at
    return at


@kernel(_types)
def count_panes(words: Any, ends: Any, starts: Any, stops: Any, look: Any, into: Any) -> None:
    """Count the words of many panes: pane ``i`` is ``words[ends[i-1]:ends[i]]``.

    ``starts`` (panes,) are first orbits, ``stops`` those after the last ones; counts are
    added to one row of ``into`` per pane, and lists are written to its flat columns.
    """
    n_chambers, longest, orbits, begin = len(look.bins), 0, 0, 0
    for pane in range(len(ends)):
        longest, begin = max(longest, ends[pane] - begin), ends[pane]
        orbits = max(orbits, stops[pane] - starts[pane])
    per_orbit = np.zeros(n_chambers * orbits, np.int32)
    touched = np.empty((n_chambers + 1) * (orbits + 1), np.uint32)
    n_touched, n_keys = np.zeros(n_chambers, np.uint64), np.zeros(n_chambers, np.int64)
    total, in_many = np.zeros(orbits, np.int32), np.zeros(orbits, np.uint64)
    t0 = np.full(orbits, _NO_T0, np.int32)
    keys = np.empty((n_chambers, longest), np.int64)
    begin, at_orbit, at_drift = 0, np.uint64(0), 0
    ticks, classes = np.uint64(look.ticks_per_bx), look.classes
    for pane in range(len(ends)):
        mine, start = words[begin : ends[pane]], np.uint64(starts[pane])
        begin = ends[pane]
        scintillator_orbits = tally(
            mine, start, ticks, classes, into.class_words[pane], per_orbit, touched, n_touched, t0
        )
        at_orbit = list_orbits(
            start, per_orbit, touched, n_touched, total, in_many,
            into.multiplicity[pane], into.crowded[pane], into.together[pane],
            into.orbits, into.orbit_hits, into.orbit_ends[pane], at_orbit,
        )  # fmt: skip
        if scintillator_orbits > 0:
            into.scint_orbits[pane, n_chambers] = scintillator_orbits
            select(mine, start, ticks, classes, t0, keys, n_keys)
            at_drift = list_drifts(
                start, keys, n_keys, t0, look.bins, look.lowest, into.scint_hits[pane],
                into.scint_orbits[pane], into.drift_histogram[pane], into.drift_few[pane],
                into.drift_orbits, into.drift_ticks, into.drift_ends[pane], at_drift,
            )  # fmt: skip
            t0[:] = _NO_T0
        else:
            into.drift_ends[pane, :] = at_drift
