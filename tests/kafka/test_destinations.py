"""Topics as DEST of ``convert`` and ``simulate``, and client settings wherever one is read."""

import signal
from pathlib import Path

import numpy as np
import pytest

import muonscope
from helpers.command import Command, until
from helpers.kafka_topics import Topic, make_topic, read_topic
from helpers.simulated import simulated_words
from muonscope.errors import OptionError, SourceError

WORDS = simulated_words(30_000)
NOBODY = "kafka://127.0.0.1:9/topic"
UNKNOWN = {"MUONSCOPE_KAFKA_NO_SUCH": "1"}
NO_CONSUMER = "receive.message.max.bytes = 100000\n"
"""A setting that all clients take but consumers: they ask for more than that at once."""


@pytest.mark.parametrize("form", ["", "block", "json"])
def test_converted_words_come_back_and_are_processed_as_from_the_file(
    command: Command, topic: Topic, recording: Path, expected: list[bytes], tmp_path: Path,
    form: str,
) -> None:  # fmt: skip
    options = ("--format", form) if form else ()
    done = command("convert", recording, topic.stream, *options, "--partitions", 3)
    assert done.code == 0, done.err
    assert f"topic {topic.name} created with 3 partitions" in done.err
    assert f"30,000 words written to {topic.stream} as {form or 'block'}" in done.err
    values = [message.value() or b"" for message in read_topic(topic.servers, topic.name)]
    assert all(value.startswith(b"{") == (form == "json") for value in values)
    assert command("convert", topic.stream, tmp_path / "back.dat").code == 0
    assert np.array_equal(np.fromfile(tmp_path / "back.dat", "<u8"), WORDS)
    done = command(
        "process", topic.stream, "--run", "r", "--to", topic.results, "--idle-exit", "600ms"
    )
    assert done.code == 0, done.err
    assert topic.lines() == expected


def test_convert_sends_what_replay_sends(command: Command, topic: Topic, recording: Path) -> None:
    sent = Topic(topic.servers, f"{topic.name}_replayed")
    assert command("convert", recording, topic.stream).code == 0
    assert command("replay", recording, "--to", sent.stream, "--max").code == 0
    converted, replayed = (
        sorted(
            (m.partition() or 0, m.key() or b"", m.timestamp(), m.value() or b"")
            for m in read_topic(t.servers, t.name)
        )
        for t in (topic, sent)
    )
    assert converted == replayed
    assert {partition for partition, *_ in converted} <= set(range(12))


def test_a_topic_is_added_to(command: Command, topic: Topic, recording: Path) -> None:
    for _ in range(2):
        assert command("convert", recording, topic.stream).code == 0
    out = command("convert", topic.stream, "-", "--format", "dat").out
    assert sorted(np.frombuffer(out, "<u8")) == sorted([*WORDS, *WORDS])


def test_simulated_words_go_to_a_topic_with_their_truth_beside(
    command: Command, topic: Topic, tmp_path: Path
) -> None:
    truth = tmp_path / "truth.parquet"
    truth.touch()
    done = command(
        "simulate", topic.stream, "--seconds", 20, "--seed", 4, "--truth", truth, "--force"
    )
    assert done.code == 0, done.err
    assert f"s written to {topic.stream}" in done.err
    same = command("convert", "sim:legnaro?seconds=20&seed=4", "-", "--format", "dat").out
    back = command("convert", topic.stream, "-", "--format", "dat")
    assert back.out == same
    assert truth.stat().st_size > 0


def test_a_paced_simulation_that_is_stopped_has_sent_what_it_says(
    command: Command, topic: Topic
) -> None:
    make_topic(topic.servers, topic.name, 2, retention_ms="-1")
    running = command.start("simulate", topic.stream, "--speed", 20)
    until(lambda: len(read_topic(topic.servers, topic.name)) > 5, "some messages")
    running.signal(signal.SIGINT)
    done = running.wait()
    assert done.code == 130, done.err
    back = command("convert", topic.stream, "-", "--format", "dat").out
    assert f"stopped after {len(back) // 8:,} words of " in done.err


@pytest.mark.parametrize(
    "args",
    [
        ("convert", "sim:?words=9", NOBODY, "--format", "csv"),
        ("simulate", NOBODY, "--format", "dat"),
    ],
    ids=" ".join,
)
def test_a_topic_takes_blocks_or_json(command: Command, args: tuple[str, ...]) -> None:
    done = command(*args)
    assert done.code == 2
    assert f"format: found '{args[-1]}', expected --format with one of block, json" in done.err


@pytest.mark.parametrize(
    "args", [("convert", "sim:?words=9", NOBODY), ("simulate", NOBODY)], ids=" ".join
)
def test_a_topic_is_never_overwritten(command: Command, args: tuple[str, ...]) -> None:
    done = command(*args, "--force")
    assert done.code == 2
    assert "--force: a topic is added to, never overwritten" in done.err


def test_what_was_sent_before_a_refusal_is_told(
    command: Command, topic: Topic, tmp_path: Path
) -> None:
    good = "2,0,5,1000,10,15\n"
    (tmp_path / "bad.csv").write_text(f"{good * 4000}no words\n{good}")
    done = command(
        "convert", tmp_path / "bad.csv", topic.stream,
        settings={"muonscope.transports.files.CHUNK_BYTES": 10_000},
    )  # fmt: skip
    assert done.code == 4
    assert "not all can be decoded" in done.err
    assert f"{topic.stream}: has up to 3," in done.err
    assert "words of this already; they stay" in done.err


@pytest.mark.parametrize(
    "args",
    [
        ("inspect", NOBODY),
        ("convert", NOBODY, "-", "--format", "dat"),
        ("convert", "sim:?words=9", NOBODY),
        ("simulate", NOBODY),
    ],
    ids=" ".join,
)
class TestWithoutBrokerOrWithSettings:
    """What every command that names a topic does, but ``process`` and ``replay``."""

    def test_it_fails_at_once_where_no_broker_answers(
        self, command: Command, args: tuple[str, ...]
    ) -> None:
        done = command(*args)
        assert done.code == 3
        assert "127.0.0.1:9: no Kafka broker answers" in done.err
        assert "trying again" not in done.err

    def test_it_takes_the_settings_of_the_environment(
        self, command: Command, args: tuple[str, ...]
    ) -> None:
        done = command(*args, env=UNKNOWN)
        assert done.code == 2
        assert 'No such configuration property: "no.such"' in done.err

    def test_it_takes_the_settings_of_a_file(
        self, command: Command, args: tuple[str, ...], tmp_path: Path
    ) -> None:
        config = tmp_path / "kafka.conf"
        done = command(*args, "--kafka-config", config)
        assert done.code == 2
        assert f"kafka settings {config}: cannot be read" in done.err
        config.write_text("no.such = 1\n")
        done = command(*args, "--kafka-config", config)
        assert done.code == 2
        assert 'No such configuration property: "no.such"' in done.err


def test_replay_reads_a_topic_with_the_settings(
    command: Command, topic: Topic, recording: Path, tmp_path: Path
) -> None:
    config = tmp_path / "kafka.conf"
    config.write_text(NO_CONSUMER)
    with_settings = ("--max", "--kafka-config", config)
    sent = command("replay", recording, "--to", topic.stream, *with_settings)
    assert sent.code == 0, sent.err
    again = command("replay", topic.stream, "--to", f"{topic.stream}_again", *with_settings)
    assert again.code == 2
    assert "Failed to create consumer: `receive.message.max.bytes`" in again.err


def test_open_reads_a_topic_with_the_settings(
    command: Command, topic: Topic, recording: Path, tmp_path: Path
) -> None:
    config = tmp_path / "kafka.conf"
    config.write_text(NO_CONSUMER)
    assert command("convert", recording, topic.stream).code == 0
    assert np.array_equal(muonscope.open(topic.stream).words(), WORDS)
    with pytest.raises(
        OptionError, match=r"Failed to create consumer: `receive\.message\.max\.bytes`"
    ):
        muonscope.open(topic.stream, kafka_config=config).words()


def test_open_takes_the_settings_of_the_environment_for_topics_alone(
    monkeypatch: pytest.MonkeyPatch, recording: Path
) -> None:
    monkeypatch.setenv("MUONSCOPE_KAFKA_GROUP_ID", "mine")
    with pytest.raises(OptionError, match=r"kafka setting group\.id: is made by muonscope"):
        muonscope.open(NOBODY)
    assert len(muonscope.open(recording).words()) == len(WORDS)


def test_open_says_nothing_but_its_error(capfd: pytest.CaptureFixture[str]) -> None:
    recording = muonscope.open(NOBODY)
    with pytest.raises(SourceError, match=r"127\.0\.0\.1:9: no Kafka broker answers"):
        recording.words()
    assert capfd.readouterr() == ("", "")
