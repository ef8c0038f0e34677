"""The message of a window read back: its counts as a Summary, checked against the detector.

A message may come from anywhere, so nothing of it is believed: what is missing, of another
type, out of range or against the accounting law is a :class:`FormatError` that names the
place. Unknown keys are left alone.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from muonscope.counting.block import Arrays, Block, Lists
from muonscope.counting.blocks import BLOCKS
from muonscope.counting.summary import Summary
from muonscope.counting.told import Told, number, part, short, whole
from muonscope.counting.window_table import WindowSummary
from muonscope.detector import Detector
from muonscope.errors import FormatError
from muonscope.results.conditions import read_conditions
from muonscope.results.message import NO_CONDITIONS, SCHEMA, ByteAccounting
from muonscope.results.schemas import VERSION, version_of, version_problem

__all__ = ["MAX_MESSAGE_BYTES", "Remainder", "Result", "WindowResult", "read_result"]

MAX_MESSAGE_BYTES = 16 << 20
"""Longer messages are refused unread."""

_MOST = 1 << 53
_MOST_ORBITS = 1 << 33
_MOST_TEXT = 1_000
_MOST_REJECTS = 100
"""Codes of rejects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowResult:
    """The counts of one window of a run."""

    run: str
    epoch: int
    window: int
    first_orbit: int
    last_orbit: int
    """Inclusive."""
    summary: Summary
    """Its counts, condensed."""
    lists: Lists
    """Those lists of its blocks that a message tells in full."""
    conditions: Mapping[str, str]
    """What people named of the run."""
    detector_hash: str
    """Changes with the detector's description; empty in results of version 1."""
    version: int
    """Of the message."""
    windows: int = 1
    """Windows that it is the sum of: more than one in what an archive tells."""

    @classmethod
    def of(
        cls, window: WindowSummary, run: str, conditions: Mapping[str, str] = NO_CONDITIONS
    ) -> "WindowResult":
        """Return what the message of a window says, without making it.

        The lists are all of those that the summary has.

        Raises
        ------
        ValueError
            If the summary is condensed.
        """
        if window.summary.lists is None:
            raise ValueError("a WindowResult needs a summary with detail, found a condensed one")
        return cls(
            run=run,
            epoch=window.epoch,
            window=window.window,
            first_orbit=window.first_orbit,
            last_orbit=window.last_orbit,
            summary=window.summary.condensed(),
            lists=window.summary.lists,
            conditions=conditions,
            detector_hash=window.summary.detector.fingerprint,
            version=VERSION,
        )

    @property
    def orbits(self) -> tuple[npt.NDArray[np.int64], ...]:
        """For each chamber, the orbits that have hits, counted from ``first_orbit``."""
        return tuple(some.astype(np.int64) - self.first_orbit for some in self.lists["orbits"])

    @property
    def orbit_hits(self) -> tuple[npt.NDArray[np.int64], ...]:
        """Hits of the chamber in each of them."""
        return self.lists["orbit_hits"]

    @property
    def place(self) -> tuple[int, int]:
        """Epoch and window: the order of windows in a run."""
        return self.epoch, self.window


@dataclass(frozen=True, slots=True, kw_only=True)
class Remainder:
    """The counts of what belongs to no window of a run."""

    run: str
    summary: Summary
    bytes: ByteAccounting


Result = WindowResult | Remainder
"""What a message says."""


def read_result(data: bytes, detector: Detector, blocks: Sequence[Block] = BLOCKS) -> Result:
    """Return what the message ``data`` of a run of ``detector`` says of ``blocks``.

    Raises
    ------
    FormatError
        If it is no such message; the text says what was found where, and what was expected.
    """
    if len(data) > MAX_MESSAGE_BYTES:
        raise FormatError(f"found a message of {len(data):,} bytes, at most {MAX_MESSAGE_BYTES:,}")
    try:
        message = orjson.loads(data)
    except orjson.JSONDecodeError as exc:
        raise FormatError(f"found {short(data)}, expected a JSON object: {exc}") from exc
    if not isinstance(message, dict):
        raise FormatError(f"found {short(message)}, expected a JSON object")
    if problem := version_problem(message.get("schema")):
        raise FormatError(problem)
    if not version_of(message.get("schema")):
        raise FormatError(f"schema: found {short(message.get('schema'))}, expected {SCHEMA!r}")
    if message.get("detector") != detector.name:
        found = short(message.get("detector"))
        raise FormatError(f"detector: found {found}, expected {detector.name!r}")
    run = _text(message, "run")
    if message.get("window", 0) is None:
        return _remainder(message, run, detector, blocks)
    return _window(message, run, detector, blocks)


def _window(
    message: dict[str, Any], run: str, detector: Detector, blocks: Sequence[Block]
) -> WindowResult:
    first, last = (whole(message, name, _MOST_ORBITS) for name in ("first_orbit", "last_orbit"))
    if last < first:
        raise FormatError(f"last_orbit: found {last}, expected {first} or more")
    epoch, window = (whole(message, name, _MOST) for name in ("epoch", "window"))
    summary, lists = _counts(message, detector, blocks, first, last - first + 1)
    return WindowResult(
        run=run, epoch=epoch, window=window, first_orbit=first, last_orbit=last,
        summary=summary, lists=lists, version=version_of(message["schema"]),
        conditions=read_conditions(message.get("conditions", {})),
        detector_hash=_text(message, "detector_hash") if "detector_hash" in message else "",
    )  # fmt: skip


def _remainder(
    message: dict[str, Any], run: str, detector: Detector, blocks: Sequence[Block]
) -> Remainder:
    counted, rejects = part(message, "bytes"), {}
    told = part(counted, "rejects")
    if len(told) > _MOST_REJECTS:
        raise FormatError(f"bytes.rejects: found {len(told):,} codes, at most {_MOST_REJECTS}")
    for name, n in told.items():
        rejects[name[:_MOST_TEXT]] = number(n, f"bytes.rejects.{name[:_MOST_TEXT]}", _MOST)
    names = ("bytes_in", "bytes_decoded", "bytes_rejected")
    account = ByteAccounting(**{n: whole(counted, n, _MOST) for n in names}, rejects=rejects)
    summary, _ = _counts(message, detector, blocks, 0, 0)
    return Remainder(run=run, summary=summary, bytes=account)


def _counts(
    message: dict[str, Any], detector: Detector, blocks: Sequence[Block], first: int, orbits: int
) -> tuple[Summary, Lists]:
    """Return what the blocks read, in a condensed Summary, and the lists beside it."""
    chambers = [part(message, f"chamber{c}") for c in range(detector.n_chambers)]
    told = Told(
        detector=detector, message=message, chambers=chambers, first_orbit=first, orbits=orbits,
        version=version_of(message["schema"]),
    )  # fmt: skip
    found = [block.read(told) for block in blocks]
    arrays: Arrays = {name: array for read in found for name, array in read.arrays.items()}
    lists: Lists = {name: some for read in found for name, some in read.lists.items()}
    summary = Summary(detector=detector, live_orbits=orbits, arrays=arrays, blocks=tuple(blocks))
    return summary, lists


def _text(found: dict[str, Any], name: str) -> str:
    value = found.get(name)
    if not isinstance(value, str) or len(value) > _MOST_TEXT:
        raise FormatError(f"{name}: found {short(value)}, expected at most {_MOST_TEXT} letters")
    return value
