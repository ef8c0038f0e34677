"""The page of muons in a real browser: the event, its tracks, and the histograms."""

from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page

import muonscope
from dashboard.lives import Clock, live_of, window
from dashboard.looking import Look, columns, drawn
from dashboard.serving import serving
from helpers.command import until
from muonscope.counting.blocks import WITH_TRACKS
from muonscope.counting.counter import Counter
from muonscope.counting.window_spec import WindowSpec
from muonscope.counting.window_table import WindowTable
from muonscope.dashboard.contract import View, encoded
from muonscope.dashboard.live import Live
from muonscope.detector import shipped_detector
from muonscope.results.message import window_messages
from muonscope.tracking.acceptance import sky_exposure

LEGNARO = shipped_detector()


@pytest.fixture(scope="module")
def muons() -> Live:
    """The state of a dashboard that has some seconds of tracks."""
    counter = Counter(LEGNARO, WindowSpec(), WITH_TRACKS)
    words = muonscope.simulate("legnaro", seconds=6.0, seed=4).words
    rows = [*counter.push(words), *counter.finish()][3:-1]
    table = WindowTable.of(LEGNARO, rows[0].summary.live_orbits, rows, blocks=WITH_TRACKS)
    return live_of(window_messages(table, "r"), clock=Clock())


def told(page: Page) -> str:
    return page.locator("#event-told").text_content() or ""


def view_of(live: Live) -> View:
    view = live.view("run")
    assert view is not None
    return view


def tables_of(live: Live) -> dict[str, Any]:
    view = view_of(live)
    encoded(view)
    return dict(view.tables)


def test_the_event_is_that_of_the_window_and_can_be_stepped_through(
    muons: Live, look: Look
) -> None:
    tables = tables_of(muons)
    hits, lines = tables["event_hits"], tables["event_lines"]
    n = len(tables["event"]["orbit"])
    assert n > 4
    with serving(muons) as served:
        page = look(f"{served.url}#page=muons&view=run").page
        drawn(page)
        for event in (n - 1, n - 2, n - 3):
            assert told(page).startswith(f"event {event + 1} of {n} of the window")
            assert f"orbit {tables['event']['orbit'][event]:,}" in told(page)
            names = ("event_hits", *(f"event_hits.{i}" for i in range(1, 4)))
            shown = [columns(page, name) for name in names]
            cells = sorted(cell for source in shown for cell in source["cell"])
            assert cells == sorted(hits["cell"][hits["event"] == event].tolist())
            track = columns(page, "event_lines")  # of the phi view
            mine = (lines["event"] == event) & (lines["view"] == 0)
            assert track["slope"] == pytest.approx(lines["slope"][mine])
            away = np.array(track["x_high"]) - np.array(track["x_low"])
            height = np.array(track["z_high"]) - np.array(track["z_low"])
            assert away / height == pytest.approx(lines["slope"][mine])
            page.locator("#event-before").click()
        for _ in range(3):
            page.locator("#event-after").click()
        assert told(page).startswith(f"event {n} of {n}")
        assert page.locator("#event-after").is_disabled()
        page.close()


def test_histograms_and_efficiencies_are_those_of_the_view(muons: Live, look: Look) -> None:
    tables = tables_of(muons)
    with serving(muons) as served:
        page = look(f"{served.url}#page=muons&view=run").page
        drawn(page)
        for name in ("track_slope0", "track_place1", "track_residual2", "track_drift3"):
            counts = tables[name]["counts"]
            assert counts.sum() > 20
            assert columns(page, name)["counts"] == counts.tolist()
        assert columns(page, "track_sky")["muons"] == tables["track_sky"]["muons"].tolist()
        muons_seen, flux = (columns(page, "track_sky")[name] for name in ("muons", "flux"))
        exposure = sky_exposure(LEGNARO).ravel()
        live = view_of(muons).live_s
        for i, seen in enumerate(muons_seen):
            if exposure[i] < 0.05 * exposure.max():
                assert flux[i] is None or flux[i] != flux[i]
            else:
                assert flux[i] == pytest.approx(seen / live / exposure[i])
        cells = columns(page, "efficiency2")
        expected, seen = tables["efficiency2"]["expected"], tables["efficiency2"]["seen"]
        assert cells["expected"] == expected.tolist()
        for i in range(64):
            share = cells["share"][i]
            if expected[i] < 10:
                assert share is None or share != share  # noqa: PLR0124 not a number
            else:
                assert share == pytest.approx(seen[i] / expected[i])
                assert cells["share_low"][i] <= share <= cells["share_high"][i]
        plots = page.locator("#muons .panel").evaluate_all(
            "(all) => all.map((p) => p.dataset.plot)"
        )
        assert plots.count("event") == plots.count("slope") == 2
        assert plots.count("event_chamber") == 4
        assert plots.count("chi2") == 1  # theta has one chamber, and no tracks
        assert plots.count("efficiency") == plots.count("residual") == 3
        page.close()


def test_constants_are_drawn_against_time_with_their_errors(look: Look) -> None:
    counter = Counter(LEGNARO, WindowSpec(), WITH_TRACKS)
    words = muonscope.simulate("legnaro", seconds=12.0, seed=4, faults=["shift:ch2:8"]).words
    rows = [*counter.push(words), *counter.finish()][3:-1]
    table = WindowTable.of(LEGNARO, rows[0].summary.live_orbits, rows, blocks=WITH_TRACKS)
    sums = sum(row.summary.arrays["track_normal"] for row in rows)
    assert isinstance(sums, np.ndarray)
    with serving(live_of(window_messages(table, "r"), clock=Clock())) as served:
        page = look(f"{served.url}#page=muons&view=run").page
        drawn(page)
        shown: dict[str, list[float]] = {}
        for n in range(3):
            shown |= columns(page, f"trend.{n}" if n else "trend")
        base = LEGNARO.drift_velocity_um_per_ns
        expected = {"velocity": base * (1 + 0.05 * sums[0, -1] / sums[0, 0])}
        for c in (0, 2, 3):
            expected[f"later{c}"] = 20.0 * sums[1 + c, -1] / sums[1 + c, 1 + c]
        assert expected["later2"] > 3.0 + expected["later0"]
        for name, value in expected.items():
            low, high = shown[f"{name}_low"][-1], shown[f"{name}_high"][-1]
            assert shown[name][-1] == pytest.approx(value, rel=1e-6)
            assert low < value < high
            weight = (
                sums[0, 0] if name == "velocity" else sums[1 + int(name[-1]), 1 + int(name[-1])]
            )
            unit = 0.05 * base if name == "velocity" else 20.0
            assert (high - low) / 2 == pytest.approx(unit * 0.33 / (weight / 1000) ** 0.5)
        assert "later1" not in shown  # alone in its view
        page.close()


def test_a_reference_stands_behind_the_histograms_of_tracks(muons: Live, look: Look) -> None:
    with serving(muons) as served:
        page = look(f"{served.url}#page=muons&view=run").page
        drawn(page)
        page.locator("#reference-choose").click()
        page.locator("#reference-screen").click()
        page.wait_for_function("() => window.muonscope.state().reference")
        until(lambda: "counts_ref" in columns(page, "track_residual2"), "the reference")
        for name in ("track_slope0", "track_residual2"):
            shown = columns(page, name)
            assert shown["counts_ref"] == pytest.approx(shown["counts"])
            assert {pull for pull in shown["counts_pull"] if pull == pull} == {0}  # noqa: PLR0124
        page.close()


def test_only_the_page_of_muons_asks_for_tracks(muons: Live, look: Look) -> None:
    with serving(muons) as served:
        watched = look(f"{served.url}#page=overview&view=run")
        drawn(watched.page)
        asked = [url for url in watched.requests if "stream?" in url]
        assert all("tracks=0" in url for url in asked)
        watched.page.close()


def test_results_without_tracking_say_so(look: Look) -> None:
    with serving(live_of([window(0), window(1)])) as served:
        page = look(f"{served.url}#page=muons&view=run").page
        drawn(page)
        assert told(page).startswith("These windows were counted without tracking")
        page.close()
