"""The counting room once more, slowly: words to windows to counts, one word at a time.

Plain integers, lists and dictionaries; nothing of :mod:`muonscope.counting` is used. The
rules are those of the docstring of ``muonscope.counting.windows``. Where that says too
little, what is done here is marked "settled:", and was read from the kernel.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import TypedDict

from muonscope.detector import Detector

__all__ = ["TIMELESS", "Answer", "SlowCounter", "WindowCounts", "slow_count"]

TIMELESS = ("ancillary", "unmapped", "invalid_head", "invalid_bx", "invalid_orbit", "late")
"""Names of the words without a usable time, in the order of their counters."""

LEAP, GAP = 112_233, 40_404_040
"""10 s and 3600 s in orbits. Settled: the docstring names them but gives no numbers."""

CONFIRM = 5
MOST_EPOCHS = 16
LONGEST_PANE = 16_384
BX_IN_ORBIT = 3564

Address = tuple[int, int]
"""FPGA and channel."""
Place = tuple[int, int]
"""Epoch and pane, or epoch and window."""


class WindowCounts(TypedDict):
    """Everything that is counted in one window."""

    total_hits: int
    hits_per_chamber: list[int]
    hits_per_channel: dict[Address, int]
    hits_per_orbit: list[dict[int, int]]
    scint_hits_per_channel: dict[Address, int]
    drifts: list[list[tuple[int, int]]]
    """For each chamber (orbit, t_hit - t0 in ticks), sorted."""
    drift_histogram: list[list[int]]
    multiplicity: list[list[int]]
    scintillator: int
    trigger: int
    other: dict[str, int]
    occupied: dict[Address, int]
    """Blocks of 11 orbits of a pane with a hit of the channel."""
    lanes: dict[int, tuple[int, int, int, int]]
    """By FPGA: words, live orbits, pauses, repeated words."""
    together: list[list[int]]
    scint_orbits: list[int]
    drift_few: list[list[int]]
    crowded: list[list[int]]


class Answer(TypedDict):
    """What became of a stream."""

    windows: dict[Place, WindowCounts]
    remainder: dict[str, int]


@dataclass
class Lane:
    """One FPGA."""

    used: bool
    epoch: int = -1
    mark: int = 0
    """Its clock: the highest orbit that two words in a row have reached."""
    last: int = 0
    home: Place | None = None
    """Pane of its latest placed word: where words without a time are counted."""
    settled_in: bool = False
    """Settled: a word in the home pane is never a jump while this holds."""
    passed: int = 0
    """Pane of ``mark - lateness`` when the lane last looked whether panes can close."""
    waited_for: bool = False
    """It was alive when the last hole began."""
    held: list[int] = field(default_factory=list)
    waiting: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TIMELESS, 0))


@dataclass
class Epoch:
    """One stretch of rising orbits."""

    first: int
    fast: int
    resumed: int
    """Orbit after the last hole, or the first one."""
    open: bool = True
    closed_below: int = 0
    touched: int = 0


@dataclass
class Pane:
    """What waits in a pane, or waited when it closed."""

    words: list[int] = field(default_factory=list)
    other: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TIMELESS, 0))


class SlowCounter:
    """Takes one word after the other; :meth:`answer` ends the stream."""

    def __init__(self, detector: Detector, window: int, lateness: int, idle: int) -> None:
        self.detector = detector
        self.window, self.lateness, self.idle = window, lateness, idle
        self.panes_per_window = (window + LONGEST_PANE - 1) // LONGEST_PANE
        self.pane_orbits = (window + self.panes_per_window - 1) // self.panes_per_window
        self.cells, self.scintillators, self.triggers = _addresses(detector)
        used = {fpga for fpga, _ in (*self.cells, *self.scintillators)}
        self.lanes = [Lane(used=n in used) for n in range(16)]
        self.epochs: list[Epoch] = []
        self.progress = 0
        self.panes: dict[Place, Pane] = {}

    def take(self, word: int) -> None:
        """Place one word."""
        lane = self.lanes[self.fpga(word)]
        what = self.kind(word)
        if what in TIMELESS:
            self.count_timeless(lane, what)
        else:
            self.take_clock_word(lane, word)

    def answer(self) -> Answer:
        """End the stream and count.

        Settled: two to four words that are held at the end are believed, and a single one
        only if its lane has no open epoch.
        """
        for lane in self.lanes:
            if len(lane.held) > 1 or (lane.held and not self.is_open(lane.epoch)):
                self.believe(lane)
            else:
                self.give_up(lane)
        gathered: dict[Place, Pane] = {}
        parts: dict[Place, list[tuple[int, int, list[int]]]] = {}
        for (epoch, pane), content in self.panes.items():
            place = epoch, pane // self.panes_per_window
            whole = gathered.setdefault(place, Pane())
            whole.words += content.words
            first = pane % self.panes_per_window * self.pane_orbits
            length = min(self.pane_orbits, self.window - first)
            parts.setdefault(place, []).append(
                (place[1] * self.window + first, length, content.words)
            )
            for name, n in content.other.items():
                whole.other[name] += n
        return {
            "windows": {
                place: self.count(pane, parts[place]) for place, pane in sorted(gathered.items())
            },
            "remainder": {n: sum(lane.waiting[n] for lane in self.lanes) for n in TIMELESS},
        }

    # what a word is

    def fpga(self, word: int) -> int:
        return (word >> 58) & (15 if self.detector.readout.version == 1 else 7)

    def kind(self, word: int) -> str:
        """Return "clock", or why the word has no usable time."""
        head = word >> (62 if self.detector.readout.version == 1 else 61)
        address = self.fpga(word), (word >> 49) & 511
        if head != self.detector.readout.hit_head:
            known = (0, 3) if self.detector.readout.version == 1 else (0, 1, 3, 4, 5)
            return "ancillary" if head in known else "invalid_head"
        if not any(address in known for known in (self.cells, self.scintillators, self.triggers)):
            return "unmapped"
        return "clock" if (word >> 5) & 4095 < BX_IN_ORBIT else "invalid_bx"

    # where it goes

    def pane_of(self, orbit: int) -> int:
        window, inside = divmod(orbit, self.window)
        return window * self.panes_per_window + inside // self.pane_orbits

    def is_open(self, epoch: int) -> bool:
        return epoch >= 0 and self.epochs[epoch].open

    def count_timeless(self, lane: Lane, what: str) -> None:
        """Settled: where no open pane holds the lane's latest word, the next one counts it."""
        counts = self.panes[lane.home].other if lane.home else lane.waiting
        counts[what] += 1

    def take_clock_word(self, lane: Lane, word: int) -> None:
        orbit = _orbit(word)
        at_home = lane.settled_in and lane.home == (lane.epoch, self.pane_of(orbit))
        in_step = -self.lateness <= orbit - lane.mark <= LEAP
        if at_home or (self.is_open(lane.epoch) and in_step):
            self.give_up(lane)
            self.place(lane, word)
            return
        if lane.held and not -self.lateness <= orbit - _orbit(lane.held[-1]) <= LEAP:
            self.give_up(lane)
        lane.held.append(word)
        lane.settled_in = False
        if len(lane.held) == CONFIRM or self.another_is_near(lane, orbit):
            self.believe(lane)

    def place(self, lane: Lane, word: int) -> None:
        orbit = _orbit(word)
        pane = self.pane_of(orbit)
        if pane < self.epochs[lane.epoch].closed_below:
            self.count_timeless(lane, "late")
        else:
            lane.home, lane.settled_in = (lane.epoch, pane), True
            content = self.panes.setdefault(lane.home, Pane())
            content.words.append(word)
            for name in TIMELESS:
                content.other[name] += lane.waiting[name]
                lane.waiting[name] = 0
        reached, lane.last = min(orbit, lane.last), orbit
        if reached > lane.mark:
            lane.mark = reached
            if self.pane_of(lane.mark - self.lateness) > lane.passed:
                self.look(lane)

    def another_is_near(self, lane: Lane, orbit: int) -> bool:
        """Settled: "there already" is within the leap, and in this epoch only ahead."""
        return any(
            other is not lane
            and self.is_open(other.epoch)
            and abs(orbit - other.mark) <= LEAP
            and (other.epoch > lane.epoch or (other.epoch == lane.epoch and orbit > lane.mark))
            for other in self.lanes
        )

    def give_up(self, lane: Lane) -> None:
        """Settled: a held word that is behind, but whose pane is still open, is in time."""
        for word in lane.held:
            orbit = _orbit(word)
            if not self.is_open(lane.epoch) or orbit >= lane.mark:
                self.count_timeless(lane, "invalid_orbit")
            elif self.pane_of(orbit) < self.epochs[lane.epoch].closed_below:
                self.count_timeless(lane, "late")
            else:
                place = lane.epoch, self.pane_of(orbit)
                self.panes.setdefault(place, Pane()).words.append(word)
        lane.held = []

    def believe(self, lane: Lane) -> None:
        words, lane.held = lane.held, []
        orbit = min(map(_orbit, words))
        epoch = self.epoch_for(lane, orbit)
        if epoch == lane.epoch and orbit > self.fastest(epoch) + LEAP:
            for other in self.lanes:
                at = self.position(other, epoch)
                other.waited_for = at >= self.fastest(epoch) - self.idle
            self.epochs[epoch].resumed = orbit
        if epoch != lane.epoch:
            lane.home = None
        self.epochs[epoch].first = min(orbit, self.epochs[epoch].first)
        lane.epoch, lane.mark, lane.last, lane.settled_in = epoch, orbit, orbit, False
        self.look(lane)
        for word in words:
            self.place(lane, word)

    def epoch_for(self, lane: Lane, orbit: int) -> int:
        """Settled: the newest epoch of another lane within the gap goes before a new one."""
        if self.is_open(lane.epoch) and lane.mark <= orbit <= lane.mark + GAP:
            return lane.epoch
        if self.is_open(lane.epoch) and any(
            other is not lane
            and other.epoch == lane.epoch
            and abs(orbit - other.mark) <= self.lateness
            for other in self.lanes
        ):
            return lane.epoch
        joined = [
            other.epoch
            for other in self.lanes
            if other is not lane
            and other.epoch != lane.epoch
            and self.is_open(other.epoch)
            and abs(orbit - other.mark) <= GAP
        ]
        if joined:
            return max(joined)
        self.epochs.append(Epoch(first=orbit, fast=orbit, resumed=orbit))
        if len(self.epochs) > MOST_EPOCHS:
            self.end_epoch(len(self.epochs) - 1 - MOST_EPOCHS)
        return len(self.epochs) - 1

    # what closes

    def look(self, lane: Lane) -> None:
        """Close what is ready.

        Settled: this happens only when a lane's clock, less the lateness, enters another
        pane, or after a jump.
        """
        lane.passed = self.pane_of(lane.mark - self.lateness)
        epoch = self.epochs[lane.epoch]
        if lane.used:
            self.progress += max(0, lane.mark - epoch.fast)
            epoch.fast = max(epoch.fast, lane.mark)
        epoch.touched = self.progress
        fast = self.fastest(lane.epoch)
        after_hole = fast - epoch.resumed <= self.idle
        alive = []
        for one in self.lanes:
            at = self.position(one, lane.epoch)
            waited_for = after_hole and one.waited_for
            if one.used and one.epoch <= lane.epoch and (at >= fast - self.idle or waited_for):
                alive.append(at)
        if alive:
            self.close_below(lane.epoch, self.pane_of(min(alive) - self.lateness))
        for number, other in enumerate(self.epochs):
            everybody_left = all(one.epoch > number for one in self.lanes if one.used)
            outrun = self.progress - other.touched > self.idle + self.pane_orbits
            if len(self.epochs) > 1 and other.open and (everybody_left or outrun):
                self.end_epoch(number)

    def position(self, lane: Lane, epoch: int) -> int:
        """Settled: a lane that is not yet in an epoch stands at its first orbit.

        Or before it, where words that the lane holds, within the idle time-out, say so.
        """
        if lane.epoch == epoch:
            return lane.mark
        first = self.epochs[epoch].first
        return min([first, *(o for o in map(_orbit, lane.held) if abs(o - first) <= self.idle)])

    def fastest(self, epoch: int) -> int:
        marks = [lane.mark for lane in self.lanes if lane.used and lane.epoch == epoch]
        return max([self.epochs[epoch].first, *marks])

    def close_below(self, epoch: int, pane: int) -> None:
        self.epochs[epoch].closed_below = max(pane, self.epochs[epoch].closed_below)
        for lane in self.lanes:
            if lane.home and lane.home[0] == epoch and lane.home[1] < pane:
                lane.home, lane.settled_in = None, False

    def end_epoch(self, number: int) -> None:
        self.epochs[number].open, self.epochs[number].closed_below = False, 1 << 62
        for lane in self.lanes:
            if lane.home and lane.home[0] == number:
                lane.home, lane.settled_in = None, False

    # what is counted

    def count(self, pane: Pane, parts: list[tuple[int, int, list[int]]]) -> WindowCounts:
        """Count a window: its words, and pane by pane (first orbit, length, words)."""
        chambers = range(self.detector.n_chambers)
        per_channel: dict[Address, int] = {}
        per_orbit: list[dict[int, int]] = [{} for _ in chambers]
        scint_per_channel: dict[Address, int] = {}
        drifts: list[list[tuple[int, int]]] = [[] for _ in chambers]
        t0 = self.earliest_scintillators(pane.words)
        n_scintillator = n_trigger = 0
        for word in pane.words:
            address, orbit = (self.fpga(word), (word >> 49) & 511), _orbit(word)
            n_scintillator += address in self.scintillators
            n_trigger += address in self.triggers
            if address not in self.cells:
                continue
            chamber = self.cells[address]
            per_channel[address] = per_channel.get(address, 0) + 1
            per_orbit[chamber][orbit] = per_orbit[chamber].get(orbit, 0) + 1
            if orbit in t0:
                scint_per_channel[address] = scint_per_channel.get(address, 0) + 1
                drifts[chamber].append((orbit, self.ticks(word) - t0[orbit]))
        hits_per_chamber = [sum(per_orbit[c].values()) for c in chambers]
        return {
            "total_hits": sum(hits_per_chamber),
            "hits_per_chamber": hits_per_chamber,
            "hits_per_channel": per_channel,
            "hits_per_orbit": per_orbit,
            "scint_hits_per_channel": scint_per_channel,
            "drifts": [sorted(d) for d in drifts],
            "drift_histogram": [self.histogram(c, drifts[c]) for c in chambers],
            "multiplicity": _multiplicity(per_orbit),
            "scintillator": n_scintillator,
            "trigger": n_trigger,
            "other": pane.other,
            "occupied": self.occupied(parts),
            "lanes": self.lanes_of(parts),
            "together": [
                [
                    sum(n >= 3 and second.get(o, 0) >= 3 for o, n in first.items())
                    for second in per_orbit
                ]
                for first in per_orbit
            ],
            "scint_orbits": [*(len(set(t0) & set(orbits)) for orbits in per_orbit), len(t0)],
            "drift_few": [
                self.histogram(c, [d for d in drifts[c] if per_orbit[c][d[0]] <= 8])
                for c in chambers
            ],
            "crowded": _crowded(per_orbit),
        }

    def occupied(self, parts: list[tuple[int, int, list[int]]]) -> dict[Address, int]:
        seen = {
            (first, (_orbit(word) - first) // 11, self.fpga(word), (word >> 49) & 511)
            for first, _, words in parts
            for word in words
        }
        blocks: dict[Address, int] = {}
        for _, _, fpga, channel in seen:
            if (fpga, channel) in self.cells:
                blocks[fpga, channel] = blocks.get((fpga, channel), 0) + 1
        return blocks

    def lanes_of(
        self, parts: list[tuple[int, int, list[int]]]
    ) -> dict[int, tuple[int, int, int, int]]:
        return {fpga: self.lane_in(parts, fpga) for fpga in range(16) if self.lanes[fpga].used}

    def lane_in(
        self, parts: list[tuple[int, int, list[int]]], fpga: int
    ) -> tuple[int, int, int, int]:
        n = live = pauses = repeated = 0
        for first, length, every in parts:
            words = [word for word in every if self.fpga(word) == fpga]
            n += len(words)
            repeated += len(words) - len(set(words))
            blocks = {(_orbit(word) - first) // 11 for word in words}
            if not blocks:
                live += length if length < 1122 else 0
                continue
            live += length
            if len(blocks) < 8:
                continue
            low, high = min(blocks), max(blocks)
            most = Fraction(24 * (high - low + 1), len(blocks))
            last = (length - 1) // 11
            live -= 11 * low if low > most else 0
            live -= length - 11 * (high + 1) if last - high > most else 0
            units = {block // 32 for block in blocks}
            for a, b in pairwise(sorted(units)):
                if 32 * (b - a - 1) > most:
                    live -= 11 * 32 * (b - a - 1)
                    pauses += 1
        return n, live, pauses, repeated

    def ticks(self, word: int) -> int:
        return ((word >> 5) & 4095) * self.detector.readout.ticks_per_bx + (word & 31)

    def earliest_scintillators(self, words: Iterable[int]) -> dict[int, int]:
        earliest: dict[int, int] = {}
        for word in words:
            if (self.fpga(word), (word >> 49) & 511) in self.scintillators:
                orbit = _orbit(word)
                earliest[orbit] = min(self.ticks(word), earliest.get(orbit, 1 << 30))
        return earliest

    def histogram(self, chamber: int, drifts: list[tuple[int, int]]) -> list[int]:
        """Below -100 ns, 320 bins of 2.5 ns, from 700 ns on."""
        offset = Fraction(str(self.detector.chambers[chamber].drift_offset_ns))
        counts = [0] * 322
        for _, ticks in drifts:
            drift = Fraction(25 * ticks, self.detector.readout.ticks_per_bx) + offset
            if drift < -100:
                counts[0] += 1
            elif drift >= 700:
                counts[321] += 1
            else:
                counts[1 + (drift + 100) // Fraction(5, 2)] += 1
        return counts


def slow_count(
    words: Iterable[int], detector: Detector, *, window: int, lateness: int, idle: int
) -> Answer:
    """Count a whole stream; all lengths are in orbits."""
    counter = SlowCounter(detector, window, lateness, idle)
    for word in words:
        counter.take(int(word))
    return counter.answer()


def _orbit(word: int) -> int:
    return (word >> 17) & 0xFFFFFFFF


def _multiplicity(per_orbit: list[dict[int, int]]) -> list[list[int]]:
    """Settled: orbits without a hit are not counted, so entry 0 stays 0."""
    together: dict[int, int] = {}
    for chamber in per_orbit:
        for orbit, n in chamber.items():
            together[orbit] = together.get(orbit, 0) + n
    rows = [[0] * 64 for _ in range(len(per_orbit) + 1)]
    for row, counts in zip(rows, [*per_orbit, together], strict=True):
        for n in counts.values():
            row[min(n, 63)] += 1
    return rows


def _crowded(per_orbit: list[dict[int, int]]) -> list[list[int]]:
    """Orbits with 63 hits, 64, ..., and with 128 or more."""
    everybody = [n for orbit in {o for c in per_orbit for o in c}
                 for n in [sum(c.get(orbit, 0) for c in per_orbit)]]  # fmt: skip
    rows = [[0] * 66 for _ in range(len(per_orbit) + 1)]
    for row, counts in zip(rows, [*(c.values() for c in per_orbit), everybody], strict=True):
        for n in counts:
            if n >= 63:
                row[min(n, 128) - 63] += 1
    return rows


def _addresses(detector: Detector) -> tuple[dict[Address, int], set[Address], set[Address]]:
    cells = {
        (chamber.fpga, channel): number
        for number, chamber in enumerate(detector.chambers)
        for channel in range(chamber.first_channel, chamber.last_channel + 1)
    }
    with_chamber = sorted({chamber.fpga for chamber in detector.chambers})
    scintillators, triggers = (
        {
            (fpga, one.channel)
            for one in kind
            for fpga in (with_chamber if one.fpga is None else [one.fpga])
        }
        for kind in (detector.scintillators, detector.firmware_triggers)
    )
    return cells, scintillators, triggers
