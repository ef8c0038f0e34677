"""Opening topics: brokers that go away meanwhile are waited for, if that is wanted."""

import signal
from collections.abc import Callable
from typing import Any

import pytest

from muonscope.errors import SourceLostError, SourceNotFoundError
from muonscope.stopping import Stop, Stopped
from muonscope.transports.kafka import opening
from muonscope.transports.kafka.clients import FoundTopic
from muonscope.transports.kafka.opening import open_topic
from muonscope.transports.kafka.options import KafkaOptions
from muonscope.transports.kafka.url import KafkaUrl

URL = KafkaUrl.parse("kafka://h:1/words")


class Brokers:
    """Brokers that are lost a number of times while a topic is opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, times: int) -> None:
        self.left, self.waited, self.told = times, 0, list[str]()
        monkeypatch.setattr(opening, "topics_at", self._answering)
        monkeypatch.setattr(opening, "KafkaSource", lambda *_, found, **__: found.partitions)

    def _answering(self, *_: object) -> "Brokers":
        self.waited += 1
        return self

    def found(self, topic: str) -> FoundTopic:
        self.left -= 1
        if self.left >= 0:
            raise SourceLostError(f"{topic}: timed out")
        return FoundTopic(partitions=7, led=True, mark=0)

    def options(self, wait: Callable[[float], None], **more: Any) -> KafkaOptions:
        return KafkaOptions(wait=wait, say=self.told.append, **{"patient": True} | more)


def test_what_is_lost_while_it_is_opened_is_opened_again(monkeypatch: pytest.MonkeyPatch) -> None:
    brokers = Brokers(monkeypatch, 3)
    options = brokers.options(lambda _: None)
    opened: object = open_topic(URL, options, group="g", bounded=True)
    assert opened == 7
    assert brokers.waited == 4
    assert brokers.told == ["words: timed out; trying again"] * 3


def test_it_is_told_to_who_will_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    brokers = Brokers(monkeypatch, 10**6)
    options = brokers.options(lambda _: None, patient=False)
    with pytest.raises(SourceLostError):
        open_topic(URL, options, group="g", bounded=True)
    assert brokers.waited == 1


def test_a_signal_ends_the_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    brokers, stop = Brokers(monkeypatch, 10**6), Stop()
    stop.signal = signal.SIGTERM
    with pytest.raises(Stopped) as caught:
        open_topic(URL, brokers.options(stop.wait), group="g", bounded=True)
    assert caught.value.exit_code == 143
    assert brokers.waited == 1


def test_a_topic_that_is_not_there_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    brokers = Brokers(monkeypatch, 0)
    monkeypatch.setattr(Brokers, "found", lambda *_: None)
    monkeypatch.setattr(Brokers, "names", lambda _: ["others"], raising=False)
    with pytest.raises(SourceNotFoundError, match="there are: others"):
        open_topic(URL, brokers.options(lambda _: None), group="g", bounded=True)
    assert brokers.waited == 1
