"""Messages taken in: exact order and account, and the same again from any saved state."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from messages import READOUT, Message, Topic, TopicSource, mixed_in, scattered_words
from muonscope import message_intake
from muonscope.detector import Detector
from muonscope.engines.native import Batch, Checkpoint
from muonscope.intake import Stream, Token
from muonscope.message_intake import (
    ORDER_KEY,
    MessageIntake,
    MessagePieces,
    Notices,
    positions_of,
)
from muonscope.words.binary import BlockDecoder
from muonscope.words.rejects import Rejects
from words.feeding import feed

POISON = [b"", b"page", b"{", b"  \n \t", b"MUONWRD1 and no more", b'{"HEAD":2}', b"[1]", b"\0"]
SEEDS = st.integers(0, 2**32)


class Outcome(NamedTuple):
    """What a topic gave: all that may not depend on where a run was broken."""

    words: list[int]
    notices: Notices
    rejects: dict[str, int]
    bytes_rejected: int
    poison: list[bytes]


class Ticking:
    """A clock that goes on a little whenever it is read."""

    def __init__(self, step_s: float = 0.01) -> None:
        self.now, self._step = 0.0, step_s

    def __call__(self) -> float:
        self.now += self._step
        return self.now


def outcome_of(batches: Sequence[Batch[Token]]) -> Outcome:
    """Join what batches say."""
    rejects, streams = Rejects(), dict[str, Stream]()
    words: list[int] = []
    poison: list[bytes] = []
    for batch in batches:
        words += batch.decoded.words.tolist()
        rejects.add(batch.decoded.rejects)
        poison += [value for _, value in batch.token.poison]
        streams |= batch.token.others
    notices = streams[ORDER_KEY].decoder["notices"] if streams else {}
    return Outcome(
        words, Notices(**notices), {c.name: n for c, n in sorted(rejects.count.items())},
        rejects.bytes_rejected, sorted(poison),
    )  # fmt: skip


def whatever_the_pace(outcome: Outcome) -> Outcome:
    """Leave out which of two messages that share words came second."""
    return outcome._replace(notices=replace(outcome.notices, duplicates=0))


def saved_after(batches: Sequence[Batch[Token]]) -> dict[str, Stream]:
    """Return the streams as they are saved after some batches, through JSON."""
    streams: dict[str, Stream] = {}
    for batch in batches:
        streams |= batch.token.others
    text = orjson.dumps({key: stream.as_json() for key, stream in streams.items()})
    return {key: Stream.from_json(value) for key, value in orjson.loads(text).items()}


def taken(
    topic: Topic, seed: int, streams: Mapping[str, Stream] | None = None, most: int = 4
) -> list[Batch[Token]]:
    """Take in what a topic holds, from saved streams on."""
    source = TopicSource(topic, positions_of(streams or {}), seed=seed, most=most)
    intake = MessageIntake(source, READOUT, streams=streams, clock=Ticking())
    return list(intake.batches())


@st.composite
def topics(draw: st.DrawFn) -> tuple[Topic, list[int]]:
    """Draw a topic of one or two streams, blocks or JSON, sent by senders that crash.

    Every partition begins with the first stream, so that it is the one that is seen first.
    """
    rng = random.Random(draw(SEEDS))
    topic = Topic.empty(
        draw(st.integers(1, 4)), base=draw(st.integers(0, 3)), step=draw(st.integers(1, 2))
    )
    expected: list[int] = []
    for stream in range(1, draw(st.integers(1, 2)) + 1):
        n = draw(st.integers(4, 90))
        words = scattered_words(n, rng.randrange(1 << 30), keys=draw(st.integers(1, 4)))
        words += np.uint64(stream << 58)
        expected += words.tolist()
        json, acknowledged = draw(st.booleans()), 0
        if stream == 1:
            acknowledged = min(n, len(topic.partitions))
            topic.send_json(words[:acknowledged], run=1)
        for crash in [True] * draw(st.integers(0, 2)) + [False]:
            begun, first = topic.sizes(), acknowledged
            if json:
                topic.send_json(words[first:], stream=stream, first=first)
            else:
                cuts = [rng.randint(0, n - first) for _ in range(rng.randint(0, 6))]
                topic.send_blocks(words[first:], cuts, stream=stream, first=first)
            if crash:
                acknowledged = rng.randint(first, n)
                topic.lose(acknowledged, begun, rng)
    poison = draw(st.lists(st.sampled_from(POISON), max_size=5))
    return mixed_in(topic, poison, rng), expected


@pytest.fixture(params=[1 << 20, 20], ids=["large batches", "small batches"])
def batch_words(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """Words after which a batch is full."""
    monkeypatch.setattr(message_intake, "_BATCH_WORDS", request.param)
    return int(request.param)


FIXED = settings(deadline=None, max_examples=80)


@pytest.mark.usefixtures("batch_words")
@FIXED
@given(sent=topics(), seed=SEEDS, most=st.integers(1, 60))
def test_words_come_as_they_were_sent_whatever_the_partitions_pace(
    sent: tuple[Topic, list[int]], seed: int, most: int
) -> None:
    topic, expected = sent
    outcome = outcome_of(taken(topic, seed, most=most))
    assert outcome.words == expected
    assert outcome.notices.missing_words == 0
    assert outcome.notices.messages == sum(topic.sizes())
    values = [m.value for some in topic.partitions for m in some if m.header is None]
    assert outcome.poison == sorted(values)
    assert outcome.bytes_rejected == sum(map(len, values))


@pytest.mark.usefixtures("batch_words")
@FIXED
@given(sent=topics(), seeds=st.tuples(SEEDS, SEEDS), most=st.integers(1, 60), data=st.data())
def test_going_on_from_any_saved_state_gives_the_same_as_never_stopping(
    sent: tuple[Topic, list[int]], seeds: tuple[int, int], most: int, data: st.DataObject
) -> None:
    topic, _ = sent
    whole = taken(topic, seeds[0], most=most)
    at = data.draw(st.integers(0, len(whole)))
    before = whole[:at]
    for _ in range(data.draw(st.integers(1, 3))):
        rest = taken(topic, seeds[1], saved_after(before), most)
        keep = data.draw(st.integers(0, len(rest)))
        assert whatever_the_pace(outcome_of(before + rest)) == whatever_the_pace(outcome_of(whole))
        before += rest[:keep]
