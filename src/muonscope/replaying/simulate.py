"""Writing a simulation: to a file, a folder of files, a topic or standard output."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from muonscope import kernels
from muonscope.errors import OptionError
from muonscope.events import Tell
from muonscope.intake.opening import load_detector
from muonscope.replaying.options import SimulateOptions
from muonscope.replaying.word_files import encoder_for, format_of, writing_words
from muonscope.simulation.options import Simulation, detector_of, simulation_of
from muonscope.simulation.telescope import Batch, simulate
from muonscope.simulation.truth import TruthTables
from muonscope.stopping import Stop
from muonscope.transports.kafka.options import KafkaOptions, kafka_options
from muonscope.transports.kafka.url import is_kafka_url
from muonscope.transports.new_file import writing
from muonscope.transports.recording_folder import RecordingFolder
from muonscope.words.codec import Encoder
from muonscope.words.layout import Words

__all__ = ["simulation_asked_for", "write_simulation"]

_TRANSFER_WORDS = 128
_POLL_S = 0.02
_SPEEDS = (1e-3, 1e6)
_TRUTH_ROWS = 1 << 19


def simulation_asked_for(options: SimulateOptions) -> Simulation:
    """Return what to simulate.

    Raises
    ------
    OptionError
        If an option makes no sense.
    """
    low, high = _SPEEDS
    if options.speed is not None and not low <= options.speed <= high:
        raise OptionError(f"--speed: found {options.speed:g}, expected {low:g} .. {high:g}")
    detector = load_detector(options.detector) if options.detector else detector_of(options.profile)
    given = dict(options.given)
    if options.pace is not None and "words" not in given:
        given.setdefault("seconds", ["inf"])
    simulation = simulation_of(options.profile, given, detector)
    _check_names(options)
    return simulation


def write_simulation(
    options: SimulateOptions,
    simulation: Simulation,
    stop: Stop,
    tell: Tell,
    progress: Callable[[int, float], None],
) -> tuple[int, float]:
    """Write a simulation until its end, or until stopped; return words and seconds written.

    ``progress`` is called with both after each batch.

    Raises
    ------
    OptionError
        If an option makes no sense.
    SourceError, SinkError
        If DEST or the truth exists without force, or cannot be written.
    """
    kafka = kafka_options(options.kafka_config, stop=stop, tell=tell, partitions=options.partitions)
    needed = {kernels.Purpose.SIMULATION} | kernels.needed_to_write(_format(options))
    kernels.load(needed, tell=tell)
    with ExitStack() as stack:
        write = stack.enter_context(_destination(options, simulation, kafka, stop))
        truth = stack.enter_context(_truth(options, simulation))
        words, seconds = 0, 0.0
        for batch in _paced(simulate(simulation), options.pace, stop):
            write(batch.stream.words)
            truth(batch)
            words += len(batch.stream)
            seconds = float(batch.seconds[-1]) if len(batch.seconds) else seconds
            progress(words, seconds)
    return words, seconds


def _check_names(options: SimulateOptions) -> None:
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
    options: SimulateOptions, simulation: Simulation, kafka: KafkaOptions, stop: Stop
) -> Iterator[Callable[[Words], None]]:
    """Give what writes words to DEST."""
    dest, is_folder = options.dest, _is_folder(options.dest)
    name = _format(options)
    run_number = simulation.seed % 2**32 or 1
    if name == "parquet" and options.pace is not None:
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
    grows = options.pace is not None
    with writing_words(dest, new_encoder(), force=options.force, grows=grows) as write:
        yield write


def _format(options: SimulateOptions) -> str:
    dest = options.dest
    return format_of(dest, options.format, "dat" if _is_folder(dest) or dest == "-" else "")


def _is_folder(dest: str) -> bool:
    if is_kafka_url(dest):
        return False
    if dest == "-" or Path(dest).suffix or (Path(dest).exists() and not Path(dest).is_dir()):
        return dest.endswith("/") or Path(dest).is_dir()
    return True


@contextmanager
def _truth(options: SimulateOptions, simulation: Simulation) -> Iterator[Callable[[Batch], None]]:
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
