"""How signals become the stream of words that the DAQ writes.

Each FPGA has two lanes, hits and ancillary words. A lane gives its words in order of their
orbits, in groups of four: a group leaves when its fourth word is there, so a slow lane
lags behind a fast one, and the merged stream steps back by tens of orbits. Inside an orbit
hits are only roughly in order. Ancillary words run seconds ahead of the hits; at the start
of a run that lead grows from nothing, twenty times as fast as the hits go on (as in the
recorded sample). Words that never fill a group are never written.

Times are TDC ticks since the start of the run, int64, exact.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from muonscope.detector import Detector
from muonscope.simulation.faults import Fault
from muonscope.simulation.geometry import Addresses
from muonscope.simulation.profiles import Daq
from muonscope.simulation.signals import Origin, Rows, Signals
from muonscope.simulation.triggers import Ancillary
from muonscope.units import BX_NS, BX_PER_ORBIT, ORBITS_PER_COUNTER
from muonscope.words.layout import Words, pack_ancillary, pack_hits

__all__ = ["GROUP_WORDS", "Readout", "Stream", "order_of"]

GROUP_WORDS = 4
"""Words of one FPGA that are written together: 256 bits."""

_RAMP = 20
"""How much faster than the hits the lead of the ancillary words grows at the start."""


@dataclass(frozen=True, slots=True)
class Stream(Rows):
    """Words with their truth, each field of shape (n,)."""

    words: Words
    tick: npt.NDArray[np.int64]
    """Of the signal; once written, when the word leaves."""
    address: npt.NDArray[np.int64]
    """-1 for ancillary words."""
    origin: npt.NDArray[np.int8]
    muon: npt.NDArray[np.int64]
    drift_mm: npt.NDArray[np.float32]
    side: npt.NDArray[np.int8]


def order_of(keys: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the stable order of ``keys``, the same on every machine.

    The place is packed below the key where there is room, which lets NumPy sort plain
    numbers, several times as fast as by a stable argsort.
    """
    if len(keys) == 0:
        return np.empty(0, np.int64)
    bits = len(keys).bit_length()
    first = int(keys.min())
    if int(keys.max()) - first >= 1 << (63 - bits):
        return np.argsort(keys, kind="stable")
    packed = (keys - first) << bits | np.arange(len(keys))
    packed.sort()
    order: npt.NDArray[np.int64] = packed & ((1 << bits) - 1)
    return order


class Readout:
    """The read-out of a telescope; it is fed slab after slab and keeps what is not yet due."""

    def __init__(
        self,
        detector: Detector,
        daq: Daq,
        addresses: Addresses,
        faults: Sequence[Fault],
        *,
        dead_time_ns: float,
        lead_scale: float = 1.0,
    ) -> None:
        """Start with empty buffers; the lead of ancillary words is ``lead_scale`` of its own."""
        self._layout, self._addresses = detector.readout, addresses
        self._per_bx = detector.readout.ticks_per_bx
        self.ticks_per_orbit = BX_PER_ORBIT * self._per_bx
        self._start_orbit, self._jitter = daq.start_orbit, daq.jitter_bx * self._per_bx
        self._dead = int(np.ceil(dead_time_ns * self._per_bx / BX_NS))
        self._base = pack_hits(
            self._layout.hit_head, addresses.fpga, addresses.channel, 0, 0, 0,
            version=self._layout.version,
        )  # fmt: skip
        self._is_trigger = np.isin(np.arange(len(addresses.fpga)), list(addresses.trigger.values()))
        self._fpgas = sorted(set(addresses.fpga.tolist()))
        self._lead = dict.fromkeys(self._fpgas, 0)
        for fpga, lead_s in zip(detector.fpgas, daq.trigger_lead_s, strict=False):
            self._lead[fpga] = int(lead_s * lead_scale * 1e9 * self._per_bx / BX_NS)
        self._writes_ancillary = self._layout.version == 2 and self._layout.hit_head == 2
        self._desync = [fault for fault in faults if fault.kind == "desync"]
        self._silent = [fault for fault in faults if fault.kind == "silent"]
        self._spoil = [fault for fault in faults if fault.kind in {"duplicate", "corrupt"}]
        empty = _no_words()
        self._coming, self._recent = empty, empty
        self._coming_ancillary = {fpga: empty for fpga in self._fpgas}
        self._filling = {(fpga, kind): empty for kind in (0, 1) for fpga in self._fpgas}
        self._held = dict(self._filling)

    def ticks(self, ns: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        """Return the tick in which each time lies."""
        return np.floor(ns * (self._per_bx / BX_NS)).astype(np.int64)

    def seconds(self, tick: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Return ticks as s."""
        return tick * (BX_NS / self._per_bx * 1e-9)

    def take(
        self,
        rng: np.random.Generator,
        signals: Signals,
        ancillary: Ancillary,
        start: int,
        end: int,
    ) -> tuple[Stream, int]:
        """Take the slab from tick ``start`` to ``end``; return what is written, up to when.

        Every later word leaves at the returned tick or after it.
        """
        cut = max(0, end - self.ticks_per_orbit)  # signals of the next slab may come so early
        self._take_hits(rng, signals, start, cut)
        due = cut
        if self._writes_ancillary:
            self._take_ancillary(ancillary, start, cut)
            due = min(max(cut // (_RAMP + 1), cut - lead) for lead in self._lead.values())
        return self._spoilt(rng, self._release(due)), due

    def _take_hits(self, rng: np.random.Generator, signals: Signals, start: int, cut: int) -> None:
        new = Stream(
            np.zeros(len(signals), np.uint64),
            np.maximum(self.ticks(signals.ns) + start, 0),
            signals.address, signals.origin, signals.muon, signals.drift_mm, signals.side,
        )  # fmt: skip
        new = Stream.joined([self._coming, new])
        is_due = new.tick < cut
        self._coming = new.take(np.flatnonzero(~is_due))
        new = new.take(np.flatnonzero(is_due))
        new = new.take(order_of(new.tick))
        near = Stream.joined([self._recent, new])
        keep = _survivors(near.tick, near.address, self._dead)
        self._recent = near.take(np.flatnonzero(keep & (near.tick >= cut - self._dead)))
        new = new.take(np.flatnonzero(keep[len(near) - len(new) :]))
        orbit = new.tick // self.ticks_per_orbit
        last = (orbit + 1) * self.ticks_per_orbit - 1
        jitter = (rng.random(len(new)) * self._jitter).astype(np.int64)
        leaves = np.minimum(new.tick + jitter, last)
        new = replace(new, words=self._hit_words(new, orbit), tick=leaves).take(order_of(leaves))
        fpga = self._addresses.fpga[new.address]
        for lane in self._fpgas:
            self._fill((lane, 0), new.take(np.flatnonzero(fpga == lane)))

    def _hit_words(self, hits: Stream, orbit: npt.NDArray[np.int64]) -> Words:
        rest = hits.tick - orbit * self.ticks_per_orbit
        bx = rest // self._per_bx
        tdc = rest - bx * self._per_bx + (1 if self._per_bx < 32 else 0)
        tdc = np.where(self._is_trigger[hits.address], 1, tdc)
        orbit = self._counter(orbit, self._addresses.fpga[hits.address], hits.tick)
        return self._base[hits.address] | pack_hits(0, 0, 0, orbit, bx, tdc)

    def _counter(
        self,
        orbit: npt.NDArray[np.int64],
        fpga: npt.NDArray[np.int64],
        tick: npt.NDArray[np.int64],
    ) -> npt.NDArray[np.int64]:
        """Return what the orbit counters of FPGAs show."""
        for fault in self._desync:
            wrong = (fpga == fault.fpga) & fault.active(self.seconds(tick) * 1e9)
            orbit = orbit + np.where(wrong, int(fault.value), 0)
        return (orbit + self._start_orbit) % ORBITS_PER_COUNTER

    def _take_ancillary(self, ancillary: Ancillary, start: int, cut: int) -> None:
        tick = np.maximum(self.ticks(ancillary.ns) + start, 0)
        orbit = tick // self.ticks_per_orbit
        rest = tick - orbit * self.ticks_per_orbit
        t0 = rest // self._per_bx << 12 | rest % self._per_bx << 7
        payload = ancillary.payload | np.where(ancillary.head == 0, t0, 0)
        words = pack_ancillary(
            ancillary.head, ancillary.fpga, self._counter(orbit, ancillary.fpga, tick), payload
        )
        n, none = len(tick), np.zeros(len(tick), np.int8)
        made = Stream(
            words, tick, np.full(n, -1), none + np.int8(Origin.ANCILLARY), ancillary.muon,
            np.full(n, np.nan, np.float32), none,
        )  # fmt: skip
        lost = np.zeros(n, np.bool_)
        for fault in self._silent:
            lost |= (ancillary.fpga == fault.fpga) & fault.active(self.seconds(tick) * 1e9)
        for lane in self._fpgas:
            mine = made.take(np.flatnonzero((ancillary.fpga == lane) & ~lost))
            new = Stream.joined([self._coming_ancillary[lane], mine])
            is_due = new.tick < cut
            self._coming_ancillary[lane] = new.take(np.flatnonzero(~is_due))
            new = new.take(np.flatnonzero(is_due))
            new = new.take(order_of(new.tick))
            leaves = np.maximum(new.tick // (_RAMP + 1), new.tick - self._lead[lane])
            self._fill((lane, 1), replace(new, tick=leaves))

    def _fill(self, lane: tuple[int, int], new: Stream) -> None:
        """Add words to a lane; full groups leave when their last word is there."""
        words = Stream.joined([self._filling[lane], new])
        whole = len(words) // GROUP_WORDS * GROUP_WORDS
        self._filling[lane] = words.take(slice(whole, None))
        groups = words.take(slice(whole))
        leaves = np.repeat(groups.tick[GROUP_WORDS - 1 :: GROUP_WORDS], GROUP_WORDS)
        self._held[lane] = Stream.joined([self._held[lane], replace(groups, tick=leaves)])

    def _release(self, due: int) -> Stream:
        """Return the groups of all lanes that leave before ``due``, merged."""
        parts = []
        for lane, held in self._held.items():
            n = int(np.searchsorted(held.tick, due))
            parts.append(held.take(slice(n)))
            self._held[lane] = held.take(slice(n, None))
        words = Stream.joined(parts)
        first = order_of(words.tick[::GROUP_WORDS]) * GROUP_WORDS
        return words.take((first[:, None] + np.arange(GROUP_WORDS)).ravel())

    def _spoilt(self, rng: np.random.Generator, words: Stream) -> Stream:
        """Return words with the faults of the line: whole groups twice, flipped bits."""
        for fault in self._spoil:
            active = fault.active(self.seconds(words.tick) * 1e9)
            if fault.kind == "duplicate":
                twice = active[::GROUP_WORDS] & (rng.random(len(words) // GROUP_WORDS) < fault.value)
                words = _with_copies(words, twice)
            else:
                rows = np.flatnonzero(active & (rng.random(len(words)) < fault.value))
                for flips in (1.0, 0.5, 0.25):
                    hit = rows[rng.random(len(rows)) < flips]
                    words.words[hit] ^= np.uint64(1) << rng.integers(0, 64, len(hit), np.uint64)
                words.origin[rows] = Origin.CORRUPT
        return words


def _with_copies(words: Stream, twice: npt.NDArray[np.bool_]) -> Stream:
    """Return words in which the groups that ``twice`` marks come two times."""
    first = np.repeat(np.arange(len(twice)), 1 + twice) * GROUP_WORDS
    copy = np.flatnonzero(np.diff(first, prepend=-1) == 0)
    more = words.take((first[:, None] + np.arange(GROUP_WORDS)).ravel())
    more.origin[(copy[:, None] * GROUP_WORDS + np.arange(GROUP_WORDS)).ravel()] = Origin.DUPLICATE
    return more


def _no_words() -> Stream:
    none = np.empty(0, np.int64)
    return Stream(
        none.astype(np.uint64), none, none, none.astype(np.int8), none, none.astype(np.float32),
        none.astype(np.int8),
    )  # fmt: skip


def _survivors(
    tick: npt.NDArray[np.int64], address: npt.NDArray[np.int64], dead: int
) -> npt.NDArray[np.bool_]:
    """Tell which signals, in order of time, do not fall into the dead time of their channel.

    A signal that is lost makes no dead time of its own.
    """
    keep = np.ones(len(tick), np.bool_)
    pairs = []
    lag, late = 1, np.arange(1, len(tick))
    while len(late):
        late = late[tick[late] - tick[late - lag] < dead]
        same = late[address[late] == address[late - lag]]
        pairs.append(np.stack([same, same - lag], axis=1))
        lag += 1
        late = late[late >= lag]
    close = np.concatenate(pairs) if pairs else np.empty((0, 2), np.int64)
    for second, first in sorted(close.tolist()):
        if keep[first]:
            keep[second] = False
    return keep
