"""A reference: the rates of a run that is known to be good, and how much they scatter."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from muonscope.detector import Detector
from muonscope.quality.common import chamber_mode
from muonscope.quality.seen import BAD_WORDS, Seen, layout_of
from muonscope.quality.track_reference import SeenTracks, TrackReference, TrackSums

__all__ = ["LEAST_WINDOWS", "Reference", "ReferenceBuilder", "flat_reference"]

Array = npt.NDArray[Any]

LEAST_WINDOWS = 30
"""Whole windows that a reference must have."""

_MOST_WINDOWS = 8_192
"""Windows of which single counts are kept; of longer runs every second, fourth, ... one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Rates in Hz of live time, and dispersions: variance of a window's counts by its mean."""

    name: str
    detector: Detector
    live_s: float
    window_s: float
    """Mean length of its windows, s."""
    occupied_hz: Array
    """Shape (n_cells,)."""
    occupied_phi: Array
    extra_hz: Array
    """Shape (n_cells,): hits beyond the first of their millisecond."""
    extra_phi: Array
    chamber_hz: Array
    chamber_phi: Array
    """Of what the other chambers do not tell."""
    total_phi: float
    hits_hz: Array
    """Shape (n_chambers + 1,): hits of each chamber; last: of all."""
    hits_phi: Array
    synchronous_hz: Array
    scintillator_hz: float
    coincidence: Array
    """Shape (n_chambers,): part of the scintillator's orbits with a hit of the chamber."""
    together_hz: Array
    box: Array
    """Shape (n_chambers, 322)."""
    lane_hz: Array
    bad_share: Array
    """Part of all words, by kind."""
    tells_all: bool
    tracks: TrackReference | None = None
    """Where its windows have tracks, and enough of them."""
    whole: bool = True
    """False where it only says that cells and chambers are alike."""


class ReferenceBuilder:
    """Gathers windows for a reference."""

    def __init__(self, detector: Detector) -> None:
        """Begin without a window."""
        self.detector, self._layout = detector, layout_of(detector)
        self._sums: dict[str, Array] = {}
        self._windows, self._stride = 0, 1
        self._series: list[tuple[Array, Array]] = []
        self._tells_all = True
        self._tracks: TrackSums | None = TrackSums()

    @property
    def windows(self) -> int:
        """Whole windows that were gathered."""
        return self._windows

    @property
    def live_s(self) -> float:
        """Time that was gathered, s."""
        return float(self._sums["live_s"]) if self._sums else 0.0

    def add(self, seen: Seen) -> None:
        """Take a window; one in which an FPGA was silent for more than a tenth only adds rates."""
        self._tells_all = self._tells_all and seen.tells_all
        self._add_tracks(seen.tracks)
        extra = (seen.hits - seen.occupied).astype(np.float64)
        whole = seen.chamber_live_s.min() >= 0.9 * seen.window_s
        chamber_hits = np.bincount(self._layout.chamber_of_cell, seen.hits)
        hits = np.append(chamber_hits, chamber_hits.sum())
        for name, value in {
            "live_s": np.float64(seen.live_s),
            "lane_live_s": seen.lane_live_s,
            "chamber_live_s": seen.chamber_live_s,
            "occupied": seen.occupied,
            "occupied_whole": seen.occupied * whole,
            "occupied2": seen.occupied**2 * whole,
            "extra": extra,
            "extra_whole": extra * whole,
            "extra2": extra**2 * whole,
            "chamber_hits": hits,
            "chamber_hits_whole": hits * whole,
            "chamber_hits2": hits**2 * whole,
            "windows": np.float64(whole),
            "window_s": np.float64(seen.window_s * whole),
            "chamber": seen.chamber_orbits,
            "synchronous": seen.synchronous,
            "scint": seen.scint_orbits,
            "together": seen.together,
            "box": seen.box,
            "lane_words": seen.lane_words,
            "words": np.float64(seen.words),
            "bad_words": seen.bad_words,
        }.items():
            self._sums[name] = self._sums[name] + value if name in self._sums else value
        if whole:
            if self._windows % self._stride == 0:
                self._series.append((seen.chamber_orbits, seen.chamber_live_s))
                if len(self._series) >= _MOST_WINDOWS:
                    self._series, self._stride = self._series[::2], self._stride * 2
            self._windows += 1

    def _add_tracks(self, tracks: SeenTracks | None) -> None:
        """Add the tracks of a window, where all windows have them."""
        if tracks is None:
            self._tracks = None
        elif self._tracks:
            self._tracks.add(tracks)

    def build(self, name: str) -> Reference | None:
        """Return the reference; None while there are too few whole windows."""
        if len(self._series) < LEAST_WINDOWS:
            return None
        s = self._sums
        cell_live = s["chamber_live_s"][self._layout.chamber_of_cell]
        chamber_hz = _per(s["chamber"], s["chamber_live_s"])
        chamber_phi, total_phi = _scatter(self._series, chamber_hz)
        return Reference(
            name=name,
            detector=self.detector,
            live_s=float(s["live_s"]),
            window_s=float(s["window_s"] / s["windows"]),
            occupied_hz=_per(s["occupied"], cell_live),
            occupied_phi=_dispersion(s["occupied_whole"], s["occupied2"], s["windows"]),
            extra_hz=_per(s["extra"], cell_live),
            extra_phi=_dispersion(s["extra_whole"], s["extra2"], s["windows"]),
            chamber_hz=chamber_hz,
            chamber_phi=chamber_phi,
            total_phi=total_phi,
            hits_hz=_per(s["chamber_hits"], np.append(s["chamber_live_s"], s["live_s"])),
            hits_phi=_dispersion(s["chamber_hits_whole"], s["chamber_hits2"], s["windows"]),
            synchronous_hz=_per(s["synchronous"], s["chamber_live_s"]),
            scintillator_hz=float(_per(s["scint"][-1], s["live_s"])),
            coincidence=_per(s["scint"][:-1], s["scint"][-1]),
            together_hz=_per(s["together"], s["live_s"]),
            box=s["box"],
            lane_hz=_per(s["lane_words"], s["lane_live_s"]),
            bad_share=_per(s["bad_words"], s["words"]),
            tells_all=self._tells_all,
            tracks=self._tracks.build(self.live_s) if self._tracks else None,
        )


def flat_reference(detector: Detector) -> Reference:
    """Return what can be expected of any run: cells of a layer, and chambers, are alike."""
    n, cells, lanes = detector.n_chambers, detector.n_cells, len(detector.lanes)
    none = np.zeros
    return Reference(
        name="", detector=detector, live_s=0.0, window_s=1.0, occupied_hz=np.ones(cells),
        occupied_phi=np.full(cells, 1.5),
        extra_hz=none(cells), extra_phi=np.ones(cells), chamber_hz=np.ones(n),
        chamber_phi=np.full(n, 4.0), total_phi=4.0, hits_hz=none(n + 1), hits_phi=np.ones(n + 1),
        synchronous_hz=none(n), scintillator_hz=0.0,
        coincidence=none(n), together_hz=none((n, n)), box=none((n, 322)), lane_hz=none(lanes),
        bad_share=none(len(BAD_WORDS)), tells_all=True, whole=False,
    )  # fmt: skip


def _per(n: Any, of: Any) -> Any:
    """Return ``n / of``; 0 where that is none."""
    of = np.asarray(of, np.float64)
    return np.where(of > 0, np.asarray(n) / np.where(of > 0, of, 1.0), 0.0)


def _dispersion(n: Array, squares: Array, windows: Array) -> Array:
    """Return the variance of a window's counts by their mean, at least 1."""
    mean = n / windows
    phi: Array = np.maximum(1.0, _per(squares / windows - mean**2, mean))
    return phi


def _scatter(series: Iterable[tuple[Array, Array]], hz: Array) -> tuple[Array, float]:
    """Return the dispersions of each chamber beside the others, and of all together."""
    beside, expected, total, all_expected = [], [], [], []
    for n, live in series:
        e = hz * live
        usable = e > 0
        factor = chamber_mode(np.where(usable, n / np.where(usable, e, 1.0), 1.0), usable)
        beside.append(n - factor * e)
        expected.append(factor * e)
        total.append(n.sum() - e.sum())
        all_expected.append(e.sum())
    phi = _per(np.var(beside, axis=0), np.mean(expected, axis=0))
    return np.maximum(1.0, phi), max(1.0, float(_per(np.var(total), np.mean(all_expected))))
