"""Messages taken in: exact order and account, and the same again from any saved state."""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.examples import examples
from helpers.messages import READOUT, Topic, TopicSource, mixed_in, scattered_words
from muonscope.errors import SourceError
from muonscope.intake import message_book
from muonscope.intake import topic as topic_intake
from muonscope.intake.batch import Checkpoint, Position, WordBatch
from muonscope.intake.checkpoints import Checkpoints
from muonscope.intake.message_book import (
    ORDER_KEY,
    Notices,
    OrderPosition,
    partitions_in,
    topic_position,
)
from muonscope.intake.topic import Ending, TopicIntake, book_of
from muonscope.stream.messages import Messages
from muonscope.transports.base import PartitionPosition
from muonscope.words.rejects import Rejects

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


def order_in(positions: Mapping[str, Position]) -> OrderPosition:
    """Return how far the numbered streams have come."""
    order = positions[ORDER_KEY]
    assert isinstance(order, OrderPosition)
    return order


def intake_of(
    source: TopicSource,
    positions: Mapping[str, Position] | None = None,
    *,
    checkpoints: bool = False,
    quick: bool = False,
    clock: Callable[[], float] = time.monotonic,
    **options: Any,
) -> TopicIntake:
    """Return an intake that goes on from saved positions."""
    due = Checkpoints(clock, wanted=checkpoints, quick=quick)
    book = book_of(source, READOUT, positions, due, clock)
    ending = Ending(keeps_rest=checkpoints, **options)
    return TopicIntake(source, READOUT, book, ending, clock=clock)


def outcome_of(batches: Sequence[WordBatch]) -> Outcome:
    """Join what batches say."""
    rejects, streams = Rejects(), dict[str, Position]()
    words: list[int] = []
    poison: list[bytes] = []
    for batch in batches:
        words += batch.words.tolist()
        rejects.add(batch.rejects)
        poison += [value for _, value in batch.poison]
        streams |= batch.positions
    notices = order_in(streams).notices if streams else Notices()
    return Outcome(
        words, notices, {c.name: n for c, n in sorted(rejects.count.items())},
        rejects.bytes_rejected, sorted(poison),
    )  # fmt: skip


def whatever_the_pace(outcome: Outcome) -> Outcome:
    """Leave out which of two messages that share words came second."""
    return outcome._replace(notices=replace(outcome.notices, duplicates=0))


def saved_after(batches: Sequence[WordBatch]) -> dict[str, Position]:
    """Return the streams as they are saved after some batches, through JSON."""
    streams: dict[str, Position] = {}
    for batch in batches:
        streams |= batch.positions
    text = orjson.dumps({key: stream.as_json() for key, stream in streams.items()})
    return {key: topic_position(key, value) for key, value in orjson.loads(text).items()}


def taken(
    topic: Topic, seed: int, streams: Mapping[str, Position] | None = None, most: int = 4
) -> list[WordBatch]:
    """Take in what a topic holds, from saved streams on."""
    source = TopicSource(topic, partitions_in(streams or {}), seed=seed, most=most)
    return list(intake_of(source, streams, clock=Ticking()).batches())


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
    monkeypatch.setattr(message_book, "_BATCH_WORDS", request.param)
    return int(request.param)


FIXED = examples(80)


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


@FIXED
@given(seed=SEEDS, cuts=st.lists(st.integers(0, 60), max_size=5), partitions=st.integers(1, 3))
def test_messages_sent_twice_count_once(seed: int, cuts: list[int], partitions: int) -> None:
    words, topic = scattered_words(60, 1), Topic.empty(partitions)
    topic.send_blocks(words, cuts)
    sent = sum(topic.sizes())
    topic.send_blocks(words, cuts)
    outcome = outcome_of(taken(topic, seed))
    assert outcome.words == words.tolist()
    assert outcome.notices == Notices(messages=2 * sent, duplicates=sent)


def test_bytes_of_messages_that_came_twice_count_once() -> None:
    words, topic = scattered_words(60, 1), Topic.empty(2)
    topic.send_blocks(words, [20, 40])
    once = [sum(len(message.value) for message in some) for some in topic.partitions]
    topic.send_blocks(words, [20, 40])
    streams = saved_after(taken(topic, 3))
    assert [streams[str(p)].bytes_in for p in range(2)] == once
    assert [streams[str(p)].read for p in range(2)] == once


def test_what_never_came_is_counted_as_missing_also_after_a_restart() -> None:
    words, topic = scattered_words(60, 1, keys=1), Topic.empty(1)
    topic.send_blocks(words, [10, 20, 30, 40, 50])
    for gone in (4, 2):
        del topic.partitions[0][gone]
    expected = np.concatenate([words[:20], words[30:40], words[50:]]).tolist()
    whole = taken(topic, 3, most=1)
    assert outcome_of(whole).words == expected
    assert outcome_of(whole).notices.missing_words == 20
    for at in range(len(whole)):
        rest = taken(topic, 3, saved_after(whole[:at]), most=1)
        assert outcome_of([*whole[:at], *rest]) == outcome_of(whole)


@pytest.mark.usefixtures("batch_words")
def test_missing_words_are_saved_with_the_batch_that_lacks_them() -> None:
    words, topic = scattered_words(90, 1, keys=1), Topic.empty(1)
    topic.send_blocks(words, range(0, 90, 10))
    del topic.partitions[0][5]
    del topic.partitions[0][2]
    seen = 0
    for batch in taken(topic, 3, most=20):
        seen += len(batch.words)
        if ORDER_KEY in batch.positions:
            order = order_in(batch.positions)
            assert order.next_words == {1: seen + order.notices.missing_words}


def test_two_replays_at_once_are_refused() -> None:
    words, topic = scattered_words(400, 1), Topic.empty(1)
    source = TopicSource(topic, most=50, lasting=True)
    batches = intake_of(source, clock=Ticking()).batches()

    def send_both(first: int) -> None:
        for stream in (1, 2):
            topic.send_json(words[first : first + 50], stream=stream, first=first)
            for _ in range(8):
                next(batches)

    def send_all() -> None:
        for first in range(0, 400, 50):
            send_both(first)

    with pytest.raises(SourceError, match=r"two streams of words arrive at once.*topic of its own"):
        send_all()


class Losing(TopicSource):
    """A topic some of whose messages were deleted before they were read."""

    gone = 0

    def expired(self) -> int:
        return self.gone


def test_expired_messages_are_counted_on_from_the_saved_state() -> None:
    topic = Topic.empty(1)
    topic.send_blocks(scattered_words(20, 1, keys=1), [10])

    def notices(streams: Mapping[str, Position] | None, gone: int) -> dict[str, Position]:
        source = Losing(topic, partitions_in(streams or {}), most=1)
        source.gone = gone
        return saved_after(list(intake_of(source, streams).batches())[:1])

    first = notices(None, 3)
    assert order_in(first).notices.expired == 3
    assert order_in(notices(first, 2)).notices.expired == 5


def test_a_source_that_is_idle_ends_after_its_time_and_gives_the_rest() -> None:
    words, topic = scattered_words(30, 1, keys=1), Topic.empty(2)
    topic.send_blocks(words, [10, 20])
    some = next(p for p in topic.partitions if p)
    del some[0]
    clock = Ticking(0.5)
    source = TopicSource(topic, lasting=True)
    intake = intake_of(source, idle_exit_s=3.0, clock=clock)
    batches = list(intake.batches())
    assert outcome_of(batches).words == words[10:].tolist()
    assert outcome_of(batches).notices.missing_words == 10
    assert 3.0 < clock.now < 15.0


@dataclass(slots=True)
class Pausing(TopicSource):
    """Gives nothing for some fetches in the middle, though it knows that there is more."""

    pauses: int = 30

    def fetch(self) -> list[Messages]:
        if self.fetches and self.pauses:
            self.pauses -= 1
            return []
        return super(Pausing, self).fetch()


def test_a_source_is_not_idle_while_messages_are_known_to_be_left() -> None:
    words, topic = scattered_words(60, 1, keys=1), Topic.empty(1)
    topic.send_blocks(words, range(5, 60, 5))
    source = Pausing(topic, lasting=True, most=1)
    intake = intake_of(source, idle_exit_s=3.0, clock=Ticking(0.5))
    assert outcome_of(list(intake.batches())).words == words.tolist()


def stopping(after: int, *, checkpoints: bool) -> tuple[list[WordBatch], TopicSource]:
    """Take a topic whose first chunk never comes, stopped after some fetches."""
    topic = Topic.empty(1)
    topic.send_blocks(scattered_words(30, 1, keys=1), [10, 20])
    del topic.partitions[0][0]
    source = TopicSource(topic, lasting=True)
    intake = intake_of(source, stop=lambda: source.fetches >= after, checkpoints=checkpoints)
    return list(intake.batches()), source


def test_a_stop_gives_the_rest_unless_a_later_run_goes_on() -> None:
    batches, _ = stopping(5, checkpoints=False)
    assert outcome_of(batches).words == scattered_words(30, 1, keys=1)[10:].tolist()
    batches, source = stopping(5, checkpoints=True)
    assert outcome_of(batches).words == []
    begun = PartitionPosition(offset=0, mark=source.mark)
    assert partitions_in(saved_after(batches)) == {0: begun}
    assert source.fetches == 5


@pytest.mark.parametrize(("checkpoints", "quick"), [(False, True), (True, False), (True, True)])
def test_checkpoints_come_in_time(*, checkpoints: bool, quick: bool) -> None:
    source, clock = TopicSource(Topic.empty(1), lasting=True), Ticking(0.0125)
    intake = intake_of(
        source, checkpoints=checkpoints, quick=quick, clock=clock, stop=lambda: clock.now > 4.0
    )
    kinds = [batch.checkpoint for batch in intake.batches()]
    full, closed = kinds.count(Checkpoint.YES), kinds.count(Checkpoint.IF_CLOSED)
    assert full == (3 if checkpoints else 0)
    assert (closed > 20) == (checkpoints and quick)
    assert closed < 40


def test_a_partition_that_is_far_ahead_waits_for_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(topic_intake, "_HOLD_BYTES", 1000)
    words, topic = scattered_words(400, 1), Topic.empty(2)
    topic.send_json(words, run=200)
    source = TopicSource(topic, most=20)
    pending: list[list[int]] = []
    hold: Callable[[list[int]], None] = source.hold

    def noted(partitions: list[int]) -> None:
        pending.append(list(intake.book.pending_bytes))
        assert partitions in ([], [1])
        hold(partitions)

    monkeypatch.setattr(TopicSource, "hold", lambda _, partitions: noted(partitions))
    intake = intake_of(source, clock=Ticking())
    assert outcome_of(list(intake.batches())).words == words.tolist()
    assert 1000 < max(second for _, second in pending) < 1000 + 20 * 110
    assert intake.book.pending_bytes == [0, 0]


@pytest.mark.parametrize("lasting", [False, True])
def test_a_partition_that_is_far_ahead_does_not_wait_for_one_that_is_read(
    monkeypatch: pytest.MonkeyPatch, lasting: bool
) -> None:
    """A second stream waits for the first to be read whole, and most of it is in one place."""
    monkeypatch.setattr(topic_intake, "_HOLD_BYTES", 1000)
    words, topic = scattered_words(400, 1), Topic.empty(2)
    topic.send_json(words[:10], run=5)
    topic.send_json(words[10:], stream=2, run=1000)
    source = TopicSource(topic, most=20, lasting=lasting)
    intake = intake_of(source, stop=lambda: source.fetches > 400, clock=Ticking())
    taken_words: list[int] = []
    for batch in intake.batches():
        assert source.fetches < 300, "it waits for ever"
        taken_words += batch.words.tolist()
        if lasting and len(taken_words) == len(words):
            break
    assert taken_words == words.tolist()


def test_a_bad_message_that_was_sent_twice_is_rejected_once() -> None:
    words, topic = scattered_words(30, 1, keys=1), Topic.empty(1)
    topic.send_blocks(words, [10, 20])
    sent = topic.partitions[0]
    sent[1] = replace(sent[1], value=sent[1].value[:-1])
    sent.insert(2, sent[1])
    outcome = outcome_of(taken(topic, 1))
    assert outcome.words == [*words[:10].tolist(), *words[20:].tolist()]
    assert outcome.poison == [sent[1].value]
    assert outcome.bytes_rejected == len(sent[1].value)
    assert outcome.notices == Notices(messages=4, duplicates=1)
