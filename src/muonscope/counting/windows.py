"""Windows of detector time: every word goes to the window of orbits it belongs to.

A window is ``window`` whole orbits, numbered by orbit // window from orbit 0 of its
epoch, so the same words give the same windows wherever reading starts and however the
words arrive. The rules, all in detector time:

* Each FPGA with a chamber or a scintillator is a lane with a clock; of streams that run side
  by side, each has lanes of its own, for order is only promised inside of one stream. Only
  clock words move a clock (hit HEAD, known channel, BX < 3564), and only when two in a row
  have reached an orbit.
* A window closes when the slowest living lane has passed its end by the lateness. A lane
  that stays behind the fastest by more than the idle time-out holds nothing up; the time
  of a hole does not count for that.
* A step back by more than the lateness, or ahead by more than the leap, is a jump. Its
  words are held until five in a row agree (one more than a group of the DAQ), or
  another lane is there already; otherwise they are counted as late or invalid. Of streams
  side by side, the words that the lanes of one FPGA hold are counted together.
* A believed jump ahead is a hole, without windows, in the same epoch. One back, or ahead
  by more than the gap, starts a new epoch, or joins that of another lane which is within
  the gap: a stale buffer, a reset, the wrap at 2^32. One back to within the lateness of
  another lane of the same epoch only undoes what bad words had done.
* When the stream ends, two words in a row that are held are enough to be believed.
* Words without a usable time (ancillary, unmapped, invalid, late) are counted in the
  window in which the clock of their FPGA stands: that of its latest word in time, or of
  the next one where that window has closed.

Where hits are wanted one by one, panes come with a halo and close one orbit later: see
:mod:`muonscope.counting.halo`.

Long windows are made of panes of at most 16,384 orbits, which are what is buffered,
closed and counted; memory is bounded by the pool of words in open panes.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from muonscope.counting import _windowing as k
from muonscope.counting.halo import HaloKeeper
from muonscope.counting.panes import Panes, joined_panes
from muonscope.counting.window_spec import GAP_S, Note, NoteKind, WindowSpec
from muonscope.counting.word_classes import ClassTable, Timeless
from muonscope.errors import StateError
from muonscope.stream.side_by_side import StreamNumbers
from muonscope.units import orbits_in
from muonscope.words.layout import Words, as_words

__all__ = ["Windower"]

_LEAP_S = 10.0
"""A step ahead by more than this is a jump."""
_CONFIRM = 5
"""Words in a row that make a jump believed."""
_NO_STREAMS = np.empty(0, np.uint16)
_NOTES = 64


class Windower:
    """Cuts a stream of words into panes of detector time.

    Not thread-safe. ``push`` takes any split of the stream; ``finish`` ends it.
    """

    def __init__(
        self, table: ClassTable, spec: WindowSpec, *, max_open_words: int = 1 << 24,
        halo: bool = False,
    ) -> None:  # fmt: skip
        """Start with no word seen; ``max_open_words`` bounds what open panes may hold.

        With ``halo``, panes come with the words of the orbits before and after them, and
        close one orbit later.
        """
        self._table, self.spec = table, spec
        self._halo = HaloKeeper() if halo else None
        self._max_blocks = max(256, max_open_words // k.BLOCK_WORDS)
        self._notes: list[Note] = []
        self.words_in = 0
        ctrl = np.zeros(k.N_CTRL, np.int64)
        ctrl[k.CTRL_FREE_PANE] = ctrl[k.CTRL_FREE_BLOCK] = -1
        panes = np.zeros((1, k.N_PANE), np.int64)
        panes[0, [k.PANE_EPOCH, k.PANE_ID]] = -1
        self._state = k.State(
            kinds=table.kind,
            spec=_columns(spec, table.lane_mask, halo=halo),
            ctrl=ctrl,
            lanes=np.zeros((0, k.N_LANE), np.int64),
            lane_other=np.zeros((0, len(Timeless)), np.int64),
            held=np.zeros((0, _CONFIRM), np.uint64),
            epochs=np.zeros((k.EPOCH_RING, k.N_EPOCH), np.int64),
            panes=panes,
            pane_other=np.zeros((1, len(Timeless)), np.int64),
            pool=np.zeros((0, k.BLOCK_WORDS), np.uint64),
            links=np.zeros(0, np.int64),
            closed=np.zeros(1, np.int64),
            notes=np.zeros((_NOTES, k.N_NOTE), np.int64),
        )
        self._grow(panes=64, blocks=min(1024, self._max_blocks))
        self._expect(1)

    @property
    def remainder(self) -> npt.NDArray[np.int64]:
        """Counts per :class:`Timeless` of words that no lane's clock places yet."""
        total: npt.NDArray[np.int64] = self._state.lane_other.sum(axis=0)
        return total

    @property
    def epochs(self) -> int:
        """Number of epochs begun."""
        return int(self._state.ctrl[k.CTRL_EPOCHS])

    @property
    def orbit(self) -> int | None:
        """Orbit of the lane that is furthest in the newest epoch; None before the first."""
        lanes = self._state.lanes[self._state.lanes[:, k.LANE_EPOCH] == self.epochs - 1]
        return int(lanes[:, k.LANE_MARK].max()) if self.epochs and len(lanes) else None

    def closed_upto(self) -> dict[int, int]:
        """Return, for each open epoch, the pane below which all are closed."""
        rows = self._state.epochs[self._state.epochs[:, k.EPOCH_OPEN] == 1]
        return {int(r[k.EPOCH_NUMBER]): int(r[k.EPOCH_CLOSED]) for r in rows}

    def push(self, words: Words, streams: StreamNumbers | None = None) -> Panes:
        """Take the next words; return the panes that they close.

        ``streams`` says which streams they are from, if these run side by side.
        """
        words = as_words(words)
        numbers = _NO_STREAMS
        if streams is not None:
            self._expect(streams.count)
            numbers = streams.of_word
        parts, at = [], 0
        while True:
            at = k.advance(self._state, words, numbers, at, False)
            parts.append(self._take())
            if at == len(words):
                break
            self._make_room()
        self.words_in += len(words)
        return joined_panes(parts)

    def finish(self) -> Panes:
        """End the stream: decide what is held, close all panes."""
        held = len(self._state.lanes) * _CONFIRM
        self._grow(panes=held, blocks=held)
        k.advance(self._state, np.empty(0, np.uint64), _NO_STREAMS, 0, True)
        return self._take()

    def notes(self) -> list[Note]:
        """Return the notes since the last call and forget them."""
        notes, self._notes = self._notes, []
        return notes

    def snapshot(self) -> dict[str, npt.NDArray[Any]]:
        """Return all that is needed to go on, as plain arrays; for :meth:`restore`."""
        st, row, rows = self._state, 0, []
        while (row := int(st.panes[row, k.PANE_NEXT])) != 0:
            rows.append(row)
        lane_pane = st.lanes[:, k.LANE_PANE]
        place = [rows.index(r) if r >= 0 else -1 for r in lane_pane]
        words = [self._words_of(row) for row in rows]
        saved = {
            "spec": _saved_spec(st.spec, halo=self._halo is not None),
            "counters": np.array(
                [
                    self.words_in,
                    st.ctrl[k.CTRL_EPOCHS],
                    st.ctrl[k.CTRL_PROGRESS],
                    self._max_blocks,
                ],
                np.int64,
            ),
            "lanes": st.lanes.copy(),
            "lane_pane": np.array(place, np.int64),
            "lane_other": st.lane_other.copy(),
            "held": st.held.copy(),
            "epochs": st.epochs.copy(),
            "panes": st.panes[rows][:, [k.PANE_EPOCH, k.PANE_ID]].reshape(-1, 2),
            "pane_other": st.pane_other[rows].reshape(-1, len(Timeless)),
            "pane_ends": np.cumsum([len(w) for w in words], dtype=np.int64),
            "pane_words": np.concatenate([np.empty(0, np.uint64), *words]),
        }
        return saved | self._halo.snapshot() if self._halo else saved

    @classmethod
    def restore(
        cls,
        table: ClassTable,
        spec: WindowSpec,
        snapshot: Mapping[str, npt.NDArray[Any]],
        *,
        halo: bool = False,
    ) -> "Windower":
        """Return a windower that goes on where ``snapshot`` was taken.

        Raises
        ------
        StateError
            If the snapshot was taken with other window lengths, or only one of the two has a
            halo.
        """
        words_in, epochs, progress, max_blocks = snapshot["counters"].tolist()
        windower = cls(table, spec, max_open_words=max_blocks * k.BLOCK_WORDS, halo=halo)
        windower._expect(len(snapshot["lanes"]) // k.STREAM_LANES)
        st = windower._state
        if not np.array_equal(snapshot["spec"], _saved_spec(st.spec, halo=halo)):
            raise StateError(
                "saved state: the window, lateness or idle time-out was another one,"
                " or other counts needed their hits one by one"
            )
        if windower._halo:
            windower._halo.restore(snapshot)
        windower.words_in = st.ctrl[k.CTRL_WORDS] = words_in
        st.ctrl[k.CTRL_EPOCHS], st.ctrl[k.CTRL_PROGRESS] = epochs, progress
        for name in ("lanes", "lane_other", "held", "epochs"):
            getattr(st, name)[:] = snapshot[name]
        windower._reopen(snapshot)
        return windower

    def _reopen(self, snapshot: Mapping[str, npt.NDArray[Any]]) -> None:
        ends, panes = snapshot["pane_ends"], snapshot["panes"]
        lengths = np.diff(ends, prepend=0)
        need = int((lengths // k.BLOCK_WORDS + 1).sum())
        self._grow(panes=len(panes), blocks=need)
        rows = []
        for (epoch, pane), end, length in zip(panes, ends, lengths, strict=True):
            words = snapshot["pane_words"][end - length : end]
            rows.append(k.reopen(self._state, epoch, pane, words))
        if rows:
            self._state.pane_other[rows] = snapshot["pane_other"]
        lane_pane = [rows[place] if place >= 0 else -1 for place in snapshot["lane_pane"]]
        self._state.lanes[:, k.LANE_PANE] = lane_pane

    def _words_of(self, row: int) -> Words:
        st, blocks = self._state, []
        block = int(st.panes[row, k.PANE_HEAD_BLOCK])
        while block >= 0:
            blocks.append(block)
            block = int(st.links[block])
        words: Words = st.pool[blocks].reshape(-1)[: st.panes[row, k.PANE_WORDS]]
        return words

    def _take(self) -> Panes:
        st = self._state
        rows = st.closed[: st.ctrl[k.CTRL_CLOSED]].copy()
        panes = st.panes[rows]
        ends = np.cumsum(panes[:, k.PANE_WORDS])
        words = np.empty(ends[-1] if len(ends) else 0, np.uint64)
        other = st.pane_other[rows]
        beside = self._beside(rows) if self._halo else None
        k.take_closed(st, words)
        self._collect_notes()
        taken = Panes(
            epoch=panes[:, k.PANE_EPOCH].copy(),
            pane=panes[:, k.PANE_ID].copy(),
            start=self._start_of(panes[:, k.PANE_ID]),
            stop=self._start_of(panes[:, k.PANE_ID] + 1),
            ends=ends,
            words=words,
            other=other,
        )
        if self._halo is None or beside is None:
            return taken
        seen = panes[:, k.PANE_SEEN].copy()
        taken = self._halo.attach(taken, beside[0], seen, beside[1])
        self._halo.forget(self.closed_upto())
        return taken

    def _start_of(self, pane: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return the first orbits of panes."""
        window, inside = np.divmod(pane, self.spec.panes)
        start: npt.NDArray[np.int64] = (
            window * self.spec.window_orbits + inside * self.spec.pane_orbits
        )
        return start

    def _beside(self, rows: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], list[Words]]:
        """Return which pane follows each closed one, and the words of those that are open.

        Closed panes are numbered in their order, then come the open ones.
        """
        number = np.full(len(self._state.panes) + 1, -1, np.int64)  # -1, none, is the last
        number[rows] = np.arange(len(rows))
        following, words = self._state.panes[rows, k.PANE_FOLLOWING], list[Words]()
        for row in np.unique(following[(following >= 0) & (number[following] < 0)]).tolist():
            number[row] = len(rows) + len(words)
            words.append(self._words_of(row))
        return number[following], words

    def _collect_notes(self) -> None:
        count = int(self._state.ctrl[k.CTRL_NOTES])
        for kind, word, lane, before, after in self._state.notes[:count].tolist():
            if len(self._notes) < _NOTES:
                self._notes.append(
                    Note(
                        kind=NoteKind(kind), word=word, lane=lane % k.STREAM_LANES,
                        before=before, after=after,
                    )
                )  # fmt: skip
        self._state.ctrl[k.CTRL_NOTES] = 0

    def _make_room(self) -> None:
        st = self._state
        reserve = st.spec[k.SPEC_RESERVE]
        if st.ctrl[k.CTRL_PANES_LEFT] < reserve:
            self._grow(panes=max(len(st.panes), int(reserve)), blocks=0)
        if st.ctrl[k.CTRL_BLOCKS_LEFT] < reserve:
            if len(st.pool) < self._max_blocks:
                blocks = min(len(st.pool), self._max_blocks - len(st.pool))
                self._grow(panes=0, blocks=blocks)
            else:
                k.close_oldest(st)

    def _expect(self, streams: int) -> None:
        """Make lanes for so many streams, if there are fewer."""
        st, missing = self._state, streams - len(self._state.lanes) // k.STREAM_LANES
        if missing <= 0:
            return
        new = np.zeros((k.STREAM_LANES, k.N_LANE), np.int64)
        new[self._table.lanes, k.LANE_USED] = 1
        new[:, [k.LANE_EPOCH, k.LANE_PANE]] = -1
        rows = missing * k.STREAM_LANES
        self._state = st._replace(
            lanes=np.concatenate([st.lanes, np.tile(new, (missing, 1))]),
            lane_other=_extended(st.lane_other, rows),
            held=_extended(st.held, rows),
        )
        # what one word may settle: all that the lanes hold
        self._state.spec[k.SPEC_RESERVE] = 1 + streams * len(self._table.lanes) * _CONFIRM
        self._max_blocks = max(self._max_blocks, 2 * int(self._state.spec[k.SPEC_RESERVE]))

    def _grow(self, *, panes: int, blocks: int) -> None:
        """Add free panes and blocks; the free lists run through their links."""
        st = self._state
        first_pane, first_block = len(st.panes), len(st.pool)
        st = st._replace(
            panes=_extended(st.panes, panes),
            pane_other=_extended(st.pane_other, panes),
            closed=_extended(st.closed, panes),
            pool=_extended(st.pool, blocks),
            links=_extended(st.links, blocks),
        )
        if panes:
            st.panes[first_pane:, k.PANE_NEXT] = np.arange(first_pane + 1, len(st.panes) + 1)
            st.panes[-1, k.PANE_NEXT] = st.ctrl[k.CTRL_FREE_PANE]
            st.ctrl[k.CTRL_FREE_PANE] = first_pane
        if blocks:
            st.links[first_block:] = np.arange(first_block + 1, len(st.links) + 1)
            st.links[-1] = st.ctrl[k.CTRL_FREE_BLOCK]
            st.ctrl[k.CTRL_FREE_BLOCK] = first_block
        st.ctrl[k.CTRL_PANES_LEFT] += panes
        st.ctrl[k.CTRL_BLOCKS_LEFT] += blocks
        self._state = st


def _columns(spec: WindowSpec, lane_mask: int, *, halo: bool) -> npt.NDArray[np.int64]:
    """Return the lengths as the kernels take them."""
    columns = np.zeros(k.N_SPEC, np.int64)
    columns[k.SPEC_WINDOW], columns[k.SPEC_PANES] = spec.window_orbits, spec.panes
    columns[k.SPEC_PANE] = spec.pane_orbits
    columns[k.SPEC_LATENESS] = orbits_in(spec.lateness_s)
    columns[k.SPEC_CLOSING] = columns[k.SPEC_LATENESS] + halo
    columns[k.SPEC_IDLE] = orbits_in(spec.idle_s)
    columns[k.SPEC_LEAP], columns[k.SPEC_GAP] = orbits_in(_LEAP_S), orbits_in(GAP_S)
    columns[k.SPEC_CONFIRM], columns[k.SPEC_LANE_MASK] = _CONFIRM, lane_mask
    return columns


def _saved_spec(columns: npt.NDArray[np.int64], *, halo: bool) -> npt.NDArray[np.int64]:
    """Return what a saved state must agree with: the last column is of windowers with halo."""
    return columns[: k.SPEC_RESERVE if halo else k.SPEC_CLOSING].copy()


def _extended(array: npt.NDArray[Any], rows: int) -> npt.NDArray[Any]:
    return np.concatenate([array, np.zeros((rows, *array.shape[1:]), array.dtype)])
