"""Where the rooms are joined: detectors, sources and sinks by name or URL, and settings.

Used by the command line and by :mod:`muonscope.api`; it composes and translates, and
leaves all work to the rooms it joins.
"""

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from muonscope.detector import Detector, parse_detector, setup_names, shipped_detector
from muonscope.errors import (
    DetectorError,
    OptionError,
    SinkError,
    SourceError,
    SourceNotFoundError,
)
from muonscope.simulation.options import SCHEME, detector_of, simulation_of, split_url
from muonscope.transports.base import Place, Sink, Source
from muonscope.transports.files import FileSource, FollowSource, StreamSource, find_files
from muonscope.transports.kafka.options import KafkaOptions
from muonscope.transports.kafka.url import is_kafka_url
from muonscope.transports.objects import ObjectSource, is_object_url
from muonscope.transports.sinks import FileSink, StreamSink

__all__ = [
    "detector_for",
    "load_detector",
    "open_sink",
    "open_source",
    "results_path",
]

STDIN = "-"


def load_detector(name: str) -> Detector:
    """Return the shipped detector ``name``, or the one that the file ``name`` describes.

    Raises
    ------
    DetectorError
        If there is neither, or the description is wrong.
    """
    if name in setup_names():
        return shipped_detector(name)
    path = Path(name)
    try:
        if not path.exists() and "/" not in name and not name.endswith(".toml"):
            raise DetectorError(
                f"no detector named {name!r}; shipped are: {', '.join(setup_names())};"
                " or name a file"
            )
        return parse_detector(path.read_text("utf-8"), where=name)
    except UnicodeDecodeError as exc:
        raise DetectorError(f"{name}: not a text file: {exc.reason}") from exc
    except OSError as exc:
        raise DetectorError(f"{name}: cannot be read: {exc.strerror or exc}") from exc


def detector_for(sources: Sequence[str], name: str = "") -> Detector:
    """Return the detector called ``name``; without a name, the one that the sources are of.

    That is the detector of the profile for a simulation, else the default.

    Raises
    ------
    OptionError
        If there is no such detector or profile.
    """
    if not name and sources and sources[0].startswith(SCHEME):
        return detector_of(split_url(sources[0])[0])
    return load_detector(name) if name else shipped_detector()


def open_source(
    sources: Sequence[str],
    *,
    detector: Detector | None = None,
    follow: bool = False,
    idle_exit_s: float | None = None,
    exclude: Sequence[Path] = (),
    known: Mapping[str, Place] | None = None,
    kafka: KafkaOptions | None = None,
) -> Source:
    """Return the source that files, folders, globs, URLs or ``-`` name.

    Of a Kafka topic it is what the topic holds now, in order; ``kafka`` says how to deal
    with its brokers.

    ``detector`` is the one that ``sim:`` URLs simulate, by default that of their profile.
    ``exclude`` are files that are never read (the run's own results). ``known`` says how
    far each stream was read before.

    Raises
    ------
    OptionError
        If kinds of sources are mixed, or one cannot be followed.
    SourceError
        If a source names nothing.
    """
    kinds = {_kind(source) for source in sources}
    if len(kinds) > 1 or (STDIN in sources and len(sources) > 1):
        raise OptionError("sources of different kinds cannot be mixed: " + " ".join(sources))
    if follow and kinds != {"files"}:
        raise OptionError(f"--follow needs files or folders, found {sources[0]}")
    match kinds.pop():
        case "sim":
            return _simulated(sources, detector or detector_for(sources), known)
        case "kafka":
            return _topic(sources, detector or shipped_detector(), kafka)
        case "objects":
            return ObjectSource(sources, known=known)
        case "stdin":
            if sys.stdin is None:
                raise SourceError("standard input is closed")
            return StreamSource(sys.stdin.buffer, "standard input")
        case _:
            return _files(sources, exclude, known, follow=follow, idle_exit_s=idle_exit_s)


def _topic(sources: Sequence[str], detector: Detector, kafka: KafkaOptions | None) -> Source:
    if len(sources) > 1:
        raise OptionError(f"found {len(sources)} topics, expected one: " + " ".join(sources))
    from muonscope.intake.topic import MessageIntake, MessagePieces
    from muonscope.transports.kafka.opening import open_topic  # brings the client
    from muonscope.transports.kafka.url import KafkaUrl

    url = KafkaUrl.parse(sources[0])
    source = open_topic(url, kafka or KafkaOptions(), group="muonscope-look", bounded=True)
    intake = MessageIntake(source, detector.readout, expired=source.expired)
    return MessagePieces(intake, str(url), detector, close=source.close)


def _simulated(
    urls: Sequence[str], detector: Detector, known: Mapping[str, Place] | None
) -> Source:
    simulations = [(url, simulation_of(*split_url(url), detector)) for url in urls]
    from muonscope.transports.simulated import SimulatedSource  # brings kernels

    return SimulatedSource(simulations, known=known)


def _files(
    sources: Sequence[str],
    exclude: Sequence[Path],
    known: Mapping[str, Place] | None,
    *,
    follow: bool,
    idle_exit_s: float | None,
) -> Source:
    files = find_files(sources, exclude=exclude)
    if not follow:
        if not files:
            raise SourceNotFoundError(f"{' '.join(sources)}: no file is there")
        return FileSource(files, known=known)

    def list_files() -> list[Path]:
        try:
            return find_files(sources, exclude=exclude)
        except SourceError:
            return []

    return FollowSource(
        list_files, clock=time.time, wait=time.sleep, idle_exit_s=idle_exit_s, known=known
    )


def _kind(source: str) -> str:
    if source == STDIN:
        return "stdin"
    if source.startswith(SCHEME):
        return "sim"
    if is_kafka_url(source):
        return "kafka"
    return "objects" if is_object_url(source) else "files"


def results_path(destination: str) -> Path | None:
    """Return the file that results go to, or None for standard output."""
    if destination == "-":
        return None
    path = Path(destination)
    return path if path.suffix == ".jsonl" else path / "windows.jsonl"


def open_sink(
    destination: str,
    *,
    force: bool = False,
    empty_ok: bool = False,
    resume_at: int | None = None,
) -> Sink:
    """Return the sink for ``-``, a ``.jsonl`` file or a folder.

    Raises
    ------
    SinkError
        If it exists without ``force``, or cannot be written.
    """
    path = results_path(destination)
    if path is None:
        if sys.stdout is None:
            raise SinkError("standard output is closed; name a DEST")
        return StreamSink(sys.stdout.buffer)
    return FileSink(path, force=force, empty_ok=empty_ok, resume_at=resume_at)
