"""Constants that are wrong, and how far others are from the truth."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from muonscope.detector import Detector
from muonscope.tracking.calibration import Calibration
from tracking.test_segments import EXACT

__all__ = ["off", "wrong"]

Reals = npt.NDArray[np.float64]


def wrong(detector: Detector, velocity: float, seed: int = 1) -> Detector:
    """Return a telescope with wrong constants: some ns, mm and mrad."""
    chance = np.random.default_rng(seed)
    chambers = tuple(
        replace(
            chamber, drift_offset_ns=chamber.drift_offset_ns + chance.normal(0, 4),
            offset_mm=chamber.offset_mm + chance.normal(0, 1.5),
            tilt_rad=chamber.tilt_rad + chance.normal(0, 0.006),
        )
        for chamber in detector.chambers
    )  # fmt: skip
    return replace(detector, chambers=chambers, drift_velocity_um_per_ns=velocity)


def off(found: Calibration) -> dict[str, Reals]:
    """Return how far constants of the phi chambers are from the truth, but for what is free."""
    phi = [c for c, chamber in enumerate(EXACT.chambers) if chamber.view == "phi"]
    after, z = found.detector.chambers, np.array([EXACT.chambers[c].z_mm for c in phi])
    times = np.array([
        after[c].drift_offset_ns - EXACT.chambers[c].drift_offset_ns for c in range(4)
    ])  # fmt: skip
    places = np.array([after[c].offset_mm for c in phi])
    shear = np.polyfit(z, places, 1)
    tilts = np.array([after[c].tilt_rad for c in phi])
    return {
        "times": times - times.mean(), "places": places - np.polyval(shear, z),
        "tilts": tilts + shear[0],
    }  # fmt: skip
