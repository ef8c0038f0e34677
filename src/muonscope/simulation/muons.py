"""Muons through a telescope: cos^2 of the zenith angle, Poisson in time.

Through a horizontal plane the cosine c of the zenith angle has the density 4 c^3, so it is
a uniform number to the power 1/4 (the flux per solid angle goes as c^2, the area seen as
c). Muons are made on each plane of the telescope in turn and kept where they cross none of
the planes before it: so every muon that crosses any plane is made exactly once, at all
angles, and none far away from the telescope.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from muonscope.simulation.geometry import Geometry, Plane
from muonscope.simulation.profiles import MuonFlux
from muonscope.simulation.signals import Rows

__all__ = ["LIGHT_MM_PER_NS", "Muons", "cross_pair", "flight_ns_per_mm", "make_muons"]

LIGHT_MM_PER_NS = 299.792458


@dataclass(frozen=True, slots=True)
class Muons(Rows):
    """Muons, each field of shape (n,); place and time where they cross the middle height."""

    ns: npt.NDArray[np.float64]
    """From the start of the slab."""
    x_mm: npt.NDArray[np.float64]
    y_mm: npt.NDArray[np.float64]
    slope_x: npt.NDArray[np.float64]
    """dx/dz."""
    slope_y: npt.NDArray[np.float64]
    """dy/dz."""

    def at(self, z_mm: float, middle_mm: float) -> tuple[npt.NDArray[np.float64], ...]:
        """Return x and y at a height."""
        up = z_mm - middle_mm
        return self.x_mm + self.slope_x * up, self.y_mm + self.slope_y * up


def make_muons(
    rng: np.random.Generator, geometry: Geometry, flux: MuonFlux, span_ns: float, scale: float
) -> Muons:
    """Return the muons of a slab of ``span_ns``, in order of time; ``scale`` times the flux."""
    parts = []
    for number, plane in enumerate(geometry.planes):
        n = rng.poisson(flux.per_m2_s * scale * plane.m2 * span_ns * 1e-9)
        made = _on_plane(rng, plane, geometry.middle_mm, n, span_ns)
        new: npt.NDArray[np.bool_] = np.ones(n, np.bool_)
        for before in geometry.planes[:number]:
            new &= ~_crosses(made, before, geometry.middle_mm)
        parts.append(made.take(new))
    muons = Muons.joined(parts)
    muons = Muons.joined([muons, _partners(rng, muons, flux)])
    return muons.take(np.argsort(muons.ns, kind="stable"))


def _on_plane(
    rng: np.random.Generator, plane: Plane, middle_mm: float, n: int, span_ns: float
) -> Muons:
    cosine = np.sqrt(np.sqrt(1.0 - rng.random(n)))
    tangent = np.sqrt(1.0 - cosine**2) / cosine
    azimuth = 2 * np.pi * rng.random(n)
    slope_x, slope_y = tangent * np.cos(azimuth), tangent * np.sin(azimuth)
    up = middle_mm - plane.z_mm
    return Muons(
        span_ns * rng.random(n),
        plane.x_mm[0] + (plane.x_mm[1] - plane.x_mm[0]) * rng.random(n) + slope_x * up,
        plane.y_mm[0] + (plane.y_mm[1] - plane.y_mm[0]) * rng.random(n) + slope_y * up,
        slope_x,
        slope_y,
    )


def _partners(rng: np.random.Generator, muons: Muons, flux: MuonFlux) -> Muons:
    """Return the muons that come along with others."""
    chosen = muons.take(rng.random(len(muons)) < flux.partner_share)
    away = rng.uniform(-flux.partner_mm, flux.partner_mm, (2, len(chosen)))
    return Muons(
        chosen.ns, chosen.x_mm + away[0], chosen.y_mm + away[1], chosen.slope_x, chosen.slope_y
    )


def _crosses(muons: Muons, plane: Plane, middle_mm: float) -> npt.NDArray[np.bool_]:
    x, y = muons.at(plane.z_mm, middle_mm)
    inside_x = (plane.x_mm[0] <= x) & (x < plane.x_mm[1])
    inside: npt.NDArray[np.bool_] = inside_x & (plane.y_mm[0] <= y) & (y < plane.y_mm[1])
    return inside


def cross_pair(muons: Muons, geometry: Geometry, side_mm: float) -> npt.NDArray[np.bool_]:
    """Tell which muons cross both scintillator planes."""
    both = np.ones(len(muons), np.bool_)
    for z in geometry.scintillator_z_mm:
        x, y = muons.at(z, geometry.middle_mm)
        both &= (np.abs(x) < side_mm / 2) & (np.abs(y) < side_mm / 2)
    return both


def flight_ns_per_mm(muons: Muons) -> npt.NDArray[np.float64]:
    """Return the time that muons take for a millimetre of height."""
    return np.sqrt(1 + muons.slope_x**2 + muons.slope_y**2) / LIGHT_MM_PER_NS
