"""Files of streams that run side by side: read abreast, their words in one order.

Boards that write files of their own, part files: each stream is in order, and nothing is
promised between them. The stream that is furthest behind is read, the others are held, so
that what waits is about a piece of each. Streams that grow are waited for a moment.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np

from muonscope.detector import Readout
from muonscope.intake.batch import Checkpoint, Position, WordBatch, WordSource
from muonscope.intake.checkpoints import Checkpoints
from muonscope.intake.streams import StreamIntake, StreamPosition
from muonscope.stream.abreast import Abreast, Released
from muonscope.stream.side_by_side import StreamNumbers
from muonscope.transports.base import ByteSource

__all__ = ["FileEnding", "SideBySideIntake", "SideBySideSource", "intake_of"]

_PATIENCE_S = 2.0
"""How long a stream that grows is waited for when it has nothing new, s."""


@runtime_checkable
class SideBySideSource(ByteSource, Protocol):
    """A source that knows of streams that run side by side."""

    @property
    def streams(self) -> int:
        """Number of streams, as far as they are known."""


@dataclass(slots=True, kw_only=True)
class _Waiting:
    """A batch some words of which wait."""

    batch: WordBatch
    begin: StreamPosition
    """Where its stream stood before it."""
    before: int = 0
    """Words at its beginning that an earlier run took."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEnding:
    """When the reading of files ends, and whether they may go on all the same."""

    stop: Callable[[], bool] = lambda: False
    """Whether it is to stop; asked after each piece."""
    grows: bool = False
    """Whether streams that have ended may go on."""


class SideBySideIntake:
    """Puts the words of a :class:`StreamIntake` whose source has several streams in one order.

    As long as there is only one, it gives the batches as they are.
    """

    def __init__(
        self,
        inner: StreamIntake,
        source: SideBySideSource,
        readout: Readout,
        ending: FileEnding,
        *,
        checkpoints: Checkpoints,
        taken: Mapping[str, int] | None = None,
    ) -> None:
        """Wrap ``inner``, which reads ``source``; ``checkpoints`` gives the time.

        ``taken`` says of streams how many of their words to leave out at first.
        """
        self._inner, self._source, self._ending = inner, source, ending
        self._checkpoints = checkpoints
        self._left = dict(taken or {})
        self._positions: dict[str, StreamPosition] = {}
        self._abreast: Abreast[_Waiting] = Abreast(readout, 0)
        self._exhausted: set[int] = set()
        self._due = Checkpoint.NO

    def batches(self) -> Iterator[WordBatch]:
        """Yield all words, each stream's in order."""
        for given in self._inner.batches():
            batch, skipped = self._continued(given)
            position = batch.positions.get(batch.stream)
            if self._source.streams <= 1 and not self._abreast.count:
                self._note(batch.stream, position)
                yield batch
                continue
            self._abreast.expect(self._source.streams)
            if self._inner.closing:
                yield from self._given(self._abreast.flush())
                yield self._with_streams(batch)
                continue
            self._due = max(self._due, batch.checkpoint)
            if isinstance(position, StreamPosition):
                self._push(batch, position, skipped)
            elif batch.stream or batch.taken_back:
                yield replace(batch, checkpoint=Checkpoint.NO)
            else:
                self._rest()
                yield batch  # a sign of life
            yield from self._given(self._ready())
            self._hold()
        if not (self._ending.stop() and self._checkpoints.wanted):
            yield from self._given(self._abreast.flush())

    def _continued(self, batch: WordBatch) -> tuple[WordBatch, int]:
        """Return a batch without the words that an earlier run took, and how many these are."""
        key = batch.stream
        left, position = self._left.get(key, 0), batch.positions.get(key)
        if not left or not isinstance(position, StreamPosition):
            return batch, 0
        skipped = min(left, len(batch.words))
        self._left[key] = left - skipped
        position = replace(position, taken=left - skipped)
        return replace(batch, words=batch.words[skipped:], positions={key: position}), skipped

    def _note(self, key: str, position: Position | None) -> None:
        if isinstance(position, StreamPosition):
            self._positions[key] = position

    def _push(self, batch: WordBatch, position: StreamPosition, skipped: int) -> None:
        key, number = batch.stream, position.file.stream
        begin = self._positions.get(key) or self._inner.begins_at(key)
        self._note(key, position)
        self._exhausted.discard(number)
        entry = _Waiting(batch=batch, begin=begin, before=skipped)
        self._abreast.push(number, batch.words, entry, self._checkpoints.clock())

    def _with_streams(self, batch: WordBatch) -> WordBatch:
        """Return a batch that comes at the end with the number of its stream."""
        position = batch.positions.get(batch.stream)
        number = position.file.stream if isinstance(position, StreamPosition) else 0
        of_word = np.full(len(batch.words), number, np.uint16)
        return replace(batch, streams=StreamNumbers(of_word=of_word, count=self._abreast.count))

    def _ready(self) -> Released[_Waiting] | None:
        unread = set(range(self._abreast.count)) - self._exhausted
        if self._ending.grows:
            before_s = self._checkpoints.clock() - _PATIENCE_S
            return self._abreast.release(unread, (), before_s)
        return self._abreast.release(unread, self._exhausted, -1.0)

    def _rest(self) -> None:
        """Note that the stream which is not held has nothing more, for now or for ever."""
        behind = self._abreast.furthest_behind(self._exhausted)
        if behind is not None:
            self._exhausted.add(behind)

    def _hold(self) -> None:
        """Hold the streams that are ahead of the one that is furthest behind.

        Those that had nothing more may get something at any time.
        """
        behind = self._abreast.furthest_behind(self._exhausted)
        ahead = set(range(self._abreast.count)) - self._exhausted - {behind}
        self._source.hold(sorted(ahead) if behind is not None else ())

    def _given(self, released: Released[_Waiting] | None) -> Iterator[WordBatch]:
        """Yield the words, with the positions and rejects of batches that are done."""
        if released is None:
            return
        none = released.words[:0]
        for taken in released.taken:
            entry = taken.item
            key = entry.batch.stream
            if taken.whole:
                yield replace(entry.batch, words=none, checkpoint=Checkpoint.NO)
            else:
                part = replace(entry.begin, taken=entry.before + taken.words)
                yield WordBatch(stream=key, positions={key: part})
        due, self._due = self._due, Checkpoint.NO
        yield WordBatch(words=released.words, streams=released.streams, checkpoint=due)


def intake_of(
    source: ByteSource,
    readout: Readout,
    *,
    positions: Mapping[str, StreamPosition] | None = None,
    checkpoints: Checkpoints | None = None,
    ending: FileEnding | None = None,
) -> WordSource:
    """Return the words of ``source``, going on from ``positions``.

    Where it knows of streams that run side by side, they are read abreast.
    """
    ending = ending or FileEnding()
    checkpoints = checkpoints or Checkpoints(time.monotonic, wanted=False)
    inner = StreamIntake(
        source, readout, positions=positions, stop=ending.stop, checkpoints=checkpoints,
        grows=ending.grows,
    )  # fmt: skip
    if not isinstance(source, SideBySideSource):
        return inner
    taken = {key: position.taken for key, position in (positions or {}).items()}
    return SideBySideIntake(inner, source, readout, ending, checkpoints=checkpoints, taken=taken)
