"""Streams of any format: the same words and rejects in any pieces, and after any stop."""

import bz2
import gzip
import io
import json
import lzma
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from helpers.damaged import recorded_words
from helpers.examples import examples
from helpers.feeding import HEADER, Outcome, assert_law, feed, from_file, some_words, stream
from muonscope.detector import Detector, Readout
from muonscope.words.binary import BlockEncoder, DatEncoder
from muonscope.words.decode import FORMATS, StreamDecoder, decode
from muonscope.words.rejects import RejectCode, Rejects
from muonscope.words.text_encode import TextEncoder

READOUT = Readout(version=2, hit_head=2)
WORDS = some_words(700)
BLOCKS = BlockEncoder(READOUT, "legnaro")


def with_headers(data: bytes) -> bytes:
    """Put a header word before each transfer of 128 words."""
    header = (1213).to_bytes(8, "little")
    return b"".join(header + data[at : at + 1024] for at in range(0, len(data), 1024))


def in_members(pack: Callable[[bytes], bytes], data: bytes) -> bytes:
    """Compress ``data`` in two members."""
    return pack(data[: len(data) // 3]) + pack(data[len(data) // 3 :])


CSV = HEADER + TextEncoder(READOUT).encode(WORDS)
JSON = TextEncoder(READOUT, json=True).encode(WORDS)
DAT = DatEncoder().encode(WORDS)
CLEAN = {
    "csv": CSV,
    "csv without a header": CSV.removeprefix(HEADER),
    "csv with CRLF": CSV.replace(b"\n", b"\r\n"),
    "json": JSON,
    "dat": DAT,
    "dat129": with_headers(DAT),
    "block": b"".join(BLOCKS.encode(WORDS[at : at + 100]) for at in range(0, 700, 100)),
    "csv.gz": in_members(gzip.compress, CSV),
    "csv.zst": in_members(zstandard.compress, CSV),
    "json.gz": in_members(gzip.compress, JSON),
    "dat.gz": in_members(gzip.compress, DAT),
    "csv.xz": in_members(lzma.compress, CSV),
    "csv.bz2": in_members(bz2.compress, CSV),
    "dat.xz": in_members(lzma.compress, DAT),
    "dat.bz2": in_members(bz2.compress, DAT),
    "dat.zst": in_members(zstandard.compress, DAT),
}


def broken(data: bytes) -> bytes:
    """Return ``data`` with the same damage every time: bytes lost, put in and changed."""
    third = len(data) // 3
    return data[:third] + data[third + 13 : 2 * third] + b'\nx,"{\0' + data[2 * third : -5]


STREAMS = CLEAN | {f"broken {name}": broken(data) for name, data in CLEAN.items()}
EACH = pytest.mark.parametrize("name", STREAMS)


@pytest.mark.parametrize("name", CLEAN)
def test_every_format_gives_every_word(name: str) -> None:
    assert stream(CLEAN[name], READOUT) == (WORDS.tolist(), [])
    assert from_file(CLEAN[name], READOUT) == (WORDS.tolist(), [])


@EACH
@examples(25)
@given(cuts=st.lists(st.floats(0, 1), max_size=12))
def test_any_pieces_give_the_same_words_and_rejects(name: str, cuts: list[float]) -> None:
    data = STREAMS[name]
    places = [int(at * len(data)) for at in cuts]
    assert stream(data, READOUT, places) == stream(data, READOUT)


@EACH
@pytest.mark.parametrize("size", [1, 7, 64, 4096])
def test_small_pieces_give_the_same_words_and_rejects(name: str, size: int) -> None:
    data = STREAMS[name][:6000] if size == 1 else STREAMS[name]
    assert stream(data, READOUT, range(0, len(data), size)) == stream(data, READOUT)


@EACH
@examples(25)
@given(stops=st.lists(st.floats(0, 1), min_size=1, max_size=4), size=st.integers(50, 3000))
def test_a_stream_resumed_anywhere_goes_on_as_if_never_stopped(
    name: str, stops: list[float], size: int
) -> None:
    data = STREAMS[name]
    outcome, state, start = Outcome([], []), {}, 0
    decoder = StreamDecoder(READOUT)
    for part in sorted(stops):
        stop = max(start, int(part * len(data)))
        for at in range(start, stop, size):
            decoded = decoder.feed(data[at : min(at + size, stop)])
            outcome.words.extend(decoded.words.tolist())
            outcome.rejects.extend(decoded.rejects)
        state = json.loads(json.dumps(decoder.state()))
        position, start = decoder.position, decoder.restart
        decoder = StreamDecoder(READOUT)
        decoder.resume(state)
        assert (decoder.position, decoder.restart) == (position, start)
    rest = feed(decoder, [data[start:]])
    assert_law(decoder, rest, len(data))
    whole = stream(data, READOUT)
    assert outcome.words + rest.words == whole.words
    assert outcome.rejects + rest.rejects == whole.rejects


@pytest.mark.parametrize("name", ["csv", "json", "block", "dat"])
def test_data_after_damage_is_still_decoded(name: str) -> None:
    data = CLEAN[name]
    lost = data[: len(data) // 2] + b"\xff" * 8 + data[len(data) // 2 :]
    words = stream(lost, READOUT).words
    assert words[:300] == WORDS[:300].tolist()
    assert words[-290:] == WORDS[-290:].tolist()


def test_the_guess_does_not_depend_on_the_pieces() -> None:
    banner = b"run 591\n" + CSV.removeprefix(HEADER)
    assert stream(banner, READOUT, [8]) == stream(banner, READOUT)
    assert len(stream(banner, READOUT, [8]).words) == 700


@pytest.mark.slow
@pytest.mark.parametrize("filling", [b"7", b" ", b",", b"\0", b"\r", b'{"HEAD":'])
def test_a_line_of_10_megabytes_takes_no_memory(filling: bytes) -> None:
    size = 10_000_000 // len(filling)
    row = b"2,0,79,617866,307,27\n"
    pieces = [row * 200, *[filling * 1000] * (size // 1000), b"\n" + row]
    if filling.startswith(b"{"):
        pieces = [JSON, *pieces[1:-1], b"\n" + JSON[: JSON.index(b"\n") + 1]]
    tracemalloc.start()
    decoder = StreamDecoder(READOUT)
    outcome = feed(decoder, pieces)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert_law(decoder, outcome, sum(map(len, pieces)))
    assert peak < 3_000_000
    assert [(r.offset, r.length) for r in outcome.rejects] == [
        (len(pieces[0]), len(filling) * (size // 1000 * 1000) + 1)
    ]
    assert len(outcome.words) in (201, 701)


def test_data_without_any_line_or_word_takes_no_memory() -> None:
    tracemalloc.start()
    decoder = StreamDecoder(READOUT)
    pieces = [b"\x89PNG" + bytes(range(256)) * 40] * 1000
    outcome = feed(decoder, pieces)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert_law(decoder, outcome, sum(map(len, pieces)))
    assert outcome.words == []
    assert {r.code for r in outcome.rejects} == {RejectCode.UNKNOWN_FORMAT}
    assert len(outcome.rejects) == -(-decoder.bytes_in // 65536)
    assert peak < 3_000_000


def test_a_stream_says_what_it_is_and_how_far_it_has_come() -> None:
    decoder = StreamDecoder(READOUT)
    assert (decoder.guess, decoder.compression, decoder.position) == (None, None, 0)
    assert decoder.state() == {}
    decoder.feed(CLEAN["csv.gz"][:2000])
    assert decoder.guess is not None
    assert (decoder.guess.format, decoder.compression) == ("csv", "gzip")
    assert 0 < decoder.position <= decoder.bytes_in
    assert decoder.restart == 0
    assert decoder.guess.format in FORMATS


@pytest.mark.parametrize(
    ("form", "decoder"),
    [
        ("csv", {"header": "FPGA,HEAD,TDC_CHANNEL,ORBIT_CNT,BX_COUNTER,TDC_MEAS",
                 "order": [1, 0, 2, 3, 4, 5], "unusable": False}),
        ("csv", {"header": "", "order": [1, 0, 2, 3, 4, 5], "unusable": False}),
        ("json", {}),
        ("dat", {}),
        ("unknown", {}),
    ],
)  # fmt: skip
def test_a_state_of_the_first_version_is_resumed(form: str, decoder: dict[str, Any]) -> None:
    words = recorded_words(300) if form in {"dat", "unknown"} else some_words(300)
    lines = {"line": 7, "long_begin": None, "long_evidence": ""} if form in {"csv", "json"} else {}
    state = {"format": form, "compression": None, "position": 800, "decoder": lines | decoder}
    data = words.tobytes()
    if form == "json":
        data = TextEncoder(READOUT, json=True).encode(words)
    elif form == "csv":
        rows = TextEncoder(READOUT, json=False).encode(words).splitlines()[-len(words) :]
        swapped = [row.split(b",") for row in rows]
        data = b"".join(b",".join([b, a, *rest]) + b"\n" for a, b, *rest in swapped)
    resumed = StreamDecoder(READOUT)
    resumed.resume(state)
    parts = [resumed.feed(data), resumed.finish()]
    found = [word for part in parts for word in part.words.tolist()]
    assert found == ([] if form == "unknown" else words.tolist())
    assert resumed.position == 800 + len(data)


def test_a_state_of_nothing_resumes_at_the_beginning() -> None:
    decoder = StreamDecoder(READOUT)
    decoder.resume({})
    assert decoder.restart == 0
    assert feed(decoder, [CSV]).words == WORDS.tolist()


def test_rejects_are_counted_and_the_first_kept() -> None:
    lines = [row + b"oops\n" for row in CSV.splitlines(keepends=True)]
    rejects = Rejects()
    for part in decode(io.BytesIO(b"".join(lines)), StreamDecoder(READOUT), 1000):
        rejects.add(part.rejects)
    assert rejects.total == rejects.count[RejectCode.BAD_COLUMN_COUNT] == 701
    assert rejects.bytes_rejected == 701 * 5
    assert len(rejects.examples) == 20
    assert rejects.examples[1].line == 4


def test_the_recordings_of_one_run_agree_through_streams(
    realdata: Path, run000591: Detector
) -> None:
    text = (realdata / "run000591_data_000000.txt").read_bytes()
    binary = (realdata / "run000591_data_000000.dat").read_bytes()
    first = stream(text, run000591.readout, range(0, len(text), 99_991))
    second = stream(binary, run000591.readout, range(0, len(binary), 99_991))
    assert first == second
    np.testing.assert_array_equal(np.array(first.words, np.uint64), np.frombuffer(binary, "<u8"))
