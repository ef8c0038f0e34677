"""What a comparison of two runs found: values, and their texts."""

import math
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from muonscope.detector import Detector

__all__ = ["SCALES", "Comparison", "Difference", "Finding"]

SCALES = ("live", "entries", "none")
"""Counts are compared per live time, per hit of the run, or as they are."""

_NAMED = 3
"""Findings that the sentence names."""


class Difference(IntEnum):
    """How much a finding matters; the smaller, the more."""

    DIFFERS = 0
    """Significant, and of a size that matters."""
    NEGLIGIBLE = 1
    """Significant, but small."""
    AGREES = 2

    @property
    def label(self) -> str:
        """The class as people read it."""
        return self.name.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was tested."""

    what: str
    """``cell_rate``, ``drift_times``: the family."""
    target: str
    """``telescope``, ``fpga1``, ``ch0``, ``ch0-ch2``, ``ch0:61``, ``phi``, ``late``."""
    subject: str
    """The target in words."""
    unit: str
    """What is counted, or the axis of a histogram."""
    difference: Difference
    n: int
    """Count, or entries of a histogram, of the run."""
    reference_n: int
    expected: float
    """The reference's count, scaled to the run; of a histogram its entries as they are."""
    size: float
    """Counts: ratio less 1. Efficiencies: theirs. Histograms: total-variation distance."""
    p: float
    """Probability of what is as different, by chance."""
    p_corrected: float
    """The same for all things that were tested together."""
    phi: float
    """Dispersion that was assumed: variance by that of independent counts."""
    tested: int
    """Members of its family."""
    method: str
    """``exact``, ``G-test``, ``permutation``, or ``one is empty``."""
    rank: float
    """Size that is sure, 0 .. 1, by which findings are ordered."""
    order: int
    """Of findings of one size the least comes first."""
    ratio: float = math.nan
    """Of rates; NaN for histograms, infinite where the reference has none."""
    low: float = math.nan
    high: float = math.nan
    """Exact interval of the ratio."""
    efficiencies: tuple[float, float] | None = None
    """Of run and reference, where muons are counted that were not seen."""

    @property
    def is_histogram(self) -> bool:
        """Whether a shape was compared."""
        return self.method != "exact"

    @property
    def text(self) -> str:
        """What differs, as one line."""
        if self.method == "one is empty":
            return (
                f"{self.subject}: {self.unit}: {self.n:,} entries, reference {self.reference_n:,}"
            )
        if self.is_histogram:
            return (
                f"{self.subject}: {self.unit}: {self.size:.1%} of the entries lie elsewhere"
                f" ({self.n:,}, reference {self.reference_n:,})"
            )
        if self.efficiencies:
            mine, other = self.efficiencies
            return (
                f"{self.subject}: efficiency {mine:.4f}, reference {other:.4f}"
                f" ({self.n:,} {self.unit}, expected {_short(self.expected)})"
            )
        return (
            f"{self.subject}: {self.n:,} {self.unit}, expected {_short(self.expected)}:"
            f" {_times(self.ratio)} ({_short(self.low)} .. {_short(self.high)})"
        )

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; what is infinite or not known is None."""
        return {
            "what": self.what, "target": self.target, "difference": self.difference.label,
            "text": self.text, "unit": self.unit, "n": self.n, "reference_n": self.reference_n,
            "expected": _plain(self.expected), "ratio": _plain(self.ratio),
            "ratio_low": _plain(self.low), "ratio_high": _plain(self.high),
            "size": _plain(self.size), "p": self.p, "p_corrected": self.p_corrected,
            "dispersion": _plain(self.phi), "tested_together": self.tested, "method": self.method,
        }  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A run and its reference."""

    run: str
    reference: str
    detector: Detector
    scale: str
    level: float
    """Probability that anything at all is called different by chance."""
    least_size: float
    """Ratios that differ by less are negligible; histograms by less than half of it."""
    live_s: float
    reference_live_s: float
    scaling: float
    """What the reference's counts are multiplied by where they are drawn beside the run's."""
    findings: tuple[Finding, ...]
    """All that was tested, worst first."""
    notes: tuple[str, ...]
    """What could not be compared and why, and what else is to be known."""

    @property
    def differing(self) -> tuple[Finding, ...]:
        """Findings that matter, worst first."""
        return self.of(Difference.DIFFERS)

    @property
    def negligible(self) -> tuple[Finding, ...]:
        """Findings that are significant, but small."""
        return self.of(Difference.NEGLIGIBLE)

    def of(self, difference: Difference) -> tuple[Finding, ...]:
        """Return the findings of one class, in their order."""
        return tuple(f for f in self.findings if f.difference == difference)

    @property
    def sentence(self) -> str:
        """The outcome in one sentence."""
        tested = f"{len(self.findings):,} things tested"
        if not self.findings:
            return f"{self.run} and {self.reference} hold nothing to compare"
        small = f"; {len(self.negligible):,} more differ negligibly" if self.negligible else ""
        if not self.differing:
            return f"{self.run} agrees with {self.reference} in all of {tested}{small}"
        worst = "; ".join(f.text for f in self.differing[:_NAMED])
        more = "; ..." if len(self.differing) > _NAMED else ""
        return (
            f"{self.run} differs from {self.reference} in {len(self.differing):,} of {tested}:"
            f" {worst}{more}{small}"
        )

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON, with the findings that are not mere agreement."""
        return {
            "run": self.run, "reference": self.reference, "detector": self.detector.name,
            "sentence": self.sentence, "agrees": not self.differing, "scale": self.scale,
            "level": self.level, "least_size": self.least_size, "live_s": self.live_s,
            "reference_live_s": self.reference_live_s, "scaling": _plain(self.scaling),
            "tested": len(self.findings), "differ": len(self.differing),
            "negligible": len(self.negligible), "notes": list(self.notes),
            "findings": [f.as_dict() for f in (*self.differing, *self.negligible)],
        }  # fmt: skip


def _plain(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _short(value: float) -> str:
    """Return a number with three digits or more, and no exponent where it is a usual one."""
    if math.isinf(value):
        return "no limit"
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _times(ratio: float) -> str:
    return "none in the reference" if math.isinf(ratio) else f"{_short(ratio)} times"
