"""Detectors and sources of words by their names and URLs."""

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from muonscope.detector import Detector, parse_detector, setup_names, shipped_detector
from muonscope.errors import DetectorError, OptionError, SourceError, SourceNotFoundError
from muonscope.events import Tell, ignore
from muonscope.intake.admission import AdmitOnce
from muonscope.intake.batch import Position, WordBatch, WordSource
from muonscope.intake.looking import Once, surveyed
from muonscope.intake.message_book import topic_position
from muonscope.intake.side_by_side import intake_of
from muonscope.intake.streams import StreamPosition
from muonscope.intake.topic import TopicIntake, book_of
from muonscope.simulation.options import SCHEME, Simulation, detector_of, simulation_of, split_url
from muonscope.transports.base import ByteSource, FilePosition
from muonscope.transports.files import FileSource, StreamSource, find_files
from muonscope.transports.following import FollowSource
from muonscope.transports.kafka.options import KafkaOptions
from muonscope.transports.kafka.url import KafkaUrl, is_kafka_url
from muonscope.transports.objects import ObjectSource, is_object_url
from muonscope.words.detect import PREFIX_BYTES

__all__ = [
    "STDIN",
    "check_sources",
    "detector_for",
    "first_bytes",
    "is_simulated",
    "load_detector",
    "open_bytes",
    "open_words",
    "saved_position",
    "simulations_in",
]

STDIN = "-"
"""Name of standard input."""

_LOOKERS = "muonscope-look"
"""Consumer group of those that read what a topic holds and keep no position."""


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

    That is the detector of the profile for a simulation, else the default, as which no packed
    blocks are read that name another detector.

    Raises
    ------
    OptionError
        If there is no such detector or profile.
    """
    if not name and is_simulated(sources):
        return detector_of(split_url(sources[0])[0])
    if name:
        return load_detector(name)
    default = shipped_detector()
    return replace(default, readout=replace(default.readout, blocks_of=default.name))


def is_simulated(sources: Sequence[str]) -> bool:
    """Tell whether ``sources`` are simulations."""
    return any(source.startswith(SCHEME) for source in sources)


def check_sources(sources: Sequence[str], *, follow: bool = False) -> None:
    """Refuse sources that cannot be read together.

    Raises
    ------
    OptionError
        If kinds of sources are mixed, there are several topics, or one cannot be followed.
    """
    kinds = {_kind(source) for source in sources}
    if len(sources) > 1 and kinds == {"kafka"}:
        raise OptionError("one topic at a time: found " + " ".join(sources))
    if len(kinds) > 1 or (STDIN in sources and len(sources) > 1):
        raise OptionError("sources of different kinds cannot be mixed: " + " ".join(sources))
    if follow and kinds != {"files"}:
        raise OptionError(f"--follow needs files or folders, found {sources[0]}")


def _kind(source: str) -> str:
    if source == STDIN:
        return "stdin"
    if source.startswith(SCHEME):
        return "sim"
    if is_kafka_url(source):
        return "kafka"
    return "objects" if is_object_url(source) else "files"


def saved_position(sources: Sequence[str]) -> Callable[[str, Mapping[str, Any]], Position]:
    """Return what makes the saved positions of ``sources`` again, from key and JSON value."""
    match _kind(sources[0]):
        case "kafka":
            return topic_position
        case "sim":
            from muonscope.intake.simulated import SimulatedPosition  # brings the simulation

            return lambda _, value: SimulatedPosition.from_json(value)
        case _:
            return lambda _, value: StreamPosition.from_json(value)


def open_words(
    sources: Sequence[str],
    detector: Detector,
    kafka: KafkaOptions | None = None,
    *,
    tell: Tell = ignore,
    allow_duplicates: bool = False,
) -> WordSource:
    """Return the words that files, folders, globs, URLs or ``-`` hold now.

    ``detector`` says what words look like, and is the one that ``sim:`` URLs simulate;
    ``kafka`` says how to deal with the brokers of a topic. Words that several files hold are
    read once, and ``tell`` is told so, unless ``allow_duplicates``.

    Raises
    ------
    OptionError
        If kinds of sources are mixed.
    SourceError
        If a source names nothing, or cannot be opened.
    """
    check_sources(sources)
    if is_kafka_url(sources[0]):
        return _TopicNow(KafkaUrl.parse(sources[0]), detector, kafka or KafkaOptions())
    if is_simulated(sources):
        from muonscope.intake.simulated import SimulatedIntake  # brings the simulation

        return SimulatedIntake(simulations_in(sources, detector))
    once = None if allow_duplicates else Once(readout=detector.readout, tell=tell)
    return intake_of(open_bytes(sources, once=once), detector.readout)


class _TopicNow:
    """The words that a topic holds now; it is opened at once and closed after them."""

    def __init__(self, url: KafkaUrl, detector: Detector, kafka: KafkaOptions) -> None:
        from muonscope.transports.kafka.consumer import Begin  # brings the client
        from muonscope.transports.kafka.opening import open_bounded

        self._reader = open_bounded(url, kafka, Begin(group=_LOOKERS))
        self._intake = TopicIntake(
            self._reader, detector.readout, book_of(self._reader, detector.readout)
        )

    def batches(self) -> Iterator[WordBatch]:
        """Yield the words, in order."""
        try:
            yield from self._intake.batches()
        finally:
            self._reader.close()


def simulations_in(urls: Sequence[str], detector: Detector) -> list[tuple[str, Simulation]]:
    """Return the simulations that ``urls`` ask for, with their URLs.

    Raises
    ------
    OptionError
        If an option in a URL makes no sense.
    """
    return [(url, simulation_of(*split_url(url), detector)) for url in urls]


def open_bytes(
    sources: Sequence[str],
    *,
    follow: bool = False,
    idle_exit_s: float | None = None,
    exclude: Sequence[Path] = (),
    known: Mapping[str, FilePosition] | None = None,
    once: Once | None = None,
) -> ByteSource:
    """Return the bytes of files, folders, globs, objects or ``-``.

    ``exclude`` are files that are never read (the run's own results). ``known`` says how
    far each stream was read before. ``once`` says that words which several files hold are to
    be read once; without it all files are read.

    Raises
    ------
    OptionError
        If a source that is named itself is to be excluded, or a URL has no known scheme.
    SourceError
        If a source names nothing.
    """
    match _kind(sources[0]):
        case "objects":
            objects = ObjectSource(sources, known=known)
            if once:
                surveyed(objects, once)
            return objects
        case "stdin":
            if sys.stdin is None:
                raise SourceError("standard input is closed")
            return StreamSource(sys.stdin.buffer, "standard input")
        case _:
            if follow:
                return _growing(sources, exclude, known, once, idle_exit_s=idle_exit_s)
            files = find_files(sources, exclude=exclude)
            if not files:
                raise SourceNotFoundError(f"{' '.join(sources)}: no file is there")
            source = FileSource(files, known=known)
            if once:
                surveyed(source, once)
            return source


def first_bytes(sources: Sequence[str], n: int) -> bytes:
    """Return the first bytes of the first of several files or objects.

    Nothing where there is only one, or the first can be read only once, as a pipe.
    """
    if STDIN in sources:
        return b""
    source = open_bytes(sources)
    assert isinstance(source, (FileSource, ObjectSource))
    ends = source.ends(PREFIX_BYTES)
    if len(ends) < 2 or not ends[0].first:
        return b""
    with source.open(ends[0].name) as file:
        return file.read(n)


def _growing(
    sources: Sequence[str],
    exclude: Sequence[Path],
    known: Mapping[str, FilePosition] | None,
    once: Once | None,
    *,
    idle_exit_s: float | None,
) -> ByteSource:
    find_files(sources, exclude=exclude)

    def list_files() -> list[Path]:
        try:
            return find_files(sources, exclude=exclude)
        except SourceError:
            return []

    return FollowSource(
        list_files,
        clock=time.time,
        wait=time.sleep,
        idle_exit_s=idle_exit_s,
        known=known,
        admission=AdmitOnce(once, time.time) if once else None,
    )
