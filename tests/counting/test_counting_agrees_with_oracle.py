"""The fast counter and the slow one give the same counts, to the last word."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.examples import examples
from helpers.streams import (
    CSV,
    DAT,
    NOISE,
    SPECS,
    STREAMS,
    as_array,
    by_place,
    count,
    plain,
    plain_other,
    read_words,
    spec_of,
)
from muonscope.detector import Detector, parse_detector, shipped_detector
from muonscope.words.layout import Words, pack_hits
from oracles.slow_counter import slow_count

LEGNARO = shipped_detector("legnaro")


def assert_same(words: Words, detector: Detector, lengths: tuple[int, int, int]) -> None:
    """Compare every window and the remainder."""
    window, lateness, idle = lengths
    slow = slow_count(words.tolist(), detector, window=window, lateness=lateness, idle=idle)
    windows, remainder = count(words, detector, spec_of(*lengths))
    by_place(windows)
    fast = {(w.epoch, w.window): plain(w) for w in windows}
    assert fast.keys() == slow["windows"].keys()
    for place, expected in slow["windows"].items():
        assert fast[place] == expected, place
    assert plain_other(remainder) == slow["remainder"]


@pytest.mark.parametrize(
    "lengths",
    [(1, 1122, 56_117), (5, 600, 2000), (11_223, 1122, 56_117), (33_670, 1122, 56_117)],
)
def test_real_stream_sample_is_counted_as_by_the_oracle(
    realdata: Path, legnaro: Detector, lengths: tuple[int, int, int]
) -> None:
    words = read_words(realdata / CSV, legnaro)
    assert len(words) == 999
    assert_same(words, legnaro, lengths)


@pytest.mark.parametrize("lengths", [(11_223, 1122, 56_117), (33_670, 1122, 56_117)])
def test_real_run000591_is_counted_as_by_the_oracle(
    realdata: Path, run000591: Detector, lengths: tuple[int, int, int]
) -> None:
    words = read_words(realdata / DAT, run000591)
    raw = (realdata / DAT).read_bytes()
    assert words[:100].tolist() == [
        int.from_bytes(raw[i : i + 8], "little") for i in range(0, 800, 8)
    ]
    assert_same(words, run000591, lengths)


@examples(400)
@given(words=STREAMS, lengths=SPECS)
def test_any_stream_with_faults_is_counted_as_by_the_oracle(
    words: list[int], lengths: tuple[int, int, int]
) -> None:
    assert_same(as_array(words), LEGNARO, lengths)


@examples(300)
@given(words=NOISE, lengths=SPECS)
def test_any_noise_is_counted_as_by_the_oracle(
    words: list[int], lengths: tuple[int, int, int]
) -> None:
    assert_same(as_array(words), LEGNARO, lengths)


WIDE = "\n".join(
    [
        'name = "wide"',
        "[words]",
        "version = 2",
        "hit_head = 2",
        "ticks_per_bx = 32",
        *(
            f"[[chamber]]\nfpga = {n // 2}\nchannels = {[0, 255] if n % 2 == 0 else [256, 510]}\n"
            f'view = "phi"\nz_mm = {100 * n}\ndrift_offset_ns = {n * 3.7 - 20:.1f}'
            for n in range(16)
        ),
        "[[scintillator]]\nchannel = 511",
    ]
)
"""Eight FPGAs of 512 channels: every address that a v2 word can name."""


@examples(20)
@given(data=st.data(), lengths=SPECS)
def test_detector_of_eight_fpgas_and_512_channels_is_counted_as_by_the_oracle(
    data: st.DataObject, lengths: tuple[int, int, int]
) -> None:
    detector = parse_detector(WIDE)
    assert detector.n_cells == 8 * 511
    rng = data.draw(st.randoms(use_true_random=False))
    orbits = [10**6 + 30 * i + rng.randint(-9, 9) for i in range(300)]
    far = [rng.randint(0, 2**32 - 1) for _ in range(5)]
    for place, orbit in enumerate(far):
        orbits[50 * place] = orbit
    fpgas = [rng.randrange(8) for _ in orbits]
    channels = [rng.choice([0, 255, 256, 510, 511, 511]) for _ in orbits]
    bx = [rng.randrange(3565) for _ in orbits]
    tdc = [rng.randrange(32) for _ in orbits]
    assert_same(pack_hits(2, fpgas, channels, orbits, bx, tdc), detector, lengths)


def test_every_channel_of_eight_fpgas_is_counted_in_its_own_cell() -> None:
    detector = parse_detector(WIDE)
    fpgas = [fpga for fpga in range(8) for _ in range(512)]
    channels = list(range(512)) * 8
    words = pack_hits(2, fpgas, channels, 5000, 3, 31)
    assert_same(words, detector, (11_223, 1122, 56_117))
    [window], remainder = count(words, detector, spec_of(11_223))
    assert window.summary.hits_per_cell.tolist() == [1] * detector.n_cells
    assert window.summary.scintillator_words == 8
    assert remainder.accounting.words_in == 0
