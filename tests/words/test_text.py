"""CSV: the recordings word by word, and every word that text can hold there and back."""

from decimal import Decimal
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers import hostile
from helpers.examples import examples
from helpers.feeding import HEADER, Outcome, cut, feed, some_words
from muonscope.detector import Detector, Readout
from muonscope.errors import FormatError
from muonscope.words._parse_csv import parse_rows
from muonscope.words._write_text import format_rows
from muonscope.words.layout import Words, pack_hits, unpack
from muonscope.words.rejects import RejectCode
from muonscope.words.tables import layout_of
from muonscope.words.text import CsvDecoder, JsonDecoder
from muonscope.words.text_encode import TextEncoder

SAMPLE = "minidt_data_000000_first999rows.csv"
READOUTS = st.sampled_from((1, 2)).flatmap(
    lambda version: st.builds(
        Readout,
        version=st.just(version),
        hit_head=st.integers(0, 3 if version == 1 else 7),
        text_channel_base=st.integers(0, 1),
        text_tdc_base=st.integers(0, 1),
    )
)
WORDS = st.lists(st.integers(0, 2**64 - 1), max_size=20)


def read(text: bytes, readout: Readout) -> Outcome:
    """Decode CSV that comes at once."""
    return feed(CsvDecoder(readout), [text])


def one_row(row: str, readout: Readout) -> int:
    """Return the word of a row."""
    words, rejects = read(HEADER + row.encode() + b"\n", readout)
    assert not rejects
    assert len(words) == 1
    return words[0]


def test_text_and_binary_of_a_run_give_the_same_words(realdata: Path, run000591: Detector) -> None:
    text = (realdata / "run000591_data_000000.txt").read_bytes()
    binary = np.fromfile(realdata / "run000591_data_000000.dat", "<u8")
    words, rejects = read(text, run000591.readout)
    assert rejects == []
    assert len(words) == 159_616
    np.testing.assert_array_equal(np.array(words, np.uint64), binary)


def test_binary_of_a_run_gives_its_text_to_the_byte(realdata: Path, run000591: Detector) -> None:
    text = (realdata / "run000591_data_000000.txt").read_bytes()
    words = np.fromfile(realdata / "run000591_data_000000.dat", "<u8")
    encoder = TextEncoder(run000591.readout)
    assert encoder.begin() + encoder.encode(words) == text


def test_the_stream_sample_comes_back_to_the_byte(realdata: Path, legnaro: Detector) -> None:
    text = (realdata / SAMPLE).read_bytes()
    words, rejects = read(text, legnaro.readout)
    assert (len(words), rejects) == (999, [])
    encoder = TextEncoder(legnaro.readout)
    assert encoder.begin() + encoder.encode(np.array(words, np.uint64)) == text


def test_the_stream_sample_has_the_columns_that_plain_python_reads(
    realdata: Path, legnaro: Detector
) -> None:
    lines = (realdata / SAMPLE).read_text().splitlines()[1:]
    words = np.array(read((realdata / SAMPLE).read_bytes(), legnaro.readout).words, np.uint64)
    found = unpack(words, 2, 2)
    columns = (found.head, found.fpga, found.channel, found.orbit, found.bx, found.tdc)
    expected = np.array([[float(value) for value in line.split(",")] for line in lines])
    np.testing.assert_allclose(np.stack(columns, axis=1), expected, rtol=0, atol=6e-7)
    np.testing.assert_array_equal(found.orbit, expected[:, 3])


@given(readout=READOUTS, values=WORDS)
def test_a_word_is_written_so_that_it_reads_back_or_refused_by_name(
    readout: Readout, values: list[int]
) -> None:
    for json in (False, True):
        decoder = JsonDecoder(readout) if json else CsvDecoder(readout)
        encoder = TextEncoder(readout, json=json)
        try:
            text = encoder.begin() + encoder.encode(np.array(values, np.uint64))
        except FormatError as exc:
            assert any(f"0x{value:016x}" in str(exc) for value in values)  # noqa: PT017
        else:
            assert feed(decoder, [text]) == Outcome(values, [])


@given(data=st.data(), version=st.sampled_from((1, 2)), base=st.sampled_from(((0, 1), (1, 0))))
def test_every_hit_that_the_daq_writes_comes_back(
    data: st.DataObject, version: int, base: tuple[int, int]
) -> None:
    readout = Readout(
        version=version, hit_head=version, text_channel_base=base[0], text_tdc_base=base[1]
    )
    row = st.tuples(
        st.integers(0, 7 if version == 2 else 15), st.integers(0, 511),
        st.integers(0, 2**32 - 1), st.integers(0, 4095), st.integers(1, 31),
    )  # fmt: skip
    rows = np.array(data.draw(st.lists(row, min_size=1, max_size=20)), np.int64)
    words = pack_hits(readout.hit_head, *rows.T, version=version)
    text = TextEncoder(readout).encode(words)
    shown = rows + np.array([0, base[0], 0, 0, base[1] - 1])
    expected = [",".join(map(str, [readout.hit_head, *line])) for line in shown.tolist()]
    assert text.decode().splitlines() == expected
    assert read(text, readout).words == words.tolist()


@given(bits=st.integers(0, 2**16 - 1), head=st.sampled_from((4, 5)))
def test_half_precision_numbers_are_written_correctly_rounded_so_that_they_read_back(
    bits: int, head: int
) -> None:
    readout = Readout(version=2, hit_head=2)
    number = np.array([bits], np.uint16).view(np.float16)[0]
    word = np.array([head << 61 | 7 << 24 | bits], np.uint64)
    if not np.isfinite(number):
        with pytest.raises(FormatError, match=f"0x{word[0]:016x}"):
            TextEncoder(readout).encode(word)
        return
    six = f"{float(number):.6f}"
    shown = six if np.float16(six).view(np.uint16) == bits else f"{float(number):.8f}"
    assert np.float16(shown).view(np.uint16) == bits
    text = TextEncoder(readout).encode(word)
    assert text.decode() == f"{head},0,0,7,0,{shown}\n"
    assert CsvDecoder(readout).feed(text).words.tolist() == word.tolist()


@pytest.mark.parametrize(
    ("row", "word"),
    [
        ("0,1,2,3387315431,1119,24", 1 << 58 | 3387315431 << 24 | 1119 << 12 | 24 << 7 | 2),
        ("1,1,0,3387315431,0,130", 1 << 61 | 1 << 58 | 3387315431 << 24 | 130 << 16),
        ("3,0,0,3387339394,4353,0", 3 << 61 | 3387339394 << 24 | 4353),
        ("4,1,0,7,0,-0.573730", 4 << 61 | 1 << 58 | 7 << 24 | 0xB897),
        ("5,1,0,7,0,45.500000", 5 << 61 | 1 << 58 | 7 << 24 | 0x51B0),
        ("4,0,0,7,0,-0.000000", 4 << 61 | 7 << 24 | 0x8000),
        ("6,1,138,7,8,9", 6 << 61 | 1 << 58 | 138 << 49 | 7 << 17 | 8 << 5 | 9),
    ],
)
def test_each_head_of_the_text_has_its_own_bits(row: str, word: int, legnaro: Detector) -> None:
    assert one_row(row, legnaro.readout) == word
    assert TextEncoder(legnaro.readout).encode(np.array([word], np.uint64)) == f"{row}\n".encode()


@given(bits=st.integers(0, 2**16 - 1).filter(lambda bits: bits & 0x7C00 != 0x7C00))
def test_a_half_precision_number_with_all_its_decimals_is_read_exactly(bits: int) -> None:
    number = float(np.array([bits], np.uint16).view(np.float16)[0])
    word = 4 << 61 | 7 << 24 | bits
    readout = Readout(version=2, hit_head=2)
    assert one_row(f"4,0,0,7,0,{Decimal(number):f}", readout) == word
    line = f'{{"HEAD":4,"FPGA":0,"TDC_CHANNEL":0,"ORBIT_CNT":7,"BX_COUNTER":0,"TDC_MEAS":{number}}}'
    assert feed(JsonDecoder(readout), [line.encode()]) == ([word], [])


def test_text_of_2018_counts_channels_from_1_and_ticks_from_0(run000591: Detector) -> None:
    word = one_row("1,0,72,46758,279,18", run000591.readout)
    assert word == 1 << 62 | 71 << 49 | 46758 << 17 | 279 << 5 | 19
    words, rejects = read(b"1,0,0,46758,279,18\n1,0,1,5,0,31\n", run000591.readout)
    assert words == []
    assert [r.code for r in rejects] == [RejectCode.OUT_OF_RANGE] * 2


UNSEEN = {
    "low bits of HEAD 1": (2, 1 << 61 | 5),
    "low bits of HEAD 4": (2, 4 << 61 | 1 << 16),
    "bits above the orbit": (2, 3 << 61 | 1 << 56),
    "plus infinity": (2, 4 << 61 | 0x7C00),
    "minus infinity": (2, 5 << 61 | 0xFC00),
    "not a number": (2, 5 << 61 | 0x7E01),
    "TDC 0 of v1, which text would write as -1": (1, 1 << 62 | 5 << 17),
}


@pytest.mark.parametrize("json", [False, True])
@pytest.mark.parametrize("why", UNSEEN)
def test_a_word_that_text_cannot_hold_is_refused_by_name(why: str, json: bool) -> None:
    version, word = UNSEEN[why]
    readout = Readout(
        version=version,
        hit_head=version,
        text_channel_base=2 - version,
        text_tdc_base=version - 1,
    )
    good = pack_hits(readout.hit_head, 0, 5, np.arange(3), 0, 9, version=version)
    words = np.concatenate([good, np.array([word], np.uint64), good])
    with pytest.raises(FormatError, match=rf"0x{word:016x}.*dat, block and parquet hold"):
        TextEncoder(readout, json=json).encode(words)


def test_nothing_to_write_gives_nothing_and_a_header_before(legnaro: Detector) -> None:
    empty: Words = np.empty(0, np.uint64)
    encoder = TextEncoder(legnaro.readout)
    assert (encoder.begin(), encoder.encode(empty)) == (HEADER, b"")
    assert TextEncoder(legnaro.readout, json=True).begin() == b""


@given(data=st.data())
def test_any_order_of_columns_gives_the_same_words(data: st.DataObject) -> None:
    readout = Readout(version=2, hit_head=2)
    names = HEADER.decode().strip().split(",")
    order = data.draw(st.permutations(range(6)))
    row = ["2", "1", "79", "617866", "307", "27"]
    text = ",".join(names[i] for i in order) + "\n" + ",".join(row[i] for i in order) + "\n"
    layout = layout_of(text.encode().splitlines()[0])
    assert layout is not None
    assert layout.columns == tuple(order)
    assert read(text.encode(), readout).words == pack_hits(2, 1, 79, 617866, 307, 27).tolist()


def test_rejects_name_line_offset_and_bytes(legnaro: Detector) -> None:
    rows = b"\n2,0,79,617866,307,27\r\n\r\n2,0,79,oops,307,27\r\n2,0,79,1,2\n"
    rejects = read(HEADER + rows, legnaro.readout).rejects
    assert [(r.line, r.offset - len(HEADER), r.length) for r in rejects] == [
        (5, 25, 20),
        (6, 45, 11),
    ]
    assert [r.evidence for r in rejects] == [b"2,0,79,oops,307,27", b"2,0,79,1,2"]
    assert str(rejects[0]) == (
        "line 5: not a number: '2,0,79,oops,307,27': ORBIT_CNT 'oops', expected a decimal number"
    )


def test_a_header_after_a_line_too_long_is_no_header_in_any_pieces(legnaro: Detector) -> None:
    swapped = b"FPGA,HEAD,TDC_CHANNEL,ORBIT_CNT,BX_COUNTER,TDC_MEAS\n2,1,3,4,5,6\n"
    pieces = [b"x," * 40_000, b"\n" + swapped]
    outcome = feed(CsvDecoder(legnaro.readout), pieces)
    assert outcome == feed(CsvDecoder(legnaro.readout), [b"".join(pieces)])
    assert outcome.words == pack_hits(2, 1, 3, 4, 5, 6).tolist()
    assert [r.line for r in outcome.rejects] == [1, 2]


def test_more_rejects_than_fit_at_once_are_all_given(legnaro: Detector) -> None:
    words, rejects = read(b"2,0,1,2,3,4\nx\n" * 10_000, legnaro.readout)
    assert (len(words), len(rejects)) == (10_000, 10_000)
    assert [r.offset for r in rejects] == [12 + 14 * i for i in range(10_000)]
    assert [r.line for r in rejects] == list(range(2, 20_001, 2))


@examples(30)
@given(data=st.data())
def test_any_pieces_of_the_sample_give_the_same_words(
    data: st.DataObject, realdata: Path, legnaro: Detector
) -> None:
    text = (realdata / SAMPLE).read_bytes()
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=30))
    pieces = cut(text, cuts)
    assert feed(CsvDecoder(legnaro.readout), pieces) == read(text, legnaro.readout)


def test_the_compiled_writer_and_plain_python_agree(legnaro: Detector) -> None:
    encoder = TextEncoder(legnaro.readout)
    rng = np.random.default_rng(5)
    heads = np.arange(60, dtype=np.uint64) % np.uint64(8) << np.uint64(61)
    words = rng.integers(0, 2**61, 60, np.uint64) | heads

    def written(function: Any) -> bytes:
        out = np.zeros(60 * 80, np.uint8)
        columns = encoder._columns(words)
        with np.errstate(all="ignore"):
            size = function(words, columns, True, 2, out, encoder._between, encoder._sizes)
        return out[:size].tobytes()

    assert written(format_rows) == written(_plain(format_rows))


def test_the_compiled_reader_and_plain_python_agree(legnaro: Detector) -> None:
    good = TextEncoder(legnaro.readout).encode(some_words(30))
    rows = [case.data for case in hostile.ROWS + hostile.FIELDS if case.format == "csv"]
    text = good + b"".join(row.removeprefix(HEADER) for row in rows) + good[:-1]

    def parsed(function: Any) -> list[list[Any]]:
        words, halves = np.zeros(500, np.uint64), np.zeros(500, np.int64)
        values, rejects = np.zeros(500), np.zeros((500, 4), np.int64)
        counters = np.zeros(4, np.int64)
        raw = np.frombuffer(text, np.uint8)
        done = function(
            raw, len(raw), True, 1 << 16, np.arange(6), True, 2, 0, 1,
            words, halves, values, rejects, counters,
        )  # fmt: skip
        arrays = (words, halves, values, rejects, counters)
        return [[done], *(array.tolist() for array in arrays)]

    compiled = parsed(parse_rows)
    assert compiled[0] == [len(text)]
    assert compiled[5][0] > 100
    assert compiled[5][2] > 20
    with np.errstate(over="ignore"):  # numbers too long are refused by their digits
        assert compiled == parsed(_plain(parse_rows))


def _plain(kernel: Any) -> Any:
    """Return the Python function of a kernel, its parts taken from Python too."""
    function = kernel.py_func
    around = function.__globals__
    parts = {k: _plain(around[k]) for k in function.__code__.co_names if _is_kernel(around.get(k))}
    return FunctionType(function.__code__, around | parts, function.__name__)


def _is_kernel(thing: object) -> bool:
    return hasattr(thing, "py_func")
