"""Messages to words: nothing raises, every byte is accounted for, batches do not matter."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.examples import examples
from helpers.feeding import some_words
from helpers.hostile import JSON, PARQUET, ROW_WORD, STREAMS, Case
from helpers.messages import READOUT, Message, columns, runs_of
from muonscope.stream.messages import Messages, Part, decode_messages, without
from muonscope.stream.numbering import Number
from muonscope.words.binary import BLOCK_MAGIC, BlockEncoder, DatEncoder
from muonscope.words.decode import StreamDecoder
from muonscope.words.layout import Words
from muonscope.words.rejects import RejectCode
from muonscope.words.text_encode import TextEncoder

BLOCKS = BlockEncoder(READOUT, "legnaro")
HIT = JSON.strip()
ROW = b"2,0,5,1000,100,7"
CASES = [case for case in [*STREAMS, *PARQUET] if len(case.data) < 300_000]


def lines(words: Words) -> list[bytes]:
    """Return a message of JSON for each word."""
    return TextEncoder(READOUT, json=True).encode(words).splitlines()


def messages(
    values: Sequence[bytes], headers: Sequence[bytes | None] | None = None, begin: int = 100
) -> Messages:
    """Return messages of partition 3, one offset after the other."""
    some = [
        Message(value, header, time_ms=10 * i)
        for i, (value, header) in enumerate(
            zip(values, headers or [None] * len(values), strict=True)
        )
    ]
    return columns(3, range(begin, begin + len(some)), some)


def decoded(values: Sequence[bytes], headers: Sequence[bytes | None] | None = None) -> list[Part]:
    """Decode messages, and check the law of bytes and of offsets."""
    given_ = messages(values, headers)
    parts = decode_messages(given_, READOUT)
    at = 0
    for part in parts:
        values_of = given_.values[at : at + part.messages]
        assert (part.partition, part.begin, part.end) == (3, 100 + at, 100 + at + part.messages)
        assert part.messages > 0
        assert part.time_ms == 10 * at
        assert part.size == sum(map(len, values_of))
        assert part.words.dtype == np.uint64
        assert bool(part.rejects) == bool(part.poison)
        if part.rejects:
            assert part.messages == 1
            assert part.poison == tuple(values_of)
            spans = [(r.offset, r.offset + r.length) for r in part.rejects]
            assert all(0 <= a <= b <= part.size for a, b in spans)
            assert all(before[1] <= after[0] for before, after in pairwise(spans))
            assert {r.where for r in part.rejects} == {f"partition 3 offset {part.begin}"}
            for reject in part.rejects:
                slice_ = values_of[0][reject.offset : reject.offset + reject.length]
                assert b" ".join(slice_.split()).startswith(b" ".join(reject.evidence.split()))
        at += part.messages
    assert at == len(values)
    return parts


def words_of(parts: Sequence[Part]) -> list[int]:
    """Join the words."""
    return [word for part in parts for word in part.words.tolist()]


def words_of_file(data: bytes) -> list[int]:
    """Return the words of the same data in a file."""
    decoder = StreamDecoder(READOUT)
    return [*decoder.feed(data).words.tolist(), *decoder.finish().words.tolist()]


def rejects_of(parts: Sequence[Part]) -> list[tuple[RejectCode, int, int, str]]:
    """Return what was rejected, and where."""
    return [(r.code, r.offset, r.length, r.where) for part in parts for r in part.rejects]


def test_a_message_may_be_blocks_or_a_hit_or_lines_of_hits() -> None:
    words = some_words(40)
    texts = lines(words)
    values = [
        BLOCKS.encode(words[:10]), texts[10], b"\n".join(texts[11:15]),
        BLOCKS.encode(words[15:20]) + BLOCKS.encode(words[20:30]),
        b"\r\n".join(texts[30:38]) + b"\r\n", b" \t" + texts[38], texts[39] + b"\n",
    ]  # fmt: skip
    parts = decoded(values)
    assert words_of(parts) == words.tolist()
    assert rejects_of(parts) == []


def test_hits_as_strings_and_as_numbers_are_the_same() -> None:
    plain = HIT.replace(b'"617866"', b"617866").replace(b'"2"', b"2")
    assert words_of(decoded([HIT, plain])) == [ROW_WORD] * 2


def test_a_run_of_hits_is_one_part() -> None:
    words = some_words(500)
    (part,) = decoded(lines(words))
    assert (part.messages, part.begin, part.end) == (500, 100, 600)
    assert part.words.tolist() == words.tolist()


def test_a_numbered_run_of_hits_is_one_part_with_the_number_of_all() -> None:
    words = some_words(30)
    headers = [Number(9, 1000 + i, 1).pack() for i in range(30)]
    (part,) = decoded(lines(words), headers)
    assert part.number == Number(9, 1000, 30)
    assert part.words.tolist() == words.tolist()


def test_blocks_bear_their_numbers_and_pieces() -> None:
    words = some_words(7)
    number = Number(9, 16, 10, 1, 2, runs_of((0, 3), (5, 4)))
    (part,) = decoded([BLOCKS.encode(words)], [number.pack()])
    assert part.number == number
    assert part.words.tolist() == words.tolist()


def test_no_messages_are_no_parts() -> None:
    assert decoded([]) == []


@pytest.mark.parametrize(
    "value", [b"", b"hit", b"null", b"\0" * 8, b"\0" * 40, b"\xff" * 8, b"\xff{", b"\x12" * 12]
)
def test_what_has_no_words_is_rejected_whole(value: bytes) -> None:
    (part,) = decoded([value])
    assert rejects_of([part]) == [
        (RejectCode.UNKNOWN_FORMAT, 0, len(value), "partition 3 offset 100")
    ]
    assert len(part.words) == 0


@pytest.mark.parametrize("values_before", [0, 1])
def test_rows_of_text_are_read_one_by_one_or_several(values_before: int) -> None:
    words = some_words(7)
    rows = TextEncoder(READOUT, json=False).encode(words).splitlines()
    (part,) = decoded(rows)
    assert part.words.tolist() == words.tolist()
    header = b"HEAD,FPGA,TDC_CHANNEL,ORBIT_CNT,BX_COUNTER,TDC_MEAS"
    several = [*[header] * values_before, b"\n".join(rows[:3]), b"\r\n".join([header, *rows[3:]])]
    parts = decoded(several)
    assert words_of(parts) == words.tolist()
    assert not rejects_of(parts)


def test_a_bad_row_costs_only_itself() -> None:
    words = some_words(3)
    rows = TextEncoder(READOUT, json=False).encode(words).splitlines()
    parts = decoded([rows[0], b"2,0,5", rows[1], b"2,0,5,99999999999,3,4", rows[2]])
    assert words_of(parts) == words.tolist()
    assert [reject[:3] for reject in rejects_of(parts)] == [
        (RejectCode.BAD_COLUMN_COUNT, 0, 5), (RejectCode.OUT_OF_RANGE, 0, 21),
    ]  # fmt: skip


def test_a_word_a_message_is_read_as_the_daq_sends_it() -> None:
    words = some_words(300)
    (part,) = decoded([word.tobytes() for word in words])
    assert part.words.tolist() == words.tolist()
    assert part.table is not None
    assert part.table[:, 2].tolist() == list(range(1, 301))


@pytest.mark.parametrize("transfers", [1, 2])
def test_transfers_are_read_without_their_run_number(transfers: int) -> None:
    words = some_words(128 * transfers)
    value = DatEncoder(run_number=42).encode(words)
    assert len(value) == 1032 * transfers
    assert words_of(decoded([value])) == words.tolist()
    assert words_of(decoded([words.tobytes()])) == words.tolist()


@pytest.mark.parametrize("value", [b" ", b"\n", b"\r\n \t\n"])
def test_blanks_are_a_bad_message(value: bytes) -> None:
    assert rejects_of(decoded([value])) == [
        (RejectCode.BAD_JSON, 0, len(value), "partition 3 offset 100")
    ]


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_hostile_data_is_a_message_that_costs_only_itself(case: Case) -> None:
    block, good = BLOCKS.encode(some_words(5)), some_words(5).tolist()
    values = [HIT, case.data, HIT, block, case.data, block, HIT]
    parts = decoded(values)
    alone = decoded([case.data])
    inside = words_of(alone)
    expected = [ROW_WORD, *inside, ROW_WORD, *good, *inside, *good, ROW_WORD]
    assert words_of(parts) == expected
    codes = [(r.code, r.offset, r.length) for part in alone for r in part.rejects]
    assert [r[:3] for r in rejects_of(parts)] == codes * 2
    wheres = [f"partition 3 offset {100 + i}" for i in (1, 4) for _ in codes]
    assert [r[3] for r in rejects_of(parts)] == wheres
    found = [reject.offset for part in alone for reject in part.rejects]
    if case.format in {"json", "block"} and case.data[:1] in {b"{", b" ", b"\n", b"M"}:
        assert (len(inside), found) == (case.words, [offset for _, offset in case.rejects])
    elif case.format == "csv" and inside:
        assert inside == words_of_file(case.data)
    elif not inside and (case.words or case.rejects):
        assert codes


VALUES = st.sampled_from(
    [
        HIT, HIT, HIT, HIT + b"\n", HIT + b"\n" + HIT, b"\n", b" ", b"{", b"{}", HIT[:40], HIT[40:],
        b" " + HIT[40:] + b"\n" + HIT, HIT + HIT, HIT + b"\nx", b"", b"x", HIT + b"\n\n" + HIT,
        b"\n" + HIT, b"\r", b"\t" + HIT + b"\r", BLOCKS.encode(some_words(2)), BLOCK_MAGIC,
        BLOCKS.encode(some_words(2))[:-1], BLOCKS.encode(some_words(1)) + HIT, b" \x00",
        ROW, ROW, ROW + b"\n" + ROW, ROW[:9], some_words(1).tobytes(), some_words(3).tobytes(),
        b"\0" * 8,
    ]
)  # fmt: skip
HEADERS = st.one_of(
    st.none(),
    st.builds(Number, st.just(1), st.integers(0, 6), st.integers(1, 3)).map(Number.pack),
    st.just(Number(1, 0, 3, 0, 2, runs_of((0, 2))).pack()),
    st.sampled_from([b"", b"x" * 28, b"y" * 32]),
)


@st.composite
def sent(draw: st.DrawFn) -> tuple[list[bytes], list[bytes | None]]:
    """Draw messages of all kinds; runs of numbers follow one another, true or not."""
    values, headers, first = list[bytes](), list[bytes | None](), 0
    for value in draw(st.lists(VALUES, max_size=14)):
        words = draw(st.sampled_from([1, 1, 1, 1, 2, 3]))
        kind = draw(st.integers(0, 9))
        header = None if kind == 0 else draw(HEADERS) if kind == 1 else b"next"
        if header == b"next":
            header = Number(1, first, words).pack()
            first += words
        values.append(value)
        headers.append(header)
    return values, headers if draw(st.booleans()) else [None] * len(values)


def numbered(parts: Sequence[Part]) -> dict[tuple[int, int], int]:
    """Return the words by stream and number."""
    found: dict[tuple[int, int], int] = {}
    for part in parts:
        if part.number and len(part.words):
            places = part.number.places()
            assert len(places) == len(part.words)
            for at, word in zip(places.tolist(), part.words.tolist(), strict=True):
                found[part.number.stream, part.number.first + at] = word
    return found


@examples(400)
@given(some=sent(), cuts=st.lists(st.integers(0, 14), max_size=6))
def test_how_messages_come_together_does_not_matter(
    some: tuple[list[bytes], list[bytes | None]], cuts: list[int]
) -> None:
    values, headers = some
    together = decoded(values, headers)
    given_ = messages(values, headers)
    apart = [
        part
        for a, b in pairwise([0, *sorted(min(c, len(values)) for c in cuts), len(values)])
        for part in decode_messages(messages(values[a:b], headers[a:b], 100 + a), READOUT)
    ]
    singly = [
        part
        for i in range(len(values))
        for part in decode_messages(messages([values[i]], [headers[i]], 100 + i), READOUT)
    ]
    assert given_.offsets[:1] == [part.begin for part in together[:1]]
    for others in (apart, singly):
        assert words_of(others) == words_of(together)
        assert rejects_of(others) == rejects_of(together)
        assert numbered(others) == numbered(together)
        assert [p for part in others for p in part.poison] == [
            p for part in together for p in part.poison
        ]


@pytest.mark.parametrize("words", [1, 3])
def test_a_message_that_has_not_the_words_of_its_number_is_rejected_whole(words: int) -> None:
    for value in (BLOCKS.encode(some_words(2)), HIT + b"\n" + HIT):
        (part,) = decoded([value], [Number(1, 0, words).pack()])
        assert rejects_of([part]) == [
            (RejectCode.BAD_BLOCK, 0, len(value), "partition 3 offset 100")
        ]
        assert len(part.words) == 0
        assert part.number == Number(1, 0, words)


def test_a_bad_hit_in_a_numbered_run_costs_only_itself() -> None:
    words = some_words(9)
    values = lines(words)
    values[4] = values[4].replace(b"HEAD", b"HAED")
    parts = decoded(values, [Number(1, i, 1).pack() for i in range(9)])
    assert numbered(parts) == {(1, i): int(word) for i, word in enumerate(words) if i != 4}
    assert [r[0] for r in rejects_of(parts)] == [RejectCode.BAD_JSON]
    assert parts[4].number == Number(1, 4, 1)


def test_a_damaged_header_is_no_number() -> None:
    block = BLOCKS.encode(some_words(3))
    parts = decoded([block, HIT], [b"?" * 28, b"?" * 28])
    assert [part.number for part in parts] == [None, None]
    assert words_of(parts) == [*some_words(3).tolist(), ROW_WORD]


@given(
    n=st.integers(0, 20),
    ranges=st.lists(st.tuples(st.integers(95, 125), st.integers(95, 125)), max_size=3),
)
def test_messages_that_are_done_are_left_out(n: int, ranges: list[tuple[int, int]]) -> None:
    some = messages([str(i).encode() for i in range(n)], [bytes([i]) for i in range(n)])
    left = without(some, ranges)
    keep = [i for i in range(n) if not any(a <= 100 + i < b for a, b in ranges)]
    assert list(left.offsets) == [100 + i for i in keep]
    assert list(left.values) == [str(i).encode() for i in keep]
    assert list(left.headers) == [bytes([i]) for i in keep]
    assert list(left.times_ms) == [10 * i for i in keep]
    assert left.partition == 3
