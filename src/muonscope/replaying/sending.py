"""Words to a topic, as every command sends them: numbered, packed or JSON, and waited for."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from muonscope.detector import Detector
from muonscope.errors import MuonscopeError, OptionError, SinkError
from muonscope.events import Event, EventKind
from muonscope.replaying.position import new_stream
from muonscope.stopping import Stop
from muonscope.transports.kafka.opening import make_stream_topic
from muonscope.transports.kafka.options import KafkaOptions
from muonscope.transports.kafka.producer import WordSender, WordStream
from muonscope.transports.kafka.url import KafkaUrl
from muonscope.words.layout import Words

__all__ = ["deliver", "open_sender", "sending"]

_FLUSH_S, _FLUSH_STOPPED_S = 30.0, 5.0
"""Brokers that take nothing for so long are not waited for."""


@contextmanager
def open_sender(
    url: KafkaUrl,
    detector: Detector,
    kafka: KafkaOptions,
    *,
    json: bool,
    stream: int,
    first: int = 0,
) -> Iterator[WordSender]:
    """Give what sends words to a topic, which is made if it is missing.

    ``first`` is the number in ``stream`` of the word that is sent first. What :func:`deliver`
    has not waited for may be lost at the end.

    Raises
    ------
    SourceError, SinkError
        If no broker answers, or the topic cannot be made.
    """
    partitions, lasting = make_stream_topic(url, kafka)
    if not lasting and not json:
        kafka.tell(Event(kind=EventKind.DELETES_BY_TIME, where=url.topic))
    sent_as = WordStream(
        number=stream, partitions=partitions, first=first, json=json, detector_time=lasting
    )
    sender = WordSender(url, kafka.settings, detector, sent_as)
    try:
        yield sender
    finally:
        sender.close()


def deliver(sender: WordSender, stop: Stop) -> None:
    """Wait until the brokers have all that was sent, for as long as they take some of it.

    Raises
    ------
    SinkError
        If they have taken nothing for a while; for a short while once it is to stop.
    """
    taken = sender.acknowledged
    while not sender.flush(_FLUSH_STOPPED_S if stop else _FLUSH_S):
        before, taken = taken, sender.acknowledged
        if taken > before and not stop:
            continue
        why = sender.trouble or "no answer"
        raise SinkError(f"{sender.url}: the brokers have not taken all: {why}")


@contextmanager
def sending(
    dest: str,
    detector: Detector,
    kafka: KafkaOptions,
    stop: Stop,
    *,
    json: bool,
    force: bool,
) -> Iterator[Callable[[Words], None]]:
    """Give what sends words to the topic ``dest`` as a new stream; in the end all are there.

    What was sent before an error stays there, and that is said.

    Raises
    ------
    OptionError
        If ``force`` asks to overwrite it: a topic is only added to.
    SourceError, SinkError
        If no broker answers, or one refuses or does not take all.
    """
    if force:
        raise OptionError("--force: a topic is added to, never overwritten; leave it out")
    url = KafkaUrl.parse(dest)
    with open_sender(url, detector, kafka, json=json, stream=new_stream()) as sender:
        try:
            yield sender.send
            deliver(sender, stop)
        except MuonscopeError:
            if sender.next:
                numbers = {"words": sender.next}
                kafka.tell(Event(kind=EventKind.ALREADY_SENT, where=str(url), numbers=numbers))
            raise
