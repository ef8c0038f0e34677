"""The meaning of the options of processing: detector, windows, names, where results go."""

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from muonscope.counting.block import Block
from muonscope.counting.blocks import BLOCKS, WITH_TRACKS
from muonscope.counting.blocks.tracks import Tracks
from muonscope.counting.window_spec import WindowSpec
from muonscope.detector import Detector
from muonscope.errors import OptionError
from muonscope.events import Tell
from muonscope.intake.looking import Once
from muonscope.intake.opening import STDIN, check_sources, detector_for
from muonscope.kernels import Purpose, needed_to_count
from muonscope.processing.options import ProcessOptions
from muonscope.results.conditions import parse_conditions
from muonscope.simulation.options import SCHEME
from muonscope.stopping import Stop
from muonscope.transports.files import shown
from muonscope.transports.kafka.claim import Claim
from muonscope.transports.kafka.options import KafkaOptions, kafka_options
from muonscope.transports.kafka.url import KafkaUrl, is_kafka_url
from muonscope.transports.ledgers import results_path
from muonscope.units import seconds

__all__ = ["Plan", "blocks_without", "plan_of"]

_DEFAULT_TRIGGER = "1s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The options of a run, interpreted and checked."""

    options: ProcessOptions
    detector: Detector
    spec: WindowSpec
    blocks: tuple[Block, ...]
    """What is counted."""
    name: str
    """Of the run."""
    conditions: Mapping[str, str]
    """Of the run, as people named them."""
    kept: dict[str, Any]
    """What must be the same for a run to go on."""
    idle_exit_s: float | None
    trigger_s: float
    kafka: KafkaOptions = field(repr=False)
    default_group: str
    """Consumer group where no URL names one."""
    claim: Claim = field(default_factory=Claim, repr=False)
    """To the identity of the run, where results go to a topic."""

    @property
    def sources(self) -> Sequence[str]:
        """Names of the sources."""
        return self.options.sources

    @property
    def topic(self) -> KafkaUrl | None:
        """The topic that words come from, if they do."""
        return _topic_in(self.sources[0])

    @property
    def destination(self) -> KafkaUrl | None:
        """The topic that results go to, if they do."""
        return _topic_in(self.options.to)

    @property
    def results(self) -> Path | None:
        """The file that results go to, if they do."""
        return None if self.destination else results_path(self.options.to)

    @property
    def kernels(self) -> frozenset[Purpose]:
        """What it takes to read and count."""
        tracking = {Purpose.TRACKING} if any(b.needs_hits for b in self.blocks) else set[Purpose]()
        return needed_to_count(self.sources) | tracking

    def once(self, tell: Tell) -> Once | None:
        """Return the wish that words are counted once, unless duplicates are allowed."""
        if self.options.allow_duplicates:
            return None
        return Once(readout=self.detector.readout, tell=tell)

    @property
    def group(self) -> str:
        """The consumer group, and the first part of the identity of the run."""
        asked = [u.group for u in (self.topic, self.destination) if u and u.group]
        return asked[0] if asked else self.default_group


def _topic_in(name: str) -> KafkaUrl | None:
    return KafkaUrl.parse(name) if is_kafka_url(name) else None


def plan_of(options: ProcessOptions, stop: Stop, tell: Tell, *, group: str = "") -> Plan:
    """Return what ``options`` mean; ``group`` is the consumer group where no URL names one.

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
    check_sources(options.sources, follow=options.follow)
    detector = detector_for(options.sources, options.detector)
    spec = WindowSpec(
        window_s=seconds(options.window, "--window"),
        lateness_s=seconds(options.lateness, "--lateness"),
        idle_s=seconds(options.idle_timeout, "--idle-timeout"),
    )
    name = shown(options.run) or _run_name(options.sources[0])
    return Plan(
        options=options,
        detector=detector,
        spec=spec,
        blocks=blocks_without(options.without),
        name=name,
        conditions=parse_conditions(options.condition),
        kept=_kept_options(options, detector, name, spec),
        idle_exit_s=_idle_exit(options),
        trigger_s=seconds(options.trigger or _DEFAULT_TRIGGER, "--trigger"),
        kafka=kafka_options(
            options.kafka_config, stop=stop, tell=tell, partitions=options.partitions,
            replication=options.replication, no_wait=options.no_wait,
        ),
        default_group=group or f"muonscope-{name}",
    )  # fmt: skip


def blocks_without(without: Sequence[str]) -> tuple[Block, ...]:
    """Return the counts that are wanted.

    Raises
    ------
    OptionError
        If what is to be left out is none of those that can be.
    """
    for name in without:
        if name != Tracks.name:
            raise OptionError(f"--without: found {name!r}, expected {Tracks.name}")
    return BLOCKS if without else WITH_TRACKS


def _idle_exit(options: ProcessOptions) -> float | None:
    if options.idle_exit == "":
        return None
    if not (options.follow or is_kafka_url(options.sources[0])):
        raise OptionError("--idle-exit only makes sense with --follow, or a topic of Kafka")
    return seconds(options.idle_exit, "--idle-exit")


def _kept_options(
    options: ProcessOptions, detector: Detector, name: str, spec: WindowSpec
) -> dict[str, Any]:
    """Return what must be the same for a run to go on."""
    results = options.to if is_kafka_url(options.to) else str(results_path(options.to))
    return {
        "run": name,
        "detector": f"{detector.name} ({zlib.crc32(detector.told.encode()):08x})",
        "results": shown(_without_servers(results)),
        "sources": [shown(_without_servers(source)) for source in options.sources],
        "window": spec.window_s,
        "lateness": spec.lateness_s,
        "idle timeout": spec.idle_s,
        "conditions": parse_conditions(options.condition),
        "tracking": Tracks.name not in options.without,
    }


def _without_servers(name: str) -> str:
    """Return the topic of a Kafka URL, which outlives its brokers' addresses; else the name."""
    return f"topic {KafkaUrl.parse(name).topic}" if is_kafka_url(name) else name


def _run_name(source: str) -> str:
    """Return the first part of the name of a file, folder or object; never an empty one."""
    if source == STDIN:
        return "stdin"
    if is_kafka_url(source):
        return KafkaUrl.parse(source).topic
    source = source.replace(":", "-") if source.startswith(SCHEME) else source
    stem = source.split("*", maxsplit=1)[0].split("?", maxsplit=1)[0].split("[", maxsplit=1)[0]
    if stem != source:
        source = stem.rstrip("_-.") if not stem.endswith("/") else stem
    name = source.rstrip("/").rsplit("/", 1)[-1] if "://" in source else Path(source).resolve().name
    return shown(name).lstrip(".").split(".", 1)[0] or "run"
