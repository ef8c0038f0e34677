"""The archivist: gives the windows of any runs to an archive, with the verdicts on them."""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from muonscope.archiving.archive import Archive
from muonscope.archiving.catalogue import Catalogue
from muonscope.archiving.folders import ArchiveFolder
from muonscope.archiving.journal import Kept
from muonscope.archiving.run_file import ChangeRecord, RunFile, read_reference
from muonscope.archiving.run_writer import RunWriter
from muonscope.detector import Detector
from muonscope.errors import OptionError, SinkError
from muonscope.events import Event, EventKind, Tell
from muonscope.quality.judge import Judge
from muonscope.quality.reference import Reference
from muonscope.quality.verdict import Change, State
from muonscope.results.read_message import Remainder, Result, WindowResult

__all__ = ["Archivist", "Noted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """A result, and what was judged of it."""

    result: Result
    at: float
    """When it came, s since 1970."""
    state: State
    """Of the telescope after it."""
    changes: tuple[Change, ...]
    profile: str
    """Name of the thresholds."""
    reference: Reference | None
    """What it was compared with."""

    @classmethod
    def of(cls, result: Result, at: float, judge: Judge, changes: Sequence[Change]) -> "Noted":
        """Return what ``judge`` says after it has taken a result."""
        return cls(
            result=result, at=at, state=judge.judged.state, changes=tuple(changes),
            profile=judge.profile.name, reference=judge.reference,
        )  # fmt: skip


class Archivist:
    """Writes what is noted of runs, one at a time."""

    def __init__(
        self, path: str, detector: Detector, tell: Tell, clock: Callable[[], float]
    ) -> None:
        """Touch nothing yet.

        Raises
        ------
        OptionError
            If ``path`` is no folder, or the address of an object store.
        """
        if "://" in path:
            raise OptionError(
                f"--archive: found {path!r}, expected a folder: its journal is written as windows"
                " come, which objects cannot be; copy sealed runs there"
            )
        if Path(path).exists() and not Path(path).is_dir():
            raise OptionError(f"--archive: {path} is a file, expected a folder")
        self._folder = ArchiveFolder(Path(path))
        self._detector, self._tell, self._clock = detector, tell, clock
        self._writer: RunWriter | None = None
        self.differing = 0
        """Windows that were there with other counts, in runs that are closed."""

    def begin(
        self, run: str, window_orbits: int, conditions: Mapping[str, str], *,
        tracking: bool, fresh: bool = False, force: bool = False, resumes: bool = False,
    ) -> RunWriter:  # fmt: skip
        """Begin a run, or go on with it; the run before is closed.

        Raises
        ------
        SinkError
            As :class:`~muonscope.archiving.run_writer.RunWriter` has it.
        """
        self.close()
        if not run:
            raise SinkError("a run without a name cannot be archived; name it with --run")
        about = RunFile(
            run=run, detector=self._detector.name, detector_hash=self._detector.fingerprint,
            detector_toml=RunFile.described(self._detector), window_orbits=window_orbits,
            tracking=tracking, conditions=dict(conditions), begun_at=self._clock(),
            resumes=resumes,
        )  # fmt: skip
        folder = self._folder.run(run)
        self._writer = RunWriter(folder, about, self._detector, fresh=fresh, force=force)
        return self._writer

    def reference(self, run: str) -> Reference | None:
        """Return what verdicts on a run were compared with so far, if it is there.

        Raises
        ------
        FormatError
            If its file is damaged.
        """
        return read_reference(self._folder.run(run).reference, self._detector)

    def length_s(self, run: str) -> float:
        """Return how much time of a run, which must be there, has been archived, s.

        Raises
        ------
        FormatError
            If a part of it is damaged.
        """
        with Archive(self._folder.path) as archive:
            return archive[run].length_s

    def take(self, noted: Noted) -> None:
        """Archive a result; of another run than the last, that one is closed.

        Raises
        ------
        SinkError
            If the disk is full or fails, or another process writes the run.
        """
        result = noted.result
        if isinstance(result, Remainder):
            if self._writer and self._writer.about.run == result.run:
                self._end(noted, result)
            return
        writer = self._writer
        if writer is None or writer.about.run != result.run:
            writer = self._begin_as(result)
        changes = [ChangeRecord.of(change, noted.at) for change in noted.changes]
        if not writer.take(Kept.of(result, noted.at, noted.state, changes)):
            return
        writer.remember(noted.profile, noted.reference)

    def sync(self) -> None:
        """Make durable what was taken.

        Raises
        ------
        SinkError
            If the disk fails.
        """
        if self._writer:
            self._writer.sync()

    def settle(self, *, whole: bool = False, last: tuple[int, int] | None = None) -> None:
        """Seal what is over, as :meth:`RunWriter.settle` does, and tell the catalogue.

        Raises
        ------
        SinkError
            If the disk is full or fails.
        """
        if self._writer and self._writer.settle(whole=whole, last=last):
            self._catalogue()

    def finish(self) -> None:
        """Say that the run has ended, if nobody did."""
        if self._writer and self._writer.about.ended_at is None:
            self._writer.end(self._clock())

    def close(self) -> None:
        """Close the run that is written, and say what became of it."""
        writer, self._writer = self._writer, None
        if writer is None:
            return
        writer.close()
        self.differing += writer.differing
        if writer.windows or writer.again:
            self._catalogue()
            kind = EventKind.ARCHIVE_DIFFERS if writer.differing else EventKind.ARCHIVED
            numbers = {
                "windows": writer.windows, "again": writer.again, "differing": writer.differing
            }  # fmt: skip
            self._tell(
                Event(kind=kind, where=writer.about.run, detail=str(self._folder.path),
                      numbers=numbers)
            )  # fmt: skip

    def _begin_as(self, result: WindowResult) -> RunWriter:
        orbits, tracking = result.summary.live_orbits, "tracked" in result.summary.arrays
        return self.begin(result.run, orbits, result.conditions, tracking=tracking)

    def _end(self, noted: Noted, remainder: Remainder) -> None:
        assert self._writer
        account = {
            "bytes_in": remainder.bytes.bytes_in, "bytes_decoded": remainder.bytes.bytes_decoded,
            "bytes_rejected": remainder.bytes.bytes_rejected, "rejects": remainder.bytes.rejects,
        }  # fmt: skip
        self._writer.end(
            noted.at, account=account, outside=remainder.summary.accounting.as_dict(),
            changes=[ChangeRecord.of(change, noted.at) for change in noted.changes],
        )  # fmt: skip

    def _catalogue(self) -> None:
        """Bring the catalogue up to date; without it nothing is lost, but time."""
        try:
            Catalogue(self._folder).close()
        except (sqlite3.Error, OSError) as exc:
            self._tell(
                Event(kind=EventKind.ARCHIVE_TROUBLE, where=str(self._folder.path), detail=str(exc))
            )
