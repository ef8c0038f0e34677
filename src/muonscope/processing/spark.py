"""``process --engine spark``: a cluster reads and decodes, one ordered run publishes."""

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from muonscope.errors import OptionError
from muonscope.intake.batch import Batch, Stream, Token
from muonscope.intake.topic import MessageBook, places_of
from muonscope.kernels import PROCESSING, load_kernels
from muonscope.processing.inputs import FileSupply, TopicSupply
from muonscope.processing.plan import Options, Plan, plan_of
from muonscope.processing.process import again_after_rollback, shown_run
from muonscope.stopping import Stop
from muonscope.stream.messages import Part
from muonscope.stream.ordering import Front
from muonscope.transports.base import Place
from muonscope.words.codec import Decoded

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from muonscope.transports.kafka.consumer import KafkaSource

__all__ = ["process_with_spark"]

JARS_VARIABLE = "MUONSCOPE_SPARK_JARS"


def process_with_spark(options: Options, stop: Stop) -> int:
    """Process with Spark; return the exit code."""
    if options.follow or "-" in options.sources:
        raise OptionError(
            "--engine spark reads topics and whole files; expected neither --follow nor -"
        )
    if options.checkpoint and not options.state:
        options = replace(options, state=_state_folder(options))
    plan = plan_of(options, stop)
    load_kernels(PROCESSING)
    from muonscope.engines.spark.session import spark_session

    jars = os.environ.get(JARS_VARIABLE, "")
    process = _process_files if plan.topic is None else _process_topic
    with spark_session(options.master, jars=jars, connector=plan.topic is not None) as session:
        return again_after_rollback(lambda: process(plan, session, stop), stop)


def _state_folder(options: Options) -> str:
    """Return where the state of results in files goes; results in Kafka keep theirs there."""
    to_file = "://" not in options.to and options.to != "-"
    return str(Path(options.checkpoint) / "state") if to_file else ""


class _MicroBatches:
    """Gives a run the words of one micro-batch at a time."""

    def __init__(self, book: MessageBook, reached: dict[int, int]) -> None:
        self.book, self.reached = book, reached
        self._parts: list[Part] = []
        self._front: Front | None = None

    def load(self, parts: list[Part], look: Callable[[dict[int, int]], Front]) -> None:
        """Take what is to be given next; ``look`` tells how far the topic reaches."""
        for part in parts:
            self.reached[part.partition] = max(self.reached.get(part.partition, 0), part.end)
        self._parts, self._front = parts, look(self.reached)

    def batches(self) -> Iterator[Batch[Token]]:
        """Yield what is in order; without a micro-batch, all that waits."""
        if self._front is None:
            yield from self.book.rest()
            return
        self.book.receive(self._parts, self._front)
        yield from self.book.ready(self._front)
        self._parts, self._front = [], None


def _process_topic(plan: Plan, session: "SparkSession", stop: Stop) -> int:
    """Process a topic until the end, a stop, or a lost transaction."""
    from muonscope.engines.spark.topic import TopicQuery

    url = plan.topic
    assert url
    with ExitStack() as stack:
        outlet = stack.enter_context(plan.open_outlet())
        streams = outlet.restored.streams if outlet.restored else {}
        source = stack.enter_context(_looking(plan, places_of(streams), outlet.remedy))
        reached = dict(source.front().reached)
        book = MessageBook(
            source.name, source.partitions, mark=source.mark, streams=streams, reached=reached,
            checkpoints=outlet.store is not None, expired=source.expired,
        )  # fmt: skip
        intake = _MicroBatches(book, reached)
        supply = TopicSupply(intake, source)
        shown = stack.enter_context(shown_run(plan, outlet, supply))
        last = time.monotonic()

        def take(parts: list[Part]) -> None:
            nonlocal last
            if parts:
                last = time.monotonic()
            intake.load(parts, source.look)
            shown.go_on()
            shown.run.save()

        def over() -> bool:
            shown.tell()
            quiet = plan.idle_exit_s is not None and time.monotonic() - last > plan.idle_exit_s
            return bool(stop) or (quiet and not source.look(reached).behind())

        query = TopicQuery(
            session,
            servers=url.servers,
            topic=url.topic,
            settings=plan.kafka.settings.for_java(),
            readout=plan.detector.readout,
            positions=reached,
            done=book.done_before,
            take=take,
        )
        folder = stack.enter_context(_query_folder(plan.options.checkpoint))
        query.run(folder, f"{plan.trigger_s * 1e3:.0f} milliseconds", stop=over)
        paused = bool(stop) and outlet.store is not None
        if not paused:
            shown.go_on()
        return shown.conclude(stop, paused=paused)


@contextmanager
def _looking(plan: Plan, known: dict[int, Place], remedy: str) -> Iterator["KafkaSource"]:
    """Give what knows how far the topic reaches, and reads nothing of it."""
    from muonscope.transports.kafka.opening import open_topic

    assert plan.topic
    source = open_topic(
        plan.topic, plan.kafka, group=plan.group, known=known, remedy=remedy, only_look=True
    )
    try:
        yield source
    finally:
        source.close()


@contextmanager
def _query_folder(checkpoint: str) -> Iterator[str]:
    """Give a new folder for Spark's own notes of a query.

    What is done is known from the state that is committed with the results; a query
    begins where that says.
    """
    if checkpoint:
        if "://" not in checkpoint:
            Path(checkpoint).mkdir(parents=True, exist_ok=True)
            checkpoint = Path(checkpoint).resolve().as_uri()
        yield f"{checkpoint.rstrip('/')}/query-{time.time_ns()}"
        return
    with tempfile.TemporaryDirectory(prefix="muonscope-spark-") as folder:
        yield Path(folder).as_uri()


class _Files:
    """Gives a run the words of files that workers decode."""

    def __init__(self, parts: Callable[[], Iterator[Part]], names: list[str], stop: Stop) -> None:
        self._parts, self._names, self._stop = parts, names, stop

    def batches(self) -> Iterator[Batch[Token]]:
        """Yield the words of all files, in order."""
        read: dict[str, int] = {}
        for part in self._parts():
            name = self._names[part.partition]
            read[name] = read.get(name, 0) + part.size
            place = Place(restart=0, read=read[name], mark=0, ended=False)
            stream = Stream(name=name, place=place, bytes_in=read[name])
            yield Batch(Decoded(part.words, list(part.rejects)), Token(key=name, stream=stream))
            if self._stop:
                return


def _process_files(plan: Plan, session: "SparkSession", stop: Stop) -> int:
    """Process files once, each decoded by a worker."""
    from muonscope.engines.spark.files import decode_ranges, ranges_of
    from muonscope.transports.listing import named_files

    options = plan.options
    if options.state:
        raise OptionError("--engine spark reads files in one go: leave out --state, --checkpoint")
    files, opener = named_files(options.sources)
    readout = plan.detector.readout
    with ExitStack() as stack:
        outlet = stack.enter_context(plan.open_outlet())
        ranges = [r for name, size in files for r in ranges_of(name, size, opener, readout)]

        def parts() -> Iterator[Part]:
            return decode_ranges(session, ranges, opener, readout)

        intake: Any = _Files(parts, [task.name for task in ranges], stop)
        supply = FileSupply(intake, lambda: sum(size for _, size in files))
        shown = stack.enter_context(shown_run(plan, outlet, supply))
        shown.go_on()
        return shown.conclude(stop, paused=False)
