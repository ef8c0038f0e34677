"""An oracle of the table of hits: a dictionary of orbits, and nothing of muonscope's counting."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from muonscope.detector import Detector

__all__ = ["Hit", "by_orbit", "expected_hits"]

Hit = tuple[int, int, int, bool]
"""Time in ticks, chamber, cell, and whether it is the pane's own."""


def by_orbit(words: Iterable[int]) -> dict[int, list[int]]:
    """Return v2 words by the orbit that they name."""
    orbits: dict[int, list[int]] = defaultdict(list)
    for word in words:
        orbits[word >> 17 & 0xFFFFFFFF].append(word)
    return orbits


def expected_hits(
    orbits: Mapping[int, list[int]], first: int, stop: int, detector: Detector
) -> list[Hit]:
    """Return the hits of a pane of orbits ``first`` up to ``stop``, with one orbit around it."""
    cells, hits = detector.cells(), []
    place = {
        (int(f), int(c)): n for n, (f, c) in enumerate(zip(cells.fpga, cells.channel, strict=True))
    }
    for orbit in sorted(o for o in orbits if first - 1 <= o <= stop):
        for word in orbits[orbit]:
            cell = place.get((word >> 58 & 7, word >> 49 & 511))
            if cell is not None:
                bx, tdc = word >> 5 & 4095, word & 31
                time = (orbit * 3564 + bx) * detector.readout.ticks_per_bx + tdc
                hits.append((time, int(cells.chamber[cell]), cell, first <= orbit < stop))
    return sorted(hits)
