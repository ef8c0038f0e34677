"""The catalogue of an archive: what each run and each sealed part is, to be found at once.

Everything in it is made of the files beside it, and made again where it lacks something or
differs from them, so it may be removed at any time. A part's counts stand there added up, which
is why the total of a long run takes no reading of its windows.
"""

import sqlite3
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import zstandard

from muonscope.archiving.folders import ArchiveFolder, Part, RunFolder
from muonscope.archiving.run_file import RunFile, read_run_file
from muonscope.archiving.windows_file import SealedWindows
from muonscope.counting.summary import Summary
from muonscope.detector import Detector
from muonscope.errors import DetectorError, FormatError

__all__ = ["Catalogue", "PartFacts", "remove_catalogue", "stamp_of"]

_VERSION = 1
_PATIENCE_S = 10.0
_TABLES = f"""
BEGIN IMMEDIATE;
CREATE TABLE IF NOT EXISTS runs (run TEXT PRIMARY KEY, stamp TEXT NOT NULL, about TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS parts (
  run TEXT NOT NULL, epoch INTEGER NOT NULL, hour INTEGER NOT NULL, stamp TEXT NOT NULL,
  facts BLOB NOT NULL, total BLOB NOT NULL, PRIMARY KEY (run, epoch, hour));
PRAGMA user_version = {_VERSION};
COMMIT;
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartFacts:
    """What a sealed part is, in a few numbers."""

    windows: int
    rows: int
    """Less than windows where it was thinned."""
    first_window: int
    last_window: int
    first_orbit: int
    end_orbit: int
    """Where its last window ends."""
    first_at: float
    last_at: float
    """When windows came, s since 1970."""
    states: dict[str, int]
    """Windows by the state of the telescope."""
    changes: int
    """Verdicts that changed."""


class Catalogue:
    """The catalogue, brought up to date with the files when it is opened."""

    def __init__(self, folder: ArchiveFolder) -> None:
        """Open or make it; where it cannot be written, it is made in memory.

        Raises
        ------
        SourceNotFoundError
            If this is no archive.
        """
        runs = folder.runs()
        self._path = folder.catalogue
        self._base = _opened(folder.catalogue)
        self.damaged: list[str] = []
        """What could not be read of the archive, in words."""
        self._runs: dict[str, RunFile] = {}
        try:
            self._take_in(runs)
        except (sqlite3.DatabaseError, ValueError, zstandard.ZstdError) as exc:
            self._base.close()
            if isinstance(exc, sqlite3.OperationalError):  # only to be read, or a full disk
                self._base = _made(None)
            else:
                remove_catalogue(folder.catalogue)
                self._base = _opened(folder.catalogue)
            self._take_in(runs)
        self._closing = weakref.finalize(self, self._base.close)

    def close(self) -> None:
        """Close it; so does the end of the last run that is read from it."""
        self._closing()

    def _take_in(self, runs: Sequence[RunFolder]) -> None:
        """Take in what has changed in the files."""
        self.damaged.clear()
        self._runs.clear()
        self._drop_others({run.run for run in runs})
        for run in runs:
            try:
                self.refresh(run)
            except (FormatError, DetectorError) as exc:
                self.damaged.append(str(exc))
        for name in self.runs():  # what is damaged of them is found now, and made again
            self.parts(name)

    def runs(self) -> dict[str, RunFile]:
        """Return what each run is, by its name."""
        return dict(sorted(self._runs.items()))

    def parts(self, run: str) -> dict[Part, PartFacts]:
        """Return what the sealed parts of a run are, in their order."""
        rows = self._base.execute(
            "SELECT epoch, hour, facts FROM parts WHERE run = ? ORDER BY epoch, hour", (run,)
        )
        return {
            Part(epoch, hour): msgspec.json.decode(zstandard.decompress(facts), type=PartFacts)
            for epoch, hour, facts in rows
        }

    def totals(self, run: str, parts: Sequence[Part], empty: Summary) -> list[Summary]:
        """Return the counts of parts of a run; ``empty`` says of what and of which detector."""
        found = []
        for part in parts:
            (total,) = self._base.execute(
                "SELECT total FROM parts WHERE run = ? AND epoch = ? AND hour = ?", (run, *part)
            ).fetchone()
            try:
                found.append(_unpacked(total, empty))
            except (ValueError, zstandard.ZstdError) as exc:
                raise FormatError(
                    f"{self._path}: is damaged: {exc}; `muonscope runs rebuild` makes it again"
                ) from exc
        return found

    def refresh(self, folder: RunFolder) -> None:
        """Take in what has changed in the files of a run.

        Raises
        ------
        FormatError, DetectorError
            If what the run is cannot be read. Parts that cannot be are left out, and noted.
        """
        run, stamp = folder.run, stamp_of(folder.about)
        known = self._base.execute("SELECT stamp FROM runs WHERE run = ?", (run,)).fetchone()
        about = self._runs[run] = read_run_file(folder.about)
        if known is None or known[0] != stamp:
            with self._writing() as base:
                text = msgspec.json.encode(about).decode()
                base.execute("INSERT OR REPLACE INTO runs VALUES (?, ?, ?)", (run, stamp, text))
        sealed = folder.sealed()
        there = {
            Part(epoch, hour): stamp
            for epoch, hour, stamp in self._base.execute(
                "SELECT epoch, hour, stamp FROM parts WHERE run = ?", (run,)
            )
        }
        fresh = {part: path for part, path in sealed.items() if there.get(part) != stamp_of(path)}
        if fresh:
            detector = about.read_detector(folder.about)
            for part, path in fresh.items():
                try:
                    self._take(run, part, path, detector, about)
                except FormatError as exc:
                    self.damaged.append(str(exc))
                    del sealed[part]
        if gone := there.keys() - sealed.keys():
            with self._writing() as base:
                base.executemany(
                    "DELETE FROM parts WHERE run = ? AND epoch = ? AND hour = ?",
                    [(run, *part) for part in gone],
                )

    def _take(self, run: str, part: Part, path: Path, detector: Detector, about: RunFile) -> None:
        stamp = stamp_of(path)
        windows = SealedWindows.read(path, detector, about.blocks)
        facts = _checked(msgspec.json.encode(_facts(windows)))
        row = (run, *part, stamp, facts, _packed(windows.total()))
        with self._writing() as base:
            base.execute("INSERT OR REPLACE INTO parts VALUES (?, ?, ?, ?, ?, ?)", row)

    def _drop_others(self, names: set[str]) -> None:
        gone = {run for (run,) in self._base.execute("SELECT run FROM runs")} - names
        if gone:
            with self._writing() as base:
                for table in ("runs", "parts"):
                    base.executemany(f"DELETE FROM {table} WHERE run = ?", [(n,) for n in gone])  # noqa: S608

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """Write all of it or nothing; one process at a time, which waits for the other."""
        self._base.execute("BEGIN IMMEDIATE")
        try:
            yield self._base
        except BaseException:
            self._base.execute("ROLLBACK")
            raise
        self._base.execute("COMMIT")


def _opened(path: Path) -> sqlite3.Connection:
    """Return the catalogue at ``path``; a damaged or older one is made anew."""
    for _ in range(2):
        try:
            return _made(path)
        except sqlite3.OperationalError:  # a folder that is only to be read, or a full disk
            break
        except sqlite3.DatabaseError:
            remove_catalogue(path)
    return _made(None)


def remove_catalogue(path: Path) -> None:
    """Remove a catalogue with all that SQLite keeps beside it, as far as that can be."""
    for name in ("", "-wal", "-shm"):
        with suppress(OSError):
            path.with_name(path.name + name).unlink(missing_ok=True)


def _made(path: Path | None) -> sqlite3.Connection:
    base = sqlite3.connect(
        path or ":memory:", timeout=_PATIENCE_S, isolation_level=None, check_same_thread=False
    )
    try:
        (version,) = base.execute("PRAGMA user_version").fetchone()
        if version not in {0, _VERSION}:
            raise sqlite3.DatabaseError("of another version")  # noqa: TRY301
        base.execute("PRAGMA journal_mode = WAL")
        base.execute("PRAGMA synchronous = NORMAL")  # it can be made again
        if version != _VERSION:
            base.executescript(_TABLES)
    except BaseException:
        base.close()
        raise
    return base


def stamp_of(path: Path) -> str:
    """Return what changes when a file does."""
    stat = path.stat()
    return f"{stat.st_size}-{stat.st_mtime_ns}-{stat.st_ino}"


def _facts(windows: SealedWindows) -> PartFacts:
    states = windows.by_state()
    numbers, at = windows.numbers("window"), windows.numbers("at")
    first, live = windows.numbers("first_orbit"), windows.numbers("live_orbits")
    return PartFacts(
        windows=sum(states.values()), rows=len(windows),
        first_window=int(numbers.min()), last_window=int(numbers.max()),
        first_orbit=int(first.min()), end_orbit=int((first + live).max()),
        first_at=float(at.min()), last_at=float(at.max()),
        states=states,
        changes=len(windows.changes),
    )  # fmt: skip


def _packed(summary: Summary) -> bytes:
    told = [summary.live_orbits, {n: a.ravel().tolist() for n, a in summary.arrays.items()}]
    return _checked(msgspec.msgpack.encode(told))


def _checked(data: bytes) -> bytes:
    """Return data with a checksum, compressed."""
    return zstandard.ZstdCompressor(write_checksum=True).compress(data)


def _unpacked(data: bytes, empty: Summary) -> Summary:
    live, told = msgspec.msgpack.decode(zstandard.decompress(data))
    arrays: dict[str, Any] = {
        name: np.array(told[name], np.int64).reshape(array.shape) if name in told else array
        for name, array in empty.arrays.items()
    }
    return Summary(detector=empty.detector, live_orbits=live, arrays=arrays, blocks=empty.blocks)
