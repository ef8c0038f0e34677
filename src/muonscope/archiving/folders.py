"""Where an archive keeps what: the names of its folders and files.

::

    ARCHIVE/catalogue.sqlite                 made of the files below, and made again at will
    ARCHIVE/runs/RUN/run.json                what the run is
    ARCHIVE/runs/RUN/windows/E000-H0012.parquet    the windows of an epoch and hour, sealed
    ARCHIVE/runs/RUN/open/E000-H0013.00.journal    those that are not sealed yet
    ARCHIVE/runs/RUN/minutes/E000-D0000.parquet    counters by minute, made of the windows
    ARCHIVE/runs/RUN/reference.json          what the run's verdicts compare with
    ARCHIVE/runs/RUN/notes.jsonl             what people wrote on it
    ARCHIVE/runs/RUN/good.jsonl              which windows are good, signed
"""

import fcntl
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self
from urllib.parse import quote, unquote

from muonscope.errors import SinkError, SourceNotFoundError
from muonscope.transports.writing import why
from muonscope.units import ORBIT_S

__all__ = ["ArchiveFolder", "Part", "RunFolder", "is_archive", "is_run"]

_RUNS = "runs"
_RUN_FILE = "run.json"
_HOURS_A_DAY = 24
_ORBITS_AN_HOUR = 3600.0 / ORBIT_S


class Part(NamedTuple):
    """An hour of detector time in an epoch: the windows that are sealed together."""

    epoch: int
    hour: int

    @classmethod
    def of(cls, epoch: int, first_orbit: int) -> Self:
        """Return the part that a window with this first orbit belongs to."""
        return cls(epoch, int(first_orbit / _ORBITS_AN_HOUR))

    @classmethod
    def named(cls, name: str) -> Self:
        """Return the part that a file is of.

        Raises
        ------
        ValueError
            If it is named otherwise.
        """
        epoch, hour = name.split(".", 1)[0].split("-", 1)
        if (epoch[:1], hour[:1]) != ("E", "H"):
            raise ValueError(f"found {name!r}, expected a name such as E000-H0012")
        return cls(int(epoch[1:]), int(hour[1:]))

    @property
    def name(self) -> str:
        """Name of its files, without their ending."""
        return f"E{self.epoch:03}-H{self.hour:04}"

    @property
    def day(self) -> str:
        """Name of the file with its minutes."""
        return f"E{self.epoch:03}-D{self.hour // _HOURS_A_DAY:04}"


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The folder of one run."""

    path: Path

    @property
    def run(self) -> str:
        """Name of the run."""
        return unquote(self.path.name)

    @property
    def about(self) -> Path:
        """The file that says what the run is."""
        return self.path / _RUN_FILE

    @property
    def reference(self) -> Path:
        """The file with what its verdicts compare with."""
        return self.path / "reference.json"

    @property
    def notes(self) -> Path:
        """The file with the notes on it."""
        return self.path / "notes.jsonl"

    @property
    def signatures(self) -> Path:
        """The file that says which windows are good, and who says so."""
        return self.path / "good.jsonl"

    @property
    def is_empty(self) -> bool:
        """Whether it has no window."""
        return not self.sealed() and not self.journals()

    def sealed(self) -> dict[Part, Path]:
        """Return the sealed parts, in their order."""
        return {part: self.sealed_file(part) for part in _parts(self.path / "windows", ".parquet")}

    def sealed_file(self, part: Part) -> Path:
        """Return the file of a part that is sealed."""
        return self.path / "windows" / f"{part.name}.parquet"

    def journals(self) -> dict[Part, list[Path]]:
        """Return the journals of each part that has any, oldest first."""
        folder = self.path / "open"
        found = {part: sorted(folder.glob(f"{part.name}.*.journal"), key=_number)
                 for part in _parts(folder, ".journal")}  # fmt: skip
        return {part: paths for part, paths in found.items() if paths}

    def new_journal(self, part: Part) -> Path:
        """Return the name of one more journal of a part."""
        before = self.journals().get(part, [])
        number = _number(before[-1]) + 1 if before else 0
        return self.path / "open" / f"{part.name}.{number:02}.journal"

    def minutes_file(self, part: Part) -> Path:
        """Return the file with the minutes of the day of a part."""
        return self.path / "minutes" / f"{part.day}.parquet"

    def minutes(self) -> list[Path]:
        """Return the files of minutes, in the order of time."""
        return sorted((self.path / "minutes").glob("E*-D*.parquet"), key=_day)

    def lock(self) -> "RunLock":
        """Create the folder if need be; keep other processes from writing to it.

        Raises
        ------
        SinkError
            If another process writes to it, or it cannot be written.
        """
        return RunLock(self)


class RunLock:
    """Keeps other processes from writing to a run, until it is released or this one ends."""

    def __init__(self, folder: RunFolder) -> None:
        """Lock."""
        try:
            for name in ("windows", "open", "minutes"):
                (folder.path / name).mkdir(parents=True, exist_ok=True)
            self._file = (folder.path / "lock").open("w")
        except OSError as exc:
            raise SinkError(f"{folder.path}: cannot be written: {why(exc)}") from exc
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for path in folder.path.glob("**/.*.part"):  # left by a process that was killed
                path.unlink(missing_ok=True)
        except BlockingIOError as exc:
            self._file.close()
            raise SinkError(
                f"{folder.path}: another process archives run {folder.run} here;"
                " choose another --run or another --archive"
            ) from exc
        except OSError as exc:
            self._file.close()
            raise SinkError(f"{folder.path}: cannot be locked: {why(exc)}") from exc

    def release(self) -> None:
        """Let others write."""
        self._file.close()


@dataclass(frozen=True, slots=True)
class ArchiveFolder:
    """The folder of an archive."""

    path: Path

    @property
    def catalogue(self) -> Path:
        """The catalogue."""
        return self.path / "catalogue.sqlite"

    def run(self, name: str) -> RunFolder:
        """Return the folder of a run, which may not be there."""
        quoted = quote(name, safe=" +,;=@()")
        if quoted.startswith("."):
            quoted = "%2E" + quoted[1:]
        return RunFolder(self.path / _RUNS / quoted)

    def runs(self) -> list[RunFolder]:
        """Return the folders of all runs, sorted by name.

        Raises
        ------
        SourceNotFoundError
            If this is no archive.
        """
        if not (self.path / _RUNS).is_dir():
            raise SourceNotFoundError(
                f"{self.path}: is no archive; expected a folder that --archive has made"
            )
        return [RunFolder(p.parent) for p in sorted((self.path / _RUNS).glob(f"*/{_RUN_FILE}"))]


def is_archive(path: Path) -> bool:
    """Tell whether a folder is an archive."""
    return any((path / _RUNS).glob(f"*/{_RUN_FILE}"))


def is_run(path: Path) -> bool:
    """Tell whether a folder is that of a run in an archive."""
    return (path / _RUN_FILE).is_file() and path.resolve().parent.name == _RUNS


def _parts(folder: Path, ending: str) -> list[Part]:
    """Return the parts that have a file in a folder, sorted; files of others are left alone."""
    found = set[Part]()
    for path in folder.glob(f"E*-H*{ending}"):
        try:
            found.add(Part.named(path.name))
        except ValueError:
            continue
    return sorted(found)


def _number(path: Path) -> int:
    told = path.name.split(".")[1]
    return int(told) if told.isdecimal() else 0


def _day(path: Path) -> tuple[int, int]:
    epoch, day = path.stem.split("-", 1)
    return int(epoch[1:]), int(day[1:])
