"""Messages without numbers give every window of the file, over any partitions, at any pace."""

from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.cases import case
from helpers.examples import examples
from helpers.messages import READOUT, Message, Topic, TopicSource
from helpers.side_by_side import (
    DISTRIBUTIONS,
    Windows,
    exact_part,
    spread,
    windows_in_order,
)
from helpers.simulated import simulated_words
from helpers.streams import read_words
from muonscope.counting.counter import Counter
from muonscope.counting.window_spec import WindowSpec
from muonscope.detector import Detector, shipped_detector
from muonscope.intake.batch import Position, WordBatch
from muonscope.intake.checkpoints import Checkpoints
from muonscope.intake.message_book import OrderPosition, partitions_in, topic_position
from muonscope.intake.topic import Ending, TopicIntake, book_of
from muonscope.stream import unnumbered
from muonscope.words.binary import DatEncoder
from muonscope.words.layout import Words
from muonscope.words.text_encode import TextEncoder

LEGNARO = shipped_detector("legnaro")
SPEC = WindowSpec()
STYLES = ["json", "csv", "word", "buffer", "lines"]


def messages_of(words: Words, style: str) -> list[tuple[bytes, int]]:
    """Return what producers send of ``words``, and how many each message has."""
    match style:
        case "json" | "csv":
            rows = TextEncoder(READOUT, json=style == "json").encode(words).splitlines()
            return [(row, 1) for row in rows]
        case "word":
            return [(word.tobytes(), 1) for word in words]
    size = {"buffer": 128, "lines": 7}[style]
    cuts = [*range(0, len(words), size), len(words)]
    some = [words[a:b] for a, b in pairwise(cuts) if b > a]
    if style == "lines":
        return [(TextEncoder(READOUT, json=True).encode(w), len(w)) for w in some]
    return [(DatEncoder(run_number=42).encode(w), len(w)) for w in some]


def topic_of(words: Words, style: str, how: str, partitions: int, *, rate_hz: float) -> Topic:
    """Return a topic to which ``words`` were sent by one producer."""
    topic = Topic.empty(partitions)
    messages = messages_of(words, style)
    to = spread(how, len(messages), partitions, 5)
    sent = 0
    for (value, n), partition in zip(messages, to.tolist(), strict=True):
        time_ms = 1_700_000_000_000 + int(1e3 * sent / rate_hz)
        topic.partitions[partition].append(Message(value, time_ms=time_ms))
        sent += n
    return topic


class Ticking:
    """A clock that goes on a little whenever it is read."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 0.01
        return self.now


def intake(source: TopicSource, positions: Mapping[str, Position], *, keeps: bool) -> TopicIntake:
    clock = Ticking()
    due = Checkpoints(clock, wanted=keeps)
    return TopicIntake(
        source, READOUT, book_of(source, READOUT, positions, due), Ending(keeps_rest=keeps),
        clock=clock,
    )  # fmt: skip


def windows_of(batches: list[WordBatch], detector: Detector) -> Windows:
    counter = Counter(detector, SPEC)
    windows = [w for batch in batches for w in counter.push(batch.words, batch.streams)]
    return exact_part([*windows, *counter.finish()])


@pytest.fixture(scope="module")
def rows() -> Words:
    return read_words(case("0-parallel-parts") / "rows.csv", LEGNARO)


@pytest.mark.parametrize("partitions", [1, 4, 12])
@pytest.mark.parametrize("style", STYLES)
def test_every_window_is_that_of_the_file(rows: Words, style: str, partitions: int) -> None:
    """As a script sends them, one after the other to each partition, as fast as it can."""
    topic = topic_of(rows, style, "round robin", partitions, rate_hz=100_000)
    source = TopicSource(topic, seed=partitions, most=700)
    batches = list(intake(source, {}, keeps=False).batches())
    assert sum(len(batch.rejects) for batch in batches) == 0
    assert windows_of(batches, LEGNARO) == windows_in_order(rows, LEGNARO, SPEC)


@examples(60)
@given(
    seed=st.integers(1, 30),
    style=st.sampled_from(STYLES),
    how=st.sampled_from(DISTRIBUTIONS),
    partitions=st.integers(1, 16),
    rate_hz=st.sampled_from([2_000.0, 1e6, 1e12]),
    pace=st.integers(0, 1 << 30),
    stops=st.lists(st.integers(0, 40), max_size=3),
)
def test_no_pace_and_no_restart_changes_a_window(
    seed: int, style: str, how: str, partitions: int, rate_hz: float, pace: int, stops: list[int]
) -> None:
    """With 1e12 Hz all time stamps are equal."""
    words = simulated_words(3_000, seed=seed)
    topic = topic_of(words, style, how, partitions, rate_hz=rate_hz)
    positions: dict[str, Position] = {}
    taken: list[WordBatch] = []
    for i, stop in enumerate([*stops, 1 << 60]):
        known = partitions_in(positions)
        source = TopicSource(topic, known, seed=pace + i, most=400)
        for n, batch in enumerate(intake(source, positions, keeps=True).batches()):
            taken.append(batch)
            positions |= batch.positions
            if n == stop:
                break
        saved = orjson.loads(orjson.dumps({k: p.as_json() for k, p in positions.items()}))
        positions = {key: topic_position(key, value) for key, value in saved.items()}
    assert sum(len(batch.words) for batch in taken) == len(words)
    assert windows_of(taken, LEGNARO) == windows_in_order(words, LEGNARO, SPEC)
    sizes = sum(p.bytes_in for p in positions.values())
    assert sizes == sum(len(m.value) for some in topic.partitions for m in some)


def test_more_than_may_wait_is_given_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unnumbered, "MAX_PENDING_BYTES", 50_000)
    words = simulated_words(3_000, seed=3)
    topic = topic_of(words, "csv", "halves", 2, rate_hz=1e6)
    source = TopicSource(topic, seed=1, most=3_000)
    batches = list(intake(source, {}, keeps=False).batches())
    assert np.sort(np.concatenate([b.words for b in batches])).tolist() == np.sort(words).tolist()
    last = [b.positions["order"] for b in batches if "order" in b.positions][-1]
    assert isinstance(last, OrderPosition)
    assert last.notices.out_of_order > 0


def test_a_recording_of_two_files_in_two_partitions(realdata: Path, run000591: Detector) -> None:
    """Raw words of version 1, the second half in a partition of its own."""
    words = read_words(realdata / "run000591_data_000000.dat", run000591)[:20_000]
    topic = Topic.empty(2)
    for i, word in enumerate(words):
        topic.partitions[i // 10_000].append(Message(word.tobytes(), time_ms=5 + i // 100))
    source = TopicSource(topic, seed=4, most=2_000)
    readout, clock = run000591.readout, Ticking()
    book = book_of(source, readout, {}, Checkpoints(clock, wanted=False))
    batches = list(TopicIntake(source, readout, book, clock=clock).batches())
    assert windows_of(batches, run000591) == windows_in_order(words, run000591, SPEC)
