"""Kernels that put every word into the pane of orbits it belongs to.

The state of the windower is a handful of integer arrays, one row per lane (FPGA), epoch
or pane, gathered in :class:`State`; the column names are the constants below. All orbits
are int64. A pane holds its words as a chain of blocks from one pool, so memory is
bounded by the pool. Open panes form a list sorted by (epoch, pane), whose sentinel is
row 0 of ``panes``. :mod:`muonscope.counting.windows` explains the rules and owns the
arrays; nothing else imports this module. All of it stands in one file, because the cache
of compiled code only watches the file in which a kernel stands.
"""

from typing import Any, NamedTuple

import numpy as np

from muonscope._jit import inlined, kernel, part, rare_kernel, read_only
from muonscope.counting.window_spec import NoteKind
from muonscope.counting.word_classes import Timeless
from muonscope.units import BX_PER_ORBIT

# spec: lengths, in orbits but for the counts
SPEC_WINDOW, SPEC_PANES, SPEC_PANE, SPEC_LATENESS, SPEC_IDLE, SPEC_LEAP, SPEC_GAP = range(7)
SPEC_CONFIRM, SPEC_LANE_MASK, SPEC_CLOSING, SPEC_RESERVE = 7, 8, 9, 10
N_SPEC = 11
# ctrl: single numbers
CTRL_EPOCHS, CTRL_PROGRESS, CTRL_FREE_PANE, CTRL_FREE_BLOCK, CTRL_PANES_LEFT = range(5)
CTRL_BLOCKS_LEFT, CTRL_CLOSED, CTRL_WORDS, CTRL_NOTES = 5, 6, 7, 8
N_CTRL = 9
# lanes: for each stream, one row per FPGA that a word can name
STREAM_LANES = 16
LANE_USED, LANE_EPOCH, LANE_MARK, LANE_LAST, LANE_PANE, LANE_LOW, LANE_LENGTH = range(7)
LANE_ALARM, LANE_HELD, LANE_GRACE = 7, 8, 9
N_LANE = 10
# epochs: a ring of those that are open
EPOCH_NUMBER, EPOCH_OPEN, EPOCH_FIRST, EPOCH_FAST, EPOCH_CLOSED, EPOCH_TOUCHED = range(6)
EPOCH_RESUMED = 6
N_EPOCH = 7
EPOCH_RING = 16
# panes: open ones, and closed ones that wait to be taken
PANE_EPOCH, PANE_ID, PANE_WORDS, PANE_HEAD_BLOCK, PANE_TAIL_BLOCK, PANE_NEXT, PANE_PREVIOUS = range(
    7
)
PANE_FOLLOWING, PANE_SEEN = 7, 8
N_PANE = 9
BLOCK_WORDS = 256
# notes: things worth telling, the first ones of each call
NOTE_KIND, NOTE_WORD, NOTE_LANE, NOTE_FROM, NOTE_TO = range(5)
N_NOTE = 5
NOTE_EPOCH, NOTE_HOLE, NOTE_LONE = int(NoteKind.EPOCH), int(NoteKind.HOLE), int(NoteKind.LONE)
NOTE_LATE, NOTE_FULL, NOTE_BACK = int(NoteKind.LATE), int(NoteKind.FULL), int(NoteKind.BACK)

_NONE = -1
_SENTINEL = 0
_IN_BLOCK = BLOCK_WORDS - 1
_FAR = np.int64(1) << 62
_ORBIT_MASK = np.uint64(0xFFFFFFFF)
_BX_MASK = np.uint64(4095)
_S5, _S17, _S49, _S58 = np.uint64(5), np.uint64(17), np.uint64(49), np.uint64(58)
_BX_LIMIT = np.uint64(BX_PER_ORBIT)
_INVALID_BX = 1 + int(Timeless.INVALID_BX)
_INVALID_ORBIT = int(Timeless.INVALID_ORBIT)
_LATE = int(Timeless.LATE)


class State(NamedTuple):
    """All that the windower remembers; shapes are (rows, columns named above)."""

    kinds: Any
    """uint8 (32768,): 0 for clock words, else 1 + Timeless."""
    spec: Any
    ctrl: Any
    lanes: Any
    lane_other: Any
    """int64 (lanes, Timeless): counts that wait for the lane's clock."""
    held: Any
    """uint64 (lanes, confirm): words that claim a jump, until it is believed or not."""
    epochs: Any
    panes: Any
    pane_other: Any
    """int64 (panes, Timeless)."""
    pool: Any
    """uint64 (blocks, BLOCK_WORDS)."""
    links: Any
    """int64 (blocks,): the next block of the same pane, or of the free list."""
    closed: Any
    """int64 (panes,): rows of closed panes in the order of their closing."""
    notes: Any


def _state(t: Any) -> Any:
    i1, i2, u2 = t.int64[::1], t.int64[:, ::1], t.uint64[:, ::1]
    kinds = t.uint8[::1]
    return t.NamedTuple((kinds, i1, i1, i2, i2, u2, i2, i2, i2, u2, i1, i1, i2), State)


@part
def note(ctrl: Any, notes: Any, kind: int, lane: int, before: int, after: int) -> None:
    """Keep a note, unless the table is full."""
    n = ctrl[CTRL_NOTES]
    if n < len(notes):
        notes[n, NOTE_KIND] = kind
        notes[n, NOTE_WORD] = ctrl[CTRL_WORDS]
        notes[n, NOTE_LANE] = lane
        notes[n, NOTE_FROM] = before
        notes[n, NOTE_TO] = after
        ctrl[CTRL_NOTES] = n + 1


@part
def pane_of(spec: Any, orbit: int) -> int:
    """Return the number of the pane that holds ``orbit`` (floored for negative ones)."""
    window = orbit // spec[SPEC_WINDOW]
    inside = orbit - window * spec[SPEC_WINDOW]
    return window * spec[SPEC_PANES] + inside // spec[SPEC_PANE]


@part
def pane_start(spec: Any, pane: int) -> int:
    """Return the first orbit of ``pane``."""
    window = pane // spec[SPEC_PANES]
    return window * spec[SPEC_WINDOW] + (pane - window * spec[SPEC_PANES]) * spec[SPEC_PANE]


@inlined
def take_block(ctrl: Any, links: Any) -> int:
    """Take a block from the free list, which the caller knows not to be empty."""
    block = ctrl[CTRL_FREE_BLOCK]
    ctrl[CTRL_FREE_BLOCK] = links[block]
    ctrl[CTRL_BLOCKS_LEFT] -= 1
    links[block] = _NONE
    return block


@part
def extend(ctrl: Any, links: Any, panes: Any, row: int) -> None:
    """Add a block to the chain of a pane."""
    block = take_block(ctrl, links)
    if panes[row, PANE_WORDS] == 0:
        panes[row, PANE_HEAD_BLOCK] = block
    else:
        links[panes[row, PANE_TAIL_BLOCK]] = block
    panes[row, PANE_TAIL_BLOCK] = block


@part
def find_pane(st: State, epoch: int, pane: int, hint: int) -> int:
    """Return the row of an open pane, opening it if need be; walks from row ``hint``."""
    panes = st.panes
    at = hint if hint > _SENTINEL else panes[_SENTINEL, PANE_PREVIOUS]
    while at != _SENTINEL and (
        panes[at, PANE_EPOCH] > epoch
        or (panes[at, PANE_EPOCH] == epoch and panes[at, PANE_ID] > pane)
    ):
        at = panes[at, PANE_PREVIOUS]
    following = panes[at, PANE_NEXT]
    while following != _SENTINEL and (
        panes[following, PANE_EPOCH] < epoch
        or (panes[following, PANE_EPOCH] == epoch and panes[following, PANE_ID] <= pane)
    ):
        at, following = following, panes[following, PANE_NEXT]
    if at != _SENTINEL and panes[at, PANE_EPOCH] == epoch and panes[at, PANE_ID] == pane:
        return at
    row = st.ctrl[CTRL_FREE_PANE]
    st.ctrl[CTRL_FREE_PANE] = panes[row, PANE_NEXT]
    st.ctrl[CTRL_PANES_LEFT] -= 1
    panes[row, PANE_EPOCH], panes[row, PANE_ID], panes[row, PANE_WORDS] = epoch, pane, 0
    panes[row, PANE_PREVIOUS], panes[row, PANE_NEXT] = at, following
    panes[at, PANE_NEXT], panes[following, PANE_PREVIOUS] = row, row
    panes[row, PANE_HEAD_BLOCK], panes[row, PANE_TAIL_BLOCK] = _NONE, _NONE
    st.pane_other[row, :] = 0
    return row


@part
def store(st: State, row: int, word: int) -> None:
    """Append ``word`` to an open pane."""
    n = st.panes[row, PANE_WORDS]
    inside = n & _IN_BLOCK
    if inside == 0:
        extend(st.ctrl, st.links, st.panes, row)
    st.pool[st.panes[row, PANE_TAIL_BLOCK], inside] = word
    st.panes[row, PANE_WORDS] = n + 1


@part
def close_panes(st: State, epoch: int, upto: int) -> None:
    """Close all open panes of ``epoch`` below ``upto``; lanes let go of them."""
    panes, lanes = st.panes, st.lanes
    ring = epoch % EPOCH_RING
    st.epochs[ring, EPOCH_CLOSED] = max(st.epochs[ring, EPOCH_CLOSED], upto)
    at = panes[_SENTINEL, PANE_NEXT]
    while at != _SENTINEL and panes[at, PANE_EPOCH] <= epoch:
        following = panes[at, PANE_NEXT]
        if panes[at, PANE_EPOCH] == epoch:
            if panes[at, PANE_ID] >= upto:
                break
            before = panes[at, PANE_PREVIOUS]
            panes[before, PANE_NEXT], panes[following, PANE_PREVIOUS] = following, before
            adjacent = panes[following, PANE_EPOCH] == epoch
            adjacent &= panes[following, PANE_ID] == panes[at, PANE_ID] + 1
            panes[at, PANE_FOLLOWING] = following if adjacent else _NONE
            panes[at, PANE_SEEN] = panes[following, PANE_WORDS]
            st.closed[st.ctrl[CTRL_CLOSED]] = at
            st.ctrl[CTRL_CLOSED] += 1
            for lane in range(len(lanes)):
                if lanes[lane, LANE_PANE] == at:
                    lanes[lane, LANE_PANE], lanes[lane, LANE_LENGTH] = _NONE, 0
        at = following


@part
def is_open(epochs: Any, epoch: int) -> bool:
    """Tell whether ``epoch`` still takes words."""
    ring = epoch % EPOCH_RING
    return epoch >= 0 and epochs[ring, EPOCH_NUMBER] == epoch and epochs[ring, EPOCH_OPEN] == 1


@part
def position_of(st: State, lane: int, epoch: int) -> int:
    """Return where a lane stands in ``epoch``; words that it holds may say so too."""
    if st.lanes[lane, LANE_EPOCH] == epoch:
        return st.lanes[lane, LANE_MARK]
    first = position = st.epochs[epoch % EPOCH_RING, EPOCH_FIRST]
    for i in range(st.lanes[lane, LANE_HELD]):
        orbit = np.int64((st.held[lane, i] >> _S17) & _ORBIT_MASK)
        if abs(orbit - first) <= st.spec[SPEC_IDLE]:
            position = min(position, orbit)
    return position


@part
def fastest(st: State, epoch: int) -> int:
    """Return where the fastest lane in ``epoch`` stands."""
    fast = st.epochs[epoch % EPOCH_RING, EPOCH_FIRST]
    for lane in range(len(st.lanes)):
        if st.lanes[lane, LANE_USED] == 1 and st.lanes[lane, LANE_EPOCH] == epoch:
            fast = max(fast, st.lanes[lane, LANE_MARK])
    return fast


@inlined
def close_ready(st: State, epoch: int) -> None:
    """Close the panes of ``epoch`` that the slowest living lane has passed."""
    ring, idle = epoch % EPOCH_RING, st.spec[SPEC_IDLE]
    fast = fastest(st, epoch)
    after_hole = fast - st.epochs[ring, EPOCH_RESUMED] <= idle
    slowest = _FAR
    for lane in range(len(st.lanes)):
        if st.lanes[lane, LANE_USED] == 0 or st.lanes[lane, LANE_EPOCH] > epoch:
            continue
        position = position_of(st, lane, epoch)
        waited_for = after_hole and st.lanes[lane, LANE_GRACE] == 1
        if position < slowest and (position >= fast - idle or waited_for):
            slowest = position
    if slowest < _FAR:
        close_panes(st, epoch, pane_of(st.spec, slowest - st.spec[SPEC_CLOSING]))


@inlined
def begin_after_hole(st: State, epoch: int, orbit: int) -> None:
    """Let the lanes that were alive before a hole have the idle time-out after it, too."""
    fast = fastest(st, epoch)
    if orbit > fast + st.spec[SPEC_LEAP]:
        for lane in range(len(st.lanes)):
            alive = position_of(st, lane, epoch) >= fast - st.spec[SPEC_IDLE]
            st.lanes[lane, LANE_GRACE] = 1 if alive else 0
        st.epochs[epoch % EPOCH_RING, EPOCH_RESUMED] = orbit


@inlined
def retire_epochs(st: State) -> None:
    """Close the epochs that all lanes have left, or that the others have outrun."""
    for ring in range(EPOCH_RING):
        if st.epochs[ring, EPOCH_OPEN] == 0:
            continue
        epoch = st.epochs[ring, EPOCH_NUMBER]
        left = True
        for lane in range(len(st.lanes)):
            if st.lanes[lane, LANE_USED] == 1 and st.lanes[lane, LANE_EPOCH] <= epoch:
                left = False
        quiet = st.ctrl[CTRL_PROGRESS] - st.epochs[ring, EPOCH_TOUCHED]
        if left or quiet > st.spec[SPEC_IDLE] + st.spec[SPEC_PANE]:
            st.epochs[ring, EPOCH_OPEN] = 0
            close_panes(st, epoch, _FAR)


@part
def ring_alarm(st: State, lane: int) -> None:
    """React to a lane whose clock passed a boundary: close what is ready."""
    lanes, closing = st.lanes, st.spec[SPEC_CLOSING]
    epoch, mark = lanes[lane, LANE_EPOCH], lanes[lane, LANE_MARK]
    lanes[lane, LANE_ALARM] = pane_start(st.spec, pane_of(st.spec, mark - closing) + 1) + closing
    ring = epoch % EPOCH_RING
    step = mark - st.epochs[ring, EPOCH_FAST]
    if step > 0 and lanes[lane, LANE_USED] == 1:
        st.epochs[ring, EPOCH_FAST] = mark
        st.ctrl[CTRL_PROGRESS] += step
    st.epochs[ring, EPOCH_TOUCHED] = st.ctrl[CTRL_PROGRESS]
    close_ready(st, epoch)
    if st.ctrl[CTRL_EPOCHS] > 1:
        retire_epochs(st)


@inlined
def tick(st: State, lane: int, orbit: int) -> None:
    """Move a lane's clock: two words in a row must have reached an orbit."""
    lanes = st.lanes
    mark = min(orbit, lanes[lane, LANE_LAST])
    lanes[lane, LANE_LAST] = orbit
    if mark > lanes[lane, LANE_MARK]:
        lanes[lane, LANE_MARK] = mark
        if mark >= lanes[lane, LANE_ALARM]:
            ring_alarm(st, lane)


@part
def count_other(
    lanes: Any, lane_other: Any, pane_other: Any, lane: int, which: int, n: int
) -> None:
    """Count words without a usable time where the lane's clock stands."""
    row = lanes[lane, LANE_PANE]
    if row >= 0:
        pane_other[row, which] += n
    else:
        lane_other[lane, which] += n


@part
def enter(st: State, lane: int, word: int) -> None:
    """Place an ordinary word that lies outside its lane's current pane."""
    lanes = st.lanes
    epoch = lanes[lane, LANE_EPOCH]
    orbit = np.int64((word >> _S17) & _ORBIT_MASK)
    pane = pane_of(st.spec, orbit)
    if pane < st.epochs[epoch % EPOCH_RING, EPOCH_CLOSED]:
        note(st.ctrl, st.notes, NOTE_LATE, lane, lanes[lane, LANE_MARK], orbit)
        count_other(st.lanes, st.lane_other, st.pane_other, lane, _LATE, 1)
    else:
        row = find_pane(st, epoch, pane, lanes[lane, LANE_PANE])
        store(st, row, word)
        start = pane_start(st.spec, pane)
        lanes[lane, LANE_PANE], lanes[lane, LANE_LOW] = row, start
        lanes[lane, LANE_LENGTH] = pane_start(st.spec, pane + 1) - start
        for which in range(st.lane_other.shape[1]):
            st.pane_other[row, which] += st.lane_other[lane, which]
            st.lane_other[lane, which] = 0
    tick(st, lane, orbit)


@part
def refute(st: State, lane: int) -> None:
    """Give up a jump that was not confirmed: its words are invalid, late, or in time."""
    lanes, epoch = st.lanes, st.lanes[lane, LANE_EPOCH]
    for i in range(lanes[lane, LANE_HELD]):
        word = st.held[lane, i]
        orbit = np.int64((word >> _S17) & _ORBIT_MASK)
        behind = is_open(st.epochs, epoch) and orbit < lanes[lane, LANE_MARK]
        pane = pane_of(st.spec, orbit)
        if behind and pane >= st.epochs[epoch % EPOCH_RING, EPOCH_CLOSED]:
            store(st, find_pane(st, epoch, pane, lanes[lane, LANE_PANE]), word)
        else:
            note(
                st.ctrl,
                st.notes,
                NOTE_LATE if behind else NOTE_LONE,
                lane,
                lanes[lane, LANE_MARK],
                orbit,
            )
            count_other(
                st.lanes, st.lane_other, st.pane_other, lane, _LATE if behind else _INVALID_ORBIT, 1
            )
    lanes[lane, LANE_HELD] = 0


@inlined
def choose_epoch(st: State, lane: int, orbit: int) -> int:
    """Return the epoch that a believed jump leads to: this, another lane's, or a new one.

    A step back to where another lane of the same epoch stands is no new epoch: a few bad
    words had taken the lane too far ahead.
    """
    lanes, gap = st.lanes, st.spec[SPEC_GAP]
    epoch = lanes[lane, LANE_EPOCH]
    if is_open(st.epochs, epoch) and 0 <= orbit - lanes[lane, LANE_MARK] <= gap:
        return epoch
    best = _NONE
    for other in range(len(lanes)):
        at = lanes[other, LANE_EPOCH]
        beside = abs(orbit - lanes[other, LANE_MARK]) <= st.spec[SPEC_LATENESS]
        if other != lane and at == epoch and beside and is_open(st.epochs, epoch):
            return epoch
        near = abs(orbit - lanes[other, LANE_MARK]) <= gap
        if other != lane and at != epoch and at > best and near and is_open(st.epochs, at):
            best = at
    if best >= 0:
        return best
    best = st.ctrl[CTRL_EPOCHS]
    ring = best % EPOCH_RING
    if st.epochs[ring, EPOCH_OPEN] == 1:
        close_panes(st, st.epochs[ring, EPOCH_NUMBER], _FAR)
    st.epochs[ring, EPOCH_NUMBER], st.epochs[ring, EPOCH_OPEN] = best, 1
    st.epochs[ring, EPOCH_FIRST], st.epochs[ring, EPOCH_FAST] = orbit, orbit
    st.epochs[ring, EPOCH_CLOSED], st.epochs[ring, EPOCH_RESUMED] = 0, orbit
    st.ctrl[CTRL_EPOCHS] = best + 1
    return best


@inlined
def shown(st: State, lane: int, kind: int, epoch: int, orbit: int) -> bool:
    """Tell whether a lane of the same FPGA in another stream is there already, so it was noted."""
    other = lane % STREAM_LANES
    while other < len(st.lanes):
        near = abs(st.lanes[other, LANE_MARK] - orbit) <= st.spec[SPEC_LEAP]
        there = st.lanes[other, LANE_EPOCH] == epoch and (kind == NOTE_EPOCH or near)
        if other != lane and there and kind != NOTE_BACK:
            return True
        other += STREAM_LANES
    return False


@part
def settle(st: State, lane: int) -> None:
    """Believe a jump: move the lane to where the held words say, and place them."""
    lanes = st.lanes
    n = lanes[lane, LANE_HELD]
    orbit = np.int64((st.held[lane, 0] >> _S17) & _ORBIT_MASK)
    for i in range(1, n):
        orbit = min(orbit, np.int64((st.held[lane, i] >> _S17) & _ORBIT_MASK))
    before, mark = lanes[lane, LANE_EPOCH], lanes[lane, LANE_MARK]
    epoch = choose_epoch(st, lane, orbit)
    kind = NOTE_EPOCH if epoch != before else NOTE_HOLE if orbit >= mark else NOTE_BACK
    if not shown(st, lane, kind, epoch, orbit):
        note(st.ctrl, st.notes, kind, lane, mark, orbit)
    if epoch == before:
        begin_after_hole(st, epoch, orbit)
    ring = epoch % EPOCH_RING
    st.epochs[ring, EPOCH_FIRST] = min(orbit, st.epochs[ring, EPOCH_FIRST])
    lanes[lane, LANE_EPOCH], lanes[lane, LANE_HELD] = epoch, 0
    lanes[lane, LANE_MARK], lanes[lane, LANE_LAST] = orbit, orbit
    if epoch != before:
        lanes[lane, LANE_PANE], lanes[lane, LANE_LENGTH] = _NONE, 0
    ring_alarm(st, lane)
    for i in range(n):
        enter(st, lane, st.held[lane, i])


@inlined
def supported(st: State, lane: int, orbit: int) -> bool:
    """Tell whether another lane is already where a jump to ``orbit`` would lead."""
    lanes, epoch = st.lanes, st.lanes[lane, LANE_EPOCH]
    for other in range(len(lanes)):
        at = lanes[other, LANE_EPOCH]
        near = abs(orbit - lanes[other, LANE_MARK]) <= st.spec[SPEC_LEAP]
        ahead = at > epoch or (at == epoch and orbit > lanes[lane, LANE_MARK])
        if other != lane and near and ahead and is_open(st.epochs, at):
            return True
    return False


@inlined
def agreed(st: State, lane: int, orbit: int) -> bool:
    """Tell whether enough words say so that the lanes of one FPGA hold, in all streams."""
    held, other = 0, lane % STREAM_LANES
    while other < len(st.lanes):
        n = st.lanes[other, LANE_HELD]
        if n > 0:
            last = np.int64((st.held[other, n - 1] >> _S17) & _ORBIT_MASK)
            if abs(last - orbit) <= st.spec[SPEC_LEAP]:
                held += n
        other += STREAM_LANES
    return held >= st.spec[SPEC_CONFIRM]


@inlined
def settle_supported(st: State) -> None:
    """Believe the jumps that other lanes hold to where a lane has just settled.

    Of streams side by side only: each may have just a few words, and no further one that
    would be believed then.
    """
    again = True
    while again:
        again = False
        for lane in range(len(st.lanes)):
            if st.lanes[lane, LANE_HELD] > 0:
                orbit = np.int64((st.held[lane, 0] >> _S17) & _ORBIT_MASK)
                if supported(st, lane, orbit):
                    settle(st, lane)
                    again = True


@inlined
def arrive(st: State, lane: int, word: int) -> None:
    """Take a clock word that is not the common case: of another pane, or a jump."""
    lanes, lateness, leap = st.lanes, st.spec[SPEC_LATENESS], st.spec[SPEC_LEAP]
    orbit = np.int64((word >> _S17) & _ORBIT_MASK)
    step = orbit - lanes[lane, LANE_MARK]
    if is_open(st.epochs, lanes[lane, LANE_EPOCH]) and -lateness <= step <= leap:
        refute(st, lane)
        enter(st, lane, word)
        return
    n = lanes[lane, LANE_HELD]
    if n > 0:
        step = orbit - np.int64((st.held[lane, n - 1] >> _S17) & _ORBIT_MASK)
        if not -lateness <= step <= leap:
            refute(st, lane)
            n = 0
    st.held[lane, n] = word
    lanes[lane, LANE_HELD] = n + 1
    lanes[lane, LANE_LENGTH] = 0
    if n + 1 == st.spec[SPEC_CONFIRM] or supported(st, lane, orbit) or agreed(st, lane, orbit):
        settle(st, lane)
        if len(lanes) > STREAM_LANES:
            settle_supported(st)


@inlined
def finish(st: State) -> None:
    """Decide what is still held, then close every epoch."""
    for lane in range(len(st.lanes)):
        n = st.lanes[lane, LANE_HELD]
        if n > 1 or (n == 1 and not is_open(st.epochs, st.lanes[lane, LANE_EPOCH])):
            settle(st, lane)
        else:
            refute(st, lane)
    for number in range(max(0, st.ctrl[CTRL_EPOCHS] - EPOCH_RING), st.ctrl[CTRL_EPOCHS]):
        if is_open(st.epochs, number):
            st.epochs[number % EPOCH_RING, EPOCH_OPEN] = 0
            close_panes(st, number, _FAR)


@kernel(lambda t: t.int64(_state(t), read_only(t.uint64), read_only(t.uint16), t.int64, t.boolean))
def advance(st: State, words: Any, streams: Any, start: int, ends: bool) -> int:
    """Place words from ``start`` on; return the index of the first one not placed.

    ``streams`` is the number of the stream of each word, or empty where all are of stream 0.
    The index is ``len(words)``, or earlier where panes or blocks run out: then closed panes
    must be taken, or the tables made larger, before the call is repeated. Where the stream
    ``ends`` with these words, what is held is decided, and every epoch closed. The common
    cases are written out here, because each call with the state costs as much as ten
    words; :func:`store` and :func:`tick` are the same steps.
    """
    kinds, lanes, lane_other = st.kinds, st.lanes, st.lane_other
    panes, pane_other, pool = st.panes, st.pane_other, st.pool
    ctrl, links = st.ctrl, st.links
    lane_mask, reserve = np.uint64(st.spec[SPEC_LANE_MASK]), st.spec[SPEC_RESERVE]
    no_row, in_block = np.uint64(len(panes)), np.uint64(_IN_BLOCK)
    side_by_side, width = len(streams) > 0, np.uint64(STREAM_LANES)
    first_number = ctrl[CTRL_WORDS] - start
    for i in range(start, len(words)):
        word = words[i]
        lane = (word >> _S58) & lane_mask
        if side_by_side:
            lane += np.uint64(streams[i]) * width
        kind = np.int64(kinds[word >> _S49])
        if kind == 0 and ((word >> _S5) & _BX_MASK) >= _BX_LIMIT:
            kind = np.int64(_INVALID_BX)
        row = np.uint64(lanes[lane, LANE_PANE])
        if kind > 0:
            if row < no_row:
                pane_other[row, np.uint64(kind - 1)] += 1
            else:
                lane_other[lane, np.uint64(kind - 1)] += 1
            continue
        orbit = np.int64((word >> _S17) & _ORBIT_MASK)
        inside = np.uint64(orbit - lanes[lane, LANE_LOW])
        if inside < np.uint64(lanes[lane, LANE_LENGTH]):
            n = np.uint64(panes[row, PANE_WORDS])
            place = n & in_block
            if place == 0:
                if ctrl[CTRL_BLOCKS_LEFT] < reserve:
                    ctrl[CTRL_WORDS] = first_number + i
                    return i
                extend(ctrl, links, panes, np.int64(row))
            pool[np.uint64(panes[row, PANE_TAIL_BLOCK]), place] = word
            panes[row, PANE_WORDS] += 1
            mark = max(lanes[lane, LANE_MARK], min(orbit, lanes[lane, LANE_LAST]))
            lanes[lane, LANE_LAST], lanes[lane, LANE_MARK] = orbit, mark
            if mark >= lanes[lane, LANE_ALARM]:
                ctrl[CTRL_WORDS] = first_number + i
                ring_alarm(st, np.int64(lane))
        else:
            ctrl[CTRL_WORDS] = first_number + i
            if min(ctrl[CTRL_PANES_LEFT], ctrl[CTRL_BLOCKS_LEFT]) < reserve:
                return i
            arrive(st, np.int64(lane), word)
    ctrl[CTRL_WORDS] = first_number + len(words)
    if ends:
        finish(st)
    return len(words)


@rare_kernel(lambda t: t.int64(_state(t), t.int64, t.int64, read_only(t.uint64)))
def reopen(st: State, epoch: int, pane: int, words: Any) -> int:
    """Open a pane with the words that it held in a snapshot; return its row."""
    row = find_pane(st, epoch, pane, _NONE)
    for word in words:
        store(st, row, word)
    return row


@rare_kernel(lambda t: t.void(_state(t)))
def close_oldest(st: State) -> None:
    """Close the oldest open pane before its time, because the pool is exhausted."""
    row = st.panes[_SENTINEL, PANE_NEXT]
    if row != _SENTINEL:
        pane = st.panes[row, PANE_ID]
        note(
            st.ctrl,
            st.notes,
            NOTE_FULL,
            _NONE,
            pane_start(st.spec, pane),
            pane_start(st.spec, pane + 1),
        )
        close_panes(st, st.panes[row, PANE_EPOCH], st.panes[row, PANE_ID] + 1)


@kernel(lambda t: t.void(_state(t), t.uint64[::1]))
def take_closed(st: State, out: Any) -> None:
    """Copy the words of all closed panes to ``out``, one after the other, and free them."""
    done = 0
    for n in range(st.ctrl[CTRL_CLOSED]):
        row = st.closed[n]
        end = done + st.panes[row, PANE_WORDS]
        block = st.panes[row, PANE_HEAD_BLOCK]
        while block >= 0:
            length = min(BLOCK_WORDS, end - done)
            for i in range(length):
                out[done + i] = st.pool[block, i]
            done += length
            following = st.links[block]
            st.links[block] = st.ctrl[CTRL_FREE_BLOCK]
            st.ctrl[CTRL_FREE_BLOCK] = block
            st.ctrl[CTRL_BLOCKS_LEFT] += 1
            block = following
        st.panes[row, PANE_NEXT] = st.ctrl[CTRL_FREE_PANE]
        st.ctrl[CTRL_FREE_PANE] = row
        st.ctrl[CTRL_PANES_LEFT] += 1
    st.ctrl[CTRL_CLOSED] = 0
