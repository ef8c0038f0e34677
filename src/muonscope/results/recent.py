"""The counts of the last minute: windows merged by the second, so that old ones fall out."""

from typing import NamedTuple

from muonscope.counting.summary import Summary, merged
from muonscope.results.read_message import WindowResult
from muonscope.units import ORBIT_S

__all__ = ["SECOND", "Recent", "RecentCounts", "first_second"]

SECOND = round(1 / ORBIT_S)
"""Orbits that are merged."""


class Recent(NamedTuple):
    """Counts of some windows that follow one another."""

    run_orbit: int
    """Where the first of them begins in the time of the run, orbits."""
    windows: int
    summary: Summary


def first_second(end: int, begin: int, orbits: int) -> int:
    """Return the first second of the last ``orbits`` before ``end``.

    It is that of the newest window, which begins at ``begin``, where that is longer.
    """
    return min(-(-(end - orbits) // SECOND), begin // SECOND)


class RecentCounts:
    """The counts of the last ``orbits`` orbits, to the second."""

    def __init__(self, orbits: int, none: Summary) -> None:
        """Begin without windows; ``none`` is the Summary of nothing."""
        self._orbits, self._none = orbits, none
        self._seconds: dict[int, Recent] = {}

    def add(self, result: WindowResult, run_orbit: int, end_orbit: int) -> None:
        """Add a window to its second; forget seconds that are not recent at ``end_orbit``."""
        second = run_orbit // SECOND
        before = self._seconds.get(second, Recent(run_orbit, 0, self._none))
        self._seconds[second] = Recent(
            min(before.run_orbit, run_orbit),
            before.windows + 1,
            before.summary.merge(result.summary),
        )
        begin, newest = end_orbit - self._orbits, max(self._seconds)
        for old in [s for s in self._seconds if s * SECOND < begin and s != newest]:
            del self._seconds[old]

    def total(self) -> Recent:
        """Return all of it, of which there must be something."""
        seconds, none = list(self._seconds.values()), self._none
        return Recent(
            min(one.run_orbit for one in seconds),
            sum(one.windows for one in seconds),
            merged([one.summary for one in seconds], none.detector, none.blocks),
        )
