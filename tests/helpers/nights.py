"""Nights of a simulated telescope in an archive, with a wall clock that tests set."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from helpers.judged import reference
from muonscope.archiving.archivist import Archivist, Noted
from muonscope.counting.blocks import BLOCKS
from muonscope.counting.counter import Counter as WindowCounter
from muonscope.counting.window_table import WindowSummary
from muonscope.quality.judge import Judge
from muonscope.quality.profile import Profile
from muonscope.results.read_message import WindowResult
from muonscope.simulation.faults import parse_fault
from muonscope.simulation.options import Simulation, detector_of
from muonscope.simulation.profiles import profile_named
from muonscope.simulation.telescope import simulate

__all__ = ["EVENING", "archive_night"]

EVENING = 1_793_638_800.0
"""2026-11-02 17:00 UTC: when these nights begin."""


def archive_night(
    archive: Path, run: str, seconds: float, faults: Sequence[str] = (), *,
    begun_at: float = EVENING, ended: bool = True, without: Sequence[range] = (),
    profiles: Sequence[Profile] = (), reset_at: int | None = None,
) -> None:  # fmt: skip
    """Archive a run of the quiet telescope, judged beside a sound quarter of an hour.

    Parameters
    ----------
    ended
        Whether it comes to its end; else it is as a process leaves it that is still writing.
    without
        Windows that never came, counted from the first.
    reset_at
        Window, counted from the first, with which another epoch begins.
    """
    detector, now = detector_of("quiet"), begun_at
    archivist = Archivist(str(archive), detector, lambda _: None, lambda: now)
    judge = Judge(detector, reference=reference(seconds=900.0), profiles=profiles)
    for number, counted in enumerate(_windows(run, seconds, tuple(faults))):
        window = counted
        if any(number in some for some in without):
            continue
        if reset_at is not None and number >= reset_at:
            window = replace(window, epoch=1)
        now = begun_at + number + 1
        changes = judge.take(window, now)
        archivist.take(Noted.of(window, now, judge, changes))
    if ended:
        archivist.finish()
        archivist.settle(whole=True)
    else:
        archivist.sync()
    archivist.close()


def _windows(run: str, seconds: float, faults: tuple[str, ...]) -> Iterator[WindowResult]:
    yield from (WindowResult.of(window, run) for window in _counted(seconds, faults))


@cache
def _counted(seconds: float, faults: tuple[str, ...]) -> list[WindowSummary]:
    detector = detector_of("quiet")
    simulation = Simulation(
        detector=detector, profile=profile_named("quiet"), seconds=seconds, seed=11,
        faults=tuple(parse_fault(fault, detector) for fault in faults),
    )  # fmt: skip
    counter = WindowCounter(detector, None, BLOCKS)
    return [
        window
        for batch in simulate(simulation)
        for table in counter.push_in_parts(batch.stream.words)
        for window in table
    ]
