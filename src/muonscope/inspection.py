"""Inspection of an unknown recording: format, words, time, rates, and everything odd.

One pass over the words, in bounded memory. Without a named detector, the shipped one that
maps most of the first words is taken. Limits for odd channels are those of the quality
notes: noisy above max(5 x layer median, median + 8 sigma), silent with no hit, weak below
0.3 x the median, where that is at least 20 hits. A layer with fewer is held against the
median of all channels.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from muonscope.counting.counter import Counter
from muonscope.counting.doubts import Counts, Doubter
from muonscope.counting.fitting import best_detector, best_of, prefix_bytes
from muonscope.counting.geometry_fit import GeometryFit
from muonscope.counting.summary import Summary
from muonscope.counting.window_spec import Note
from muonscope.counting.window_table import WindowTable
from muonscope.counting.word_classes import Timeless, class_table
from muonscope.detector import Detector, setup_names, shipped_detector
from muonscope.errors import MuonscopeError
from muonscope.events import Tell, ignore
from muonscope.inspection_report import Epoch, OddChannel, OddWords, Report
from muonscope.intake.batch import WordBatch, WordSource
from muonscope.intake.message_book import ORDER_KEY
from muonscope.intake.opening import (
    check_sources,
    detector_for,
    first_bytes,
    is_simulated,
    open_bytes,
    open_words,
)
from muonscope.intake.streams import StreamIntake
from muonscope.transports.base import ByteSource, Piece
from muonscope.transports.kafka.options import KafkaOptions
from muonscope.transports.kafka.url import is_kafka_url
from muonscope.units import BX_PER_ORBIT, ORBIT_S
from muonscope.words.codec import Decoded
from muonscope.words.detect import PARQUET_MAGIC
from muonscope.words.layout import Words, fpga_mask, top_head_shift
from muonscope.words.rejects import Rejects

__all__ = ["inspect_bytes", "inspect_sources"]

_ASKED = "as asked for"
_FIRST_BYTES = 1 << 24
_TOP = 1 << 15
_EXAMPLES = 5
_NOTES = 100
_HOLE_S = 1.0
_ENOUGH_HITS = 20


class _SeenBefore:
    """A source of bytes whose first pieces were looked at before."""

    def __init__(self, seen: list[Piece], rest: Iterator[Piece]) -> None:
        self._seen, self._rest = seen, rest

    def pieces(self) -> Iterator[Piece]:
        yield from self._seen
        yield from self._rest

    def size(self) -> None:
        return None

    def hold(self, streams: Collection[int]) -> None:
        pass


def inspect_sources(
    sources: Sequence[str],
    detector: Detector | None = None,
    kafka: KafkaOptions | None = None,
    *,
    tell: Tell = ignore,
    allow_duplicates: bool = False,
) -> Report:
    """Read what ``sources`` hold to its end and report; choose the detector if none is given.

    Words that several files hold are read once, and ``tell`` is told so, unless
    ``allow_duplicates``.

    Raises
    ------
    OptionError
        If kinds of sources are mixed.
    SourceError
        If a source names nothing, or cannot be opened.
    """
    check_sources(sources)
    if detector is not None:
        words = open_words(sources, detector, kafka, tell=tell, allow_duplicates=allow_duplicates)
        return _report(words, detector, _ASKED)
    if is_simulated(sources):
        detector = detector_for(sources)
        return _report(open_words(sources, detector), detector, _ASKED)
    if is_kafka_url(sources[0]):
        return _inspect_topic(sources, kafka)
    first = b"" if allow_duplicates else first_bytes(sources, _FIRST_BYTES)
    if not first:
        return inspect_bytes(open_bytes(sources))
    detector, share = best_detector(first)
    return _report(open_words(sources, detector, tell=tell), detector, _chosen(share))


def inspect_bytes(source: ByteSource, detector: Detector | None = None) -> Report:
    """Read ``source`` to its end and report; choose the detector if none is given."""
    if detector is not None:
        return _report(StreamIntake(source, detector.readout), detector, _ASKED)
    pieces = source.pieces()
    seen: list[Piece] = []
    first = b""
    for piece in pieces:
        seen.append(piece)
        first += piece.data
        enough = len(first) >= prefix_bytes(first) and not first.startswith(PARQUET_MAGIC)
        if piece.ended or enough:
            break
    detector, share = best_detector(first)
    words = StreamIntake(_SeenBefore(seen, pieces), detector.readout)
    return _report(words, detector, _chosen(share))


def _inspect_topic(sources: Sequence[str], kafka: KafkaOptions | None) -> Report:
    """Read a topic twice: the first words tell the detector."""
    first = _first_words(open_words(sources, shipped_detector(), kafka))
    detector, share = best_of({name: [Decoded(first)] for name in setup_names()})
    return _report(open_words(sources, detector, kafka), detector, _chosen(share))


def _first_words(source: WordSource) -> Words:
    batches = source.batches()
    try:
        return next((batch.words for batch in batches if len(batch.words)), np.empty(0, np.uint64))
    finally:
        batches.close()  # type: ignore[attr-defined] # generators have it


def _chosen(share: float) -> str:
    return f"maps {share:.0%} of the first words" if share else "the default; none fits"


def _report(source: WordSource, detector: Detector, chosen: str) -> Report:
    inspector = _Inspector(detector)
    for batch in source.batches():
        inspector.take(batch)
    return inspector.report(chosen)


class _Inspector:
    """Adds up what a report needs."""

    def __init__(self, detector: Detector) -> None:
        self._detector, self._table = detector, class_table(detector)
        self._counter = Counter(detector)
        self._tops = np.zeros(_TOP, np.int64)
        self._total = Summary.empty(detector).condensed()
        self._epochs: dict[int, Epoch] = {}
        self._odd = {
            kind: OddWords(kind=kind)
            for kind in ("unmapped channel", "unknown HEAD", "BX >= 3564", "repeated word")
        }
        self._streams: dict[str, dict[str, Any]] = {}
        self._notes: list[Note] = []
        self._errors: list[MuonscopeError] = []
        self._doubter = Doubter(detector)
        self._geometry = GeometryFit(detector)
        self._bytes: dict[str, int] = {}
        self.rejects = Rejects()

    def take(self, batch: WordBatch) -> None:
        words = batch.words
        self.rejects.add(batch.rejects)
        if batch.error:
            self._errors.append(batch.error)
        self._doubter.sample(words, batch.guess.format if batch.guess else "")
        for key, position in batch.positions.items():
            self._bytes[key] = position.bytes_in
            guess = batch.guess
            if guess and key != ORDER_KEY:
                self._streams[key] = {
                    "name": position.name,
                    "format": guess.format,
                    "confidence": round(guess.confidence, 3),
                    "reason": guess.reason,
                    "compression": batch.compression,
                    "bytes": position.bytes_in,
                }
        self._geometry.take(words)
        self._note_odd(words, self._counter.words_in)
        self._tops += np.bincount((words >> np.uint64(49)).astype(np.int64), minlength=_TOP)
        self._note_windows(self._counter.push(words))

    def report(self, chosen: str) -> Report:
        self._note_windows(self._counter.finish())
        total = self._total.merge(self._counter.remainder)
        self._doubter.conclude(self._counts(total), self.rejects)
        version = self._detector.readout.version
        tops = np.arange(_TOP)
        heads, fpgas = tops >> top_head_shift(version), (tops >> 9) & fpga_mask(version)
        unmapped = self._tops[np.flatnonzero(self._table.kind == 1 + Timeless.UNMAPPED)]
        places = np.flatnonzero(self._table.kind == 1 + Timeless.UNMAPPED)
        for place in places[np.argsort(unmapped)[::-1][:_EXAMPLES]].tolist():
            if self._tops[place]:
                name = f"HEAD {heads[place]} FPGA {fpgas[place]} channel {place & 511}"
                self._odd["unmapped channel"].detail[name] = int(self._tops[place])
        epochs = [self._epochs[number] for number in sorted(self._epochs)]
        live_s = sum(epoch.live_s for epoch in epochs)
        return Report(
            detector=self._detector,
            chosen=chosen,
            streams=list(self._streams.values()),
            words_by_head=_nonzero(np.bincount(heads, self._tops)),
            words_by_fpga=_nonzero(np.bincount(fpgas, self._tops)),
            total=total,
            epochs=epochs,
            odd_channels=list(_odd_channels(total, live_s)),
            odd_words=[odd for odd in self._odd.values() if odd.count],
            notes=self._notes,
            rejects=self.rejects,
            errors=self._errors,
            doubts=self._doubter.doubts,
            fits_better=self._geometry.better(),
        )

    def _counts(self, total: Summary) -> Counts:
        return replace(
            Counts.of(total),
            bytes_in=sum(self._bytes.values()),
            bytes_rejected=self.rejects.bytes_rejected,
            rejects={code.name: n for code, n in self.rejects.count.items()},
            epochs=self._counter.epochs,
            streams=1 if ORDER_KEY in self._bytes else len(self._bytes),
        )

    def _note_odd(self, words: Words, first: int) -> None:
        kinds = self._table.kind[words >> np.uint64(49)]
        bad_bx = (words >> np.uint64(5) & np.uint64(4095)) >= BX_PER_ORBIT
        order = np.argsort(words, kind="stable")
        repeated = np.zeros(len(words), np.bool_)
        repeated[order[1:]] = words[order[1:]] == words[order[:-1]]
        for kind, rows in (
            ("unmapped channel", kinds == 1 + Timeless.UNMAPPED),
            ("unknown HEAD", kinds == 1 + Timeless.INVALID_HEAD),
            ("BX >= 3564", (kinds == 0) & bad_bx),
            ("repeated word", repeated),
        ):
            places = np.flatnonzero(rows)
            odd = self._odd[kind]
            odd.count += len(places)
            odd.first += (places[: _EXAMPLES - len(odd.first)] + first).tolist()

    def _note_windows(self, windows: WindowTable) -> None:
        notes = self._counter.notes()
        self._doubter.note(notes, self._counter.orbit)
        self._notes += notes[: max(0, _NOTES - len(self._notes))]
        self._total = self._total.merge(windows.total())
        begin = 0
        for number, end in zip(
            windows.epoch.tolist(), windows.orbit_ends[:, -1].tolist(), strict=True
        ):
            orbits = np.unique(windows.orbits[begin:end]).astype(np.int64)
            if len(orbits):
                hits = int(windows.orbit_hits[begin:end].sum())
                self._extend(number, orbits, hits)
            begin = end

    def _extend(self, number: int, orbits: npt.NDArray[np.int64], hits: int) -> None:
        first, last = int(orbits[0]), int(orbits[-1])
        epoch = self._epochs.setdefault(
            number, Epoch(number=number, first_orbit=first, last_orbit=first)
        )
        steps = np.diff(orbits, prepend=epoch.last_orbit) * ORBIT_S
        epoch.gaps_s += steps[steps > _HOLE_S].tolist()
        epoch.first_orbit = min(epoch.first_orbit, first)
        epoch.last_orbit = max(epoch.last_orbit, last)
        epoch.hits += hits


def _nonzero(counts: npt.NDArray[Any]) -> dict[int, int]:
    return {int(i): int(counts[i]) for i in np.flatnonzero(counts)}


def _odd_channels(total: Summary, live_s: float) -> Iterator[OddChannel]:
    cells, hits = total.detector.cells(), total.hits_per_cell
    for chamber in range(total.detector.n_chambers):
        for layer in range(1, 5):
            mine = np.flatnonzero((cells.chamber == chamber) & (cells.layer == layer))
            median = float(np.median(hits[mine])) if len(mine) else 0.0
            if median < _ENOUGH_HITS:
                median = float(np.median(hits))
            if median < _ENOUGH_HITS:
                continue
            noisy = max(5 * median, median + 8 * median**0.5)
            for cell in mine.tolist():
                n = int(hits[cell])
                kind = (
                    "noisy" if n > noisy
                    else "silent" if n == 0
                    else "weak" if n < 0.3 * median
                    else ""
                )  # fmt: skip
                if kind:
                    yield OddChannel(
                        kind=kind,
                        chamber=chamber,
                        fpga=int(cells.fpga[cell]),
                        channel=int(cells.channel[cell]),
                        layer=layer,
                        wire=int(cells.wire[cell]),
                        rate_hz=n / live_s,
                        layer_median_hz=median / live_s,
                    )
