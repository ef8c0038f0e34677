"""How each FPGA took part: its words, how long it was alive, its pauses, words that came twice."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from muonscope.counting.block import (
    COUNT_SCHEMA,
    Block,
    Counts,
    Fragment,
    Message,
    Read,
    Table,
    Writer,
)
from muonscope.counting.told import MOST_COUNT, Told, part, whole
from muonscope.detector import Detector

__all__ = ["FEW_BLOCKS", "LANES", "SHORT_ORBITS", "SILENT_GAPS", "Lanes", "alive_orbits"]

LANES = 16
"""FPGAs that a word can name."""

SILENT_GAPS = 24
"""An FPGA pauses if nothing comes for so many times its mean distance of blocks of orbits with
words, which happens by chance once in 10^10 of them."""

FEW_BLOCKS = 8
"""With fewer blocks than this the distance is not known: the FPGA counts as alive."""

SHORT_ORBITS = 1122
"""A pane below this length, 0.1 s, may be empty by chance: its FPGAs count as alive."""

_NAMES = {
    "words": "lane_words",
    "live_orbits": "lane_orbits",
    "holes": "lane_holes",
    "repeated": "repeated",
}


class Lanes(Block):
    """Counts of each FPGA in :attr:`~muonscope.detector.Detector.lanes`.

    ``lane_words`` (clock words), ``lane_orbits`` (in which it was alive), ``lane_holes``
    (pauses between its words), and ``repeated`` (words equal to an earlier one of the window).
    """

    name = "lanes"
    fused = True
    by_window = frozenset(_NAMES.values())

    def shapes(self, detector: Detector) -> dict[str, tuple[int, ...]]:
        """Return one entry per FPGA with a chamber or a scintillator."""
        return dict.fromkeys(_NAMES.values(), (len(detector.lanes),))

    def writer(self, table: Table, *, max_drift_times: int) -> Writer:  # noqa: ARG002
        """Write ``lanes``."""
        names = [f"fpga{fpga}" for fpga in table.detector.lanes]
        columns = np.stack([table.columns[name] for name in _NAMES.values()], axis=-1).tolist()

        def write(i: int, message: Message, chambers: Sequence[Message]) -> None:  # noqa: ARG001
            message["lanes"] = {
                name: dict(zip(_NAMES, row, strict=True))
                for name, row in zip(names, columns[i], strict=True)
            }

        return write

    def read(self, told: Told) -> Read:
        """Read ``lanes``; those of results of version 1 are taken to be alive all the time."""
        if told.version == 1:
            none = np.zeros(len(told.detector.lanes), np.int64)
            arrays = dict.fromkeys(_NAMES.values(), none)
            return Read(arrays=arrays | {"lane_orbits": none + told.orbits})
        lanes = part(told.message, "lanes")
        rows = [part(lanes, f"fpga{fpga}", "lanes.") for fpga in told.detector.lanes]
        return Read(
            arrays={
                name: np.array([whole(row, key, MOST_COUNT) for row in rows], np.int64)
                for key, name in _NAMES.items()
            }
        )

    def schema(self) -> Fragment:
        """Return the schema of ``lanes``."""
        texts = {
            "words": "Words of hits, scintillators and triggers.",
            "live_orbits": "Orbits of the window in which the FPGA was alive.",
            "holes": "Pauses between its words.",
            "repeated": "Words that are equal to an earlier one of the window.",
        }
        lane: dict[str, Any] = {
            "type": "object",
            "required": list(texts),
            "additionalProperties": False,
            "properties": {name: {**COUNT_SCHEMA, "description": t} for name, t in texts.items()},
        }
        lanes = {
            "type": "object",
            "description": "By FPGA: fpga0, fpga1, ...",
            "additionalProperties": {"$ref": "#/$defs/lane"},
        }
        return Fragment(message={"lanes": lanes}, definitions={"lane": lane})


def alive_orbits(counts: Counts) -> int:
    """Return in how many orbits the telescope was alive: those of its longest-living FPGA.

    Without a word, or where this was not counted, it is all that were looked at.
    """
    lanes = counts.arrays.get("lane_orbits")
    alive = 0 if lanes is None else int(lanes.max(initial=0))
    return alive or counts.live_orbits
