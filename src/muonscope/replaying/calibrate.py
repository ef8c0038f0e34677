"""Constants of a telescope from words or results: fitted, told, written as a detector file."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from muonscope.counting.blocks import WITH_TRACKS
from muonscope.counting.hits import hits_of, scintillator_hits
from muonscope.detector import Detector
from muonscope.detector.write import detector_toml
from muonscope.errors import FormatError, OptionError, SourceError
from muonscope.events import Tell, ignore
from muonscope.intake.find_results import (
    Found,
    detector_of_results,
    find_results,
    results_in,
)
from muonscope.replaying.options import CalibrateOptions, asked_in_python
from muonscope.replaying.pane_source import PaneSource
from muonscope.results.read_message import Remainder
from muonscope.results.seen_windows import SeenWindows
from muonscope.stopping import Stop, Stopped
from muonscope.tracking.cabling import corrected
from muonscope.tracking.calibration import (
    LEAST_TRACKS,
    Calibration,
    calibrated,
    calibrated_by_sums,
)
from muonscope.tracking.histograms import RESIDUAL
from muonscope.transports.files import shown
from muonscope.transports.kafka.options import kafka_options
from muonscope.transports.new_file import writing
from muonscope.units import BX_PER_ORBIT

__all__ = ["MOST_HITS", "calibrate", "calibrate_with"]

MOST_HITS = 3_000_000
"""Hits that are used, some half a gigabyte of memory: a quarter of an hour at 3,000 a second, after
which errors are smaller than what the drift relation leaves."""

Wholes = npt.NDArray[np.int64]


def calibrate(source: Any, **options: Any) -> Calibration:
    """Return the constants of a telescope that follow from tracks in words, or sums in results.

    Parameters
    ----------
    source
        A file, folder, glob or URL, or several files or folders.
    options
        As those of the command ``muonscope calibrate``, with ``_`` for ``-``: see
        :class:`~muonscope.replaying.options.CalibrateOptions`; ``to`` and ``force`` are for the
        command.

    Returns
    -------
    Calibration
        ``detector`` has the new constants, ``constants`` each of them with its error.

    Raises
    ------
    MuonscopeError
        As the command.

    Examples
    --------
    >>> import muonscope
    >>> found = muonscope.calibrate("sim:quiet?seconds=30")
    >>> abs(found.detector.drift_velocity_um_per_ns / 54.2 - 1) < 0.005
    True
    """
    wanted = asked_in_python(CalibrateOptions, source, options, what="constants")
    return calibrate_with(wanted, ignore, Stop())


def calibrate_with(options: CalibrateOptions, tell: Tell, stop: Stop) -> Calibration:
    """Fit constants; write a detector file, where one is asked for.

    Raises
    ------
    OptionError
        If no view has two chambers, or an option makes no sense.
    SourceError
        If there are too few tracks, sources cannot be read, or ``to`` cannot tell the cables.
    FormatError
        If sources hold results of another detector, or without tracks.
    SinkError
        If the file cannot be written.
    Stopped
        If it is stopped before all is read: nothing is fitted then.
    """
    if options.to and not options.to.endswith(".toml"):
        raise OptionError(f"--to: found {options.to!r}, expected a name in .toml")
    kafka = kafka_options(options.kafka_config, stop=stop, tell=tell)
    results = find_results(options.sources, kafka, stop)
    with stop.listening():
        found = (
            _by_words(options, tell, stop)
            if results is None
            else _by_results(results, options, stop)
        )
    if isinstance(found, int):
        raise SourceError(
            f"found {found:,} tracks over two chambers, expected {LEAST_TRACKS} or more: give a"
            " longer recording, some 20 s at 3,000 hits a second"
        )
    if found.cabling:
        cabled = corrected(found.detector, found.cabling.place)
        if cabled is None and options.to:
            raise SourceError(
                f"{'; '.join(found.cabling.problems)}: a detector file cannot say that channels of"
                " several chambers are mixed; put the cables right, or leave out --to"
            )
        found = replace(found, detector=cabled or found.detector)
    if options.to:
        name = shown(" ".join(options.sources))
        text = detector_toml(
            found.detector,
            (f"Constants from {found.tracks:,} tracks of {name}, by muonscope calibrate.",),
        )
        with writing(options.to, force=options.force) as file:
            file.write(text.encode())
    return found


def _check_views(detector: Detector) -> None:
    views = [chamber.view for chamber in detector.chambers]
    if all(views.count(view) < 2 for view in views):
        raise OptionError(
            f"detector {detector.name}: no view has two chambers; constants follow from tracks"
            " over several"
        )


def _by_words(options: CalibrateOptions, tell: Tell, stop: Stop) -> Calibration | int:
    """Return the constants that the tracks of words tell."""
    source = PaneSource(
        sources=options.sources, wanted=options.detector, kafka_config=options.kafka_config,
        allow_duplicates=options.allow_duplicates, tell=tell, stop=stop,
    )  # fmt: skip
    _check_views(source.detector)
    times, cells, scintillator = (np.concatenate(of) for of in zip(*_hits(source), strict=True))
    if stop:
        raise Stopped(stop.exit_code)
    return calibrated(source.detector, times, cells, scintillator)


def _by_results(results: Found, options: CalibrateOptions, stop: Stop) -> Calibration | int:
    """Return the constants that the sums of windows tell, each window once."""
    detector = detector_of_results(results, options.sources, options.detector)
    _check_views(detector)
    seen: dict[str, SeenWindows] = {}
    arrays: dict[str, Wholes] = {}
    for result in results_in(results, detector, WITH_TRACKS, stop):
        if isinstance(result, Remainder) or not seen.setdefault(
            result.run, SeenWindows()
        ).is_new(*result.place):  # fmt: skip
            continue
        if result.detector_hash != detector.fingerprint:
            raise FormatError(
                f"window {result.window} of run {result.run}: counted with another detector file"
                f" ({result.detector_hash or 'not told'}) than {detector.name}"
                f" ({detector.fingerprint}); give that one with -d"
            )
        for name in ("track_normal", "tracks", "track_residual", "tracked"):
            counts = result.summary.arrays[name].astype(np.int64)
            arrays[name] = arrays[name] + counts if name in arrays else counts
    if stop:
        raise Stopped(stop.exit_code)
    if not arrays or not arrays["tracked"][0]:
        raise FormatError(f"{' '.join(options.sources)}: holds no window with tracks")
    return calibrated_by_sums(
        detector, arrays["track_normal"], int(arrays["tracks"][:, 1:].sum()),
        RESIDUAL.half_width(arrays["track_residual"].sum(axis=0)),
    )  # fmt: skip


def _hits(source: PaneSource) -> Iterator[tuple[Wholes, Wholes, Wholes]]:
    """Yield times and cells of hits, times of scintillators, until there are enough hits.

    Epochs are far apart.
    """
    yield (np.empty(0, np.int64),) * 3
    orbit = BX_PER_ORBIT * source.detector.readout.ticks_per_bx
    begins: dict[int, int] = {}
    n, last = 0, 0
    for panes in source.panes():
        hits = hits_of(panes, source.detector, source.table)
        epoch = panes.epoch[np.repeat(np.arange(len(panes)), np.diff(hits.ends, prepend=0))]
        flash, pane = scintillator_hits(panes, source.detector, source.table)
        for number in np.unique(epoch[hits.own]).tolist():
            mine = hits.own & (epoch == number)
            time = hits.time[mine]
            if number not in begins:
                begins[number] = last + orbit - int(time.min())
            time = time + begins[number]
            last = max(last, int(time.max()))
            n += len(time)
            flashes = flash[panes.epoch[pane] == number] + begins[number]
            yield time, hits.cell[mine], flashes
        if n >= MOST_HITS:
            return
