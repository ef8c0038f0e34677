"""What the options of ``process`` mean: detector, windows, names, and where results go.

A :class:`Plan` is made of them once. It opens the outlet (sink, state, and how rejects
leave) and the supply (where words come from, and what there is to tell of it); the native
engine and Spark share both, and a dashboard that counts words itself uses the supply alone.
"""

import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from muonscope.counting.window_spec import WindowSpec
from muonscope.detector import Detector
from muonscope.errors import OptionError
from muonscope.intake.streams import Intake
from muonscope.opening import detector_for, open_sink, open_source, results_path
from muonscope.processing.inputs import FileSupply, Supply, TopicSupply
from muonscope.processing.run import Restored, restore
from muonscope.simulation.options import SCHEME
from muonscope.stopping import Stop
from muonscope.transports.base import Sink, Store
from muonscope.transports.files import shown
from muonscope.transports.kafka.options import KafkaOptions, kafka_options
from muonscope.transports.kafka.url import KafkaUrl, is_kafka_url
from muonscope.transports.state import StateStore
from muonscope.units import seconds
from muonscope.words.rejects import Reject

if TYPE_CHECKING:
    from muonscope.transports.kafka.ledger import KafkaLedger

__all__ = ["Options", "Outlet", "Plan", "plan_of"]

_DEFAULT_TRIGGER = "1s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of the command, as they were written."""

    sources: list[str]
    detector: str = ""
    to: str = "-"
    run: str = ""
    window: str = "1s"
    lateness: str = "100ms"
    idle_timeout: str = "5s"
    follow: bool = False
    idle_exit: str = ""
    state: str = ""
    force: bool = False
    engine: str = "native"
    master: str = ""
    checkpoint: str = ""
    trigger: str = ""
    kafka_config: str = ""
    partitions: int | None = None
    replication: int = 1
    no_wait: bool = False
    metrics_port: int | None = None
    group: str = ""
    """Consumer group where no URL names one; default: from the name of the run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlet:
    """What is known of an earlier run, and where the state of this one goes."""

    store: Store | None = None
    restored: Restored | None = None
    remedy: str = ""
    """How people start anew."""
    ledger: "KafkaLedger | None" = None

    @property
    def lasting(self) -> bool:
        """Whether what was published cannot be cut back."""
        return self.ledger is not None

    def reject_from(self, source: str) -> Callable[[Sequence[tuple[Reject, bytes]]], None] | None:
        """Return what takes the messages of ``source`` that are no words, if anything does."""
        ledger = self.ledger
        if ledger is None or not is_kafka_url(source):
            return None
        topic = KafkaUrl.parse(source).topic
        return lambda rejects: ledger.reject(topic, rejects)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What the options mean."""

    options: Options
    detector: Detector
    spec: WindowSpec
    name: str
    """Of the run."""
    kept: dict[str, Any]
    """What must be the same for a run to go on."""
    idle_exit_s: float | None
    trigger_s: float
    kafka: KafkaOptions = field(repr=False)

    @property
    def topic(self) -> KafkaUrl | None:
        """The topic that words come from, if they do."""
        first = self.options.sources[0]
        return KafkaUrl.parse(first) if is_kafka_url(first) else None

    @property
    def group(self) -> str:
        """The consumer group, and the first part of the identity of the run."""
        asked = [u.group for u in (self.topic, self._destination) if u and u.group]
        return asked[0] if asked else self.options.group or f"muonscope-{self.name}"

    @property
    def _destination(self) -> KafkaUrl | None:
        return KafkaUrl.parse(self.options.to) if is_kafka_url(self.options.to) else None

    @contextmanager
    def open_outlet(self) -> Iterator[Outlet]:
        """Give the outlet, with what was saved by an earlier run."""
        outlet = self._to_topic() if self._destination else self._to_file()
        try:
            yield outlet
        finally:
            if outlet.store:
                outlet.store.close()

    @contextmanager
    def open_sink(self, outlet: Outlet) -> Iterator[Sink]:
        """Give where results go; to be opened last, for what is there may be overwritten."""
        if outlet.ledger:
            yield outlet.ledger
            return
        sink = open_sink(
            self.options.to,
            force=self.options.force,
            empty_ok=outlet.store is not None,
            resume_at=outlet.restored.sink_position if outlet.restored else None,
        )
        try:
            yield sink
        finally:
            sink.close()

    def _to_topic(self) -> Outlet:
        from muonscope.transports.kafka.opening import open_ledger  # brings the client

        destination = self._destination
        assert destination
        if self.options.state:
            raise OptionError("--state: results in Kafka keep their state there; leave it out")
        identity = f"{self.group}.{destination.topic}"
        ledger = open_ledger(destination, self.kafka, identity=identity)
        anew = "-" in self.options.sources
        remedy = "use another ?group= in the URL and another --run"
        restored = None if anew else restore(ledger, self.kept, remedy)
        return Outlet(store=ledger, restored=restored, remedy=remedy, ledger=ledger)

    def _to_file(self) -> Outlet:
        path = results_path(self.options.to)
        store = _open_store(self.options, path)
        remedy = "use another --state folder"
        restored = restore(store, self.kept, remedy) if store else None
        return Outlet(store=store, restored=restored, remedy=remedy)

    @contextmanager
    def open_supply(self, outlet: Outlet, stop: Stop) -> Iterator[Supply]:
        """Give what takes words in, from where ``outlet`` says that an earlier run stood."""
        if self.topic is not None:
            yield from self._from_topic(self.topic, outlet, stop)
            return
        options = self.options
        path = None if self._destination else results_path(options.to)
        source = open_source(
            options.sources,
            detector=self.detector,
            follow=options.follow,
            idle_exit_s=self.idle_exit_s,
            exclude=[Path(p) for p in (path, options.state) if p],
            known=outlet.restored.known if outlet.restored else None,
        )
        intake = Intake(
            source,
            self.detector.readout,
            streams=outlet.restored.streams if outlet.restored else None,
            stop=lambda: bool(stop),
            checkpoints=outlet.store is not None,
            grows=options.follow,
        )
        yield FileSupply(intake, source.size)

    def _from_topic(self, url: KafkaUrl, outlet: Outlet, stop: Stop) -> Iterator[Supply]:
        from muonscope.intake.topic import MessageIntake, places_of
        from muonscope.transports.kafka.opening import open_topic  # brings the client

        streams = outlet.restored.streams if outlet.restored else {}
        source = open_topic(
            url, self.kafka, group=self.group, known=places_of(streams), remedy=outlet.remedy
        )
        try:
            intake = MessageIntake(
                source,
                self.detector.readout,
                streams=streams,
                stop=lambda: bool(stop),
                checkpoints=outlet.store is not None,
                quick=outlet.lasting,
                idle_exit_s=self.idle_exit_s,
                expired=source.expired,
            )
            yield TopicSupply(intake, source)
        finally:
            source.close()


def plan_of(options: Options, stop: Stop) -> Plan:
    """Return what ``options`` mean.

    Raises
    ------
    OptionError
        If they contradict one another, or one makes no sense.
    """
    if options.engine not in {"native", "spark"}:
        raise OptionError(f"--engine: found {options.engine!r}, expected native or spark")
    asked = [n for n in ("master", "checkpoint", "trigger") if getattr(options, n)]
    if asked and options.engine != "spark":
        raise OptionError(f"--{asked[0]} only makes sense with --engine spark")
    if len(options.sources) > 1 and any(map(is_kafka_url, options.sources)):
        raise OptionError("one topic at a time: found " + " ".join(options.sources))
    detector = detector_for(options.sources, options.detector)
    spec = WindowSpec(
        window_s=seconds(options.window, "--window"),
        lateness_s=seconds(options.lateness, "--lateness"),
        idle_s=seconds(options.idle_timeout, "--idle-timeout"),
    )
    idle_exit_s = seconds(options.idle_exit, "--idle-exit") if options.idle_exit else None
    waits = options.follow or is_kafka_url(options.sources[0])
    if idle_exit_s is not None and not waits:
        raise OptionError("--idle-exit only makes sense with --follow, or a topic of Kafka")
    name = shown(options.run) or _run_name(options.sources[0])
    return Plan(
        options=options,
        detector=detector,
        spec=spec,
        name=name,
        kept=_kept_options(options, detector, name, spec),
        idle_exit_s=idle_exit_s,
        trigger_s=seconds(options.trigger or _DEFAULT_TRIGGER, "--trigger"),
        kafka=kafka_options(
            options.kafka_config, stop, partitions=options.partitions,
            replication=options.replication, no_wait=options.no_wait,
        ),
    )  # fmt: skip


def _open_store(options: Options, path: Path | None) -> StateStore | None:
    if not options.state:
        return None
    if path is None:
        raise OptionError(
            "--state needs a DEST that can be cut back after a crash: a .jsonl file or a folder,"
            " found standard output"
        )
    if "-" in options.sources:
        raise OptionError("--state needs sources that can be read again, found standard input")
    return StateStore(Path(options.state))


def _kept_options(
    options: Options, detector: Detector, name: str, spec: WindowSpec
) -> dict[str, Any]:
    """Return what must be the same for a run to go on."""
    results = options.to if is_kafka_url(options.to) else str(results_path(options.to))
    return {
        "run": name,
        "detector": f"{detector.name} ({zlib.crc32(repr(detector).encode()):08x})",
        "results": shown(_without_servers(results)),
        "sources": [shown(_without_servers(source)) for source in options.sources],
        "window": spec.window_s,
        "lateness": spec.lateness_s,
        "idle timeout": spec.idle_s,
    }


def _without_servers(name: str) -> str:
    """Return the topic of a Kafka URL, which outlives its brokers' addresses; else the name."""
    return f"topic {KafkaUrl.parse(name).topic}" if is_kafka_url(name) else name


def _run_name(source: str) -> str:
    """Return the first part of the name of a file, folder or object; never an empty one."""
    if source == "-":
        return "stdin"
    if is_kafka_url(source):
        return KafkaUrl.parse(source).topic
    source = source.replace(":", "-") if source.startswith(SCHEME) else source
    stem = source.split("*", maxsplit=1)[0].split("?", maxsplit=1)[0].split("[", maxsplit=1)[0]
    if stem != source:
        source = stem.rstrip("_-.") if not stem.endswith("/") else stem
    name = source.rstrip("/").rsplit("/", 1)[-1] if "://" in source else Path(source).resolve().name
    return shown(name).lstrip(".").split(".", 1)[0] or "run"
