"""Kernels of the table of hits: halos taken from neighbouring panes, hits as sortable keys.

:mod:`muonscope.counting.halo` and :mod:`muonscope.counting.hits` own the arrays; this module
is only imported where a block asks for hits.
"""

from typing import Any

import numpy as np

from muonscope._jit import kernel, part
from muonscope.counting.word_classes import CHAMBER_SHIFT, TRIGGER
from muonscope.units import BX_PER_ORBIT

CELL_SHIFT, TIME_SHIFT, PANE_SHIFT = 1, 17, 49
"""Lowest bits of cell, time and pane in a key; bit 0 is set for hits of the pane's own."""

_S5, _S17, _S49 = np.uint64(5), np.uint64(17), np.uint64(49)
_ORBIT_MASK, _BX_MASK, _TDC_MASK = np.uint64(0xFFFFFFFF), np.uint64(4095), np.uint64(31)
_CLASS_MASK, _CHAMBER_SHIFT = np.uint32(0xFFFF), np.uint32(CHAMBER_SHIFT)
_TRIGGER = np.uint32(TRIGGER)


def _halo_types(t: Any) -> Any:
    numbers, words = t.int64[::1], t.uint64[::1]
    return t.void(words, *[numbers] * 6, words, numbers)


def _key_types(t: Any) -> Any:
    numbers, words = t.int64[::1], t.uint64[::1]
    return t.void(words, numbers, words, numbers, numbers, t.int64, t.uint32[::1], numbers, numbers)


@part
def copy_orbit(words: Any, begin: int, end: int, orbit: int, out: Any, n: int) -> int:
    """Copy those of ``words[begin:end]`` that lie in ``orbit`` to ``out[n:]``; return its end."""
    for i in range(begin, end):
        if np.int64((words[i] >> _S17) & _ORBIT_MASK) == orbit:
            out[n] = words[i]
            n += 1
    return n


@kernel(_halo_types)
def take_halo(
    words: Any,
    ends: Any,
    starts: Any,
    stops: Any,
    previous: Any,
    following: Any,
    seen: Any,
    out: Any,
    out_ends: Any,
) -> None:
    """Copy to ``out`` the words of the orbit before and of the orbit after each pane.

    Piece ``i`` is ``words[ends[i-1]:ends[i]]``; pane ``i`` has orbits ``starts[i]`` up to
    ``stops[i]``, and its neighbours are the pieces ``previous[i]`` and ``following[i]``, or
    -1; of the latter only the first ``seen[i]`` words count. Ends go to ``out_ends``.
    """
    n = 0
    for pane in range(len(starts)):
        piece = previous[pane]
        if piece >= 0:
            begin = ends[piece - 1] if piece > 0 else 0
            n = copy_orbit(words, begin, ends[piece], starts[pane] - 1, out, n)
        piece = following[pane]
        if piece >= 0:
            begin = ends[piece - 1] if piece > 0 else 0
            n = copy_orbit(words, begin, begin + seen[pane], stops[pane], out, n)
        out_ends[pane] = n


@part
def put_keys(
    words: Any, lead: int, first: int, ticks: int, classes: Any, own: int, keys: Any, n: int
) -> int:
    """Write the keys of the hits among ``words``; times are from the start of ``first`` on."""
    for word in words:
        entry = classes[word >> _S49]
        if entry >> _CHAMBER_SHIFT < _TRIGGER:
            orbit = np.int64((word >> _S17) & _ORBIT_MASK) - first
            bx, tdc = np.int64((word >> _S5) & _BX_MASK), np.int64(word & _TDC_MASK)
            time = (orbit * BX_PER_ORBIT + bx) * ticks + tdc
            cell = np.int64(entry & _CLASS_MASK)
            keys[n] = lead | time << TIME_SHIFT | cell << CELL_SHIFT | own
            n += 1
    return n


@kernel(_key_types)
def hit_keys(
    words: Any,
    ends: Any,
    halo: Any,
    halo_ends: Any,
    starts: Any,
    ticks_per_bx: int,
    classes: Any,
    keys: Any,
    key_ends: Any,
) -> None:
    """Write a key for each hit on a cell: pane, time from the orbit before it, cell, own.

    Ends go to ``key_ends``; within a pane the keys are in no order yet.
    """
    n = begin = halo_begin = 0
    for pane in range(len(ends)):
        lead, first = pane << PANE_SHIFT, starts[pane] - 1
        mine, around = words[begin : ends[pane]], halo[halo_begin : halo_ends[pane]]
        n = put_keys(mine, lead, first, ticks_per_bx, classes, 1, keys, n)
        n = put_keys(around, lead, first, ticks_per_bx, classes, 0, keys, n)
        key_ends[pane] = n
        begin, halo_begin = ends[pane], halo_ends[pane]
