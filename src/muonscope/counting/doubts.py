"""Doubts: the events which say in words that much of what came is not in the results.

A loss is doubtful from 1 % of the words, rows or bytes on, where at least 100 words or rows
came: a single bad row in a short file is told by the account alone. Two things are doubtful
at any size: a compressed stream that is damaged, because nobody knows how much was in it, and
more epochs than files that begin with a stale buffer have. Nothing here changes a count.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from muonscope.counting.fitting import Fit, better_for_rejects, better_for_words
from muonscope.counting.summary import Summary
from muonscope.counting.window_spec import Note, NoteKind, WindowSpec
from muonscope.counting.word_classes import Timeless, class_table
from muonscope.detector import Detector
from muonscope.events import Event, EventKind
from muonscope.units import BX_PER_ORBIT, ORBIT_S, orbits_in
from muonscope.words.layout import Words
from muonscope.words.rejects import RejectCode, Rejects

__all__ = ["Counts", "Doubter", "Tally", "doubts_of", "nothing_decoded", "remedy_for"]

LEAST_SHARE = 0.01
"""Part of what came from which on a loss is doubtful."""

LEAST_WORDS = 100
"""Words and rejects that must have come for a part of them to mean anything."""

STRETCH_WORDS = 10_000
"""Words of a stretch that is looked at while a run goes on."""

_FEW_EPOCHS = 5
"""Epochs that nobody wonders about: a stale buffer, and some resets."""

_EPOCHS_PER_STREAM = 2
"""A file of its own may begin with a stale buffer, and then with its own counter."""

_SAMPLE_WORDS = 2048
_RAW_FORMATS = frozenset({"dat", "dat129", "block"})
_WORD_BYTES = 8
_CELL, _SPECIAL = 0, 1 + len(Timeless)
"""Sorts of words of a tally: cells, 1 + :class:`Timeless`, scintillators and triggers."""
_SLICE_WORDS = 1 << 15
"""Words that are tallied at once: what is made of them stays in the cache."""
_BX_MASK, _BX_LIMIT = np.uint64(4095 << 5), np.uint64(BX_PER_ORBIT << 5)

_LOST_WORDS = (
    (EventKind.MANY_UNMAPPED, Timeless.UNMAPPED),
    (EventKind.MANY_BAD_HEADS, Timeless.INVALID_HEAD),
    (EventKind.MANY_BAD_BX, Timeless.INVALID_BX),
    (EventKind.MANY_BAD_ORBITS, Timeless.INVALID_ORBIT),
    (EventKind.MANY_LATE, Timeless.LATE),
)
_OF_THE_DETECTOR = frozenset(
    {EventKind.MANY_UNMAPPED, EventKind.MANY_BAD_HEADS, EventKind.NO_HITS}
)  # fmt: skip
"""Doubts for which another detector may be the remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """The numbers of a run, or of a stretch of it, that doubts follow from."""

    words: int
    """Words that were counted; those in open windows are not."""
    hits: int
    others: Mapping[Timeless, int] = field(default_factory=dict)
    """Words without a usable time, by kind."""
    bytes_in: int = 0
    bytes_rejected: int = 0
    rejects: Mapping[str, int] = field(default_factory=dict)
    """Rejects by the name of their code."""
    epochs: int = 0
    """Of the whole run."""
    streams: int = 1
    """Files or other streams that the run has begun."""

    @classmethod
    def of(cls, summary: Summary) -> "Counts":
        """Return the counts of words in ``summary``."""
        others = zip(Timeless, summary.other_words.tolist(), strict=True)
        words = int(summary.class_words.sum() + summary.other_words.sum())
        return cls(words=words, hits=summary.total_hits, others=dict(others))

    def with_waiting(self, waiting: Sequence[int]) -> "Counts":
        """Return the counts with words per :class:`Timeless` that no window has got yet."""
        waits = zip(Timeless, waiting, strict=True)
        others = {kind: self.others.get(kind, 0) + n for kind, n in waits}
        return replace(self, words=self.words + sum(waiting), others=others)

    def since(self, before: "Counts") -> "Counts":
        """Return what has come since ``before``."""
        return replace(
            self,
            words=self.words - before.words,
            hits=self.hits - before.hits,
            others={kind: n - before.others.get(kind, 0) for kind, n in self.others.items()},
            bytes_in=self.bytes_in - before.bytes_in,
            bytes_rejected=self.bytes_rejected - before.bytes_rejected,
            rejects={code: n - before.rejects.get(code, 0) for code, n in self.rejects.items()},
        )


def doubts_of(counts: Counts, detector: str) -> list[Event]:
    """Return what is doubtful in ``counts``, the largest loss of words first.

    ``detector`` is the name of the one whose channels were looked up.
    """
    words = sorted(_of_words(counts, detector), key=lambda e: -e.numbers["found"])
    return [*words, *_of_hits(counts, detector, words), *_of_rejects(counts), *_of_epochs(counts)]


def nothing_decoded(rejects: Rejects) -> str:
    """Return why nothing of a source could be decoded, and the detector that reads it."""
    first = f"; first: {rejects.examples[0]}" if rejects.examples else ""
    return f"nothing could be decoded{remedy_for(rejects)}{first}"


def remedy_for(rejects: Rejects) -> str:
    """Return the end of a sentence that names the detector which reads ``rejects``, if one does."""
    fit = better_for_rejects(rejects.examples)
    return f"; detector {fit.name} reads it: use --detector {fit.name}" if fit else ""


def _of_words(counts: Counts, detector: str) -> Iterable[Event]:
    for kind, timeless in _LOST_WORDS:
        found = counts.others.get(timeless, 0)
        if counts.words >= LEAST_WORDS and found >= LEAST_SHARE * counts.words:
            numbers = {"found": found, "of": counts.words}
            yield Event(kind=kind, where=detector, numbers=numbers)


def _of_hits(counts: Counts, detector: str, others: list[Event]) -> Iterable[Event]:
    """Tell that there is no hit, where no other doubt says why."""
    if counts.words >= LEAST_WORDS and not counts.hits and not others:
        yield Event(kind=EventKind.NO_HITS, where=detector, numbers={"of": counts.words})


def _of_rejects(counts: Counts) -> Iterable[Event]:
    rejects = {code: n for code, n in counts.rejects.items() if n > 0}
    if damaged := rejects.pop(RejectCode.BAD_COMPRESSION.name, 0):
        yield Event(kind=EventKind.DAMAGED_COMPRESSION, numbers={"found": damaged})
    pieces = sum(rejects.values())
    enough = (
        counts.words + pieces >= LEAST_WORDS
        or counts.bytes_rejected >= LEAST_WORDS * _WORD_BYTES
    )  # fmt: skip
    # Rows of Parquet are rejected without a length.
    by_bytes = counts.bytes_rejected / max(1, counts.bytes_in)
    share = min(1.0, max(by_bytes, pieces / max(1, counts.words + pieces)))
    if pieces and enough and share >= LEAST_SHARE:
        most = max(rejects, key=lambda code: rejects[code])
        numbers = {"found": pieces, "share": share}
        yield Event(kind=EventKind.MANY_REJECTED, where=most, numbers=numbers)


def _of_epochs(counts: Counts) -> Iterable[Event]:
    if counts.epochs > max(_FEW_EPOCHS, _EPOCHS_PER_STREAM * counts.streams):
        numbers = {"found": counts.epochs, "of": counts.streams}
        yield Event(kind=EventKind.MANY_EPOCHS, numbers=numbers)


class Tally:
    """Counts words by kind where they are not counted in windows; late ones it cannot know."""

    def __init__(self, detector: Detector) -> None:
        """Begin without words of ``detector``."""
        table = class_table(detector)
        is_cell = (table.classes & 0xFFFF) < table.n_cells
        self._sorts = np.where((table.kind == 0) & ~is_cell, _SPECIAL, table.kind)
        self._counts = np.zeros(_SPECIAL + 1, np.int64)

    def take(self, words: Words) -> None:
        """Count ``words``, shape (n,)."""
        for at in range(0, len(words), _SLICE_WORDS):
            some = words[at : at + _SLICE_WORDS]
            sorts = self._sorts[(some >> np.uint64(49)).view(np.int64)]
            beyond = sorts[some & _BX_MASK >= _BX_LIMIT]
            bad = np.bincount(beyond, minlength=_SPECIAL + 1)[[_CELL, _SPECIAL]]
            self._counts += np.bincount(sorts, minlength=_SPECIAL + 1)
            self._counts[[_CELL, _SPECIAL]] -= bad
            self._counts[1 + Timeless.INVALID_BX] += bad.sum()

    def counts(self) -> Counts:
        """Return the counts of all words taken."""
        others = dict(zip(Timeless, self._counts[1:_SPECIAL].tolist(), strict=True))
        words, hits = int(self._counts.sum()), int(self._counts[_CELL])
        return Counts(words=words, hits=hits, others=others)


class Doubter:
    """Finds doubts while a run goes on, and at its end; keeps a sample to find the remedy.

    What it keeps is bounded: some of the first and some of the latest words.
    """

    def __init__(self, detector: Detector, spec: WindowSpec | None = None) -> None:
        """Begin before the first word of a run with ``detector``."""
        self._detector, self._spec = detector, spec or WindowSpec()
        self._first = self._latest = np.empty(0, np.uint64)
        self._packed = True
        self._behind_s = self._back_s = 0.0
        self._before = Counts(words=0, hits=0)
        self._told: dict[EventKind, Event] = {}
        self._fits: dict[EventKind, Fit | None] = {}
        self.doubts: list[Event] = []
        """Doubts that hold now: of all that came, and of the latest stretch."""

    def sample(self, words: Words, format_: str = "") -> None:
        """Keep some of ``words``, shape (n,), which come from data of a format, if it is known."""
        if not len(words):
            return
        self._packed = format_ not in _RAW_FORMATS
        if len(self._first) < _SAMPLE_WORDS:
            missing = words[: _SAMPLE_WORDS - len(self._first)]
            self._first = np.concatenate([self._first, missing])
        self._latest = words[:: len(words) // _SAMPLE_WORDS + 1].copy()

    def note(self, notes: Iterable[Note], orbit: int | None) -> None:
        """Take note of how late words were; ``orbit`` is that of the lane that is furthest."""
        for note in notes:
            if note.kind is not NoteKind.LATE:
                continue
            if note.before - note.after > orbits_in(self._spec.lateness_s):
                self._back_s = max(self._back_s, (note.before - note.after) * ORBIT_S)
            elif orbit is not None:
                self._behind_s = max(self._behind_s, (orbit - note.after) * ORBIT_S)

    def is_due(self, words: int) -> bool:
        """Tell whether ``words`` in all are enough for another stretch."""
        return words - self._before.words >= STRETCH_WORDS

    def look(self, counts: Counts, rejects: Rejects) -> list[Event]:
        """Return the kinds of doubts that are new; a stretch of words is looked at as a whole.

        ``counts`` are of all that has come so far, and so are ``rejects``.
        """
        stretch = counts.since(self._before)
        if stretch.words < STRETCH_WORDS:
            return []
        self._before = counts
        name, before = self._detector.name, set(self._told)
        found = doubts_of(stretch, name)
        self._told |= {
            doubt.kind: self._remedied(doubt, rejects)
            for doubt in found
            if doubt.kind not in self._told
        }
        new = [doubt for kind, doubt in self._told.items() if kind not in before]
        now = _merged(doubts_of(counts, name), found)
        self.doubts = [self._remedied(doubt, rejects) for doubt in now]
        return new

    def conclude(self, counts: Counts, rejects: Rejects) -> list[Event]:
        """Find all doubts, now that everything has come; return those that ``look`` did not.

        ``doubts`` has them all, those of single stretches included.
        """
        self._fits.clear()
        found = doubts_of(counts, self._detector.name)
        whole = [self._remedied(doubt, rejects) for doubt in found]
        self.doubts = _merged(whole, self._told.values())
        return [doubt for doubt in self.doubts if doubt != self._told.get(doubt.kind)]

    def _remedied(self, doubt: Event, rejects: Rejects) -> Event:
        """Return ``doubt`` with what may help: a detector, or how late words were."""
        if doubt.kind is EventKind.MANY_LATE:
            limits = {"idle_s": self._spec.idle_s, "lateness_s": self._spec.lateness_s}
            found = {"behind_s": self._behind_s, "back_s": self._back_s}
            return replace(doubt, numbers={**doubt.numbers, **limits, **found})
        if doubt.kind not in self._fits:
            self._fits[doubt.kind] = self._fit(doubt, rejects)
        fit = self._fits[doubt.kind]
        if fit is None:
            return doubt
        return replace(doubt, detail=fit.name, numbers={**doubt.numbers, "fit": fit.share})

    def _fit(self, doubt: Event, rejects: Rejects) -> Fit | None:
        if doubt.kind in _OF_THE_DETECTOR:
            words = np.concatenate([self._first, self._latest])
            return better_for_words(words, self._detector, packed=self._packed)
        if doubt.kind is EventKind.MANY_REJECTED:
            return better_for_rejects([*rejects.examples, *rejects.latest])
        return None


def _merged(first: Iterable[Event], others: Iterable[Event]) -> list[Event]:
    """Return ``first``, and those of ``others`` whose kinds are not among them."""
    doubts = list(first)
    kinds = {doubt.kind for doubt in doubts}
    return [*doubts, *(doubt for doubt in others if doubt.kind not in kinds)]
