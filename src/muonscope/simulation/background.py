"""Hits without a muon, hits after a hit, and what faults take away or add. Pure.

``rates_hz`` belongs to the profile and not to the seed: the same telescope has the same
warm channels in every run.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from muonscope.detector import Detector
from muonscope.simulation.faults import Fault
from muonscope.simulation.geometry import Addresses
from muonscope.simulation.profiles import Noise, Secondaries, Trains
from muonscope.simulation.signals import Origin, Signals

__all__ = [
    "add_noise", "afterpulses", "alive", "rates_hz", "shifts_ns", "train_shares", "trains",
]  # fmt: skip

_TELESCOPE = 20_190_801
"""Seed of what is fixed in a telescope."""

_BROAD, _TAIL = 0.72, 0.92
_BUMP_NS, _BUMP_WIDTH_NS, _TAIL_NS = 390.0, 7.0, 75.0


def rates_hz(detector: Detector, noise: Noise) -> npt.NDArray[np.float64]:
    """Return the noise of each cell, shape (n_cells,)."""
    rng = np.random.default_rng(_TELESCOPE)
    n = detector.n_cells
    rates = noise.hz * np.exp(noise.spread * rng.standard_normal(n))
    warm = rng.permutation(n)[: round(noise.hot_share * n)]
    rates[warm] = noise.hot_hz
    chamber = detector.cells().chamber
    for number, more in enumerate(noise.chamber_hz[: detector.n_chambers]):
        rates[chamber == number] += more
    for hot in noise.hot_cells:
        if (
            hot.chamber < detector.n_chambers
            and hot.pin < detector.chambers[hot.chamber].n_channels
        ):
            rates[detector.first_cell(hot.chamber) + hot.pin] = hot.hz
    return rates


def add_noise(
    rng: np.random.Generator, hz: npt.NDArray[np.float64], start_ns: float, end_ns: float
) -> Signals:
    """Return noise of ``hz`` per cell between two times, in order of time."""
    counts = rng.poisson(hz * max(0.0, end_ns - start_ns) * 1e-9)
    cell = rng.permutation(np.repeat(np.arange(len(hz), dtype=np.uint16), counts))
    # gaps of exponential length put uniform times in order, without sorting them
    gaps = rng.standard_exponential(len(cell) + 1)
    after = gaps.cumsum()
    ns = start_ns + (end_ns - start_ns) / after[-1] * after[:-1]
    return Signals.plain(ns, cell, Origin.NOISE)


def afterpulses(
    rng: np.random.Generator, hits: Signals, secondaries: Secondaries
) -> tuple[Signals, npt.NDArray[np.int64]]:
    """Return what follows ``hits`` in the same cells, and the number of the hit for each.

    The times in between have a broad maximum, a bump at 380-400 ns and an exponential tail
    of 75 ns; what falls into the dead time is lost later. Half as many are followed again.
    """
    parts, parents, parent = [], [], np.arange(len(hits))
    for share in (secondaries.afterpulse_share, secondaries.afterpulse_share / 2):
        rows = np.flatnonzero(rng.random(len(hits)) < share)
        hits, parent = hits.take(rows), parent[rows]
        kind, n = rng.random(len(hits)), len(hits)
        normal, tail = rng.standard_normal(n), rng.standard_exponential(n)
        later = secondaries.afterpulse_ns + secondaries.afterpulse_width_ns * normal
        later += np.where(kind > _BROAD, _TAIL_NS * tail, 0.0)
        later = np.where(kind > _TAIL, _BUMP_NS + _BUMP_WIDTH_NS * normal, later)
        hits = Signals.plain(hits.ns + np.abs(later), hits.address, Origin.AFTERPULSE, hits.muon)
        parts.append(hits)
        parents.append(parent)
    return Signals.joined(parts), np.concatenate(parents)


def train_shares(detector: Detector, trains_: Trains) -> npt.NDArray[np.float64]:
    """Return which part of the noise of each cell begins a train, shape (n_cells,)."""
    rng = np.random.default_rng(_TELESCOPE + 1)
    spread = np.exp(trains_.spread * rng.standard_normal(detector.n_cells))
    return np.minimum(1.0, trains_.share * spread)


def trains(
    rng: np.random.Generator, hits: Signals, share: npt.NDArray[np.float64], kind: Trains
) -> Signals:
    """Return the pulses that follow ``hits`` of noise in trains, in no order.

    Their number is geometric, the times between them exponential.
    """
    first = np.flatnonzero(rng.random(len(hits)) < share[hits.address])
    pulses = rng.geometric(1 / kind.pulses, len(first))
    begin = np.repeat(first, pulses)
    gaps = kind.gap_us * 1e3 * rng.standard_exponential(len(begin))
    after = gaps.cumsum()
    ends = pulses.cumsum()
    before = np.repeat(np.append(0.0, after[ends[:-1] - 1]) if len(ends) else after, pulses)
    return Signals.plain(hits.ns[begin] + after - before, hits.address[begin], Origin.NOISE)


def shifts_ns(
    faults: Sequence[Fault], chamber: npt.NDArray[np.int64], ns: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return by how much signals of chambers come later, given when; all of shape (n,)."""
    later = np.zeros(len(ns))
    for fault in faults:
        later[(chamber == fault.chamber) & fault.active(ns)] += fault.value
    return later


def alive(
    rng: np.random.Generator,
    signals: Signals,
    addresses: Addresses,
    faults: Sequence[Fault],
    start_ns: float,
) -> npt.NDArray[np.int64] | slice:
    """Return which signals faults leave over: their numbers, or all."""
    if not faults:
        return slice(None)
    lost = np.zeros(len(signals), np.bool_)
    for fault in faults:
        active = fault.active(signals.ns + start_ns)
        match fault.kind:
            case "dead":
                active &= signals.address == fault.cell
            case "hv-off":
                active &= addresses.chamber[signals.address] == fault.chamber
            case "low-gain":
                active &= addresses.chamber[signals.address] == fault.chamber
                active &= rng.random(len(signals)) >= fault.value
            case "dead-scintillator":
                active &= signals.address == addresses.scintillator
            case _:
                active &= addresses.fpga[signals.address] == fault.fpga
        lost |= active
    return np.flatnonzero(~lost)
