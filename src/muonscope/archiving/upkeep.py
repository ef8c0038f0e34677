"""The upkeep of an archive: made whole again after faults, and thinned when it is old."""

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from muonscope.archiving.archive import Archive
from muonscope.archiving.archived_run import ArchivedRun
from muonscope.archiving.catalogue import remove_catalogue
from muonscope.archiving.folders import ArchiveFolder, Part, RunFolder
from muonscope.archiving.run_file import read_run_file, write_whole
from muonscope.archiving.sealing import rebuild_minutes, seal
from muonscope.archiving.windows_file import SealedWindows, write_windows
from muonscope.archiving.windows_table import thinned_table
from muonscope.errors import FormatError, MuonscopeError, SinkError

__all__ = ["Rebuilt", "Thinning", "rebuild", "thin", "thinnable"]


@dataclass(slots=True)
class Rebuilt:
    """What was made again."""

    runs: int = 0
    sealed: int = 0
    """Hours that had been left open."""
    written: list[str] = field(default_factory=list)
    """Runs that another process writes: they were left alone."""
    damaged: list[str] = field(default_factory=list)
    """What cannot be read, in words."""


def rebuild(path: Path) -> Rebuilt:
    """Seal what is left open, and make minutes and catalogue again from the windows.

    What a process that keeps a state has left open stays so: it may take windows back.

    Raises
    ------
    SourceNotFoundError
        If this is no archive.
    SinkError
        If it cannot be written.
    """
    folder, found = ArchiveFolder(path), Rebuilt()
    for run in folder.runs():
        try:
            lock = run.lock()
        except SinkError:
            found.written.append(run.run)
            continue
        try:
            _rebuild_run(run, found)
        except SinkError:
            raise
        except MuonscopeError as exc:
            found.damaged.append(str(exc))
        finally:
            lock.release()
    remove_catalogue(folder.catalogue)
    with Archive(path) as archive:
        archive.runs()  # which looks into the journals
        found.damaged += [text for text in archive.damaged if text not in found.damaged]
    return found


def _rebuild_run(run: RunFolder, found: Rebuilt) -> None:
    """Make a run whole again; what is damaged of it keeps nothing else from that."""
    about = read_run_file(run.about)
    detector = about.read_detector(run.about)
    for part in () if about.resumes else run.journals():
        try:
            seal(run, part, detector, about.blocks)
        except FormatError as exc:
            found.damaged.append(str(exc))
        else:
            found.sealed += 1
    found.damaged += rebuild_minutes(run, detector, about.blocks)
    found.runs += 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Thinning:
    """A part that can be thinned, and what of it."""

    run: str
    part: Part
    rows: int
    windows: int
    bytes: int


def thinnable(archive: Archive, before: float) -> Iterator[Thinning]:
    """Yield the sealed hours whose windows all came ``before``, s since 1970, one by one."""
    for name in archive:
        run = archive[name]
        for part, facts in run.parts.items():
            if facts.last_at < before:
                size = run.folder.sealed_file(part).stat().st_size
                yield Thinning(
                    run=name, part=part, rows=facts.rows, windows=facts.windows, bytes=size
                )


def thin(run: ArchivedRun, part: Part, *, by_hour: bool) -> int:
    """Put a row for each minute in the place of the windows of an hour; return its new size.

    ``by_hour`` leaves one for each state of the telescope. All that adds up stays exact: counts,
    time, totals, good and bad. What was in which window is gone for good.

    Raises
    ------
    SinkError
        If another process writes the run, or the file cannot be written.
    FormatError
        If the part is damaged.
    """
    lock, path = run.folder.lock(), run.folder.sealed_file(part)
    try:
        seal(run.folder, part, run.detector, run.blocks)
        windows = SealedWindows.read(path, run.detector, run.blocks)
        buffer = io.BytesIO()
        write_windows(thinned_table(windows, by_hour=by_hour), buffer)
        write_whole(path, buffer.getvalue())
    finally:
        lock.release()
    return path.stat().st_size
