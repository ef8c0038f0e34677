"""Binary words and blocks: lossless, in any pieces, and past any damage."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.examples import examples
from helpers.feeding import cut, feed, some_words
from muonscope.detector import Detector, Readout
from muonscope.errors import FormatError
from muonscope.words.binary import BlockDecoder, BlockEncoder, DatDecoder, DatEncoder
from muonscope.words.layout import pack_hits
from muonscope.words.rejects import RejectCode
from muonscope.words.text import CsvDecoder
from muonscope.words.text_encode import TextEncoder

READOUT = Readout(version=2, hit_head=2)
WORDS = st.lists(st.integers(0, 2**64 - 1), max_size=300)
HITS = st.builds(
    lambda orbit, hits: [
        int(pack_hits(2, fpga, channel, orbit + step, bx, tdc)[0])
        for fpga, channel, step, bx, tdc in hits
    ],
    st.integers(0, 2**32 - 60_001),
    st.lists(
        st.tuples(
            st.integers(0, 7), st.integers(0, 511), st.integers(0, 60_000), st.integers(0, 3563),
            st.integers(0, 31),
        ),
        max_size=300,
    ),
)  # fmt: skip
"""Words of any hits within 5 s."""
CUTS = st.lists(st.floats(0, 1), max_size=8)


def pieces(data: bytes, cuts: list[float]) -> list[bytes]:
    """Cut ``data`` at some parts of its length."""
    return cut(data, [int(at * len(data)) for at in cuts])


@given(words=HITS, cuts=CUTS, rest=st.binary(max_size=7))
def test_every_word_comes_back_from_dat(words: list[int], cuts: list[float], rest: bytes) -> None:
    data = DatEncoder().encode(np.array(words, np.uint64)) + rest
    assert data == struct.pack(f"<{len(words)}Q", *words) + rest
    decoder = DatDecoder(READOUT)
    found, rejects = feed(decoder, pieces(data, cuts))
    assert found == words
    assert [(r.code, r.offset, r.evidence) for r in rejects] == [
        (RejectCode.TRUNCATED, 8 * len(words), rest)
    ] * bool(rest)
    assert decoder.position == len(data)


@given(words=HITS, cuts=CUTS)
def test_headers_before_transfers_are_dropped_in_any_pieces(
    words: list[int], cuts: list[float]
) -> None:
    transfers = [[1213, *words[at : at + 128]] for at in range(0, len(words), 128)]
    data = b"".join(struct.pack(f"<{len(t)}Q", *t) for t in transfers)
    assert feed(DatDecoder(READOUT, headers=True), pieces(data, cuts)).words == words


@given(words=WORDS, cuts=CUTS, name=st.text(max_size=16), time_ns=st.integers(-1, 2**62))
def test_every_word_comes_back_from_blocks(
    words: list[int], cuts: list[float], name: str, time_ns: int
) -> None:
    data = BlockEncoder(READOUT, name).encode(np.array(words, np.uint64), time_ns)
    decoder = BlockDecoder(READOUT)
    assert feed(decoder, pieces(data, cuts)) == (words, [])
    assert decoder.position == len(data)


def test_a_block_is_laid_out_as_its_documentation_says() -> None:
    words = some_words(3)
    data = BlockEncoder(READOUT, "legnaro-2").encode(words, time_ns=123)
    body = b"legnaro-2".ljust(16, b"\0") + words.tobytes()
    head = b"MUONWRD1" + bytes([2, 9, 0, 0]) + (3).to_bytes(4, "little")
    head += (123).to_bytes(8, "little") + zlib.crc32(body).to_bytes(4, "little") + bytes(4)
    assert data == head + body
    assert len(head) == 32


def test_many_words_are_blocks_of_8192() -> None:
    words = some_words(20_000)
    data = BlockEncoder(READOUT, "legnaro").encode(words)
    counts = [int.from_bytes(data[at + 12 : at + 16], "little") for at in (0, 65_576, 131_152)]
    assert counts == [8192, 8192, 20_000 - 16_384]
    assert feed(BlockDecoder(READOUT), [data]).words == words.tolist()


def test_a_name_that_fits_no_block_is_refused() -> None:
    assert BlockEncoder(READOUT, "ü" * 32).encode(some_words(1))
    with pytest.raises(FormatError, match=r"64 bytes, found 'üüü"):
        BlockEncoder(READOUT, "ü" * 33)


@pytest.mark.parametrize("cuts", [[], [40, 250, 700]])
def test_blocks_of_another_detector_are_refused_unless_any_may_be_read(cuts: list[int]) -> None:
    mine, other = (BlockEncoder(READOUT, name) for name in ("legnaro", "bologna2"))
    old = BlockEncoder(Readout(version=1, hit_head=1), "run000591")
    words = some_words(20)
    blocks = [mine.encode(words), other.encode(words), old.encode(words), mine.encode(words)]
    data = b"".join(blocks)
    bound = Readout(version=2, hit_head=2, blocks_of="legnaro")
    decoder = BlockDecoder(bound)
    pieces = [decoder.feed(piece) for piece in cut(data, cuts)] + [decoder.finish()]
    assert [w for p in pieces for w in p.words.tolist()] == words.tolist() * 2
    rejects = [reject for piece in pieces for reject in piece.rejects]
    begin = len(blocks[0])
    assert [(r.code, r.offset, r.length) for r in rejects] == [
        (RejectCode.BAD_BLOCK, begin, len(blocks[1])),
        (RejectCode.BAD_BLOCK, begin + len(blocks[1]), len(blocks[2])),
    ]
    assert "of detector bologna2" in rejects[0].reason
    assert "use --detector bologna2" in rejects[0].reason
    assert "use --detector run000591" in rejects[1].reason
    asked = feed(BlockDecoder(READOUT), [data])
    assert asked.words == words.tolist() * 3


@given(
    garbage=st.lists(st.binary(max_size=40) | st.just(b"MUONWRD1") | st.just(b"MUONW"), max_size=4),
    cuts=CUTS,
)
def test_blocks_between_any_garbage_are_found(garbage: list[bytes], cuts: list[float]) -> None:
    words = some_words(40)
    blocks = [BlockEncoder(READOUT).encode(words[at : at + 10]) for at in range(0, 40, 10)]
    mixed = [*(rubbish + block for rubbish, block in zip(garbage, blocks, strict=False))]
    data = b"".join([*mixed, *blocks[len(garbage) :]])
    outcome = feed(BlockDecoder(READOUT), pieces(data, cuts))
    assert outcome == feed(BlockDecoder(READOUT), [data])
    assert outcome.words == words.tolist()
    assert sum(r.length for r in outcome.rejects) == sum(map(len, garbage[:4]))


@examples(60)
@given(at=st.integers(0, 3 * 112 - 1), bit=st.integers(0, 7), cuts=CUTS)
def test_a_flipped_bit_costs_at_most_its_own_block(at: int, bit: int, cuts: list[float]) -> None:
    words = some_words(30).tolist()
    encoder = BlockEncoder(READOUT)
    data = bytearray(encoder.encode(np.array(words[:10], np.uint64)) * 3)
    data[at] ^= 1 << bit
    outcome = feed(BlockDecoder(READOUT), pieces(bytes(data), cuts))
    assert outcome == feed(BlockDecoder(READOUT), [bytes(data)])
    hurt = at // 112
    assert outcome.words in (words[:10] * 3, words[:10] * 2)
    assert sum(r.length for r in outcome.rejects) in (0, 112)
    assert all(r.offset == 112 * hurt for r in outcome.rejects)
    if at % 112 >= 32 or at % 112 < 10:
        assert len(outcome.words) == 20


def test_the_stream_sample_comes_back_to_the_byte_through_dat_and_blocks(
    realdata: Path, legnaro: Detector
) -> None:
    text = (realdata / "minidt_data_000000_first999rows.csv").read_bytes()
    readout = legnaro.readout
    words = np.array(feed(CsvDecoder(readout), [text]).words, np.uint64)
    dat = DatEncoder().begin() + DatEncoder().encode(words)
    blocks = BlockEncoder(readout, "legnaro")
    for decoder, data in (
        (DatDecoder(READOUT), dat),
        (BlockDecoder(readout), blocks.begin() + blocks.encode(words)),
    ):
        back = feed(decoder, [data])
        assert back.rejects == []
        encoder = TextEncoder(readout)
        assert encoder.begin() + encoder.encode(np.array(back.words, np.uint64)) == text


def test_a_recording_is_read_as_the_words_it_holds(realdata: Path) -> None:
    data = (realdata / "run000591_data_000000.dat").read_bytes()
    found = feed(DatDecoder(READOUT), [data])
    assert found.words == list(struct.unpack(f"<{len(data) // 8}Q", data))
    assert found.rejects == []


@given(sizes=st.lists(st.integers(0, 300), max_size=6), run=st.sampled_from([1, 591, 2**32 - 1]))
def test_headers_stand_before_every_128_words_however_they_come(sizes: list[int], run: int) -> None:
    words = some_words(sum(sizes))
    encoder = DatEncoder(run)
    parts = np.split(words, np.cumsum(sizes)) if sizes else [words]
    data = encoder.begin() + b"".join(map(encoder.encode, parts)) + encoder.end()
    all_words = list(struct.unpack(f"<{len(data) // 8}Q", data))
    assert all_words[::129] == [run] * -(-len(words) // 128)
    found, rejects = feed(DatDecoder(READOUT, headers=True), [data])
    assert found == words.tolist()
    assert not rejects
