"""The exposure of the muon sky beside lines that are thrown at the telescope."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import muonscope
from muonscope.counting.blocks import WITH_TRACKS
from muonscope.counting.counter import Counter
from muonscope.counting.window_spec import WindowSpec
from muonscope.detector import Detector, shipped_detector
from muonscope.tracking.acceptance import sky_exposure
from muonscope.tracking.histograms import SKY

LEGNARO = shipped_detector()


def thrown(detector: Detector, low: float, high: float, n: int) -> tuple[float, float]:
    """Return the exposure of slopes between ``low`` and ``high`` in both views, m2 sr, and its
    error: of muons of equal intensity that cross a large square."""
    rng = np.random.default_rng(5)
    half = 3_000.0
    x, y = rng.uniform(-half, half, (2, n))
    slopes = rng.uniform(low, high, (2, n))
    seen = {"phi": np.zeros(n, int), "theta": np.zeros(n, int)}
    middle = np.mean([chamber.z_mm for chamber in detector.chambers])
    for chamber in detector.chambers:
        up = chamber.z_mm - middle
        at = {"phi": x + slopes[0] * up, "theta": y + slopes[1] * up}
        other = "theta" if chamber.view == "phi" else "phi"
        wide = np.abs(at[chamber.view] - chamber.offset_mm - 10.5) < 672 / 2 + 10.5
        seen[chamber.view] += wide & (np.abs(at[other]) < 350)
    good = (seen["phi"] > 0) & (seen["theta"] > 0) & ((seen["phi"] > 1) | (seen["theta"] > 1))
    weight = good / (1 + slopes[0] ** 2 + slopes[1] ** 2) ** 2
    area = (2 * half * 1e-3) ** 2 * (high - low) ** 2
    return area * weight.mean(), area * weight.std() / n**0.5


@pytest.mark.parametrize("name", ["legnaro", "run000591"])
@pytest.mark.parametrize(("low", "high"), [(-0.2, 0.2), (0.3, 0.5)])
def test_the_exposure_is_that_of_thrown_lines(name: str, low: float, high: float) -> None:
    detector = shipped_detector(name)
    exact, error = thrown(detector, low, high, 4_000_000)
    first, last = (round((edge - SKY.low) / SKY.width) for edge in (low, high))
    found = float(sky_exposure(detector)[first:last, first:last].sum())
    assert error < 0.02 * exact
    assert found == pytest.approx(exact, abs=4 * error + 0.02 * exact)


def test_a_telescope_of_one_view_has_an_exposure() -> None:
    one = replace(LEGNARO, chambers=(LEGNARO.chambers[0], LEGNARO.chambers[2]))
    exposure = sky_exposure(one)
    assert exposure.shape == (SKY.bins, SKY.bins)
    assert np.isfinite(exposure).all()


def test_muons_with_tracks_in_both_views_are_in_the_map(realdata: Path) -> None:
    path = realdata / "run000591_data_000000.dat"
    detector = shipped_detector("run000591")
    words = np.fromfile(path, "<u8")
    counter = Counter(detector, WindowSpec(), WITH_TRACKS)
    rows = [*counter.push(words), *counter.finish()]
    sky = int(sum(row.summary.arrays["track_sky"].sum() for row in rows))
    table = muonscope.tracks(path, detector="run000591").to_pylist()
    events: dict[tuple[int, int], set[str]] = {}
    for row in table:
        if row["chambers"] > 1 and abs(row["slope"]) < 1.0:
            events.setdefault((row["epoch"], row["event"]), set()).add(row["view"])
    both = sum(len(views) == 2 for views in events.values())
    partners = sum(row["partner"] is not None for row in table)
    assert both > 20
    assert 0.95 * both <= sky <= both + partners
