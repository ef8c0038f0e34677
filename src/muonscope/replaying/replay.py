"""The ``replay`` command: words of a recording to a topic, as a DAQ would send them."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from muonscope.cli.report import LiveLine
from muonscope.detector import Detector
from muonscope.errors import OptionError, SourceError, StateError
from muonscope.intake.pace import Pace, check_speed
from muonscope.intake.streams import Intake
from muonscope.kernels import kernels_for, load_kernels, set_pace
from muonscope.opening import detector_for, open_source
from muonscope.replaying.sending import deliver, new_stream, open_sender
from muonscope.replaying.word_files import TOPIC_FORMATS
from muonscope.say import say
from muonscope.stopping import Stop
from muonscope.transports.kafka.options import KafkaOptions, kafka_options
from muonscope.transports.kafka.producer import WordSender
from muonscope.transports.kafka.url import KafkaUrl
from muonscope.transports.state import StateStore
from muonscope.words.clock import StreamClock
from muonscope.words.layout import Words, shift_orbits

__all__ = ["Options", "replay_to"]

_DEFAULT_HZ = 1000.0
_SAVE_S = 0.5
_SLOW = 0.95
_SLICE_WORDS = 1 << 17


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of the command, as they were written."""

    sources: list[str]
    to: str
    detector: str
    rate: float | None
    speed: float | None
    as_fast_as_possible: bool
    encoding: str
    loop: bool
    keep_orbits: bool
    state: str
    kafka_config: str = ""
    partitions: int | None = None
    replication: int = 1
    no_wait: bool = False

    @property
    def words_a_second(self) -> float | None:
        """The rate to send at; None where the detector's time, or nothing, says."""
        if self.as_fast_as_possible or self.speed is not None:
            return None
        return self.rate or _DEFAULT_HZ


@dataclass(slots=True)
class Position:
    """Where a replay stands: saved, so that the same command goes on."""

    stream: int = field(default_factory=new_stream)
    """Number of the stream: what is sent again after a crash has the same."""
    acknowledged: int = 0
    """The brokers have all words below this number."""
    passes: list[tuple[int, int]] = field(default_factory=lambda: [(0, 0)])
    """First word, and orbits to add, of each time that the source was read."""

    @property
    def current(self) -> tuple[int, int]:
        """The pass that holds the first word that is not acknowledged."""
        return next(p for p in reversed(self.passes) if p[0] <= self.acknowledged)


def replay_to(options: Options) -> int:
    """Send words until the source ends, or until stopped; return the exit code.

    Raises
    ------
    OptionError
        If options contradict one another.
    SourceError, SinkError
        If the source cannot be read, or the brokers refuse.
    """
    stop = Stop()
    with stop.listening():
        return _replay(options, stop)


def _replay(options: Options, stop: Stop) -> int:
    _check(options)
    url = KafkaUrl.parse(options.to)
    detector = detector_for(options.sources, options.detector)
    kafka = kafka_options(
        options.kafka_config, stop, partitions=options.partitions,
        replication=options.replication, no_wait=options.no_wait,
    )  # fmt: skip
    load_kernels(kernels_for(options.sources))
    set_pace()
    store = StateStore(Path(options.state)) if options.state else None
    position = _load(store, options)
    with ExitStack() as stack:
        if store:
            stack.callback(store.close)
        sender = stack.enter_context(
            open_sender(
                url, detector, kafka, json=options.encoding == "json", stream=position.stream,
                first=position.acknowledged,
            )
        )  # fmt: skip
        saver = _Saver(store, options, position, sender)
        saver.save()
        report = _Report(options, sender)
        with report:
            words = _words(options, detector, kafka, position, stop)
            _send(
                words,
                Pace(stop, speed=options.speed, words_a_second=options.words_a_second),
                sender,
                saver,
                report,
                stop,
            )
        report.tell(stopped=bool(stop))
    return stop.exit_code


def _check(options: Options) -> None:
    asked = [options.rate is not None, options.speed is not None, options.as_fast_as_possible]
    if sum(asked) > 1:
        raise OptionError("--rate, --speed and --max: found more than one, expected at most one")
    if options.rate is not None and not 0 < options.rate <= 1e9:
        raise OptionError(f"--rate: found {options.rate:g}, expected more than 0 words/s")
    check_speed(options.speed)
    if options.encoding not in TOPIC_FORMATS:
        raise OptionError(f"--encoding: found {options.encoding!r}, expected block or json")
    if options.keep_orbits and not options.loop:
        raise OptionError("--keep-orbits only makes sense with --loop")
    if "-" in options.sources and (options.loop or options.state):
        raise OptionError("standard input cannot be read again: leave out --loop and --state")


def _send(
    words: Iterator[tuple[Words, Any]],
    pace: Pace,
    sender: WordSender,
    saver: "_Saver",
    report: "_Report",
    stop: Stop,
) -> None:
    """Send ``words`` as they are due, until all are with the brokers or it is to stop."""

    def meanwhile() -> None:
        sender.check()
        report.update()

    for some, passed in words:
        for part in pace.parts(some, passed, meanwhile):
            sender.send(part)
            saver.save_if_due()
            report.update()
        if stop:
            break
    try:
        deliver(sender, stop)
    finally:
        saver.save()


def _load(store: StateStore | None, options: Options) -> Position:
    saved = store.load() if store else None
    if saved is None:
        return Position()
    meta = saved[0]
    try:
        if meta["sources"] != options.sources or meta["to"] != KafkaUrl.parse(options.to).topic:
            raise StateError(
                f"--state {options.state}: is of a replay of {' '.join(meta['sources'])} to"
                f" {meta['to']}; use another folder"
            )
        passes = [(int(first), int(shift)) for first, shift in meta["passes"]]
        return Position(int(meta["stream"]), int(meta["acknowledged"]), passes)
    except (KeyError, TypeError, ValueError) as exc:
        raise StateError(f"--state {options.state}: is no state of a replay") from exc


class _Saver:
    """Keeps on disk what the brokers have acknowledged."""

    def __init__(
        self, store: StateStore | None, options: Options, position: Position, sender: WordSender
    ) -> None:
        self._store, self._position, self._sender = store, position, sender
        self._same = {"sources": options.sources, "to": KafkaUrl.parse(options.to).topic}
        self._next = time.monotonic() + _SAVE_S

    def save_if_due(self) -> None:
        if self._store and time.monotonic() > self._next:
            self.save()

    def save(self) -> None:
        if self._store is None:
            return
        position = self._position
        position.acknowledged = self._sender.acknowledged
        position.passes = [p for p in position.passes if p[0] >= position.current[0]]
        meta: dict[str, Any] = {
            "stream": str(position.stream), "acknowledged": position.acknowledged,
            "passes": position.passes, **self._same,
        }  # fmt: skip
        self._store.save(meta, {})
        self._next = time.monotonic() + _SAVE_S


def _words(
    options: Options, detector: Detector, kafka: KafkaOptions, position: Position, stop: Stop
) -> Iterator[tuple[Words, Any]]:
    """Give words that were not sent yet, with the orbits that have passed at each."""
    readout = detector.readout
    first, shift = position.current
    skip, spent = position.acknowledged - first, 0
    while True:
        clock = StreamClock(readout.version, readout.hit_head)
        number = first
        for words in _decoded(options, detector, kafka):
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


def _decoded(options: Options, detector: Detector, kafka: KafkaOptions) -> Iterator[Words]:
    """Give the words of the source; what cannot be decoded is told."""
    source = open_source(options.sources, detector=detector, kafka=kafka)
    intake = Intake(source, detector.readout)
    bad = 0
    for batch in intake.batches():
        if batch.token.error:
            raise batch.token.error
        if batch.decoded.rejects and not bad:
            say(f"{batch.decoded.rejects[0]}; left out")
        bad += len(batch.decoded.rejects)
        for at in range(0, len(batch.decoded.words), _SLICE_WORDS):
            yield batch.decoded.words[at : at + _SLICE_WORDS]
    if bad > 1:
        say(f"{bad:,} pieces in all could not be decoded and were left out")


class _Report(LiveLine):
    """What people see: rate asked, rate reached, and bytes."""

    def __init__(self, options: Options, sender: WordSender) -> None:
        super().__init__()
        self._sender, self._rate = sender, options.words_a_second
        self._asked = (
            "as fast as it goes" if options.as_fast_as_possible
            else f"{options.speed:g} x real time" if options.speed is not None
            else f"{self._rate:,.0f} words/s asked"
        )  # fmt: skip
        self._first = self._before = sender.next
        self._start = self._shown = time.monotonic()
        self._told_slow = False

    def update(self) -> None:
        """Show how it goes, if it is time to."""
        now = time.monotonic()
        if not self.due(now):
            return
        reached = (self._sender.next - self._before) / (now - self._shown)
        line = (
            f"{self._sender.next - self._first:,} words sent, {self._asked},"
            f" {reached:,.0f} reached, {self._sender.bytes / 1e6:,.1f} MB"
        )
        if self._sender.trouble:
            line += f" ({self._sender.trouble})"
        self.show(line)
        whole = (self._sender.next - self._first) / (now - self._start)
        if self._rate and now - self._start > 5 and whole < _SLOW * self._rate:
            self._tell_slow(whole)
        self._shown, self._before = now, self._sender.next

    def _tell_slow(self, reached: float) -> None:
        if not self._told_slow:
            self._told_slow = True
            say(f"the rate cannot be held: {self._rate:,.0f} words/s asked, {reached:,.0f} reached")

    def tell(self, *, stopped: bool) -> None:
        """Print what was sent, now that it is over."""
        words, took = self._sender.next - self._first, time.monotonic() - self._start
        rate = words / max(took, 1e-9)
        text = "stopped after " if stopped else ""
        text += f"{words:,} words sent to {self._sender.url} in {took:,.1f} s:"
        text += f" {self._asked}, {rate:,.0f} reached, {self._sender.bytes / 1e6:,.1f} MB"
        with suppress(OSError):
            self.console.print(text, soft_wrap=True, markup=False, highlight=False)
