"""The survey of files before they are read: each word is to be counted once.

Pure: facts of files go in, an arrangement comes out; where facts are not enough, all words of
some files are asked for through an argument. The rules:

* Two files are of the same words where one begins with words of the other
  (:data:`~muonscope.intake.overlap.PROOF_WORDS` different ones in a row), whatever their names,
  formats and compressions.
* If they begin and end with the same words and are as long, one is read: the one begun in an
  earlier run, else the plain one before the compressed one, binary before Parquet before text, the
  shorter name.
* Where ends differ or are not known, all words are compared, up to ``LOOK_BYTES`` in all. A part
  of another file is not read; of a file that begins inside another one and goes on, only what is
  new is read; files that begin alike and then part are both read.
* Files whose orbits overlap by more than :data:`~muonscope.intake.pairs.SKEW_ORBITS` are looked
  for in one another like that.
* What cannot be compared is read, and told, except part files: they overlap by nature.
* The order is that of names; files found to overlap are put in the order of their words.
* Which files run side by side is decided by :mod:`muonscope.intake.boards`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath

from muonscope.events import Event, EventKind
from muonscope.intake.boards import streams_of
from muonscope.intake.file_facts import FORMATS, FileFacts
from muonscope.intake.overlap import (
    Relation,
    begins_alike,
    begins_with,
    joined_words,
    places,
    proof,
    relations,
    together,
)
from muonscope.intake.pairs import Pairs, clusters, is_ordinary
from muonscope.words.layout import Words

__all__ = ["LOOK_BYTES", "Arrangement", "Look", "arrange"]

LOOK_BYTES = 64 << 20
"""Raw bytes of files that are compared word by word, at most, in one survey: about a second."""

_MOST_WORDS = 1 << 24
"""Words that are compared at once, at most: 128 MiB."""

_WHOLE = frozenset({"parquet", "block"})
"""Formats that can only be read from the start."""

_ALIKE, _ALIKE_PACKED = 0.05, 0.3
"""Relative errors of a number of words that is only reckoned from plain or compressed bytes."""

Look = Callable[[str], Iterable[Words]]
"""A function that gives all words of a file by its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrangement:
    """Which files are read, in which order, and what of them."""

    streams: tuple[tuple[str, ...], ...]
    """Names of the files of each stream, in order; the streams run side by side."""
    after: Mapping[str, int] = field(default_factory=dict)
    """Words at the beginning of a file that are read from another one."""
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Files that are not read, each with the one that holds its words."""
    events: tuple[Event, ...] = ()
    """What there is to tell of it."""


def arrange(files: Sequence[FileFacts], look: Look) -> Arrangement:
    """Return how ``files`` are read so that each word is counted once.

    ``files`` are in order of their names; ``look`` is asked for the words of no more than
    ``LOOK_BYTES`` of them.
    """
    survey = _Survey(files, look)
    survey.find_copies()
    survey.find_overlaps()
    kept = [survey.facts[name] for name in survey.order if name not in survey.left_out]
    return Arrangement(
        streams=streams_of(kept),
        after=survey.after,
        left_out={name: survey.reader_of(name) for name in survey.left_out},
        events=tuple(survey.events()),
    )


def _rank(facts: FileFacts) -> tuple[bool, bool, int, int]:
    """Return the key by which one of several twins is chosen; the least is read."""
    form = FORMATS.index(facts.format)
    return facts.stream is None, facts.compression is not None, form, len(facts.name)


class _Survey:
    """What was found out so far."""

    def __init__(self, files: Sequence[FileFacts], look: Look) -> None:
        self.facts = {facts.name: facts for facts in files}
        self.order = list(self.facts)
        self.left_out: dict[str, str] = {}
        self.after: dict[str, int] = {}
        self._look, self._left = look, LOOK_BYTES
        self._told: list[tuple[EventKind, str, str, dict[str, float]]] = []
        self._uncompared: set[str] = set()

    def reader_of(self, name: str) -> str:
        """Return the file that is read for the words of ``name``."""
        while name in self.left_out:
            name = self.left_out[name]
        return name

    def events(self) -> Iterator[Event]:
        """Yield what there is to tell."""
        for kind, name, other, numbers in self._told:
            reader = self.facts[self.reader_of(other)].shown
            yield Event(kind=kind, where=self.facts[name].shown, detail=reader, numbers=numbers)
        if self._uncompared:
            names = [n for n in self.order if n in self._uncompared]
            yield Event(
                kind=EventKind.UNCOMPARED, where=self.facts[names[0]].shown,
                numbers={"files": len(names)},
            )  # fmt: skip

    def find_copies(self) -> None:
        """Leave out what begins and ends like another file and is as long."""
        seen: dict[bytes, list[FileFacts]] = {}
        few: dict[bytes, FileFacts] = {}
        for facts in sorted(self.facts.values(), key=_rank_or_last):
            start = proof(facts.first)
            if not len(start):
                if facts.words and (other := few.setdefault(facts.first.tobytes(), facts)) != facts:
                    self._tell(EventKind.TOO_FEW, facts.name, other.name, words=facts.words)
                continue
            kept = seen.setdefault(start.tobytes(), [])
            twin = next((k for k in kept if _is_twin(k, facts)), None)
            if twin and facts.stream is None:
                self._leave_out(EventKind.COPY, facts.name, twin.name)
            else:
                kept.append(facts)

    def find_overlaps(self) -> None:
        """Find out what other words files have in common, and read those once."""
        pairs = Pairs.of([f for f in self.facts.values() if f.name not in self.left_out])
        found = clusters([*pairs.heads, *pairs.tails, *pairs.doubtful])
        for names in sorted(found, key=self._bytes_of):
            words = self._words_of(names)
            if words is None:
                self._reckon(pairs, set(names))
            else:
                self._compare(words)

    def _bytes_of(self, names: Iterable[str]) -> int:
        return sum(self.facts[name].size for name in names)

    def _words_of(self, names: Sequence[str]) -> dict[str, Words] | None:
        """Return all words of files; None if these are too long to be compared."""
        size = self._bytes_of(names)
        if size > self._left:
            return None
        self._left -= size
        words, room = {}, _MOST_WORDS
        for name in names:
            parts = []
            for part in self._look(name):
                parts.append(part)
                room -= len(part)
                if room < 0:  # a few bytes may be unpacked to gigabytes
                    return None
            words[name] = joined_words(parts)
        return words

    def _compare(self, words: Mapping[str, Words]) -> None:
        """Compare files word by word."""
        found = relations(words)
        placed = places(list(words), found)
        kept = [name for name in words if self.facts[name].stream is not None]
        free = [name for name in words if self.facts[name].stream is None]
        free.sort(key=lambda n: (placed[n], -len(words[n]), _rank(self.facts[n])))
        for name in free:
            if self._take(name, kept, words, found):
                kept.append(name)
        for related in clusters(found):
            self._put_in_order([name for name in related if name in kept], placed)

    def _take(
        self, name: str, kept: Sequence[str], words: Mapping[str, Words], found: list[Relation]
    ) -> bool:
        """Decide what of a file is read besides those that are kept; tell whether anything is."""
        mine, after, before = words[name], 0, ""
        for relation in found:
            outer, at = relation.outer, relation.at
            if relation.inner == name and outer in kept:
                common = together(words[outer][at:], mine)
                if common.second == len(mine):
                    same = at == 0 and common.first == len(words[outer])
                    kind = EventKind.COPY if same else EventKind.PART
                    lost = common.lost_second
                    self._leave_out(kind, name, outer, words=len(mine), lost=lost)
                    return False
                if at + common.first < len(words[outer]):
                    self._tell(EventKind.ALIKE, name, outer, words=common.second)
                elif common.second > after:
                    after, before = common.second, outer
            elif outer == name and at and relation.inner in kept:
                self._tell(EventKind.PERHAPS_TWICE, name, relation.inner)
        if after:
            self._begin_after(name, after, before)
        return True

    def _begin_after(self, name: str, n: int, other: str) -> None:
        """Leave out the first words of a file, if it can be entered behind them."""
        if self.facts[name].format in _WHOLE:
            self._tell(EventKind.READ_TWICE, name, other, words=n)
            return
        self.after[name] = max(n, self.after.get(name, 0))
        self._tell(EventKind.OVERLAP, name, other, words=n)

    def _put_in_order(self, names: Sequence[str], placed: Mapping[str, int]) -> None:
        """Put files that overlap in the order of their words, where they stand in the list."""
        stand = sorted(self.order.index(name) for name in names)
        for at, name in zip(stand, sorted(names, key=lambda n: placed[n]), strict=True):
            self.order[at] = name

    def _reckon(self, pairs: Pairs, names: set[str]) -> None:
        """Decide from the ends of files that are too long to be compared."""
        for pair in pairs.heads:
            if pair.inner in names and not {pair.inner, pair.outer} & self.left_out.keys():
                self._reckon_head(self.facts[pair.outer], self.facts[pair.inner])
        for pair in pairs.tails:
            if pair.inner in names and not {pair.inner, pair.outer} & self.left_out.keys():
                self._reckon_tail(self.facts[pair.outer], pair.at, self.facts[pair.inner])
        for pair in pairs.doubtful:
            outer, inner = self.facts[pair.outer], self.facts[pair.inner]
            if inner.name in names and not is_ordinary(outer, inner):
                self._uncompared |= {outer.name, inner.name}

    def _reckon_head(self, outer: FileFacts, inner: FileFacts) -> None:
        first, second = sorted((outer, inner), key=_rank)
        if second.stream is None and _names_agree(outer, inner) and _as_long(outer, inner):
            self._leave_out(EventKind.COPY, second.name, first.name)
        else:
            self._tell(EventKind.PERHAPS_TWICE, second.name, first.name)

    def _reckon_tail(self, outer: FileFacts, at: int, inner: FileFacts) -> None:
        overlap = outer.last[at:]
        common = together(overlap, inner.first)
        if common.first == len(overlap) and inner.stream is None:
            self._begin_after(inner.name, common.second, outer.name)
        else:
            self._tell(EventKind.PERHAPS_TWICE, inner.name, outer.name)

    def _leave_out(self, kind: EventKind, name: str, other: str, **numbers: float) -> None:
        self.left_out[name] = other
        self._tell(kind, name, other, **numbers)

    def _tell(self, kind: EventKind, name: str, other: str, **numbers: float) -> None:
        self._told.append((kind, name, other, numbers))


def _rank_or_last(facts: FileFacts) -> tuple[bool, bool, int, int]:
    return _rank(facts) if facts.format in FORMATS else (True, True, len(FORMATS), 0)


def _is_twin(a: FileFacts, b: FileFacts) -> bool:
    """Tell whether the ends of two files say that they hold the same words."""
    n = min(len(a.last), len(b.last))
    if not begins_alike(a.first, b.first) or not _as_long(a, b):
        return False
    counted = a.words is not None and a.words == b.words
    if not n:
        return counted
    tails = a.last[-n:], b.last[-n:]
    return begins_with(*tails) and (counted or len(proof(tails[0])) > 0)


def _as_long(a: FileFacts, b: FileFacts) -> bool:
    if a.words is not None and b.words is not None:
        return a.words == b.words
    most = _ALIKE_PACKED if a.compression or b.compression else _ALIKE
    return abs(a.about - b.about) <= most * max(a.about, b.about)


def _names_agree(a: FileFacts, b: FileFacts) -> bool:
    paths = PurePath(a.name), PurePath(b.name)
    stems = {path.name.partition(".")[0] for path in paths}
    return paths[0].parent == paths[1].parent and len(stems) == 1
