"""A run in an archive, read: its total, its windows, its trends, its verdicts.

What is not sealed yet is read from the journals, while another process may write them.
"""

from collections.abc import Collection, Iterator, Sequence
from functools import cached_property
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
from msgspec.structs import asdict
from pyarrow import compute

from muonscope.archiving.catalogue import Catalogue, PartFacts
from muonscope.archiving.folders import Part, RunFolder
from muonscope.archiving.journal import read_journal
from muonscope.archiving.minutes_file import minutes_table, read_minutes
from muonscope.archiving.run_file import ChangeRecord, RunFile
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

_TREND_HEAD = ("epoch", "minute", "first_orbit", "windows", "at", "state", "live_orbits")


class ArchivedRun:
    """A run that was, or is being, archived."""

    def __init__(self, folder: RunFolder, about: RunFile, catalogue: Catalogue) -> None:
        """Look at a run that ``catalogue`` knows.

        Raises
        ------
        DetectorError
            If the description of its detector is damaged.
        """
        self.folder, self.about = folder, about
        self.detector: Detector = about.read_detector(folder.about)
        self.blocks: tuple[Block, ...] = tuple(about.blocks)
        self._catalogue = catalogue

    @property
    def name(self) -> str:
        """Its name."""
        return self.about.run

    @cached_property
    def parts(self) -> dict[Part, PartFacts]:
        """The sealed parts, in their order."""
        return self._catalogue.parts(self.name)

    @cached_property
    def open_windows(self) -> list[SealedWindows]:
        """The windows that are not sealed yet, part by part."""
        found = []
        for part, paths in self.folder.journals().items():
            sealed = self._sealed(part, ["epoch", "window"]) if part in self.parts else None
            there = set(sealed.places) if sealed else set[tuple[int, int]]()
            windows = chain.from_iterable(map(read_journal, paths))
            fresh = (window for window in windows if window.place not in there)
            table = windows_table(fresh, self.detector, self.blocks)
            if table.num_rows:
                found.append(SealedWindows(table, self.detector, self.blocks))
        return found

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
    def states(self) -> dict[State, int]:
        """Windows by the state of the telescope."""
        counts: dict[State, int] = {}
        parts = [facts.states for facts in self.parts.values()]
        for found in [*parts, *(some.by_state() for some in self.open_windows)]:
            for label, n in found.items():
                counts[State.named(label)] = counts.get(State.named(label), 0) + n
        return counts

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
        sums = self._catalogue.totals(self.name, list(self.parts), empty)
        sums += [some.total() for some in self.open_windows]
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
        states: dict[State, int] = {}
        told = [(State.named(s), n) for part in whole for s, n in self.parts[part].states.items()]
        for state, n in [*told, *((piece.state, piece.windows) for piece in inside)]:
            states[state] = states.get(state, 0) + n
        summaries = [empty, *sums, *(piece.summary for piece in inside)]
        return merged(summaries, self.detector, self.blocks), states

    def pieces(
        self, *, states: Collection[State] | None = None, good: GoodList | None = None
    ) -> Iterator[Piece]:
        """Yield the pieces, of a minute at most each, in their order.

        Only those of some ``states``, if they are named; only those whose windows are all
        ``good``, if a list is given.

        Raises
        ------
        FormatError
            If a part is damaged.
        """
        for piece in self._all_pieces():
            if states is not None and piece.state not in states:
                continue
            if good is None or _is_good(piece, good.of(self.name, piece.epoch)):
                yield piece

    def _all_pieces(self) -> Iterator[Piece]:
        waiting = [piece for some in self.open_windows for piece in some.pieces()]
        for part in self.parts:
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
        tables = [self._sealed(part, columns).table for part in self.parts]
        wanted = None if columns is None else list(columns)
        tables += [some.table.select(wanted or some.table.column_names)
                   for some in self.open_windows]  # fmt: skip
        plain = [table.replace_schema_metadata() for table in tables]
        return pa.concat_tables(plain, promote_options="default") if plain else pa.table({})

    def trend(self, counter: str, *, every: str | float = "1min") -> pa.Table:
        """Return a counter against time: ``run_s``, ``at``, ``live_s``, ``n``, ``hz``, ``state``.

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
        minutes = self.minutes((*_TREND_HEAD, name))
        bucket = compute.divide(minutes["minute"].cast(pa.int64()), length)
        states = [int(State.named(label)) for label in minutes["state"].to_pylist()]
        minutes = minutes.append_column("bucket", bucket).set_column(
            minutes.column_names.index("state"), "state", pa.array(states, pa.int64())
        )
        sums = minutes.group_by(["epoch", "bucket"], use_threads=False).aggregate(
            [("first_orbit", "min"), ("at", "max"), ("live_orbits", "sum"), (name, "sum"),
             ("state", "max"), ("windows", "sum")]
        )  # fmt: skip
        live = np.asarray(sums["live_orbits_sum"].to_numpy(), np.float64) * ORBIT_S
        n = sums[f"{name}_sum"].to_numpy()
        hz = np.divide(n, live, out=np.full(len(n), np.nan), where=live > 0)
        return pa.table({
            "epoch": sums["epoch"], "begin_s": self._begin_s(sums),
            "at": sums["at_max"], "windows": sums["windows_sum"], "live_s": live, "n": n, "hz": hz,
            "state": [State(s).label for s in sums["state_max"].to_pylist()],
        })  # fmt: skip

    @property
    def counters(self) -> list[str]:
        """Names of what there are trends of."""
        return counter_names(self.detector, self.blocks)[1:]

    def minutes(self, names: Sequence[str] | None = None) -> pa.Table:
        """Return the counters of each minute, or some of them, in the order of time.

        Raises
        ------
        FormatError
            If a file of minutes is damaged.
        """
        sealed = read_minutes(self.folder.minutes(), names)
        pieces = [piece for some in self.open_windows for piece in some.pieces()]
        if not pieces:
            return sealed
        fresh = minutes_table(pieces)
        fresh = fresh.select(names or fresh.column_names).replace_schema_metadata()
        if not sealed.num_rows:  # nothing is sealed yet, and its columns have no types
            return fresh
        return pa.concat_tables([sealed, fresh], promote_options="default")

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

    def _begin_s(self, sums: pa.Table) -> Any:
        """Return where rows begin, s of detector time since their epoch's first window."""
        epochs = sums["epoch"].to_numpy()
        first = np.asarray(sums["first_orbit_min"].to_numpy(), np.float64)
        begin = np.array([first[epochs == epoch].min() for epoch in epochs.tolist()])
        return (first - begin) * ORBIT_S


def _is_good(piece: Piece, ranges: Sequence[Range]) -> bool:
    return any(first <= piece.window and piece.last_window <= last for first, last in ranges)


def _counter(name: str) -> str:
    """Return the counter of a name such as ``chamber0.rate``."""
    chamber, _, what = name.partition(".")
    if what == "rate" and chamber.startswith("chamber") and chamber[7:].isdecimal():
        return f"hits{int(chamber[7:])}"
    if what:
        raise FormatError(f"counter: found {name!r}, expected a name such as hits0, chamber0.rate")
    return name
