"""The weather around a simulated telescope: pressure and temperature against time. Pure."""

from dataclasses import dataclass

import numpy as np

from muonscope.simulation.profiles import Weather

__all__ = ["Air", "air_at"]

_PERIODS_S = (71 * 3600.0, 29 * 3600.0, 13 * 3600.0)
"""Of the waves that the pressure is the sum of: none is a multiple of another."""
_DAY_S = 86_400.0
_NORMAL_HPA, _NORMAL_K = 1013.25, 293.15


@dataclass(frozen=True, slots=True, kw_only=True)
class Air:
    """Factors by which the air changes a telescope at some time."""

    flux: float
    noise: float
    velocity: float


def air_at(weather: Weather, seed: int, at_s: float) -> Air:
    """Return the factors at a time since the start of the run, s.

    Examples
    --------
    >>> air_at(Weather(), 1, 5000.0)
    Air(flux=1.0, noise=1.0, velocity=1.0)
    """
    phases = np.random.default_rng([seed, 0x0A1B]).uniform(0, 2 * np.pi, len(_PERIODS_S) + 1)
    waves = [np.sin(2 * np.pi * at_s / p + a) for p, a in zip(_PERIODS_S, phases, strict=False)]
    hpa = weather.pressure_hpa * sum(waves) / np.sqrt(len(waves) / 2)
    kelvin = weather.temperature_k * np.sqrt(2) * np.sin(2 * np.pi * at_s / _DAY_S + phases[-1])
    density = hpa / _NORMAL_HPA - kelvin / _NORMAL_K
    return Air(
        flux=float(1 + weather.flux_per_hpa * hpa),
        noise=float(1 + weather.noise_per_density * density),
        velocity=float(1 + weather.velocity_per_density * density),
    )
