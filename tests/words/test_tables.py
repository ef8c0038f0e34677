"""Tables as other programs export them: the same words from each, and nothing guessed."""

import csv
import gzip
import io
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from helpers.cases import case
from helpers.examples import examples
from helpers.feeding import Outcome, assert_law, feed, some_words, stream
from muonscope.detector import Readout, shipped_detector
from muonscope.words._plain_rows import plain_rows
from muonscope.words.decode import StreamDecoder
from muonscope.words.detect import guess_format
from muonscope.words.layout import COLUMNS, pack_ancillary, unpack
from muonscope.words.rejects import RejectCode
from muonscope.words.tables import Layout, layout_of, plain_table
from muonscope.words.text_encode import TextEncoder

READOUT = shipped_detector("legnaro").readout
HALVES = np.array([0.5, -0.57373, 68.375, 40.125], np.float16).view(np.uint16)
WORDS = np.concatenate(
    [
        some_words(150),
        pack_ancillary([4, 4, 5, 5], [0, 1, 1, 0], 617_161, HALVES),
        pack_ancillary([0, 3, 1], 1, 617_161, [205 << 12 | 23 << 7 | 1, 34952, 144 << 16]),
        some_words(30),
    ]
)
FIELDS = unpack(WORDS, 2, 2)
COLUMNS_OF_WORDS = (
    FIELDS.head, FIELDS.fpga, FIELDS.channel, FIELDS.orbit, FIELDS.bx, FIELDS.tdc,
)  # fmt: skip
ROWS = [list(map(float, row)) for row in np.stack(COLUMNS_OF_WORDS, axis=1)]
NUMBERS = [[*map(int, row[:5]), int(row[5]) if row[5] == int(row[5]) else row[5]] for row in ROWS]
NAMES = list(COLUMNS)


def written(rows: list[list[Any]], header: list[str] | None, **dialect: Any) -> bytes:
    """Return rows as Python's own csv module writes them."""
    out = io.StringIO()
    writer = csv.writer(out, **({"lineterminator": "\n"} | dialect))
    writer.writerows([header, *rows] if header else rows)
    return out.getvalue().encode()


def with_comma(rows: list[list[Any]]) -> list[list[str]]:
    """Return numbers with a decimal comma."""
    return [[str(value).replace(".", ",") for value in row] for row in rows]


def numbered(rows: list[list[Any]]) -> list[list[Any]]:
    """Return rows with their number before them."""
    return [[number, *row] for number, row in enumerate(rows)]


def savetxt(**options: Any) -> bytes:
    """Return what numpy.savetxt writes."""
    out = io.BytesIO()
    np.savetxt(out, np.array(ROWS), **options)
    return out.getvalue()


def fixed_width() -> bytes:
    """Return a table as pandas prints it: padded with blanks, an index without a name."""
    lines = ["     " + " ".join(f"{name:>12}" for name in NAMES)]
    lines += [
        f"{number:<5}" + " ".join(f"{value:>12}" for value in row)
        for number, row in enumerate(NUMBERS)
    ]
    return "\n".join(lines).encode()


QUOTED = csv.QUOTE_ALL
NOTES = [[*row, 'a "note", with 1;2', "x"] for row in NUMBERS]
EXPORTS: dict[str, tuple[bytes, str]] = {
    "pandas with its index": (written(numbered(NUMBERS), ["", *NAMES]), "1 further column"),
    "pandas with floats": (written(ROWS, NAMES), "six names"),
    "pandas with index and floats": (written(numbered(ROWS), ["", *NAMES]), "1 further column"),
    "pandas with a named index and a tab": (
        written(numbered(NUMBERS), ["row", *NAMES], delimiter="\t"), "tab separated, 1 further",
    ),
    "pandas printed": (fixed_width(), "blank separated, 1 further column"),
    "Excel in Italy": (
        b"\xef\xbb\xbf" + written(with_comma(ROWS), NAMES, delimiter=";", lineterminator="\r\n"),
        "semicolon separated, decimal comma",
    ),
    "Excel in Italy, quoted": (
        written(with_comma(ROWS), NAMES, delimiter=";", quoting=QUOTED, lineterminator="\r\n"),
        "semicolon separated, decimal comma",
    ),
    "Excel with tabs and decimal commas": (
        written(with_comma(ROWS), NAMES, delimiter="\t"), "tab separated, decimal comma",
    ),
    "Excel with an empty column at the end": (
        written([[*row, ""] for row in NUMBERS], [*NAMES, ""], delimiter=";"), "1 further column",
    ),
    "R, write.csv2": (
        written(with_comma(numbered(ROWS)), ["", *NAMES], delimiter=";", quoting=QUOTED),
        "semicolon separated, 1 further column ignored, decimal comma",
    ),
    "R, write.table, whose header lacks the row names": (
        written(numbered(NUMBERS), None, delimiter=" ").replace(
            b"0 ", (" ".join(f'"{name}"' for name in NAMES) + "\n0 ").encode(), 1
        ),
        "blank separated, 1 further column ignored",
    ),
    "numpy.savetxt": (savetxt(), "blank separated"),
    "numpy.savetxt with a header": (savetxt(header=" ".join(NAMES)), "blank separated"),
    "numpy.savetxt with commas": (savetxt(delimiter=","), "six numbers"),
    "numpy.savetxt with commas and a header": (
        savetxt(delimiter=",", header=",".join(NAMES)), "six names",
    ),
    "numpy.savetxt with several lines before": (
        savetxt(delimiter=";", header="run 591\nof May\n" + ";".join(NAMES)), "semicolon separated",
    ),
    "numpy.savetxt with six decimals": (savetxt(fmt="%.6f"), "blank separated"),
    "numpy.savetxt for Matlab": (
        savetxt(fmt="%.10g", delimiter="\t", comments="% ", header="\t".join(NAMES)),
        "tab separated",
    ),
    "lower case, with blanks": (
        written(NUMBERS, [f" {name.lower()} " for name in NAMES]), "six names",
    ),
    "in another order, with further columns": (
        written([[row[5], "x;y", *row[:5], "é"] for row in NUMBERS],
                ["TDC_MEAS", "note", *NAMES[:5], "größe"], delimiter=";"),
        "semicolon separated, 2 further columns ignored",
    ),
    "notes with quotes, commas and semicolons": (
        written(NOTES, [*NAMES, "note", "x"]), "2 further columns ignored",
    ),
    "six columns with semicolons": (written(NUMBERS, None, delimiter=";"), "semicolon separated"),
    "six columns with tabs": (written(NUMBERS, None, delimiter="\t"), "tab separated"),
    "six columns with blanks": (written(NUMBERS, None, delimiter=" "), "blank separated"),
    "six columns with blanks around": (
        b"".join(b"  " + b"   ".join(str(v).encode() for v in row) + b" \r\n" for row in NUMBERS),
        "blank separated",
    ),
    "six columns with decimal commas": (
        written(with_comma(ROWS), None, delimiter=";"), "semicolon separated, decimal comma",
    ),
    "blank lines before and within": (
        b"\n \n" + written(NUMBERS, NAMES, delimiter=";").replace(b"\n", b"\n\n"), "semicolon",
    ),
    "a line of words before six columns": (
        b"run 591\n" + written(NUMBERS, None, delimiter="\t"), "tab separated",
    ),
}  # fmt: skip
EACH = pytest.mark.parametrize("name", EXPORTS)


@EACH
def test_an_export_gives_every_word_and_says_what_was_assumed(name: str) -> None:
    data, told = EXPORTS[name]
    decoder = StreamDecoder(READOUT)
    outcome = feed(decoder, [data])
    assert_law(decoder, outcome, len(data))
    assert outcome.words == WORDS.tolist()
    assert len(outcome.rejects) == (name == "a line of words before six columns")
    assert decoder.guess is not None
    assert told in decoder.guess.reason
    assert decoder.guess.format == "csv"


@EACH
def test_an_export_may_be_compressed(name: str) -> None:
    data = EXPORTS[name][0]
    for pack in (gzip.compress, zstandard.compress):
        assert feed(StreamDecoder(READOUT), [pack(data)]).words == WORDS.tolist()


@EACH
@pytest.mark.parametrize("size", [1, 7, 50, 1000])
def test_an_export_may_come_in_pieces(name: str, size: int) -> None:
    data = EXPORTS[name][0]
    assert stream(data, READOUT, range(0, len(data), size)) == stream(data, READOUT)


@EACH
@examples(10)
@given(part=st.floats(0, 1), size=st.integers(1, 3000), damage=st.booleans())
def test_an_export_may_be_resumed_anywhere(name: str, part: float, size: int, damage: bool) -> None:
    data = EXPORTS[name][0]
    if damage:
        data = data[:5000] + b'\nx;"\n' + data[5100:-3]
    stop = int(part * len(data))
    first, second = StreamDecoder(READOUT), StreamDecoder(READOUT)
    begun = [first.feed(data[at : min(at + size, stop)]) for at in range(0, stop, size)]
    second.resume(json.loads(json.dumps(first.state())))
    rest = feed(second, [data[first.restart :]])
    words = [word for one in begun for word in one.words.tolist()]
    rejects = [reject for one in begun for reject in one.rejects]
    assert Outcome(words + rest.words, rejects + rest.rejects) == stream(data, READOUT)


@examples(200)
@given(data=st.data())
def test_part_of_an_export_gives_the_same_guess_or_none_yet(data: st.DataObject) -> None:
    text = EXPORTS[data.draw(st.sampled_from(sorted(EXPORTS)))][0]
    whole = guess_format(text, READOUT, complete=True)
    part = guess_format(text[: data.draw(st.integers(0, 6000))], READOUT, complete=False)
    assert part is None or part == whole


@pytest.mark.parametrize("name", ["pandas_index.csv", "semicolon.csv"])
def test_the_known_tables_give_all_their_rows(name: str) -> None:
    data = case(f"6-tables/{name}").read_bytes()
    words, rejects = stream(data, READOUT)
    assert (len(words), rejects) == (1500, [])
    lines = data.decode().splitlines()[1:]
    shown = [line.replace(";", ",").split(",")[-6:] for line in lines]
    fields = unpack(np.array(words, np.uint64), 2, 2)
    assert fields.orbit.tolist() == [int(row[3]) for row in shown]
    np.testing.assert_allclose(fields.tdc, [float(row[5]) for row in shown], rtol=5e-4)


def test_rejects_of_a_table_have_the_lines_and_bytes_of_the_text() -> None:
    rows = [
        b"TDC_MEAS;HEAD;FPGA;TDC_CHANNEL;ORBIT_CNT;BX_COUNTER\r\n",
        b"27;2;0;79;617866;307\r\n",
        b"27;2;0;79;617866\r\n",
        b"\r\n",
        b"32;2;0;79;617866;307\r\n",
        b"27;2;0;oops;617866;307\r\n",
        b"27;2;0;79;617866,5;307",
    ]
    found = stream(b"".join(rows), READOUT).rejects
    begins = [sum(map(len, rows[:n])) for n in range(len(rows))]
    assert [(r.code.name, r.line, r.offset, r.length, r.evidence) for r in found] == [
        ("BAD_COLUMN_COUNT", 3, begins[2], len(rows[2]), rows[2].strip()),
        ("OUT_OF_RANGE", 5, begins[4], len(rows[4]), rows[4].strip()),
        ("NOT_A_NUMBER", 6, begins[5], len(rows[5]), rows[5].strip()),
        ("NOT_AN_INTEGER", 7, begins[6], len(rows[6]), rows[6]),
    ]
    assert [r.reason.partition(";")[0] for r in found] == [
        "5 columns, expected 6, such as 2,0,79,617866,307,27",
        "TDC_MEAS 32, expected 0..31 (v2 words)",
        "TDC_CHANNEL 'oops', expected a decimal number",
        "ORBIT_CNT 617866.5, expected a whole number 0..4294967295 (v2 words)",
    ]


UNCLEAR = {
    "thousands with a point": "2;0;79;617.000;307;27",
    "thousands with a comma": "2;0;79;617,000;307;27",
    "thousands twice": "2;0;79;1.617.000;307;27",
    "thousands twice with a comma": "2;0;79;1,617,000;307;27",
    "both marks": "2;0;79;617.866;307;27,0",
    "both marks in one number": "2;0;79;1.617,0;307;27",
    "thousands that end in other digits": "2;0;79;617.866;307;27",
    "an apostrophe": "2;0;79;617'866;307;27",
    "a blank": "2;0;79;617 866;307;27",
    "a hard blank": "2;0;79;617\u00a0866;307;27",
    "an underscore": "2;0;79;617_866;307;27",
}


@pytest.mark.parametrize("name", UNCLEAR)
def test_a_number_that_can_be_read_in_two_ways_is_refused_with_a_reason(name: str) -> None:
    data = ";".join(NAMES).encode() + b"\n" + UNCLEAR[name].encode() + b"\n"
    words, rejects = stream(data, READOUT)
    assert words == []
    assert rejects[0].code in {RejectCode.NOT_A_NUMBER, RejectCode.NOT_AN_INTEGER}
    assert "separators" in rejects[0].reason or "expected a decimal number" in rejects[0].reason


@pytest.mark.parametrize("number", ['"617,866"', '"1,617,866"', '"617,000"'])
def test_thousands_within_quotes_of_a_table_with_commas_are_refused(number: str) -> None:
    row = f"0,2,0,79,{number},307,27\n".encode()
    words, rejects = stream(b"," + ",".join(NAMES).encode() + b"\n" + row, READOUT)
    assert words == []
    assert "thousands separators" in rejects[0].reason


@pytest.mark.parametrize(
    "row",
    ["2,000;0,000;79,000;617866,000;307,000;27,000", "2;0;79;617.0;307;27.000",
     "2,00;0,00;79,00;617,00;307,00;27,00"],
)  # fmt: skip
def test_decimals_that_no_thousands_can_have_are_read(row: str) -> None:
    data = ";".join(NAMES).encode() + b"\n" + row.encode() + b"\n"
    words, rejects = stream(data, READOUT)
    assert rejects == []
    assert unpack(np.array(words, np.uint64), 2, 2).channel.tolist() == [79]


BAD_HEADERS = {
    "short names": ("HEAD;FPGA;CHAN;ORBIT;BX;TDC", "TDC_CHANNEL (CHAN?), ORBIT_CNT (ORBIT?)"),
    "one name missing": ("HEAD,FPGA,TDC_CHANNEL,ORBIT_CNT,BX_COUNTER,X", "missing TDC_MEAS"),
    "a name misspelt": ("HEAD,FPGA,TDC_CHANEL,ORBIT_CNT,BX_COUNTER,TDC_MEAS", "(TDC_CHANEL?)"),
    "a name twice": ("HEAD,FPGA,head,TDC_CHANNEL,ORBIT_CNT,BX_COUNTER,TDC_MEAS", "HEAD is there 2"),
    "in a comment": ("# HEAD FPGA CHAN ORBIT BX TDC", "TDC_MEAS (TDC?)"),
    "with tabs": ("head\tfpga\tchannel\torbit\tbx\ttdc", "BX_COUNTER (bx?)"),
    "with an index": (";HEAD;FPGA;CHAN;ORBIT;BX;TDC", "missing TDC_CHANNEL (CHAN?)"),
}


@pytest.mark.parametrize("name", BAD_HEADERS)
def test_a_header_with_other_names_is_refused_and_names_the_six(name: str) -> None:
    header, told = BAD_HEADERS[name]
    row = b"2;0;79;617866;307;27\n"
    words, rejects = stream(header.encode() + b"\n" + row * 30, READOUT)
    assert words == []
    assert {reject.code for reject in rejects} == {RejectCode.BAD_HEADER}
    assert told in rejects[0].reason
    assert "2,0,79,617866,307,27" in rejects[1].reason


def test_text_that_is_no_table_is_refused_with_the_six_names_and_a_row() -> None:
    rejects = stream(b"Dear all\nhere are the data\n", READOUT).rejects
    assert [reject.code for reject in rejects] == [RejectCode.UNKNOWN_FORMAT]
    assert ",".join(COLUMNS) in rejects[0].reason
    assert "2,0,79,617866,307,27" in rejects[0].reason


def test_the_header_again_within_a_table_is_no_row() -> None:
    table = written(NUMBERS, NAMES, delimiter=";")
    assert stream(table * 2, READOUT) == (WORDS.tolist() * 2, [])


def test_a_table_larger_than_memory_would_hold_takes_little() -> None:
    row = b"2;0;79;617866;307;27,0;" + b"a further column " * 3 + b"\n"
    header = (";".join(NAMES) + ";note\n").encode()
    decoder = StreamDecoder(READOUT)
    decoder.feed(header + row * 100)
    tracemalloc.start()
    words = sum(len(decoder.feed(row * 1000).words) for _ in range(300))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert words == 300_000
    assert peak < 3_000_000


@pytest.mark.parametrize("separator", [",", ";", "\t", " "])
def test_what_is_written_with_any_separator_reads_back(separator: str) -> None:
    text = TextEncoder(READOUT).begin() + TextEncoder(READOUT).encode(WORDS)
    assert stream(text.replace(b",", separator.encode()), READOUT).words == WORDS.tolist()


def test_the_bases_of_the_read_out_apply_to_any_table() -> None:
    readout = Readout(version=1, hit_head=1, text_channel_base=1, text_tdc_base=0)
    words = some_words(50, 1)
    text = TextEncoder(readout).begin() + TextEncoder(readout).encode(words)
    assert stream(text.replace(b",", b";"), readout).words == words.tolist()


@examples(200)
@given(
    line=st.text('0123456789,.;"\t +-e x', max_size=60),
    separator=st.sampled_from(",;\t "),
    columns=st.sampled_from(((0, 1, 2, 3, 4, 5), (-1, 5, 4, 3, 2, 1, 0), (0, 1, 2, -1, 3, 4, 5))),
)
def test_the_compiled_columns_and_plain_python_agree(
    line: str, separator: str, columns: tuple[int, ...]
) -> None:
    data = f"{line}\n\n 2;0;79;1,5;307;27\n".encode()
    layout = Layout(separator=separator, columns=columns)
    out = np.zeros(len(data) + 1, np.uint8)
    raw, order = np.frombuffer(data, np.uint8), np.array(columns, np.int64)
    size = plain_function(plain_rows)(raw, len(raw), 1 << 16, ord(separator), order, out)
    assert out[:size].tobytes() == plain_table(data, layout, 1 << 16)


def plain_function(kernel: Any) -> Callable[..., Any]:
    """Return the Python function of a kernel, with its parts as they are."""
    function: FunctionType = kernel.py_func
    return function


@pytest.mark.parametrize(
    ("line", "separator", "columns"),
    [
        (b"HEAD,FPGA,TDC_CHANNEL,ORBIT_CNT,BX_COUNTER,TDC_MEAS", ",", (0, 1, 2, 3, 4, 5)),
        (b"# fpga head tdc_channel orbit_cnt bx_counter tdc_meas", " ", (1, 0, 2, 3, 4, 5)),
        (
            b"x;HEAD;FPGA;TDC_CHANNEL;;ORBIT_CNT;BX_COUNTER;TDC_MEAS",
            ";",
            (-1, 0, 1, 2, -1, 3, 4, 5),
        ),
        (b"2\t0\t79\t1\t2\t3", "\t", (0, 1, 2, 3, 4, 5)),
    ],
)
def test_one_line_tells_the_layout(line: bytes, separator: str, columns: tuple[int, ...]) -> None:
    layout = layout_of(line)
    assert layout is not None
    assert (layout.separator, layout.columns) == (separator, columns)


@pytest.mark.parametrize(
    "line", [b"", b"2,0,79,1,2", b"run 591", b"2;0;79;x;2;3", b"1 2 3 4 5 6 7"]
)
def test_other_lines_tell_nothing(line: bytes) -> None:
    assert layout_of(line) is None


def test_six_columns_of_savetxt_are_the_ordinary_rows(tmp_path: Path) -> None:
    path = tmp_path / "rows.txt"
    np.savetxt(path, np.array(ROWS), fmt="%d", delimiter=",", header=",".join(NAMES), comments="")
    layout = layout_of(path.read_bytes().splitlines()[0])
    assert layout is not None
    assert layout.is_plain
