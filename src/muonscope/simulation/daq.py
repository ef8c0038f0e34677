"""How signals become the stream of words that the DAQ writes.

Each FPGA has two lanes, hits and ancillary words. A lane gives its words in order of their
orbits, in groups of four: a group leaves when its fourth word is there, so a slow lane
lags behind a fast one, and the merged stream steps back by tens of orbits. Inside an orbit
hits are only roughly in order. Ancillary words run seconds ahead of the hits; at the start
of a run that lead grows from nothing, while both kinds take turns (half of the first words
of the recorded sample are ancillary). Words that never fill a group are never written.

Times are TDC ticks since the start of the run, int64, exact.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import numpy.typing as npt

from muonscope.detector import Detector
from muonscope.simulation._writing import write_hits
from muonscope.simulation.faults import Fault
from muonscope.simulation.geometry import Addresses
from muonscope.simulation.profiles import Daq
from muonscope.simulation.signals import NO_ADDRESS, Marked, Origin, Signals, mark
from muonscope.simulation.triggers import Ancillary
from muonscope.units import BX_NS, BX_PER_ORBIT, ORBITS_PER_COUNTER
from muonscope.words.layout import Words, pack_ancillary, pack_hits

__all__ = ["GROUP_WORDS", "Recorder", "Stream", "order_of"]

GROUP_WORDS = 4
"""Words of one FPGA that are written together: 256 bits."""

_RAMP = 7
"""How much faster than the hits the lead of the ancillary words grows at the start: so that
about half of the words are ancillary until it is reached."""

_ODD = (
    np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F), np.uint64(0x165667B19E3779F9),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Stream(Marked):
    """Words with their truth, each field of shape (n,)."""

    words: Words
    tick: npt.NDArray[np.int64]
    """Of the signal; once written, when the word leaves."""
    marks: npt.NDArray[np.uint64]
    """To be viewed as ``MARK``."""
    muon: npt.NDArray[np.int64]

    def groups(self, order: npt.NDArray[np.int64]) -> Self:
        """Return the groups of four words that ``order`` numbers, one after the other."""
        return type(self)(*(c.reshape(-1, GROUP_WORDS)[order].ravel() for c in self.columns()))


def order_of(keys: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the stable order of ``keys``, the same on every machine.

    Meant for keys that are nearly in order, or made of a few pieces that are. The place is
    packed below the key where there is room, for NumPy sorts plain numbers faster.
    """
    if len(keys) == 0:
        return np.empty(0, np.int64)
    bits = len(keys).bit_length()
    first = int(keys.min())
    if int(keys.max()) - first >= 1 << (63 - bits):
        return np.argsort(keys, kind="stable")
    packed = (keys - first) << bits | np.arange(len(keys))
    packed.sort(kind="stable")
    order: npt.NDArray[np.int64] = packed & ((1 << bits) - 1)
    return order


class Recorder:
    """Turns signals into words; it is fed slab after slab and keeps what is not yet due."""

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
        self._first_tdc = 1 if self._per_bx < 32 else 0
        self.ticks_per_orbit = BX_PER_ORBIT * self._per_bx
        self._start_orbit, self._jitter = daq.start_orbit, daq.jitter_bx * self._per_bx
        self._base = pack_hits(
            self._layout.hit_head, addresses.fpga, addresses.channel, 0, 0, 0,
            version=self._layout.version,
        )  # fmt: skip
        self._fpgas = sorted(set(addresses.fpga.tolist()))
        self._lane_of = np.searchsorted(self._fpgas, addresses.fpga)
        self._alive_until = np.zeros(len(addresses.fpga), np.int64)
        self._clock = (
            int(np.ceil(dead_time_ns * self._per_bx / BX_NS)),
            self._per_bx,
            self._first_tdc,
            self.ticks_per_orbit,
            self._start_orbit,
            min(addresses.trigger.values(), default=len(addresses.fpga)),
        )
        self._lead = dict.fromkeys(self._fpgas, 0)
        for fpga, lead_s in zip(detector.fpgas, daq.trigger_lead_s, strict=False):
            self._lead[fpga] = int(lead_s * lead_scale * 1e9 * self._per_bx / BX_NS)
        self._writes_ancillary = self._layout.version == 2 and self._layout.hit_head == 2
        self._desync = [fault for fault in faults if fault.kind == "desync"]
        self._silent = [fault for fault in faults if fault.kind == "silent"]
        self._spoil = [fault for fault in faults if fault.kind in {"duplicate", "corrupt"}]
        none, no_bits = np.empty(0, np.int64), np.empty(0, np.uint64)
        self._coming = _Hits(none, no_bits, none)
        empty = Stream(no_bits, none, no_bits, none)
        self._coming_ancillary = dict.fromkeys(self._fpgas, empty)
        self._held = {(fpga, kind): [empty] for kind in (0, 1) for fpga in self._fpgas}

    def ticks(self, ns: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        """Return the tick in which each time lies."""
        return np.floor(ns * (self._per_bx / BX_NS)).astype(np.int64)

    def seconds(self, tick: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        """Return ticks as s."""
        return np.multiply(tick, BX_NS / self._per_bx * 1e-9, dtype=np.float64)

    def take(
        self,
        rng: np.random.Generator,
        signals: Sequence[Signals],
        ancillary: Ancillary,
        start: int,
        end: int,
    ) -> tuple[Stream, int]:
        """Take the slab from tick ``start`` to ``end``; return what is written, up to when.

        Every later word leaves at the returned tick or after it.
        """
        cut = max(0, end - self.ticks_per_orbit)  # signals of the next slab may come so early
        self._take_hits(signals, start, cut)
        due = cut
        if self._writes_ancillary:
            self._take_ancillary(ancillary, start, cut)
            due = min(max(cut // (_RAMP + 1), cut - lead) for lead in self._lead.values())
        return self._spoilt(rng, self._release(due)), due

    def _take_hits(self, signals: Sequence[Signals], start: int, cut: int) -> None:
        hits = self._due_hits(signals, start, cut)
        n, address = len(hits), hits.address.astype(np.int64)
        jitter = _scattered(hits.tick, address, self._jitter)
        fpga = self._addresses.fpga[address] if self._desync else address
        rows, leaves, words = np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.uint64)
        ends = np.empty(len(self._fpgas), np.int64)
        write_hits(
            hits.tick, address, jitter, self._ahead(fpga, hits.tick), self._alive_until,
            self._lane_of, self._base, self._clock, rows, words, leaves, ends,
        )  # fmt: skip
        begin = 0
        for lane, end in zip(self._fpgas, ends.tolist(), strict=True):
            mine = rows[begin:end]
            self._held[lane, 0].append(
                Stream(words[begin:end], leaves[begin:end], hits.marks[mine], hits.muon[mine])
            )
            begin = end

    def _due_hits(self, signals: Sequence[Signals], start: int, cut: int) -> "_Hits":
        """Return the hits before tick ``cut`` in order of time; keep the others."""
        tick = self.ticks(np.concatenate([part.ns for part in signals])) + start
        hits = _Hits(
            np.concatenate([self._coming.tick, np.maximum(tick, 0, out=tick)]),
            np.concatenate([self._coming.marks, *(part.marks for part in signals)]),
            np.concatenate([self._coming.muon, *(part.muon for part in signals)]),
        )
        due = hits.tick < cut
        self._coming = hits.take(np.flatnonzero(~due))
        rows = np.flatnonzero(due)
        return hits.take(rows[order_of(hits.tick[rows])])

    def _ahead(
        self, fpga: npt.NDArray[np.int64], tick: npt.NDArray[np.int64]
    ) -> npt.NDArray[np.int64]:
        """Return how far the orbit counters of FPGAs are ahead; empty if none ever is."""
        ahead = np.zeros(len(tick) if self._desync else 0, np.int64)
        for fault in self._desync:
            wrong = (fpga == fault.fpga) & fault.active(self.seconds(tick) * 1e9)
            ahead[wrong] += int(fault.value)
        return ahead

    def _take_ancillary(self, ancillary: Ancillary, start: int, cut: int) -> None:
        tick = np.maximum(self.ticks(ancillary.ns) + start, 0)
        orbit = tick // self.ticks_per_orbit
        rest = tick - orbit * self.ticks_per_orbit
        tdc = rest % self._per_bx + self._first_tdc
        t0 = rest // self._per_bx << 12 | tdc << 7
        payload = ancillary.payload | np.where(ancillary.head == 0, t0, 0)
        shown = orbit + self._start_orbit
        if self._desync:
            shown += self._ahead(ancillary.fpga, tick)
        words = pack_ancillary(ancillary.head, ancillary.fpga, shown % ORBITS_PER_COUNTER, payload)
        nowhere = np.full(len(tick), NO_ADDRESS)
        made = Stream(words, tick, mark(nowhere, Origin.ANCILLARY), ancillary.muon)
        for lane in self._fpgas:
            mine = made.take(np.flatnonzero(ancillary.fpga == lane))
            new = Stream.joined([self._coming_ancillary[lane], mine])
            is_due = new.tick < cut
            self._coming_ancillary[lane] = new.take(np.flatnonzero(~is_due))
            new = new.take(np.flatnonzero(is_due))
            new = new.take(order_of(new.tick))
            leaves = np.maximum(new.tick // (_RAMP + 1), new.tick - self._lead[lane])
            new = replace(new, tick=leaves)
            for fault in self._silent:
                if fault.fpga == lane:
                    new = new.take(~fault.active(self.seconds(new.tick) * 1e9))
            self._held[lane, 1].append(new)

    def _release(self, due: int) -> Stream:
        """Return the groups of all lanes that leave before ``due``, merged.

        A group leaves when its last word is there.
        """
        parts = []
        for lane, held in self._held.items():
            words = Stream.joined(held)
            full = words.tick[GROUP_WORDS - 1 :: GROUP_WORDS]
            n = int(np.searchsorted(full, due))
            tick = np.repeat(full[:n], GROUP_WORDS)
            parts.append(replace(words.take(slice(n * GROUP_WORDS)), tick=tick))
            self._held[lane] = [words.take(slice(n * GROUP_WORDS, None))]
        words = Stream.joined(parts)
        return words.groups(order_of(words.tick[::GROUP_WORDS]))

    def _spoilt(self, rng: np.random.Generator, words: Stream) -> Stream:
        """Return words with the faults of the line: whole groups twice, flipped bits."""
        for fault in self._spoil:
            active = fault.active(self.seconds(words.tick) * 1e9)
            if fault.kind == "duplicate":
                twice = active[::GROUP_WORDS] & (
                    rng.random(len(words) // GROUP_WORDS) < fault.value
                )
                words = _with_copies(words, twice)
            else:
                rows = np.flatnonzero(active & (rng.random(len(words)) < fault.value))
                first = rng.integers(0, 64, len(rows))
                for number, flips in enumerate((1.0, 0.5, 0.25)):  # never the same bit twice
                    bit = (first + 21 * number + rng.integers(0, 21, len(rows))) % 64
                    flip = np.uint64(1) << bit.astype(np.uint64)
                    words.words[rows] ^= np.where(rng.random(len(rows)) < flips, flip, 0)
                words.whole_marks["origin"][rows] = Origin.CORRUPT
        return words


def _scattered(
    tick: npt.NDArray[np.int64], address: npt.NDArray[np.int64], most: int
) -> npt.NDArray[np.int64]:
    """Return numbers 0 .. ``most`` - 1 that look random, but belong to tick and address.

    So the order in which hits leave depends on them alone, whatever else there is.
    """
    bits = tick.view(np.uint64) * _ODD[0] + address.view(np.uint64) * _ODD[1]
    bits = (bits ^ bits >> np.uint64(29)) * _ODD[2] >> np.uint64(40)
    scattered: npt.NDArray[np.int64] = (bits.view(np.int64) * most) >> 24
    return scattered


def _with_copies(words: Stream, twice: npt.NDArray[np.bool_]) -> Stream:
    """Return words in which the groups that ``twice`` marks come two times."""
    order = np.repeat(np.arange(len(twice)), 1 + twice)
    copy = np.flatnonzero(np.diff(order, prepend=-1) == 0)
    more = words.groups(order)
    more.whole_marks["origin"].reshape(-1, GROUP_WORDS)[copy] = Origin.DUPLICATE
    return more


@dataclass(frozen=True, slots=True)
class _Hits(Marked):
    """Signals by their ticks."""

    tick: npt.NDArray[np.int64]
    marks: npt.NDArray[np.uint64]
    muon: npt.NDArray[np.int64]
