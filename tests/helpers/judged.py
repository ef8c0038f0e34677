"""Simulated runs and their judges, for tests of verdicts."""

from collections.abc import Iterable, Sequence
from functools import cache

import quality
from muonscope.counting.blocks import BLOCKS, WITH_TRACKS
from muonscope.quality.judge import Judge
from muonscope.quality.profile import Profile
from muonscope.quality.reference import Reference, ReferenceBuilder
from muonscope.quality.seen import Seen
from muonscope.quality.verdict import Change, State
from muonscope.results.read_message import WindowResult
from muonscope.simulation.options import detector_of

__all__ = ["FAULT_S", "judged", "problems", "reference", "windows"]

FAULT_S = 40.0
"""When the faults of these runs begin, s."""


@cache
def windows(
    profile: str, seconds: float, seed: int = 7, fault: str = "", *, tracks: bool = False
) -> list[WindowResult]:
    """Return the windows of a simulated run."""
    blocks = WITH_TRACKS if tracks else BLOCKS
    return list(quality.windows(profile, seconds, seed, fault, blocks))


@cache
def reference(
    profile: str = "quiet", seconds: float = 1800.0, *, tracks: bool = False
) -> Reference:
    """Return the reference that another run makes."""
    builder = ReferenceBuilder(detector_of(profile))
    for window in windows(profile, seconds, 1000, tracks=tracks):
        builder.add(Seen.of(window))
    made = builder.build("a good run")
    assert made
    return made


def judged(
    some: Iterable[WindowResult], *, known: Reference | None = None, auto: bool = False,
    profiles: Sequence[Profile] = (),
) -> tuple[Judge, list[Change]]:  # fmt: skip
    """Return the judge of some windows, and what it said."""
    rows = list(some)
    detector = rows[0].summary.detector
    judge = Judge(detector, reference=known, auto=auto, profiles=profiles)
    return judge, [change for window in rows for change in judge.take(window)]


def problems(changes: Iterable[Change]) -> list[Change]:
    """Return the changes to something worse."""
    return [c for c in changes if c.verdict.state in {State.WARN, State.BAD, State.NO_DATA}]
