"""Which class each word belongs to: one look-up of its top 15 bits.

HEAD, FPGA and CHANNEL are the top 15 bits of a word in every layout, so a table of
32,768 entries says for any word whether it is a cell of a chamber, a scintillator, a
firmware trigger, or something else; counting per class then gives the six results and
the accounting at once.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from muonscope.detector import Detector
from muonscope.words.layout import ANCILLARY_HEADS, fpga_mask, top_head_shift

__all__ = ["ClassTable", "Timeless", "class_table"]

SCINTILLATOR, TRIGGER = 0xFFFF, 0xFFFE
"""What stands for the chamber in classes that are no cells."""

CHAMBER_SHIFT = 16
"""A word's class is in the low 16 bits of its table entry, its chamber above."""

_TOP = 1 << 15


class Timeless(IntEnum):
    """Words that have no usable time of their own, in the order of their counters.

    They are counted in the window in which the clock of their FPGA stands.
    """

    ANCILLARY = 0
    """Another HEAD than hits, that exists."""
    UNMAPPED = 1
    """A hit word on a channel that the detector does not know."""
    INVALID_HEAD = 2
    """A HEAD that no firmware writes."""
    INVALID_BX = 3
    """A hit with BX >= 3564."""
    INVALID_ORBIT = 4
    """A hit whose orbit no other word supports: a lone jump."""
    LATE = 5
    """A clock word that came after its window was closed."""


@dataclass(frozen=True, slots=True, eq=False)
class ClassTable:
    """The look-up tables of one detector. Clock words are cells, then specials.

    A clock word is one that moves the clock: hit HEAD, known channel. Its class is
    0 .. n_cells - 1 for cells, then one class per scintillator, then one per firmware
    trigger.
    """

    kind: npt.NDArray[np.uint8]
    """Shape (32768,): 0 for clock words, else 1 + :class:`Timeless`."""

    classes: npt.NDArray[np.uint32]
    """Shape (32768,): class of a clock word in the low 16 bits, its chamber above, which
    is 0xFFFF for scintillators and 0xFFFE for triggers; 0 for other words."""

    lane_mask: int
    """Mask of the FPGA field: 7 or 15."""

    lanes: npt.NDArray[np.int64]
    """The FPGAs whose clocks count: those with chambers or scintillators."""

    n_cells: int
    n_scintillators: int
    n_triggers: int

    @property
    def n_classes(self) -> int:
        """Number of classes of clock words."""
        return self.n_cells + self.n_scintillators + self.n_triggers


def class_table(detector: Detector) -> ClassTable:
    """Build the tables of ``detector``."""
    version, hit_head = detector.readout.version, detector.readout.hit_head
    top = np.arange(_TOP)
    head_shift = top_head_shift(version)
    heads = top >> head_shift
    exists = np.isin(heads, [h for h in ANCILLARY_HEADS[version] if h != hit_head])
    kind = np.where(exists, 1 + Timeless.ANCILLARY, 1 + Timeless.INVALID_HEAD).astype(np.uint8)
    kind[heads == hit_head] = 1 + Timeless.UNMAPPED
    clock_class = np.full(_TOP, -1, np.int32)
    cells = detector.cells()
    specials = detector.scintillators + detector.firmware_triggers
    hit = hit_head << head_shift
    clock_class[hit | cells.fpga << 9 | cells.channel] = np.arange(detector.n_cells)
    for index, fpga, channel in detector.special_addresses(specials):
        clock_class[hit | fpga << 9 | channel] = detector.n_cells + index
    kind[clock_class >= 0] = 0
    chamber = np.concatenate(
        [
            cells.chamber,
            np.full(len(detector.scintillators), SCINTILLATOR),
            np.full(len(detector.firmware_triggers), TRIGGER),
        ]
    )
    classes = np.where(clock_class >= 0, clock_class | chamber[clock_class] << CHAMBER_SHIFT, 0)
    return ClassTable(
        kind=kind,
        classes=classes.astype(np.uint32),
        lane_mask=fpga_mask(version),
        lanes=np.array(detector.lanes),
        n_cells=detector.n_cells,
        n_scintillators=len(detector.scintillators),
        n_triggers=len(detector.firmware_triggers),
    )
