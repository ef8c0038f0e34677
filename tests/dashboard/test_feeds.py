"""What feeds a dashboard from a topic, without the command and the brokers around it."""

import os
import time
from collections import Counter
from pathlib import Path
from threading import Thread

import pytest

from dashboard.lives import LEGNARO, window
from helpers.cases import case
from helpers.command import until
from helpers.hostile import PARQUET, STREAMS
from helpers.simulated import simulated_words
from helpers.window_messages import ends_of
from muonscope.counting.blocks import WITH_TRACKS
from muonscope.dashboard import result_feeds
from muonscope.dashboard.live import Live, LiveOptions
from muonscope.dashboard.options import DashboardOptions
from muonscope.dashboard.result_feeds import TopicResults, result_feed
from muonscope.dashboard.word_feed import WordFeed, word_plan
from muonscope.errors import FormatError, MuonscopeError, SourceLostError
from muonscope.events import ignore
from muonscope.intake.find_results import find_results
from muonscope.results.store import ResultStore
from muonscope.stopping import Stop
from muonscope.stream.messages import Messages
from muonscope.stream.ordering import Front
from muonscope.transports.kafka.options import KafkaOptions
from muonscope.transports.kafka.url import KafkaUrl


class Topic:
    """A topic that gives prepared messages, then tells to stop."""

    name, trouble = "kafka://h:1/t", ""

    def __init__(self, fetches: list[list[Messages]], stop: Stop) -> None:
        self._fetches, self._stop = fetches, stop

    def fetch(self) -> list[Messages]:
        if len(self._fetches) == 1:
            self._stop.set(15)
        return self._fetches.pop(0)

    def front(self) -> Front:
        return Front({0: 1, 1: 1}, {0: 1, 1: 2 if self._fetches else 1}, cut=False)

    def close(self) -> None:
        pass


def messages(partition: int, values: list[bytes], at_s: list[float]) -> Messages:
    return Messages(
        partition=partition, offsets=range(len(values)), values=values,
        headers=[None] * len(values), times_ms=[round(s * 1e3) for s in at_s],
    )  # fmt: skip


def shown(monkeypatch: pytest.MonkeyPatch, fetches: list[list[Messages]]) -> Live:
    """Return the state after all of a topic was taken, and sent out once."""
    stop = Stop()
    monkeypatch.setattr(result_feeds, "open_bounded", lambda *_, **__: Topic(fetches, stop))
    live = Live(ResultStore(LEGNARO), LiveOptions(source="t"), clock=time.time)
    TopicResults(KafkaUrl.parse("kafka://h:1/t"), KafkaOptions(), ignore).run(live, stop)
    live.renew_rows()
    return live


def test_words_of_a_topic_are_read_under_a_group_that_is_no_processors() -> None:
    for source, group in (
        ("kafka://h:1/topic_stream", "muonscope-dashboard"),
        ("kafka://h:1/topic_stream?group=mine", "mine"),
    ):
        asked = DashboardOptions(sources=(source,), run="r")
        assert word_plan(asked, Stop(), ignore).group == group


def test_the_run_published_last_is_shown_in_whatever_order_partitions_come(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = time.time()
    new = [window(0, run="new"), window(1, run="new")]
    old = [window(0, run="old")]
    later = [[messages(0, new, [now - 20, now - 19])], [messages(1, old, [now - 90])]]
    status = shown(monkeypatch, later).status(0)
    assert (status.run, status.windows, status.other_runs) == ("new", 2, 0)


def test_what_was_in_the_topic_before_is_shown_in_the_order_of_publication(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = time.time()
    fetches = [
        [messages(0, [window(n) for n in (0, 2, 4)], [now - 90, now - 88, now - 86])],
        [messages(1, [window(n) for n in (1, 3)], [now - 89, now - 87])],
        [messages(1, [ends_of()], [now - 85])],
    ]
    live = shown(monkeypatch, fetches)
    columns = live.windows(1e6).columns
    assert columns["window"].tolist() == [0, 1, 2, 3, 4]
    assert columns["run_s"].tolist() == pytest.approx([0, 1, 2, 3, 4], abs=1e-3)
    status = live.status(0)
    assert (status.state, status.reason) == ("finished", "run r has ended")
    assert status.age_s == pytest.approx(86, abs=1)


def test_a_partition_that_is_far_behind_holds_nothing_back_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(result_feeds, "_BACKLOG_BYTES", 1000)
    backlog, front = result_feeds._Backlog(), Front({0: 2, 1: 0}, {0: 2, 1: 2})
    two = [messages(0, [b"x" * 500, b"y" * 500], [1, 2])]
    assert backlog.sorted(two, front) == []
    more = [messages(0, [b"z"], [3])]
    assert [value[:1] for _, value in backlog.sorted(more, front)] == [b"x", b"y", b"z"]


def test_each_run_of_a_file_has_its_own_pace(tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"
    runs = [window(n, run=run) for run in "ab" for n in range(20)]
    file.write_bytes(b"".join(line.rstrip() + b"\n" for line in runs))
    live, stop = Live(ResultStore(LEGNARO), LiveOptions(source="f"), clock=time.time), Stop()
    found = find_results([str(file)], KafkaOptions(), stop)
    assert found
    feed = Thread(target=lambda: result_feed(found, 20.0, ignore).run(live, stop))
    began = time.monotonic()
    feed.start()
    until(lambda: live.status(0).run == "b" and live.status(0).windows == 20, "both runs")
    took = time.monotonic() - began
    stop.set(15)
    feed.join()
    assert took > 2 * 19 / 20 - 0.1


def test_a_file_of_a_newer_version_is_refused_as_such(tmp_path: Path) -> None:
    made_up = case("5-messages/results_of_a_newer_version.jsonl").read_bytes()
    file = tmp_path / "results.jsonl"
    file.write_bytes(made_up.replace(b"muonscope.window/2", b"muonscope.window/3"))
    with pytest.raises(FormatError, match="results of version 3, this muonscope reads 1 and 2"):
        find_results([str(file)], KafkaOptions(), Stop())


def test_a_result_of_a_newer_version_among_others_is_dropped_as_such(tmp_path: Path) -> None:
    file, newer = tmp_path / "results.jsonl", window(1).replace(b"window/2", b"window/23")
    file.write_bytes(b"".join(line.rstrip() + b"\n" for line in (window(0), newer, window(2))))
    live, stop = Live(ResultStore(LEGNARO), LiveOptions(source="f"), clock=time.time), Stop()
    found = find_results([str(file)], KafkaOptions(), stop)
    assert found
    for data, _ in found.messages():
        live.take(data)
    assert live.status(0).examples == [
        "malformed result: results of version 23, this muonscope reads 1 and 2"
    ]


def test_results_that_were_written_long_ago_are_finished_until_more_comes(tmp_path: Path) -> None:
    file = tmp_path / "results.jsonl"
    file.write_bytes(b"".join(window(n).rstrip() + b"\n" for n in range(3)))
    os.utime(file, (time.time() - 5000,) * 2)
    live, stop = Live(ResultStore(LEGNARO), LiveOptions(source="f"), clock=time.time), Stop()
    found = find_results([str(file)], KafkaOptions(), stop)
    assert found
    feed = Thread(target=lambda: result_feed(found, None, ignore).run(live, stop))
    feed.start()
    until(lambda: live.status(0).windows == 3, "all windows")
    until(lambda: live.status(0).state == "finished", "the rest of the file")
    with file.open("ab") as more:
        more.write(window(3).rstrip() + b"\n")
    until(lambda: live.status(0).windows == 4, "the new one")
    state = live.status(0).state
    stop.set(15)
    feed.join()
    assert state == "receiving"


def test_what_was_in_the_topic_before_counts_as_come_when_it_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fetches = [[messages(0, [window(0)], [time.time() - 7200])]]
    latency = shown(monkeypatch, fetches).status(0).latency_ms
    assert latency
    assert latency.p50 < 5e3


def test_a_trouble_that_lasts_is_noted_once_whatever_its_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    troubles = iter(["refused (after 0ms)", "refused (after 1ms)", "", "refused (after 0ms)", ""])
    monkeypatch.setattr(Topic, "trouble", property(lambda topic: topic.told), raising=False)
    fetch = Topic.fetch

    def told(topic: Topic) -> list[Messages]:
        monkeypatch.setattr(Topic, "told", next(troubles), raising=False)
        return fetch(topic)

    monkeypatch.setattr(Topic, "fetch", told)
    status = shown(monkeypatch, [[], [], [], [], []]).status(0)
    assert status.notes == ["refused (after 0ms)"] * 2


def test_a_topic_that_changed_is_opened_again_and_each_of_its_windows_counts_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stop, closed = Stop(), []

    class Changed(Topic):
        def fetch(self) -> list[Messages]:
            if not self._fetches:
                raise SourceLostError("t: was made anew")
            return self._fetches.pop(0)

        def close(self) -> None:
            closed.append(self)

    first = Changed([[messages(0, [window(0), window(1)], [1, 2])]], stop)
    then = Topic([[messages(0, [window(1), window(2)], [2, 3])]], stop)
    opened = iter([first, then])
    monkeypatch.setattr(result_feeds, "open_bounded", lambda *_, **__: next(opened))
    live = Live(ResultStore(LEGNARO, blocks=WITH_TRACKS), LiveOptions(source="t"), clock=time.time)
    TopicResults(KafkaUrl.parse("kafka://h:1/t"), KafkaOptions(), ignore).run(live, stop)
    status = live.status(0)
    assert (status.windows, status.duplicates, status.malformed) == (3, 1, 0)
    assert status.notes == ["opened again: t: was made anew"]
    assert closed == [first]


def fed_with(path: Path, detector: str) -> tuple[Live, str]:
    """Return the state of a dashboard after the words of a file, and why its feed ended."""
    asked = DashboardOptions(sources=(str(path),), detector=detector)
    plan, stop = word_plan(asked, Stop(), ignore), Stop()
    live = Live(
        ResultStore(plan.detector, blocks=plan.blocks), LiveOptions(source="t"), clock=time.time
    )
    try:
        return live, WordFeed(plan, None, ignore).run(live, stop)
    except MuonscopeError as exc:
        return live, str(exc)


def test_words_of_another_detector_make_the_page_doubtful(tmp_path: Path) -> None:
    path = tmp_path / "run.dat"
    path.write_bytes(simulated_words(5000, detector=LEGNARO).tobytes())
    live, _ = fed_with(path, "bologna2")
    (doubt,) = live.status(0).doubts
    assert "does not map: legnaro maps 100% of a sample: use --detector legnaro" in doubt
    live, _ = fed_with(path, "legnaro")
    assert live.status(0).doubts == []


def test_a_page_of_nothing_that_can_be_decoded_names_the_detector_that_reads_it(
    tmp_path: Path,
) -> None:
    path = tmp_path / "run.txt"
    path.write_bytes(b"".join(b"1,0,%d,617000,12,0\n" % (n + 1) for n in range(128)))
    _, reason = fed_with(path, "legnaro")
    assert reason.startswith("nothing could be decoded; detector run000591 reads it")


def test_the_hostile_corpus_gives_a_dashboard_the_words_that_it_must(tmp_path: Path) -> None:
    for i, hostile in enumerate([*STREAMS, *PARQUET]):
        path = tmp_path / f"case_{i}.bin"
        path.write_bytes(hostile.data)
        live, reason = fed_with(path, "legnaro")
        status = live.status(0)
        counts = Counter(code.name for code, _ in hostile.rejects)
        assert status.words == hostile.words, hostile.name
        if hostile.error:
            assert hostile.error.split(".*")[0] in reason, hostile.name
        else:
            assert status.rejects == counts, hostile.name
