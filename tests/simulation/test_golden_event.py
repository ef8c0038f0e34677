"""One real muon, fitted without the package, and the same muon simulated.

Orbit 3387200973 of the recorded sample: hits in chambers 1, 2 and 3. An independent fit
gives its t0 and slope in chambers 2 and 3; a muon with these, simulated in the linear
cell, must hit the same channels at the same times.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from helpers.streams import CSV, read_words
from muonscope.detector import Detector
from muonscope.simulation.chambers import cross, drift_ns
from muonscope.simulation.geometry import geometry_of
from muonscope.simulation.muons import Muons
from muonscope.simulation.profiles import LINEAR_CELL, PROFILES
from muonscope.words.layout import unpack
from oracles.mean_timer import segment

ORBIT = 3_387_200_973


@pytest.fixture(scope="module")
def event(realdata: Path, legnaro: Detector) -> dict[int, dict[int, float]]:
    """Return the raw time (ns in the orbit) of each channel, by chamber."""
    fields = unpack(read_words(realdata / CSV, legnaro), 2, 2)
    rows = (fields.head == 2) & (fields.orbit == ORBIT) & (fields.channel < 128)
    found: dict[int, dict[int, float]] = {}
    for fpga, channel, bx, tdc in zip(
        fields.fpga[rows], fields.channel[rows], fields.bx[rows], fields.tdc[rows], strict=True
    ):
        chamber = 2 * int(fpga) + int(channel) // 64
        found.setdefault(chamber, {})[int(channel)] = 25 * (float(bx) + float(tdc) / 30)
    return found


def fitted(
    event: dict[int, dict[int, float]], chamber: int, detector: Detector
) -> tuple[float, ...]:
    """Return t0, slope, place and rss of the segment in a chamber."""
    cells = detector.cells()
    first = detector.first_cell(chamber)
    rows = [first + channel % 64 for channel in event[chamber]]
    raw = np.array(list(event[chamber].values()))
    return segment(cells.x_mm[rows], cells.z_mm[rows], raw)


def test_an_independent_fit_gives_the_published_numbers(
    event: dict[int, dict[int, float]], legnaro: Detector
) -> None:
    t0, slope, place, rss = fitted(event, 2, legnaro)
    assert t0 == pytest.approx(11_884.3, abs=0.1)
    assert slope == pytest.approx(-0.215, abs=0.001)
    assert rss / 0.25**2 == pytest.approx(0.39, abs=0.02)
    t0, slope, above, rss = fitted(event, 3, legnaro)
    assert t0 == pytest.approx(11_882.2, abs=0.1)
    assert slope == pytest.approx(-0.212, abs=0.001)
    assert rss / 0.25**2 == pytest.approx(0.75, abs=0.02)
    assert (above - place) / 784.2 == pytest.approx(-0.2235, abs=0.0005)


@pytest.mark.parametrize("chamber", [2, 3])
def test_the_same_muon_simulated_hits_the_same_channels_at_the_same_times(
    event: dict[int, dict[int, float]], legnaro: Detector, chamber: int
) -> None:
    t0, slope, place, _ = fitted(event, chamber, legnaro)
    profile = replace(PROFILES["quiet"], cell=LINEAR_CELL)
    geometry = geometry_of(legnaro, profile)
    up = geometry.middle_mm - geometry.z_mm[chamber]
    muon = Muons(*(np.array([v]) for v in (0.0, place + slope * up, 0.0, slope, 0.0)))
    crossings, reached = cross(muon, geometry, profile)
    mine = reached.take((crossings.chamber[reached.crossing] == chamber) & (reached.layer < 4))
    drift = drift_ns(LINEAR_CELL, mine.r_mm, crossings.slope[mine.crossing])
    channels = geometry.cell[chamber, mine.layer, mine.wire] - legnaro.first_cell(chamber)
    channels += legnaro.chambers[chamber].first_channel
    simulated = dict(zip(channels.tolist(), (t0 + drift).tolist(), strict=True))
    assert set(simulated) >= set(event[chamber])
    for channel, raw in event[chamber].items():
        assert simulated[channel] == pytest.approx(raw, abs=6), channel
