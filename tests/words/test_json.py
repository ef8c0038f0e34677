"""JSON lines: as the original producer writes them, and as others do."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.examples import examples
from helpers.feeding import HEADER, cut, feed, some_words
from muonscope.detector import Detector, Readout
from muonscope.words.layout import COLUMNS
from muonscope.words.text import CsvDecoder, JsonDecoder
from muonscope.words.text_encode import TextEncoder

READOUT = Readout(version=2, hit_head=2)


def test_the_stream_sample_comes_back_to_the_byte_through_json(
    realdata: Path, legnaro: Detector
) -> None:
    text = (realdata / "minidt_data_000000_first999rows.csv").read_bytes()
    words = np.array(feed(CsvDecoder(legnaro.readout), [text]).words, np.uint64)
    lines = TextEncoder(legnaro.readout, json=True).encode(words)
    back, rejects = feed(JsonDecoder(legnaro.readout), [lines])
    encoder = TextEncoder(legnaro.readout)
    assert rejects == []
    assert encoder.begin() + encoder.encode(np.array(back, np.uint64)) == text


def test_json_lines_are_the_rows_of_text_as_strings(realdata: Path, legnaro: Detector) -> None:
    text = (realdata / "minidt_data_000000_first999rows.csv").read_text()
    words = np.array(feed(CsvDecoder(legnaro.readout), [text.encode()]).words, np.uint64)
    lines = TextEncoder(legnaro.readout, json=True).encode(words).decode().splitlines()
    rows = [line.split(",") for line in text.splitlines()[1:]]
    assert [json.loads(line) for line in lines] == [
        dict(zip(COLUMNS, row, strict=True)) for row in rows
    ]


@given(data=st.data())
def test_what_python_writes_gives_the_words_that_it_means(data: st.DataObject) -> None:
    rows = data.draw(
        st.lists(
            st.tuples(
                st.sampled_from((2, 6, 7)), st.integers(0, 7), st.integers(0, 511),
                st.integers(0, 2**32 - 1), st.integers(0, 4095), st.integers(0, 31),
            ),
            min_size=1,
            max_size=10,
        )
    )  # fmt: skip
    lines, expected = [], []
    for row in rows:
        kinds = data.draw(st.lists(st.sampled_from((int, str, float)), min_size=6, max_size=6))
        order = data.draw(st.permutations(range(6)))
        item = {COLUMNS[i]: kinds[i](row[i]) for i in order}
        item |= data.draw(st.sampled_from(({}, {"EXTRA": [1, {"a": None}]}, {"é": "ü"})))
        lines.append(
            json.dumps(
                item,
                ensure_ascii=data.draw(st.booleans()),
                separators=data.draw(st.sampled_from((None, (",", ":"), (" ,  ", "\t:")))),
            )
        )
        head, fpga, channel, orbit, bx, tdc = row
        expected.append(head << 61 | fpga << 58 | channel << 49 | orbit << 17 | bx << 5 | tdc)
    words, rejects = feed(JsonDecoder(READOUT), ["\n".join(lines).encode()])
    assert rejects == []
    assert words == expected


@examples(100)
@given(data=st.data())
def test_plain_and_odd_objects_mix_without_losing_order_or_position(data: st.DataObject) -> None:
    plain = TextEncoder(READOUT, json=True).encode(some_words(5)).splitlines(keepends=True)
    odd = [b"\n", b"{}\n", b"nonsense\n", b'{"HEAD":2}\r\n', plain[0].replace(b'"2"', b'"9"')]
    extra = [plain[4].replace(b"}", b', "EXTRA": 1}')]
    lines = data.draw(st.lists(st.sampled_from(plain + odd + extra), max_size=20))
    words, rejects = feed(JsonDecoder(READOUT), [b"".join(lines)])
    good = dict(zip(plain, some_words(5).tolist(), strict=True))
    good[extra[0]] = good[plain[4]]
    assert words == [good[line] for line in lines if line in good]
    at, expected = 0, []
    for number, line in enumerate(lines, 1):
        if line not in good and line.strip():
            expected.append((at, len(line), number, line.rstrip(b"\r\n")))
        at += len(line)
    assert [(r.offset, r.length, r.line, r.evidence) for r in rejects] == expected


@examples(50)
@given(data=st.data())
def test_any_pieces_of_json_give_the_same_words(data: st.DataObject) -> None:
    text = TextEncoder(READOUT, json=True).encode(some_words(100))
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=30))
    outcome = feed(JsonDecoder(READOUT), cut(text, cuts))
    assert outcome.words == some_words(100).tolist()
    assert outcome.rejects == []


@pytest.mark.parametrize("version", [1, 2])
def test_numbers_follow_the_bases_of_the_read_out_as_in_csv(version: int) -> None:
    readout = Readout(
        version=version,
        hit_head=version,
        text_channel_base=2 - version,
        text_tdc_base=version - 1,
    )
    words = some_words(200, version)
    text = TextEncoder(readout).encode(words).decode().splitlines()
    lines = [json.dumps(dict(zip(COLUMNS, map(int, row.split(",")), strict=True))) for row in text]
    assert feed(JsonDecoder(readout), ["\n".join(lines).encode()]).words == words.tolist()
    assert feed(CsvDecoder(readout), [HEADER, "\n".join(text).encode()]).words == words.tolist()
