"""What stands out on the page without colour: hot and dead cells, bars beyond the axis, bands."""

import math
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from dashboard.looking import Look, columns, drawn
from dashboard.serving import serving
from dashboard.test_verdicts import judged, shown
from helpers.judged import windows
from helpers.served import Served
from muonscope.dashboard.style import Look as Choice
from muonscope.dashboard.style import Theme

GROUND = {"light": "#ffffff", "dark": "#161c23"}


def numbers(column: list[float | None]) -> list[float]:
    """Return a column with NaN where the page has none."""
    return [math.nan if value is None else float(value) for value in column]


def cells_of(look: Look, fault: str) -> dict[str, list[Any]]:
    """Return the cells of chamber 0 as the page draws them after a minute with a fault."""
    live = judged()
    shown(live, windows("quiet", 60.0, 7, fault))
    with serving(live) as served:
        page = look(f"{served.url}#page=chambers&view=run").page
        drawn(page)
        cells = columns(page, "cells0")
        page.close()
    return cells


def test_hot_and_dead_cells_are_marked_beside_their_layer(look: Look) -> None:
    cells = cells_of(look, "noisy:ch0:20:200@5s-")
    hits, layer = np.array(cells["hits"]), np.array(cells["layer"])
    for i in range(64):
        median = np.sort(hits[layer == layer[i]])[8]
        assert cells["hits_layer"][i] == pytest.approx(hits[i] / median)
    hot = [i for i, z in enumerate(numbers(cells["hits_hot"])) if not math.isnan(z)]
    assert [cells["channel"][i] for i in hot] == [20]
    assert set(cells["hits_edge"]) == {0}


def test_a_dead_cell_is_framed(look: Look) -> None:
    cells = cells_of(look, "dead:ch0:5@0s-")
    assert [c for c, edge in zip(cells["channel"], cells["hits_edge"], strict=True) if edge] == [5]


def test_a_hot_channel_does_not_flatten_the_others_and_is_marked(look: Look) -> None:
    cells = cells_of(look, "noisy:ch0:20:200@5s-")
    over = numbers(cells["hits_over"])
    assert [cells["channel"][i] for i in range(64) if not math.isnan(over[i])] == [20]
    top = next(y for y in over if not math.isnan(y)) / 0.95
    median = float(np.median(cells["hits"]))
    assert 4 * median <= top <= 8 * median < cells["hits"][cells["channel"].index(20)]


def test_the_edges_of_the_drift_boxes_are_drawn_where_they_are(look: Look) -> None:
    live = judged()
    shown(live, windows("quiet", 240.0, 7))
    with serving(live) as served:
        page = look(f"{served.url}#page=chambers&view=run").page
        drawn(page)
        edges = served.get("api/v1/summary?view=run").json()["edges"][0]
        lines = page.evaluate(
            """() => [...Bokeh.documents[0]._all_models.values()]
              .filter(({ type, name }) => type === 'Span' && ['rising', 'falling'].includes(name))
              .map(({ name, location, visible }) => [name, location, visible]).slice(0, 2)"""
        )
        page.close()
    assert lines == [
        ["rising", edges["rising_ns"], True],
        ["falling", edges["falling_ns"], True],
    ]


def test_rates_have_the_bands_of_the_chambers_that_are_shown(look: Look) -> None:
    live = judged()
    shown(live, windows("quiet", 30.0))
    bands = [c.band for c in live.problems().chambers]
    with serving(live) as served:
        page = look(f"{served.url}#page=overview&chambers=0,2").page
        drawn(page)
        page.wait_for_function("() => window.muonscope.source('bands')?.y0?.length === 2")
        told = columns(page, "bands")
        page.close()
    assert told["y0"] == [band.low for band in (bands[0], bands[2]) if band]
    assert told["y1"] == [band.high for band in (bands[0], bands[2]) if band]


def test_the_scintillator_is_smoothed_over_thirty_seconds_with_its_error(look: Look) -> None:
    live = judged()
    shown(live, windows("quiet", 90.0))
    with serving(live) as served:
        page = look(f"{served.url}#page=overview").page
        drawn(page)
        page.wait_for_function("() => window.muonscope.source('trend')?.time?.length > 60")
        trend = columns(page, "trend")
        page.close()
    time, live_s = np.array(trend["time"]), np.array(trend["live_s"])
    counts = np.array(trend["scintillator"]) * live_s
    for i in (5, 40, len(time) - 1):
        mine = (time > time[i] - 30) & (time <= time[i])
        n, s = counts[mine].sum(), live_s[mine].sum()
        assert trend["scintillator_mean"][i] == pytest.approx(n / s)
        low, high = trend["scintillator_low"][i] * s, trend["scintillator_high"][i] * s
        assert (high - low) / 2 == pytest.approx(math.sqrt(n + 3 / 8), rel=0.01, abs=0.3)
        assert low <= n + 0.3
        assert high >= n


def luminance(colour: str) -> float:
    """Return the relative luminance of a colour (WCAG 2.2)."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_bars_and_lines_stand_out_from_the_ground(theme: Theme) -> None:
    palette = Choice(theme=theme).palette
    ground = luminance(GROUND[theme])
    for colour in (*palette.chambers, palette.ink, palette.reference, palette.hot):
        bright, dark = sorted((luminance(colour), ground), reverse=True)
        assert (bright + 0.05) / (dark + 0.05) >= 3.0, colour


def deuteranope(colour: str) -> np.ndarray:
    """Return a colour as someone without green cones sees it (Vienot 1999, linear RGB)."""
    rgb = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]) ** 2.2
    seen = np.array([[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]])
    return np.clip(seen @ rgb, 0, 1) ** (1 / 2.2)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_first_four_chambers_differ_for_those_who_do_not_see_green(theme: Theme) -> None:
    palette = Choice(theme=theme).palette
    for one, other in combinations(palette.chambers[:4], 2):
        apart = float(np.linalg.norm(deuteranope(one) - deuteranope(other)))
        assert apart > 0.1, (one, other, apart)


def test_lines_say_of_which_chamber_they_are(finished: Served, look: Look) -> None:
    page = look(f"{finished.url}#page=overview&view=run").page
    drawn(page)
    page.wait_for_function("() => window.muonscope.source('tips')?.text?.length === 4")
    tips, trend = columns(page, "tips"), columns(page, "trend")
    assert tips["text"] == ["0", "1", "2", "3"]
    assert len(set(tips["x"])) == 4 or len(trend["x"]) < 40
    for c in range(4):
        assert tips["y"][c] == trend[f"hits{c}"][trend["x"].index(tips["x"][c])]
    page.evaluate("() => { location.hash = '#page=overview&view=run&chambers=1,3'; }")
    page.wait_for_function("() => window.muonscope.source('tips')?.text?.length === 2")
    assert columns(page, "tips")["text"] == ["1", "3"]
