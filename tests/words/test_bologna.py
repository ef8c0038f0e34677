"""The text of the DAQ in Bologna: every line a word, orbits unfolded, pins by the public list."""

import gzip
import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import muonscope
from helpers.cases import case
from helpers.examples import examples
from helpers.feeding import Outcome, assert_law, feed, stream
from muonscope.counting.word_classes import class_table
from muonscope.detector import setup_names, shipped_detector
from muonscope.words.bologna import Unfolding, channels_of
from muonscope.words.decode import StreamDecoder
from muonscope.words.detect import guess_format
from muonscope.words.layout import unpack

DETECTOR = shipped_detector("bologna2")
READOUT = DETECTOR.readout
ORBITS_PER_S = 40e6 / 3564


def hits(count: int, rate_hz: float = 1152.0, seed: int = 1) -> list[tuple[int, int, int, int]]:
    """Return (orbit, pin, BX, TDC) as they happen, the orbit being the true one."""
    rng = np.random.default_rng(seed)
    orbits = (np.cumsum(rng.exponential(1 / rate_hz, count)) * ORBITS_PER_S).astype(int)
    others = [rng.integers(0, high, count).tolist() for high in (240, 3564, 31)]
    return list(zip(orbits.tolist(), *others, strict=True))


def text_of(
    rows: list[tuple[int, int, int, int]],
    *,
    ahead: int = 0,
    late_s: list[float] | None = None,
    begin: str = "",
) -> bytes:
    """Return rows as that DAQ writes them, its counter ``ahead`` of its seconds."""
    late = late_s or [0.0] * len(rows)
    return "".join(
        f"{begin}{orbit / ORBITS_PER_S + wait:.3f} {(orbit + ahead) % 4096} {pin} {bx} {tdc}\n"
        for (orbit, pin, bx, tdc), wait in zip(rows, late, strict=True)
    ).encode()  # fmt: skip


def shifts(data: bytes, rows: list[tuple[int, int, int, int]]) -> set[int]:
    """Return by how much the orbits that are read differ from the true ones."""
    words, rejects = stream(data, READOUT)
    assert rejects == []
    found = unpack(np.array(words, np.uint64), 2, 2).orbit.tolist()
    return {read - true[0] for read, true in zip(found, rows, strict=True)}


ROWS = hits(3000)
TEXTS = {
    "plain": text_of(ROWS),
    "with underscores": text_of(ROWS, begin="_ "),
    "with tabs": text_of(ROWS).replace(b" ", b"\t"),
    "with several blanks": text_of(ROWS).replace(b" ", b"   "),
    "with CRLF": text_of(ROWS).replace(b"\n", b"\r\n"),
    "with blank lines": text_of(ROWS).replace(b"\n", b"\n \n"),
    "without the last newline": text_of(ROWS)[:-1],
    "with a BOM": b"\xef\xbb\xbf" + text_of(ROWS),
    "in many decimals": b"".join(
        b"_ %.16g %d %d %d %d\n" % (orbit / ORBITS_PER_S + 1e-9, orbit % 4096, pin, bx, tdc)
        for orbit, pin, bx, tdc in ROWS
    ),
    "in units of a second before the first": text_of(ROWS, ahead=100),
}


@pytest.mark.parametrize("name", TEXTS)
def test_every_line_is_a_word_with_its_numbers(name: str) -> None:
    decoder = StreamDecoder(READOUT)
    outcome = feed(decoder, [TEXTS[name]])
    assert_law(decoder, outcome, len(TEXTS[name]))
    assert outcome.rejects == []
    assert decoder.guess is not None
    assert decoder.guess.format == "bologna"
    fields = unpack(np.array(outcome.words, np.uint64), 2, 2)
    channels = channels_of(READOUT.pins)
    assert fields.channel.tolist() == [channels[pin] for _, pin, _, _ in ROWS]
    assert fields.bx.tolist() == [bx for _, _, bx, _ in ROWS]
    assert fields.tdc.tolist() == [tdc for _, _, _, tdc in ROWS]
    assert set(fields.head.tolist()) == {2}
    assert set(fields.fpga.tolist()) == {0}
    steps = {read - row[0] for read, row in zip(fields.orbit.tolist(), ROWS, strict=True)}
    assert steps == {100 if "before" in name else 0}


@pytest.mark.parametrize("name", TEXTS)
def test_it_may_come_in_pieces_compressed_and_resumed(name: str) -> None:
    data = TEXTS[name][:9000] + b"\nbroken\n1 2 3 4\n0.9 9 240 1 1\n"
    whole = stream(data, READOUT)
    assert len(whole.rejects) >= 2
    for size in (7, 1000):
        assert stream(data, READOUT, range(0, len(data), size)) == whole
    assert feed(StreamDecoder(READOUT), [gzip.compress(data)]) == whole
    for stop in range(1, len(data), 2001):
        first, second = StreamDecoder(READOUT), StreamDecoder(READOUT)
        begun = first.feed(data[:stop])
        second.resume(json.loads(json.dumps(first.state())))
        rest = feed(second, [data[first.restart :]])
        assert begun.words.tolist() + rest.words == whole.words
        assert [*begun.rejects, *rest.rejects] == whole.rejects


@examples(30)
@given(
    seed=st.integers(0, 2**32), ahead=st.integers(0, 4095), rate=st.sampled_from((0.5, 10, 1152)),
    drift=st.floats(-2e-5, 2e-5),
)  # fmt: skip
def test_orbits_unfold_whatever_the_phase_the_rate_and_the_drift(
    seed: int, ahead: int, rate: float, drift: float
) -> None:
    rows = hits(3000, rate, seed)
    rng = np.random.default_rng(seed)
    late = [
        0.12 * wait + drift * row[0] / ORBITS_PER_S
        for wait, row in zip(rng.random(len(rows)), rows, strict=True)
    ]
    late[0] = abs(late[0])
    found = shifts(text_of(rows, ahead=ahead, late_s=late), rows)
    assert len(found) == 1
    assert (found.pop() - ahead) % 4096 == 0


@pytest.mark.parametrize(("latest_s", "rises"), [(0.17, False), (0.25, True)])
def test_lines_that_are_written_late_do_not_move_the_orbits_after_them(
    latest_s: float, rises: bool
) -> None:
    rows = hits(20_000)
    falling = [max(0.0, latest_s - n / 1152) for n in range(2000)]
    rising = falling[::-1] if rises else [0.0] * 2000  # at once, or by and by
    late = [0.0] * 5000 + rising + falling + [0.0] * 11_000
    assert shifts(text_of(rows, late_s=late), rows) == {0}


def test_hits_of_one_orbit_and_steps_back_stay_where_they_are() -> None:
    orbits = [4000, 4090, 4090, 4096, 4093, 4100, 3900, 4200, 8191, 8193, 8190]
    rows = [(orbit, 5, 6, 7) for orbit in orbits]
    assert shifts(text_of(rows), rows) == {0}
    assert shifts(text_of(rows, late_s=[0.0, *[0.12] * 10]), rows) == {0}


def test_a_pause_of_many_turns_is_told_by_the_seconds() -> None:
    orbits = [10, 20, *(int(ORBITS_PER_S * s) for s in (1, 5.5, 3600, 3600.1, 40_000))]
    rows = [(orbit, 5, 6, 7) for orbit in orbits]
    assert shifts(text_of(rows), rows) == {0}


def test_seconds_that_begin_anew_begin_orbits_anew() -> None:
    rows = hits(2000)
    orbits = unpack(np.array(stream(text_of(rows) * 2, READOUT).words, np.uint64), 2, 2).orbit
    assert orbits[2000:].tolist() == orbits[:2000].tolist()


def test_orbits_beyond_32_bits_wrap_as_the_counter_of_the_words_does() -> None:
    orbit = (1 << 32) + 777
    words = stream(text_of([(orbit - 5000, 1, 2, 3), (orbit, 1, 2, 3)]), READOUT).words
    orbits = unpack(np.array(words, np.uint64), 2, 2).orbit.tolist()
    assert orbits == [2**32 + 777 - 5000, 777]


def test_unfolded_orbits_are_never_negative() -> None:
    unfolding = Unfolding()
    found = [unfolding.take(seconds, orbit) for seconds, orbit in ((0.3, 5), (0.0, 4000), (0, 1))]
    assert min(found) >= 0


def test_pins_are_those_of_the_connectors() -> None:
    channels = channels_of(READOUT.pins)
    assert len(READOUT.pins) == 128
    assert len(set(channels)) == 240
    published = {
        222: 0,
        45: 1,
        17: 15,
        14: 16,
        0: 31,
        119: 32,
        165: 47,
        40: 48,
        147: 63,
        33: 64,
        113: 79,
        229: 80,
        104: 96,
        216: 112,
        69: 127,
    }
    assert {pin: channels[pin] for pin in published} == published
    kinds = class_table(DETECTOR).kind
    mapped = [pin for pin in range(240) if kinds[2 << 12 | channels[pin]] == 0]
    assert set(mapped) == {*READOUT.pins, 228}


def test_pins_of_no_chamber_keep_their_number_beside_the_channels() -> None:
    channels = channels_of(READOUT.pins)
    others = sorted(set(range(240)) - set(READOUT.pins))
    assert [channels[pin] for pin in others] == [p + 256 if p < 128 else p for p in others]


def test_the_sample_gives_hits_in_windows() -> None:
    data = case("9-bologna/Run_1.txt").read_bytes()
    rows = [line.split() for line in data.decode().splitlines()]
    words, rejects = stream(data, READOUT)
    assert (len(words), rejects) == (300, [])
    orbits = unpack(np.array(words, np.uint64), 2, 2).orbit
    assert all(
        orbit % 4096 == int(row[1]) for orbit, row in zip(orbits.tolist(), rows, strict=True)
    )
    assert all(b - a >= 0 for a, b in pairwise(orbits.tolist()))
    near = [abs(o / ORBITS_PER_S - float(row[0])) for o, row in zip(orbits, rows, strict=True)]
    assert max(near) < 0.5
    windows = muonscope.open(case("9-bologna/Run_1.txt"), "bologna2").summarise()
    total = windows.total().accounting
    assert len(windows.epoch) >= 6
    cells = set(READOUT.pins)
    assert total.hits == sum(int(row[2]) in cells for row in rows) == 160
    assert total.scintillator == sum(row[2] == "228" for row in rows) == 2
    assert total.unmapped == 300 - 162


@pytest.mark.parametrize("name", [name for name in setup_names() if name != "bologna2"])
def test_another_detector_refuses_it_and_names_the_right_one(name: str) -> None:
    words, rejects = stream(TEXTS["plain"], shipped_detector(name).readout)
    assert words == []
    assert all("--detector bologna2" in reject.reason for reject in rejects)


@pytest.mark.parametrize(
    "row",
    ["0 1.904 fff fff fff", "_ 0 1.904 fff fff fff", "1 2 3", "a b c d e", "2 0 79 617866 307"],
)
def test_other_columns_are_not_taken_for_it(row: str) -> None:
    found = guess_format(f"{row}\n".encode() * 30, READOUT, complete=True)
    assert found is not None
    assert found.format != "bologna"


BAD = {
    "0.1 4096 5 6 7": "orbit 4096, expected 0..4095",
    "0.1 1 240 6 7": "pin 240, expected 0..239",
    "0.1 1 5 4096 7": "BX 4096, expected 0..4095",
    "0.1 1 5 6 32": "TDC 32, expected 0..31",
    "0.1 1 5 6": "4 columns, expected 5 (seconds, orbit, pin, BX, TDC), such as 0.005 101 94",
    "0.1 1 5 6 7 8": "6 columns, expected 5",
    "x 1 5 6 7": "seconds x, expected a decimal number",
    "0.1 1 5.5 6 7": "pin 5.5, expected a whole number 0..239",
    "-0.1 1 5 6 7": "seconds -0.1, expected 0 or more",
    "0.1 1 -5 6 7": "pin -5, expected 0 or more",
    "0.1 1 5 6 " + "7" * 100: "TDC 777777777777777777777777, expected 0..31",
    "nan 1 5 6 7": "seconds nan, expected a decimal number",
}


@pytest.mark.parametrize("row", BAD)
def test_a_bad_line_is_rejected_with_its_place_and_the_reason(row: str) -> None:
    good = text_of(ROWS[:20])
    data = good + row.encode() + b"\n" + good[-20:].split(b"\n", 1)[1]
    words, rejects = stream(data, READOUT)
    assert len(words) == 20
    assert [(r.line, r.offset, r.length) for r in rejects] == [(21, len(good), len(row) + 1)]
    assert BAD[row] in rejects[0].reason


def test_damage_anywhere_keeps_the_law_and_the_other_lines() -> None:
    data = TEXTS["plain"]
    for at in range(5000, len(data), 5000):
        broken = data[:at] + b"\0\xff\n" + data[at + 30 :]
        words, rejects = stream(broken, READOUT)
        assert len(words) > len(ROWS) - 5
        assert len(rejects) <= 3
    assert Outcome([], []) == stream(b"", READOUT)
