"""Converting: words in another format, all of them or an error."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from muonscope import kernels
from muonscope.counting.doubts import remedy_for
from muonscope.counting.window_spec import WindowSpec
from muonscope.detector import Detector
from muonscope.errors import FormatError, OptionError
from muonscope.events import Event, EventKind, Tell
from muonscope.intake.batch import WordBatch, WordSource
from muonscope.intake.opening import detector_for, open_words
from muonscope.replaying.good_words import GoodWords
from muonscope.replaying.options import ConvertOptions
from muonscope.replaying.passing import Passing
from muonscope.replaying.word_files import encoder_for, format_of, writing_words
from muonscope.results.good_list import GoodList, run_in
from muonscope.stopping import Stop
from muonscope.transports.kafka.options import KafkaOptions, kafka_options
from muonscope.transports.kafka.url import is_kafka_url
from muonscope.units import seconds
from muonscope.words.layout import Words

__all__ = ["convert_words"]


def convert_words(options: ConvertOptions, tell: Tell) -> tuple[int, str]:
    """Write the words of a source to a file or a topic; return their number and the format.

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
    kafka = kafka_options(options.kafka_config, stop=stop, tell=tell, partitions=options.partitions)
    needed = kernels.needed_to_read([options.source]) | kernels.needed_to_write(name)
    picker = _picker(options, detector)
    if picker:
        needed |= kernels.needed_to_count([options.source])
    kernels.load(needed, tell=tell)
    source = open_words(
        [options.source], detector, kafka, tell=tell, allow_duplicates=options.allow_duplicates
    )
    written = 0
    with _destination(options, name, detector, kafka, stop) as write:
        for words in _all_words(source, options.source, Passing(detector, tell), picker):
            write(words)
            written += len(words)
    if picker and picker.left_out:
        tell(
            Event(kind=EventKind.NOT_GOOD, where=picker.run, detail=options.good,
                  numbers={"words": picker.left_out})
        )  # fmt: skip
    return written, name


def _picker(options: ConvertOptions, detector: Detector) -> GoodWords | None:
    """Return what picks the words of good windows, if a list is given."""
    if not options.good:
        if options.run:
            raise OptionError("--run only makes sense with --good")
        return None
    good = GoodList.read(Path(options.good))
    spec = WindowSpec(window_s=seconds(options.window, "--window"))
    return GoodWords(detector=detector, good=good, run=run_in(good, options.run), spec=spec)


def _destination(
    options: ConvertOptions, name: str, detector: Detector, kafka: KafkaOptions, stop: Stop
) -> AbstractContextManager[Callable[[Words], None]]:
    """Return what gives a way to write words to DEST."""
    if is_kafka_url(options.dest):
        from muonscope.replaying.sending import sending  # brings the client

        return sending(
            options.dest, detector, kafka, stop, json=name == "json", force=options.force
        )
    return writing_words(options.dest, encoder_for(name, detector), force=options.force)


def _all_words(
    source: WordSource, name: str, passing: Passing, picker: GoodWords | None
) -> Iterator[Words]:
    """Give the words, all of them, or those that are picked; or an error."""

    def look(batch: WordBatch) -> None:
        if batch.error:
            raise batch.error
        passing.take(batch)
        rejects = passing.rejects
        if rejects.total:
            first = f"{rejects.examples[0]}{remedy_for(rejects)}"
            raise FormatError(f"{name}: not all can be decoded: {first}")

    if picker:
        yield from picker.chosen(source.batches(), look)
    else:
        for batch in source.batches():
            look(batch)
            yield batch.words
    passing.end()
