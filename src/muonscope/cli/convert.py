"""The ``convert`` command."""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

from muonscope.detector import Detector
from muonscope.errors import FormatError
from muonscope.intake.streams import Intake
from muonscope.kernels import kernels_for, load_kernels
from muonscope.opening import detector_for, open_source
from muonscope.replaying.word_files import encoder_for, format_of, writing_words
from muonscope.stopping import Stop
from muonscope.transports.kafka.options import KafkaOptions, kafka_options
from muonscope.transports.kafka.url import is_kafka_url
from muonscope.words.layout import Words
from muonscope.words.rejects import Rejects

__all__ = ["Options", "convert_source"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of the command, as they were written."""

    source: str
    dest: str
    format: str
    detector: str
    force: bool
    kafka_config: str
    partitions: int | None


def convert_source(options: Options) -> int:
    """Write the words of a source to a file or a topic; return the exit code.

    Raises
    ------
    OptionError
        If the format is unknown, or an option makes no sense.
    FormatError
        If something could not be decoded, or the format cannot hold a word; a file that was
        written is removed then.
    SourceError, SinkError
        If the source cannot be read, or DEST not be written.
    """
    name = format_of(options.dest, options.format)
    detector = detector_for([options.source], options.detector)
    stop = Stop()
    kafka = kafka_options(options.kafka_config, stop, partitions=options.partitions, no_wait=True)
    load_kernels(kernels_for([options.source]))
    intake = Intake(open_source([options.source], detector=detector, kafka=kafka), detector.readout)
    written = 0
    with _destination(options, name, detector, kafka, stop) as write:
        for words in _all_words(intake, options.source):
            write(words)
            written += len(words)
    print(f"{written:,} words written to {options.dest} as {name}", file=sys.stderr)  # noqa: T201
    return 0


def _destination(
    options: Options, name: str, detector: Detector, kafka: KafkaOptions, stop: Stop
) -> AbstractContextManager[Callable[[Words], None]]:
    """Return what gives a way to write words to DEST."""
    if is_kafka_url(options.dest):
        from muonscope.replaying.sending import sending  # brings the client

        return sending(
            options.dest, detector, kafka, stop, json=name == "json", force=options.force
        )
    return writing_words(options.dest, encoder_for(name, detector), force=options.force)


def _all_words(intake: Intake, source: str) -> Iterator[Words]:
    """Give the words, all of them or an error."""
    rejects = Rejects()
    for batch in intake.batches():
        if batch.token.error:
            raise batch.token.error
        rejects.add(batch.decoded.rejects)
        if rejects.total:
            raise FormatError(f"{source}: not all can be decoded: {rejects.examples[0]}")
        yield batch.decoded.words
