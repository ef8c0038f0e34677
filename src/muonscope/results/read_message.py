"""The message of a window read back: its counts as a Summary, checked against the detector.

A message may come from anywhere, so nothing of it is believed: what is missing, of another
type, out of range or against the accounting law is a :class:`FormatError` that names the
place. Unknown keys are left alone.
"""

import reprlib
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from muonscope.counting.summary import DRIFT_BINS, MULTIPLICITIES, IntArray, Summary
from muonscope.counting.word_classes import Timeless
from muonscope.detector import Detector
from muonscope.errors import FormatError
from muonscope.results.message import SCHEMA, ByteAccounting

__all__ = ["MAX_MESSAGE_BYTES", "Remainder", "WindowResult", "read_result"]

MAX_MESSAGE_BYTES = 16 << 20
"""Longer messages are refused unread."""

_MOST = 1 << 53
_MOST_COUNT = 1 << 40
"""Of anything in one window: a month of such windows still adds up in 64 bits."""
_MOST_ORBITS = 1 << 33
_MOST_TEXT = 1_000
_MOST_REJECTS = 100
"""Codes of rejects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowResult:
    """What a message says of one window."""

    run: str
    epoch: int
    window: int
    first_orbit: int
    last_orbit: int
    """Inclusive."""
    summary: Summary
    """Its counts, condensed."""
    orbits: tuple[npt.NDArray[np.int64], ...]
    """For each chamber, the orbits that have hits, counted from ``first_orbit``."""
    orbit_hits: tuple[npt.NDArray[np.int64], ...]
    """Hits of the chamber in each of them."""

    @property
    def place(self) -> tuple[int, int]:
        """Epoch and window: the order of windows in a run."""
        return self.epoch, self.window


@dataclass(frozen=True, slots=True, kw_only=True)
class Remainder:
    """What a message says of what belongs to no window of a run."""

    run: str
    summary: Summary
    bytes: ByteAccounting


def read_result(data: bytes, detector: Detector) -> WindowResult | Remainder:
    """Return what the message ``data`` of a run of ``detector`` says.

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
        raise FormatError(f"found {_short(data)}, expected a JSON object: {exc}") from exc
    if not isinstance(message, dict):
        raise FormatError(f"found {_short(message)}, expected a JSON object")
    if message.get("schema") != SCHEMA:
        raise FormatError(f"schema: found {_short(message.get('schema'))}, expected {SCHEMA!r}")
    if message.get("detector") != detector.name:
        raise FormatError(
            f"detector: found {_short(message.get('detector'))}, expected {detector.name!r}"
        )
    run = _text(message, "run")
    if message.get("window", 0) is None:
        return _remainder(message, run, detector)
    return _window(message, run, detector)


def _window(message: dict[str, Any], run: str, detector: Detector) -> WindowResult:
    first, last = (_whole(message, name, _MOST_ORBITS) for name in ("first_orbit", "last_orbit"))
    if last < first:
        raise FormatError(f"last_orbit: found {last}, expected {first} or more")
    chambers = [_part(message, f"chamber{c}") for c in range(detector.n_chambers)]
    summary = _summary(message, chambers, detector, last - first + 1)
    strips = [_strip(chamber, c, first, last) for c, chamber in enumerate(chambers)]
    return WindowResult(
        run=run,
        epoch=_whole(message, "epoch", _MOST),
        window=_whole(message, "window", _MOST),
        first_orbit=first,
        last_orbit=last,
        summary=summary,
        orbits=tuple(orbits for orbits, _ in strips),
        orbit_hits=tuple(hits for _, hits in strips),
    )


def _remainder(message: dict[str, Any], run: str, detector: Detector) -> Remainder:
    counted, rejects = _part(message, "bytes"), {}
    told = _part(counted, "rejects")
    if len(told) > _MOST_REJECTS:
        raise FormatError(f"bytes.rejects: found {len(told):,} codes, at most {_MOST_REJECTS}")
    for name, n in told.items():
        rejects[name[:_MOST_TEXT]] = _number(n, f"bytes.rejects.{name[:_MOST_TEXT]}", _MOST)
    names = ("bytes_in", "bytes_decoded", "bytes_rejected")
    account = ByteAccounting(**{n: _whole(counted, n, _MOST) for n in names}, rejects=rejects)
    summary = Summary.empty(detector).condensed()
    return Remainder(run=run, summary=_with_others(summary, message, detector), bytes=account)


def _summary(
    message: dict[str, Any], chambers: list[dict[str, Any]], detector: Detector, orbits: int
) -> Summary:
    class_words = np.zeros_like(Summary.empty(detector).class_words)
    scint_hits = np.zeros(detector.n_cells, np.int64)
    for c, chamber in enumerate(chambers):
        described, first = detector.chambers[c], detector.first_cell(c)
        for name, counts in (("hist_CHANNEL", class_words), ("hist_SCINT", scint_hits)):
            channels, hits = _bins(chamber, f"chamber{c}", name)
            low, high = described.first_channel, described.last_channel
            if len(channels) and not (low <= channels.min() and channels.max() <= high):
                raise FormatError(f"chamber{c}.{name}.bin_edges: expected channels {low} .. {high}")
            np.add.at(counts, first + channels - low, hits)
    drift = [_drift(chamber, f"chamber{c}") for c, chamber in enumerate(chambers)]
    tables = [_multiplicity(chamber, f"chamber{c}.", orbits) for c, chamber in enumerate(chambers)]
    tables.append(_multiplicity(message, "", orbits))
    summary = Summary(
        detector=detector,
        live_orbits=orbits,
        class_words=class_words,
        other_words=Summary.empty(detector).other_words,
        scint_hits=scint_hits,
        drift_histogram=np.stack(drift),
        multiplicity=np.stack(tables),
    )
    return _with_others(summary, message, detector)


def _with_others(summary: Summary, message: dict[str, Any], detector: Detector) -> Summary:
    """Return ``summary`` with the words that are no hits, as the accounting tells them."""
    said = _part(message, "accounting")
    n = {
        name: _whole(said, name, _MOST_COUNT)
        for name in Summary.empty(detector).accounting.as_dict()
    }
    class_words, other_words = summary.class_words.copy(), summary.other_words.copy()
    specials = {
        "scintillator": (detector.n_cells, len(detector.scintillators)),
        "trigger": (
            detector.n_cells + len(detector.scintillators), len(detector.firmware_triggers),
        ),
    }  # fmt: skip
    for name, (index, there) in specials.items():
        if n[name] and not there:
            raise FormatError(f"accounting.{name}: found {n[name]}, but {detector.name} has none")
        if there:
            class_words[index] = n[name]
    for name, kind in (
        ("ancillary", Timeless.ANCILLARY), ("unmapped", Timeless.UNMAPPED),
        ("invalid", Timeless.INVALID_HEAD), ("late", Timeless.LATE),
    ):  # fmt: skip
        other_words[kind] = n[name]
    whole = replace(summary, class_words=class_words, other_words=other_words)
    if whole.accounting.as_dict() != n:
        raise FormatError(f"accounting: found {n}, the counts give {whole.accounting.as_dict()}")
    return whole


def _strip(
    chamber: dict[str, Any], c: int, first: int, last: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    orbits, hits = _bins(chamber, f"chamber{c}", "hist_ORBIT")
    if len(orbits) and not (first <= orbits.min() and orbits.max() <= last):
        raise FormatError(f"chamber{c}.hist_ORBIT.bin_edges: expected orbits {first} .. {last}")
    return orbits - first, hits


def _drift(chamber: dict[str, Any], where: str) -> IntArray:
    told = _part(chamber, "drift_histogram")
    ends = [_whole(told, name, _MOST_COUNT) for name in ("below", "above")]
    counts = _array(told, "counts", f"{where}.drift_histogram.", DRIFT_BINS)
    return np.concatenate([ends[:1], counts, ends[1:]])


def _multiplicity(part: dict[str, Any], where: str, orbits: int) -> IntArray:
    """Return a table whose entry 0 is 0, as a Summary has it."""
    table = _array(part, "multiplicity", where, MULTIPLICITIES)
    if table.sum() != orbits:
        raise FormatError(f"{where}multiplicity: found {table.sum()} orbits, expected {orbits}")
    table[0] = 0
    return table


def _bins(chamber: dict[str, Any], where: str, name: str) -> tuple[IntArray, IntArray]:
    told = _part(chamber, name)
    edges = _array(told, "bin_edges", f"{where}.{name}.")
    if (np.diff(edges) <= 0).any():
        raise FormatError(f"{where}.{name}.bin_edges: expected numbers that ascend")
    return edges, _array(told, "bin_counts", f"{where}.{name}.", len(edges))


def _array(part: dict[str, Any], name: str, where: str, length: int | None = None) -> IntArray:
    """Return a list of whole numbers; ``where`` is what comes before its name."""
    told = part.get(name)
    if not isinstance(told, list) or (length is not None and len(told) != length):
        many = "numbers" if length is None else f"{length} numbers"
        raise FormatError(f"{where}{name}: found {_short(told)}, expected a list of {many}")
    if not told:
        return np.empty(0, np.int64)
    if not all(type(n) is int for n in told) or min(told) < 0 or max(told) > _MOST_COUNT:
        raise FormatError(f"{where}{name}: found {_short(told)}, expected whole numbers from 0")
    return np.array(told, np.int64)


def _part(message: dict[str, Any], name: str) -> dict[str, Any]:
    part = message.get(name)
    if not isinstance(part, dict):
        raise FormatError(f"{name}: found {_short(part)}, expected an object")
    return part


def _whole(part: dict[str, Any], name: str, most: int) -> int:
    return _number(part.get(name), name, most)


def _number(value: object, where: str, most: int) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise FormatError(f"{where}: found {_short(value)}, expected a whole number from 0")
    return value


def _text(part: dict[str, Any], name: str) -> str:
    value = part.get(name)
    if not isinstance(value, str) or len(value) > _MOST_TEXT:
        raise FormatError(f"{name}: found {_short(value)}, expected at most {_MOST_TEXT} letters")
    return value


def _short(value: object) -> str:
    # of what is deep or long only the beginning
    text = repr(value[:80]) if isinstance(value, bytes | str) else reprlib.repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
