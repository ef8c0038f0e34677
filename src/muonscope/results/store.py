"""What is known of a run from the messages of its windows, in bounded memory.

The latest window, the last minute, the whole run, and the history: the counters of all
windows (thinned when old), and the newest messages themselves, to go back to. A window that
comes twice counts once. When a message of another run comes, the store begins anew, unless
it was published before what came of the present run; runs that were left are not returned to.
"""

import math
from bisect import bisect_right
from collections import OrderedDict
from dataclasses import dataclass
from enum import Enum, auto
from typing import NamedTuple

import zstandard

from muonscope.counting.summary import Summary, merged
from muonscope.detector import Detector
from muonscope.results.history import History, Row
from muonscope.results.read_message import Remainder, WindowResult, read_result
from muonscope.units import ORBIT_S

__all__ = ["RECENT_S", "Kept", "ResultStore", "Taken", "View"]

RECENT_S = 60.0
"""Time that the view ``recent`` is of, s."""

_SECOND = round(1 / ORBIT_S)
_MOST_INTERVALS = 1_000
_MOST_RUNS = 1_000
_MOST_EPOCHS = 1_000
_MOST_FRESH = 1_000


class Taken(Enum):
    """What became of a message."""

    WINDOW = auto()
    REMAINDER = auto()
    """Of what belongs to no window: the run has come to its end."""
    DUPLICATE = auto()
    """Of a window that was counted already."""
    OTHER_RUN = auto()
    """Of a run that is not looked at, is older than the present one, or was left for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Counts to look at, and what they are of."""

    name: str
    """``window``, ``recent`` or ``run``."""
    latest: WindowResult
    """Its last window."""
    summary: Summary
    """Its counts."""
    windows: int
    first_s: float
    """Time in the run at which its first window begins, s."""
    run_s: float
    """Time in the run at which its last window ends, s."""


@dataclass(frozen=True, slots=True)
class _Group:
    """Windows that begin in the same second of the run, which is of whole orbits."""

    run_orbit: int
    windows: int
    summary: Summary


class _Message(NamedTuple):
    """A message that is kept, and what its window is in the time of the run, orbits."""

    begin: int
    end: int
    packed: bytes


class ResultStore:
    """Takes messages of one detector; answers with views of the run that they are of."""

    def __init__(
        self, detector: Detector, *, run: str = "", recent_s: float = RECENT_S,
        history_s: float = 7200.0, history_bytes: int = 256 << 20,
    ) -> None:  # fmt: skip
        """Begin empty; ``run`` is the only one to look at, by default always the newest."""
        self.detector, self._only = detector, run
        self._recent_orbits = round(recent_s / ORBIT_S)
        self._history_s, self._history_bytes = history_s, history_bytes
        self._none = Summary.empty(detector).condensed()
        self._left: OrderedDict[str, None] = OrderedDict()
        self._published_s = -math.inf
        self._begin("")

    def _begin(self, run: str) -> None:
        self.run = run
        self.latest: WindowResult | None = None
        self.remainder: Remainder | None = None
        """What belonged to no window, once the run has ended."""
        self._ended_s = -math.inf
        self.windows = 0
        """Windows of the run."""
        self.history = History(self.detector, full_s=self._history_s)
        self._seen: dict[int, list[tuple[int, int]]] = {}
        self._shift: dict[int, int] = {}
        self._end_orbit = 0
        self._messages: OrderedDict[tuple[int, int], _Message] = OrderedDict()
        self._message_bytes = 0
        self._groups: dict[int, _Group] = {}
        self.whole = self._none
        """The counts of the run, whatever was reset."""
        self._fresh: list[Row] = []
        self.reset()

    @property
    def run_s(self) -> float:
        """Time in the run at which its newest window ends, s."""
        return self._end_orbit * ORBIT_S

    def reset(self) -> None:
        """Begin the view of the run anew."""
        self._total = self._none
        self._total_windows, self._total_from = 0, self._end_orbit

    def take(self, data: bytes, published_s: float = math.inf) -> Taken:
        """Take a message.

        ``published_s`` is when it was published, s since any moment; to be given where
        messages do not come in that order, so that an older run does not pass for a newer.

        Raises
        ------
        FormatError
            If it is none of this detector; nothing has changed then.
        """
        return self.add(read_result(data, self.detector), data, published_s)

    def add(
        self, result: WindowResult | Remainder, data: bytes, published_s: float = math.inf
    ) -> Taken:
        """Take a message that was read already: ``result`` is what ``data`` says."""
        if not self._is_looked_at(result.run, published_s):
            return Taken.OTHER_RUN
        if isinstance(result, Remainder):
            self.remainder, self._ended_s = result, published_s
            return Taken.REMAINDER
        if not self._is_new(result):
            return Taken.DUPLICATE
        if published_s > self._ended_s or published_s == math.inf:
            self.remainder = None  # it was not the end, then
        self._add(result, data)
        return Taken.WINDOW

    def _is_looked_at(self, run: str, published_s: float) -> bool:
        if self._only and run != self._only:
            return False
        if run in self._left:
            return False
        if run != self.run:
            if self.latest or self.remainder:
                if published_s < self._published_s:
                    return False
                self._left[self.run] = None
                if len(self._left) > _MOST_RUNS:
                    self._left.popitem(last=False)
            self._begin(run)
        self._published_s = max(self._published_s, published_s)
        return True

    def _is_new(self, result: WindowResult) -> bool:
        """Note a window in the intervals of windows that have come; tell whether it was new."""
        seen = self._seen.setdefault(result.epoch, [])
        at = bisect_right(seen, result.window, key=lambda interval: interval[0])
        if at and result.window < seen[at - 1][1]:
            return False
        begin, end = result.window, result.window + 1
        if at < len(seen) and seen[at][0] == end:
            end = seen.pop(at)[1]
        if at and seen[at - 1][1] == begin:
            begin, at = seen[at - 1][0], at - 1
            seen[at] = (begin, end)
        else:
            seen.insert(at, (begin, end))
        if len(seen) > _MOST_INTERVALS:  # windows of the oldest hole would pass for duplicates
            seen[:2] = [(seen[0][0], seen[1][1])]
        return True

    def _add(self, result: WindowResult, data: bytes) -> None:
        run_orbit = self._run_orbit(result)
        self.windows += 1
        if self.latest is None or result.place > self.latest.place:
            self.latest = result
        self._fresh.append(self.history.add(result, run_orbit))
        del self._fresh[:-_MOST_FRESH]
        self._group(result, run_orbit)
        self.whole = self.whole.merge(result.summary)
        self._total = self._total.merge(result.summary)
        self._total_windows += 1
        self._keep(result, run_orbit, data)

    def _run_orbit(self, result: WindowResult) -> int:
        """Return where in the run a window begins: epochs come one after the other."""
        if result.epoch not in self._shift:
            self._shift[result.epoch] = self._end_orbit - result.first_orbit
            while len(self._shift) > _MOST_EPOCHS:
                oldest = min(self._shift)
                del self._shift[oldest]
                self._seen.pop(oldest, None)
        begin = result.first_orbit + self._shift.get(result.epoch, 0)
        self._end_orbit = max(self._end_orbit, begin + result.summary.live_orbits)
        return begin

    def _group(self, result: WindowResult, run_orbit: int) -> None:
        """Add a window to those of its second, and forget seconds that are not recent."""
        second = run_orbit // _SECOND
        group = self._groups.get(second, _Group(run_orbit, 0, self._none))
        self._groups[second] = _Group(
            min(group.run_orbit, run_orbit), group.windows + 1, group.summary.merge(result.summary)
        )
        begin = self._end_orbit - self._recent_orbits
        newest = max(self._groups)
        for old in [s for s in self._groups if s * _SECOND < begin and s != newest]:
            del self._groups[old]

    def _keep(self, result: WindowResult, run_orbit: int, data: bytes) -> None:
        packed = zstandard.compress(data, 1)
        end = run_orbit + result.summary.live_orbits
        self._messages[result.place] = _Message(run_orbit, end, packed)
        self._message_bytes += len(packed)
        keep_from = self._end_orbit - self._history_s / ORBIT_S
        while self._messages:
            oldest = next(iter(self._messages.values()))
            if oldest.begin >= keep_from and self._message_bytes <= self._history_bytes:
                break
            self._messages.popitem(last=False)
            self._message_bytes -= len(oldest.packed)

    def fresh_rows(self) -> list[Row]:
        """Return the rows of history since this was asked last, at most the newest 1,000."""
        fresh, self._fresh = self._fresh, []
        return fresh

    def message(self, place: tuple[int, int]) -> bytes | None:
        """Return the message of a window, if it is still kept."""
        kept = self._messages.get(place)
        return zstandard.decompress(kept.packed) if kept else None

    def view(self, name: str) -> View | None:
        """Return ``window``, ``recent`` or ``run`` as they are now; None before a window came."""
        latest = self.latest
        if latest is None:
            return None
        match name:
            case "window":
                summary, windows = latest.summary, 1
                first = latest.first_orbit + self._shift[latest.epoch]
            case "recent":
                groups = self._groups.values()
                summary = merged([group.summary for group in groups], self.detector)
                windows = sum(group.windows for group in groups)
                first = min(group.run_orbit for group in groups)
            case _:
                summary, windows, first = self._total, self._total_windows, self._total_from
        return View(
            name=name, latest=latest, summary=summary.condensed(), windows=windows,
            first_s=first * ORBIT_S, run_s=self.run_s,
        )  # fmt: skip

    def kept(self, name: str, place: tuple[int, int]) -> "Kept | None":
        """Return what ``window`` or ``recent`` were made of at a window; None once forgotten."""
        last = self._messages.get(place)
        if last is None:
            return None
        parts = {place: last}
        if name == "recent":
            second = min(-(-(last.end - self._recent_orbits) // _SECOND), last.begin // _SECOND)
            begin = second * _SECOND
            parts |= {p: m for p, m in self._messages.items() if begin <= m.begin <= last.begin}
        return Kept(name, place, self.detector, [(m.begin, m.packed) for m in parts.values()])


@dataclass(frozen=True, slots=True)
class Kept:
    """Messages that are kept, packed, and what is to be made of them."""

    name: str
    place: tuple[int, int]
    detector: Detector
    parts: list[tuple[int, bytes]]
    """Where in the run their windows begin, orbits, and the messages."""

    def view(self) -> View:
        """Return the view of them; takes about a millisecond a message."""
        results = [read_result(zstandard.decompress(data), self.detector) for _, data in self.parts]
        windows = [result for result in results if isinstance(result, WindowResult)]
        latest = next(result for result in windows if result.place == self.place)
        first, last = min(at for at, _ in self.parts), max(at for at, _ in self.parts)
        return View(
            name=self.name,
            latest=latest,
            summary=merged([result.summary for result in windows], self.detector).condensed(),
            windows=len(windows),
            first_s=first * ORBIT_S,
            run_s=(last + latest.summary.live_orbits) * ORBIT_S,
        )
