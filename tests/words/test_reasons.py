"""Rejects of text say the field, what was found, what was expected and what to do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.cases import case
from helpers.feeding import HEADER, feed, stream
from muonscope.detector import Readout, setup_names, shipped_detector
from muonscope.words.layout import COLUMNS
from muonscope.words.reasons import limits
from muonscope.words.rejects import Reject, RejectCode
from muonscope.words.text import CsvDecoder, JsonDecoder

V2 = shipped_detector("legnaro").readout
V1 = shipped_detector("run000591").readout


def reject_of(row: str, readout: Readout = V2) -> Reject:
    """Return the reject of a row."""
    words, rejects = feed(CsvDecoder(readout), [HEADER, row.encode() + b"\n"])
    assert words == []
    assert len(rejects) == 1
    return rejects[0]


REASONS = {
    "2,0,79,617866,307,32": "TDC_MEAS 32, expected 0..31 (v2 words)",
    "2,0,512,617866,307,27": "TDC_CHANNEL 512, expected 0..511 (v2 words)",
    "2,8,79,617866,307,27": "FPGA 8, expected 0..7 (v2 words)",
    "9,0,79,617866,307,27": "HEAD 9, expected 0..7 (v2 words)",
    "2,0,79,4294967296,307,27": "ORBIT_CNT 4294967296, expected 0..4294967295 (v2 words)",
    "2,0,79,1e300,307,27": "ORBIT_CNT 1e300, expected 0..4294967295 (v2 words)",
    "2,0,79,617866,4096,27": "BX_COUNTER 4096, expected 0..4095 (v2 words)",
    "2,0,79,617866,-1,27": "BX_COUNTER -1, expected 0..4095 (v2 words)",
    "2,0,79,617866,307,27.5": "TDC_MEAS 27.5, expected a whole number 0..31 (v2 words)",
    "2,0,79,617866,307,nan": "TDC_MEAS 'nan', expected a decimal number",
    "2,0,,617866,307,27": "TDC_CHANNEL '', expected a decimal number",
    "2,0,79,617866,307": "5 columns, expected 6, such as 2,0,79,617866,307,27",
    "3,0,1,617866,307,0": "TDC_CHANNEL 1, expected 0 (HEAD 3 of v2 words)",
    "0,0,128,617866,307,0": "TDC_CHANNEL 128, expected 0..127 (HEAD 0 of v2 words)",
    "5,0,0,617866,0,65520": (
        "TDC_MEAS 65520, expected a half-precision number, below 65520 (HEAD 5 of v2 words)"
    ),
}


@pytest.mark.parametrize("row", REASONS)
def test_a_row_is_rejected_with_field_found_and_expected(row: str) -> None:
    assert reject_of(row).reason == REASONS[row]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("1,0,513,5,6,7", "TDC_CHANNEL 513, expected 1..512 (v1 words)"),
        ("1,0,0,5,6,7", "TDC_CHANNEL 0, expected 1..512 (v1 words)"),
        ("1,16,1,5,6,7", "FPGA 16, expected 0..15 (v1 words)"),
        ("1,0,1,5,6,31", "TDC_MEAS 31, expected 0..30 (v1 words)"),
    ],
)
def test_the_limits_are_those_of_the_version_and_its_bases(row: str, reason: str) -> None:
    assert reject_of(row, V1).reason == reason


@pytest.mark.parametrize("row", ["1,0,15,616956,2670,4", "1,9,15,616956,2670,4", "1,0,1,5,1,0"])
def test_hits_of_version_1_name_the_detector_that_reads_them(row: str) -> None:
    reason = reject_of(row).reason
    assert "this looks like text of version 1: try --detector run000591" in reason
    assert "run000591" in setup_names()


def test_damage_in_rows_of_the_right_version_names_no_detector() -> None:
    for row in REASONS:
        assert "--detector" not in reject_of(row).reason


def test_text_of_version_1_says_so_in_every_reject() -> None:
    data = case("5-messages/v1_text.txt").read_bytes()
    words, rejects = stream(data, V2)
    assert words == []
    assert len(rejects) == 300
    assert all(r.reason.startswith(("TDC_CHANNEL ", "TDC_MEAS ")) for r in rejects)
    assert all("--detector run000591" in r.reason for r in rejects)
    assert stream(data, V1).rejects == []


def test_short_names_are_refused_with_the_six_names_and_those_that_are_near() -> None:
    words, rejects = stream(case("5-messages/short_names.csv").read_bytes(), V2)
    assert words == []
    assert rejects[0].code is RejectCode.BAD_HEADER
    for name in COLUMNS:
        assert name in rejects[0].reason
    assert "TDC_CHANNEL (CHAN?)" in rejects[0].reason


VALUES = st.one_of(
    st.integers(-1, 40), st.sampled_from((127, 128, 255, 256, 511, 512, 513, 3564, 4095, 4096)),
    st.sampled_from((2**24 - 1, 2**24, 2**32 - 1, 2**32, 65519, 65520)),
)  # fmt: skip


@given(row=st.tuples(st.integers(-1, 9), *[VALUES] * 5), readout=st.sampled_from((V1, V2)))
def test_the_parser_takes_what_is_within_the_limits_and_nothing_else(
    row: tuple[int, ...], readout: Readout
) -> None:
    text = ",".join(map(str, row))
    words, rejects = feed(CsvDecoder(readout), [f"{text}\n".encode()])
    ranges = limits(row[0], readout)
    within = [r[0] <= n <= r[1] if r else n < 65520 for n, r in zip(row, ranges, strict=True)]
    assert (len(words) == 1) == all(within)
    for reject in rejects:
        field, found = reject.reason.split(",")[0].split()
        assert found == str(row[COLUMNS.index(field)])
        assert not within[COLUMNS.index(field)]


JSON = {
    '{"HEAD":2,"FPGA":0,"CHAN":79,"ORBIT":1,"BX":2,"TDC":3}': "TDC_CHANNEL (CHAN?)",
    '{"HEAD":2}': "missing FPGA, TDC_CHANNEL",
    '{"HEAD":2,': "not JSON",
    "[1,2,3]": "an array of 3, expected 6 in the order HEAD, FPGA",
    "17": "expected an object with the names HEAD",
    '{"schema":"muonscope.window/1","detector":"legnaro"}': "muonscope dashboard shows them",
    '{"HEAD":2,"FPGA":0,"TDC_CHANNEL":79,"ORBIT_CNT":1,"BX_COUNTER":2,"TDC_MEAS":32}': (
        "TDC_MEAS 32, expected 0..31 (v2 words)"
    ),
}


@pytest.mark.parametrize("line", JSON)
def test_a_line_of_json_is_rejected_with_what_was_expected(line: str) -> None:
    words, rejects = feed(JsonDecoder(V2), [line.encode() + b"\n"])
    assert words == []
    assert JSON[line] in rejects[0].reason
    assert rejects[0].evidence == line.encode()[:120]
