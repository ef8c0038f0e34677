"""Simulated words for tests of other rooms: no stale buffer, nothing runs ahead."""

from dataclasses import replace

import numpy as np

from muonscope.detector import Detector, shipped_detector
from muonscope.simulation.options import Simulation
from muonscope.simulation.profiles import PROFILES, Profile, ScintillatorPair
from muonscope.simulation.telescope import simulate
from muonscope.words.layout import Words

__all__ = ["BRIGHT", "CLEAN", "simulated_words"]

CLEAN = replace(
    PROFILES["quiet"],
    daq=replace(PROFILES["quiet"].daq, start_orbit=1_000_000, trigger_lead_s=()),
)
"""The quiet telescope, with words in order of detector time."""

BRIGHT = replace(CLEAN, scintillator=ScintillatorPair(side_mm=2000.0))
"""The same with a scintillator that most muons fire."""


def simulated_words(
    n: int,
    *,
    profile: Profile = CLEAN,
    detector: Detector | None = None,
    rate_scale: float = 1.0,
    seed: int = 1,
) -> Words:
    """Return ``n`` words, shape (n,)."""
    simulation = Simulation(
        detector=detector or shipped_detector(profile.detector),
        profile=profile,
        words=n,
        rate_scale=rate_scale,
        seed=seed,
    )
    return np.concatenate([batch.stream.words for batch in simulate(simulation)])
