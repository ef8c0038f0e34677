"""The firmware's own reconstruction: ancillary words, and trigger words among the hits.

Where a muon gives hits in three or four layers of one macrocell (four wires wide), the
FPGA writes five ancillary words: HEAD 3, a mask of the hit wires, four bits a layer, the top
layer in the lowest ones; HEAD 1, a number with few bits set, whose meaning is not published
(here it tells two of the wires); HEAD 0, the t0; HEAD 4, the slope; HEAD 5, the position from
the middle of the macrocell. Layouts, order and ranges are those of the recorded sample. A
part of those with four layers gives a word with the hit HEAD on the firmware trigger's
channel, 391.6 ns after the t0.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from muonscope.simulation.chambers import Crossings, Reached
from muonscope.simulation.geometry import LAYERS, Addresses, Geometry
from muonscope.simulation.profiles import Daq
from muonscope.simulation.signals import Origin, Rows, Signals
from muonscope.units import BX_NS, CELL_WIDTH_MM

__all__ = ["Ancillary", "trigger"]

HEADS = (3, 1, 0, 4, 5)
"""The order of the words of one trigger."""

_FPGAS = 16
_MACROCELL = 4
_BEFORE = 1
"""Wires of a layer before the first whole macrocell: in five of five clear cases of a recording
(all in macrocell 2) positions are counted from a point that is one cell further than without."""
_NO_WIRE = -100
_STEEPEST = 2.0
"""Slope up to which the firmware's patterns go; the steepest recorded is 1.61."""
_TRIGGER_WORD_NS = 391.6 + BX_NS / 2
"""391.6 as read from words, which show the BX alone: half a BX less than the signal."""
_T0_NS, _SLOPE, _PLACE_MM = 2.4, 0.01, 0.3
"""How well the firmware measures; the resolution of a mean-timer with 4 ns hits."""


@dataclass(frozen=True, slots=True)
class Ancillary(Rows):
    """Ancillary words in the making, each field of shape (n,)."""

    ns: npt.NDArray[np.float64]
    """The t0, from the start of the slab."""
    fpga: npt.NDArray[np.int64]
    head: npt.NDArray[np.int64]
    payload: npt.NDArray[np.int64]
    """What stands in bits 0 .. 23; for HEAD 0 without the t0 itself."""
    muon: npt.NDArray[np.int64]


def trigger(
    rng: np.random.Generator,
    crossings: Crossings,
    seen: Reached,
    numbers: npt.NDArray[np.int64],
    geometry: Geometry,
    addresses: Addresses,
    daq: Daq,
    fpgas: tuple[int, ...],
) -> tuple[Ancillary, Signals]:
    """Return the ancillary words of muons, and the trigger words among the hits.

    ``seen`` are the cells that gave hits.
    """
    share = np.zeros(_FPGAS)
    share[list(fpgas)[: len(daq.trigger_share)]] = daq.trigger_share[: len(fpgas)]
    fpga = geometry.fpga[crossings.chamber]
    enough = np.bincount(seen.crossing[seen.layer < LAYERS], minlength=len(crossings)) >= LAYERS - 1
    chance = rng.random(len(crossings)) < share[fpga]
    chosen = np.flatnonzero(enough & chance & (np.abs(crossings.slope) <= _STEEPEST))
    wire, right = _layers_of(seen, chosen, len(crossings))
    macrocell, bit = np.divmod(wire - _BEFORE, _MACROCELL)
    together = (macrocell[:, :, None] == macrocell[:, None, :]) & (wire != _NO_WIRE)[:, :, None]
    votes = together.sum(axis=2)
    good = np.flatnonzero(votes.max(axis=1) >= LAYERS - 1)
    rows, bit, votes = chosen[good], bit[good], votes[good]
    n, layers = len(rows), votes.max(axis=1)
    used = together[good, votes.argmax(axis=1)]
    normal = rng.standard_normal((3, len(crossings)), np.float32)[:, rows]
    ns = crossings.ns[rows] + _T0_NS * normal[0]
    nibble = np.where(used, 1 << bit, 0)
    mask = (nibble << (4 * np.arange(LAYERS)[::-1])).sum(axis=1)  # the top layer is lowest
    pattern = (right[good] << np.arange(LAYERS)).sum(axis=1)
    best = np.take_along_axis(macrocell[good], votes.argmax(axis=1)[:, None], axis=1)[:, 0]
    left = geometry.first_wire_mm[crossings.chamber[rows]].min(axis=1)
    middle = left + CELL_WIDTH_MM * (_MACROCELL * best + _BEFORE + (_MACROCELL - 1) / 2)
    slope = _half(crossings.slope[rows] + _SLOPE * normal[1])
    place = _half(crossings.x_mm[rows] - middle + _PLACE_MM * normal[2])
    number = 1 << 1 + bit[:, 0] | 1 << 4 + bit[:, 2]
    payload = np.stack([mask, number << 16, pattern, slope, place], axis=1)
    ancillary = Ancillary(
        np.repeat(ns, len(HEADS)),
        np.repeat(fpga[rows], len(HEADS)),
        np.tile(HEADS, n),
        payload.ravel(),
        np.repeat(numbers[crossings.muon[rows]], len(HEADS)),
    )
    address = np.full(_FPGAS, -1)
    for lane, place_of in addresses.trigger.items():
        address[lane] = place_of
    wanted = (layers == LAYERS) & (rng.random(len(crossings))[rows] < daq.trigger_word_share)
    wanted &= address[fpga[rows]] >= 0
    signals = Signals.plain(
        ns[wanted] + _TRIGGER_WORD_NS,
        address[fpga[rows[wanted]]],
        Origin.TRIGGER,
        numbers[crossings.muon[rows[wanted]]],
    )
    return ancillary, signals


def _layers_of(
    seen: Reached, chosen: npt.NDArray[np.int64], crossings: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return wire and side (0 left, 1 right) in each layer of the chosen crossings, (n, 4)."""
    row_of = np.full(crossings, -1)
    row_of[chosen] = np.arange(len(chosen))
    own = np.flatnonzero((seen.layer < LAYERS) & (row_of[seen.crossing] >= 0))
    row, layer = row_of[seen.crossing[own]], seen.layer[own]
    wire = np.full((len(chosen), LAYERS), _NO_WIRE)
    right = np.zeros((len(chosen), LAYERS), np.int64)
    wire[row, layer], right[row, layer] = seen.wire[own], seen.side[own] > 0
    return wire, right


def _half(values: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Return the bits of ``values`` as IEEE half-precision numbers."""
    return values.astype(np.float16).view(np.uint16).astype(np.int64)
