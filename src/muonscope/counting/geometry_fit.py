"""Which shipped geometry some words fit, by which channels fire together.

Detectors that are read out alike map each other's words; where their chambers are cabled or placed
in another way, other channels fire together (see :mod:`muonscope.tracking.coincidences`).
"""

import numpy as np

from muonscope.counting.word_classes import class_table
from muonscope.detector import Detector, setup_names, shipped_detector
from muonscope.tracking.coincidences import coincidences, fit_of
from muonscope.tracking.layout import Wholes, layout_of
from muonscope.units import BX_PER_ORBIT
from muonscope.words.layout import Words, unpack

__all__ = ["GeometryFit"]

_MOST_HITS = 500_000
_LEAST_COINCIDENCES = 5_000
_LEAST_GAIN = 0.02
"""Mean logarithm of the likelihood ratio of a coincidence."""


class GeometryFit:
    """Looks at the first half a million hits of some words."""

    def __init__(self, detector: Detector) -> None:
        """Begin without words; ``detector`` is the one that reads them."""
        self._detector, self._layout = detector, layout_of(detector)
        self._counts = np.zeros((detector.n_cells, detector.n_cells), np.int64)
        self._hits = 0

    def take(self, words: Words) -> None:
        """Take some words, in their order; hits in different calls are not compared."""
        if self._hits >= _MOST_HITS:
            return
        readout, table = self._detector.readout, class_table(self._detector)
        tops = words >> np.uint64(49)
        mine = words[(table.kind[tops] == 0)]
        cell = (table.classes[mine >> np.uint64(49)] & np.uint32(0xFFFF)).astype(np.int64)
        fields = unpack(mine, readout.version, readout.hit_head)
        good = (cell < table.n_cells) & (fields.bx < BX_PER_ORBIT)
        bx = fields.orbit[good].astype(np.int64) * BX_PER_ORBIT + fields.bx[good]
        time = bx * readout.ticks_per_bx + fields.tdc[good]
        self._counts += coincidences(self._layout, time, cell[good])
        self._hits += len(time)

    def better(self) -> str:
        """Return the name of the shipped detector that fits clearly better; or nothing."""
        if self._counts.sum() < 2 * _LEAST_COINCIDENCES:
            return ""
        best, most = "", fit_of(self._detector, self._counts) + _LEAST_GAIN
        for name in setup_names():
            other = shipped_detector(name)
            place = _same_channels(self._detector, other)
            if place is not None:
                counts = np.zeros_like(self._counts)
                counts[np.ix_(place, place)] = self._counts
                if (fit := fit_of(other, counts)) > most:
                    best, most = name, fit
        return best


def _same_channels(detector: Detector, other: Detector) -> Wholes | None:
    """Return the cell of ``other`` on the channel of each cell; None if channels differ."""
    one, two = (
        (d.cells().fpga * 512 + d.cells().channel, d.readout.version, d.readout.hit_head)
        for d in (detector, other)
    )
    if one[1:] != two[1:] or not np.array_equal(np.sort(one[0]), np.sort(two[0])):
        return None
    order = np.argsort(two[0])
    place: Wholes = order[np.searchsorted(two[0][order], one[0])]
    return place
