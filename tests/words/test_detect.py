"""What data is, told from its first bytes: right, in any pieces, and with a reason."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.examples import examples
from helpers.feeding import HEADER, some_words
from muonscope.detector import Detector, Readout
from muonscope.words.binary import BlockEncoder
from muonscope.words.detect import PREFIX_BYTES, Guess, guess_format
from muonscope.words.layout import pack_ancillary, unpack
from muonscope.words.text_encode import TextEncoder

READOUT = Readout(version=2, hit_head=2)
WORDS = some_words(2000)
TEXT = TextEncoder(READOUT).encode(WORDS)
TRANSFERS = b"".join(
    (1213).to_bytes(8, "little") + WORDS[at : at + 128].tobytes() for at in range(0, 1920, 128)
)
KINDS = {
    "csv with a header": (HEADER + TEXT, "csv"),
    "csv without": (TEXT, "csv"),
    "csv after blanks": (b"\n\n \n" + TEXT, "csv"),
    "csv with CRLF": (TEXT.replace(b"\n", b"\r\n"), "csv"),
    "csv in quotes": (b'"2","0","7","617000","97","2"\n' + TEXT, "csv"),
    "csv after a cut row": (TEXT[7:], "csv"),
    "csv with names of others": (b"head,fpga,chan,orbit,bx,tdc\n1;2;3\n", "csv"),
    "json": (TextEncoder(READOUT, json=True).encode(WORDS), "json"),
    "json after a BOM": (b"\xef\xbb\xbf" + TextEncoder(READOUT, json=True).encode(WORDS), "json"),
    "dat": (WORDS.tobytes(), "dat"),
    "dat of few words": (WORDS[:5].tobytes(), "dat"),
    "dat with headers": (TRANSFERS, "dat129"),
    "block": (BlockEncoder(READOUT, "legnaro").encode(WORDS), "block"),
    "parquet": (b"PAR1\x15\x04\x15\x10", "parquet"),
    "nothing": (b"", "empty"),
    "blanks": (b" \n\n\t\r\n" * 3000, "empty"),
    "html": (b"<html>\n<body>\n" + TEXT[:100], "unknown"),
    "prose": (b"Hello, world!\nHow are you?\n" * 300, "unknown"),
    "a comma in prose": (b"Hello, world\n", "unknown"),
    "noise": (np.random.default_rng(7).bytes(30_000), "unknown"),
    "utf-16": (TEXT.decode().encode("utf-16"), "unknown"),
    "words of a DAQ with HEAD 6": ((WORDS | np.uint64(6 << 61)).tobytes(), "unknown"),
}


def guess(data: bytes, readout: Readout = READOUT) -> Guess:
    """Tell what complete data is."""
    found = guess_format(data, readout, complete=True)
    assert found is not None
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_data_is_told_with_a_reason(kind: str) -> None:
    data, expected = KINDS[kind]
    found = guess(data)
    assert found.format == expected
    assert 0 < found.confidence <= 1
    assert found.reason


@pytest.mark.parametrize("kind", KINDS)
@examples(40)
@given(size=st.integers(0, 3 * PREFIX_BYTES))
def test_a_part_of_the_data_gives_the_same_answer_or_none_yet(kind: str, size: int) -> None:
    data, expected = KINDS[kind]
    found = guess_format(data[:size], READOUT, complete=False)
    if min(size, len(data)) >= PREFIX_BYTES:
        assert found is not None
    assert found is None or found.format == expected


def test_the_recordings_are_told(realdata: Path, legnaro: Detector, run000591: Detector) -> None:
    binary = (realdata / "run000591_data_000000.dat").read_bytes()
    text = (realdata / "run000591_data_000000.txt").read_bytes()
    sample = (realdata / "minidt_data_000000_first999rows.csv").read_bytes()
    assert guess(binary, run000591.readout).format == "dat"
    assert guess(binary, run000591.readout).confidence > 0.9
    assert guess(text, run000591.readout).format == "csv"
    assert guess(sample, legnaro.readout).format == "csv"


def test_any_part_of_a_recording_is_told_by_itself(realdata: Path, run000591: Detector) -> None:
    data = (realdata / "run000591_data_000000.dat").read_bytes()
    for at in range(0, len(data), 80_000):
        assert guess(data[at:], run000591.readout).format == "dat", at


def test_the_jump_from_a_stale_buffer_to_a_run_is_still_words(
    realdata: Path, legnaro: Detector
) -> None:
    stale, fresh = some_words(256) + (np.uint64(3_386_000_000) << np.uint64(17)), some_words(256)
    assert guess(np.concatenate([stale, fresh]).tobytes(), legnaro.readout).format == "dat"


def test_hits_of_version_1_are_hits_of_version_2_to_the_bit(
    realdata: Path, legnaro: Detector, run000591: Detector
) -> None:
    data = (realdata / "run000591_data_000000.dat").read_bytes()[:80_000]
    words = np.frombuffer(data, "<u8").astype(np.uint64)
    first, second = unpack(words, 1, 1), unpack(words, 2, 2)
    assert guess(data, legnaro.readout).format == guess(data, run000591.readout).format == "dat"
    assert (set(first.head.tolist()), set(second.head.tolist())) == ({1}, {2})
    for name in ("fpga", "channel", "orbit", "bx", "tdc"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))


@pytest.mark.parametrize("byte", [b"\0", b"\xff"])
def test_a_filling_alone_is_no_recording(byte: bytes) -> None:
    found = guess(byte * 8000)
    assert found.format == "unknown"
    assert "100% zero or 0xFF bytes" in found.reason


def test_words_before_a_filling_are_words() -> None:
    assert guess(WORDS[:20].tobytes().ljust(8000, b"\0")).format == "dat"


def test_ancillary_words_alone_are_no_recording() -> None:
    n = np.arange(600)
    ancillary = pack_ancillary(n % 2 * 4, n % 2, 617_000 + n // 5, n)
    assert guess(ancillary.tobytes()).format == "unknown"
    ancillary[300:304] = WORDS[:4]
    assert guess(ancillary.tobytes()).format == "dat"


@pytest.mark.parametrize("lost", [1, 9, 2003])
def test_words_of_which_bytes_were_lost_are_words(lost: int) -> None:
    assert guess(WORDS.tobytes()[lost:]).format == "dat"
    assert guess(WORDS.tobytes()[:2000] + WORDS.tobytes()[2000 + lost :]).format == "dat"
    damaged = TRANSFERS[:2500] + TRANSFERS[2500 + lost :]
    assert guess(damaged).format == "dat129"


def test_words_of_which_all_were_copied_as_text_are_named() -> None:
    words = WORDS + (np.uint64(0x0A) << np.uint64(40))
    found = guess(words.tobytes().replace(b"\n", b"\r\n"))
    assert found.format == "unknown"
    assert "copied as text" in found.reason


def test_big_endian_words_are_named() -> None:
    found = guess(WORDS.byteswap().tobytes())
    assert (found.format, found.reason[:10]) == ("unknown", "big-endian")


@examples(200)
@given(data=st.binary(max_size=300), version=st.sampled_from((1, 2)))
def test_any_bytes_get_an_answer(data: bytes, version: int) -> None:
    found = guess(data, Readout(version=version, hit_head=version))
    kinds = ("csv", "json", "dat", "dat129", "block", "parquet", "empty", "unknown")
    assert found.format in kinds
    assert 0 <= found.confidence <= 1
