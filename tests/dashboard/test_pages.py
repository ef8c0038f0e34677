"""The pages in a real browser: what they draw is what the API says."""

import io
import json
import math
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image

from dashboard.looking import PAGES, Look, Serve, columns, drawn, state
from helpers.served import Served, serving

COVERED = """(name) => {
  const views = Object.values(Bokeh.index);
  const view = views.find(({ model }) => model.renderers[0].data_source.name === name);
  const { x, y, width, height } = view.frame.bbox;
  const { primary, pixel_ratio: ratio } = view.canvas_view;
  const place = [x, y, width, height].map((px) => Math.round(px * ratio));
  const { data } = primary.ctx.getImageData(...place);
  const bars = view.model.renderers[0].glyph.fill_color.value;
  const wanted = [1, 3, 5].map((i) => parseInt(bars.slice(i, i + 2), 16));
  let pixels = 0;
  for (let i = 0; i < data.length; i += 4) {
    const near = wanted.every((value, c) => Math.abs(data[i + c] - value) < 12);
    if (near && data[i + 3] > 100) pixels++;
  }
  const { x_range, y_range } = view.model;
  const area = (x_range.end - x_range.start) * (y_range.end - y_range.start);
  return [(pixels / (data.length / 4)) * area, y_range.end];
}"""
"""Area of the bars of a figure as they were painted, in units of its axes; the axis' end."""


WITHOUT_ERRORS = """() => {
  for (const { model } of Object.values(Bokeh.index))
    for (const drawn of model.renderers ?? [])
      if (drawn.glyph.type === "Segment") drawn.visible = false;
}"""


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("page_name", PAGES)
def test_every_page_draws_something_and_is_accessible(
    finished: Served, look: Look, page_name: str, theme: str
) -> None:
    page = look(f"{finished.url}#page={page_name}&theme={theme}").page
    if page_name == "problems":
        page.wait_for_selector("#problem-list li")
    elif page_name != "system":
        drawn(page)
        page.wait_for_timeout(300)
        plots = page.locator(f"#{page_name} .plot:visible")
        assert plots.count() == {"overview": 3, "chambers": 20, "muons": 28, "trends": 2}[page_name]
        for n in range(plots.count()):
            picture = Image.open(io.BytesIO(plots.nth(n).screenshot())).convert("RGB")
            assert len(picture.getcolors(1 << 24) or []) > 10, n
    found = Axe().run(page).response["violations"]
    serious = [v["id"] for v in found if v["impact"] in {"serious", "critical"}]
    assert serious == []


@pytest.mark.parametrize("view", ["window", "recent", "run"])
def test_the_chambers_page_holds_the_numbers_of_the_api(
    finished: Served, look: Look, view: str
) -> None:
    page = look(f"{finished.url}#page=chambers&view={view}").page
    drawn(page)
    said = finished.get(f"api/v1/summary?view={view}")
    assert state(page)["shown"]["live_s"] == said["live_s"]
    for c in range(4):
        cells, tables = columns(page, f"cells{c}"), said["tables"]
        assert cells["hits"] == tables[f"cells{c}"]["hits"]
        assert cells["scint"] == tables[f"cells{c}"]["scint"]
        drift, whole = columns(page, f"drift{c}"), tables[f"drift{c}"]["counts"]
        by = len(whole) // len(drift["counts"])
        assert by in {2, 4, 8, 16}
        joined = [sum(whole[i : i + by]) for i in range(0, len(whole), by)]
        assert drift["counts"] == joined
        assert [drift["left"][0], drift["right"][-1]] == [-100, 700]
        assert by == 16 or sum(joined[40 // by : 200 // by]) >= 40 * (160 // by)
        low = [n - math.sqrt(n) for n in joined]
        assert drift["counts_low"] == pytest.approx(low)
        orbits = columns(page, f"multiplicity{c}")["orbits"]
        assert sum(orbits) == sum(tables[f"multiplicity{c}"]["orbits"][1:])
        assert max(columns(page, f"orbits{c}")["hits"]) == max(tables[f"orbits{c}"]["hits"])


def test_bars_are_as_high_as_the_numbers_say(finished: Served, look: Look) -> None:
    page = look(f"{finished.url}#page=chambers&view=run").page
    drawn(page)
    page.evaluate(WITHOUT_ERRORS)  # which cover a part of the bars
    page.wait_for_timeout(300)
    for c in range(4):
        counts = columns(page, f"drift{c}")
        widths = [b - a for a, b in zip(counts["left"], counts["right"], strict=True)]
        expected = sum(n * ns for n, ns in zip(counts["counts"], widths, strict=True))
        area, highest = page.evaluate(COVERED, f"drift{c}")
        assert max(counts["counts"]) <= highest
        assert area == pytest.approx(expected, rel=0.1)


def test_millions_are_no_thousandths(finished: Served, look: Look) -> None:
    page = look(f"{finished.url}#page=chambers&view=run").page
    drawn(page)
    said = page.evaluate(
        "() => Object.values(Bokeh.index)"
        ".flatMap(({ model }) => [...(model.left ?? []), ...(model.right ?? [])])"
        ".filter(({ formatter }) => formatter?.type === 'NumeralTickFormatter')"
        ".map(({ formatter }) => formatter.doFormat([1500, 2.5e6], { loc: 0 }))"
    )
    assert len(said) == 12
    assert {tuple(texts) for texts in said} == {("1.5k", "2.5M")}


def test_hertz_are_counts_by_live_time(finished: Served, look: Look) -> None:
    page = look(f"{finished.url}#page=chambers&view=run&unit=hz").page
    drawn(page)
    said = finished.get("api/v1/summary?view=run")
    expected = [n / said["live_s"] for n in said["tables"]["cells2"]["hits"]]
    assert columns(page, "cells2")["hits"] == pytest.approx(expected)
    assert "Hz" in page.locator("#chambers").inner_text()


def test_the_overview_holds_the_numbers_of_the_api(finished: Served, look: Look) -> None:
    page = look(f"{finished.url}#page=overview&view=run").page
    drawn(page)
    said, status = finished.get("api/v1/summary?view=run"), finished.health()
    assert columns(page, "chambers")["hits"] == said["tables"]["chambers"]["hits"]
    text = page.locator("#overview").inner_text()
    for number in (said["hits"], status["accounting"]["words_in"]):
        assert f"{number:,}" in text
    for name in ("late", "unmapped", "invalid", "ancillary", "trigger"):
        assert name in text


def test_words_that_are_not_used_are_told_by_their_kind(
    results: Path, look: Look, serve: Serve, tmp_path: Path
) -> None:
    message = json.loads(results.read_bytes().splitlines()[0])
    for kind, n in {"late": 7, "unmapped": 20, "invalid": 300, "words_in": 327}.items():
        message["accounting"][kind] += n
    file = tmp_path / "dropped.jsonl"
    file.write_bytes(json.dumps(message).encode() + b"\n")
    page = look(f"{serve(file).url}#page=overview").page
    drawn(page)
    said = page.locator("#fact-dropped").inner_text().splitlines()
    assert said[-2:] == ["327", "7 late, 20 unmapped, 300 invalid"]


def test_plots_that_somebody_adds_are_fed_as_they_ask(results: Path, look: Look) -> None:
    script = Path(__file__).with_name("own_plots.py")
    args = ["dashboard", results, "--port", "0", "--reference", results]
    with serving(args, script=script) as served:
        served.wait_for_windows(len(results.read_bytes().splitlines()) - 1)
        page = look(f"{served.url}#page=chambers&view=run").page
        drawn(page)
        said = served.get("api/v1/summary?view=run")["tables"]["drift2"]["counts"]
        for name, rebin in (("drift2", 2), ("drift2.1", 10), ("drift2.2", 20)):
            joined = [sum(said[i : i + rebin]) for i in range(0, len(said), rebin)]
            assert columns(page, name)["counts"] == joined
        assert page.locator("#chambers .plot:visible").count() == 4 * 6
        page = look(f"{served.url}#page=overview").page
        drawn(page)
        own, shared = columns(page, "trend.1"), columns(page, "trend")
        assert own.keys() == {"time", "late"}
        assert own["time"] == shared["time"]
        assert own["late"] == [0.0] * len(own["time"])
        assert sum(shared["hits"]) > 0
        page.close()
        assert served.interrupt() == 0


def test_trends_hold_the_whole_history(finished: Served, look: Look) -> None:
    page = look(f"{finished.url}#page=trends&span=7200").page
    drawn(page)
    rows = finished.get("api/v1/windows?last=7200")["columns"]
    assert state(page)["trendRows"] == len(rows["run_s"])
    rates = columns(page, "trend")["hits"]
    assert min(rates) > 0
    assert max(rates) <= max(n / s for n, s in zip(rows["hits"], rows["live_s"], strict=True))


def test_the_system_page_tells_of_the_source(finished: Served, look: Look) -> None:
    page = look(f"{finished.url}#page=system").page
    page.wait_for_selector("#system table")
    text = page.locator("#system").inner_text()
    status = finished.health()
    assert status["source"] in text
    assert status["version"] in text
    assert f"{status['sources'][0]['read']:,}" in text


def test_a_phone_shows_all_of_it_in_its_width(finished: Served, look: Look) -> None:
    phone = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2}
    for name in PAGES:
        page = look(f"{finished.url}#page={name}", **phone).page
        page.wait_for_timeout(800)
        width = page.evaluate("() => document.scrollingElement.scrollWidth")
        assert width <= 390, name


def test_the_controls_of_a_phone_leave_room_and_the_head_stays(
    finished: Served, look: Look
) -> None:
    page = look(f"{finished.url}#page=overview", viewport={"width": 390, "height": 844}).page
    drawn(page)
    head = page.locator(".top").bounding_box()
    controls = page.locator(".controls").bounding_box()
    assert head
    assert controls
    assert controls["height"] < 120
    assert head["height"] < 120
    page.mouse.wheel(0, 2000)
    page.wait_for_function("() => scrollY > 100")
    assert page.locator(".top").bounding_box()["y"] == 0


def test_at_1366_x_768_what_matters_is_above_the_fold(finished: Served, look: Look) -> None:
    page = look(
        f"{finished.url}#page=overview&view=run", viewport={"width": 1366, "height": 768}
    ).page
    drawn(page)
    for name in (
        "#state",
        "#verdict-word",
        ".tile",
        "#fact-rate",
        "#fact-dropped",
        ".plot-rates h3",
    ):
        box = page.locator(name).first.bounding_box()
        assert box, name
        assert box["y"] + box["height"] <= 768, name
