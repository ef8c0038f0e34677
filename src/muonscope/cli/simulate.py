"""The ``simulate`` command."""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa
from pyarrow import parquet
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from muonscope.errors import OptionError
from muonscope.kernels import SIMULATION, load_kernels
from muonscope.opening import load_detector
from muonscope.replaying.word_files import encoder_for, format_of, writing, writing_words
from muonscope.simulation.options import Simulation, detector_of, simulation_of
from muonscope.stopping import Stop
from muonscope.transports.kafka.options import KafkaOptions, kafka_options
from muonscope.transports.kafka.url import is_kafka_url
from muonscope.transports.recording_folder import RecordingFolder
from muonscope.words.codec import Encoder
from muonscope.words.layout import Words

load_kernels(SIMULATION)

from muonscope.simulation.telescope import Batch, simulate  # noqa: E402
from muonscope.simulation.truth import TruthTables  # noqa: E402

__all__ = ["Options", "simulate_to"]

_TRANSFER_WORDS = 128
_POLL_S = 0.02
_SPEEDS = (1e-3, 1e6)
_TRUTH_ROWS = 1 << 19


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The options of the command, as they were written."""

    dest: str
    detector: str
    profile: str
    given: Mapping[str, Sequence[str]]
    """Seconds, words, seed and so on, by the names they have in URLs, too."""
    truth: str
    format: str
    speed: float | None
    """How much faster than the real telescope; None as fast as can be."""
    force: bool
    kafka_config: str
    partitions: int | None


def simulate_to(options: Options) -> int:
    """Write a simulation to a file, folder, topic or standard output; return the exit code.

    Raises
    ------
    OptionError
        If an option makes no sense.
    SourceError, SinkError
        If DEST or the truth exists without force, or cannot be written.
    """
    low, high = _SPEEDS
    if options.speed is not None and not low <= options.speed <= high:
        raise OptionError(f"--speed: found {options.speed:g}, expected {low:g} .. {high:g}")
    detector = load_detector(options.detector) if options.detector else detector_of(options.profile)
    given = dict(options.given)
    if options.speed is not None and "words" not in given:
        given.setdefault("seconds", ["inf"])
    simulation = simulation_of(options.profile, given, detector)
    _check_names(options)
    stop, console = Stop(), Console(stderr=True)
    kafka = kafka_options(options.kafka_config, stop, partitions=options.partitions, no_wait=True)
    with stop.listening(), ExitStack() as stack:
        write = stack.enter_context(_destination(options, simulation, kafka, stop))
        truth = stack.enter_context(_truth(options, simulation))
        bar = stack.enter_context(_Bar(simulation, console))
        words, seconds = 0, 0.0
        for batch in _paced(simulate(simulation), options.speed, stop):
            write(batch.stream.words)
            truth(batch)
            words += len(batch.stream)
            seconds = float(batch.seconds[-1]) if len(batch.seconds) else seconds
            bar.update(words, seconds)
    text = "stopped after " if stop else ""
    where = "standard output" if options.dest == "-" else options.dest
    with suppress(OSError):  # what is shown is for people only
        text += f"{words:,} words of {seconds:,.1f} s written to {where}"
        console.print(text, soft_wrap=True, markup=False, highlight=False)
    return stop.exit_code


def _check_names(options: Options) -> None:
    """Refuse names that are empty, or would have words and truth in one place."""
    if not options.dest:
        raise OptionError("DEST: found an empty name, expected a file, a folder or -")
    if not options.truth:
        return
    truth, dest = Path(options.truth).resolve(), Path(options.dest).resolve()
    if truth.suffix.lower() != ".parquet":
        raise OptionError(f"--truth: found {options.truth!r}, expected a name ending in .parquet")
    in_folder = truth.parent == dest and truth.name.startswith("data_")
    if options.dest != "-" and (truth == dest or in_folder):
        raise OptionError(
            f"--truth: found {options.truth!r}, where the words go; expected another name"
        )


@contextmanager
def _destination(
    options: Options, simulation: Simulation, kafka: KafkaOptions, stop: Stop
) -> Iterator[Callable[[Words], None]]:
    """Give what writes words to DEST."""
    dest, is_folder = options.dest, _is_folder(options.dest)
    name = format_of(dest, options.format, "dat" if is_folder or dest == "-" else "")
    run_number = simulation.seed % 2**32 or 1
    if name == "parquet" and options.speed is not None:
        raise OptionError("--format: a parquet file cannot grow; expected another with --speed")

    def new_encoder() -> Encoder:
        return encoder_for(name, simulation.detector, run_number)

    if is_kafka_url(dest):
        from muonscope.replaying.sending import sending  # brings the client

        overwrite = options.force and not options.truth
        with sending(
            dest, simulation.detector, kafka, stop, json=name == "json", force=overwrite
        ) as send:
            yield send
        return
    if is_folder:
        ending = {"json": ".jsonl", "block": ".block", "dat129": ".dat"}.get(name, f".{name}")
        folder = RecordingFolder(Path(dest), ending, new_encoder, force=options.force)
        try:
            yield folder.write
        finally:
            folder.close()
        return
    grows = options.speed is not None
    with writing_words(dest, new_encoder(), force=options.force, grows=grows) as write:
        yield write


def _is_folder(dest: str) -> bool:
    if is_kafka_url(dest):
        return False
    if dest == "-" or Path(dest).suffix or (Path(dest).exists() and not Path(dest).is_dir()):
        return dest.endswith("/") or Path(dest).is_dir()
    return True


@contextmanager
def _truth(options: Options, simulation: Simulation) -> Iterator[Callable[[Batch], None]]:
    """Give what writes the truth of batches."""
    if not options.truth:
        yield lambda _: None
        return
    tables = TruthTables(simulation)
    with (
        writing(options.truth, force=options.force) as file,
        parquet.ParquetWriter(file, tables.schema, compression="zstd") as writer,
    ):
        waiting: dict[str, list[Any]] = {"muons": [], "hits": []}

        def flush(kind: str, most: int) -> None:
            if sum(map(len, waiting[kind])) > most:
                writer.write_table(pa.concat_tables(waiting[kind]))
                waiting[kind].clear()

        def write(batch: Batch) -> None:
            waiting["muons"].append(tables.muons(batch.muons))
            waiting["hits"].append(tables.hits(batch))
            for kind in waiting:
                flush(kind, _TRUTH_ROWS)

        writer.write_table(tables.faults())
        yield write
        for kind in waiting:
            flush(kind, 0)


def _paced(batches: Iterator[Batch], speed: float | None, stop: Stop) -> Iterator[Batch]:
    """Give batches as they are, or their words when the telescope would have written them.

    Those leave in DMA transfers of 128 words; a stop waits for the end of one.
    """
    if speed is None:
        for batch in batches:
            yield batch
            if stop:
                return
        return
    start, before = time.monotonic(), 0
    for batch in batches:
        at, muons, n = 0, batch.muons, len(batch.seconds)
        while at < n:
            begun = (before + at) % _TRANSFER_WORDS
            if stop and not begun:
                return
            now = (time.monotonic() - start) * speed
            end = int(np.searchsorted(batch.seconds, now))
            if stop:
                end = min(n, at + _TRANSFER_WORDS - begun)
            elif end < n:
                end = max(at, (before + end) // _TRANSFER_WORDS * _TRANSFER_WORDS - before)
            if end > at:
                part = slice(at, end)
                yield Batch(batch.stream.take(part), batch.seconds[part], muons)
                at, muons = end, muons.take(slice(0))
            else:
                time.sleep(_POLL_S)
        before += n


class _Bar:
    """A progress bar on a terminal, nothing elsewhere."""

    def __init__(self, simulation: Simulation, console: Console) -> None:
        self._progress = Progress(
            BarColumn(), TextColumn("{task.fields[text]}"), TimeRemainingColumn(),
            console=console, transient=True, disable=not console.is_terminal,
        )  # fmt: skip
        by_words = simulation.words is not None
        total = simulation.words if by_words else simulation.seconds
        endless = total is None or total == math.inf
        self._task = self._progress.add_task("", total=None if endless else total, text="")
        self._by_words = by_words

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def update(self, words: int, seconds: float) -> None:
        """Show how far it is."""
        text = f"{words:,} words, {seconds:,.1f} s"
        done = words if self._by_words else seconds
        self._progress.update(self._task, completed=done, text=text)
