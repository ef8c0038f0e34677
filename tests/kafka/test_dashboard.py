"""The dashboard on topics of a real broker: results and words, also such as come later."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import pytest

from helpers.command import Command, hits
from helpers.kafka_topics import Topic, add_partitions, delete_topic, make_topic, send
from helpers.shown import Shown, shown
from helpers.simulated import BRIGHT, simulated_words

WORDS = simulated_words(12_000, profile=BRIGHT)
IDLE = ("--idle-exit", "600ms")


def assert_shows(dashboard: Shown, lines: list[bytes]) -> None:
    """Check that it comes to show what some results say."""
    messages = [m for m in map(orjson.loads, lines) if m["window"] is not None]
    dashboard.until(lambda status: status["windows"] >= len(messages), "all windows")
    told = dashboard.get("api/v1/summary?view=run").json()
    assert told["windows"] == len(messages)
    assert told["tables"]["chambers"]["hits"] == hits(messages)
    for name in told["accounting"]:
        assert told["accounting"][name] == sum(m["accounting"][name] for m in messages)


@contextmanager
def showing_three(command: Command, topic: Topic, expected: list[bytes]) -> Iterator[Shown]:
    """Give a dashboard that shows the first three results, from a topic of one partition."""
    make_topic(topic.servers, f"{topic.name}_results", 1)
    send(topic.servers, f"{topic.name}_results", [*expected[:3]])
    with shown(command, "dashboard", topic.results) as dashboard:
        assert_shows(dashboard, expected[:3])
        yield dashboard


@pytest.mark.parametrize("partitions", [1, 4])
def test_results_in_a_topic_are_shown_with_the_lag_of_each_partition(
    command: Command, topic: Topic, expected: list[bytes], partitions: int
) -> None:
    name = f"{topic.name}_results"
    make_topic(topic.servers, name, partitions)
    for n, line in enumerate(expected):
        send(topic.servers, name, [line], n % partitions)
    with shown(command, "dashboard", topic.results) as dashboard:
        assert_shows(dashboard, expected)
        status = dashboard.until(lambda s: all(p["behind"] == 0 for p in s["sources"]), "the end")
        assert [source["partition"] for source in status["sources"]] == list(range(partitions))
        assert {source["unit"] for source in status["sources"]} == {"messages"}
        assert sum(source["read"] for source in status["sources"]) == len(expected)
        assert status["detector"] == "legnaro"
        assert dashboard.end().code == 0


def test_results_come_while_it_looks_and_broken_ones_are_counted(
    command: Command, topic: Topic, expected: list[bytes]
) -> None:
    name = f"{topic.name}_results"
    make_topic(topic.servers, name, 4)
    with shown(command, "dashboard", topic.results) as dashboard:
        send(topic.servers, name, [*expected[:1], b"garbage", None, b"\x00" * 100_000])
        assert_shows(dashboard, expected[:1])
        dashboard.until(lambda s: s["malformed"] == 3, "the broken ones")
        send(topic.servers, name, [*expected, *expected])
        assert_shows(dashboard, expected)
        status = dashboard.until(lambda s: s["duplicates"] == len(expected) + 1, "the duplicates")
        assert status["latency_ms"]["p50"] < 5000


def test_what_is_no_result_may_come_first(
    command: Command, topic: Topic, expected: list[bytes]
) -> None:
    name = f"{topic.name}_results"
    make_topic(topic.servers, name, 1)
    send(topic.servers, name, [None, b"", b"foreign", b"{}", *expected])
    with shown(command, "dashboard", topic.results) as dashboard:
        assert_shows(dashboard, expected)
        assert dashboard.health()["malformed"] == 4


def test_a_topic_of_results_that_is_not_there_yet_is_waited_for(
    command: Command, topic: Topic, expected: list[bytes]
) -> None:
    with shown(command, "dashboard", topic.results) as dashboard:
        status = dashboard.until(lambda s: s["notes"], "a note")
        assert status["state"] == "waiting"
        assert status["notes"] == [f"{topic.results}: no such topic yet; waiting for it"]
        make_topic(topic.servers, f"{topic.name}_results", 4)
        send(topic.servers, f"{topic.name}_results", [*expected])
        assert_shows(dashboard, expected)
        assert len(dashboard.health()["notes"]) == 1


def test_a_topic_that_is_deleted_and_made_anew_is_shown_on(
    command: Command, topic: Topic, expected: list[bytes]
) -> None:
    name = f"{topic.name}_results"
    with showing_three(command, topic, expected) as dashboard:
        delete_topic(topic.servers, name)
        waiting = f"{topic.results}: no such topic yet; waiting for it"
        status = dashboard.until(lambda s: waiting in s["notes"], "the deletion")
        assert status["state"] in {"receiving", "stale"}
        make_topic(topic.servers, name, 2)
        send(topic.servers, name, [*expected])
        assert_shows(dashboard, expected)


def test_partitions_that_are_added_are_shown_too(
    command: Command, topic: Topic, expected: list[bytes]
) -> None:
    name = f"{topic.name}_results"
    with showing_three(command, topic, expected) as dashboard:
        add_partitions(topic.servers, name, 3)
        send(topic.servers, name, [*expected[3:]], partition=2)
        assert_shows(dashboard, expected)
        status = dashboard.health()
        assert "has 3 partitions now, 1 before" in status["notes"][0]
        assert status["duplicates"] == 3


def test_words_in_a_topic_are_counted_with_the_lag_of_each_partition(
    command: Command, topic: Topic, recording: Path
) -> None:
    sent = command("replay", recording, "--to", topic.stream, "--max", "--partitions", 4)
    assert sent.code == 0, sent.err
    counted = command("process", topic.stream, "--run", "r", *IDLE)
    assert counted.code == 0, counted.err
    with shown(command, "dashboard", topic.stream, "--run", "r") as dashboard:
        seen = dashboard.until(lambda s: s["words"] == len(WORDS), "all words")
        told = dashboard.get("api/v1/summary?view=run").json()
        windows = [m for m in counted.messages if m["window"] is not None]
        shown_windows = windows[: told["windows"]]
        assert len(shown_windows) >= len(windows) - 1  # the last one is still open
        assert told["tables"]["chambers"]["hits"] == hits(shown_windows)
        assert [source["partition"] for source in seen["sources"]] == [0, 1, 2, 3]
        dashboard.until(lambda s: all(p["behind"] == 0 for p in s["sources"]), "the end")
        assert dashboard.end().code == 0


def test_a_broker_that_is_not_there_is_an_error_if_it_is_not_to_be_waited_for(
    command: Command,
) -> None:
    done = command("dashboard", "kafka://127.0.0.1:1/t_results", "--no-wait", "--port", 0)
    assert done.code == 3, done.err
    assert "Traceback" not in done.err


def test_results_in_a_topic_have_no_pace(command: Command, topic: Topic) -> None:
    make_topic(topic.servers, f"{topic.name}_results", 1)
    done = command("dashboard", topic.results, "--speed", "2", "--port", 0)
    assert done.code == 2
    assert "--speed: results in a topic come as they are published" in done.err
