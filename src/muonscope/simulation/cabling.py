"""Cables of a simulated telescope that are not where its detector file has them. Pure.

What is exchanged is written ``A=B``: two chambers, ``ch0=ch3``; two connectors of 16 channels,
counted from 0, ``ch0.1=ch2.3``; two channels, ``ch0:5=ch1:70``. ``shuffle:SEED`` permutes all.
"""

import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from muonscope.detector import Detector
from muonscope.errors import OptionError
from muonscope.tracking.assignment import CONNECTOR

__all__ = ["channel_of_cells"]

_FORMS = "chN=chM, chN.CONNECTOR=chM.CONNECTOR, chN:CHANNEL=chM:CHANNEL, shuffle:SEED"
_PART = re.compile(r"ch([0-9]{1,4})(?:([.:])([0-9]{1,4}))?")


def channel_of_cells(specs: Sequence[str], detector: Detector) -> npt.NDArray[np.int64]:
    """Return, for each cell, the one on whose channel it is read; ``specs`` hold in their order.

    Raises
    ------
    OptionError
        If one names nothing of the detector, or two things of different sizes.

    Examples
    --------
    >>> from muonscope.detector import shipped_detector
    >>> channel_of_cells(["ch0:5=ch0:9"], shipped_detector())[[5, 9]].tolist()
    [9, 5]
    """
    read_on = np.arange(detector.n_cells)
    for spec in specs:
        if shuffled := re.fullmatch(r"shuffle:([0-9]{1,18})", spec):
            read_on = np.random.default_rng(int(shuffled[1])).permutation(read_on)
            continue
        one, equals, other = spec.partition("=")
        if not equals:
            raise OptionError(f"cabling {spec!r}: expected {_FORMS}")
        first, second = (_cells(spec, part, detector) for part in (one, other))
        if len(first) != len(second):
            raise OptionError(
                f"cabling {spec!r}: found {len(first)} and {len(second)} channels, expected as many"
            )
        read_on[first], read_on[second] = read_on[second], read_on[first]
    return read_on


def _cells(spec: str, part: str, detector: Detector) -> npt.NDArray[np.int64]:
    found = _PART.fullmatch(part)
    if not found or int(found[1]) >= detector.n_chambers:
        last = detector.n_chambers - 1
        raise OptionError(
            f"cabling {spec!r}: found {part!r}, expected {_FORMS} with ch0 .. ch{last}"
        )
    number = int(found[1])
    chamber, first = detector.chambers[number], detector.first_cell(number)
    cells = first + np.arange(chamber.n_channels)
    if found[2] == ".":
        cells = cells[int(found[3]) * CONNECTOR : (int(found[3]) + 1) * CONNECTOR]
    elif found[2]:
        cells = cells[cells - first + chamber.first_channel == int(found[3])]
    if len(cells) == 0:
        raise OptionError(f"cabling {spec!r}: chamber {number} has no {part!r}")
    return cells
