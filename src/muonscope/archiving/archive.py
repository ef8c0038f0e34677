"""An archive, read: which runs there are, and each of them."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import pyarrow as pa

from muonscope.archiving.archived_run import ArchivedRun
from muonscope.archiving.catalogue import Catalogue
from muonscope.archiving.folders import ArchiveFolder
from muonscope.archiving.run_file import RunFile, read_run_file
from muonscope.errors import DetectorError, FormatError, OptionError, SourceNotFoundError
from muonscope.quality.verdict import State

__all__ = ["Archive", "archive", "run_row"]

_Made = TypeVar("_Made")
_COLUMNS: tuple[tuple[str, pa.DataType], ...] = (
    ("run", pa.string()), ("detector", pa.string()), ("detector_hash", pa.string()),
    ("conditions", pa.map_(pa.string(), pa.string())),
    ("begun_at", pa.timestamp("ms", "UTC")), ("last_at", pa.timestamp("ms", "UTC")),
    ("ended", pa.bool_()), ("windows", pa.int64()), ("live_s", pa.float64()),
    ("hits", pa.int64()), ("words", pa.int64()), ("epochs", pa.int32()),
    ("good", pa.float64()), ("worst", pa.string()), ("muonscope", pa.string()),
)  # fmt: skip


class Archive:
    """The runs of an archive by name, as they are when it is opened."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Open it.

        Raises
        ------
        SourceNotFoundError
            If there is none.
        """
        self.folder = ArchiveFolder(Path(path))
        self._catalogue = Catalogue(self.folder)
        self._about = self._catalogue.runs()

    @property
    def damaged(self) -> list[str]:
        """What could not be read, in words."""
        return list(self._catalogue.damaged)

    def runs(
        self, *, since: float = 0.0, detector: str = "", where: Mapping[str, str] | None = None,
        worst: str = "",
    ) -> pa.Table:  # fmt: skip
        """Return a row for each run, the newest last; one that cannot be read is in ``damaged``.

        Parameters
        ----------
        since
            Only runs with windows that came since then, s since 1970.
        detector
            Only those of this detector: its name, or its hash.
        where
            Only those with these conditions.
        worst
            Only those that were as bad as this, or worse: ``warn``, ``bad``, ``no data``.

        Raises
        ------
        OptionError
            If there is no such state.
        """
        least = _state(worst) if worst else State.GOOD
        fitting = [n for n, about in self._about.items() if _fits(about, detector, where or {})]
        rows = [
            row for row in self.each(run_row, fitting)
            if row["last_at"] / 1e3 >= since and State.named(row["worst"]) >= least
        ]  # fmt: skip
        rows.sort(key=lambda row: (row["last_at"], row["run"]))
        columns = {n: pa.array([row[n] for row in rows], kind) for n, kind in _COLUMNS}
        return pa.table(columns)

    def each(
        self, work: Callable[[ArchivedRun], _Made], names: Iterable[str] | None = None
    ) -> Iterator[_Made]:
        """Yield what ``work`` makes of each run; one that cannot be read is in ``damaged``."""
        for name in list(self._about) if names is None else names:
            try:
                made = work(self[name])
            except (FormatError, DetectorError) as exc:
                self._note(str(exc))
            else:
                yield made

    def __getitem__(self, name: str) -> ArchivedRun:
        """Return a run.

        Raises
        ------
        SourceNotFoundError
            If there is none of this name.
        FormatError, DetectorError
            If what it is cannot be read.
        """
        if name not in self._about:
            if name in {folder.run for folder in self.folder.runs()}:
                self._about[name] = read_run_file(self.folder.run(name).about)
                return self[name]
            known = ", ".join(list(self._about)[:20]) or "none"
            raise SourceNotFoundError(
                f"{self.folder.path}: has no run {name!r}; there are: {known}"
            )
        return ArchivedRun(self.folder.run(name), self._about[name], self._catalogue)

    def readable(self, name: str) -> ArchivedRun:
        """Return what can be read of a run: hours that are damaged are left out, and told by it.

        Raises
        ------
        SourceNotFoundError
            If there is none of this name.
        """
        run = self[name]
        return ArchivedRun(run.folder, run.about, self._catalogue, whole=False)

    def _note(self, text: str) -> None:
        if text not in self._catalogue.damaged:
            self._catalogue.damaged.append(text)

    def __iter__(self) -> Iterator[str]:
        """Go through the names of the runs."""
        return iter(self._about)

    def __len__(self) -> int:
        """Return the number of runs."""
        return len(self._about)

    def close(self) -> None:
        """Close the catalogue."""
        self._catalogue.close()

    def __enter__(self) -> Self:
        """Return the archive."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()

    def __repr__(self) -> str:
        """Return one line."""
        return f"<archive {self.folder.path}: {len(self)} runs>"


def archive(path: str | os.PathLike[str]) -> Archive:
    """Open an archive that ``--archive`` has written, or is writing.

    Raises
    ------
    SourceNotFoundError
        If there is none.

    Examples
    --------
    >>> import tempfile, muonscope
    >>> folder = tempfile.mkdtemp()
    >>> to = f"{folder}/results.jsonl"
    >>> account = muonscope.process(
    ...     "sim:quiet?seconds=3", to=to, run="R1", archive=f"{folder}/archive"
    ... )
    >>> with muonscope.archive(f"{folder}/archive") as runs:
    ...     list(runs), runs["R1"].total().total_hits == account.total.total_hits
    (['R1'], True)
    """
    return Archive(path)


def _fits(about: RunFile, detector: str, where: Mapping[str, str]) -> bool:
    if detector and detector not in {about.detector, about.detector_hash}:
        return False
    return all(about.conditions.get(name) == value for name, value in where.items())


def _state(label: str) -> State:
    try:
        return State.named(label.upper())
    except KeyError:
        names = ", ".join(state.label.lower() for state in State)
        raise OptionError(f"state: found {label!r}, expected one of {names}") from None


def run_row(run: ArchivedRun) -> dict[str, Any]:
    """Return what the list of runs says of a run, by the names of its columns."""
    about, total, states = run.about, run.total(), run.states
    windows = sum(states.values())
    return {
        "run": about.run, "detector": about.detector, "detector_hash": about.detector_hash,
        "conditions": list(about.conditions.items()),
        "begun_at": round(about.begun_at * 1e3), "last_at": round(run.last_at * 1e3),
        "ended": about.ended_at is not None, "windows": windows, "live_s": total.live_s,
        "hits": total.total_hits, "words": total.accounting.words_in,
        "epochs": len({part.epoch for part in run.parts}
                      | {e for some in run.open_windows for e in some.numbers("epoch").tolist()}),
        "good": states.get(State.GOOD, 0) / windows if windows else None,
        "worst": max(states, default=State.NOT_ENOUGH).label,
        "muonscope": about.muonscope,
    }  # fmt: skip
