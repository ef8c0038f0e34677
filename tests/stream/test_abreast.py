"""Streams side by side give the windows of the one stream that they were made of."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.cases import case
from helpers.examples import examples
from helpers.side_by_side import DISTRIBUTIONS, Windows, exact_part, spread, windows_in_order
from helpers.simulated import BRIGHT, simulated_words
from helpers.streams import CSV, DAT, as_array, hit, other, read_words
from muonscope.counting.counter import Counter
from muonscope.counting.window_spec import WindowSpec
from muonscope.counting.window_table import WindowSummary
from muonscope.detector import Detector, shipped_detector
from muonscope.simulation.profiles import PROFILES, Profile
from muonscope.stream.abreast import Abreast
from muonscope.words.layout import Words

LEGNARO = shipped_detector("legnaro")
SPEC = WindowSpec()
IntArray = npt.NDArray[np.int64]


class Reader:
    """Reads streams at any pace, and counts what is released."""

    def __init__(self, words: Words, of_word: IntArray, streams: int, detector: Detector) -> None:
        self.words, self.detector = words, detector
        self.left = [np.flatnonzero(of_word == s) for s in range(streams)]
        self.abreast: Abreast[IntArray] = Abreast(detector.readout, streams)
        self.counter = Counter(detector, SPEC)
        self.windows: list[WindowSummary] = []
        self.taken: list[int] = []
        self._part = [0] * streams

    def read(self, stream: int, most: int, times_ms: IntArray | None = None) -> None:
        rows, self.left[stream] = np.split(self.left[stream], [most])
        sent = None if times_ms is None else times_ms[rows]
        self.abreast.push(stream, self.words[rows], rows, 0.0, sent)
        unread = [s for s, rest in enumerate(self.left) if len(rest)]
        ended = [s for s, rest in enumerate(self.left) if not len(rest)]
        released = self.abreast.release(unread, ended, before_s=-1.0)
        if released:
            self.windows += self.counter.push(released.words, released.streams)
            for taken in released.taken:
                begin = self._part[taken.stream]
                self.taken += taken.item[begin : taken.words].tolist()
                self._part[taken.stream] = 0 if taken.whole else taken.words

    def read_all(self, rng: np.random.Generator, times_ms: IntArray | None = None) -> Windows:
        most = max(2, len(self.words) // 40)
        while streams := [s for s, rest in enumerate(self.left) if len(rest)]:
            self.read(int(rng.choice(streams)), int(rng.integers(1, most)), times_ms)
        assert sorted(self.taken) == list(range(len(self.words)))
        assert self.abreast.flush() is None
        return exact_part([*self.windows, *self.counter.finish()])


@pytest.mark.parametrize("streams", [1, 2, 4, 12, 64])
@pytest.mark.parametrize("how", DISTRIBUTIONS)
def test_a_recording_gives_the_windows_of_its_file(
    realdata: Path, run000591: Detector, how: str, streams: int
) -> None:
    words = read_words(realdata / DAT, run000591)[100_000:150_000]  # with the hole of 210 s
    of_word = spread(how, len(words), streams, 7)
    reader = Reader(words, of_word, streams, run000591)
    rng = np.random.default_rng(streams)
    assert reader.read_all(rng) == windows_in_order(words, run000591, SPEC)


@pytest.mark.parametrize("streams", [1, 2, 4, 12])
@pytest.mark.parametrize("how", DISTRIBUTIONS)
@pytest.mark.parametrize("name", ["sample", "rows"])
def test_a_reset_is_one_for_all_streams(
    realdata: Path, legnaro: Detector, how: str, streams: int, name: str
) -> None:
    """Some streams have words before it, or after it, alone: time stamps tell."""
    path = realdata / CSV if name == "sample" else case("0-parallel-parts") / "rows.csv"
    words = read_words(path, legnaro)
    times_ms = np.arange(len(words)) // 10 + 1_700_000_000_000
    expected = windows_in_order(words, legnaro, SPEC)
    assert {epoch for epoch, _ in expected} == {0, 1}
    of_word = spread(how, len(words), streams, 3)
    for seed in range(3):
        reader = Reader(words, of_word, streams, legnaro)
        assert reader.read_all(np.random.default_rng(seed), times_ms) == expected


@examples(60)
@given(
    seed=st.integers(1, 50),
    streams=st.integers(1, 64),
    how=st.sampled_from(DISTRIBUTIONS),
    pace=st.integers(0, 1 << 30),
    timed=st.booleans(),
    profile=st.sampled_from([BRIGHT, PROFILES["quiet"]]),
)
def test_any_spread_of_a_simulated_stream_gives_its_windows(
    seed: int, streams: int, how: str, pace: int, *, timed: bool, profile: Profile
) -> None:
    words = simulated_words(4_000, profile=profile, seed=seed)
    reader = Reader(words, spread(how, len(words), streams, pace), streams, LEGNARO)
    times_ms = np.arange(len(words)) // 3 if timed else None
    rng = np.random.default_rng(pace)
    assert reader.read_all(rng, times_ms) == windows_in_order(words, LEGNARO, SPEC)


def orbits_of(words: Words) -> list[int]:
    return [int(word) >> 17 & 0xFFFFFFFF for word in words]


def hits_at(*orbits: int, fpga: int = 0) -> Words:
    return as_array(hit(fpga, orbit) for orbit in orbits)


def test_a_stream_that_is_ahead_waits_for_one_that_is_unread() -> None:
    abreast: Abreast[str] = Abreast(LEGNARO.readout, 2)
    abreast.push(0, hits_at(100, 100, 200, 200, 300, 300), "a", 0.0)
    assert abreast.release([0, 1], [], 9.0) is None
    abreast.push(1, hits_at(150, 150, 250, 250), "b", 0.0)
    released = abreast.release([0, 1], [], -1.0)
    assert released
    # a word has a place of its own once the next one has reached its orbit, too
    assert orbits_of(released.words) == [100, 100, 200, 150, 150, 250, 200, 300, 250]
    assert released.streams.of_word.tolist() == [0, 0, 0, 1, 1, 1, 0, 0, 1]
    assert [(t.item, t.words, t.whole) for t in released.taken] == [("a", 5, False), ("b", 4, True)]
    rest = abreast.flush()
    assert rest
    assert orbits_of(rest.words) == [300]
    assert [(t.item, t.words, t.whole) for t in rest.taken] == [("a", 6, True)]


def test_a_stream_that_was_read_is_waited_for_only_a_moment() -> None:
    abreast: Abreast[str] = Abreast(LEGNARO.readout, 2)
    abreast.push(0, hits_at(100, 200), "a", 5.0)
    assert abreast.release([], [], before_s=4.9) is None
    released = abreast.release([], [], before_s=5.0)
    assert released
    assert orbits_of(released.words) == [100, 200]


def test_a_stream_that_has_ended_is_not_waited_for() -> None:
    abreast: Abreast[str] = Abreast(LEGNARO.readout, 2)
    abreast.push(0, hits_at(100, 200), "a", 5.0)
    released = abreast.release([], [1], before_s=-1.0)
    assert released
    assert orbits_of(released.words) == [100, 200]


def test_words_without_a_time_stay_where_they_stand_in_their_stream() -> None:
    abreast: Abreast[str] = Abreast(LEGNARO.readout, 2)
    words = as_array([other(0), hit(0, 500), other(0), other(0), hit(0, 900), hit(0, 900)])
    abreast.push(0, words, "a", 0.0)
    abreast.push(1, hits_at(400, 600, 600, 950, 950), "b", 0.0)
    released = abreast.flush()
    assert released
    of_first = released.words[released.streams.of_word == 0]
    assert of_first.tolist() == words.tolist()
    assert released.streams.of_word.tolist() == [1, 1, 0, 0, 0, 0, 0, 1, 1, 0, 1]


def test_a_lone_bad_orbit_moves_no_clock() -> None:
    abreast: Abreast[str] = Abreast(LEGNARO.readout, 2)
    abreast.push(0, hits_at(100, 101, 4_000_000_000, 102, 5, 103, 104), "a", 0.0)
    abreast.push(1, hits_at(100, 102, 106, 106, 107), "b", 0.0)
    released = abreast.release([0, 1], [], -1.0)
    assert released
    assert set(orbits_of(released.words)) == {100, 101, 4_000_000_000, 102, 5, 103, 104, 106}
    rest = abreast.flush()
    assert rest
    assert orbits_of(rest.words) == [106, 107]


@pytest.mark.parametrize("cut", [3, 200, 700, 998])
def test_going_on_from_a_saved_state_gives_the_same_order(
    realdata: Path, legnaro: Detector, cut: int
) -> None:
    words = read_words(realdata / CSV, legnaro)
    times_ms, of_word = np.arange(len(words)), np.arange(len(words)) % 3
    whole, first = (Reader(words, of_word, 3, legnaro) for _ in range(2))
    expected = whole.read_all(np.random.default_rng(0), times_ms)
    rng = np.random.default_rng(1)
    while len(first.taken) < cut:
        streams = [s for s, rest in enumerate(first.left) if len(rest)]
        first.read(int(rng.choice(streams)), 20, times_ms)
    second = Reader(words, of_word, 3, legnaro)
    second.abreast.restore(first.abreast.snapshot())
    second.counter.restore(first.counter.snapshot())
    second.windows, second.taken = first.windows, first.taken
    second.left = [rows[~np.isin(rows, first.taken)] for rows in second.left]
    assert second.read_all(rng, times_ms) == expected
