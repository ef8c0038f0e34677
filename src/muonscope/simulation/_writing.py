"""The kernel of the read-out of hits: dead time, words, and the order of each lane.

:mod:`muonscope.simulation.daq` owns the arrays and says what they mean.
"""

from typing import Any

import numpy as np

from muonscope._jit import kernel, read_only, tuple_of

__all__ = ["write_hits"]

_COUNTER = np.int64(0xFFFFFFFF)


def _types(t: Any) -> Any:
    i64, u64 = t.int64[::1], t.uint64[::1]
    given, given_words = read_only(t.int64), read_only(t.uint64)
    return t.void(
        given, given, given, given, i64, given, given_words,
        tuple_of(t.int64, 6), i64, u64, i64, i64,
    )  # fmt: skip


@kernel(_types)
def write_hits(
    tick: Any, address: Any, jitter: Any, ahead: Any, alive_until: Any, lane_of: Any, base: Any,
    clock: Any, row_of: Any, words: Any, leaves: Any, ends: Any,
) -> None:  # fmt: skip
    """Write the hits that are not lost, lane after lane, each lane in order of leaving.

    Parameters
    ----------
    tick, address, jitter
        Of each hit, in order of time: the tick, the channel, and how much later it may
        leave within its orbit. Shape (n,).
    ahead
        Of each hit, how many orbits its counter is ahead; shape (n,), or (0,) for none.
    alive_until
        Of each address, the tick at which its dead time ends; goes on from call to call.
    lane_of, base
        Of each address, its lane, and the word without orbit, BX and TDC.
    clock
        Dead time in ticks, ticks per BX, what the TDC begins with, ticks per orbit, the
        counter at tick 0, and the first address that always has TDC 1.
    row_of, words, leaves
        Written: of each word, the number of its hit, the word, and when it leaves.
    ends
        Written: where each lane ends in these. Shape (lanes,).
    """
    dead, per_bx, first_tdc, per_orbit, counter, first_trigger = clock
    ends[:] = 0
    for i in range(len(tick)):
        row_of[i] = tick[i] < alive_until[address[i]]
        if not row_of[i]:
            alive_until[address[i]] = tick[i] + dead
            ends[lane_of[address[i]]] += 1
    total = 0
    for lane in range(len(ends)):
        total += ends[lane]
        ends[lane] = total - ends[lane]
    starts = ends.copy()
    lost = row_of[: len(tick)].copy()
    for i in range(len(tick)):
        if lost[i]:
            continue
        a = address[i]
        orbit = tick[i] // per_orbit
        rest = tick[i] - orbit * per_orbit
        leaves_at = min(tick[i] + jitter[i], (orbit + 1) * per_orbit - 1)
        bx = rest // per_bx
        tdc = rest - bx * per_bx + first_tdc
        if a >= first_trigger:
            tdc = 1
        orbit += counter
        if len(ahead):
            orbit += ahead[i]
        place = ends[lane_of[a]]
        ends[lane_of[a]] += 1
        while place > starts[lane_of[a]] and leaves[place - 1] > leaves_at:
            row_of[place], words[place] = row_of[place - 1], words[place - 1]
            leaves[place] = leaves[place - 1]
            place -= 1
        row_of[place], leaves[place] = i, leaves_at
        words[place] = base[a] | np.uint64((orbit & _COUNTER) << 17 | bx << 5 | tdc)
