"""Text of the DAQ in Bologna to words: seconds, orbit of 12 bits, OBDT pin, BX, TDC.

One hit a line, five columns between blanks, with or without an underscore before them. The
orbit counter wraps every 4096 orbits (0.365 s); the order of the lines and their seconds
unfold it to orbits that count from second 0, modulo 2^32. A pin becomes the channel of its
place in the read-out's list; any other pin keeps its number, plus 256 where that is the
channel of a listed one.

Format and units: README.md of github.com/GiuliaPaggi/MiniDT_online_monitor. That the counter
has 4096 states, not 4095, is inferred from the simulator in the same repository.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from muonscope.detector import Readout
from muonscope.units import ORBIT_S
from muonscope.words.codec import Decoded
from muonscope.words.layout import pack_hits
from muonscope.words.lines import BOM, LineDecoder, reject_of
from muonscope.words.reasons import LONGEST_LINE, TOO_LONG
from muonscope.words.rejects import Reject, RejectCode

__all__ = ["BOLOGNA_COLUMNS", "BolognaDecoder", "Unfolding", "channels_of", "share_of_rows"]

EXAMPLE = "0.005 101 94 2473 15"
"""A line as it should be."""

PINS = 240
"""Pins of an OBDT board, from 0."""

TURN = 4096
"""Orbits after which the counter of that DAQ is 0 again."""

_NAMES = ("seconds", "orbit", "pin", "BX", "TDC")
BOLOGNA_COLUMNS = ", ".join(_NAMES)
"""The columns of a line, in words."""

_HIGHEST = (None, TURN - 1, PINS - 1, 4095, 31)
_BESIDE = 256
_SECONDS = rb"\d{1,12}(?:\.\d{0,30})?(?:[eE][+-]?\d{1,2})?"
_ROW = re.compile(
    rb"[ \t]*(?:_[ \t]+)?(" + _SECONDS + rb")" + rb"[ \t]+(\d{1,9})" * 4 + rb"[ \t\r\n]*"
)
_NUMBER = re.compile(rb"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_MOST_DIGITS = 9
_BACK = 512
_TOGETHER_S = 0.15
_LAG_TURNS, _LAG_TURNS_TOGETHER = 0.5, 0.75
_NEW_RUN_S = 1.0
_FOLLOW = 1 / 1024


def channels_of(pins: Sequence[int]) -> list[int]:
    """Return the channel of every pin of a board, of which ``pins`` are listed in order.

    Examples
    --------
    >>> channels = channels_of((7, 5))
    >>> channels[7], channels[5], channels[0], channels[228]
    (0, 1, 256, 228)
    """
    channels = [pin + (_BESIDE if pin < len(pins) else 0) for pin in range(PINS)]
    for channel, pin in enumerate(pins):
        channels[pin] = channel
    return channels


def share_of_rows(lines: Sequence[bytes]) -> float:
    """Return the part of ``lines`` that are rows of this DAQ, 0 .. 1."""
    return sum(_values(line) is not None for line in lines) / max(1, len(lines))


@dataclass(slots=True)
class Unfolding:
    """Orbits of 12 bits, in the order of the lines, to orbits that count on.

    The order decides within a turn: a step back by less than 512 orbits is one, a longer one
    is a wrap. The seconds, read by a computer and so late by a varying time, decide how many
    turns passed: the nearest number of them after a pause, and one that differs by more than
    0.75 turns (0.27 s) where lines follow one another within 0.15 s. The two clocks drift, so
    their distance is followed slowly. Seconds that fall by more than 1 s begin anew.
    """

    seconds: float = 0.0
    """Of the last line."""
    orbit: int = -1
    """Unfolded orbit of the last line, from second 0; -1 before the first one."""
    offset: float = 0.0
    """Orbits by which the counter is ahead of the seconds."""

    def take(self, seconds: float, orbit: int) -> int:
        """Return the unfolded orbit of the next line, 0 or more."""
        by_seconds = seconds / ORBIT_S
        if self.orbit < 0 or seconds < self.seconds - _NEW_RUN_S:
            self.orbit = orbit + max(0, round((by_seconds - orbit) / TURN)) * TURN
            self.offset = self.orbit - by_seconds
        else:
            step = (orbit - self.orbit + _BACK) % TURN - _BACK
            lag = by_seconds + self.offset - (self.orbit + step)
            together = seconds < self.seconds + _TOGETHER_S
            believed = _LAG_TURNS_TOGETHER if together else _LAG_TURNS
            turns = round(lag / TURN) if abs(lag) > believed * TURN else 0
            found = self.orbit + step + turns * TURN
            self.orbit = found if found >= 0 else orbit
            self.offset -= (by_seconds + self.offset - self.orbit) * _FOLLOW
        self.seconds = seconds
        return self.orbit


class BolognaDecoder(LineDecoder):
    """Lines of the DAQ in Bologna to words; see the module."""

    def __init__(self, readout: Readout) -> None:
        """Decode for ``readout``, which lists pins."""
        super().__init__(readout)
        self._channels = channels_of(readout.pins)
        self._orbits = Unfolding()

    def state(self) -> dict[str, Any]:
        """Return the line number, and how the orbits unfold."""
        orbits = self._orbits
        return super().state() | {"unfolding": [orbits.seconds, orbits.orbit, orbits.offset]}

    def resume(self, position: int, state: Mapping[str, Any]) -> None:
        """Go on from ``position``."""
        super().resume(position, state)
        seconds, orbit, offset = state["unfolding"]
        self._orbits = Unfolding(float(seconds), int(orbit), float(offset))

    def _decode(self, data: bytes, *, final: bool) -> tuple[Decoded, int]:
        done = len(data) if final else data.rfind(b"\n") + 1
        hits: list[tuple[int, int, int, int]] = []
        rejects: list[Reject] = []
        at = len(BOM) if self.position == 0 and data.startswith(BOM) else 0
        for line in _lines(data[at:done]):
            self._rows.line += 1
            values = _values(line) if len(line.rstrip(b"\r\n")) <= LONGEST_LINE else None
            if values is not None:
                seconds, orbit, pin, bx, tdc = values
                unfolded = self._orbits.take(seconds, orbit) & 0xFFFFFFFF
                hits.append((self._channels[pin], unfolded, bx, tdc))
            elif line.strip():
                code, reason = _problem(line)
                offset, number = self.position + at, self._rows.line
                rejects.append(reject_of(code, line, offset, number, reason))
            at += len(line)
        readout = self._rows.readout
        if not hits:
            return Decoded(rejects=rejects), done
        words = pack_hits(readout.hit_head, 0, *zip(*hits, strict=True), version=readout.version)
        return Decoded(words, rejects), done


def _lines(data: bytes) -> list[bytes]:
    """Return the lines of ``data`` with their ends; only newlines end lines."""
    *whole, rest = data.split(b"\n")
    lines = [line + b"\n" for line in whole]
    return [*lines, rest] if rest else lines


def _values(line: bytes) -> tuple[float, int, int, int, int] | None:
    """Return the five numbers of a row, None if it is none."""
    found = _ROW.fullmatch(line)
    if found is None:
        return None
    orbit, pin, bx, tdc = int(found[2]), int(found[3]), int(found[4]), int(found[5])
    if orbit >= TURN or pin >= PINS or bx > 4095 or tdc > 31:
        return None
    return float(found[1]), orbit, pin, bx, tdc


def _problem(line: bytes) -> tuple[RejectCode, str]:
    """Return why a line is no row: the code, and the reason in words."""
    if len(line.rstrip(b"\r\n")) > LONGEST_LINE:
        return RejectCode.BAD_COLUMN_COUNT, TOO_LONG
    parts = line.split()
    parts = parts[1:] if parts[0] == b"_" else parts
    if len(parts) != len(_NAMES):
        text = (
            f"{len(parts)} columns, expected {len(_NAMES)} ({', '.join(_NAMES)}), such as {EXAMPLE}"
        )
        return RejectCode.BAD_COLUMN_COUNT, text
    for name, part, highest in zip(_NAMES, parts, _HIGHEST, strict=True):
        if problem := _field_problem(name, part, highest):
            return problem
    return RejectCode.OUT_OF_RANGE, f"expected seconds of at most 12 digits, such as {EXAMPLE}"


def _field_problem(name: str, part: bytes, highest: int | None) -> tuple[RejectCode, str] | None:
    shown = f"{name} {part[:24].decode('ascii', 'backslashreplace')}"
    if not _NUMBER.fullmatch(part):
        return RejectCode.NOT_A_NUMBER, f"{shown}, expected a decimal number"
    if part.startswith(b"-"):
        return RejectCode.NEGATIVE, f"{shown}, expected 0 or more"
    if highest is None:
        return None
    if not part.isdigit():
        return RejectCode.NOT_AN_INTEGER, f"{shown}, expected a whole number 0..{highest}"
    if len(part) > _MOST_DIGITS or int(part) > highest:
        return RejectCode.OUT_OF_RANGE, f"{shown}, expected 0..{highest}"
    return None
