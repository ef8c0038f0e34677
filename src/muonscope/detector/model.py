"""The description of a telescope: which channel is which cell, and where; frozen values.

Pure data and arithmetic. Lengths are mm, times ns, angles rad. Nothing here reads
files; :mod:`muonscope.detector.load` does.
"""

from dataclasses import dataclass, field
from hashlib import sha256

import numpy as np
import numpy.typing as npt

from muonscope.units import CELL_HEIGHT_MM, CELL_WIDTH_MM

__all__ = ["Cells", "Chamber", "Detector", "Readout", "SpecialChannel"]

_LAYER_OF_PIN = np.array([4, 2, 3, 1])
_LAYERS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Readout:
    """How the DAQ of a telescope writes its words."""

    version: int
    """Word layout: 1 (2018-20: HEAD of 2 bits, FPGA of 4) or 2 (v2 and v3: 3 and 3)."""

    hit_head: int
    """The HEAD value that marks a hit: 2 in v2 words, 1 in v1 words."""

    ticks_per_bx: int = 30
    """TDC ticks in one BX of 25 ns: 30 or 32."""

    text_channel_base: int = 0
    """What the text files write for channel 0 of the binary: 0 (v2) or 1 (v1)."""

    text_tdc_base: int = 1
    """What the text files write for TDC 1 of the binary: 1 (v2) or 0 (v1)."""

    pins: tuple[int, ...] = field(default=(), repr=False)  # what is saved knows it by its repr
    """The OBDT pin, 0 .. 239, of each channel from 0 on; none where no text names pins."""

    blocks_of: str = field(default="", repr=False, compare=False)
    """Name of the detector that packed blocks must be of; none where any may be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chamber:
    """One drift-tube chamber: four layers of cells read by one range of channels."""

    label: str
    """Name for people, such as ``"chamber 0"``."""

    fpga: int
    """FPGA that reads the chamber."""

    first_channel: int
    """Lowest TDC channel, 0 .. 511."""

    last_channel: int
    """Highest TDC channel, inclusive."""

    view: str
    """``"phi"`` (measures x) or ``"theta"`` (measures y)."""

    z_mm: float
    """Height of the chamber's centre, mm."""

    offset_mm: float = 0.0
    """Shift along the measured axis, mm."""

    tilt_rad: float = 0.0
    """Rotation in the measured plane, rad."""

    drift_offset_ns: float = 0.0
    """Added to t_hit - t_scintillator to give the drift time, ns."""

    recabled: tuple[tuple[int, int], ...] = field(default=(), repr=False)  # as Readout.pins
    """Pairs: a channel, and that whose cell it carries; others carry their own."""

    layer_times_ns: tuple[float, ...] = field(default=(), repr=False)
    """Added to the times of hits of the layers 1 .. 4 where tracks are looked for; none: zeros."""

    @property
    def n_channels(self) -> int:
        """Number of channels, which is the number of cells."""
        return self.last_channel - self.first_channel + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecialChannel:
    """A channel that is no wire: a scintillator or a firmware trigger."""

    label: str
    """Name for people."""

    fpga: int | None
    """FPGA, or None for the same channel of every FPGA that has a chamber."""

    channel: int
    """TDC channel, 0 .. 511."""


@dataclass(frozen=True, slots=True)
class Cells:
    """All cells of a detector in one numbering: chamber by chamber, channel by channel.

    Every field is an array of shape ``(n_cells,)``. Layer and wire follow the map that
    all published codes share: with ``c`` counted from the chamber's first channel,
    wire = c // 4 + 1 and layer = 4, 2, 3, 1 for c mod 4 = 0, 1, 2, 3 (1 is the bottom).
    Layers 1 and 3 sit half a cell (+21 mm) from layers 2 and 4 (Mmiglio/miniDT).
    """

    chamber: npt.NDArray[np.int64]
    """Chamber number, 0 .. n_chambers - 1."""

    fpga: npt.NDArray[np.int64]
    """FPGA number."""

    channel: npt.NDArray[np.int64]
    """TDC channel number."""

    layer: npt.NDArray[np.int64]
    """1 (bottom) .. 4 (top)."""

    wire: npt.NDArray[np.int64]
    """1 .. number of wires in the layer."""

    x_mm: npt.NDArray[np.float64]
    """Wire position along the measured axis, mm, in the chamber's own frame."""

    z_mm: npt.NDArray[np.float64]
    """Wire height above the chamber's centre, mm (-19.5 .. +19.5)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detector:
    """A telescope: read-out, chambers and special channels. Hashable and comparable."""

    name: str
    """Short name, used in messages: letters, digits, ``-`` and ``_``."""

    description: str
    """One line for people."""

    readout: Readout
    """How its DAQ writes words."""

    chambers: tuple[Chamber, ...]
    """Chambers; their position here is the chamber number everywhere."""

    scintillators: tuple[SpecialChannel, ...] = ()
    """Channels whose earliest hit in an orbit gives the orbit's t0."""

    firmware_triggers: tuple[SpecialChannel, ...] = ()
    """Channels that carry the firmware's trigger with the hit HEAD."""

    drift_velocity_um_per_ns: float = 53.85
    """Drift velocity, um/ns (21 mm in 390 ns)."""

    rt_corrections_um: tuple[float, ...] = field(default=(), repr=False)  # as Readout.pins
    """Added to the distance from the wire at drift times from 0 to the longest, in equal steps,
    in a straight line between them; none: zeros. For tracks."""

    inferred: tuple[str, ...] = field(default=(), compare=False)
    """What in this description is inferred and not published, in words."""

    @property
    def n_chambers(self) -> int:
        """Number of chambers."""
        return len(self.chambers)

    @property
    def views(self) -> tuple[str, ...]:
        """The views that chambers measure, in the order of their first chambers."""
        return tuple(dict.fromkeys(chamber.view for chamber in self.chambers))

    @property
    def n_cells(self) -> int:
        """Number of cells in all chambers."""
        return sum(chamber.n_channels for chamber in self.chambers)

    @property
    def fpgas(self) -> tuple[int, ...]:
        """The FPGAs that read at least one chamber, ascending."""
        return tuple(sorted({chamber.fpga for chamber in self.chambers}))

    @property
    def lanes(self) -> tuple[int, ...]:
        """The FPGAs whose clocks count, ascending: those with chambers or scintillators."""
        specials = self.special_addresses(self.scintillators)
        return tuple(sorted({*self.fpgas, *(fpga for _, fpga, _ in specials)}))

    @property
    def fingerprint(self) -> str:
        """Twelve hexadecimal digits that change with what counts follow from."""
        return sha256(self.told.encode()).hexdigest()[:12]

    @property
    def told(self) -> str:
        """A text that changes with what counts follow from; what is saved knows it by that."""
        more = [(chamber.recabled, chamber.layer_times_ns) for chamber in self.chambers]
        return f"{self!r}{more if any(map(any, more)) else ''}{self.rt_corrections_um or ''}"

    def first_cell(self, chamber: int) -> int:
        """Return the number of the first cell of ``chamber``."""
        return sum(c.n_channels for c in self.chambers[:chamber])

    def special_addresses(self, specials: tuple[SpecialChannel, ...]) -> list[tuple[int, int, int]]:
        """Return (index in ``specials``, FPGA, channel) with "every FPGA" spelled out."""
        return [
            (index, fpga, special.channel)
            for index, special in enumerate(specials)
            for fpga in (self.fpgas if special.fpga is None else (special.fpga,))
        ]

    def cells(self) -> Cells:
        """Return the geometry of all cells as arrays of shape ``(n_cells,)``."""
        sizes = [chamber.n_channels for chamber in self.chambers]
        index = np.concatenate([np.arange(size) for size in sizes])
        pin = np.concatenate([_pins(chamber) for chamber in self.chambers])
        chamber = np.repeat(np.arange(self.n_chambers), sizes)
        layer, wire = _LAYER_OF_PIN[pin % _LAYERS], pin // _LAYERS + 1
        n_wires = np.repeat([-(-size // _LAYERS) for size in sizes], sizes)
        left = (1 - n_wires) * CELL_WIDTH_MM / 2 + np.where(layer % 2, CELL_WIDTH_MM / 2, 0.0)
        return Cells(
            chamber=chamber,
            fpga=np.repeat([c.fpga for c in self.chambers], sizes),
            channel=index + np.repeat([c.first_channel for c in self.chambers], sizes),
            layer=layer,
            wire=wire,
            x_mm=left + (wire - 1) * CELL_WIDTH_MM,
            z_mm=(layer - (_LAYERS + 1) / 2) * CELL_HEIGHT_MM,
        )


def _pins(chamber: Chamber) -> npt.NDArray[np.int64]:
    """Return the number, from 0, of the cell that each channel carries."""
    pins = np.arange(chamber.n_channels)
    for channel, cell in chamber.recabled:
        pins[channel - chamber.first_channel] = cell - chamber.first_channel
    return pins
