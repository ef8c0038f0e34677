"""What a morning report says in words: lengths of time, numbers of things, its first sentence."""

import math
from collections.abc import Sequence

from muonscope.detector import Detector

__all__ = [
    "TITLES",
    "counted",
    "good_text",
    "joined",
    "length_text",
    "place_text",
    "sentence",
    "share_text",
]


TITLES = {
    "data": "no data",
    "fpga_silent": "FPGA silent",
    "fpga_pauses": "FPGA pauses",
    "telescope_rate": "rate of all chambers",
    "chamber_rate": "rate of the chamber",
    "cell_dead": "dead cell",
    "cell_rate": "rate of the cell",
    "cell_trains": "trains of hits",
    "chamber_cells": "dead cells",
    "synchronous_noise": "synchronous noise",
    "drift_box": "drift times",
    "scintillator": "rate of the scintillator",
    "scintillator_in_time": "few hits with the scintillator",
    "chambers_together": "few muons seen together",
    "track_rate": "rate of tracks",
    "drift_velocity": "drift velocity",
    "chamber_time": "times of the chamber",
    "chamber_place": "place of the chamber",
    "track_residual": "residuals of tracks",
    "chamber_efficiency": "efficiency of the chamber",
    "cell_efficiency": "efficiency of the cell",
    "integrity": "bad words",
    "bytes": "bytes that could not be decoded",
}
"""What a problem is, by the name of its check."""


def place_text(target: str, detector: Detector) -> str:
    """Return a target as people call it.

    Examples
    --------
    >>> from muonscope.detector import shipped_detector
    >>> legnaro = shipped_detector("legnaro")
    >>> [place_text(t, legnaro) for t in ("ch2:20", "ch1", "ch0-ch2", "fpga1", "late")]
    ['chamber 2 channel 20 (layer 4, wire 6)', 'chamber 1', 'chambers 0 and 2', 'FPGA 1', 'late']
    """
    chamber, _, channel = target.partition(":")
    numbers = chamber.replace("ch", "").split("-")
    if target.startswith("fpga"):
        return f"FPGA {target[4:]}"
    if not all(number.isdecimal() for number in numbers):
        return target
    if not channel.isdecimal():
        return f"chamber{'s' if len(numbers) > 1 else ''} {' and '.join(numbers)}"
    cells = detector.cells()
    number = int(numbers[0])
    here = detector.first_cell(number) + int(channel) - detector.chambers[number].first_channel
    where = f"layer {cells.layer[here]}, wire {cells.wire[here]}"
    return f"chamber {number} channel {channel} ({where})"


def length_text(seconds: float) -> str:
    """Return a length of time as people say it, rounded down.

    Examples
    --------
    >>> [length_text(s) for s in (0.4, 40, 80, 900, 86_400, 200_000)]
    ['under 1 s', '40 s', '1 min 20 s', '15 min', '24 h', '2 d 7 h']
    """
    whole = int(seconds + 0.05)  # windows are a little shorter than round numbers
    for unit, name, below, lower in ((86_400, "d", 3600, "h"), (3600, "h", 60, "min"),
                                     (60, "min", 1, "s")):  # fmt: skip
        if whole >= unit and (name != "d" or whole >= 2 * unit):
            rest = whole % unit // below
            return f"{whole // unit} {name}" + (f" {rest} {lower}" if rest else "")
    return f"{whole} s" if whole else "under 1 s"


def counted(n: int, one: str, many: str = "") -> str:
    """Return a number of things: ``1 hole``, ``2 holes``, ``no holes``."""
    return f"{n:,} {one}" if n == 1 else f"{f'{n:,}' if n else 'no'} {many or f'{one}s'}"


def joined(parts: Sequence[str]) -> str:
    """Return some things as a list in a sentence: ``a, b and c``."""
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def share_text(share: float) -> str:
    """Return a share in percent, which says 0 and 100 only of none and all."""
    if share in {0.0, 1.0}:
        return f"{share:.0%}".replace("%", " %")
    told = min(99.9, max(0.1, math.floor(share * 1000 + 0.5) / 10))
    return f"{told:.1f} %"


def good_text(good: int, judged: int) -> str:
    """Return how much of what was judged is good."""
    if not judged:
        return "none of it judged yet"
    if good in {0, judged}:
        return "all good" if good else "none of it good"
    return f"{share_text(good / judged)} good"


def sentence(
    *, period_s: float, live_s: float, good: tuple[int, int], problems: tuple[int, int, int],
    holes: int, waiting: Sequence[str],
) -> str:  # fmt: skip
    """Return the first sentence of a report.

    Parameters
    ----------
    period_s, live_s
        Length of the period, and of the data in it; NaN if nothing came.
    good
        Windows that are good, and that were judged.
    problems
        Numbers of new, old and known ones.
    holes
        Number of times without data.
    waiting
        What waits for somebody.
    """
    waits = _waits(waiting)
    if math.isnan(live_s):
        return (
            f"NO DATA CAME in the last {length_text(period_s)}: see whether the DAQ runs, and"
            f" what archives it; {waits}."
        )
    new, old, known = problems
    told = [(n, word) for n, word in ((new, "new"), (old, "old"), (known, "known")) if n]
    what = "no problems"
    if told:
        (n, word), *others = told
        first = f"{n:,} {word} problem{'s' if n != 1 else ''}"
        what = ", ".join([first, *(f"{m:,} {other}" for m, other in others)])
    calm = not (new or old or holes) and good[0] == good[1] > 0
    share = good_text(*good)
    gaps = f" ({counted(holes, 'hole')})" if holes else ""
    return (
        f"{'All calm: ' if calm else ''}{length_text(live_s)} of data in {length_text(period_s)}"
        f"{gaps}, {share}; {what}; {waits}."
    )


def _waits(waiting: Sequence[str]) -> str:
    if not waiting:
        return "nothing waits for you"
    if len(waiting) == 1:
        return f"1 thing waits for you: {waiting[0]}"
    return f"{len(waiting):,} things wait for you"
