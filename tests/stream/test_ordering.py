"""Parts of several partitions come back into the order in which they were sent, each once."""

import random
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.examples import examples
from helpers.messages import Topic, runs_of, scattered_words
from muonscope.stream import ordering
from muonscope.stream.messages import Part
from muonscope.stream.numbering import Number
from muonscope.stream.ordering import Front, Ordering, Release

SIZE = 10


def part(
    first: int | None,
    words: int = SIZE,
    *,
    partition: int = 0,
    stream: int = 1,
    piece: int = 0,
    runs: Sequence[tuple[int, int]] = (),
    time_ms: int = 0,
    at: int = 0,
) -> Part:
    """Return a part whose words are their own numbers in the stream."""
    number = None
    mine = np.arange(words, dtype=np.uint64) + np.uint64(time_ms)
    if first is not None:
        number = Number(
            stream, first, words, piece, 2 if runs else 1, runs_of(*runs) if runs else b""
        )
        mine = (first + number.places()).astype(np.uint64)
    return Part(
        partition=partition, begin=at, end=at + 1, messages=1, size=len(mine) * 8 + 1,
        time_ms=time_ms, words=mine, number=number,
    )  # fmt: skip


def front(*states: tuple[int, int], cut: bool = False) -> Front:
    """Return (reached, end) of each partition."""
    return Front(
        {p: reached for p, (reached, _) in enumerate(states)},
        {p: end for p, (_, end) in enumerate(states)},
        cut,
    )


READ = front((9, 9), (9, 9), (9, 9))
"""Everything was read."""


def words_of(releases: Sequence[Release]) -> list[int]:
    """Join the words."""
    return [word for release in releases for word in release.words.tolist()]


def missing_in(releases: Sequence[Release]) -> int:
    """Add up the words that should have stood there."""
    return sum(release.missing for release in releases)


def numbers(begin: int, end: int) -> list[int]:
    return list(range(begin, end))


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[list[Part]], int, random.Random]:
    """Draw what each partition holds of a stream whose sender crashed and went on."""
    rng = random.Random(draw(st.integers(0, 2**32)))
    topic, n = Topic.empty(draw(st.integers(1, 5))), draw(st.integers(1, 80))
    words, acknowledged = scattered_words(n, rng.randrange(1 << 30), keys=4), 0
    for crash in [True] * draw(st.integers(0, 3)) + [False]:
        begun, first = topic.sizes(), acknowledged
        cuts = [rng.randint(0, n - first) for _ in range(rng.randint(0, 8))]
        topic.send_blocks(words[first:], cuts, first=first)
        if crash:
            acknowledged = rng.randint(first, n)
            topic.lose(acknowledged, begun, rng)
    parts: list[list[Part]] = []
    for p, messages in enumerate(topic.partitions):
        found = [Number.unpack(message.header or b"") for message in messages]
        parts.append(
            [
                Part(
                    partition=p, begin=i, end=i + 1, messages=1, size=i + 1, time_ms=0,
                    words=(number.first + number.places()).astype(np.uint64), number=number,
                )
                for i, number in enumerate(found)
                if number
            ]
        )  # fmt: skip
        assert len(parts[-1]) == len(messages)
    return parts, n, rng


@examples(250)
@given(delivery=deliveries(), whole=st.booleans())
def test_words_come_in_order_and_parts_once_in_any_interleaving(
    delivery: tuple[list[list[Part]], int, random.Random], whole: bool
) -> None:
    queues, n, rng = delivery
    sent = {(p.partition, p.begin) for queue in queues for p in queue}
    order, released = Ordering(len(queues)), list[Release]()
    reached = [0] * len(queues)
    left = [list(queue) for queue in queues]
    while any(left):
        p = rng.choice([p for p, queue in enumerate(left) if queue])
        reached[p] += 1
        now = front(*zip(reached, map(len, queues), strict=True))
        order.push(left[p].pop(0), now, 0.0)
        if not whole and rng.random() < 0.5:
            released += order.release(now, 0.0)
            assert words_of(released) == numbers(0, len(words_of(released)))
            assert order.streams() == {1: len(words_of(released))}
    end = front(*[(len(queue), len(queue)) for queue in queues])
    released += order.release(end, 0.0)
    assert words_of(released) == numbers(0, n)
    assert order.flush() == []
    came = [(p.partition, p.begin) for release in released for p in release.parts]
    assert sorted(came) == sorted(sent)
    assert order.pending_bytes == [0] * len(queues)
    assert missing_in(released) == 0
    assert all(len(release.words) == 0 for release in released if release.duplicate)
    ends = [release.next for release in released if not release.duplicate]
    assert all(a and b and a[1] < b[1] for a, b in pairwise(ends))
    assert ends[-1] == (1, n)


@examples(100)
@given(delivery=deliveries(), gone=st.lists(st.integers(0, 200), min_size=1, max_size=3))
def test_what_is_missing_is_counted_when_nothing_more_comes(
    delivery: tuple[list[list[Part]], int, random.Random], gone: list[int]
) -> None:
    queues, n, rng = delivery
    for which in gone:
        filled = [queue for queue in queues if queue]
        if filled:
            queue = filled[which % len(filled)]
            del queue[which // len(filled) % len(queue)]
    order = Ordering(len(queues))
    some = [p for queue in queues for p in queue]
    rng.shuffle(some)
    for one in some:
        order.push(one, READ, 0.0)
    released = order.flush()
    words = words_of(released)
    assert words == sorted(set(words))
    assert sorted((p.partition, p.begin) for r in released for p in r.parts) == sorted(
        (p.partition, p.begin) for p in some
    )
    assert order.pending_bytes == [0] * len(queues)
    assert missing_in(released) == order.streams().get(1, 0) - len(words)
    assert order.streams().get(1, 0) <= n


@pytest.fixture
def order() -> Ordering:
    """Two partitions; the second chunk of a stream has not come, the third and fourth have."""
    order = Ordering(2)
    order.push(part(0), READ, 0.0)
    order.push(part(20, partition=1), READ, 0.0)
    assert words_of(order.release(READ, 0.0)) == numbers(0, 10)
    order.push(part(30), READ, 1.0)
    return order


def test_a_missing_chunk_that_comes_late_takes_its_place(order: Ordering) -> None:
    assert order.release(READ, 4.9) == []
    order.push(part(10, partition=1), READ, 4.9)
    released = order.release(READ, 4.9)
    assert words_of(released) == numbers(10, 40)
    assert missing_in(released) == 0


def test_a_missing_chunk_is_given_up_once_the_stream_has_long_gone_on(order: Ordering) -> None:
    assert order.release(READ, 1.0) == []
    order.push(part(40), READ, 4.9)
    assert order.release(READ, 4.9) == []
    order.push(part(50), READ, 5.1)
    released = order.release(READ, 5.1)
    assert words_of(released) == numbers(20, 60)
    assert [release.missing for release in released] == [10, 0, 0, 0]
    order.push(part(10, partition=1), READ, 6.0)
    (late,) = order.release(READ, 6.0)
    assert late.duplicate
    assert late.words.tolist() == []
    assert order.pending_bytes == [0, 0]


def test_a_missing_chunk_is_not_given_up_while_the_stream_is_silent(order: Ordering) -> None:
    assert order.release(READ, 1.0) == []
    assert order.release(READ, 500.0) == []
    assert order.release(READ, 5000.0) == []


def test_a_missing_chunk_is_not_given_up_while_a_partition_may_hold_it() -> None:
    order, unread = Ordering(2), front((9, 9), (3, 9))
    order.push(part(10), unread, 0.0)
    assert order.release(unread, 0.0) == []
    order.push(part(20), unread, 60.0)
    assert order.release(unread, 60.0) == []
    order.push(part(30, partition=1), unread, 61.0)
    released = order.release(unread, 61.0)
    assert words_of(released) == numbers(10, 40)
    assert missing_in(released) == 10


def test_a_silent_stream_that_misses_a_chunk_is_given_up_when_others_go_on(
    order: Ordering,
) -> None:
    assert order.release(READ, 1.0) == []
    order.push(part(0, stream=2), READ, 602.0)
    released = order.release(READ, 602.0)
    assert words_of(released) == [*numbers(20, 40), *numbers(0, 10)]
    assert missing_in(released) == 10


@pytest.mark.parametrize("cut", [False, True])
def test_what_stood_before_the_first_message_is_given_up_at_once_where_it_was_cut(
    cut: bool,
) -> None:
    order, now = Ordering(2), front((9, 9), (9, 9), cut=cut)
    order.push(part(500), now, 0.0)
    released = order.release(now, 0.0)
    assert words_of(released) == (numbers(500, 510) if cut else [])
    assert missing_in(released) == (500 if cut else 0)


def test_a_chunk_without_one_of_its_pieces_gives_the_others_in_the_end() -> None:
    order = Ordering(2)
    order.push(part(0, runs=[(0, 3), (7, 3)]), READ, 0.0)
    order.push(part(10), READ, 0.0)
    assert order.release(READ, 0.0) == []
    released = order.flush()
    assert words_of(released) == [0, 1, 2, 7, 8, 9, *numbers(10, 20)]
    assert missing_in(released) == 4
    assert order.streams() == {1: 20}


def test_a_piece_that_was_rejected_is_not_missing() -> None:
    order = Ordering(2)
    bad = part(0, piece=1, runs=[(3, 4)])
    bad = Part(
        partition=1, begin=0, end=1, messages=1, size=5, time_ms=0,
        words=np.empty(0, np.uint64), number=bad.number,
    )  # fmt: skip
    order.push(part(0, runs=[(0, 3), (7, 3)]), READ, 0.0)
    order.push(bad, READ, 0.0)
    released = order.release(READ, 0.0)
    assert words_of(released) == [0, 1, 2, 7, 8, 9]
    assert missing_in(released) == 0
    assert order.pending_bytes == [0, 0]


def test_too_much_that_waits_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordering, "MAX_PENDING_BYTES", 400)
    order, unread = Ordering(2), front((9, 9), (3, 9))
    released = list[Release]()
    for first in range(10, 110, 10):
        order.push(part(first), unread, 0.0)
        released += order.release(unread, 0.0)
        assert sum(order.pending_bytes) <= 400
    assert words_of(released) == numbers(10, 110)
    assert missing_in(released) == 10


def test_a_stream_goes_on_where_it_was_saved() -> None:
    order = Ordering(2, {7: 30, 1: 15})
    order.push(part(0), READ, 0.0)
    order.push(part(10), READ, 0.0)
    order.push(part(20), READ, 0.0)
    released = order.release(READ, 0.0)
    assert words_of(released) == numbers(15, 30)
    assert [release.duplicate for release in released] == [True, False, False]
    assert order.streams() == {7: 30, 1: 30}


STREAMS = pytest.mark.parametrize("saved", [None, {1: 10}, {1: 10, 2: 0}])


@STREAMS
def test_a_stream_that_begins_later_waits_until_the_topic_was_read(
    saved: dict[int, int] | None,
) -> None:
    order = Ordering(2, saved)
    begin = front((1, 9), (0, 5))
    if saved is None:
        order.push(part(0), begin, 0.0)
        assert words_of(order.release(begin, 0.0)) == numbers(0, 10)
    order.push(part(0, stream=2, partition=1), begin, 0.0)
    assert order.release(begin, 0.0) == []
    nearly = front((8, 20), (6, 20))
    order.push(part(10), nearly, 700.0)
    assert words_of(order.release(nearly, 700.0)) == numbers(10, 20)
    read = front((9, 20), (6, 20))
    assert words_of(order.release(read, 0.0)) == numbers(0, 10)
    order.push(part(10, stream=2), read, 0.0)
    order.push(part(20), read, 0.0)
    assert words_of(order.release(read, 0.0)) == [*numbers(20, 30), *numbers(10, 20)]


@STREAMS
def test_a_stream_that_was_begun_does_not_wait_again(saved: dict[int, int] | None) -> None:
    order = Ordering(2, {**(saved or {1: 5}), 2: 10})
    unread = front((1, 9), (0, 5))
    order.push(part(10, stream=2), unread, 0.0)
    assert words_of(order.release(unread, 0.0)) == numbers(10, 20)


def test_two_streams_that_go_on_at_once_are_noticed() -> None:
    order = Ordering(1)
    for n in range(3):
        assert order.mixed == []
        for stream in (1, 2):
            order.push(part(10 * n, stream=stream), READ, 0.0)
            order.release(READ, 0.0)
        if n:
            break
    assert order.mixed == [1, 2]


def test_a_sender_that_is_started_again_after_another_one_is_no_second_stream() -> None:
    order = Ordering(1)
    for first, stream in [(0, 1), (10, 1), (0, 2), (10, 2), (20, 1), (30, 1)]:
        order.push(part(first, stream=stream), READ, 0.0)
        order.release(READ, 0.0)
    assert order.mixed == []


def test_only_the_streams_used_last_are_kept() -> None:
    order = Ordering(1)
    for stream in range(300):
        order.push(part(0, stream=stream), READ, 0.0)
        order.release(READ, 0.0)
    assert list(order.streams()) == list(range(44, 300))


def test_a_front_tells_what_is_still_to_be_read() -> None:
    some = front((3, 9), (9, 9), (10, 9))
    assert [some.caught_up(p) for p in range(4)] == [False, True, True, True]
    assert some.behind() == 6
