"""Gzip, zstd, xz and bzip2: any members in any pieces, damage kept apart, bombs held small."""

import bz2
import gzip
import io
import lzma
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from helpers.examples import examples
from helpers.feeding import HEADER, cut, feed, some_words, stream
from muonscope.detector import Detector, Readout
from muonscope.words.compression import Decompressor, compression_of
from muonscope.words.decode import StreamDecoder, decode
from muonscope.words.rejects import RejectCode
from muonscope.words.text_encode import TextEncoder

READOUT = Readout(version=2, hit_head=2)
PACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress, "zstd": zstandard.compress, "xz": lzma.compress, "bzip2": bz2.compress,
}  # fmt: skip
NAMES = pytest.mark.parametrize("name", PACK)
MEGABYTE = 1 << 20


def unpacked(name: str, pieces: list[bytes]) -> tuple[bytes, bool]:
    """Decompress pieces; tell too whether the stream was complete."""
    decompressor = Decompressor(name)
    parts = [part for piece in pieces for part in decompressor.feed(piece)]
    parts.extend(decompressor.finish())
    return b"".join(parts), decompressor.complete


@NAMES
@examples(60)
@given(
    members=st.lists(st.binary(max_size=3000), min_size=1, max_size=5),
    cuts=st.lists(st.floats(0, 1), max_size=8),
)
def test_members_in_any_pieces_are_one_stream(
    name: str, members: list[bytes], cuts: list[float]
) -> None:
    data = b"".join(PACK[name](member) for member in members)
    pieces = cut(data, [int(at * len(data)) for at in cuts])
    assert unpacked(name, pieces) == (b"".join(members), True)


@NAMES
@examples(60)
@given(at=st.floats(0, 0.999), bit=st.integers(0, 7), cuts=st.lists(st.floats(0, 1), max_size=8))
def test_damage_gives_the_same_in_any_pieces(
    name: str, at: float, bit: int, cuts: list[float]
) -> None:
    data = bytearray(PACK[name](TextEncoder(READOUT).encode(some_words(1500))))
    data[int(at * len(data))] ^= 1 << bit
    places = [int(part * len(data)) for part in cuts]
    assert unpacked(name, cut(bytes(data), places)) == unpacked(name, [bytes(data)])
    assert stream(bytes(data), READOUT, places) == stream(bytes(data), READOUT)


@NAMES
def test_the_stream_sample_is_the_same_compressed(
    name: str, realdata: Path, legnaro: Detector
) -> None:
    text = (realdata / "minidt_data_000000_first999rows.csv").read_bytes()
    assert stream(PACK[name](text), legnaro.readout) == stream(text, legnaro.readout)
    assert len(stream(text, legnaro.readout).words) == 999


@NAMES
def test_a_run_of_words_is_the_same_compressed(
    name: str, realdata: Path, run000591: Detector
) -> None:
    data = (realdata / "run000591_data_000000.dat").read_bytes()
    outcome = stream(PACK[name](data), run000591.readout, [5, 100_000, 100_001])
    assert outcome.rejects == []
    np.testing.assert_array_equal(np.array(outcome.words, np.uint64), np.frombuffer(data, "<u8"))


@NAMES
def test_what_came_before_a_cut_is_kept(name: str) -> None:
    data = HEADER + TextEncoder(READOUT).encode(some_words(60_000))
    packed = PACK[name](data)
    outcome = stream(packed[: len(packed) * 3 // 4], READOUT)
    assert outcome.words == some_words(60_000)[: len(outcome.words)].tolist()
    assert len(outcome.words) > 20_000
    assert {r.code for r in outcome.rejects} <= {
        RejectCode.BAD_COMPRESSION,
        RejectCode.TRUNCATED,
        RejectCode.OUT_OF_RANGE,
    }
    assert outcome.rejects[-1].code == RejectCode.BAD_COMPRESSION
    assert outcome.rejects[-1].evidence == f"{name} stream cut short".encode()


def test_what_came_before_damage_is_kept() -> None:
    data = HEADER + TextEncoder(READOUT).encode(some_words(20_000))
    packed = bytearray(gzip.compress(data))
    middle = len(packed) // 2
    packed[middle : middle + 64] = b"\xff" * 64
    plain, complete = unpacked("gzip", [bytes(packed)])
    assert not complete
    intact = len(zlib.decompressobj(31).decompress(bytes(packed[: middle - 1024])))
    assert intact > 50_000
    assert plain[:intact] == data[:intact]
    outcome = stream(bytes(packed), READOUT)
    assert outcome.rejects[-1].code == RejectCode.BAD_COMPRESSION
    assert b"gzip stream damaged at" in outcome.rejects[-1].evidence


@pytest.mark.slow
@NAMES
@pytest.mark.parametrize("filling", [b"\0", b"\n", b"7"])
def test_a_bomb_does_not_fill_the_memory(name: str, filling: bytes) -> None:
    bomb = PACK[name](filling * (96 * MEGABYTE))
    assert len(bomb) < MEGABYTE
    biggest = 0
    tracemalloc.start()
    decoder = StreamDecoder(READOUT)
    for part in decode(io.BytesIO(bomb), decoder):
        biggest = max(biggest, len(part.words))
        assert len(part.rejects) < 10_000
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert decoder.position == decoder.bytes_in == 96 * MEGABYTE
    assert peak < 64 * MEGABYTE


def test_a_frame_that_wants_gigabytes_of_window_is_damage_and_no_more() -> None:
    huge_window = b"\x28\xb5\x2f\xfd" + bytes([0x00, 0xA0]) + bytes(40)
    outcome = feed(StreamDecoder(READOUT), [huge_window])
    assert outcome.words == []
    assert [r.code for r in outcome.rejects] == [RejectCode.BAD_COMPRESSION]


def test_an_xz_header_that_wants_gigabytes_of_window_is_damage_and_no_more() -> None:
    wide = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 30}]
    outcome = feed(StreamDecoder(READOUT), [lzma.compress(b"x" * 100, filters=wide)])
    assert outcome.words == []
    assert [r.code for r in outcome.rejects] == [RejectCode.BAD_COMPRESSION]


@pytest.mark.parametrize("name", ["xz", "bzip2"])
def test_a_bomb_of_few_bytes_gives_a_megabyte_at_a_time(name: str) -> None:
    bomb = PACK[name](bytes(30 * MEGABYTE))
    assert len(bomb) < 10_000
    sizes = [len(piece) for piece in Decompressor(name).feed(bomb.ljust(8192, b"\0"))]
    assert sum(sizes) == 30 * MEGABYTE
    assert max(sizes) <= 2 * MEGABYTE


@pytest.mark.parametrize(
    ("first", "name"),
    [
        (b"\x1f\x8b\x08\x00", "gzip"),
        (b"\x28\xb5\x2f\xfd", "zstd"),
        (b"\xfd7zXZ\0", "xz"),
        (b"BZh9", "bzip2"),
        (b"\xfd7zXZ", None),
        (b"HEAD", None),
        (b"\x28\xb5\x2f", None),
        (b"", None),
    ],
)
def test_compression_is_told_by_the_first_bytes(first: bytes, name: str | None) -> None:
    assert compression_of(first) == name
