"""Kernel that follows the clock of one stream, for those that put streams side by side.

Not the clocks of the windows, of which each FPGA has one: here it is enough to know about
where in detector time each word stands, and how often the orbit counter was reset.
"""

from typing import Any

import numpy as np

from muonscope._jit import rare_kernel, read_only
from muonscope.units import BX_PER_ORBIT

EPOCH, MARK, LAST, HELD, HELD_LAST, HELD_LOW, STARTED = range(7)
N_STATE = 7
KEY_SHIFT = 40
"""A key is the number of resets, above this bit, and the orbit."""

BACK, LEAP, GAP = 11_223, 112_233, 40_403_787
"""Orbits in 1 s, 10 s and an hour: a step back by more than the first, or ahead by more than
the second, is a jump; one back, or ahead by more than the third, is a reset."""

_CONFIRM = 5
_S5, _S17 = np.uint64(5), np.uint64(17)
_ORBIT_MASK, _BX_MASK = np.uint64(0xFFFFFFFF), np.uint64(4095)
_BX_LIMIT = np.uint64(BX_PER_ORBIT)


@rare_kernel(lambda t: t.void(read_only(t.uint64), t.uint64, t.uint64, t.int64[::1], t.int64[::1]))
def follow(words: Any, head_shift: int, hit_head: int, state: Any, keys: Any) -> None:
    """Fill ``keys`` with the key of each of ``words``, which come next in the stream.

    Keys never fall. Only hits move the clock, and only when two in a row have reached an
    orbit. The first one is believed; a jump is when five words in a row agree, and then it
    holds for them, too. ``state`` is what is remembered from call to call.
    """
    first_held = 0
    for i in range(len(words)):
        word = words[i]
        keys[i] = state[EPOCH] << KEY_SHIFT | state[MARK]
        if word >> head_shift != hit_head or ((word >> _S5) & _BX_MASK) >= _BX_LIMIT:
            continue
        orbit = np.int64((word >> _S17) & _ORBIT_MASK)
        if state[STARTED] == 0:
            state[STARTED] = 1
            state[MARK] = state[LAST] = orbit
            for j in range(i + 1):
                keys[j] = state[EPOCH] << KEY_SHIFT | orbit
            continue
        step = orbit - state[MARK]
        if -BACK <= step <= LEAP:
            state[HELD] = 0
            state[MARK] = max(state[MARK], min(orbit, state[LAST]))
            state[LAST] = orbit
            keys[i] = state[EPOCH] << KEY_SHIFT | state[MARK]
            continue
        step = orbit - state[HELD_LAST]
        if state[HELD] == 0 or not -BACK <= step <= LEAP:
            state[HELD], first_held = 0, i
            state[HELD_LOW] = orbit
        state[HELD] += 1
        state[HELD_LAST], state[HELD_LOW] = orbit, min(orbit, state[HELD_LOW])
        if state[HELD] == _CONFIRM:
            low = state[HELD_LOW]
            if low < state[MARK] or low > state[MARK] + GAP:
                state[EPOCH] += 1
            state[HELD], state[MARK], state[LAST] = 0, low, orbit
            for j in range(first_held, i + 1):
                keys[j] = state[EPOCH] << KEY_SHIFT | low
