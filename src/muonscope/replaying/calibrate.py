"""Constants of a telescope from a recording: fitted, told, and written as a detector file."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from muonscope.counting.hits import hits_of, scintillator_hits
from muonscope.detector.write import detector_toml
from muonscope.errors import OptionError, SourceError
from muonscope.events import Tell, ignore
from muonscope.replaying.options import CalibrateOptions, asked_in_python
from muonscope.replaying.pane_source import PaneSource
from muonscope.replaying.word_files import writing
from muonscope.stopping import Stop, Stopped
from muonscope.tracking.cabling import corrected
from muonscope.tracking.calibration import LEAST_TRACKS, Calibration, calibrated
from muonscope.transports.files import shown
from muonscope.units import BX_PER_ORBIT

__all__ = ["MOST_HITS", "calibrate", "calibrate_with"]

MOST_HITS = 3_000_000
"""Hits that are used, some half a gigabyte of memory: a quarter of an hour at 3,000 a second, after
which errors are smaller than what the drift relation leaves."""

Wholes = npt.NDArray[np.int64]


def calibrate(source: Any, **options: Any) -> Calibration:
    """Return the constants of a telescope that follow from the tracks in a source of words.

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
    SinkError
        If the file cannot be written.
    Stopped
        If it is stopped before all is read: nothing is fitted then.
    """
    if options.to and not options.to.endswith(".toml"):
        raise OptionError(f"--to: found {options.to!r}, expected a name in .toml")
    source = PaneSource(
        sources=options.sources, wanted=options.detector, kafka_config=options.kafka_config,
        allow_duplicates=options.allow_duplicates, tell=tell, stop=stop,
    )  # fmt: skip
    views = [chamber.view for chamber in source.detector.chambers]
    if all(views.count(view) < 2 for view in views):
        raise OptionError(
            f"detector {source.detector.name}: no view has two chambers; constants follow from"
            " tracks over several"
        )
    with stop.listening():
        times, cells, scintillator = (np.concatenate(of) for of in zip(*_hits(source), strict=True))
    if stop:
        raise Stopped(stop.exit_code)
    found = calibrated(source.detector, times, cells, scintillator)
    if isinstance(found, int):
        raise SourceError(
            f"found {found:,} tracks over two chambers, expected {LEAST_TRACKS} or more: give a"
            " longer recording, some 20 s at 3,000 hits a second"
        )
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
