"""The simulated telescope: options in, words with their truth out, in bounded pieces.

Detector time is cut into slabs of a fixed number of orbits. Each slab has its own random
numbers, one sequence for every stage, all from the seed; so words depend on the options
and the seed alone, never on how they are asked for, and a fault changes nothing but what
it does. Pure.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import IntEnum
from itertools import count

import numpy as np
import numpy.typing as npt

from muonscope.detector import Detector
from muonscope.simulation.background import (
    add_noise,
    afterpulses,
    alive,
    rates_hz,
    shifts_ns,
    train_shares,
    trains,
)
from muonscope.simulation.chambers import Crossings, Reached, cross, respond, shower
from muonscope.simulation.daq import GROUP_WORDS, Recorder, Stream
from muonscope.simulation.faults import Fault
from muonscope.simulation.geometry import addresses_of, geometry_of
from muonscope.simulation.muons import Muons, cross_pair, make_muons
from muonscope.simulation.options import Simulation
from muonscope.simulation.profiles import Profile
from muonscope.simulation.signals import NO_ADDRESS, Origin, Rows, Signals, mark
from muonscope.simulation.triggers import Ancillary, trigger
from muonscope.simulation.weather import air_at
from muonscope.units import ORBIT_NS, ORBIT_S, ORBITS_PER_COUNTER
from muonscope.words.layout import fpga

__all__ = ["Batch", "MuonTruth", "simulate"]

_SLAB_WORDS = 1 << 17
_SLAB_S = 200.0
_PIECE_HITS = 1 << 19
_HITS_PER_MUON = 6
_STALE_AFTER_S = 2.0
_OTHER_RUN = 1 << 63
_TAKES_AWAY = frozenset({"dead", "hv-off", "low-gain", "dead-scintillator", "silent"})


@dataclass(frozen=True, slots=True)
class MuonTruth(Rows):
    """Muons that cross a chamber or both scintillators; n rows, c chambers."""

    number: npt.NDArray[np.int64]
    """In the run, in order of time. Shape (n,)."""
    ns: npt.NDArray[np.float64]
    """When it is at the middle height, ns since the start of the run. Shape (n,)."""
    x_mm: npt.NDArray[np.float64]
    """At height 0 of the detector. Shape (n,)."""
    y_mm: npt.NDArray[np.float64]
    slope_x: npt.NDArray[np.float64]
    """dx/dz. Shape (n,)."""
    slope_y: npt.NDArray[np.float64]
    layers: npt.NDArray[np.uint8]
    """Layers with a cell at the muon's place, in each chamber, 0 .. 4. Shape (n, c)."""
    scintillator: npt.NDArray[np.bool_]
    """Whether it crosses both scintillators. Shape (n,)."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Some of the stream."""

    stream: Stream
    """Words in the order of the DAQ; ``tick`` says when they leave."""
    seconds: npt.NDArray[np.float64]
    """When each word leaves, s since the start of the run."""
    muons: MuonTruth
    """The muons before the end of the batch that came in no earlier one."""


class Stage(IntEnum):
    """Stages that have random numbers of their own."""

    MUONS = 0
    RESPONSE = 1
    SECONDARIES = 2
    SHOWERS = 3
    TRIGGERS = 4
    NOISE = 5
    FAULTS = 6
    DAQ = 7
    SCINTILLATOR = 8
    TRAINS = 9


class _Telescope:
    """Makes signals, slab by slab."""

    def __init__(self, simulation: Simulation) -> None:
        """Look up what stays the same."""
        self._simulation = simulation
        self._profile = simulation.profile
        self._geometry = geometry_of(simulation.detector, simulation.profile)
        self.addresses = addresses_of(simulation.detector, simulation.cabling)
        self._noise_hz = rates_hz(simulation.detector, simulation.profile.noise)
        self._noise_hz *= simulation.rate_scale
        self._train_share = train_shares(simulation.detector, simulation.profile.trains)
        self._noise_hz /= 1 + self._train_share * simulation.profile.trains.pulses
        muons_hz = sum(plane.m2 for plane in self._geometry.planes)
        muons_hz *= simulation.profile.muons.per_m2_s * simulation.rate_scale
        rate = self._noise_hz.sum() + muons_hz * _HITS_PER_MUON
        self.slab_orbits = max(4, round(min(_SLAB_WORDS / rate, _SLAB_S) / ORBIT_S))
        self._muons = 0

    def slab(self, number: int) -> tuple[list[Signals], Ancillary, MuonTruth]:
        """Return the signals, the ancillary words and the muons of the next slab."""
        start_ns = number * self.slab_orbits * ORBIT_NS
        air = air_at(
            self._profile.weather, self._simulation.seed,
            (number + 0.5) * self.slab_orbits * ORBIT_S,
        )  # fmt: skip
        muons, crossings, reached = self._muons_of(number, start_ns, air.flux)
        numbers = self._muons + np.arange(len(muons))
        self._muons += len(muons)
        hits, seen = respond(
            self.rng(Stage.RESPONSE, number), crossings, reached, numbers, self._geometry,
            self._breathing(air.velocity), self._faults("gas"), start_ns,
        )  # fmt: skip
        rng = self.rng(Stage.FAULTS, number)
        rows = self._alive(rng, hits, start_ns)
        fired = cross_pair(muons, self._geometry, self._profile.scintillator.side_mm)
        ancillary, triggers = trigger(
            self.rng(Stage.TRIGGERS, number), crossings, seen.take(rows), numbers,
            self._geometry, self.addresses, self._profile.daq, self._simulation.detector.fpgas,
        )  # fmt: skip
        after = self.rng(Stage.SECONDARIES, number)
        parts = [hits.take(rows), self._followers(after, hits, rows, start_ns)]
        for cells in self._background(number, crossings, numbers, air.noise):
            rows = self._alive(rng, cells, start_ns)
            parts += [cells.take(rows), self._followers(after, cells, rows, start_ns)]
        for signals in (triggers, self._scintillator(number, muons, numbers, fired)):
            parts.append(signals.take(self._alive(rng, signals, start_ns)))
        return parts, ancillary, self._truth(muons, crossings, numbers, fired, start_ns)

    def _alive(
        self, rng: np.random.Generator, signals: Signals, start_ns: float
    ) -> npt.NDArray[np.int64] | slice:
        """Return which signals faults leave over."""
        return alive(rng, signals, self.addresses, self._faults(*_TAKES_AWAY), start_ns)

    def _followers(
        self,
        rng: np.random.Generator,
        hits: Signals,
        left: npt.NDArray[np.int64] | slice,
        start_ns: float,
    ) -> Signals:
        """Return what follows the hits that are left."""
        after, parent = afterpulses(rng, hits, self._profile.secondaries)
        seen = np.zeros(len(hits), np.bool_)
        seen[left] = True
        after = after.take(np.flatnonzero(seen[parent]))
        # low gain has taken its part with the hits
        faults = self._faults(*_TAKES_AWAY - {"low-gain"})
        return after.take(alive(rng, after, self.addresses, faults, start_ns))

    def _breathing(self, velocity: float) -> Profile:
        """Return the profile with so many times its drift velocity."""
        cell = self._profile.cell
        faster = replace(cell, velocity_um_per_ns=cell.velocity_um_per_ns * velocity)
        return replace(self._profile, cell=faster) if velocity != 1.0 else self._profile

    def _muons_of(
        self, number: int, start_ns: float, flux: float
    ) -> tuple[Muons, Crossings, Reached]:
        """Return the muons of a slab that matter, and where they cross chambers."""
        muons = make_muons(
            self.rng(Stage.MUONS, number), self._geometry, self._profile.muons,
            self.slab_orbits * ORBIT_NS, self._simulation.rate_scale * flux,
        )  # fmt: skip
        crossings, reached = cross(muons, self._geometry, self._profile)
        matter = cross_pair(muons, self._geometry, self._profile.scintillator.side_mm)
        matter[crossings.muon] = True
        row = np.cumsum(matter) - 1
        if shifts := self._faults("shift"):
            crossings.ns[:] += shifts_ns(shifts, crossings.chamber, crossings.ns + start_ns)
        crossings = replace(crossings, muon=row[crossings.muon])
        return muons.take(np.flatnonzero(matter)), crossings, reached

    def _background(
        self, number: int, crossings: Crossings, numbers: npt.NDArray[np.int64], factor: float
    ) -> Iterator[Signals]:
        """Yield showers, noise of ``factor`` times its rate, and the trains that it begins."""
        span_ns = self.slab_orbits * ORBIT_NS
        showers = self.rng(Stage.SHOWERS, number)
        yield shower(showers, crossings, numbers, self._geometry, self._profile)
        noise = add_noise(self.rng(Stage.NOISE, number), self._noise_hz * factor, 0.0, span_ns)
        if shifts := self._faults("shift"):
            start_ns = number * span_ns
            chamber = self.addresses.chamber[noise.address]
            noise.ns[:] += shifts_ns(shifts, chamber, noise.ns + start_ns)
        yield noise
        if self._train_share.any():
            rng = self.rng(Stage.TRAINS, number)
            yield trains(rng, noise, self._train_share, self._profile.trains)

    def pieces(self) -> int:
        """Return in how many pieces the noise of faults comes, for bounded memory."""
        hz = sum(self._more_noise_hz(fault).sum() for fault in self._simulation.faults)
        return 1 + int(hz * self.slab_orbits * ORBIT_S / _PIECE_HITS)

    def more_noise(self, number: int, piece: int) -> list[Signals]:
        """Return a piece of the noise that faults add to a slab."""
        start_s, length_s = number * self.slab_orbits * ORBIT_S, self.slab_orbits * ORBIT_S
        pieces, parts = self.pieces(), []
        first_s, last_s = (start_s + length_s * at / pieces for at in (piece, piece + 1))
        for index, fault in enumerate(self._simulation.faults):
            hz = self._more_noise_hz(fault)
            if not hz.any():
                continue
            first, last = fault.overlap_s(first_s, last_s)
            rng = self.rng(Stage.FAULTS, number, 1 + index * pieces + piece)
            noise = add_noise(rng, hz, (first - start_s) * 1e9, (last - start_s) * 1e9)
            rows = self._alive(rng, noise, start_s * 1e9)
            parts += [noise.take(rows), self._followers(rng, noise, rows, start_s * 1e9)]
        return parts

    def _more_noise_hz(self, fault: Fault) -> npt.NDArray[np.float64]:
        """Return the noise that a fault adds to each cell."""
        match fault.kind:
            case "burst":
                return self._noise_hz * (fault.value - 1)
            case "noisy":
                return np.where(np.arange(len(self._noise_hz)) == fault.cell, fault.value, 0.0)
            case _:
                return np.zeros(len(self._noise_hz))

    def _scintillator(
        self,
        number: int,
        muons: Muons,
        numbers: npt.NDArray[np.int64],
        fired: npt.NDArray[np.bool_],
    ) -> Signals:
        pair, rows = self._profile.scintillator, np.flatnonzero(fired)
        if self.addresses.scintillator < 0:
            rows = rows[:0]
        jitter = self.rng(Stage.SCINTILLATOR, number).standard_normal(len(rows))
        ns = muons.ns[rows] + pair.delay_ns + pair.jitter_ns * jitter
        address = np.full(len(rows), self.addresses.scintillator)
        return Signals.plain(ns, address, Origin.SCINTILLATOR, numbers[rows])

    def _truth(
        self,
        muons: Muons,
        crossings: Crossings,
        numbers: npt.NDArray[np.int64],
        fired: npt.NDArray[np.bool_],
        start_ns: float,
    ) -> MuonTruth:
        x, y = muons.at(0.0, self._geometry.middle_mm)
        layers = np.zeros((len(muons), len(self._geometry.z_mm)), np.uint8)
        layers[crossings.muon, crossings.chamber] = crossings.layers
        return MuonTruth(
            numbers, muons.ns + start_ns, x, y, muons.slope_x, muons.slope_y, layers, fired
        )

    def _faults(self, *kinds: str) -> list[Fault]:
        return [fault for fault in self._simulation.faults if fault.kind in kinds]

    def rng(self, stage: Stage, slab: int, number: int = 0) -> np.random.Generator:
        """Return the random numbers of a stage of a slab."""
        key = (stage, slab, number)
        return np.random.default_rng(np.random.SeedSequence(self._simulation.seed, spawn_key=key))


def simulate(simulation: Simulation) -> Iterator[Batch]:
    """Yield the words of a telescope with their truth, in the order of the DAQ.

    The same simulation gives the same words and truth on every machine.
    """
    left = math.inf if simulation.words is None else simulation.words
    end_s = simulation.seconds
    for batch, until_s in _endless(simulation):
        n = int(min(np.searchsorted(batch.seconds, simulation.seconds), left))
        left -= n
        if left == 0:
            end_s = float(batch.seconds[n - 1])
        muons = batch.muons.take(np.flatnonzero(batch.muons.ns < end_s * 1e9))
        yield Batch(batch.stream.take(slice(n)), batch.seconds[:n], muons)
        if left == 0 or until_s >= end_s:
            return


def _endless(simulation: Simulation) -> Iterator[tuple[Batch, float]]:
    """Yield batches, and up to when they are all there is, s."""
    if simulation.profile.daq.stale_words:
        yield _stale(simulation), 0.0
    telescope, profile = _Telescope(simulation), simulation.profile
    recorder = Recorder(
        simulation.detector,
        replace(profile.daq, start_orbit=simulation.first_orbit),
        telescope.addresses,
        simulation.faults,
        dead_time_ns=profile.cell.dead_time_ns,
        lead_scale=1 / max(1.0, simulation.rate_scale),
    )
    slab_ticks = telescope.slab_orbits * recorder.ticks_per_orbit
    waiting = _no_muons(simulation.detector.n_chambers)
    pieces = telescope.pieces()
    for number in count():
        signals, ancillary, muons = telescope.slab(number)
        waiting = MuonTruth.joined([waiting, muons])
        for piece in range(pieces):
            signals += telescope.more_noise(number, piece)
            start = number * slab_ticks
            end = start + slab_ticks * (piece + 1) // pieces
            rng = telescope.rng(Stage.DAQ, number, piece)
            stream, due = recorder.take(rng, signals, ancillary, start, end)
            # what is not yet due waits in the recorder
            signals, ancillary = [signals[0].take(slice(0))], ancillary.take(slice(0))
            until_s = float(recorder.seconds(np.array(due)))
            done = int(np.searchsorted(waiting.ns, until_s * 1e9))
            batch = Batch(stream, recorder.seconds(stream.tick), waiting.take(slice(done)))
            waiting = waiting.take(slice(done, None))
            yield batch, until_s


def _stale(simulation: Simulation) -> Batch:
    """Return what was left in the buffers by another run, its four lanes in turn."""
    daq, seed = simulation.profile.daq, simulation.seed ^ _OTHER_RUN
    after_s = _STALE_AFTER_S / max(1.0, simulation.rate_scale)
    other = Simulation(
        detector=simulation.detector,
        profile=replace(simulation.profile, daq=replace(daq, stale_words=0)),
        seed=seed,
        rate_scale=simulation.rate_scale,
        cabling=simulation.cabling,
        start_orbit=(daq.stale_orbit - round(after_s / ORBIT_S)) % ORBITS_PER_COUNTER,
    )
    parts: list[Stream] = []
    for batch in simulate(other):
        parts.append(batch.stream.take(slice(np.searchsorted(batch.seconds, after_s), None)))
        words = Stream.joined(parts)
        lane = _lanes(words, simulation.detector)
        counts = np.unique(lane, return_counts=True)[1]
        if counts.min(initial=len(words)) * len(counts) >= daq.stale_words:
            break
    turn = np.zeros(len(words), np.int64)
    for number in np.unique(lane):
        rows = np.flatnonzero(lane == number)
        turn[rows] = np.arange(len(rows)) // GROUP_WORDS
    order = np.lexsort((np.arange(len(words)), lane, turn))[: daq.stale_words]
    words = words.take(order)
    none = np.zeros(len(words), np.int64)
    marks = mark(words.whole_marks["address"], Origin.STALE)
    stale = replace(words, tick=none, marks=marks, muon=none - 1)
    return Batch(stale, none.astype(np.float64), _no_muons(simulation.detector.n_chambers))


def _lanes(words: Stream, detector: Detector) -> npt.NDArray[np.int64]:
    """Return the lane of each word: hits by FPGA, then ancillary words by FPGA."""
    version = detector.readout.version
    ancillary = words.whole_marks["address"] == NO_ADDRESS
    return np.where(ancillary, 16, 0) + fpga(words.words, version)


def _no_muons(chambers: int) -> MuonTruth:
    none, whole = np.empty(0), np.empty(0, np.int64)
    layers = np.empty((0, chambers), np.uint8)
    return MuonTruth(whole, none, none, none, none, none, layers, whole.astype(np.bool_))
