"""Doubts of whole runs: told where they are right, and silent where all is well."""

import logging
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

import muonscope
from helpers.cases import case
from helpers.messages import READOUT, Message, Topic, TopicSource
from helpers.simulated import simulated_words
from muonscope.detector import Detector, setup_names, shipped_detector
from muonscope.errors import FormatError
from muonscope.events import Event, EventKind, ignore
from muonscope.intake.topic import Ending, TopicIntake, book_of
from muonscope.processing.inputs import FileWatch, Input, TopicWatch
from muonscope.processing.options import ProcessOptions
from muonscope.processing.outputs import open_output
from muonscope.processing.plan import plan_of
from muonscope.processing.reporter import Account, LogReporter
from muonscope.processing.watched import watched_run
from muonscope.simulation.profiles import PROFILES
from muonscope.stopping import Stop
from muonscope.wording import describe
from muonscope.words.binary import BlockEncoder
from muonscope.words.layout import Words


def kinds(account: Account) -> list[EventKind]:
    """Return the kinds of the doubts of a run."""
    return [doubt.kind for doubt in account.doubts]


def written(words: Words, folder: Path, name: str = "run.dat") -> Path:
    """Return a file of words."""
    path = folder / name
    path.write_bytes(words.tobytes())
    return path


@pytest.mark.parametrize("profile", sorted(PROFILES))
@pytest.mark.parametrize("seconds", [1, 40])
def test_simulations_without_faults_are_never_doubtful(
    tmp_path: Path, profile: str, seconds: int
) -> None:
    account = muonscope.process(f"sim:{profile}?seconds={seconds}", to=tmp_path / "w.jsonl")
    assert account.doubts == []


@pytest.mark.parametrize("name", setup_names())
def test_no_shipped_detector_doubts_its_own_simulation(tmp_path: Path, name: str) -> None:
    detector = shipped_detector(name)
    path = written(simulated_words(20_000, detector=detector), tmp_path)
    assert muonscope.process(path, detector=name, to=tmp_path / "w.jsonl").doubts == []


@pytest.mark.parametrize(
    ("name", "detector"),
    [
        ("run000591_data_000000.dat", "run000591"),
        ("run000591_data_000000.txt", "run000591"),
        ("minidt_data_000000_first999rows.csv", "legnaro"),
    ],
)
def test_recordings_are_not_doubtful_with_their_detector(
    realdata: Path, tmp_path: Path, name: str, detector: str
) -> None:
    account = muonscope.process(realdata / name, detector=detector, to=tmp_path / "w.jsonl")
    assert account.doubts == []
    assert account.total.total_hits > 0


@pytest.mark.parametrize("name", ["run000591_data_000000.dat"])
def test_a_recording_with_the_detector_of_another_site_names_one_that_fits(
    realdata: Path, tmp_path: Path, name: str
) -> None:
    account = muonscope.process(realdata / name, detector="bologna2", to=tmp_path / "w.jsonl")
    assert kinds(account) == [EventKind.MANY_UNMAPPED]
    assert account.doubts[0].numbers["found"] == 99_456
    assert account.doubts[0].detail == "legnaro"  # v1 and v2 hits of two FPGAs are alike


def test_text_of_v1_words_names_the_detector_that_reads_it(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="detector run000591 reads it: use --detector run000591"):
        muonscope.process(case("5-messages") / "v1_text.txt", to=tmp_path / "w.jsonl")


@pytest.mark.parametrize(("used", "right"), [("bologna2", "legnaro"), ("legnaro", "bologna2")])
def test_words_of_another_site_are_doubtful_and_not_with_what_is_advised(
    tmp_path: Path, used: str, right: str
) -> None:
    path = written(simulated_words(30_000, profile=PROFILES[right.removesuffix("2")]), tmp_path)
    first = muonscope.process(path, detector=used, to=tmp_path / "a.jsonl")
    (found,) = {doubt.detail for doubt in first.doubts}
    assert found == right
    assert muonscope.process(path, detector=found, to=tmp_path / "b.jsonl").doubts == []


def two_boards(folder: Path) -> Path:
    """Return a folder in which each board has a file of its own, 40 s long."""
    words = simulated_words(80_000, seed=3)
    boards = (words >> np.uint64(58)) & np.uint64(7)
    folder.mkdir()
    for board in (0, 1):
        written(words[boards == board], folder, f"board{board}.dat")
    return folder


def test_late_words_are_gone_with_the_option_that_is_advised(tmp_path: Path) -> None:
    run = two_boards(tmp_path / "run")
    first = muonscope.process(run, to=tmp_path / "a.jsonl")
    if not first.total.accounting.late:
        return  # files of boards are read side by side
    assert kinds(first) == [EventKind.MANY_LATE]
    advised = re.search(r"--idle-timeout (\S+) or more", describe(first.doubts[0]))
    assert advised
    again = muonscope.process(run, to=tmp_path / "b.jsonl", idle_timeout=advised[1])
    assert again.total.accounting.late == 0
    assert again.doubts == []


def test_files_in_the_wrong_order_are_doubtful_and_a_reset_is_not(tmp_path: Path) -> None:
    words = simulated_words(24_000)
    parts = np.array_split(words, 8)
    muddled = written(np.concatenate(parts[::-1]), tmp_path, "muddled.dat")
    account = muonscope.process(muddled, to=tmp_path / "a.jsonl")
    assert EventKind.MANY_EPOCHS in kinds(account)
    reset = written(np.concatenate([words, words]), tmp_path, "reset.dat")
    assert EventKind.MANY_EPOCHS not in kinds(muonscope.process(reset, to=tmp_path / "b.jsonl"))


def test_a_damaged_compressed_file_is_doubtful(tmp_path: Path) -> None:
    import gzip

    path = tmp_path / "run.dat.gz"
    packed = gzip.compress(simulated_words(9000).tobytes())
    path.write_bytes(packed)
    assert muonscope.process(path, to=tmp_path / "a.jsonl").doubts == []
    path.write_bytes(packed[: len(packed) * 3 // 4])
    account = muonscope.process(path, to=tmp_path / "b.jsonl")
    assert kinds(account) == [EventKind.DAMAGED_COMPRESSION]


class Noting:
    """A reporter that notes what it is told."""

    def __init__(self) -> None:
        self.events = list[Event]()

    def tell(self, event: Event) -> None:
        self.events.append(event)

    def progress(self, progress: object) -> None:
        pass

    def account(self, account: Account) -> None:
        self.events.append(Event(kind=EventKind.FEED_ENDED))


def test_a_doubt_is_told_while_a_run_goes_on_and_at_its_end(
    tmp_path: Path, legnaro: Detector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("muonscope.transports.files.CHUNK_BYTES", 1 << 15)
    path, noting = written(simulated_words(60_000, detector=legnaro), tmp_path), Noting()
    muonscope.process(path, detector="bologna2", to=tmp_path / "w.jsonl", reporter=noting)
    told = [e.kind for e in noting.events if e.doubtful or e.kind is EventKind.FEED_ENDED]
    assert told == [EventKind.MANY_UNMAPPED, EventKind.FEED_ENDED, EventKind.MANY_UNMAPPED]


def test_the_log_has_doubts_as_warnings(
    tmp_path: Path, legnaro: Detector, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "muonscope")
    path = written(simulated_words(3000, detector=legnaro), tmp_path)
    muonscope.process(path, detector="bologna2", to=tmp_path / "w.jsonl")
    (warning,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert "does not map: legnaro maps 100% of a sample" in warning.getMessage()


def test_a_strict_run_refuses_doubtful_results_once_they_are_written(
    tmp_path: Path, legnaro: Detector
) -> None:
    path, results = written(simulated_words(3000, detector=legnaro), tmp_path), tmp_path / "w.jsonl"
    with pytest.raises(FormatError, match=r"--strict: the results are doubtful: .* does not map"):
        muonscope.process(path, detector="bologna2", to=results, strict=True)
    strict = results.read_bytes()
    muonscope.process(path, detector="bologna2", to=results, force=True)
    assert results.read_bytes() == strict
    muonscope.process(path, to=results, force=True, strict=True)


def run_of_topic(values: Sequence[bytes], folder: Path, stop: Stop | None = None) -> Account:
    """Process what messages hold until nothing comes any more."""
    topic = Topic([[Message(value) for value in values], []])
    options = ProcessOptions(sources=("kafka://h:1/t",), to=str(folder / "t.jsonl"), force=True)
    stop = stop or Stop()
    plan = plan_of(options, stop, lambda _: None)
    with open_output(plan, ignore) as output:
        source, readout = TopicSource(topic), plan.detector.readout
        intake = TopicIntake(source, readout, book_of(source, readout), Ending())
        words = Input(words=intake, watch=FileWatch())
        with watched_run(plan, output, words, LogReporter()) as watched:
            watched.go_on()
            return watched.conclude(stop, paused=False)


def test_a_topic_of_which_nothing_can_be_decoded_is_refused_as_a_file_is(
    tmp_path: Path, legnaro: Detector
) -> None:
    with pytest.raises(FormatError, match="nothing could be decoded; first: partition 0 offset 0"):
        run_of_topic([b"<html>", b"nothing", b"\0"], tmp_path)
    good = BlockEncoder(legnaro.readout, "legnaro").encode(simulated_words(300))
    assert run_of_topic([b"<html>", good], tmp_path).total.accounting.words_in == 300


def test_an_empty_topic_and_a_stopped_run_are_no_errors(tmp_path: Path) -> None:
    assert run_of_topic([], tmp_path).windows == 0
    stop = Stop()
    stop.set()
    assert run_of_topic([b"<html>"], tmp_path, stop).rejects.total == 1


def test_messages_without_a_value_are_told_at_the_end() -> None:
    source = TopicSource(Topic([[]]))
    source_with_nulls: object = type("Reader", (), {"nulls": 3, "gaps": [], "trouble": ""})()
    watch = TopicWatch(book_of(source, READOUT), source_with_nulls)  # type: ignore[arg-type]
    (event,) = watch.events(last=True)
    assert describe(event).startswith("3 messages have no value (null")
