"""What runs on Spark's workers, without Spark: Arrow batches of messages to rows of parts."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.examples import examples
from helpers.feeding import some_words
from helpers.messages import READOUT, Message, columns, runs_of
from muonscope.engines.spark import worker
from muonscope.engines.spark.worker import PARTS_SCHEMA, decoder, parts_of, rows_of
from muonscope.stream.messages import Part, decode_messages, without
from muonscope.stream.numbering import Number
from muonscope.words.binary import BlockEncoder
from muonscope.words.rejects import Reject, RejectCode
from muonscope.words.text_encode import TextEncoder

BLOCKS = BlockEncoder(READOUT, "legnaro")
HIT = TextEncoder(READOUT, json=True).encode(some_words(1)).strip()
VALUES = [
    HIT, HIT, HIT + b"\n" + HIT, BLOCKS.encode(some_words(3)), BLOCKS.encode(some_words(9)),
    b"", b"{", b"\xff\x00", BLOCKS.encode(some_words(3))[:-1], BLOCKS.encode(some_words(0)),
]  # fmt: skip
SMALL, LARGE = st.integers(0, 2**31 - 1), st.integers(0, 2**63 - 1)
REJECTS = st.builds(
    Reject, code=st.sampled_from(RejectCode), offset=LARGE, length=LARGE,
    evidence=st.binary(max_size=120), line=st.none() | LARGE, where=st.text(max_size=20),
    reason=st.text(max_size=20),
)  # fmt: skip
NUMBERS = st.sampled_from(
    [None, Number(2**64 - 1, 0, 9), Number(0, 2**64 - 10, 9), Number(1, 5, 500_000),
     Number(1, 2, 9, 1, 3, runs_of((0, 2), (8, 1)))]
)  # fmt: skip
PARTS = st.lists(
    st.builds(
        Part, partition=SMALL, begin=LARGE, end=LARGE, messages=SMALL, size=LARGE, time_ms=LARGE,
        words=st.lists(st.integers(0, 2**64 - 1), max_size=9).map(lambda w: np.array(w, np.uint64)),
        rejects=st.lists(REJECTS, max_size=3).map(tuple), number=NUMBERS,
        poison=st.lists(st.binary(max_size=9), max_size=3).map(tuple),
    ),
    max_size=6,
)  # fmt: skip


def plain(parts: Sequence[Part]) -> list[tuple[object, ...]]:
    """Return parts as what can be compared."""
    return [
        (p.partition, p.begin, p.end, p.messages, p.size, p.time_ms, p.words.tolist(), p.rejects,
         p.poison, p.number)
        for p in parts
    ]  # fmt: skip


@given(parts=PARTS, cuts=st.lists(st.integers(0, 6), max_size=2))
def test_parts_come_back_from_their_rows(parts: list[Part], cuts: list[int]) -> None:
    ends = [0, *sorted(cuts), len(parts)]
    batches = [rows_of(parts[a:b]) for a, b in pairwise(ends)]
    back = parts_of(pa.Table.from_batches(batches))
    assert plain(back) == plain(parts)
    assert all(part.words.dtype == np.uint64 for part in back)


def test_rows_have_the_columns_that_spark_is_told() -> None:
    names = [column.strip().split(" ")[0] for column in PARTS_SCHEMA.split(", ")]
    kinds = [column.strip().split(" ")[1] for column in PARTS_SCHEMA.split(", ")]
    schema = rows_of([]).schema
    assert schema.names == names
    arrow = {
        "int": pa.int32(), "long": pa.int64(), "binary": pa.binary(),
        "array<binary>": pa.list_(pa.binary()),
    }  # fmt: skip
    assert schema.types == [arrow[kind] for kind in kinds]


def rows(partition: Sequence[int], offset: Sequence[int], messages: Sequence[Message]) -> pa.Table:
    """Return messages as Spark gives them."""
    return pa.table(
        {
            "partition": pa.array(partition, pa.int32()),
            "offset": pa.array(offset, pa.int64()),
            "time_ms": pa.array([m.time_ms for m in messages], pa.int64()),
            "value": pa.array([m.value for m in messages], pa.binary()),
            "header": pa.array([m.header for m in messages], pa.binary()),
        }
    )


MESSAGES = st.lists(
    st.builds(
        Message, st.sampled_from(VALUES),
        st.none() | st.builds(Number, st.just(1), st.integers(0, 9), st.integers(1, 3)).map(
            Number.pack
        ),
        SMALL,
    ),
    max_size=12,
)  # fmt: skip


@examples(60)
@given(
    some=st.lists(MESSAGES, min_size=1, max_size=3),
    size=st.integers(1, 9),
    done=st.dictionaries(
        st.integers(0, 3), st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12))), max_size=3
    ),
)
def test_the_answer_is_that_of_decoding_each_partition(
    some: list[list[Message]], size: int, done: dict[int, list[tuple[int, int]]]
) -> None:
    flat = [(p, i, m) for p, messages in enumerate(some) for i, m in enumerate(messages)]
    table = rows([p for p, _, _ in flat], [i for _, i, _ in flat], [m for _, _, m in flat])
    answer = list(decoder(READOUT, done)(table.to_batches(max_chunksize=size)))
    parts = parts_of(pa.Table.from_batches(answer, rows_of([]).schema))
    expected = [
        part
        for p, messages in enumerate(some)
        for part in decode_messages(
            without(columns(p, range(len(messages)), messages), done.get(p, [])), READOUT
        )
    ]
    assert plain(parts) == plain(expected)


def test_a_message_without_a_value_is_rejected() -> None:
    table = rows([0], [7], [Message(HIT)])
    table = table.set_column(3, "value", pa.array([None], pa.binary()))
    (answer,) = decoder(READOUT, {})(table.to_batches())
    (part,) = parts_of(pa.Table.from_batches([answer]))
    assert (part.begin, part.end, part.size, part.poison) == (7, 8, 0, (b"",))
    assert [r.code for r in part.rejects] == [RejectCode.UNKNOWN_FORMAT]


def test_many_small_messages_become_few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    messages = [Message(HIT, Number(1, i, 1).pack()) for i in range(1000)]
    table = rows([0] * 1000, range(1000), messages)
    (answer,) = decoder(READOUT, {})(table.to_batches(max_chunksize=100))
    assert answer.num_rows == 1
    (part,) = parts_of(pa.Table.from_batches([answer]))
    assert part.number == Number(1, 0, 1000)
    monkeypatch.setattr(worker, "_GROUP_ROWS", 299)
    answers = list(decoder(READOUT, {})(table.to_batches(max_chunksize=100)))
    found = [parts_of(pa.Table.from_batches([one]))[0].number for one in answers]
    assert found == [
        Number(1, 0, 300), Number(1, 300, 300), Number(1, 600, 300), Number(1, 900, 100)
    ]  # fmt: skip


def test_no_batches_give_no_answer() -> None:
    assert list(decoder(READOUT, {})([])) == []
    empty = pa.RecordBatch.from_pylist([], rows([], [], []).schema)
    assert [batch.num_rows for batch in decoder(READOUT, {})([empty])] == [0]
