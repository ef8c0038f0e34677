"""Archives for tests: simulated windows at any place, and what is counted of them elsewhere."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from helpers.judged import windows
from muonscope.archiving.archive import Archive
from muonscope.archiving.archived_run import ArchivedRun
from muonscope.archiving.folders import ArchiveFolder
from muonscope.archiving.journal import Kept
from muonscope.archiving.run_file import ChangeRecord, RunFile
from muonscope.archiving.run_writer import RunWriter
from muonscope.counting.summary import Summary
from muonscope.detector import Detector
from muonscope.quality.verdict import State
from muonscope.results.read_message import WindowResult
from muonscope.simulation.options import detector_of

__all__ = [
    "AN_HOUR", "OPENED", "SECOND", "Place", "about", "archive_of", "as_told", "change", "detector",
    "kept", "placed", "run_of", "same_counts", "state_at", "sums", "writer_of",
]  # fmt: skip

SECOND = 11_223
"""Orbits of a window of a second."""

AN_HOUR = 3601
"""The first window of a second that begins in the second hour."""

Place = tuple[int, int]

OPENED: list[Archive] = []
"""What tests have opened, to be closed at their end."""

_SECONDS = 40.0


def detector() -> Detector:
    """Return the detector of these windows."""
    return detector_of("quiet")


@cache
def placed(place: Place, *, tracks: bool = False) -> WindowResult:
    """Return the window at a place: one of a short simulation, moved there."""
    some = windows("quiet", _SECONDS, tracks=tracks)[1:-1]
    found = some[(7 * place[1] + 3 * place[0]) % len(some)]
    first = place[1] * SECOND
    lists = dict(found.lists)
    lists["orbits"] = tuple(
        (orbits.astype(np.int64) - found.first_orbit + first).astype(np.uint32)
        for orbits in found.lists["orbits"]
    )
    return replace(
        found, run="r", epoch=place[0], window=place[1], first_orbit=first,
        last_orbit=first + SECOND - 1, lists=lists,
    )  # fmt: skip


def state_at(place: Place) -> State:
    """Return the state of the telescope after a window: it is bad for a while, now and then."""
    return State.BAD if place[1] % 97 < 10 else State.GOOD


def change(place: Place, before: State, after: State, target: str = "ch1") -> ChangeRecord:
    """Return a verdict that changed."""
    return ChangeRecord(
        epoch=place[0], window=place[1], at=_at(place), run_s=float(place[1]),
        check="chamber_rate", target=target, before=before.label, state=after.label, text="half",
        value=1.5, expected=3.0, unit="Hz", score=1.25,
    )  # fmt: skip


def kept(place: Place, *, tracks: bool = False, changes: Sequence[ChangeRecord] = ()) -> Kept:
    """Return a window as an archive keeps it."""
    return Kept.of(placed(place, tracks=tracks), _at(place), state_at(place), changes)


def _at(place: Place) -> float:
    return 1_700_000_000.0 + 100_000 * place[0] + place[1]


def about(run: str = "r", *, tracks: bool = False, **other: Any) -> RunFile:
    """Return what a run of these windows is."""
    told: dict[str, Any] = {
        "run": run, "detector": detector().name, "detector_hash": detector().fingerprint,
        "detector_toml": RunFile.described(detector()), "window_orbits": SECOND,
        "tracking": tracks, "conditions": {"hv": "3600"}, "begun_at": 1_700_000_000.0,
    }  # fmt: skip
    return RunFile(**(told | other))


def writer_of(folder: Path, run: str = "r", *, tracks: bool = False, **options: Any) -> RunWriter:
    """Begin or go on with a run."""
    place = ArchiveFolder(folder).run(run)
    return RunWriter(place, about(run, tracks=tracks), detector(), **options)


def archive_of(
    folder: Path, places: Iterable[Place], *, run: str = "r", tracks: bool = False,
    whole: bool = True,
) -> Path:  # fmt: skip
    """Archive the windows at some places; seal them all if it is ``whole``."""
    writer = writer_of(folder, run, tracks=tracks)
    for place in places:
        assert writer.take(kept(place, tracks=tracks))
        writer.settle()
    writer.settle(whole=whole)
    writer.close()
    return folder


def run_of(folder: Path, run: str = "r") -> ArchivedRun:
    """Return a run of an archive; it is closed when the test has ended."""
    OPENED.append(Archive(folder))
    return OPENED[-1][run]


def sums(places: Iterable[Place], *, tracks: bool = False) -> dict[str, np.ndarray]:
    """Return the counts of the windows at some places, added up here."""
    total: dict[str, np.ndarray] = {}
    for place in places:
        for name, array in placed(place, tracks=tracks).summary.arrays.items():
            total[name] = total.get(name, 0) + array
    total.pop("track_sample", None)  # the earliest events, which do not add up
    return total


def same_counts(summary: Summary, arrays: Mapping[str, np.ndarray]) -> bool:
    """Tell whether counts that add up are those."""
    return all(np.array_equal(summary.arrays[name], arrays[name]) for name in arrays)


def as_told(folder: Path, run: str = "r") -> dict[str, Any]:
    """Return all that an archive says of a run, to be compared: windows, minutes, verdicts."""
    with Archive(folder) as archive:
        found, minutes = archive[run], archive[run].minutes()
        table, total = found.table(), found.total()
        fine = ["epoch", "window", "first_orbit", "live_orbits", "at", "state", "class_words"]
        names = [name for name in minutes.column_names if name != "hour"]
        return {
            "windows": table.select(fine).to_pylist(),
            "minutes": minutes.select(names).to_pylist(),
            "total": {name: array.tolist() for name, array in total.arrays.items()},
            "live_orbits": total.live_orbits, "states": found.states, "n": found.windows,
            "changes": found.changes,
        }  # fmt: skip
