"""Replaying: words of a recording to a topic, as a DAQ would send them."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, Protocol

from muonscope import kernels
from muonscope.detector import Detector
from muonscope.errors import OptionError, SourceError
from muonscope.events import Event, EventKind, Tell, ignore
from muonscope.intake.opening import STDIN, check_sources, detector_for, open_words
from muonscope.intake.pace import Pace, check_speed
from muonscope.options import made, sources_of
from muonscope.replaying.options import ReplayOptions
from muonscope.replaying.passing import Passing
from muonscope.replaying.position import PositionKeeper, ReplayPosition
from muonscope.replaying.sending import deliver, open_sender
from muonscope.replaying.word_files import TOPIC_FORMATS
from muonscope.stopping import Stop
from muonscope.transports.kafka.options import KafkaOptions, kafka_options
from muonscope.transports.kafka.producer import WordSender
from muonscope.transports.kafka.url import KafkaUrl
from muonscope.words.clock import StreamClock
from muonscope.words.layout import Words, shift_orbits

__all__ = ["ReplayReporter", "Sent", "replay", "replay_with"]

_SLOW = 0.95
_SLOW_AFTER_S = 5.0
_SLICE_WORDS = 1 << 17


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """How much of a recording has been sent."""

    words: int
    seconds: float
    """Since the first of them."""
    bytes: int
    to: str
    """URL of the topic."""
    trouble: str = ""
    """What hinders the brokers at present."""


class ReplayReporter(Protocol):
    """Something that shows people how a replay goes."""

    def tell(self, event: Event) -> None:
        """Show an event."""

    def progress(self, sent: Sent) -> None:
        """Show how much was sent, if it is time to; called many times a second."""


class _Quiet:
    """Shows nothing."""

    def tell(self, event: Event) -> None:
        ignore(event)

    def progress(self, sent: Sent) -> None:
        pass


def replay(
    source: Any,
    to: str,
    *,
    reporter: ReplayReporter | None = None,
    stop: Stop | None = None,
    **options: Any,
) -> Sent:
    """Send words of a recording to a topic, as a DAQ would; return how much was sent.

    Parameters
    ----------
    source
        A file, folder, glob or URL, or several files or folders.
    to
        ``kafka://host:port/topic``.
    reporter
        Shows how it goes; by default nothing does.
    stop
        Ends the replay in order when it is set, from another thread; so does Ctrl-C.
    options
        As those of the command ``muonscope replay``, with ``_`` for ``-``: see
        :class:`~muonscope.replaying.options.ReplayOptions`.

    Raises
    ------
    OptionError
        If options contradict one another.
    FormatError
        If nothing could be decoded.
    SourceError, SinkError
        If the source cannot be read, or the brokers refuse.
    """
    wanted = made(ReplayOptions, {"sources": sources_of(source), "to": to, **options})
    return replay_with(wanted, reporter or _Quiet(), Stop() if stop is None else stop)


def replay_with(options: ReplayOptions, reporter: ReplayReporter, stop: Stop) -> Sent:
    """Send words until the source ends, or until stopped; return how much was sent.

    Raises
    ------
    OptionError
        If options contradict one another.
    SourceError, SinkError
        If the source cannot be read, or the brokers refuse.
    """
    with stop.listening():
        _check(options)
        url = KafkaUrl.parse(options.to)
        detector = detector_for(options.sources, options.detector)
        kafka = kafka_options(
            options.kafka_config, stop=stop, tell=reporter.tell, partitions=options.partitions,
            replication=options.replication, no_wait=options.no_wait,
        )  # fmt: skip
        needed = kernels.needed_to_read(options.sources)
        if options.encoding == "json":
            needed |= kernels.needed_to_write("json")
        kernels.load(needed, tell=reporter.tell)
        with ExitStack() as stack:
            keeper = PositionKeeper(options)
            stack.callback(keeper.close)
            position = keeper.position
            sender = stack.enter_context(
                open_sender(
                    url, detector, kafka, json=options.encoding == "json",
                    stream=position.stream, first=position.acknowledged,
                )
            )  # fmt: skip
            keeper.save(sender.acknowledged)
            words = _words(options, detector, kafka, position, reporter.tell, stop)
            return _Replay(options, sender, keeper, reporter, stop).send(words)


def _check(options: ReplayOptions) -> None:
    asked = [options.rate is not None, options.speed is not None, options.max]
    if sum(asked) > 1:
        raise OptionError("--rate, --speed and --max: found more than one, expected at most one")
    if options.rate is not None and not 0 < options.rate <= 1e9:
        raise OptionError(f"--rate: found {options.rate:g}, expected more than 0 words/s")
    check_speed(options.speed)
    if options.encoding not in TOPIC_FORMATS:
        raise OptionError(f"--encoding: found {options.encoding!r}, expected block or json")
    if options.keep_orbits and not options.loop:
        raise OptionError("--keep-orbits only makes sense with --loop")
    if STDIN in options.sources and (options.loop or options.state):
        raise OptionError("standard input cannot be read again: leave out --loop and --state")
    check_sources(options.sources)


class _Replay:
    """A replay on its way: sends at a pace, keeps its position, and tells of both."""

    def __init__(
        self, options: ReplayOptions, sender: WordSender, keeper: PositionKeeper,
        reporter: ReplayReporter, stop: Stop,
    ) -> None:  # fmt: skip
        self._sender, self._keeper, self._reporter, self._stop = sender, keeper, reporter, stop
        self._asked = options.words_a_second
        self._pace = Pace(stop, speed=options.speed, words_a_second=self._asked)
        self._first, self._start = sender.next, time.monotonic()
        self._told_slow = False

    def send(self, words: Iterator[tuple[Words, Any]]) -> Sent:
        """Send ``words`` as they are due, until all are with the brokers or it is to stop."""
        for some, passed in words:
            for part in self._pace.parts(some, passed, self._meanwhile):
                self._sender.send(part)
                self._keeper.save_if_due(self._sender.acknowledged)
                self._tell()
            if self._stop:
                break
        try:
            deliver(self._sender, self._stop)
        finally:
            self._keeper.save(self._sender.acknowledged)
        return self._sent()

    def _meanwhile(self) -> None:
        self._sender.check()
        self._tell()

    def _tell(self) -> None:
        sent = self._sent()
        self._reporter.progress(sent)
        if self._asked and sent.seconds > _SLOW_AFTER_S and not self._told_slow:
            reached = sent.words / sent.seconds
            if reached < _SLOW * self._asked:
                self._told_slow = True
                numbers = {"asked": self._asked, "reached": reached}
                self._reporter.tell(Event(kind=EventKind.RATE_MISSED, numbers=numbers))

    def _sent(self) -> Sent:
        sender = self._sender
        return Sent(
            words=sender.next - self._first, seconds=time.monotonic() - self._start,
            bytes=sender.bytes, to=str(sender.url), trouble=sender.trouble,
        )  # fmt: skip


def _words(
    options: ReplayOptions, detector: Detector, kafka: KafkaOptions, position: ReplayPosition,
    tell: Tell, stop: Stop,
) -> Iterator[tuple[Words, Any]]:  # fmt: skip
    """Give words that were not sent yet, with the orbits that have passed at each."""
    readout = detector.readout
    first, shift = position.current
    skip, spent = position.acknowledged - first, 0
    while True:
        clock = StreamClock(readout.version, readout.hit_head)
        number = first
        for words in _decoded(options, detector, kafka, tell):
            passed = clock.take(words) + spent
            begin = min(skip, len(words))
            skip -= begin
            number += len(words)
            if begin < len(words):
                yield (
                    shift_orbits(words[begin:], shift, readout.version, readout.hit_head)
                    if shift
                    else words[begin:],
                    passed[begin:],
                )
            if stop:
                return
        if not options.loop:
            return
        if number == first:
            raise SourceError(f"{' '.join(options.sources)}: holds no words to send again")
        spent += clock.length
        first, shift = number, shift + (0 if options.keep_orbits else clock.length)
        position.passes.append((first, shift))


def _decoded(
    options: ReplayOptions, detector: Detector, kafka: KafkaOptions, tell: Callable[[Event], None]
) -> Iterator[Words]:
    """Give the words of the source; what cannot be decoded, or is doubtful, is told.

    Raises
    ------
    FormatError
        If nothing could be decoded.
    """
    passing = Passing(detector, tell)
    words = open_words(
        options.sources, detector, kafka, tell=tell, allow_duplicates=options.allow_duplicates
    )
    for batch in words.batches():
        if batch.error:
            raise batch.error
        if batch.rejects and not passing.rejects.total:
            tell(Event(kind=EventKind.LEFT_OUT, detail=str(batch.rejects[0])))
        passing.take(batch)
        for at in range(0, len(batch.words), _SLICE_WORDS):
            yield batch.words[at : at + _SLICE_WORDS]
    bad = passing.rejects.total
    if bad > 1:
        tell(Event(kind=EventKind.LEFT_OUT_IN_ALL, numbers={"pieces": bad}))
    passing.end()
