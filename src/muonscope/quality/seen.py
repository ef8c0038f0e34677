"""What a window tells a judge: counts, and how long each part was alive."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from muonscope.counting.blocks.multiplicity import MULTIPLICITIES
from muonscope.counting.summary import Summary
from muonscope.detector import Detector
from muonscope.quality.track_reference import SeenTracks
from muonscope.results.read_message import WindowResult
from muonscope.units import ORBIT_S

__all__ = ["BAD_WORDS", "SYNCHRONOUS_HITS", "Layout", "Seen", "layout_of"]

Array = npt.NDArray[Any]

BAD_WORDS = ("invalid", "unmapped", "late", "repeated")
"""Kinds of words of which a healthy run has none, or always the same share."""

SYNCHRONOUS_HITS = 100
"""An orbit with more hits in a chamber than this is noise of many channels at once (CMS, DT
noise monitor)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Which part of the telescope belongs to which, as indices."""

    n_cells: int
    n_chambers: int
    lanes: tuple[int, ...]
    """FPGAs."""
    lane_of_chamber: Array
    chamber_of_cell: Array
    layer_of_cell: Array
    """Shape (n_cells,): number of the layer among all layers of all chambers."""
    scintillator_lane: int
    """Lane of the first scintillator; -1 without one."""
    cell_names: tuple[str, ...]
    """``ch0:61``."""
    cell_texts: tuple[str, ...]
    """``cell ch0 channel 61 (layer 2, wire 16)``."""


@lru_cache(maxsize=16)
def layout_of(detector: Detector) -> Layout:
    """Return the indices of ``detector``."""
    cells, lanes = detector.cells(), detector.lanes
    specials = detector.special_addresses(detector.scintillators)
    _, layer = np.unique(cells.chamber * 8 + cells.layer, return_inverse=True)
    places = [x.tolist() for x in (cells.chamber, cells.channel, cells.layer, cells.wire)]
    rows = list(zip(*places, strict=True))
    return Layout(
        n_cells=detector.n_cells,
        n_chambers=detector.n_chambers,
        lanes=lanes,
        lane_of_chamber=np.array([lanes.index(c.fpga) for c in detector.chambers]),
        chamber_of_cell=cells.chamber,
        layer_of_cell=layer,
        scintillator_lane=lanes.index(specials[0][1]) if specials else -1,
        cell_names=tuple(f"ch{c}:{channel}" for c, channel, _, _ in rows),
        cell_texts=tuple(f"cell ch{c} channel {n} (layer {k}, wire {w})" for c, n, k, w in rows),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The counts of one window, or of several, as checks want them."""

    window_s: float
    """Detector time that was looked at, s."""
    live_s: float
    """Time in which the telescope was alive, s."""
    lane_live_s: Array
    chamber_live_s: Array
    """Of its FPGA."""
    hits: Array
    """Shape (n_cells,)."""
    occupied: Array
    """Shape (n_cells,): blocks of 1 ms with a hit."""
    chamber_orbits: Array
    """Shape (n_chambers,): orbits with a hit."""
    synchronous: Array
    """Shape (n_chambers,): orbits with more than 100 hits."""
    scint_orbits: Array
    """Shape (n_chambers + 1,): orbits with the scintillator and the chamber; last: all."""
    together: Array
    """Shape (n_chambers, n_chambers): orbits with three hits or more in both."""
    box: Array
    """Shape (n_chambers, 322): drift times of orbits with few hits."""
    lane_words: Array
    words: int
    bad_words: Array
    """Shape (4,): words by :data:`BAD_WORDS`."""
    tells_all: bool
    """Whether all of this is told: results of version 1 tell only some."""
    tracks: SeenTracks | None = None
    """Where tracks are counted."""

    @classmethod
    def of(cls, result: WindowResult) -> "Seen":
        """Return what a window tells."""
        return cls.of_summary(result.summary, tells_all=result.version > 1)

    @classmethod
    def of_summary(cls, summary: Summary, *, tells_all: bool = True) -> "Seen":
        """Return what counts tell."""
        arrays, layout = summary.arrays, layout_of(summary.detector)
        account = summary.accounting
        lane_live = arrays["lane_orbits"] * ORBIT_S
        n = layout.n_chambers
        scint = arrays["scint_orbits"]
        if not tells_all:
            scint = np.append(np.zeros(n, np.int64), account.scintillator)
        first = SYNCHRONOUS_HITS + 1 - (MULTIPLICITIES - 1)
        return cls(
            window_s=summary.live_orbits * ORBIT_S,
            live_s=summary.live_s,
            lane_live_s=lane_live,
            chamber_live_s=lane_live[layout.lane_of_chamber],
            hits=summary.hits_per_cell,
            occupied=arrays["occupied"],
            chamber_orbits=arrays["multiplicity"][:n, 1:].sum(axis=1),
            synchronous=arrays["crowded"][:n, first:].sum(axis=1),
            scint_orbits=scint,
            together=arrays["together"],
            box=arrays["drift_few"] if tells_all else arrays["drift_histogram"],
            lane_words=arrays["lane_words"],
            words=account.words_in,
            bad_words=np.array(
                [account.invalid, account.unmapped, account.late, arrays["repeated"].sum()]
            ),
            tells_all=tells_all,
            tracks=SeenTracks.of(summary),
        )
