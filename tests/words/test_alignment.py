"""Binary words after damage: the rest is read, the gap is rejected with its place, and no more."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.cases import case
from helpers.damaged import decoded, lost_and_wrong, recorded_words
from helpers.examples import examples
from helpers.feeding import Outcome, cut, stream
from muonscope.detector import Detector, Readout, shipped_detector
from muonscope.simulation.faults import parse_fault
from muonscope.simulation.options import Simulation
from muonscope.simulation.profiles import PROFILES
from muonscope.simulation.telescope import simulate
from muonscope.words._realign import find_gaps, trusted_blocks
from muonscope.words.alignment import MOST_BYTES
from muonscope.words.binary import DatDecoder, DatEncoder
from muonscope.words.layout import head, pack_ancillary, pack_hits
from muonscope.words.rejects import RejectCode

FILLING, MISALIGNED = RejectCode.FILLING, RejectCode.MISALIGNED
V1, V2 = Readout(version=1, hit_head=1), Readout(version=2, hit_head=2)
READOUTS = pytest.mark.parametrize("readout", [V1, V2], ids=["v1", "v2"])
NOISE = np.random.default_rng(9).bytes(200_000)
WORDS = {1: recorded_words(3000, version=1), 2: recorded_words(3000)}
MIDDLE = 8 * 1200


@READOUTS
@pytest.mark.parametrize("lost", [1, 2, 3, 4, 5, 6, 7, 9, 15, 1001])
@pytest.mark.parametrize("inside", range(8))
def test_words_after_lost_bytes_are_found(readout: Readout, lost: int, inside: int) -> None:
    words = WORDS[readout.version]
    at = MIDDLE + inside
    data = words.tobytes()
    outcome = decoded(data[:at] + data[at + lost :], readout)
    missing, wrong = lost_and_wrong(words, outcome)
    assert missing <= lost // 8 + 5
    assert wrong <= 4
    assert {reject.code for reject in outcome.rejects} == {MISALIGNED}
    assert sum(reject.length for reject in outcome.rejects) <= 24
    told = re.fullmatch(
        r"from byte (\d+) on the words are shifted by (\d) bytes?.*", outcome.rejects[-1].reason
    )
    assert told is not None
    assert int(told[2]) == -lost % 8
    assert abs(int(told[1]) - at) <= 40
    begin = int(told[1])
    assert np.isin(np.frombuffer(data[at + lost + (begin - at) :], "<u8")[:50], words).all()


@READOUTS
@pytest.mark.parametrize("added", [1, 2, 3, 4, 5, 6, 7, 9, 100, 1001])
@pytest.mark.parametrize("inside", range(8))
def test_words_after_added_bytes_are_found(readout: Readout, added: int, inside: int) -> None:
    words, data = WORDS[readout.version], WORDS[readout.version].tobytes()
    at = MIDDLE + inside
    outcome = decoded(data[:at] + NOISE[:added] + data[at:], readout)
    missing, wrong = lost_and_wrong(words, outcome)
    assert (missing, wrong) <= (4, 4)
    assert outcome.rejects[-1].reason.startswith("from byte ")
    assert f"shifted by {added % 8} byte" in outcome.rejects[-1].reason


@READOUTS
def test_a_word_that_is_cut_before_the_next_run_costs_no_more_than_its_neighbour(
    readout: Readout,
) -> None:
    first = recorded_words(900, version=readout.version, start=3_387_200_902)
    second = recorded_words(900, version=readout.version, start=616_953, seed=2)
    both = np.concatenate([first, second])
    for cut_off in range(1, 8):
        outcome = decoded(first.tobytes()[:-cut_off] + second.tobytes(), readout)
        assert lost_and_wrong(both, outcome) == (1, 0)
        assert [(r.code, r.offset) for r in outcome.rejects] == [(MISALIGNED, 899 * 8)]
        assert outcome.rejects[0].length == 8 - cut_off


@READOUTS
@pytest.mark.parametrize(
    ("old", "new"), [(b"\n", b"\r\n"), (b"\r\n", b"\n"), (b"\r", b"\n\r"), (b"\x1a", b"")]
)
def test_a_translation_of_newlines_costs_a_few_words_each(
    readout: Readout, old: bytes, new: bytes
) -> None:
    words = recorded_words(3000, version=readout.version, start=9_000_000)
    data = words.tobytes()
    damaged = data.replace(old, new)
    outcome = decoded(damaged, readout)
    missing, wrong = lost_and_wrong(words, outcome)
    places = data.count(old)
    assert missing <= 5 * places
    assert wrong <= max(1, 2 * places)
    assert {reject.code for reject in outcome.rejects} <= {MISALIGNED, RejectCode.TRUNCATED}


def test_text_as_which_a_file_was_copied_is_named() -> None:
    data = recorded_words(3000, start=9_000_000).tobytes().replace(b"\n", b"\r\n")
    reasons = [reject.reason for reject in decoded(data, V2).rejects]
    assert any("copied as text (LF to CRLF)? copy it as binary" in reason for reason in reasons)


@READOUTS
@pytest.mark.parametrize("size", [300, 1000, 4096, 70_000, 200_000])
def test_garbage_of_any_size_is_rejected_and_no_word_after_it(readout: Readout, size: int) -> None:
    words, data = WORDS[readout.version], WORDS[readout.version].tobytes()
    outcome = decoded(data[:MIDDLE] + NOISE[:size] + data[MIDDLE:], readout)
    missing, wrong = lost_and_wrong(words, outcome)
    assert (missing, wrong) <= (2, 3)
    assert sum(reject.length for reject in outcome.rejects) >= size - 24
    assert {reject.code for reject in outcome.rejects} == {MISALIGNED}
    assert len(outcome.rejects) <= size // 65536 + 3


@pytest.mark.parametrize("size", [75, 150, 600, 3001])
def test_text_between_words_is_rejected(size: int) -> None:
    text = Path(__file__).read_bytes()[:size]
    data = WORDS[2].tobytes()
    outcome = decoded(data[:MIDDLE] + text + data[MIDDLE:], V2)
    missing, wrong = lost_and_wrong(WORDS[2], outcome)
    assert (missing, wrong) <= (2, 2)
    assert sum(reject.length for reject in outcome.rejects) >= 0.8 * size - 16


@READOUTS
@pytest.mark.parametrize("filler", [b"\0", b"\xff"], ids=["zeros", "ones"])
@pytest.mark.parametrize("count", [8, 9, 31, 32, 33, 511, 512, 20_000])
@pytest.mark.parametrize("where", [8 * 5, MIDDLE, 8 * 3000])
def test_fillings_are_rejected_where_they_are(
    readout: Readout, filler: bytes, count: int, where: int
) -> None:
    words, data = WORDS[readout.version], WORDS[readout.version].tobytes()
    outcome = decoded(data[:where] + filler * 8 * count + data[where:], readout)
    assert outcome.words == words.tolist()
    assert {reject.code for reject in outcome.rejects} == {FILLING}
    assert outcome.rejects[0].offset == where
    assert sum(reject.length for reject in outcome.rejects) == 8 * count
    assert ("zero" if filler == b"\0" else "0xFF") in outcome.rejects[0].reason


def test_the_word_that_was_being_written_when_the_power_went_goes_with_the_filling() -> None:
    data = WORDS[2].tobytes()
    for written in range(1, 8):
        outcome = decoded(data[: MIDDLE + written].ljust(16_384, b"\0"), V2)
        assert outcome.words[:1200] == WORDS[2][:1200].tolist()
        assert len(outcome.words) <= 1201
        assert {reject.code for reject in outcome.rejects} == {FILLING}


@pytest.mark.parametrize("count", range(1, 8))
def test_a_few_words_of_zeros_or_ones_may_be_words(count: int) -> None:
    for word in (0, 2**64 - 1):
        words = np.insert(WORDS[2], 1200, np.full(count, word, np.uint64))
        assert decoded(words.tobytes(), V2) == (words.tolist(), [])


JUMPS: dict[str, Callable[[int], int]] = {
    "an epoch": lambda n: 3_387_200_902 + n if n < 1500 else 616_953 + n,
    "a wrap": lambda n: (2**32 - 700 + n) % 2**32,
    "holes": lambda n: 10_000_000 * (n // 300) + n,
    "steps back": lambda n: 5_000_000 + n - (606 if n % 8 >= 4 else 0),
    "hits a second apart": lambda n: 11_000 * n,
    "orbits whose bytes look like HEAD": lambda n: 0x40404040 + n,
    "the top byte of a hit": lambda n: 0x44 << 23 | n // 400,
    "an orbit of zeros": lambda n: n // 3000,
}


@READOUTS
@pytest.mark.parametrize("kind", JUMPS)
@pytest.mark.parametrize("channels", [1, 2, 16, 128])
def test_no_jump_of_orbits_is_a_shift(readout: Readout, kind: str, channels: int) -> None:
    n = np.arange(3000)
    orbits = [JUMPS[kind](i) for i in range(3000)]
    words = pack_hits(
        readout.hit_head, n // 4 % 2, 40 + n * 7 % channels, orbits, n * 97 % 3564, 1 + n % 30,
        version=readout.version,
    )  # fmt: skip
    assert decoded(words.tobytes(), readout) == (words.tolist(), [])


def test_recordings_are_read_to_the_word(
    realdata: Path, run000591: Detector, legnaro: Detector
) -> None:
    data = (realdata / "run000591_data_000000.dat").read_bytes()
    outcome = decoded(data, run000591.readout, range(0, len(data), 65_521))
    assert outcome == (np.frombuffer(data, "<u8").tolist(), [])
    text = (realdata / "minidt_data_000000_first999rows.csv").read_bytes()
    sample = stream(text, legnaro.readout).words
    assert decoded(np.array(sample, np.uint64).tobytes(), legnaro.readout) == (sample, [])


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize(
    "fault", ["", "noisy:ch0:61:500", "silent:fpga0@1s-2s", "desync:fpga0:100000", "duplicate:0.5",
              "corrupt:0.01", "corrupt:0.3", "burst:20@0s-1s"],
)  # fmt: skip
def test_not_a_word_of_a_simulation_is_rejected(profile: str, fault: str) -> None:
    detector = shipped_detector(PROFILES[profile].detector)
    for scale, start in ((1, None), (30, 2**30), (3, 2**32 - 5000)):
        faults = (parse_fault(fault, detector),) if fault else ()
        simulation = Simulation(
            detector=detector, profile=PROFILES[profile], words=4000, rate_scale=scale,
            start_orbit=start, faults=faults,
        )  # fmt: skip
        words = np.concatenate([batch.stream.words for batch in simulate(simulation)])
        assert decoded(words.tobytes(), detector.readout) == (words.tolist(), [])


def test_a_recording_that_lost_a_byte_anywhere_loses_its_word_alone(
    realdata: Path, run000591: Detector
) -> None:
    data = (realdata / "run000591_data_000000.dat").read_bytes()
    for at in range(50_001, len(data) - 40_000, 100_003):
        part = data[at // 8 * 8 - 16_000 : at // 8 * 8 + 24_000]
        words = np.frombuffer(part, "<u8").astype(np.uint64)
        place = 16_000 + at % 8
        outcome = decoded(part[:place] + part[place + 1 :], run000591.readout)
        assert lost_and_wrong(words, outcome) <= (2, 1)
        assert len(outcome.rejects) == 1


def damage(words: bytes) -> bytes:
    """Do a bit of everything to ``words``."""
    return (
        words[:3001] + words[3003:7000] + bytes(800) + words[7000:9003] + NOISE[:1500]
        + words[9003:12_001] + b"\xff" * 4097 + words[12_001:20_000].replace(b"\n", b"\r\n")
        + words[20_000:]
    )  # fmt: skip


@READOUTS
@pytest.mark.parametrize("headers", [False, True], ids=["dat", "dat129"])
@examples(30)
@given(cuts=st.lists(st.floats(0, 1), max_size=12))
def test_any_pieces_give_the_same(readout: Readout, headers: bool, cuts: list[float]) -> None:
    words = WORDS[readout.version]
    data = damage(DatEncoder(591 if headers else None).encode(words))
    whole = decoded(data, readout, headers=headers)
    places = [int(part * len(data)) for part in cuts]
    assert decoded(data, readout, places, headers=headers) == whole
    assert lost_and_wrong(words, whole)[0] < 300


@pytest.mark.parametrize("headers", [False, True], ids=["dat", "dat129"])
@examples(30)
@given(stops=st.lists(st.floats(0, 1), min_size=1, max_size=5))
def test_a_decoder_goes_on_where_another_stopped(headers: bool, stops: list[float]) -> None:
    data = damage(DatEncoder(591 if headers else None).encode(WORDS[2]))
    outcome, state, start = Outcome([], []), {}, 0
    decoder = DatDecoder(V2, headers=headers)
    for stop in sorted(int(part * len(data)) for part in stops):
        part = decoder.feed(data[start : max(start, stop)])
        outcome.words.extend(part.words.tolist())
        outcome.rejects.extend(part.rejects)
        state, start = json.loads(json.dumps(decoder.state())), decoder.position
        decoder = DatDecoder(V2, headers=headers)
        decoder.resume(start, state)
    for part in (decoder.feed(data[start:]), decoder.finish()):
        outcome.words.extend(part.words.tolist())
        outcome.rejects.extend(part.rejects)
    assert outcome == decoded(data, V2, headers=headers)


def test_what_waits_is_bounded() -> None:
    decoder = DatDecoder(V2)
    for begin in range(0, len(NOISE), 1000):
        decoder.feed(NOISE[begin : begin + 1000])
        assert begin + 1000 - decoder.position <= MOST_BYTES + 1000


TRANSFERS = DatEncoder(591).encode(WORDS[2])


@pytest.mark.parametrize(
    ("damaged", "most"),
    [
        (TRANSFERS[:9001] + TRANSFERS[9002:], 2),
        (TRANSFERS[:9001] + b"x" + TRANSFERS[9001:], 3),
        (TRANSFERS[:9000] + TRANSFERS[9024:], 3),
        (TRANSFERS[:9000] + WORDS[2][:5].tobytes() + TRANSFERS[9000:], 0),
        (TRANSFERS[: 1032 * 9] + TRANSFERS[1032 * 9 + 8 :], 0),
        (TRANSFERS[: 1032 * 9] + bytes(1032) + TRANSFERS[1032 * 9 :], 0),
        (TRANSFERS[: 1032 * 9 + 400] + bytes(4000) + TRANSFERS[1032 * 9 + 400 :], 0),
        (TRANSFERS[: 1032 * 9 + 400] + b"\xff" * 4003 + TRANSFERS[1032 * 9 + 400 :], 1),
        (TRANSFERS[: 1032 * 9 + 400] + NOISE[:4003] + TRANSFERS[1032 * 9 + 400 :], 2),
    ],
)
def test_headers_of_transfers_are_found_again(damaged: bytes, most: int) -> None:
    outcome = decoded(damaged, V2, headers=True)
    missing, _ = lost_and_wrong(WORDS[2], outcome)
    assert missing <= most
    assert 591 not in outcome.words


@pytest.mark.parametrize("place", [-28, 0, 1, 60, 126, 127, 128])
@pytest.mark.parametrize("stop", [0, 1032, 1032 + 8 * 50])
def test_a_trigger_word_of_the_first_orbits_is_no_header(place: int, stop: int) -> None:
    words = WORDS[2].copy()
    words[128 + place] = pack_ancillary(0, 0, 17, 5)[0]
    data = DatEncoder(591).encode(words)
    first = DatDecoder(V2, headers=True)
    found = first.feed(data[:stop]).words.tolist()
    second = DatDecoder(V2, headers=True)
    second.resume(first.position, first.state())
    found += second.feed(data[first.position :]).words.tolist()
    assert found + second.finish().words.tolist() == words.tolist()


@pytest.mark.parametrize("end", [1032 * 9, 1032 * 9 + 480, 1032 * 9 + 483])
def test_the_headers_of_the_next_run_are_found(end: int) -> None:
    second = recorded_words(1000, start=1_000, seed=4)
    data = TRANSFERS[:end] + DatEncoder(592).encode(second)
    outcome = decoded(data, V2, headers=True)
    assert outcome.words[-1000:] == second.tolist()
    assert len(outcome.words) - 1000 <= end // 8 - end // 1032


@READOUTS
def test_machine_code_and_python_find_the_same(readout: Readout) -> None:
    data = np.frombuffer(damage(WORDS[readout.version].tobytes()), np.uint8)[2000:5000].copy()
    heads = {1: 0b1001, 2: 0b111011}[readout.version]
    found, plain = (np.zeros((400, 2), np.int64) for _ in range(2))
    how = readout.version, readout.hit_head, heads
    assert find_gaps(data, *how, found) == find_gaps.py_func(data, *how, plain) > 0
    np.testing.assert_array_equal(found, plain)
    words = WORDS[readout.version]
    with np.errstate(over="ignore"):
        shift = np.uint32(30 if readout.version == 1 else 29)
        args = shift, np.uint32(readout.hit_head), np.uint32(heads | 1 << readout.hit_head), 6
        assert trusted_blocks(words, *args) == trusted_blocks.py_func(words, *args) == 92


def test_the_case_of_a_lost_byte() -> None:
    data = case("3-lost-byte/lost_byte.dat").read_bytes()
    outcome = stream(data, V2)
    assert [reject.code for reject in outcome.rejects] == [MISALIGNED]
    assert "on the words are shifted by 7 bytes" in outcome.rejects[0].reason
    assert 2000 <= outcome.rejects[0].offset < 2008
    words = np.array(outcome.words, np.uint64)
    channels = words[head(words, 2) == 2] >> np.uint64(49) & np.uint64(511)
    assert np.count_nonzero(channels < 128) == 564
    assert len(words) == 1499


def test_the_case_of_a_power_cut() -> None:
    data = case("7-zeros/zero_tail.dat").read_bytes()
    outcome = stream(data, V2, [11_999, 12_001, 14_000])
    assert outcome.words == np.frombuffer(data[:12_000], "<u8").tolist()
    assert [(r.code, r.offset, r.length) for r in outcome.rejects] == [(FILLING, 12_000, 4_096)]


def test_pieces_of_one_byte_give_the_same() -> None:
    data = damage(WORDS[2].tobytes())[:8000]
    assert decoded(data, V2, range(1, len(data))) == decoded(data, V2)
    assert cut(data, [1])[0] == data[:1]
