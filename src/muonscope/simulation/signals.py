"""Signals of channels before the DAQ takes them: arrays side by side, with their truth.

A channel has an address: a cell of the detector by its number, then the scintillator, then
the firmware trigger of each FPGA. Times are ns from the start of the slab that they are
made in (a slab is the stretch of detector time that is simulated at once).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Self

import numpy as np
import numpy.typing as npt

__all__ = ["MARK", "NO_ADDRESS", "Marked", "Origin", "Rows", "Signals", "mark"]


class Origin(IntEnum):
    """The origin of a word."""

    MUON = 0
    DELTA = 1
    """A muon's hit that a delta ray made early."""
    SHOWER = 2
    AFTERPULSE = 3
    NOISE = 4
    SCINTILLATOR = 5
    TRIGGER = 6
    """A firmware trigger among the hits."""
    ANCILLARY = 7
    STALE = 8
    """A word of another run, at the start."""
    DUPLICATE = 9
    """The second of two equal words."""
    CORRUPT = 10
    """A word with flipped bits."""


class Rows:
    """Arrays of one length side by side, taken and joined together."""

    __slots__: tuple[str, ...] = ()

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.columns()[0])

    def columns(self) -> list[npt.NDArray[Any]]:
        """Return the arrays."""
        return [getattr(self, name) for name in self.__slots__]

    def take(self, rows: npt.NDArray[np.int64] | npt.NDArray[np.bool_] | slice) -> Self:
        """Return some rows: numbers (the quickest), a mask, or a slice."""
        return type(self)(*(column[rows] for column in self.columns()))

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Return several one after another; at least one is given."""
        if len(parts) == 1:
            return parts[0]
        columns = zip(*(part.columns() for part in parts), strict=True)
        return cls(*map(np.concatenate, columns))


MARK = np.dtype([("address", "<u2"), ("origin", "i1"), ("side", "i1"), ("drift_mm", "<f4")])
"""What a signal is, in 8 bytes that are moved as one number:

address
    of the channel, ``NO_ADDRESS`` for an ancillary word;
origin
    an :class:`Origin`;
side
    -1 if the muon passed left of the wire (at lower x), +1 right, 0 if there is none;
drift_mm
    true distance from the wire; NaN where there is none.
"""


NO_ADDRESS = 0xFFFF
"""Address of what has no channel."""


def mark(
    address: npt.NDArray[Any],
    origin: Origin | npt.NDArray[np.int8],
    side: int | npt.NDArray[np.int64] = 0,
    drift_mm: float | npt.NDArray[np.float64] = np.nan,
) -> npt.NDArray[np.uint64]:
    """Return marks as plain numbers, shape (n,)."""
    marks = np.empty(len(address), MARK)
    marks["address"], marks["origin"], marks["side"] = address, origin, side
    marks["drift_mm"] = drift_mm
    return marks.view(np.uint64)


class Marked(Rows):
    """Rows that have marks."""

    __slots__ = ()
    marks: npt.NDArray[np.uint64]

    @property
    def whole_marks(self) -> npt.NDArray[Any]:
        """The marks with their fields, to be read and written."""
        return self.marks.view(MARK)

    @property
    def address(self) -> npt.NDArray[np.uint16]:
        """The addresses of the channels."""
        return self.whole_marks["address"]


@dataclass(frozen=True, slots=True)
class Signals(Marked):
    """Signals, each field of shape (n,)."""

    ns: npt.NDArray[np.float64]
    """Time of the signal in the electronics."""
    marks: npt.NDArray[np.uint64]
    """What it is, to be viewed as ``MARK``."""
    muon: npt.NDArray[np.int64]
    """Number of the muon in the run; -1 if there is none."""

    @classmethod
    def plain(
        cls,
        ns: npt.NDArray[np.float64],
        address: npt.NDArray[Any],
        origin: Origin,
        muon: npt.NDArray[np.int64] | None = None,
    ) -> Self:
        """Return signals of one origin that have no place in a cell."""
        muon = np.full(len(ns), -1) if muon is None else muon
        return cls(ns, mark(address, origin), muon)
