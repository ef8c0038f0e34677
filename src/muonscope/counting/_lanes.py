"""Kernels that tell how well the words of closed panes cover the time: cells and lanes.

:mod:`muonscope.counting.fused` owns the arrays. The blocks of orbits are counted from the
first orbit of a pane; the order of words does not matter.
"""

from typing import Any

import numpy as np

from muonscope._jit import kernel, part
from muonscope.counting.blocks.lanes import FEW_BLOCKS, LANES, SHORT_ORBITS, SILENT_GAPS
from muonscope.counting.blocks.occupancy import BLOCK_ORBITS

_ORBIT_MASK, _CLASS_MASK = np.uint64(0xFFFFFFFF), np.uint32(0xFFFF)
_S17, _S37, _S49, _S58 = np.uint64(17), np.uint64(37), np.uint64(49), np.uint64(58)
_ZERO, _ONE, _S6 = np.uint64(0), np.uint64(1), np.uint64(6)
_S32, _LOW_HALF = np.uint64(32), np.uint64(0xFFFFFFFF)
_BIT_MASK, _BLOCK = np.uint64(63), np.uint64(BLOCK_ORBITS)


def _types(t: Any) -> Any:
    i64, u64, i64_2 = t.int64[::1], t.uint64[::1], t.int64[:, ::1]
    return t.void(u64, i64, i64, i64, t.int64, t.uint32[::1], t.int64, *[i64_2] * 5)


@part
def mark(
    words: Any,
    start: Any,
    lane_mask: Any,
    classes: Any,
    stride: Any,
    cell_blocks: Any,
    lane_blocks: Any,
    occupied: Any,
    lane_words: Any,
    lane_marked: Any,
) -> None:
    """Mark the blocks of orbits in which each cell and each lane has words; count both.

    Bit b % 64 of ``cell_blocks[cell * stride + b // 64]`` stands for block b of the pane; those
    of classes that are no cells are marked and not counted.
    """
    cells = np.uint64(len(occupied))
    for word in words:
        entry = classes[word >> _S49]
        block = (((word >> _S17) & _ORBIT_MASK) - start) // _BLOCK
        bit, place = block & _BIT_MASK, block >> _S6
        lane = (word >> _S58) & lane_mask
        lane_words[lane] += 1
        at = lane * stride + place
        before = lane_blocks[at]
        lane_blocks[at] = before | _ONE << bit
        lane_marked[lane] += np.int64((before >> bit & _ONE) ^ _ONE)
        cell = np.uint64(entry & _CLASS_MASK)
        at = cell * stride + place
        before = cell_blocks[at]
        cell_blocks[at] = before | _ONE << bit
        if cell < cells:
            occupied[cell] += np.int64((before >> bit & _ONE) ^ _ONE)


@part
def is_marked(blocks: Any, block: int) -> bool:
    """Tell whether the bit of ``block`` is set."""
    b = np.uint64(block)
    return blocks[b >> _S6] >> (b & _BIT_MASK) & _ONE != _ZERO


@part
def measure_lane(blocks: Any, orbits: int, marked: int) -> Any:
    """Return how many of a pane's ``orbits`` a lane was alive, and how often it paused.

    ``blocks`` has a bit for each block, ``marked`` of them set, at least one. Ends without a
    word are measured to the block; pauses in between in units of 32 blocks.
    """
    n = (orbits + BLOCK_ORBITS - 1) // BLOCK_ORBITS
    first, last = 0, n - 1
    while not is_marked(blocks, first):
        first += 1
    while not is_marked(blocks, last):
        last -= 1
    span, alive, holes, empty = last - first + 1, orbits, 0, 0
    if first * marked > SILENT_GAPS * span:
        alive -= first * BLOCK_ORBITS
    if (n - 1 - last) * marked > SILENT_GAPS * span:
        alive -= orbits - (last + 1) * BLOCK_ORBITS
    for unit in range(first // 32 + 1, last // 32 + 1):
        bits = blocks[np.uint64(unit) >> _ONE]
        if (bits >> _S32 if unit & 1 else bits & _LOW_HALF) == _ZERO:
            empty += 1
            continue
        if 32 * empty * marked > SILENT_GAPS * span:
            alive -= 32 * empty * BLOCK_ORBITS
            holes += 1
        empty = 0
    return alive, holes


@part
def find_repeated(words: Any, lane_mask: Any, seen: Any, repeated: Any) -> None:
    """Count words that are equal to an earlier one, by lane; ``seen`` is scratch, all zero.

    It has the numbers of words, from 1 on, where their bits say; its length is a power of two,
    and several times that of ``words``, so that few stand in another's place.
    """
    mask, number = np.uint64(len(seen) - 1), np.int32(0)
    for word in words:
        number += np.int32(1)
        place = (word ^ word >> _S17 ^ word >> _S37 ^ word >> _S49) & mask
        at = seen[place]
        while at != 0 and words[np.uint64(at) - _ONE] != word:
            place = (place + _ONE) & mask
            at = seen[place]
        if at == 0:
            seen[place] = number
        else:
            repeated[(word >> _S58) & lane_mask] += 1


@part
def room_for(n: int) -> int:
    """Return the places for ``n`` words in the table of those seen: a power of two."""
    room = 4
    while room < 4 * n:
        room *= 2
    return room


@kernel(_types)
def count_lanes(
    words: Any,
    ends: Any,
    starts: Any,
    stops: Any,
    lane_mask: int,
    classes: Any,
    n_classes: int,
    occupied: Any,
    lane_words: Any,
    lane_orbits: Any,
    lane_holes: Any,
    repeated: Any,
) -> None:
    """Count what many panes tell of cells and lanes, one row of the last five per pane.

    Pane ``i`` is ``words[ends[i-1]:ends[i]]``, of orbits ``starts[i]`` up to ``stops[i]``.
    """
    longest, orbits, begin = 0, 0, 0
    for pane in range(len(ends)):
        longest, begin = max(longest, ends[pane] - begin), ends[pane]
        orbits = max(orbits, stops[pane] - starts[pane])
    stride = np.uint64(orbits // (64 * BLOCK_ORBITS) + 1)
    cell_blocks = np.zeros(np.uint64(n_classes) * stride, np.uint64)
    lane_blocks = np.zeros(np.uint64(LANES) * stride, np.uint64)
    seen, marked = np.zeros(room_for(longest), np.int32), np.zeros(LANES, np.int64)
    begin, mask = 0, np.uint64(lane_mask)
    for pane in range(len(ends)):
        mine, start = words[begin : ends[pane]], np.uint64(starts[pane])
        begin = ends[pane]
        mark(
            mine, start, mask, classes, stride, cell_blocks, lane_blocks,
            occupied[pane], lane_words[pane], marked,
        )  # fmt: skip
        orbits = stops[pane] - starts[pane]
        for lane in range(LANES):
            if marked[lane] >= FEW_BLOCKS:
                blocks = lane_blocks[np.uint64(lane) * stride : np.uint64(lane + 1) * stride]
                alive, holes = measure_lane(blocks, orbits, marked[lane])
                lane_orbits[pane, lane], lane_holes[pane, lane] = alive, holes
            elif marked[lane] > 0 or orbits < SHORT_ORBITS:
                lane_orbits[pane, lane] = orbits
            marked[lane] = 0
        cell_blocks[:] = _ZERO
        lane_blocks[:] = _ZERO
        places = seen[: room_for(len(mine))]
        find_repeated(mine, mask, places, repeated[pane])
        places[:] = 0
