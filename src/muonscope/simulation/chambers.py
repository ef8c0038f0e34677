"""Muons in the drift cells: crossings, drift times, hits, showers.

The drift relation is described at :class:`muonscope.simulation.profiles.Cell`. A chamber's
signals are delayed so that the detector's drift offsets undo the delay of the
scintillator, the mean time of flight and the mean time along the wire: what the offsets
of a calibrated telescope do.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from muonscope.simulation._crossing import cross_cells
from muonscope.simulation.faults import Fault
from muonscope.simulation.geometry import LAYERS, Geometry
from muonscope.simulation.muons import LIGHT_MM_PER_NS, Muons, flight_ns_per_mm
from muonscope.simulation.profiles import Cell, Profile
from muonscope.simulation.signals import Origin, Rows, Signals, mark
from muonscope.units import CELL_WIDTH_MM

__all__ = ["Crossings", "Reached", "chamber_delays_ns", "cross", "drift_ns", "respond", "shower"]

_STEEPEST_DEG = 45.0


@dataclass(frozen=True, slots=True)
class Crossings(Rows):
    """Muons in chambers that they go through, in order of the muons. Fields of shape (n,)."""

    muon: npt.NDArray[np.int64]
    """Row of the muon."""
    chamber: npt.NDArray[np.int64]
    layers: npt.NDArray[np.int64]
    """In how many layers there is a cell, 0 .. 4."""
    slope: npt.NDArray[np.float64]
    """In the measured plane, in the frame of the chamber."""
    x_mm: npt.NDArray[np.float64]
    """Along the measured axis at the chamber's centre, in the same frame."""
    ns: npt.NDArray[np.float64]
    """When a signal without drift arrives from the chamber's centre."""


@dataclass(frozen=True, slots=True)
class Reached(Rows):
    """Cells that muons reach, in order of the crossings. Fields of shape (m,)."""

    crossing: npt.NDArray[np.int64]
    layer: npt.NDArray[np.int64]
    """0 (bottom) .. 3; 4 more if it is the second cell of the layer, next door."""
    wire: npt.NDArray[np.int64]
    """From 0."""
    side: npt.NDArray[np.int64]
    """-1 if the muon passes left of the wire, else 1."""
    r_mm: npt.NDArray[np.float64]
    """Distance from the wire at its height; beyond 21 mm in the cell next door."""
    along_mm: npt.NDArray[np.float64]
    """Place along the wire, from its middle."""


def chamber_delays_ns(geometry: Geometry, profile: Profile) -> npt.NDArray[np.float64]:
    """Return the delay of each chamber's signals, shape (c,)."""
    flight = (geometry.middle_mm - geometry.z_mm) / LIGHT_MM_PER_NS
    along_wire = profile.cell.half_length_mm / profile.cell.signal_mm_per_ns
    return profile.scintillator.delay_ns - geometry.drift_offset_ns - flight - along_wire


def drift_ns(
    cell: Cell,
    distance_mm: npt.NDArray[np.float64],
    slope: npt.NDArray[np.float64],
    velocity_um_per_ns: npt.NDArray[np.float64] | float | None = None,
) -> npt.NDArray[np.float64]:
    """Return the drift times for distances >= 0 from the wire and slopes of the tracks.

    Examples
    --------
    >>> import numpy as np
    >>> from muonscope.simulation.profiles import REALISTIC_CELL
    >>> drift_ns(REALISTIC_CELL, np.array([1.0, 8.0, 20.0]), np.zeros(3)).round(1).tolist()
    [13.7, 142.1, 363.5]
    """
    velocity = cell.velocity_um_per_ns if velocity_um_per_ns is None else velocity_um_per_ns
    straight = distance_mm * 1e3 / velocity
    if not cell.delay_ns and not cell.delay_slope_ns:
        return straight
    tilt = np.minimum(np.degrees(np.arctan(np.abs(slope))) / _STEEPEST_DEG, 1.0)
    delay = cell.delay_ns + cell.delay_slope_ns * tilt**2.2
    length = cell.length_mm + cell.length_slope_mm * tilt**1.6
    drift: npt.NDArray[np.float64] = straight + delay * np.expm1(-distance_mm / length)
    return drift


def cross(muons: Muons, geometry: Geometry, profile: Profile) -> tuple[Crossings, Reached]:
    """Return where muons go through chambers and cells."""
    cell, most = profile.cell, len(muons) * len(geometry.z_mm)
    whole, real = np.empty((3, most), np.int64), np.empty((2, most))
    cells, places = np.empty((4, 8 * most), np.int64), np.empty((2, 8 * most))
    n, m = cross_cells(
        (muons.x_mm, muons.y_mm, muons.slope_x, muons.slope_y), geometry.middle_mm,
        geometry.measures_x,
        (geometry.z_mm, geometry.offset_mm, geometry.tilt_rad, geometry.layer_z_mm),
        geometry.first_wire_mm, geometry.wires,
        (CELL_WIDTH_MM, cell.half_width_mm, cell.gas_height_mm / 2, cell.half_length_mm),
        whole, real, cells, places,
    )  # fmt: skip
    muon, chamber, layers = whole[:, :n]
    down = geometry.middle_mm - geometry.z_mm[chamber]
    ns = muons.ns[muon] + down * flight_ns_per_mm(muons)[muon]
    ns += chamber_delays_ns(geometry, profile)[chamber]
    slope, x_mm = real[:, :n]
    reached = Reached(*cells[:, :m], *places[:, :m])
    return Crossings(muon, chamber, layers, slope, x_mm, ns), reached


def respond(
    rng: np.random.Generator,
    crossings: Crossings,
    reached: Reached,
    numbers: npt.NDArray[np.int64],
    geometry: Geometry,
    profile: Profile,
    gas: Sequence[Fault],
    slab_start_ns: float,
) -> tuple[Signals, Reached]:
    """Return the hits of muons, and the cells that gave them, row by row.

    ``numbers`` are those of the muons in the run.
    """
    cell, spread = profile.cell, profile.secondaries
    chance = cell.efficiency * _corner_share(cell, reached, crossings.slope)
    seen = reached.take(np.flatnonzero(rng.random(len(reached)) < chance))
    n, row = len(seen), seen.crossing
    arrives, slope, chamber = crossings.ns[row], crossings.slope[row], crossings.chamber[row]
    velocity = _velocity(cell, arrives + slab_start_ns, gas)
    drift = drift_ns(cell, seen.r_mm, slope, velocity)
    edge = np.array(cell.half_width_mm)
    np.minimum(drift, drift_ns(cell, edge, np.zeros(1), velocity), out=drift)
    early = rng.random(n) < spread.delta_share
    drift[early] *= rng.random(int(early.sum()))
    arrives += drift + (cell.half_length_mm + seen.along_mm) / cell.signal_mm_per_ns
    arrives += cell.smear_ns * rng.standard_normal(n)
    most = geometry.cell.shape[2]
    address = geometry.cell.ravel()[(chamber * LAYERS + seen.layer % LAYERS) * most + seen.wire]
    origin = np.where(early, Origin.DELTA, Origin.MUON).astype(np.int8)
    marks = mark(address, origin, seen.side, seen.r_mm)
    return Signals(arrives, marks, numbers[crossings.muon[row]]), seen


def _corner_share(
    cell: Cell, reached: Reached, slope: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return how likely cells see tracks of which they have but a corner.

    Those are beyond the gas at the height of the wire; the share falls to nothing where
    they leave the gas at all heights.
    """
    share = np.ones(len(reached))
    corner = np.flatnonzero(reached.r_mm > cell.half_width_mm)
    beyond = reached.r_mm[corner] - cell.half_width_mm
    reach = cell.gas_height_mm / 2 * np.abs(slope[reached.crossing[corner]])
    share[corner] = cell.corner_efficiency * (1 - beyond / reach)
    return share


def _velocity(
    cell: Cell, ns: npt.NDArray[np.float64], gas: Sequence[Fault]
) -> npt.NDArray[np.float64] | None:
    if not gas:
        return None
    velocity = np.full(len(ns), cell.velocity_um_per_ns)
    for fault in gas:
        velocity[fault.active(ns)] = fault.value
    return velocity


def shower(
    rng: np.random.Generator,
    crossings: Crossings,
    numbers: npt.NDArray[np.int64],
    geometry: Geometry,
    profile: Profile,
) -> Signals:
    """Return the additional hits of muons that shower."""
    n_chambers = len(geometry.z_mm)
    through = np.zeros((len(numbers), n_chambers), np.bool_)
    arrives = np.zeros((len(numbers), n_chambers))
    through[crossings.muon, crossings.chamber] = crossings.layers >= LAYERS - 1
    arrives[crossings.muon, crossings.chamber] = crossings.ns
    by_height = np.argsort(geometry.z_mm, kind="stable")
    half = n_chambers // 2
    spread, parts = profile.secondaries, []
    for chambers, share in (
        (by_height, spread.shower_share),
        (by_height[:half], spread.half_shower_share),
        (by_height[half:], spread.half_shower_share),
    ):
        whole = through[:, chambers].all(axis=1) & (rng.random(len(numbers)) < share)
        showering = np.flatnonzero(whole)
        muon, place = (a.ravel() for a in np.meshgrid(showering, chambers))
        size = spread.shower_hits * rng.standard_exponential(len(showering))
        n = rng.poisson(np.tile(size, len(chambers)))
        muon, place = np.repeat(muon, n), np.repeat(place, n)
        cell = geometry.first_cell[place]
        cell = cell + (rng.random(len(muon)) * geometry.n_cells[place]).astype(np.int64)
        drift = spread.shower_ns * rng.standard_exponential(len(muon))
        ns = arrives[muon, place] + drift
        parts.append(Signals.plain(ns, cell, Origin.SHOWER, numbers[muon]))
    none = Signals.plain(np.empty(0), np.empty(0, np.int64), Origin.SHOWER)
    return Signals.joined([none, *parts])
