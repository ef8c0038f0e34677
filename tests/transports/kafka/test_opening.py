"""Opening topics: brokers that go away meanwhile are waited for, if that is wanted."""

import signal
from collections.abc import Callable
from typing import Any

import pytest

from muonscope.errors import SourceLostError, SourceNotFoundError
from muonscope.events import Event
from muonscope.stopping import Stop, Stopped
from muonscope.transports.kafka import opening
from muonscope.transports.kafka.clients import FoundTopic
from muonscope.transports.kafka.consumer import Begin
from muonscope.transports.kafka.opening import open_bounded
from muonscope.transports.kafka.options import KafkaOptions
from muonscope.transports.kafka.url import KafkaUrl
from muonscope.wording import describe

URL = KafkaUrl.parse("kafka://h:1/words")
BEGIN = Begin(group="g")


class Opened:
    """A reader that only knows how many partitions there are."""

    def __init__(self, *given: Any) -> None:
        self.partitions = given[3].partitions


class Brokers:
    """Brokers that are lost a number of times while a topic is opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, times: int) -> None:
        self.left, self.waited, self.told = times, 0, list[Event]()
        monkeypatch.setattr(opening, "topics_at", self._answering)
        monkeypatch.setattr(opening, "BoundedReader", Opened)

    def _answering(self, *_: object) -> "Brokers":
        self.waited += 1
        return self

    def found(self, topic: str) -> FoundTopic:
        self.left -= 1
        if self.left >= 0:
            raise SourceLostError(f"{topic}: timed out")
        return FoundTopic(partitions=7, led=True, mark=0)

    def options(self, wait: Callable[[float], None], **more: Any) -> KafkaOptions:
        return KafkaOptions(wait=wait, tell=self.told.append, **{"patient": True} | more)


def test_what_is_lost_while_it_is_opened_is_opened_again(monkeypatch: pytest.MonkeyPatch) -> None:
    brokers = Brokers(monkeypatch, 3)
    options = brokers.options(lambda _: None)
    assert open_bounded(URL, options, BEGIN).partitions == 7
    assert brokers.waited == 4
    assert [describe(event) for event in brokers.told] == ["words: timed out; trying again"] * 3


def test_it_is_told_to_who_will_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    brokers = Brokers(monkeypatch, 10**6)
    options = brokers.options(lambda _: None, patient=False)
    with pytest.raises(SourceLostError):
        open_bounded(URL, options, BEGIN)
    assert brokers.waited == 1


def test_a_signal_ends_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    brokers, stop = Brokers(monkeypatch, 10**6), Stop()
    stop.set(signal.SIGTERM)
    with pytest.raises(Stopped) as caught:
        open_bounded(URL, brokers.options(stop.wait), BEGIN)
    assert caught.value.exit_code == 143
    assert brokers.waited == 1


def test_a_topic_that_is_not_there_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    brokers = Brokers(monkeypatch, 0)
    monkeypatch.setattr(Brokers, "found", lambda *_: None)
    monkeypatch.setattr(Brokers, "names", lambda _: ["others"], raising=False)
    with pytest.raises(SourceNotFoundError, match="there are: others"):
        open_bounded(URL, brokers.options(lambda _: None), BEGIN)
    assert brokers.waited == 1
