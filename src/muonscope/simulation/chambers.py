"""What muons do in the drift cells: crossings, drift times, hits, showers.

The drift relation is described at :class:`muonscope.simulation.profiles.Cell`. A chamber's
signals are delayed so that the detector's drift offsets undo the delay of the
scintillator, the mean time of flight and the mean time along the wire: what the offsets
of a calibrated telescope do.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from muonscope.simulation.faults import Fault
from muonscope.simulation.geometry import LAYERS, Geometry
from muonscope.simulation.muons import LIGHT_MM_PER_NS, Muons, flight_ns_per_mm
from muonscope.simulation.profiles import Cell, Profile
from muonscope.simulation.signals import Origin, Rows, Signals, mark
from muonscope.units import CELL_WIDTH_MM

__all__ = ["Crossings", "chamber_delays_ns", "count_layers", "cross", "drift_ns", "respond", "shower"]

_STEEPEST_DEG = 45.0
_HALF_CELL_MM = CELL_WIDTH_MM / 2
_HALF_HEIGHT_MM = 26.0


@dataclass(frozen=True, slots=True)
class Crossings(Rows):
    """Muons in chambers they go through or near, one row for each pair, n in all."""

    muon: npt.NDArray[np.int64]
    """Row of the muon. Shape (n,)."""
    chamber: npt.NDArray[np.int64]
    """Shape (n,)."""
    slope: npt.NDArray[np.float64]
    """In the measured plane, in the frame of the chamber. Shape (n,)."""
    x_mm: npt.NDArray[np.float64]
    """Along the measured axis at the height of each layer, in the same frame. Shape (n, 4)."""
    y_mm: npt.NDArray[np.float64]
    """Along the wire, from its middle. Shape (n, 4)."""
    wire: npt.NDArray[np.int64]
    """Of the cell at that place, from 0, also beyond the last ones. Shape (n, 4)."""
    inside: npt.NDArray[np.bool_]
    """Whether there is such a cell. Shape (n, 4)."""
    ns: npt.NDArray[np.float64]
    """When a signal without drift arrives from the chamber's centre. Shape (n,)."""

    @property
    def layers(self) -> npt.NDArray[np.uint8]:
        """How many layers have a cell there, 0 .. 4. Shape (n,)."""
        return count_layers(self.inside)


def count_layers(layers: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    """Return how many of the four are true in each row, shape (n,): a sum, but quick."""
    counts: npt.NDArray[np.uint8] = np.bitwise_count(layers.view(np.uint32).ravel())
    return counts


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


def cross(muons: Muons, geometry: Geometry, profile: Profile) -> Crossings:
    """Return where muons go through chambers, in the order of the muons."""
    delays = chamber_delays_ns(geometry, profile)
    half_length = profile.cell.half_length_mm
    flight = flight_ns_per_mm(muons)
    parts = []
    for chamber, z in enumerate(geometry.z_mm):
        x, y = muons.at(z, geometry.middle_mm)
        along, across, slope, slope_across = (
            (x, y, muons.slope_x, muons.slope_y)
            if geometry.measures_x[chamber]
            else (y, x, muons.slope_y, muons.slope_x)
        )
        along = along - geometry.offset_mm[chamber]
        first_wire, wires = geometry.first_wire_mm[chamber], geometry.wires[chamber]
        reach = _HALF_CELL_MM + _HALF_HEIGHT_MM * np.abs(slope)
        near = np.flatnonzero(
            (np.abs(across) < half_length + _HALF_HEIGHT_MM * np.abs(slope_across))
            & (along > first_wire.min() - reach)
            & (along < (first_wire + (wires - 1) * CELL_WIDTH_MM).max() + reach)
        )
        at, slope = _in_frame(along[near], slope[near], geometry.tilt_rad[chamber])
        x_mm = at[:, None] + slope[:, None] * geometry.layer_z_mm
        y_mm = across[near, None] + slope_across[near, None] * geometry.layer_z_mm
        wire = np.floor((x_mm - first_wire) / CELL_WIDTH_MM + 0.5).astype(np.int64)
        inside = (wire >= 0) & (wire < wires) & (np.abs(y_mm) <= half_length)
        ns = muons.ns[near] + (geometry.middle_mm - z) * flight[near] + delays[chamber]
        place = np.full(len(near), chamber)
        parts.append(Crossings(near, place, slope, x_mm, y_mm, wire, inside, ns))
    crossings = Crossings.joined(parts)
    return crossings.take(np.argsort(crossings.muon, kind="stable"))


def _in_frame(
    along: npt.NDArray[np.float64], slope: npt.NDArray[np.float64], tilt_rad: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return place and slope in a chamber that is turned by ``tilt_rad`` about its centre."""
    if tilt_rad == 0:
        return along, slope
    cos, sin = np.cos(tilt_rad), np.sin(tilt_rad)
    up = along * sin / (cos - slope * sin)
    return (along + slope * up) * cos + up * sin, (slope * cos + sin) / (cos - slope * sin)


def respond(
    rng: np.random.Generator,
    crossings: Crossings,
    numbers: npt.NDArray[np.int64],
    geometry: Geometry,
    profile: Profile,
    gas: Sequence[Fault],
    slab_start_ns: float,
) -> tuple[Signals, npt.NDArray[np.bool_]]:
    """Return the hits of muons, and which layers of which crossing gave one, shape (n, 4).

    ``numbers`` are those of the muons in the run.
    """
    cell, spread = profile.cell, profile.secondaries
    wire_mm = geometry.first_wire_mm[crossings.chamber] + crossings.wire * CELL_WIDTH_MM
    offset = crossings.x_mm - wire_mm
    distance, side = np.abs(offset), np.where(offset < 0, -1, 1)
    seen = crossings.inside & (distance <= cell.half_width_mm)
    seen &= rng.random(seen.shape) < cell.efficiency
    # the cell next door, where the track leaves this one within the height of the gas
    beyond = distance + cell.gas_height_mm / 2 * np.abs(crossings.slope[:, None]) - _HALF_CELL_MM
    next_wire = crossings.wire + side
    next_seen = (
        (beyond >= _HALF_CELL_MM - cell.half_width_mm)
        & (next_wire >= 0)
        & (next_wire < geometry.wires[crossings.chamber])
        & (np.abs(crossings.y_mm) <= cell.half_length_mm)
    )
    own, following = np.flatnonzero(seen), np.flatnonzero(next_seen)
    following = following[rng.random(len(following)) < cell.efficiency]
    place = np.concatenate([own, following])
    row, layer = np.divmod(place, LAYERS)
    next_r = np.maximum(_HALF_CELL_MM - beyond.ravel()[following], 0.0)
    r = np.concatenate([distance.ravel()[own], next_r])
    sides = np.concatenate([side.ravel()[own], -side.ravel()[following]])
    wire = np.concatenate([crossings.wire.ravel()[own], next_wire.ravel()[following]])
    arrives, n = crossings.ns[row], len(row)
    drift = drift_ns(cell, r, crossings.slope[row], _velocity(cell, arrives + slab_start_ns, gas))
    early = rng.random(n) < spread.delta_share
    drift[early] *= rng.random(int(early.sum()))
    along_wire = cell.half_length_mm + crossings.y_mm.ravel()[place]
    arrives += drift + along_wire / cell.signal_mm_per_ns + cell.smear_ns * rng.standard_normal(n)
    chamber_layer = crossings.chamber[row] * LAYERS + layer
    address = geometry.cell.ravel()[chamber_layer * geometry.cell.shape[2] + wire]
    origin = np.where(early, Origin.DELTA, Origin.MUON).astype(np.int8)
    return Signals(arrives, mark(address, origin, sides, r), numbers[crossings.muon[row]]), seen


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
    half = max(1, n_chambers // 2)
    spread, parts = profile.secondaries, []
    for chambers, share in (
        (by_height, spread.shower_share),
        (by_height[:half], spread.half_shower_share),
        (by_height[half:], spread.half_shower_share),
    ):
        whole = through[:, chambers].all(axis=1) & (rng.random(len(numbers)) < share)
        if not len(chambers) or not whole.any():
            continue
        muon, place = (a.ravel() for a in np.meshgrid(np.flatnonzero(whole), chambers))
        n = rng.poisson(spread.shower_hits, len(muon))
        muon, place = np.repeat(muon, n), np.repeat(place, n)
        cell = geometry.first_cell[place]
        cell = cell + (rng.random(len(muon)) * geometry.n_cells[place]).astype(np.int64)
        drift = spread.shower_ns * rng.standard_exponential(len(muon))
        ns = arrives[muon, place] + drift
        parts.append(Signals.plain(ns, cell, Origin.SHOWER, numbers[muon]))
    none = Signals.plain(np.empty(0), np.empty(0, np.int64), Origin.SHOWER)
    return Signals.joined([none, *parts])
