"""Numbers of messages: what is packed comes back, damage is noticed, chunks are whole."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.examples import examples
from helpers.messages import READOUT, runs_of, scattered_words
from muonscope.stream.numbering import (
    CHUNK_WORDS,
    KEY_ORBITS,
    Number,
    consecutive,
    split_by_orbits,
)
from muonscope.words.layout import orbits

U64 = 2**64 - 1
WORDS = st.integers(1, CHUNK_WORDS)


@st.composite
def numbers(draw: st.DrawFn, *, pieces: bool = True) -> Number:
    """Draw any number that a message may have."""
    words = draw(WORDS | st.sampled_from([1, CHUNK_WORDS]))
    stream = draw(st.integers(0, U64) | st.sampled_from([0, 1, U64]))
    first = draw(st.integers(0, U64 - words) | st.sampled_from([0, U64 - words]))
    if not pieces or draw(st.booleans()):
        return Number(stream, first, words)
    count = draw(st.integers(2, 2**16 - 1))
    edges = sorted(draw(st.sets(st.integers(0, words), min_size=2, max_size=8)))
    runs = runs_of(*((a, b - a) for a, b in zip(edges[::2], edges[1::2], strict=False)))
    return Number(stream, first, words, draw(st.integers(0, count - 1)), count, runs)


@given(number=numbers())
def test_a_number_comes_back_from_its_header(number: Number) -> None:
    header = number.pack()
    assert len(header) == 28 + len(number.runs)
    assert Number.unpack(header) == number
    rest = (number.stream, number.first, number.words, number.piece, number.pieces)
    assert struct.unpack_from("<QQIHH", header, 4) == rest


def test_a_header_is_what_it_was_when_topics_were_written() -> None:
    whole = Number(0x0123456789ABCDEF, 8192, 8192).pack()
    assert whole.hex() == "48daf19defcdab896745230100200000000000000020000000000100"
    piece = Number(7, 16384, 5, 1, 2, runs_of((0, 2), (4, 1)))
    assert (
        piece.pack().hex()
        == "b05d4b1d0700000000000000004000000000000005000000010002000000020004000100"
    )


@examples(60)
@given(number=numbers())
def test_any_flipped_bit_is_noticed(number: Number) -> None:
    header = number.pack()
    for bit in range(28 * 8):
        damaged = bytearray(header)
        damaged[bit // 8] ^= 1 << bit % 8
        assert Number.unpack(bytes(damaged)) is None, bit
        if not number.runs:
            assert consecutive([bytes(damaged)]) == []


@given(header=st.binary(max_size=64))
def test_bytes_that_are_no_header_are_no_number(header: bytes) -> None:
    assert Number.unpack(header) is None
    if len(header) == 28:
        assert consecutive([header]) == []


@given(number=numbers(), size=st.integers(0, 27), more=st.integers(1, 3))
def test_a_header_of_another_length_is_no_number(number: Number, size: int, more: int) -> None:
    header = number.pack()
    assert Number.unpack(header[:size]) is None
    assert Number.unpack(header + bytes(more)) is None
    if not number.runs:
        assert Number.unpack(header + bytes(4)) is None
    else:
        assert Number.unpack(header[:28]) is None


@pytest.mark.parametrize(
    "number",
    [
        Number(1, 0, 0),
        Number(1, 0, CHUNK_WORDS + 1),
        Number(1, 0, 5, 1, 1),
        Number(1, 0, 5, 0, 0),
        Number(1, 0, 5, 2, 2, runs_of((0, 1))),
        Number(1, 0, 5, 0, 2, runs_of((0, 6))),
        Number(1, 0, 5, 0, 2, runs_of((0, 1), (5, 1))),
        Number(1, 0, 10, 0, 2, runs_of((0, 5), (3, 4))),
        Number(1, 0, 10, 0, 2, runs_of((4, 2), (0, 2))),
        Number(1, 0, 5, 0, 2, runs_of((65535, 65535))),
        Number(1, U64, 1),
        Number(1, U64 - 4, 5),
    ],
)
def test_numbers_that_cannot_be_are_refused_whole_or_in_runs(number: Number) -> None:
    header = number.pack()
    assert Number.unpack(header) is None
    if len(header) == 28:
        assert consecutive([header]) == []


def test_more_words_than_a_chunk_may_be_allowed() -> None:
    header = Number(1, 0, CHUNK_WORDS + 1).pack()
    assert Number.unpack(header, most=1 << 20) == Number(1, 0, CHUNK_WORDS + 1)


ORBITS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 60)), max_size=8).map(
    lambda runs: [key * KEY_ORBITS + i for key, n in runs for i in range(n)]
)


@given(places=ORBITS, stream=st.integers(0, U64), first=st.integers(0, 2**60))
def test_pieces_have_every_word_of_a_chunk_once(places: list[int], stream: int, first: int) -> None:
    words = np.arange(len(places), dtype=np.uint64) + np.uint64(77)
    pieces = split_by_orbits(words, np.array(places, np.int64), stream, first)
    back = np.zeros(len(words), np.uint64)
    covered = np.zeros(len(words), np.int64)
    for i, piece in enumerate(pieces):
        number = Number.unpack(piece.number.pack())
        assert number == piece.number
        assert (number.stream, number.first, number.words) == (stream, first, len(words))
        assert (number.piece, number.pieces) == (i, len(pieces))
        assert (number.runs == b"") == (len(pieces) == 1)
        at = number.places()
        assert len(at) == len(piece.words) > 0
        covered[at] += 1
        back[at] = piece.words
        assert {places[j] // KEY_ORBITS for j in at.tolist()} == {piece.key}
    assert (covered == 1).all()
    assert back.tolist() == words.tolist()
    assert len({piece.key for piece in pieces}) == len(pieces)


def test_the_largest_chunk_may_change_its_block_with_every_word() -> None:
    words = np.arange(CHUNK_WORDS, dtype=np.uint64)
    pieces = split_by_orbits(words, np.arange(CHUNK_WORDS) * KEY_ORBITS, 1, 0)
    assert len(pieces) == CHUNK_WORDS
    found = [Number.unpack(piece.number.pack()) for piece in pieces]
    assert [n.places().tolist() for n in found if n] == [[i] for i in range(CHUNK_WORDS)]


def test_a_chunk_of_real_words_is_cut_by_their_orbits() -> None:
    words = scattered_words(500, 3)
    at = orbits(words, READOUT.version, READOUT.hit_head)
    pieces = split_by_orbits(words, at, 1, 0)
    assert [piece.key for piece in pieces] == [0, 1, 2]
    assert np.sort(np.concatenate([piece.words for piece in pieces])).tolist() == sorted(
        words.tolist()
    )


@st.composite
def headers(draw: st.DrawFn) -> list[bytes]:
    """Draw headers that mostly follow one another, with damage and jumps."""
    found: list[bytes] = []
    stream, first = draw(st.integers(0, U64)), draw(st.integers(0, 100))
    kinds = ["next"] * 6 + ["again", "jump", "stream", "damaged", "rubbish", "piece", "huge", "end"]
    for kind in draw(st.lists(st.sampled_from(kinds), max_size=25)):
        words = draw(WORDS)
        match kind:
            case "again":
                first = max(0, first - words)
            case "jump":
                first = min(U64, first + draw(st.integers(1, 9)))
            case "stream":
                stream = draw(st.integers(0, U64))
            case "huge":
                words = draw(st.sampled_from([0, CHUNK_WORDS + 1, 2**32 - 1]))
            case "end":
                first = U64 - words + draw(st.integers(-1, 1))
        pieces = draw(st.sampled_from([0, 2])) if kind == "piece" else 1
        header = bytearray(Number(stream, first, words, 0, pieces).pack()[:28])
        if kind == "damaged":
            header[draw(st.integers(0, 27))] ^= 1 << draw(st.integers(0, 7))
        rubbish = kind == "rubbish"
        found.append(draw(st.binary(min_size=28, max_size=28)) if rubbish else bytes(header))
        first = (first + words) & U64
    return found


def slowly(some: list[bytes]) -> list[tuple[int, int, Number]]:
    """Find runs of messages one by one."""
    runs: list[tuple[int, int, Number]] = []
    for i, header in enumerate(some):
        number = Number.unpack(header)
        if number is None:
            continue
        if runs and runs[-1][1] == i:
            begin, _, last = runs[-1]
            if last.stream == number.stream and last.first + last.words == number.first:
                runs[-1] = (
                    begin,
                    i + 1,
                    Number(last.stream, last.first, last.words + number.words),
                )
                continue
        runs.append((i, i + 1, number))
    return runs


@examples(300)
@given(some=headers())
def test_runs_of_messages_are_those_found_one_by_one(some: list[bytes]) -> None:
    assert consecutive(some) == slowly(some)


def test_no_headers_are_in_no_run() -> None:
    assert consecutive([]) == []
