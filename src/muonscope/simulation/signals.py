"""Signals of channels before the DAQ takes them: arrays side by side, with their truth.

A channel has an address: a cell of the detector by its number, then the scintillator, then
the firmware trigger of each FPGA. Times are ns from the start of the slab that they are
made in (a slab is the stretch of detector time that is simulated at once).
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Any, Self

import numpy as np
import numpy.typing as npt

__all__ = ["Origin", "Rows", "Signals"]


class Origin(IntEnum):
    """What a word comes from."""

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

    __slots__ = ()

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._columns()[0])

    def _columns(self) -> list[npt.NDArray[Any]]:
        return [getattr(self, field.name) for field in fields(self)]  # type: ignore[arg-type]

    def take(self, rows: npt.NDArray[Any] | slice) -> Self:
        """Return some rows: a mask, numbers, or a slice."""
        return type(self)(*(column[rows] for column in self._columns()))

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """Return several one after another; at least one is given."""
        if len(parts) == 1:
            return parts[0]
        return cls(
            *(np.concatenate(columns) for columns in zip(*(p._columns() for p in parts), strict=True))
        )


@dataclass(frozen=True, slots=True)
class Signals(Rows):
    """Signals, each field of shape (n,)."""

    ns: npt.NDArray[np.float64]
    """Time of the signal in the electronics."""
    address: npt.NDArray[np.int64]
    origin: npt.NDArray[np.int8]
    muon: npt.NDArray[np.int64]
    """Number of the muon in the run; -1 if there is none."""
    drift_mm: npt.NDArray[np.float32]
    """True distance from the wire; NaN where there is none."""
    side: npt.NDArray[np.int8]
    """-1 if the muon passed left of the wire (lower x), +1 right, 0 if there is none."""

    @classmethod
    def plain(
        cls,
        ns: npt.NDArray[np.float64],
        address: npt.NDArray[np.int64],
        origin: Origin,
        muon: npt.NDArray[np.int64] | None = None,
    ) -> Self:
        """Return signals of one origin that have no place in a cell."""
        n = len(ns)
        return cls(
            ns,
            address,
            np.full(n, origin, np.int8),
            np.full(n, -1, np.int64) if muon is None else muon,
            np.full(n, np.nan, np.float32),
            np.zeros(n, np.int8),
        )
