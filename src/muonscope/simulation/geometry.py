"""Where everything of a telescope is, as arrays that the simulation looks up.

Chambers stand above each other, centred on the same vertical; a ``phi`` chamber measures
x, a ``theta`` chamber y. Layer k, wire w stand at [k - 1, w - 1]. All lengths in mm.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from muonscope.detector import Detector
from muonscope.errors import OptionError
from muonscope.simulation.cabling import channel_of_cells
from muonscope.simulation.profiles import Profile
from muonscope.units import CELL_WIDTH_MM

__all__ = ["LAYERS", "Addresses", "Geometry", "Plane", "addresses_of", "geometry_of"]

LAYERS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Plane:
    """A horizontal rectangle that muons are made on."""

    z_mm: float
    x_mm: tuple[float, float]
    y_mm: tuple[float, float]

    @property
    def m2(self) -> float:
        """Its area, m^2."""
        return (self.x_mm[1] - self.x_mm[0]) * (self.y_mm[1] - self.y_mm[0]) * 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Geometry:
    """A telescope; arrays over chambers have shape (c,)."""

    z_mm: npt.NDArray[np.float64]
    measures_x: npt.NDArray[np.bool_]
    offset_mm: npt.NDArray[np.float64]
    tilt_rad: npt.NDArray[np.float64]
    drift_offset_ns: npt.NDArray[np.float64]
    fpga: npt.NDArray[np.int64]
    layer_z_mm: npt.NDArray[np.float64]
    """Height of each layer above the centre of its chamber, shape (4,)."""
    first_wire_mm: npt.NDArray[np.float64]
    """Shape (c, 4)."""
    wires: npt.NDArray[np.int64]
    """Number of wires, shape (c, 4)."""
    cell: npt.NDArray[np.int64]
    """Number of each cell, shape (c, 4, most wires); -1 where there is none."""
    first_cell: npt.NDArray[np.int64]
    n_cells: npt.NDArray[np.int64]
    planes: tuple[Plane, ...]
    """Every muon that matters crosses one: a bit more than each chamber, then the upper
    scintillator."""
    scintillator_z_mm: tuple[float, float]
    """Lower and upper."""

    @property
    def middle_mm(self) -> float:
        """Height at which a muon has its time and place."""
        return float(self.z_mm.min() + self.z_mm.max()) / 2


_MARGIN_MM = 60.0
"""Planes reach so far beyond the wires: for tracks up to 72 deg, which slip in sideways."""


def geometry_of(detector: Detector, profile: Profile) -> Geometry:
    """Return the geometry of a telescope.

    Raises
    ------
    OptionError
        If a chamber has fewer than four cells.
    """
    cells = detector.cells()
    chambers = detector.chambers
    for number, chamber in enumerate(chambers):
        if chamber.n_channels < LAYERS:
            raise OptionError(
                f"chamber {number} of detector {detector.name} has {chamber.n_channels} cells;"
                f" a simulation needs at least {LAYERS}, one in each layer"
            )
    n = len(chambers)
    table = np.full((n, LAYERS, int(cells.wire.max())), -1)
    table[cells.chamber, cells.layer - 1, cells.wire - 1] = np.arange(len(cells.chamber))
    first = table[:, :, 0]
    z = np.array([chamber.z_mm for chamber in chambers])
    wires = (table >= 0).sum(axis=2)
    layer_z = cells.z_mm[first[0]]
    half = profile.scintillator.side_mm / 2
    lower = float(z.min() - profile.scintillator.below_mm)
    upper = float(z.max() + profile.scintillator.above_mm)
    first_wire = cells.x_mm[first]
    reach = profile.cell.half_length_mm + _MARGIN_MM
    planes = []
    for number, chamber in enumerate(chambers):
        left = first_wire[number].min() - CELL_WIDTH_MM / 2 - _MARGIN_MM + chamber.offset_mm
        right = (
            (first_wire[number] + (wires[number] - 0.5) * CELL_WIDTH_MM).max()
            + _MARGIN_MM
            + chamber.offset_mm
        )
        along, across = (float(left), float(right)), (-reach, reach)
        x, y = (along, across) if chamber.view == "phi" else (across, along)
        planes.append(Plane(z_mm=chamber.z_mm, x_mm=x, y_mm=y))
    planes.append(Plane(z_mm=upper, x_mm=(-half, half), y_mm=(-half, half)))
    return Geometry(
        z_mm=z,
        measures_x=np.array([chamber.view == "phi" for chamber in chambers]),
        offset_mm=np.array([chamber.offset_mm for chamber in chambers]),
        tilt_rad=np.array([chamber.tilt_rad for chamber in chambers]),
        drift_offset_ns=np.array([chamber.drift_offset_ns for chamber in chambers]),
        fpga=np.array([chamber.fpga for chamber in chambers]),
        layer_z_mm=layer_z,
        first_wire_mm=first_wire,
        wires=wires,
        cell=table,
        first_cell=np.array([detector.first_cell(number) for number in range(n)]),
        n_cells=np.array([chamber.n_channels for chamber in chambers]),
        planes=tuple(planes),
        scintillator_z_mm=(lower, upper),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """The addresses of signals; arrays of shape (n_addresses,)."""

    fpga: npt.NDArray[np.int64]
    channel: npt.NDArray[np.int64]
    chamber: npt.NDArray[np.int64]
    """-1 where there is none, and so for layer and wire 0."""
    layer: npt.NDArray[np.int64]
    wire: npt.NDArray[np.int64]
    scintillator: int
    """The first scintillator's address; -1 if the detector has none."""
    trigger: dict[int, int]
    """Address of the firmware trigger of each FPGA that has one."""


def addresses_of(detector: Detector, cabling: Sequence[str] = ()) -> Addresses:
    """Return the addresses of a detector, some of its cables being elsewhere."""
    read_on = channel_of_cells(cabling, detector)
    cells = detector.cells()
    specials = detector.special_addresses(detector.scintillators)[:1]
    n_cells, n_scintillators = detector.n_cells, len(specials)
    triggers = detector.special_addresses(detector.firmware_triggers)
    specials += triggers
    none = np.zeros(len(specials), np.int64)
    first_trigger = n_cells + n_scintillators
    return Addresses(
        fpga=np.concatenate([cells.fpga[read_on], [fpga for _, fpga, _ in specials]]).astype(
            np.int64
        ),
        channel=np.concatenate([cells.channel[read_on], [c for _, _, c in specials]]).astype(
            np.int64
        ),
        chamber=np.concatenate([cells.chamber, none - 1]),
        layer=np.concatenate([cells.layer, none]),
        wire=np.concatenate([cells.wire, none]),
        scintillator=n_cells if n_scintillators else -1,
        trigger={fpga: first_trigger + i for i, (_, fpga, _) in enumerate(triggers)},
    )
