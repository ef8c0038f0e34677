"""Streams of words for tests: real ones, hand-made ones, and hypothesis strategies."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from muonscope.counting.counter import Counter
from muonscope.counting.summary import Summary
from muonscope.counting.window_spec import WindowSpec
from muonscope.counting.window_table import WindowSummary
from muonscope.detector import Detector
from muonscope.units import ORBIT_S
from muonscope.words.decode import StreamDecoder, decode
from muonscope.words.layout import Words, pack_hits
from oracles.slow_counter import TIMELESS, WindowCounts

CSV = "minidt_data_000000_first999rows.csv"
DAT = "run000591_data_000000.dat"

LATENESS = 1122
IDLE = 56_117
SCINTILLATOR, TRIGGER, UNMAPPED = 128, 138, 200


def read_words(path: Path, detector: Detector) -> Words:
    """Return the words of a recording."""
    with path.open("rb") as file:
        return np.concatenate([d.words for d in decode(file, StreamDecoder(detector.readout))])


def spec_of(window: int, lateness: int = LATENESS, idle: int = IDLE) -> WindowSpec:
    """Return a specification with lengths in orbits."""
    return WindowSpec(
        window_s=window * ORBIT_S, lateness_s=lateness * ORBIT_S, idle_s=idle * ORBIT_S
    )


def hit(fpga: int, orbit: int, channel: int = 5, bx: int = 100, tdc: int = 7) -> int:
    """Return a v2 word with the hit HEAD; special channels included."""
    return int(pack_hits(2, fpga, channel, orbit, bx, tdc)[0])


def other(fpga: int, head: int = 0, orbit: int = 0) -> int:
    """Return a v2 word of another HEAD, laid out as ancillary words are."""
    return head << 61 | fpga << 58 | orbit << 24 | 0x123


def as_array(words: Iterable[int]) -> Words:
    """Return Python integers as words."""
    return np.array(list(words), np.uint64)


def count(
    words: Words, detector: Detector, spec: WindowSpec, cuts: Iterable[int] = ()
) -> tuple[list[WindowSummary], Summary]:
    """Return the windows and the remainder of a stream that is pushed in pieces."""
    counter = Counter(detector, spec)
    windows = [w for piece in np.split(words, sorted(cuts)) for w in counter.push(piece)]
    windows += counter.finish()
    return windows, counter.remainder


def plain(window: WindowSummary) -> WindowCounts:
    """Return the counts of a window in the words of the oracle."""
    summary, detail = window.summary, window.summary.detail
    assert detail is not None
    cells = summary.detector.cells()
    addresses = list(zip(cells.fpga.tolist(), cells.channel.tolist(), strict=True))

    def per_channel(counts: Any) -> dict[tuple[int, int], int]:
        return {a: n for a, n in zip(addresses, counts.tolist(), strict=True) if n}

    return {
        "total_hits": summary.total_hits,
        "hits_per_chamber": summary.hits_per_chamber.tolist(),
        "hits_per_channel": per_channel(summary.hits_per_cell),
        "hits_per_orbit": [
            dict(zip(orbits.tolist(), hits.tolist(), strict=True))
            for orbits, hits in zip(detail.orbits, detail.orbit_hits, strict=True)
        ],
        "scint_hits_per_channel": per_channel(summary.scint_hits),
        "drifts": [
            list(zip(orbits.tolist(), ticks.tolist(), strict=True))
            for orbits, ticks in zip(detail.drift_orbits, detail.drift_ticks, strict=True)
        ],
        "drift_histogram": summary.drift_histogram.tolist(),
        "multiplicity": summary.multiplicity.tolist(),
        "scintillator": summary.scintillator_words,
        "trigger": summary.trigger_words,
        "other": plain_other(summary),
        "occupied": per_channel(summary.arrays["occupied"]),
        "lanes": _plain_lanes(summary),
        "together": summary.arrays["together"].tolist(),
        "scint_orbits": summary.arrays["scint_orbits"].tolist(),
        "drift_few": summary.arrays["drift_few"].tolist(),
        "crowded": summary.arrays["crowded"].tolist(),
    }


def _plain_lanes(summary: Summary) -> dict[int, tuple[int, int, int, int]]:
    names = ("lane_words", "lane_orbits", "lane_holes", "repeated")
    rows = zip(*(summary.arrays[name].tolist() for name in names), strict=True)
    return dict(zip(summary.detector.lanes, rows, strict=True))


def plain_other(summary: Summary) -> dict[str, int]:
    """Return the counts of words without a usable time by name."""
    return dict(zip(TIMELESS, summary.other_words.tolist(), strict=True))


def by_place(windows: Iterable[WindowSummary]) -> dict[tuple[int, int], Summary]:
    """Return summaries by (epoch, window), which must name each window once."""
    named: dict[tuple[int, int], Summary] = {}
    for window in windows:
        assert (window.epoch, window.window) not in named
        named[window.epoch, window.window] = window.summary
    return named


@dataclass
class Script:
    """Writes words as a DAQ might: each FPGA has a place in time that acts move."""

    fpgas: int = 2
    words: list[int] = field(default_factory=list)
    at: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.at = self.at or [1_000_000] * self.fpgas

    def hits(self, fpga: int, n: int, step: int, channel: int = 5) -> None:
        """Write ``n`` hits, each ``step`` orbits after the one before."""
        for i in range(n):
            self.at[fpga] = (self.at[fpga] + step) % 2**32
            number = len(self.words)
            self.words.append(
                hit(fpga, self.at[fpga], (channel + 17 * i) % 128, number * 7 % 3564, number % 32)
            )

    def together(self, n: int, step: int) -> None:
        """Let all FPGAs go on side by side, four words each at a time, with scintillators."""
        for i in range(n):
            for fpga in range(self.fpgas):
                self.hits(fpga, 4, step, 11 * i)
            self.words.append(hit(1, self.at[1], SCINTILLATOR, 50 * i % 3564, i % 30))

    def shift(self, fpgas: Iterable[int], by: int) -> None:
        """Move FPGAs in time: a hole or a step back."""
        for fpga in fpgas:
            self.at[fpga] = (self.at[fpga] + by) % 2**32

    def move(self, fpgas: Iterable[int], to: int) -> None:
        """Set the counters of FPGAs: a reset, a stale buffer, the eve of a wrap."""
        for fpga in fpgas:
            self.at[fpga] = to

    def lone(self, fpga: int, by: int) -> None:
        """Write one hit that is elsewhere in time."""
        self.words.append(hit(fpga, (self.at[fpga] + by) % 2**32, 9))

    def special(self, fpga: int, channel: int, by: int = 0) -> None:
        """Write a word with the hit HEAD on a channel that may be no wire."""
        self.words.append(hit(fpga, (self.at[fpga] + by) % 2**32, channel, 30, 11))

    def bad_bx(self, fpga: int) -> None:
        """Write a hit with an impossible BX."""
        self.words.append(hit(fpga, self.at[fpga], bx=3564 + len(self.words) % 500))

    def timeless(self, fpga: int, head: int, ahead: int = 120_000) -> None:
        """Write a word of another HEAD, ahead of the hits as the real ones are."""
        self.words.append(other(fpga, head, (self.at[fpga] + ahead) % 2**32))


_FPGAS = st.integers(0, 1)
_WHICH = st.sampled_from([(0,), (1,), (0, 1)])
_STEPS = st.sampled_from([0, 1, 3, 20, 400, 9_000, 60_000])
_SHIFTS = st.sampled_from(
    [
        -1,
        -19,
        -21,
        -606,
        -1122,
        -1123,
        -20_000,
        -(10**6),
        -(10**8),
        5000,
        112_233,
        112_234,
        10**6,
        40_404_040,
        40_404_041,
        2**31,
    ]
)
_MOVES = st.sampled_from([0, 3, 2**32 - 5, 600_000, 1_000_000, 3_387_200_947, 2**31 - 2])

ACTS = st.one_of(
    st.tuples(st.just("hits"), _FPGAS, st.integers(1, 12), _STEPS, st.integers(0, 127)),
    st.tuples(st.just("together"), st.integers(1, 5), _STEPS),
    st.tuples(st.just("shift"), _WHICH, _SHIFTS),
    st.tuples(st.just("move"), _WHICH, _MOVES),
    st.tuples(st.just("lone"), _FPGAS, _SHIFTS),
    st.tuples(
        st.just("special"),
        _FPGAS,
        st.sampled_from([SCINTILLATOR, TRIGGER, UNMAPPED]),
        st.sampled_from([0, 0, -1, 4]),
    ),
    st.tuples(st.just("bad_bx"), _FPGAS),
    st.tuples(st.just("timeless"), st.integers(0, 7), st.sampled_from([0, 1, 3, 4, 5, 6, 7])),
)
"""One thing that a DAQ may do: the name of a method of Script and its arguments."""


def played(acts: Iterable[tuple[Any, ...]]) -> list[int]:
    """Return the words of some acts."""
    script = Script()
    for name, *arguments in acts:
        # words of FPGAs without chambers have no place in time
        if name == "timeless" and arguments[0] >= script.fpgas:
            script.words.append(other(*arguments))
        else:
            getattr(script, name)(*arguments)
    return script.words


STREAMS = st.lists(ACTS, max_size=30).map(played)
"""Random streams with every fault of the DAQ, shrinking act by act."""

NOISE = st.lists(
    st.builds(
        lambda head, fpga, channel, orbit, low: (
            head << 61 | fpga << 58 | channel << 49 | orbit << 17 | low
        ),
        st.sampled_from([2] * 8 + list(range(8))),
        st.sampled_from([0, 0, 1, 1, 2, 7]),
        st.sampled_from([0, 1, 63, 64, 127, SCINTILLATOR, SCINTILLATOR, TRIGGER, 511]),
        st.builds(
            lambda base, by: (base + by) % 2**32,
            st.sampled_from([0, 0, 5000, 10**6, 2**31, 2**32 - 9]),
            st.integers(0, 40),
        ),
        st.integers(0, 2**17 - 1),
    ),
    max_size=80,
)
"""Random words whose orbits are close to each other or very far."""

SPECS = st.sampled_from(
    [
        (1, LATENESS, IDLE),
        (1, 2, 5),
        (7, 20, 100),
        (1000, 20, 100),
        (1000, 606, 3000),
        (11_223, LATENESS, IDLE),
        (33_670, LATENESS, IDLE),
        (33_670, 20, 70),
    ]
)
"""Window, lateness and idle time-out in orbits; 33,670 (3 s) has three panes."""
