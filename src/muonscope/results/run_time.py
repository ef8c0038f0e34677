"""The time of a run: detector time with the epochs put one after the other."""

from muonscope.results.read_message import WindowResult
from muonscope.units import ORBIT_S

__all__ = ["RunTime"]

_MOST_EPOCHS = 1_000


class RunTime:
    """Places windows in the time of their run, orbits from its first window on."""

    def __init__(self) -> None:
        """Begin without windows."""
        self.end_orbit = 0
        """Where the newest window ends."""
        self._shift: dict[int, int] = {}

    @property
    def end_s(self) -> float:
        """Where the newest window ends, s."""
        return self.end_orbit * ORBIT_S

    def place(self, result: WindowResult) -> int:
        """Return where a window begins; the first one of an epoch begins at the end so far."""
        self._shift.setdefault(result.epoch, self.end_orbit - result.first_orbit)
        begin = self.begin_of(result)
        self.end_orbit = max(self.end_orbit, begin + result.summary.live_orbits)
        return begin

    def begin_of(self, result: WindowResult) -> int:
        """Return where a window begins that was placed before."""
        return result.first_orbit + self._shift.get(result.epoch, 0)

    def forget_oldest(self) -> list[int]:
        """Forget the oldest epochs where there are too many; return which."""
        forgotten = sorted(self._shift)[: max(0, len(self._shift) - _MOST_EPOCHS)]
        for epoch in forgotten:
            del self._shift[epoch]
        return forgotten
