"""A run in an archive, read: its total, its windows, its trends, its verdicts.

What is not sealed yet is read from the journals, while another process may write them.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import chain
from typing import Any

import pyarrow as pa
from msgspec.structs import asdict

from muonscope.archiving.catalogue import Catalogue, PartFacts, stamp_of
from muonscope.archiving.folders import Part, RunFolder
from muonscope.archiving.journal import Kept, read_journal
from muonscope.archiving.minutes_file import (
    MINUTE_KEYS,
    hours_of,
    is_of_others,
    minutes_table,
    read_minutes,
)
from muonscope.archiving.run_file import ChangeRecord, RunFile
from muonscope.archiving.trend import TREND_COLUMNS, trend_table
from muonscope.archiving.windows_file import Piece, SealedWindows
from muonscope.archiving.windows_table import windows_table
from muonscope.counting.block import Block
from muonscope.counting.summary import Summary, merged
from muonscope.detector import Detector
from muonscope.errors import FormatError, OptionError
from muonscope.quality.verdict import State
from muonscope.results.good_list import GoodList, Range
from muonscope.results.history import counter_names
from muonscope.units import ORBIT_S, seconds

__all__ = ["ArchivedRun"]


class ArchivedRun:
    """A run that was, or is being, archived."""

    def __init__(
        self, folder: RunFolder, about: RunFile, catalogue: Catalogue, *, whole: bool = True
    ) -> None:
        """Look at a run that ``catalogue`` knows; unless ``whole``, leave out what is damaged.

        Raises
        ------
        DetectorError
            If the description of its detector is damaged.
        """
        self.folder, self.about = folder, about
        self.detector: Detector = about.read_detector(folder.about)
        self.blocks: tuple[Block, ...] = tuple(about.blocks)
        self._catalogue, self._whole = catalogue, whole
        self.left_out: dict[Part, str] = {}
        """The hours that are damaged and were left out, and what is wrong with them."""
        self._seen: (
            tuple[dict[Part, str], tuple[dict[Part, PartFacts], list[SealedWindows]]] | None
        ) = None

    @property
    def name(self) -> str:
        """Its name."""
        return self.about.run

    @property
    def parts(self) -> dict[Part, PartFacts]:
        """The sealed parts, in their order.

        Raises
        ------
        FormatError
            If one is damaged.
        """
        return self._as_it_is[0]

    @property
    def open_windows(self) -> list[SealedWindows]:
        """The windows that are not sealed yet, part by part.

        Raises
        ------
        FormatError
            If a journal is damaged.
        """
        return self._as_it_is[1]

    @property
    def _as_it_is(self) -> tuple[dict[Part, PartFacts], list[SealedWindows]]:
        """Sealed parts and open windows of one moment; of another once more has been sealed."""
        stamps = {part: stamp_of(path) for part, path in self.folder.sealed().items()}
        if self._seen is None or self._seen[0] != stamps:
            self._seen = stamps, self._look()
        return self._seen[1]

    def _look(self) -> tuple[dict[Part, PartFacts], list[SealedWindows]]:
        """Return sealed parts and open windows, while another process may seal.

        Journals are read before the catalogue: a window is in either, and if in both, it is
        left out here. A journal that is gone by then was sealed, or written again.
        """
        while True:
            journals = self.folder.journals()
            try:
                opened = {part: list(chain.from_iterable(map(read_journal, paths)))
                          for part, paths in journals.items()}  # fmt: skip
            except FormatError:
                if self.folder.journals() == journals:
                    raise
                continue
            self._catalogue.refresh(self.folder)
            parts = self._catalogue.parts(self.name)
            for part in self.folder.sealed().keys() - parts.keys():
                try:
                    self._sealed(part)  # which says what is wrong with it
                except FormatError as exc:
                    if self._whole:
                        raise
                    self.left_out[part] = str(exc)
            fresh = (self._fresh(part, windows, parts) for part, windows in opened.items())
            return parts, [some for some in fresh if len(some)]

    def _fresh(
        self, part: Part, windows: Sequence[Kept], parts: Mapping[Part, PartFacts]
    ) -> SealedWindows:
        """Return those of some windows that are not sealed."""
        there, closed = set[tuple[int, int]](), False
        if part in parts:
            sealed = self._sealed(part, ["epoch", "window", "windows"])
            there, closed = set(sealed.places), sealed.is_thinned
        fresh = [window for window in windows if not closed and window.place not in there]
        return SealedWindows(
            windows_table(fresh, self.detector, self.blocks), self.detector, self.blocks
        )

    @property
    def windows(self) -> int:
        """Number of windows."""
        return sum(f.windows for f in self.parts.values()) + sum(map(len, self.open_windows))

    @property
    def last_at(self) -> float:
        """When its newest window came, s since 1970."""
        times = [facts.last_at for facts in self.parts.values()]
        times += [float(some.numbers("at").max()) for some in self.open_windows]
        return max(times, default=self.about.begun_at)

    @property
    def length_s(self) -> float:
        """Detector time from the first window to the last, epoch after epoch, s."""
        ends: dict[int, tuple[int, int]] = {}
        spans = [(part.epoch, f.first_orbit, f.end_orbit) for part, f in self.parts.items()]
        for some in self.open_windows:
            first, live = some.numbers("first_orbit"), some.numbers("live_orbits")
            spans.append((some.places[0][0], int(first.min()), int((first + live).max())))
        for epoch, begin, end in spans:
            low, high = ends.get(epoch, (begin, end))
            ends[epoch] = min(low, begin), max(high, end)
        return sum(high - low for low, high in ends.values()) * ORBIT_S

    @property
    def states(self) -> dict[State, int]:
        """Windows by the state of the telescope."""
        parts = [facts.states for facts in self.parts.values()]
        found = [*parts, *(some.by_state() for some in self.open_windows)]
        return _added((State.named(label), n) for some in found for label, n in some.items())

    def total(self, *, good: bool | GoodList = False) -> Summary:
        """Return the counts of all windows, or of the ``good`` ones only, condensed.

        Good are those after which the telescope was judged to be GOOD, or had only problems that
        are known; or those of a list. A minute of which only some windows are in the list is
        left out whole: see ``pieces``. Where verdicts changed, minutes are in pieces already.

        Raises
        ------
        FormatError
            If a part is damaged.
        """
        empty = Summary.empty(self.detector, self.blocks).condensed()
        if good is not False:
            states = {State.GOOD} if good is True else None
            pieces = self.pieces(states=states, good=None if good is True else good)
            return merged([empty, *(p.summary for p in pieces)], self.detector, self.blocks)
        parts, opened = self._as_it_is
        sums = self._catalogue.totals(self.name, list(parts), empty)
        sums += [some.total() for some in opened]
        return merged([empty, *sums], self.detector, self.blocks)

    def came(
        self, begin: float, end: float, *, leave_out: Collection[Part] = ()
    ) -> tuple[Summary, dict[State, int]]:
        """Return the counts of the windows that came from ``begin`` until ``end``, condensed.

        Times are in s since 1970. Beside them stands the number of windows by the state of the
        telescope. Where ``begin`` or ``end`` is within an hour that is sealed, it is that of the
        nearest piece: a minute at most. Parts to ``leave_out`` are not counted.

        Raises
        ------
        FormatError
            If a part that is needed is damaged.
        """
        empty = Summary.empty(self.detector, self.blocks).condensed()
        parts = {p: f for p, f in self.parts.items() if p not in leave_out}
        whole = [p for p, f in parts.items() if begin <= f.first_at and f.last_at < end]
        cut = [p for p, f in parts.items()
               if p not in whole and f.first_at < end and f.last_at >= begin]  # fmt: skip
        pieces = [piece for part in cut for piece in self._sealed(part).pieces()]
        pieces += [piece for some in self.open_windows for piece in some.pieces()]
        inside = [piece for piece in pieces if begin <= piece.at < end]
        sums = self._catalogue.totals(self.name, whole, empty)
        told = [(State.named(s), n) for part in whole for s, n in parts[part].states.items()]
        states = _added([*told, *((piece.state, piece.windows) for piece in inside)])
        summaries = [empty, *sums, *(piece.summary for piece in inside)]
        return merged(summaries, self.detector, self.blocks), states

    def pieces(
        self, *, states: Collection[State] | None = None, good: GoodList | None = None,
        of: Collection[Part] | None = None,
    ) -> Iterator[Piece]:  # fmt: skip
        """Yield the pieces, of a minute at most each, in their order.

        Only those of some ``states``, if they are named; only those whose windows are all
        ``good``, if a list is given; only those ``of`` some hours, if they are named.

        Raises
        ------
        FormatError
            If a part is damaged.
        """
        for piece in self._pieces_of(of):
            if states is not None and piece.state not in states:
                continue
            if good is None or _is_good(piece, good.of(self.name, piece.epoch)):
                yield piece

    def _pieces_of(self, wanted: Collection[Part] | None) -> Iterator[Piece]:
        waiting = [
            piece for some in self.open_windows for piece in some.pieces()
            if wanted is None or Part.of(piece.epoch, piece.first_orbit) in wanted
        ]  # fmt: skip
        for part in self.parts if wanted is None else [p for p in self.parts if p in wanted]:
            for piece in self._sealed(part).pieces():
                while waiting and waiting[0].place < piece.place:
                    yield waiting.pop(0)
                yield piece
        yield from waiting

    def table(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Return all windows as a table, or some of its columns, in their order.

        Counts that stand once a minute are null in the other rows.

        Raises
        ------
        FormatError
            If a part is damaged.
        """
        order = ["epoch", "window"]
        wanted = None if columns is None else list(dict.fromkeys([*order, *columns]))
        tables = [self._sealed(part, wanted).table for part in self.parts]
        for some in self.open_windows:
            names = wanted or some.table.column_names
            tables.append(some.table.select([n for n in names if n in some.table.column_names]))
        if not tables:
            return pa.table({})
        plain = [table.replace_schema_metadata() for table in tables]
        whole = pa.concat_tables(plain, promote_options="default")
        if self.open_windows:
            whole = whole.sort_by([(name, "ascending") for name in order])
        return whole if columns is None else whole.select(
            [name for name in columns if name in whole.column_names]
        )  # fmt: skip

    def trend(self, counter: str, *, every: str | float = "1min") -> pa.Table:
        """Return a counter against time.

        The columns are ``epoch``, ``begin_s`` (since the first window of the epoch), ``at``,
        ``windows``, ``live_s``, ``n``, ``hz`` and ``state`` (the worst).

        Parameters
        ----------
        counter
            Such as ``hits0``, ``scint``, ``tracks``: see ``counters``; ``chamber0.rate`` is
            ``hits0``.
        every
            Length of a row, rounded to whole minutes.

        Raises
        ------
        OptionError
            If there is no such counter.
        FormatError
            If a file of minutes is damaged.
        """
        name = _counter(counter)
        if name not in self.counters:
            raise OptionError(
                f"counter: found {counter!r}, expected one of {', '.join(self.counters)}"
            )
        length = max(1, round(seconds(every, "every") / 60))
        return trend_table(self.minutes((*TREND_COLUMNS, name)), name, length)

    @property
    def counters(self) -> list[str]:
        """Names of what there are trends of."""
        return counter_names(self.detector, self.blocks)[1:]

    def minutes(self, names: Sequence[str] | None = None) -> pa.Table:
        """Return the counters of each minute, or some of them, in the order of time.

        Hours whose minutes are not in their file, or not all, are added up here.

        Raises
        ------
        FormatError
            If a file of minutes is damaged.
        """
        asked = None if names is None else list(dict.fromkeys([*MINUTE_KEYS, *names]))
        told = read_minutes(self.folder.minutes(), asked)
        hours = hours_of(told)
        late = {Part.of(int(some.numbers("epoch")[0]), int(some.numbers("first_orbit")[0]))
                for some in self.open_windows}  # fmt: skip
        again = [part for part, facts in self.parts.items()
                 if part in late or hours.get(part) != facts.windows]  # fmt: skip
        if again or late:
            for part in again:
                told = told.filter(is_of_others(told, part))
            fresh = minutes_table(self.pieces(of={*late, *again}))
            kept = [name for name in asked or fresh.column_names if name in fresh.column_names]
            told = pa.concat_tables(
                [told, fresh.select(kept).replace_schema_metadata()], promote_options="default"
            ).sort_by([("epoch", "ascending"), ("minute", "ascending")])
        return told if names is None else told.select(
            [name for name in names if name in told.column_names]
        )  # fmt: skip

    @cached_property
    def changes(self) -> list[ChangeRecord]:
        """The verdicts that changed, in the order of windows."""
        found: list[ChangeRecord] = []
        for part, facts in self.parts.items():
            if facts.changes:
                found += self._sealed(part, []).changes
        found += [change for some in self.open_windows for change in some.changes]
        found += self.about.end_changes
        order = {id(change): i for i, change in enumerate(found)}
        last = (1 << 60, 0)
        return sorted(
            found,
            key=lambda c: ((c.epoch, c.window) if c.epoch >= 0 else last, order[id(c)]),
        )

    def verdicts(self) -> pa.Table:
        """Return the verdicts that changed as a table."""
        kinds = {"at": pa.timestamp("ms", "UTC")}
        rows: list[dict[str, Any]] = [asdict(change) for change in self.changes]
        for row in rows:
            row["at"] = None if row["at"] is None else round(row["at"] * 1e3)
        names = ChangeRecord.__struct_fields__
        columns = {
            name: pa.array([row[name] for row in rows], kinds.get(name)) for name in names
        }  # fmt: skip
        return pa.table(columns)

    def __repr__(self) -> str:
        """Return one line."""
        return f"<archived run {self.name}: {self.windows:,} windows of {self.detector.name}>"

    def _sealed(self, part: Part, columns: Sequence[str] | None = None) -> SealedWindows:
        path = self.folder.sealed_file(part)
        return SealedWindows.read(path, self.detector, self.blocks, columns)


def _added(counts: Iterable[tuple[State, int]]) -> dict[State, int]:
    """Return windows by state, those of the same one added up."""
    sums: dict[State, int] = {}
    for state, n in counts:
        sums[state] = sums.get(state, 0) + n
    return sums


def _is_good(piece: Piece, ranges: Sequence[Range]) -> bool:
    return any(first <= piece.window and piece.last_window <= last for first, last in ranges)


def _counter(name: str) -> str:
    """Return the counter of a name such as ``chamber0.rate``."""
    chamber, _, what = name.partition(".")
    if what == "rate" and chamber.startswith("chamber") and chamber[7:].isdecimal():
        return f"hits{int(chamber[7:])}"
    if what:
        raise OptionError(f"counter: found {name!r}, expected a name such as hits0, chamber0.rate")
    return name
