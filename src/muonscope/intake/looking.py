"""A look at files before they are read, and what follows from it: which are read, and how.

Reads the ends of files and, where these are not enough, more of some; decides nothing by itself.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any, BinaryIO

from muonscope.detector import Readout
from muonscope.errors import FormatError
from muonscope.events import Event, EventKind, Tell, ignore
from muonscope.intake.file_facts import END_BYTES, FileFacts, facts_of, with_words
from muonscope.intake.overlap import joined_words
from muonscope.intake.survey import Arrangement, arrange
from muonscope.transports.base import Ends, FileSet, Turn
from muonscope.transports.files import shown
from muonscope.words.binary import TRANSFER_WORDS
from muonscope.words.compression import Decompressor, compression_of
from muonscope.words.decode import StreamDecoder, decode, fresh_state
from muonscope.words.detect import PARQUET_MAGIC
from muonscope.words.layout import Words
from muonscope.words.parquet import parquet_ends

__all__ = ["Looker", "Once", "surveyed", "tell_some"]

_END_WORDS = 1 << 11
_WHOLE_BYTES = 8 << 20
"""Raw bytes of compressed files that are read to their ends for these, in all."""

_CHUNK_BYTES = 1 << 16
_PIECE_BYTES = 1 << 18
"""Compressed bytes that give a whole block of zstd: 128 KiB, decompressed."""

_MAGIC_BYTES = 8
_BINARY = frozenset({"dat", "dat129"})
_TOLD = 20

Opener = Callable[[str], BinaryIO]


@dataclass(frozen=True, slots=True, kw_only=True)
class Once:
    """The wish that each word is counted once."""

    readout: Readout
    """What words look like."""
    tell: Tell = ignore
    """Who is told of what is not read."""


def surveyed(source: FileSet, once: Once) -> None:
    """Look at the files of ``source`` and have each word in them read once."""
    ends = source.ends(END_BYTES)
    if len(ends) < 2:
        return
    looker = Looker(source.open, once.readout)
    facts = looker.facts(ends)
    found = arrange(facts, looker.words)
    source.take(looker.turns(found))
    tell_some(found.events, once.tell)


def tell_some(events: Sequence[Event], tell: Tell) -> None:
    """Tell of ``events``, of many the first ones and the number of the others."""
    for event in events[:_TOLD]:
        tell(event)
    if len(events) > _TOLD:
        tell(Event(kind=EventKind.MORE_FILES, numbers={"files": len(events) - _TOLD}))


class Looker:
    """Looks at files, through something that opens them by their names."""

    def __init__(self, opener: Opener, readout: Readout) -> None:
        """Expect words of ``readout``."""
        self._open, self._readout = opener, readout

    def facts(self, ends: Sequence[Ends]) -> list[FileFacts]:
        """Return what the ends of files tell, and more of those whose ends are hard to read."""
        labels = _labels([end.name for end in ends])
        facts = [
            replace(self.facts_of(end), label=label)
            for end, label in zip(ends, labels, strict=True)
        ]
        left = _WHOLE_BYTES
        for i in sorted(range(len(facts)), key=lambda i: facts[i].size):
            one = facts[i]
            if one.compression and one.words is None and one.size <= left:
                left -= one.size
                facts[i] = self._read_through(one)
        return facts

    def _read_through(self, facts: FileFacts) -> FileFacts:
        """Return what all of a file tells; what is known already of one that is too long."""
        last, count = facts.first[:0], 0
        for words in self.words(facts.name):
            last, count = joined_words([last, words])[-_END_WORDS:], count + len(words)
            if count > _WHOLE_BYTES:  # a few bytes may be unpacked to gigabytes
                return facts
        return with_words(facts, facts.first, last, self._readout, count)

    def facts_of(self, ends: Ends, *, grows: bool = False) -> FileFacts:
        """Return what the ends of a file tell, which may grow."""
        if not ends.first.startswith(PARQUET_MAGIC):
            facts = facts_of(
                ends.name, ends.size, ends.first, ends.last, self._readout, grows=grows
            )
            if facts.compression and not len(facts.first):
                facts = self._unpacked(facts)
            return replace(facts, stream=ends.stream)
        facts = FileFacts(
            name=ends.name, size=ends.size, format="parquet", stream=ends.stream, grows=grows
        )
        with suppress(Exception), self._open(ends.name) as file:  # who reads it finds out why
            first, last, rows = parquet_ends(file, self._readout, _END_WORDS)
            return with_words(facts, first, last, self._readout, rows)
        return facts

    def _unpacked(self, facts: FileFacts) -> FileFacts:
        """Return what the first words of a file tell that gives none before a larger piece."""
        with suppress(Exception), self._open(facts.name) as file:  # who reads it finds out why
            decoder = StreamDecoder(self._readout)
            for decoded in decode(file, decoder, _PIECE_BYTES):
                if len(decoded.words):
                    form = decoder.guess.format if decoder.guess else facts.format
                    about = len(decoded.words) * facts.size / min(file.tell(), facts.size)
                    known = replace(facts, format=form, about=about)
                    first = decoded.words[:_END_WORDS]
                    return with_words(known, first, first[:0], self._readout, None)
        return facts

    def words(self, name: str) -> Iterator[Words]:
        """Yield all words of a file; of one that cannot be read, those before that."""
        with suppress(Exception), self._open(name) as file:  # who reads it finds out why
            for decoded in decode(file, StreamDecoder(self._readout)):
                yield decoded.words

    def turns(self, found: Arrangement) -> list[Turn]:
        """Return how files are read."""
        turns = []
        for number, names in enumerate(found.streams):
            for name in names:
                state = self.state_after(name, found.after.get(name, 0))
                restart = 0 if not state or state["compression"] else state["position"]
                turns.append(Turn(name=name, stream=number, restart=restart, resume=state))
        return turns

    def state_after(self, name: str, n: int) -> Mapping[str, Any]:
        """Return the state of a decoder that has given the first ``n`` words of a file.

        Nothing where it is read from its start, or cannot be read any more.
        """
        if n:
            with suppress(Exception), self._open(name) as file:  # who reads it finds out why
                return _state_after(file, n, self._readout)
        return {}

    def state_at(self, name: str, position: int) -> Mapping[str, Any]:
        """Return the state of a decoder that was fed so many raw bytes of a file."""
        with self._open(name) as file:
            return _state_at(file, position, self._readout)


def _state_at(file: BinaryIO, position: int, readout: Readout) -> Mapping[str, Any]:
    """Return the state of a decoder that was fed the first ``position`` raw bytes of a file."""
    decoder = StreamDecoder(readout)
    while position and (data := file.read(min(position, _CHUNK_BYTES))):
        position -= len(data)
        decoder.feed(data)
    return decoder.state()


def _state_after(file: BinaryIO, n: int, readout: Readout) -> Mapping[str, Any]:
    """Return the state of a decoder that has given the first ``n`` words of a file."""
    compression = compression_of(file.read(_MAGIC_BYTES))
    file.seek(0)
    chunks = _plain(file, compression)
    rest = next(chunks, b"")
    probe = StreamDecoder(readout)
    probe.feed(rest)
    probe.finish()
    form = probe.guess.format if probe.guess else ""
    if form in _BINARY:
        return _entered_binary(form, rest, chunks, n, readout) | {"compression": compression}
    state, given, more = fresh_state(form, None, readout), 0, rest
    while more:
        decoder = StreamDecoder(readout)
        decoder.resume(state)
        words = len(decoder.feed(rest).words)
        if given + words >= n:
            return {**_entered(state, rest, n - given, readout), "compression": compression}
        given, begin = given + words, int(state["position"])
        state = decoder.state()
        more = next(chunks, b"")
        rest = rest[int(state["position"]) - begin :] + more
    return {}


def _entered_binary(
    form: str, first: bytes, chunks: Iterator[bytes], n: int, readout: Readout
) -> dict[str, Any]:
    """Return the state after ``n`` binary words: they stand in their places, or it is none.

    A decoder of such words waits for those that follow, so it cannot be fed up to one.
    """
    position = 8 * (n + n // TRANSFER_WORDS if form == "dat129" else n)
    decoder, data, left = StreamDecoder(readout), first, position
    decoded = []
    while data and left:
        decoded.append(decoder.feed(data[:left]))
        left -= min(left, len(data))
        data = next(chunks, b"") if left else b""
    decoded.append(decoder.finish())
    if sum(len(some.words) for some in decoded) != n or any(some.rejects for some in decoded):
        raise FormatError("words are missing before those that are known")
    return {"format": form, "position": position, "decoder": {}}


def _entered(state: Mapping[str, Any], data: bytes, n: int, readout: Readout) -> Mapping[str, Any]:
    """Return the state after ``n`` words of ``data``, which holds as many: record by record."""
    decoder = StreamDecoder(readout)
    decoder.resume(state)
    for record in data.splitlines(keepends=True):
        if n <= 0:
            break
        n -= len(decoder.feed(record).words)
    return decoder.state()


def _plain(file: BinaryIO, compression: str | None) -> Iterator[bytes]:
    """Yield what a file holds, decompressed."""
    packed = Decompressor(compression) if compression else None
    while data := file.read(_CHUNK_BYTES):
        yield from packed.feed(data) if packed else [data]
    if packed:
        yield from packed.finish()


def _labels(names: Sequence[str]) -> list[str]:
    """Return names for people: without the folders that all have in common."""
    paths = [PurePath(name) for name in names]
    common = 0
    parents = [path.parts[:-1] for path in paths]
    for parts in zip(*parents, strict=False):
        if len(set(parts)) > 1:
            break
        common += 1
    return [shown(str(PurePath(*path.parts[common:]))) for path in paths]
