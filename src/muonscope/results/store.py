"""A run as its messages tell it, in bounded memory.

The latest window, the last minute, the whole run, and the history: the counters of all
windows (thinned when old), and the newest messages themselves, to go back to. A window that
comes twice counts once. When a message of another run comes, the store begins anew, unless
it was published before what came of the present run; runs that were left are not returned to.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from muonscope.counting.block import Block
from muonscope.counting.blocks import BLOCKS
from muonscope.counting.summary import Summary, merged
from muonscope.detector import Detector
from muonscope.results.history import History, Row
from muonscope.results.kept_messages import KeptMessage, KeptMessages, unpacked
from muonscope.results.read_cache import ReadCache
from muonscope.results.read_message import Remainder, WindowResult, read_result
from muonscope.results.recent import SECOND, Recent, RecentCounts, first_second
from muonscope.results.run_choice import RunChoice
from muonscope.results.run_time import RunTime
from muonscope.results.seen_windows import SeenWindows
from muonscope.units import ORBIT_S

__all__ = ["RECENT_S", "Kept", "ResultStore", "Taken", "View"]

RECENT_S = 60.0
"""Time that the view ``recent`` is of, s."""

_MOST_FRESH = 1_000


class Taken(Enum):
    """The fate of a message."""

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


class ResultStore:
    """Takes messages of one detector; answers with views of the run that they are of."""

    def __init__(
        self, detector: Detector, *, run: str = "", recent_s: float = RECENT_S,
        history_s: float = 7200.0, history_bytes: int = 256 << 20,
        blocks: Sequence[Block] = BLOCKS,
    ) -> None:  # fmt: skip
        """Begin empty; ``run`` is the only one to look at, by default always the newest."""
        self.detector, self.blocks = detector, tuple(blocks)
        self._recent_orbits = round(recent_s / ORBIT_S)
        self._history_s, self._history_bytes = history_s, history_bytes
        self._none = Summary.empty(detector, blocks).condensed()
        self._choice = RunChoice(run)
        self._begin()

    def _begin(self) -> None:
        self.latest: WindowResult | None = None
        self.remainder: Remainder | None = None
        """What belonged to no window, once the run has ended."""
        self._ended_s = -math.inf
        self.windows = 0
        """Windows of the run."""
        self.history = History(self.detector, full_s=self._history_s, blocks=self.blocks)
        self._seen, self._time = SeenWindows(), RunTime()
        self._recent = RecentCounts(self._recent_orbits, self._none)
        self._messages = KeptMessages(self._history_s / ORBIT_S, self._history_bytes)
        self._read = ReadCache(self.detector, self.blocks)
        self.whole = self._none
        """The counts of the run, whatever was reset."""
        self._fresh: list[Row] = []
        self.reset()

    @property
    def run(self) -> str:
        """The run that is looked at; empty before the first message."""
        return self._choice.run

    @property
    def run_s(self) -> float:
        """Time in the run at which its newest window ends, s."""
        return self._time.end_s

    def reset(self) -> None:
        """Begin the view of the run anew."""
        self._total = Recent(self._time.end_orbit, 0, self._none)

    def take(self, data: bytes, published_s: float = math.inf) -> Taken:
        """Take a message.

        ``published_s`` is when it was published, s since any moment; to be given where
        messages do not come in that order, so that an older run does not pass for a newer.

        Raises
        ------
        FormatError
            If it is none of this detector; nothing has changed then.
        """
        return self.add(read_result(data, self.detector, self.blocks), data, published_s)

    def add(
        self, result: WindowResult | Remainder, data: bytes, published_s: float = math.inf,
        at: float = math.nan,
    ) -> Taken:  # fmt: skip
        """Take a message that was read already: ``result`` is what ``data`` says.

        ``at`` is when it came by the wall clock, s since 1970.
        """
        run, begun = self.run, bool(self.latest or self.remainder)
        if not self._choice.takes(result.run, published_s, begun=begun):
            return Taken.OTHER_RUN
        if self.run != run:
            self._begin()
        if isinstance(result, Remainder):
            self.remainder, self._ended_s = result, published_s
            return Taken.REMAINDER
        if not self._seen.is_new(*result.place):
            return Taken.DUPLICATE
        if published_s > self._ended_s or published_s == math.inf:
            self.remainder = None  # it was not the end, then
        self._add(result, data, at)
        return Taken.WINDOW

    def _add(self, result: WindowResult, data: bytes, at: float) -> None:
        run_orbit = self._time.place(result)
        for epoch in self._time.forget_oldest():
            self._seen.forget(epoch)
        self.windows += 1
        if self.latest is None or result.place > self.latest.place:
            self.latest = result
        self._fresh.append(self.history.add(result, run_orbit, at))
        del self._fresh[:-_MOST_FRESH]
        self._recent.add(result, run_orbit, self._time.end_orbit)
        self.whole = self.whole.merge(result.summary)
        first, windows, total = self._total
        self._total = Recent(first, windows + 1, total.merge(result.summary))
        self._messages.add(result.place, run_orbit, run_orbit + result.summary.live_orbits, data)
        self._messages.forget_before(self._time.end_orbit)

    def fresh_rows(self) -> list[Row]:
        """Return the rows of history since this was asked last, at most the newest 1,000."""
        fresh, self._fresh = self._fresh, []
        return fresh

    def came(self, place: tuple[int, int]) -> bool:
        """Tell whether a window of the run has come, kept or not."""
        return place in self._seen

    def message(self, place: tuple[int, int]) -> bytes | None:
        """Return the message of a window, if it is still kept."""
        kept = self._messages.get(place)
        return unpacked(kept) if kept else None

    def view(self, name: str) -> View | None:
        """Return ``window``, ``recent`` or ``run`` as they are now; None before a window came."""
        latest = self.latest
        if latest is None:
            return None
        match name:
            case "window":
                shown = Recent(self._time.begin_of(latest), 1, latest.summary)
            case "recent":
                shown = self._recent.total()
            case _:
                shown = self._total
        return View(
            name=name, latest=latest, summary=shown.summary.condensed(), windows=shown.windows,
            first_s=shown.run_orbit * ORBIT_S, run_s=self.run_s,
        )  # fmt: skip

    def kept(self, name: str, place: tuple[int, int]) -> "Kept | None":
        """Return what ``window`` or ``recent`` were made of at a window; None once forgotten."""
        last = self._messages.get(place)
        if last is None:
            return None
        parts = {place: last}
        if name == "recent":
            begin = first_second(last.end, last.begin, self._recent_orbits) * SECOND
            parts |= self._messages.between(begin, last.begin)
        return Kept(name, place, self._none, self._read, list(parts.values()))

    def read(self, kept: KeptMessage) -> WindowResult:
        """Return the window of a message that is kept; from any thread."""
        return self._read.read(kept)

    def newest(self, last_s: float) -> list[KeptMessage]:
        """Return the messages that are kept of the last ``last_s`` seconds, oldest first."""
        begin = round(self._time.end_orbit - last_s / ORBIT_S)
        found = self._messages.between(begin, self._time.end_orbit)
        return sorted(found.values(), key=lambda kept: kept.begin)


@dataclass(frozen=True, slots=True)
class Kept:
    """Messages that are kept, packed, and what is to be made of them."""

    name: str
    place: tuple[int, int]
    none: Summary
    """What counts are added to."""
    cache: ReadCache
    parts: list[KeptMessage]

    def view(self) -> View:
        """Return the view of them; takes a millisecond for each that was not read before."""
        windows = [self.cache.read(kept) for kept in self.parts]
        latest = next(result for result in windows if result.place == self.place)
        first, last = (some(kept.begin for kept in self.parts) for some in (min, max))
        detector, blocks = self.none.detector, self.none.blocks
        counts = merged([result.summary for result in windows], detector, blocks)
        return View(
            name=self.name,
            latest=latest,
            summary=counts.condensed(),
            windows=len(windows),
            first_s=first * ORBIT_S,
            run_s=(last + latest.summary.live_orbits) * ORBIT_S,
        )
