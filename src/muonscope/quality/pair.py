"""The two runs of a comparison, and what was asked of it."""

from dataclasses import dataclass
from typing import Any

from muonscope.quality.comparison import Difference
from muonscope.quality.side import Side

__all__ = ["Pair"]

_ENOUGH_WINDOWS = 12
"""That the scatter of a reference is known to a fifth; with fewer both runs tell it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """The two sides, and what was asked."""

    run: Side
    reference: Side
    scale: str
    level: float
    least_size: float

    @property
    def tells_all(self) -> bool:
        """Whether both sides tell all; else only what results of version 1 tell is compared."""
        return self.run.tells_all and self.reference.tells_all

    @property
    def scaling(self) -> float:
        """Exposure of the run by that of the reference; 0 where the reference has none."""
        one, other = self.run.summary, self.reference.summary
        mine, others = {
            "live": (one.live_s, other.live_s),
            "entries": (one.total_hits, other.total_hits),
            "none": (1.0, 1.0),
        }[self.scale]
        return mine / others if others > 0 else 0.0

    def scatters(self, kind: str, name: str) -> list[Any]:
        """Return the scatter of each side that has counted just what is compared.

        Where the reference has enough windows it alone tells how much counts scatter: a run whose
        chamber was off for a while scatters so much that it would agree with anything.
        """
        sides = [s for s in (self.run, self.reference) if s.tells_all == self.tells_all]
        reference = self.reference
        if reference.tells_all == self.tells_all and reference.windows >= _ENOUGH_WINDOWS:
            sides = [reference]
        return [found for s in sides if (found := getattr(s, kind).get(name)) is not None]

    def difference(self, p_corrected: float, size: float, least: float) -> Difference:
        """Return the class of a finding."""
        if p_corrected >= self.level:
            return Difference.AGREES
        return Difference.DIFFERS if abs(size) >= least else Difference.NEGLIGIBLE
