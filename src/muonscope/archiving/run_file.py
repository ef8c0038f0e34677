"""``run.json``: what an archived run is, in words that outlive the program."""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from muonscope._version import __version__
from muonscope.counting.block import Block
from muonscope.counting.blocks import WITH_TRACKS
from muonscope.detector import Detector, parse_detector
from muonscope.detector.write import detector_toml
from muonscope.errors import FormatError, SinkError
from muonscope.quality.reference import Reference
from muonscope.quality.reference_file import parse_reference
from muonscope.quality.verdict import Change, State
from muonscope.transports.writing import why

__all__ = [
    "FORMAT", "ChangeRecord", "RunFile", "read_reference", "read_run_file", "remove_files",
    "sync_folder", "write_whole",
]  # fmt: skip

FORMAT = "muonscope.archive/1"
"""Name and version of all files of a run: columns and keys are only ever added."""


class ChangeRecord(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A verdict that is another one than before, as it is kept."""

    epoch: int
    window: int
    at: float | None = None
    """When it changed by the wall clock, s since 1970."""
    run_s: float
    check: str
    target: str
    before: str
    state: str
    text: str
    value: float = 0.0
    expected: float = 0.0
    unit: str = ""
    span_s: float = 0.0
    score: float = 0.0
    known: str = ""

    @classmethod
    def of(cls, change: Change, at: float) -> "ChangeRecord":
        """Return what a change says; ``at`` is when its window came."""
        verdict, (epoch, window) = change.verdict, change.place
        return cls(
            epoch=epoch, window=window, run_s=float(verdict.since_s),
            at=at if verdict.since_at is None else verdict.since_at,
            check=verdict.check, target=verdict.target, before=change.before.label,
            state=verdict.state.label, text=verdict.text, value=float(verdict.value),
            expected=float(verdict.expected), unit=verdict.unit, span_s=float(verdict.span_s),
            score=float(verdict.score), known=verdict.known,
        )  # fmt: skip

    @property
    def after(self) -> State:
        """The state since then."""
        return State.named(self.state)


class RunFile(Struct, frozen=True, kw_only=True):
    """What a run is, and how it ended."""

    run: str
    detector: str
    """Its name."""
    detector_hash: str
    detector_toml: str
    """Its whole description; of results of others only that of this name."""
    window_orbits: int
    """Orbits in a window."""
    tracking: bool
    """Whether tracks were reconstructed."""
    conditions: dict[str, str]
    begun_at: float
    """When the first window came, s since 1970."""
    profile: str = ""
    """Name of the thresholds of its verdicts."""
    reference: str = ""
    """What its verdicts compare with."""
    ended_at: float | None = None
    """When the run came to its end; None while it has not."""
    account: dict[str, Any] | None = None
    """Bytes and rejects of the source, where the run has told them."""
    resumes: bool = False
    """Whether its process keeps a state, and may take back the windows that are not sealed."""
    outside: dict[str, Any] = {}
    """Words that belong to no window, by kind."""
    end_changes: list[ChangeRecord] = []
    """Verdicts that came with the end."""
    format: str = FORMAT
    muonscope: str = __version__
    """The version that began it."""

    @property
    def blocks(self) -> Sequence[Block]:
        """What was counted."""
        return WITH_TRACKS if self.tracking else tuple(b for b in WITH_TRACKS if not b.needs_hits)

    def read_detector(self, where: Path) -> Detector:
        """Return the detector.

        Raises
        ------
        DetectorError
            If its description is damaged.
        """
        return parse_detector(self.detector_toml, where=str(where))

    @staticmethod
    def described(detector: Detector) -> str:
        """Return the description of a detector, from which it is made again."""
        return detector_toml(detector)


def read_run_file(path: Path) -> RunFile:
    """Return what ``run.json`` says.

    Raises
    ------
    FormatError
        If it is damaged, or of a later version.
    """
    try:
        found = msgspec.json.decode(path.read_bytes(), type=RunFile)
    except (OSError, msgspec.MsgspecError) as exc:
        raise FormatError(f"{path}: cannot be read: {exc}") from exc
    if found.format != FORMAT:
        raise FormatError(
            f"{path}: found format {found.format!r}, expected {FORMAT!r}: take a later muonscope"
        )
    return found


def read_reference(path: Path, detector: Detector) -> Reference | None:
    """Return what the verdicts of a run were compared with, if it is known.

    Raises
    ------
    FormatError
        If the file is damaged, or of another detector.
    """
    if not path.exists():
        return None
    try:
        return parse_reference(path.read_bytes(), detector, str(path))
    except OSError as exc:
        raise FormatError(f"{path}: cannot be read: {why(exc)}") from exc


def write_whole(path: Path, data: bytes) -> None:
    """Write a file that is either as before or whole, also after a crash.

    Raises
    ------
    SinkError
        If the disk is full or fails.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        sync_folder(path.parent)
    except OSError as exc:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise SinkError(f"{path}: cannot be written: {why(exc)}") from exc


def remove_files(paths: Sequence[Path]) -> None:
    """Remove files of one folder, for good.

    Raises
    ------
    SinkError
        If the disk fails.
    """
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as exc:
            raise SinkError(f"{path}: cannot be removed: {why(exc)}") from exc
    if paths:
        try:
            sync_folder(paths[0].parent)
        except OSError as exc:
            raise SinkError(f"{paths[0].parent}: cannot be written: {why(exc)}") from exc


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
