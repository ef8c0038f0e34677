"""Which windows of an archived run are good: proposed from its verdicts, and signed by people.

What was not judged is never good, nor bad: that is told apart, as LIGO's flags tell *known* from
*active*. A verdict that came to be bad needed some time to be sure; the windows that it took are
not good either. Signatures are appended and never changed; the newest counts.
"""

import math
from collections.abc import Iterable, Mapping, Sequence

import msgspec
from msgspec import Struct

from muonscope._version import __version__
from muonscope.archiving.archived_run import ArchivedRun
from muonscope.archiving.notes import append_line, read_lines
from muonscope.archiving.run_file import ChangeRecord
from muonscope.errors import OptionError
from muonscope.quality.verdict import State
from muonscope.results.good_list import GoodList, Range, joined_ranges, key_of, without_ranges
from muonscope.units import ORBIT_S

__all__ = ["BadWindows", "Signature", "parse_windows", "proposal", "sign", "signatures"]

_MOST_WHO, _MOST_NOTE = 100, 4_000


class BadWindows(Struct, frozen=True, kw_only=True):
    """Windows in which something was wrong."""

    epoch: int
    first: int
    last: int
    check: str
    target: str
    state: str
    reason: str
    known: str = ""
    """Why it does not count, where it was a known problem."""


class Signature(Struct, frozen=True, kw_only=True):
    """Which windows of a run are good, as proposed, or as somebody signed it."""

    good: dict[str, list[Range]]
    """By the key of the epoch, as in a good-run list."""
    known: dict[str, list[Range]]
    """Windows that were judged at all."""
    bad: list[BadWindows]
    run: str
    detector_hash: str
    window_s: float
    who: str = ""
    """Who signed; empty in a proposal."""
    at: float | None = None
    """When, s since 1970."""
    note: str = ""
    muonscope: str = __version__
    """Version of the program that judged and proposed."""

    @property
    def good_list(self) -> GoodList:
        """The good windows as a list of its own."""
        return GoodList({key: tuple(some) for key, some in self.good.items() if some})

    @property
    def good_windows(self) -> int:
        """Number of windows in the ranges that are good."""
        return sum(last - first + 1 for some in self.good.values() for first, last in some)


def proposal(run: ArchivedRun) -> Signature:
    """Return what the verdicts of a run propose.

    Raises
    ------
    FormatError
        If a part of it is damaged.
    """
    states = _states(run)
    bad = list(_bad(run, {epoch: _end(some) for epoch, some in states.items()}))
    good, known = {}, {}
    for epoch, rows in states.items():
        key = key_of(run.name, epoch)
        known[key] = list(joined_ranges(r for r, state in rows if state != State.NOT_ENOUGH))
        wrong = [(b.first, b.last) for b in bad if b.epoch == epoch and not b.known]
        fine = (r for r, state in rows if state == State.GOOD)
        good[key] = list(without_ranges(fine, wrong))
    return Signature(
        good=good, known=known, bad=bad, run=run.name, detector_hash=run.about.detector_hash,
        window_s=run.about.window_orbits * ORBIT_S,
    )  # fmt: skip


def sign(
    run: ArchivedRun, who: str, at: float, *, note: str = "", also: Sequence[str] = (),
    but: Sequence[str] = (),
) -> Signature:  # fmt: skip
    """Sign the proposal of a run, with windows that are good ``also``, and ``but`` others.

    Windows are written as :func:`parse_windows` reads them.

    Raises
    ------
    OptionError
        If nobody is named, a text is too long, or no range; or one is of windows that the run
        does not have.
    SinkError
        If it cannot be written.
    """
    if not who.strip() or len(who) > _MOST_WHO or len(note) > _MOST_NOTE:
        raise OptionError(
            f"--who: found {who[:_MOST_WHO]!r}, expected a name of at most {_MOST_WHO} letters"
            f" (and a note of at most {_MOST_NOTE:,})"
        )
    made = proposal(run)
    there = {epoch: [r for r, _ in rows] for epoch, rows in _states(run).items()}
    good = {key: list(some) for key, some in made.good.items()}
    for texts, add in ((also, True), (but, False)):
        for epoch, windows in map(parse_windows, texts):
            if epoch not in there or without_ranges([windows], there[epoch]) == (windows,):
                raise OptionError(
                    f"windows {epoch}/{windows[0]}-{windows[1]}: run {run.name} has none of them"
                )
            key = key_of(run.name, epoch)
            mine = good.get(key, [])
            good[key] = list(
                joined_ranges([*mine, windows]) if add else without_ranges(mine, [windows])
            )
    signed = msgspec.structs.replace(made, good=good, who=who.strip(), at=at, note=note)
    append_line(run.folder.signatures, msgspec.json.encode(signed))
    return signed


def signatures(run: ArchivedRun) -> list[Signature]:
    """Return all signatures of a run, the newest last.

    Raises
    ------
    FormatError
        If a line is none.
    """
    return read_lines(run.folder.signatures, Signature)


def parse_windows(text: str) -> tuple[int, Range]:
    """Return the epoch and the windows that ``text`` names: ``955-1200``, ``1/20-30``, ``7``.

    Raises
    ------
    OptionError
        If it names none.

    Examples
    --------
    >>> parse_windows("955-1200"), parse_windows("1/7")
    ((0, (955, 1200)), (1, (7, 7)))
    """
    epoch, _, windows = text.rpartition("/")
    first, dash, last = windows.partition("-")
    try:
        found = int(epoch or 0), (int(first), int(last if dash else first))
    except ValueError:
        found = -1, (0, 0)
    if found[0] < 0 or not 0 <= found[1][0] <= found[1][1]:
        raise OptionError(f"windows: found {text!r}, expected 955-1200, or 1/20-30 for epoch 1")
    return found


def _states(run: ArchivedRun) -> Mapping[int, list[tuple[Range, State]]]:
    """Return the windows of each epoch with the state of the telescope after them."""
    table = run.table(["epoch", "window", "windows", "state"])
    found: dict[int, list[tuple[Range, State]]] = {}
    columns = (table[name].to_pylist() for name in ("epoch", "window", "windows", "state"))
    for epoch, window, windows, state in zip(*columns, strict=True):
        row = (window, window + windows - 1), State.named(state)
        found.setdefault(epoch, []).append(row)
    return found


def _end(rows: Sequence[tuple[Range, State]]) -> int:
    return max(last for (_, last), _ in rows)


def _bad(run: ArchivedRun, ends: Mapping[int, int]) -> Iterable[BadWindows]:
    """Yield from when to when each verdict was not good, in each epoch."""
    open_ones: dict[tuple[str, str], ChangeRecord] = {}
    last_epoch = max(ends, default=0)
    for change in run.changes:
        key = change.check, change.target
        if change.epoch < 0:
            continue
        if before := open_ones.pop(key, None):
            yield from _spans(before, (change.epoch, change.window - 1), ends, run)
        if change.after > State.NOT_ENOUGH:
            open_ones[key] = change
    for change in open_ones.values():
        yield from _spans(change, (last_epoch, ends.get(last_epoch, 0)), ends, run)


def _spans(
    begin: ChangeRecord, end: tuple[int, int], ends: Mapping[int, int], run: ArchivedRun
) -> Iterable[BadWindows]:
    """Yield the windows from a change to ``end``, with those that it took to be sure before."""
    took = math.ceil(begin.span_s / (run.about.window_orbits * ORBIT_S))
    for epoch in sorted(e for e in ends if begin.epoch <= e <= end[0]):
        first = max(0, begin.window - took + 1) if epoch == begin.epoch else 0
        last = end[1] if epoch == end[0] else ends[epoch]
        if first <= last:
            yield BadWindows(
                epoch=epoch, first=first, last=last, check=begin.check, target=begin.target,
                state=begin.state, reason=begin.text, known=begin.known,
            )  # fmt: skip
