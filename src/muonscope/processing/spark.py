"""Processing with Spark: a cluster reads and decodes, one ordered run publishes."""

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from muonscope import kernels
from muonscope.errors import OptionError
from muonscope.intake.batch import WordBatch
from muonscope.intake.checkpoints import Checkpoints
from muonscope.intake.message_book import MessageBook, partitions_in
from muonscope.intake.opening import STDIN
from muonscope.intake.topic import book_of
from muonscope.processing.inputs import FileWatch, Input, TopicWatch
from muonscope.processing.options import ProcessOptions
from muonscope.processing.outputs import Output, open_output
from muonscope.processing.plan import Plan, plan_of
from muonscope.processing.reporter import Account, Reporter
from muonscope.processing.spark_files import SparkFiles, interleaved
from muonscope.processing.watched import supervised, watched_run
from muonscope.stopping import Stop
from muonscope.stream.messages import Part
from muonscope.stream.ordering import Front

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from muonscope.transports.kafka.consumer import TopicProbe

__all__ = ["process_with_spark"]

JARS_VARIABLE = "MUONSCOPE_SPARK_JARS"


def process_with_spark(options: ProcessOptions, reporter: Reporter, stop: Stop) -> Account:
    """Process with Spark; return where everything went.

    Raises
    ------
    OptionError
        If the sources are none that Spark reads, or it is not installed.
    SourceError
        If Spark does not start, or fails.
    """
    if options.follow or STDIN in options.sources:
        raise OptionError(
            "--engine spark reads topics and whole files; expected neither --follow nor -"
        )
    if options.checkpoint and not options.state:
        options = replace(options, state=_state_folder(options))
    plan = plan_of(options, stop, reporter.tell)
    kernels.load(plan.kernels, tell=reporter.tell)
    from muonscope.engines.spark.session import spark_session  # brings Spark

    jars = os.environ.get(JARS_VARIABLE, "")
    run = _process_files if plan.topic is None else _process_topic
    with spark_session(options.master, jars=jars, connector=plan.topic is not None) as session:
        return supervised(plan, lambda: run(plan, session, reporter, stop), reporter, stop)


def _state_folder(options: ProcessOptions) -> str:
    """Return where the state of results in files goes; results in Kafka keep theirs there."""
    to_file = "://" not in options.to and options.to != "-"
    return str(Path(options.checkpoint) / "state") if to_file else ""


class _MicroBatches:
    """The words of one micro-batch at a time."""

    def __init__(self, book: MessageBook, reached: dict[int, int]) -> None:
        self.book, self.reached = book, reached
        self._parts: list[Part] = []
        self._front: Front | None = None

    def load(self, parts: list[Part], look: Callable[[dict[int, int]], Front]) -> None:
        """Take what is to be given next; ``look`` tells how far the topic reaches."""
        for part in parts:
            self.reached[part.partition] = max(self.reached.get(part.partition, 0), part.end)
        self._parts, self._front = parts, look(self.reached)

    def batches(self) -> Iterator[WordBatch]:
        """Yield what is in order; without a micro-batch, all that waits."""
        if self._front is None:
            yield from self.book.rest()
            return
        self.book.receive(self._parts, self._front)
        yield from self.book.ready(self._front)
        self._parts, self._front = [], None


def _process_topic(plan: Plan, session: "SparkSession", reporter: Reporter, stop: Stop) -> Account:
    """Process a topic until the end, a stop, or a lost transaction."""
    from muonscope.engines.spark.topic import TopicAddress, TopicQuery

    url = plan.topic
    assert url
    with ExitStack() as stack:
        output = stack.enter_context(open_output(plan, reporter.tell))
        topic = stack.enter_context(_probed(plan, output))
        reached = dict(topic.front().reached)
        checkpoints = Checkpoints(time.monotonic, wanted=output.ledger.keeps_state)
        book = book_of(topic, plan.detector.readout, output.positions, checkpoints)
        words = _MicroBatches(book, reached)
        source = Input(words=words, watch=TopicWatch(book, topic))
        watched = stack.enter_context(watched_run(plan, output, source, reporter))
        last = time.monotonic()

        def take(parts: list[Part]) -> None:
            nonlocal last
            if parts:
                last = time.monotonic()
            words.load(parts, topic.look)
            watched.go_on()
            watched.run.save()

        def over() -> bool:
            watched.tell()
            quiet = plan.idle_exit_s is not None and time.monotonic() - last > plan.idle_exit_s
            return bool(stop) or (quiet and not topic.look(reached).behind())

        query = TopicQuery(
            session,
            TopicAddress(url.servers, url.topic, plan.kafka.settings.for_java()),
            readout=plan.detector.readout,
            positions=reached,
            done=book.done_before,
            take=take,
        )
        folder = stack.enter_context(_query_folder(plan.options.checkpoint))
        query.run(folder, f"{plan.trigger_s * 1e3:.0f} milliseconds", stop=over)
        paused = bool(stop) and output.ledger.keeps_state
        if not paused:
            watched.go_on()
        return watched.conclude(stop, paused=paused)


@contextmanager
def _probed(plan: Plan, output: Output) -> Iterator["TopicProbe"]:
    """Give what knows how far the topic reaches, and reads nothing of it."""
    from muonscope.transports.kafka.consumer import Begin  # brings the client
    from muonscope.transports.kafka.opening import probe_topic

    assert plan.topic
    known = partitions_in(output.positions)
    begin = Begin(group=plan.group, known=known, remedy=output.remedy)
    topic = probe_topic(plan.topic, plan.kafka, begin)
    try:
        yield topic
    finally:
        topic.close()


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


def _process_files(plan: Plan, session: "SparkSession", reporter: Reporter, stop: Stop) -> Account:
    """Process files once, each decoded by a worker."""
    from muonscope.engines.spark.files import decode_ranges, ranges_of
    from muonscope.intake.chosen import chosen_files

    if plan.options.state:
        raise OptionError("--engine spark reads files in one go: leave out --state, --checkpoint")
    watch, readout = FileWatch(), plan.detector.readout
    files, opener = chosen_files(plan.sources, plan.once(watch.tell))
    with ExitStack() as stack:
        output = stack.enter_context(open_output(plan, reporter.tell))
        in_order = [r for f in files for r in ranges_of(f.name, f.size, opener, readout)]
        ranges = interleaved(in_order, {file.name: file.stream for file in files})

        def parts() -> Iterator[Part]:
            return decode_ranges(session, ranges, opener, readout)

        words = SparkFiles(ranges, parts, files, readout, stop)
        watch.size = lambda: sum(file.size for file in files)
        source = Input(words=words, watch=watch)
        watched = stack.enter_context(watched_run(plan, output, source, reporter))
        watched.go_on()
        return watched.conclude(stop, paused=False)
