"""The Python API for notebooks: open a recording, get its words, summarise them.

Examples
--------
>>> import muonscope
>>> from muonscope.words.layout import pack_hits
>>> words = pack_hits(2, 0, [5, 6, 7], 1000, [10, 11, 12], 15)
>>> windows = muonscope.summarise(words, "legnaro", window=1.0)
>>> len(windows), windows[0].summary.total_hits
(1, 3)
"""

import math
import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from muonscope.counting.counter import Counter
from muonscope.counting.doubts import nothing_decoded
from muonscope.counting.window_spec import WindowSpec
from muonscope.counting.window_table import WindowTable, joined
from muonscope.detector import Detector
from muonscope.errors import AccountingError, FormatError, OptionError
from muonscope.events import Event
from muonscope.intake.opening import detector_for, load_detector, open_words
from muonscope.results.good_list import GoodList, run_in
from muonscope.simulation.faults import parse_fault
from muonscope.simulation.options import Simulation, detector_of
from muonscope.simulation.profiles import profile_named
from muonscope.transports.kafka.options import KafkaOptions, kafka_settings
from muonscope.transports.kafka.url import is_kafka_url
from muonscope.wording import describe
from muonscope.words.layout import Words
from muonscope.words.rejects import Rejects

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Recording", "Simulated", "open_recording", "rows_of", "simulate", "summarise"]


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording that can be read any number of times: files, folder, glob or URL."""

    source: str
    detector: Detector
    kafka: KafkaOptions | None = field(default=None, compare=False)
    """How to deal with the brokers, where the source is a topic."""
    allow_duplicates: bool = False
    """Whether words that several files hold are given each time."""

    def __repr__(self) -> str:
        """Return one line."""
        return f"<Recording {self.source!r} of detector {self.detector.name}>"

    def batches(self, rejects: Rejects | None = None) -> Iterator[Words]:
        """Yield the words in bounded pieces, each an array of shape (n,).

        What cannot be decoded is added to ``rejects``, if that is given. Words that several
        files hold are given once, with a warning that names the files.

        Raises
        ------
        SourceError, FormatError
            If the source cannot be read, or nothing in it is of a known format.
        """
        words, mine = 0, Rejects()
        opened = open_words(
            [self.source], self.detector, self.kafka,
            tell=_warn, allow_duplicates=self.allow_duplicates,
        )  # fmt: skip
        for batch in opened.batches():
            if batch.error:
                raise batch.error
            mine.add(batch.rejects)
            if rejects is not None:
                rejects.add(batch.rejects)
            words += len(batch.words)
            yield batch.words
        if mine.total and not words:
            raise FormatError(f"{self.source}: {nothing_decoded(mine)}")

    def words(self) -> Words:
        """Return all words, shape (n,), in the order of the recording.

        What cannot be decoded is left out, with a warning that says how much and where;
        ``batches`` gives it in detail.

        Raises
        ------
        SourceError, FormatError
            As ``batches``.
        """
        rejects = Rejects()
        words = np.concatenate([np.empty(0, np.uint64), *self.batches(rejects)])
        if rejects.total:
            text = f"{rejects.total} pieces could not be decoded; first: {rejects.examples[0]}"
            warnings.warn(text, stacklevel=2)
        return words

    def summarise(self, window: float = 1.0) -> WindowTable:
        """Return the summaries of windows of ``window`` seconds."""
        return summarise(self.words(), self.detector, window=window)


def open_recording(
    source: str | os.PathLike[str],
    detector: Detector | str | None = None,
    *,
    kafka_config: str | os.PathLike[str] = "",
    allow_duplicates: bool = False,
) -> Recording:
    """Open a recording; ``detector`` is a shipped name, a TOML file, or a Detector.

    Without one, it is that of the profile for a ``sim:`` URL, else ``legnaro``. A topic is
    read with the client settings in the file ``kafka_config``, lines of ``name = value``, and
    those of the environment (``MUONSCOPE_KAFKA_...``), which win. Words that several files hold,
    such as a recording and its copy, are read once unless ``allow_duplicates``.

    Raises
    ------
    DetectorError
        If there is no such detector.
    OptionError
        If the settings for a topic make no sense.
    """
    name = os.fspath(source)
    kafka = None
    if is_kafka_url(name):
        kafka = KafkaOptions(settings=kafka_settings(os.fspath(kafka_config)))
    known = detector_for([name]) if detector is None else _detector(detector)
    return Recording(name, known, kafka, allow_duplicates)


def _warn(event: Event) -> None:
    warnings.warn(describe(event), stacklevel=2)


@dataclass(frozen=True, slots=True)
class Simulated:
    """A simulated run: words, and what really happened."""

    detector: Detector
    words: Words
    """Shape (n,), in the order of the DAQ."""
    truth: "pa.Table"
    """Muons, hits and faults: see :mod:`muonscope.simulation.truth`."""

    @property
    def muons(self) -> "pa.Table":
        """The muons."""
        return rows_of(self.truth, "muon")

    @property
    def hits(self) -> "pa.Table":
        """What each word comes from, in the order of the words."""
        return rows_of(self.truth, "hit")

    def summarise(self, window: float = 1.0) -> WindowTable:
        """Return the summaries of windows of ``window`` seconds."""
        return summarise(self.words, self.detector, window=window)


def simulate(
    profile: str = "legnaro",
    *,
    detector: Detector | str | None = None,
    seconds: float = 60.0,
    words: int | None = None,
    seed: int = 1,
    rate_scale: float = 1.0,
    faults: Sequence[str] = (),
    cabling: Sequence[str] = (),
) -> Simulated:
    """Simulate a telescope; everything is in memory, about 50 bytes a word.

    Parameters
    ----------
    profile
        ``legnaro``, ``bologna``, ``quiet``, ``trains`` or ``data000``.
    detector
        A shipped name, a TOML file, or a Detector; default: that of the profile.
    seconds, words
        Where it ends: after so much detector time, or so many words if that is earlier.
    seed
        The same seed gives the same words.
    rate_scale
        Times all rates.
    faults
        Such as ``"noisy:ch0:61@20s-40s"``.
    cabling
        Cables that are exchanged, such as ``"ch0=ch3"``.

    Raises
    ------
    OptionError
        If an option makes no sense.

    Examples
    --------
    >>> import muonscope
    >>> run = muonscope.simulate(seconds=2.0, seed=7)
    >>> len(run.words) == len(run.hits)
    True
    """
    import pyarrow as pa

    from muonscope.simulation.telescope import simulate as simulated
    from muonscope.simulation.truth import TruthTables

    for name, texts in (("faults", faults), ("cabling", cabling)):
        if isinstance(texts, str):
            raise OptionError(f"{name}: found {texts!r}, expected a list of texts")
    telescope = detector_of(profile) if detector is None else _detector(detector)
    simulation = Simulation(
        detector=telescope,
        profile=profile_named(profile),
        seconds=seconds,
        words=words,
        seed=seed,
        rate_scale=rate_scale,
        faults=tuple(parse_fault(str(spec), telescope) for spec in faults),
        cabling=tuple(map(str, cabling)),
    )
    if words is None and seconds == math.inf:
        raise OptionError("seconds: found inf without words, expected an end")
    tables = TruthTables(simulation)
    parts, truth = [np.empty(0, np.uint64)], [tables.faults()]
    for batch in simulated(simulation):
        parts.append(batch.stream.words)
        truth += [tables.muons(batch.muons), tables.hits(batch)]
    return Simulated(telescope, np.concatenate(parts), pa.concat_tables(truth))


def rows_of(truth: "pa.Table", kind: str) -> "pa.Table":
    """Return the rows of one kind, ``hit``, ``muon`` or ``fault``, with the columns it has."""
    import pyarrow as pa
    from pyarrow import compute

    rows = truth.filter(compute.equal(truth["kind"].cast(pa.string()), kind))
    empty = [n for n in rows.column_names if n == "kind" or rows[n].null_count == len(rows)]
    return rows.drop_columns(empty) if len(rows) else rows


def summarise(
    words: Words,
    detector: Detector | str = "legnaro",
    *,
    window: float = 1.0,
    lateness: float = 0.1,
    idle_timeout: float = 5.0,
    good: "str | os.PathLike[str] | GoodList | None" = None,
    run: str = "",
) -> WindowTable:
    """Return the exact summaries of ``words`` in windows of ``window`` seconds.

    Parameters
    ----------
    words
        Shape (n,), uint64, in the order in which the DAQ wrote them.
    detector
        A shipped name, a TOML file, or a Detector.
    window
        Length of a window in s, rounded to whole orbits; at most an hour.
    lateness
        How far the words of one FPGA may step back, s.
    idle_timeout
        How far an FPGA may stay behind the fastest before nothing waits for it, s.
    good, run
        Give only the windows that a good-run list, or its file, has of ``run``; the run need not
        be named where the list has only one.

    Raises
    ------
    TypeError
        If ``words`` is not a one-dimensional uint64 array.
    DetectorError, OptionError
        If there is no such detector, or the window makes no sense, or the list lacks the run.
    FormatError
        If the file is no good-run list.
    AccountingError
        If the words are not all accounted for.
    """
    counter = Counter(
        _detector(detector), WindowSpec(window_s=window, lateness_s=lateness, idle_s=idle_timeout)
    )
    table = joined([*counter.push_in_parts(words), *counter.finish_in_parts()])
    table = replace(table, outside=counter.remainder)
    counted = table.total().accounting.words_in
    if counted != counter.words_in:
        raise AccountingError(f"{counter.words_in} words came in, {counted} were counted")
    return table if good is None else _good_windows(table, good, run)


def _good_windows(
    table: WindowTable, good: "str | os.PathLike[str] | GoodList", run: str
) -> WindowTable:
    known = good if isinstance(good, GoodList) else GoodList.read(Path(good))
    run = run_in(known, run)
    rows = [row for row in table if known.holds(run, row.epoch, row.window)]
    return WindowTable.of(table.detector, table.window_orbits, rows, blocks=table.blocks)


def _detector(detector: Detector | str) -> Detector:
    return detector if isinstance(detector, Detector) else load_detector(detector)
