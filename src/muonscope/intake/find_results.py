"""Sources that hold results instead of words: told apart by their content."""

import math
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import chain, islice
from pathlib import Path
from typing import Protocol

import orjson

from muonscope.counting.block import Block
from muonscope.detector import Detector
from muonscope.errors import FormatError, OptionError, SourceError, SourceNotFoundError
from muonscope.intake.archived import ArchivedResults
from muonscope.intake.opening import detector_for
from muonscope.results.read_message import MAX_MESSAGE_BYTES, Result, read_result
from muonscope.results.schemas import SCHEMA_NAME, version_problem
from muonscope.simulation.options import SCHEME
from muonscope.stopping import Stop
from muonscope.transports.files import find_files
from muonscope.transports.kafka.options import KafkaOptions
from muonscope.transports.kafka.url import KafkaUrl, is_kafka_url
from muonscope.transports.objects import is_object_url
from muonscope.words.compression import Decompressor, compression_of

__all__ = [
    "GROUP", "Found", "ResultFiles", "ResultTopic", "detector_of_results", "find_results",
    "listed", "results_in",
]  # fmt: skip

GROUP = "muonscope-dashboard"
"""Consumer group of all that only look: the positions of a processor are its own."""

_BEGINNING = re.compile(
    rb'\s*\{\s*"schema"\s*:\s*"(' + re.escape(SCHEMA_NAME.encode()) + rb'\d{1,9})"'
)
_LATER = re.compile(rb"\n(?=" + _BEGINNING.pattern + rb")")
_LOOK_BYTES = 200
_SUFFIX = ".jsonl"
_LOOK_FURTHER_BYTES = 1 << 20
_LOOK_MESSAGES = 100
"""Messages of others may come before the first result."""
_PEEK_S = 3.0


class Found(Protocol):
    """Results, and the detector that they are of."""

    detector: str
    """Its name; empty where nothing has told it yet."""

    @property
    def described(self) -> Detector | None:
        """The detector, where results bring it with them."""

    def messages(self) -> Iterator[tuple[bytes, float]]:
        """Yield the messages that there are now, and when each was published, s.

        Infinity stands for all of them where they come in that order.
        """


def find_results(
    sources: Sequence[str], kafka: KafkaOptions, stop: Stop, run: str = ""
) -> Found | None:
    """Return the results that sources hold, or None if they hold, or will hold, words.

    Of an archive only ``run``, if it is named.

    What is still empty is known by its name: a file that ends in ``.jsonl``, a topic that
    has ``results`` in it.

    Raises
    ------
    FormatError
        If a file holds results of another version.
    SourceError
        If words are asked for in a file that is not there, or results are compressed.
    """
    first = sources[0]
    if first == "-" or first.startswith(SCHEME) or is_object_url(first):
        return None
    if is_kafka_url(first):
        return ResultTopic.found(KafkaUrl.parse(first), kafka, stop)
    return ArchivedResults.found(sources, run) or ResultFiles.found(sources)


def detector_of_results(found: Found | None, sources: Sequence[str], name: str) -> Detector:
    """Return the detector called ``name``; without a name, the one that results or sources tell.

    Raises
    ------
    OptionError
        If there is no such detector, or results bring another one with them.
    """
    if found is None or found.described is None:
        return detector_for(sources, name or (found.detector if found else ""))
    if name and (asked := detector_for(sources, name)) != found.described:
        raise OptionError(
            f"--detector: found {asked.name} ({asked.fingerprint}), expected {found.detector}"
            f" ({found.described.fingerprint}), as the archive says; leave it out"
        )
    return found.described


def results_in(
    found: Found, detector: Detector, blocks: tuple[Block, ...], stop: Stop
) -> Iterator[Result]:
    """Yield the results that a source holds, until ``stop``.

    Raises
    ------
    FormatError
        At the end, if some messages are no results of ``detector``.
    """
    if isinstance(found, ArchivedResults):
        for result in found.results():
            if stop:
                return
            yield result
        return
    broken, first = 0, ""
    for data, _ in found.messages():
        if stop:
            return
        try:
            yield read_result(data, detector, blocks)
        except FormatError as exc:
            broken += 1
            first = first or str(exc)
    if broken:
        raise FormatError(f"{broken:,} lines are no results of {detector.name}; first: {first}")


class ResultFiles:
    """Results in files of JSON lines."""

    described: Detector | None = None

    def __init__(self, sources: Sequence[str], detector: str) -> None:
        """Take the sources, and the name of the detector; empty if it is not known."""
        self.sources, self.detector = sources, detector

    @classmethod
    def found(cls, sources: Sequence[str]) -> "ResultFiles | None":
        """Return the results in ``sources``, or None if they hold words."""
        files = listed(sources)
        begun = [(path, begin) for path in files if (begin := _beginning(path)).strip()]
        beginnings = [begin for _, begin in begun]
        if not beginnings:
            if all(Path(source).suffix == _SUFFIX for source in sources):
                for path in files:
                    if not path.is_file():
                        raise SourceError(f"{path}: is no plain file, as results must be in")
                return cls(sources, "")
            find_files(sources)  # words must be there
            return None
        if not all(map(_BEGINNING.match, beginnings)):
            if any(map(_BEGINNING.match, beginnings)):
                raise OptionError(f"{' '.join(sources)}: found words and results, expected one")
            for path, begin in begun:
                if name := compression_of(begin):
                    _refuse_packed(path, name)
            return None
        for path, begin in begun:
            _refuse_version(path, begin)
        return cls(sources, _detector(beginnings[0]))

    def messages(self) -> Iterator[tuple[bytes, float]]:
        """Yield the lines that there are now."""
        for path in filter(Path.is_file, listed(self.sources)):
            with path.open("rb") as file:
                while line := file.readline(MAX_MESSAGE_BYTES + 1):
                    yield line, math.inf


def listed(sources: Sequence[str]) -> list[Path]:
    """Return the files of ``sources``; none where there are none yet."""
    with suppress(SourceError):
        return find_files(sources)
    return []


def _beginning(path: Path) -> bytes:
    """Return how a file begins; nothing of one that is no plain file or cannot be read.

    A file that was cut at its front, such as one that is rotated, begins in the middle of
    a line: where its name says results, their first whole line is what counts.
    """
    with suppress(OSError):
        if path.is_file():
            with path.open("rb") as file:
                begin = file.read(_LOOK_BYTES)
                if path.suffix == _SUFFIX and not _BEGINNING.match(begin):
                    more = begin + file.read(_LOOK_FURTHER_BYTES)
                    found = _LATER.search(more)
                    return more[found.end() :][:_LOOK_BYTES] if found else begin
                return begin
    return b""


def _refuse_packed(path: Path, name: str) -> None:
    """Refuse results that are compressed, which would be taken for damaged words."""
    packed = Decompressor(name)
    with suppress(OSError), path.open("rb") as file:
        plain = chain(packed.feed(file.read(_LOOK_FURTHER_BYTES)), packed.finish())
        if _BEGINNING.match(next(plain, b"")):
            raise SourceError(f"{path}: found results in {name}, expected plain lines; unpack it")


def _refuse_version(path: Path, beginning: bytes) -> None:
    """Refuse a file that begins with results of another version."""
    told = _BEGINNING.match(beginning)
    if told and (problem := version_problem(told[1].decode())):
        raise FormatError(f"{path}: {problem}; take the muonscope that wrote them, or count again")


def _detector(beginning: bytes) -> str:
    """Return the detector that the beginning of a message names."""
    told = re.search(rb'"detector"\s*:\s*("[^"\\]{1,100}")', beginning)
    return str(orjson.loads(told[1])) if told else ""


class ResultTopic:
    """Results in a topic of Kafka."""

    described: Detector | None = None

    def __init__(self, url: KafkaUrl, kafka: KafkaOptions, stop: Stop, detector: str = "") -> None:
        """Take the topic, and how to deal with its brokers."""
        self.url, self.kafka, self.detector = url, kafka, detector
        self._stop = stop

    @classmethod
    def found(cls, url: KafkaUrl, kafka: KafkaOptions, stop: Stop) -> "ResultTopic | None":
        """Return the results in a topic, or None if it holds something else."""
        topic = cls(url, kafka, stop)
        first = b""
        for value, _ in islice(topic.messages(most_s=_PEEK_S), _LOOK_MESSAGES):
            if _BEGINNING.match(value):
                return cls(url, kafka, stop, _detector(value[:_LOOK_BYTES]))
            first = first or value
        return topic if not first and "results" in url.topic else None

    def messages(self, most_s: float = math.inf) -> Iterator[tuple[bytes, float]]:
        """Yield what is there now; for ``most_s`` at most, for brokers may fall silent."""
        from muonscope.transports.kafka.consumer import Begin  # brings the client
        from muonscope.transports.kafka.opening import open_bounded

        with suppress(SourceNotFoundError):
            source = open_bounded(self.url, self.kafka, Begin(group=GROUP))
            try:
                end = time.monotonic() + most_s
                while not (source.ended() or self._stop or time.monotonic() > end):
                    for some in source.fetch():
                        yield from zip(some.values, (ms / 1e3 for ms in some.times_ms), strict=True)
            finally:
                source.close()
