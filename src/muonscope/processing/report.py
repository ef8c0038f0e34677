"""What a morning report says: frozen values, made of an archive by :mod:`report_gathering`."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from muonscope.archiving.good_windows import Signature
from muonscope.archiving.notes import Note
from muonscope.counting.block import by_chamber
from muonscope.counting.summary import Summary
from muonscope.detector import Detector
from muonscope.processing.report_course import Course, Hole
from muonscope.processing.report_problems import Problem
from muonscope.processing.report_words import sentence
from muonscope.quality.seen import BAD_WORDS
from muonscope.quality.verdict import State
from muonscope.tracking.normal import FINE, units_of
from muonscope.tracking.reconstruct import SIGMA_MM

__all__ = [
    "ChamberRow", "MorningReport", "RunReport", "Telescope", "Trend", "chamber_rows",
    "integrity_of", "velocity_of",
]  # fmt: skip

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """Rates of hits against time, one entry a minute."""

    run_s: Array
    """Time in the run at which the minute begins, s."""
    hz: Array
    """Shape (n_chambers, n)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """A run of which windows came in the period."""

    name: str
    detector: Detector
    conditions: Mapping[str, str]
    compared_with: str
    """What its verdicts compare with; empty if with nothing."""
    begun_at: float
    last_at: float
    """When the newest window came that is in the period, s since 1970."""
    ended_at: float | None
    live_s: float
    """Time in which the telescope was alive, s, in the period."""
    states: Mapping[State, int]
    """Windows by the state of the telescope, in the period."""
    account: Mapping[str, Any]
    """Bytes and rejects of the source, where the run has told them."""
    outside: Mapping[str, int]
    """Words that belong to no window, by kind."""
    notes: tuple[Note, ...]
    """Those written in the period."""
    signed: Signature | None
    """What was signed last."""
    course: Course
    trend: Trend | None
    """None where minutes are damaged."""

    @property
    def worst(self) -> State:
        """The worst state that the telescope was in."""
        return max(self.states, default=State.NOT_ENOUGH)


@dataclass(frozen=True, slots=True, kw_only=True)
class Telescope:
    """What one detector has counted in all runs of the period."""

    detector: Detector
    total: Summary
    reference: Summary | None
    """Good windows of the run that it is compared with."""
    reference_told: str
    """Which run that is and why, or why there is none."""
    week_ago: Summary | None
    """What was counted in the same hours a week ago."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChamberRow:
    """A chamber beside what it was; NaN where something is not known."""

    label: str
    hz: float
    reference_hz: float
    week_ago_hz: float
    efficiency: float
    reference_efficiency: float
    week_ago_efficiency: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MorningReport:
    """What came in a period, what was wrong with it, and what waits for somebody."""

    archive: str
    """Its name."""
    since: float
    until: float
    """The period, s since 1970."""
    runs: tuple[RunReport, ...]
    """In the order in which they began."""
    telescopes: tuple[Telescope, ...]
    holes: tuple[Hole, ...]
    """Times without data, in runs and between them."""
    problems: tuple[Problem, ...]
    """Those that no other one explains, known ones last, the worst first."""
    waiting: tuple[str, ...]
    """What waits for somebody."""
    damaged: tuple[str, ...]
    """What could not be read, in words."""

    @property
    def states(self) -> dict[State, int]:
        """Windows of all runs by state."""
        found: dict[State, int] = {}
        for run in self.runs:
            for state, n in run.states.items():
                found[state] = found.get(state, 0) + n
        return found

    @property
    def live_s(self) -> float:
        """Time in which telescopes were alive, s."""
        return sum(run.live_s for run in self.runs)

    @property
    def good(self) -> tuple[int, int]:
        """Windows that are good, and those that were judged at all."""
        states = self.states
        judged = sum(n for state, n in states.items() if state is not State.NOT_ENOUGH)
        return states.get(State.GOOD, 0), judged

    @property
    def sentence(self) -> str:
        """All of it in one sentence."""
        known = sum(bool(p.known) for p in self.problems)
        new = sum(p.new and not p.known for p in self.problems)
        return sentence(
            period_s=self.until - self.since, live_s=self.live_s if self.runs else float("nan"),
            good=self.good, problems=(new, len(self.problems) - new - known, known),
            holes=len(self.holes), waiting=self.waiting,
        )  # fmt: skip

    @property
    def worst(self) -> State:
        """The worst problem that counts; GOOD if there is none."""
        return max((p.worst for p in self.problems if not p.known), default=State.GOOD)


def chamber_rows(told: Telescope) -> list[ChamberRow]:
    """Return a row for each chamber."""
    sides = [told.total, told.reference, told.week_ago]
    hz = [_hz(told.detector, side) for side in sides]
    seen = [_efficiency(told.detector, side) for side in sides]
    return [
        ChamberRow(
            label=chamber.label, hz=hz[0][c], reference_hz=hz[1][c], week_ago_hz=hz[2][c],
            efficiency=seen[0][c], reference_efficiency=seen[1][c], week_ago_efficiency=seen[2][c],
        )
        for c, chamber in enumerate(told.detector.chambers)
    ]  # fmt: skip


def velocity_of(summary: Summary | None, detector: Detector) -> tuple[float, float]:
    """Return the drift velocity that tracks tell and its error, um/ns; NaN where there are none."""
    normal = None if summary is None else summary.arrays.get("track_normal")
    if normal is None or normal[0, 0] <= 0:
        return float("nan"), float("nan")
    velocity, unit = detector.drift_velocity_um_per_ns, float(units_of(1)[0])
    weight = float(normal[0, 0])
    told = velocity * (1 + unit * float(normal[0, -1]) / weight)
    return told, velocity * unit * SIGMA_MM / math.sqrt(weight / FINE)


def integrity_of(told: Telescope) -> dict[str, int]:
    """Return how many words are of a kind that a healthy run has not."""
    counts = told.total.accounting.as_dict()
    repeated = told.total.arrays.get("repeated")
    counts["repeated"] = 0 if repeated is None else int(repeated.sum())
    return {kind: counts[kind] for kind in BAD_WORDS}


def _hz(detector: Detector, summary: Summary | None) -> list[float]:
    if summary is None or not summary.live_s:
        return [float("nan")] * detector.n_chambers
    rates: list[float] = (summary.hits_per_chamber / summary.live_s).tolist()
    return rates


def _efficiency(detector: Detector, summary: Summary | None) -> list[float]:
    if summary is None or "cell_expected" not in summary.arrays:
        return [float("nan")] * detector.n_chambers
    expected, seen = (
        by_chamber(detector, summary.arrays[n]) for n in ("cell_expected", "cell_seen")
    )
    nothing = np.full(len(expected), np.nan)
    shares: list[float] = np.divide(seen, expected, out=nothing, where=expected > 0).tolist()
    return shares
