"""Words of streams that run side by side, in the order of detector time.

Partitions of a topic whose messages bear no numbers, files of several boards, part files:
each is in order, and nothing is promised between them. Here they are read abreast: what is
ahead waits for what may still come before it, as far as that is known, and then all goes on
in one order, to the word. Between streams only the number of resets and the orbit count;
where a stream begins later, or has no word between two resets, time stamps say after which
reset its words were sent, if there are any.

The order need not be perfect, for each stream has clocks of its own in the windows; it must
only be closer than the idle time-out, and it must not run into a reset before its time.
Time is an argument, in seconds; it only bounds how long something is waited for.
"""

from collections import deque
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from muonscope.detector import Readout
from muonscope.stream import _follow as f
from muonscope.stream.side_by_side import StreamNumbers
from muonscope.words.layout import Words, top_head_shift

__all__ = ["Abreast", "Released", "Taken"]

T = TypeVar("T")
IntArray = npt.NDArray[np.int64]

_NO_KEYS = np.empty(0, np.int64)
_NO_WORDS = np.empty(0, np.uint64)
_NEVER = (1 << 63) - 1
_TOP_SHIFT = 49
_SKEW_MS = 1000
"""How much the clocks of producers may differ, ms."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken(Generic[T]):
    """How much of an item was released."""

    stream: int
    item: T
    words: int
    """Words of it that were released so far, those of earlier calls included."""
    whole: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Released(Generic[T]):
    """Words that are next, and the items that they are from."""

    words: Words
    streams: StreamNumbers
    taken: list[Taken[T]]
    """Items in the order of each stream; only the last one of a stream may be there in part."""


@dataclass(slots=True, kw_only=True)
class _Item(Generic[T]):
    item: T
    words: Words
    seen_s: float
    times_ms: IntArray | None
    keys: IntArray = field(default_factory=lambda: _NO_KEYS)
    sent_ms: int | None = None
    """When the first of its hits was sent, where that is known."""
    at: int = 0


@dataclass(slots=True)
class _Stream(Generic[T]):
    state: IntArray = field(default_factory=lambda: np.zeros(f.N_STATE, np.int64))
    waiting: deque[_Item[T]] = field(default_factory=deque)
    reached: int = -1
    """Key of the last word that was released; -1 before the first, 0 before the first hit."""

    time_ms: int = -1
    """Time stamp of the last word that came; -1 before the first."""

    def is_near(self, key: int) -> bool:
        """Tell whether the stream, as far as it is known, has been near ``key``."""
        begin = self.reached if self.reached > 0 else self._first
        return begin - f.LEAP <= key <= self.last + f.LEAP

    @property
    def beginning(self) -> "tuple[int, int] | None":
        """When its first hit was sent, and its key; None where not known, or released."""
        if self.reached > 0:
            return None
        item = next((item for item in self.waiting if item.sent_ms is not None), None)
        return None if item is None or item.sent_ms is None else (item.sent_ms, int(item.keys[-1]))

    @property
    def _first(self) -> int:
        """Key of the first hit that waits."""
        for item in self.waiting:
            if len(item.keys) and item.keys[-1] > 0:
                return int(item.keys[np.searchsorted(item.keys, 0, side="right")])
        return _NEVER

    @property
    def last(self) -> int:
        """Key up to which all is known."""
        waiting = next((item for item in reversed(self.waiting) if len(item.keys)), None)
        return self.reached if waiting is None else int(waiting.keys[-1])


class Abreast(Generic[T]):
    """Takes items of streams, each in its order; gives their words in one order.

    An item is whatever the words came in, a message or a batch: it is given back with how
    many of its words were released.
    """

    def __init__(self, readout: Readout, count: int, first: int = 0) -> None:
        """Begin with ``count`` streams, known in what is released by numbers from ``first`` on."""
        self._head_shift = np.uint64(top_head_shift(readout.version) + _TOP_SHIFT)
        self._hit_head = np.uint64(readout.hit_head)
        self._first = first
        self._streams = [_Stream[T]() for _ in range(count)]
        self._resets = _Resets()

    @property
    def count(self) -> int:
        """Number of streams."""
        return len(self._streams)

    def expect(self, count: int) -> None:
        """Wait for so many streams, if there are fewer so far."""
        self._streams += [_Stream[T]() for _ in range(count - len(self._streams))]

    def furthest_behind(self, but_for: Collection[int]) -> int | None:
        """Return the stream of which least is known, of all ``but_for`` some; None if of none."""
        left = [(stream.last, s) for s, stream in enumerate(self._streams) if s not in but_for]
        return min(left)[1] if left else None

    def push(
        self, stream: int, words: Words, item: T, seen_s: float, times_ms: IntArray | None = None
    ) -> None:
        """Take the next item of a stream, which was there at ``seen_s`` at the latest.

        ``times_ms`` are the times at which its words were sent, shape (n,).
        """
        to, known = self._streams[stream], len(self._resets)
        entry = _Item(item=item, words=words, seen_s=seen_s, times_ms=times_ms)
        to.waiting.append(entry)
        self._follow(to, entry)
        if len(self._resets) > known:
            self._begin_again()

    def _follow(self, stream: "_Stream[T]", entry: _Item[T]) -> None:
        """Find where in detector time the words of an item stand."""
        words = entry.words
        entry.keys = np.empty(len(words), np.int64)
        if len(words):
            hits = np.flatnonzero(words >> self._head_shift == self._hit_head)
            if len(hits) and entry.times_ms is not None:
                entry.sent_ms = int(entry.times_ms[hits[0]])
                self._resets.align(stream.state, _orbit(words[hits[0]]), entry.sent_ms)
            before = int(stream.state[f.EPOCH])
            f.follow(words, self._head_shift, self._hit_head, stream.state, entry.keys)
            self._resets.note(before, entry.keys, entry.times_ms)
            if entry.times_ms is not None:
                stream.time_ms = int(entry.times_ms[-1])

    def _begin_again(self) -> None:
        """Look again where streams begin that show no reset, now that another one does."""
        self._resets.forget_orbits()
        unsettled = []
        for stream in self._streams:
            if stream.reached > 0 or stream.last >> f.KEY_SHIFT > 0:
                for keys in ([stream.reached], *(item.keys for item in stream.waiting)):
                    self._resets.note_orbits(np.asarray(keys, np.int64))
            else:
                unsettled.append(stream)
        for stream in unsettled:
            stream.state[:] = 0
            for entry in stream.waiting:
                self._follow(stream, entry)

    def release(
        self, unread: Collection[int], ended: Collection[int], before_s: float
    ) -> Released[T] | None:
        """Return what is in order by now, None if nothing is.

        Streams that are ``unread`` have more that is not here yet; those that have ``ended``
        give nothing more. Of the others, something may come that goes before what came less
        long ago than ``before_s``.
        """
        unsure = self._unsure(unread)
        known = [(s, stream) for s, stream in enumerate(self._streams) if s not in unsure]
        hard = min((stream.last for s, stream in known if s in unread), default=_NEVER)
        live = min((stream.last for s, stream in known if s not in ended), default=_NEVER)
        old = max(
            (
                int(item.keys[-1])
                for _, stream in known
                for item in stream.waiting
                if item.seen_s <= before_s and len(item.keys)
            ),
            default=-1,
        )
        return self._upto(min(hard, max(live, old)), unsure)

    def flush(self) -> Released[T] | None:
        """Return all that waits: nothing more comes."""
        return self._upto(_NEVER, ())

    def snapshot(self) -> dict[str, Any]:
        """Return, as plain JSON values, where the streams stand with what was released."""
        return {"reached": [s.reached for s in self._streams], "resets": self._resets.snapshot()}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Go on where :meth:`snapshot` was taken."""
        for stream, reached in zip(self._streams, saved["reached"], strict=True):
            stream.reached = reached
            if reached >= 0:
                mark = reached & ((1 << f.KEY_SHIFT) - 1)
                stream.state[[f.EPOCH, f.MARK, f.LAST]] = reached >> f.KEY_SHIFT, mark, mark
                stream.state[f.STARTED] = 1
        self._resets = _Resets(saved["resets"])

    def _unsure(self, unread: Collection[int]) -> set[int]:
        """Return the streams that may begin after a reset which no stream has shown yet.

        They begin far from where the others are, with words that were sent after all that is
        known of some of them.
        """
        sure, begin = [], []
        for number, stream in enumerate(self._streams):
            if stream.beginning is None:
                sure.append(number)
            else:
                begin.append((*stream.beginning, number))
        for sent_ms, key, number in sorted(begin):
            others = [s for s in unread if s != number and self._streams[s].time_ms < sent_ms]
            begun = [self._streams[s] for s in sure]
            if not (others and begun) or any(other.is_near(key) for other in begun):
                sure.append(number)
        return set(range(len(self._streams))) - set(sure)

    def _upto(self, limit: int, unsure: Collection[int]) -> Released[T] | None:
        taken: list[Taken[T]] = []
        words: list[Words] = []
        keys: list[IntArray] = []
        sizes: list[int] = []
        for number, stream in enumerate(self._streams):
            before = len(words)
            while stream.waiting and number not in unsure:
                item = stream.waiting[0]
                end = max(item.at, int(np.searchsorted(item.keys, limit, side="right")))
                if end > item.at:
                    words.append(item.words[item.at : end])
                    keys.append(item.keys[item.at : end])
                    stream.reached = int(item.keys[end - 1])
                whole = end == len(item.words)
                if whole or end > item.at:
                    taken.append(Taken(stream=number, item=item.item, words=end, whole=whole))
                item.at = end
                if not whole:
                    break
                stream.waiting.popleft()
            sizes.append(sum(map(len, words[before:])))
        if not taken:
            return None
        order = np.argsort(np.concatenate([_NO_KEYS, *keys]), kind="stable")
        numbers = np.arange(self._first, self._first + len(sizes), dtype=np.uint16)
        return Released(
            words=np.concatenate([_NO_WORDS, *words])[order],
            streams=StreamNumbers(
                of_word=np.repeat(numbers, sizes)[order], count=self._first + len(sizes)
            ),
            taken=taken,
        )


def _orbit(word: np.uint64) -> int:
    return int(word) >> 17 & 0xFFFFFFFF


class _Resets:
    """When the orbit counter was reset, and which orbits there were between.

    A stream that has no word between two resets, or begins late, shows no step back. Time
    stamps of several producers may differ, so they only say which resets may come into
    question; the orbit decides to which side it is closer.
    """

    def __init__(self, saved: Sequence[Sequence[int]] = ()) -> None:
        self._rows = [list(row) for row in saved]
        """For each number of resets: first time stamp after it (ms), lowest and highest orbit."""

    def __len__(self) -> int:
        return len(self._rows)

    def snapshot(self) -> list[list[int]]:
        return [list(row) for row in self._rows]

    def align(self, state: IntArray, orbit: int, time_ms: int) -> None:
        """Move the clock of a stream past the resets that it cannot have seen."""
        epoch = int(state[f.EPOCH])
        later = [
            n for n in range(epoch + 1, len(self._rows)) if time_ms >= self._rows[n][0] - _SKEW_MS
        ]
        if later:
            surely = [n for n in later if time_ms > self._rows[n][0]]
            order = [*reversed(surely), epoch, *later]
            best = min(order, key=lambda number: self._distance(number, orbit))
            if best > epoch:
                state[:] = 0
                state[f.EPOCH] = best

    def note(self, before: int, keys: IntArray, times_ms: IntArray | None) -> None:
        """Enter where words stand whose stream was at ``before`` resets."""
        for number, begin in self.note_orbits(keys):
            if number > before and times_ms is not None:
                self._rows[number][0] = min(self._rows[number][0], int(times_ms[begin]))

    def note_orbits(self, keys: IntArray) -> list[tuple[int, int]]:
        """Enter the orbits of words; return each number of resets, and where it begins."""
        none = int(np.searchsorted(keys, 0, side="right"))
        numbers, first = np.unique(keys[none:] >> f.KEY_SHIFT, return_index=True)
        found = list(zip(numbers.tolist(), (first + none).tolist(), strict=True))
        last = np.append(first[1:] + none, len(keys))[: len(found)] - 1
        for (number, begin), end in zip(found, last.tolist(), strict=True):
            low, high = (int(keys[i]) & ((1 << f.KEY_SHIFT) - 1) for i in (begin, end))
            while len(self._rows) <= number:
                self._rows.append([_NEVER, _NEVER, -1])
            row = self._rows[number]
            row[1:] = min(row[1], low), max(row[2], high)
        return found

    def forget_orbits(self) -> None:
        """Forget which orbits there were; not when."""
        for row in self._rows:
            row[1:] = _NEVER, -1

    def _distance(self, number: int, orbit: int) -> int:
        _, low, high = self._rows[number]
        return max(low - orbit, orbit - high, 0)
