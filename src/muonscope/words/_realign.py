"""Kernels that tell words that are beyond doubt, and find words among damaged bytes.

Where there is doubt, every byte may begin a word. What stands there gets a weight: much if
it is a hit and others like it stand around it at whole words' distance, less than nothing
if it can be no word. The reading with the largest sum is taken, in which a gap costs as
much as four good hits give. (A shortest path through a line of bytes; its two states are
*in words* and *in a gap*.)
"""

from typing import Any

import numpy as np

from muonscope._jit import kernel, part, rare_kernel, read_only

__all__ = ["find_gaps", "trusted_blocks"]

_WORD = 8
_OTHER, _HIT, _ANCILLARY, _FILLING = 0, 1, 2, 3
_REACH = 8
"""Words on either side in which a word looks for others like it."""
_NEAR_ORBITS = 1 << 17
"""Orbits (11.7 s) within which a word supports another."""
_GAP_COST = 64
_NO_WORD, _NO_FILLING, _LONE_HIT = -4, -32, 2
"""Weights of what is no word, of a filling (16 of the first make a gap, or 2 of the second),
and of a hit like no other around it.
"""
_FILLING_BYTES = 64
_BX_PER_ORBIT = 3564
_BLOCK = 32
"""Words that are trusted together."""
_BAD_WORDS = 3


@part
def is_good(words: Any, begin: int, shift: Any, hit_head: Any, heads: Any, enough: int) -> bool:
    """Tell whether 32 words, and so their neighbours, stand where they should.

    ``enough`` are hits that follow a hit of another channel within some 2^15 orbits, and at
    most 3 have a HEAD that does not exist, or nothing but zeros or ones above.
    """
    good, bad, last = np.int64(0), np.int64(0), np.uint32(0)
    for at in range(begin, begin + _BLOCK):
        high = np.uint32(words[at] >> np.uint64(32))
        head = high >> shift
        bad += np.uint32(high + np.uint32(1)) <= np.uint32(1) or (heads >> head) & np.uint32(1) == 0
        if head == hit_head and words[at] & np.uint64(31) != 0:
            # The low 17 bits are an orbit in units of 2^15; the others tell FPGA and channel.
            step = np.uint32(high - last + np.uint32(1)) & np.uint32(0x1FFFF)
            good += step <= np.uint32(2) and (high ^ last) > np.uint32(0x1FFFF)
            last = high
    return bool(good >= enough and bad <= _BAD_WORDS)


@kernel(lambda t: t.int64(read_only(t.uint64), t.uint32, t.uint32, t.uint32, t.int64))
def trusted_blocks(words: Any, shift: Any, hit_head: Any, heads: Any, enough: int) -> int:
    """Return how many blocks of 32 of ``words`` are good and followed by a good one.

    ``shift`` is where HEAD begins in the upper half of a word; ``heads`` has a bit for each
    HEAD that exists.
    """
    end = len(words) - _BLOCK + 1
    at = 0
    while at < end and is_good(words, at, shift, hit_head, heads, enough):
        at += _BLOCK
    return max(at // _BLOCK - 1, 0)


@part
def mark_fillings(data: Any, kind: Any) -> None:
    """Mark the bytes of ``data`` in runs of at least 64 zero bytes, or 64 of 0xFF."""
    begin, size = 0, len(data)
    while begin < size:
        end = begin + 1
        if data[begin] == 0 or data[begin] == 255:
            while end < size and data[end] == data[begin]:
                end += 1
            if end - begin >= _FILLING_BYTES:
                kind[begin:end] = _FILLING
        begin = end


@part
def unpack_each(
    data: Any, version: int, hit_head: int, ancillary: int, kind: Any, top: Any, orbit: Any
) -> None:
    """Fill kind, the top 15 bits and the orbit of the word that begins at each byte."""
    head_shift, orbit_shift = (62, 25) if version == 1 else (61, 24)
    low, high = np.int64(0), np.int64(0)
    for i in range(len(data)):
        low = (low >> 8) | ((high & 255) << 24)
        high = (high >> 8) | (np.int64(data[i]) << 24)
        at = i - _WORD + 1
        if at < 0:
            continue
        head = high >> (head_shift - 32)
        top[at] = high >> 17
        if kind[at] == _FILLING and kind[i] == _FILLING and data[at] == data[i]:
            continue
        kind[at] = _OTHER
        if head == hit_head:
            if ((low >> 5) & 4095) < _BX_PER_ORBIT:
                kind[at] = _HIT
                orbit[at] = ((high & 0x1FFFF) << 15) | (low >> 17)
        elif (ancillary >> head) & 1:
            kind[at] = _ANCILLARY
            orbit[at] = ((high << (32 - orbit_shift)) & 0xFFFFFFFF) | (low >> orbit_shift)


@part
def weigh(kind: Any, top: Any, orbit: Any, weight: Any) -> None:
    """Fill the weight of the word that begins at each byte.

    A hit weighs up to 16, the more there are like it, for shifted channels and times look
    like a few hits. With the same top bits they weigh up to 8: all that is shifted has the
    top bits of a slowly growing orbit. Ancillary words of several kinds weigh as much, so
    that a gap is never cheaper than either; of one kind, as shifted orbits look, nothing.
    """
    for at in range(len(weight)):
        if kind[at] == _OTHER:
            weight[at] = _NO_WORD
        elif kind[at] == _FILLING:
            weight[at] = _NO_FILLING
        else:
            others, alike = 0, 0
            for step in range(-_REACH, _REACH + 1):
                near = at + step * _WORD
                if step != 0 and 0 <= near < len(weight) and kind[near] == kind[at]:
                    distance = (orbit[near] - orbit[at] + _NEAR_ORBITS) & 0xFFFFFFFF
                    if distance < 2 * _NEAR_ORBITS:
                        if top[near] != top[at]:
                            others += 1
                        else:
                            alike += 1
            others, alike = min(others, _REACH), min(alike, 2 * _REACH)
            if kind[at] == _HIT:
                weight[at] = max(others * (others + 4) // 6 + alike // 2, _LONE_HIT)
            else:
                weight[at] = min(2 * others, _REACH) if others + alike else _NO_WORD


@part
def best_path(weight: Any, size: int, opens: Any, ends: Any) -> None:
    """Fill where a gap is better begun than a word read, and where it is better ended.

    Both are judged by all that follows. Where it makes no difference the word is read and
    the gap stays open.
    """
    reading, skipping = np.zeros(size + 1, np.int64), np.zeros(size + 1, np.int64)
    for at in range(size - _WORD, -1, -1):
        word = weight[at] + reading[at + _WORD]
        gap = skipping[at + 1] - _GAP_COST
        opens[at] = gap > word
        reading[at] = max(word, gap)
        ends[at] = word > skipping[at + 1]
        skipping[at] = max(word, skipping[at + 1])


@rare_kernel(lambda t: t.int64(read_only(t.uint8), t.int64, t.int64, t.int64, t.int64[:, ::1]))
def find_gaps(data: Any, version: int, hit_head: int, ancillary: int, gaps: Any) -> int:
    """Fill ``gaps`` (n, 2) with where no words stand, and return how many there are.

    ``data`` begins with a word or a gap; a gap that ends with it may go on. ``ancillary``
    has a bit for each HEAD that exists besides that of hits. There is at most one gap for
    every 9 bytes, and one more.
    """
    size = len(data)
    count = max(size - _WORD + 1, 0)
    kind = np.zeros(size, np.uint8)
    top, orbit = np.zeros(count, np.int64), np.zeros(count, np.int64)
    weight = np.zeros(count, np.int64)
    opens, ends = np.zeros(count, np.bool_), np.zeros(count, np.bool_)
    mark_fillings(data, kind)
    unpack_each(data, version, hit_head, ancillary, kind, top, orbit)
    weigh(kind, top, orbit, weight)
    best_path(weight, size, opens, ends)
    found, at = 0, 0
    while at < count:
        if not opens[at]:
            at += _WORD
            continue
        gaps[found, 0] = at
        at += 1
        while at < count and not ends[at]:
            at += 1
        gaps[found, 1] = at if at < count else size
        found += 1
    return found
