"""The pages in a real browser: what they draw is what the API says, and the controls work."""

import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, Page

from helpers.command import until
from helpers.served import Served, serving
from helpers.window_messages import SECOND, moved

PAGES = ("overview", "chambers", "trends", "system")
Look = Callable[..., Any]
Serve = Callable[..., Served]


def state(page: Page) -> dict[str, Any]:
    found: dict[str, Any] = page.evaluate("() => window.muonscope.state()")
    return found


def columns(page: Page, name: str) -> dict[str, list[float]]:
    """Return the columns of a source of the page that is shown."""
    found: dict[str, list[float]] = page.evaluate(
        "(name) => Object.fromEntries(Object.entries(window.muonscope.source(name) ?? {})"
        ".map(([column, values]) => [column, Array.from(values)]))",
        name,
    )
    return found


def drawn(page: Page, updates: int = 1) -> None:
    """Wait until so many updates have been drawn."""
    page.wait_for_function("(n) => window.muonscope?.state().updates >= n", arg=updates)


def colours(page: Page, selector: str) -> int:
    """Return how many colours are in a part of the page."""
    picture = Image.open(io.BytesIO(page.locator(selector).first.screenshot())).convert("RGB")
    return len(picture.getcolors(1 << 24) or [])


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


def check(page: Page, box: str) -> None:
    """Tick or untick a box, which is drawn by what is beside it."""
    page.locator(box).evaluate("(input) => input.click()")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("page_name", PAGES)
def test_every_page_draws_something_and_is_accessible(
    finished: Served, look: Look, page_name: str, theme: str
) -> None:
    page = look(f"{finished.url}#page={page_name}&theme={theme}").page
    if page_name != "system":
        drawn(page)
        page.wait_for_timeout(300)
        plots = page.locator(f"#{page_name} .plot:visible")
        assert plots.count() == {"overview": 3, "chambers": 20, "trends": 2}[page_name]
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
        drift = columns(page, f"drift{c}")["counts"]
        assert sum(drift) == sum(tables[f"drift{c}"]["counts"]) > 0
        orbits = columns(page, f"multiplicity{c}")["orbits"]
        assert sum(orbits) == sum(tables[f"multiplicity{c}"]["orbits"][1:])
        assert max(columns(page, f"orbits{c}")["hits"]) == max(tables[f"orbits{c}"]["hits"])


def test_bars_are_as_high_as_the_numbers_say(finished: Served, look: Look) -> None:
    page = look(f"{finished.url}#page=chambers&view=run").page
    drawn(page)
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
    assert len(said) == 16
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


def test_two_browsers_see_the_same_and_a_reload_goes_on(running: Served, look: Look) -> None:
    address = f"{running.url}#page=chambers&view=run"
    first, second = look(address).page, look(address).page
    drawn(first, 2)
    drawn(second, 2)
    until(lambda: state(first)["seq"] == state(second)["seq"], "the same state")
    first.reload()
    first.wait_for_function("() => window.muonscope?.state().updates > 1")
    assert state(first)["choices"]["view"] == "run"


def test_a_deep_link_keeps_every_choice(finished: Served, look: Look) -> None:
    windows = finished.get("api/v1/windows?last=7200")["columns"]
    at = f"{windows['epoch'][3]}.{windows['window'][3]}"
    link = f"#page=chambers&view=window&unit=hz&log=1&chambers=0,2&at={at}&theme=dark&reference=1"
    page = look(f"{finished.url}{link}").page
    drawn(page)
    shown = state(page)
    assert shown["shown"]["window"] == windows["window"][3]
    assert shown["reference"] is not None
    assert page.locator("html").get_attribute("data-theme") == "dark"
    assert page.locator("#log").is_checked()
    assert [page.locator(f"#chamber-{c}").is_visible() for c in range(4)] == [1, 0, 1, 0]
    assert page.evaluate("() => location.hash") == link
    assert set(columns(page, "cells0")) >= {"hits_ref", "hits_ratio"}


def test_pause_holds_the_page_and_the_arrows_go_back(running: Served, look: Look) -> None:
    page = look(f"{running.url}#page=chambers&view=window").page
    drawn(page, 3)
    page.locator("#pause").click()
    page.wait_for_function("() => window.muonscope.state().choices.at")
    held = state(page)["choices"]["at"]
    page.wait_for_function(
        "(w) => window.muonscope.state().shown?.window === w", arg=held["window"]
    )
    before = columns(page, "cells1")["hits"]
    windows = running.health()["windows"]
    until(lambda: running.health()["windows"] > windows + 1, "two more windows")
    assert columns(page, "cells1")["hits"] == before
    page.locator("#back").click()
    page.wait_for_function("(w) => window.muonscope.state().shown?.window < w", arg=held["window"])
    page.wait_for_timeout(200)
    shown = state(page)["shown"]
    place = f"epoch={shown['epoch']}&window={shown['window']}"
    said = running.get(f"api/v1/summary?view=window&{place}")
    assert columns(page, "cells1")["hits"] == said["tables"]["cells1"]["hits"]
    page.locator("#pause").click()
    page.wait_for_function("() => window.muonscope.state().choices.at === null")
    page.wait_for_function("(w) => window.muonscope.state().shown.window > w", arg=held["window"])


def test_all_that_is_kept_can_be_gone_back_to(
    results: Path, look: Look, serve: Serve, tmp_path: Path
) -> None:
    lines = results.read_bytes().splitlines()
    file = tmp_path / "long.jsonl"
    length = 10 * SECOND  # 50 minutes in all, of which the overview shows the last 30
    file.write_bytes(b"".join(moved(lines[n % 5], n, orbits=length) for n in range(300)))
    served = serve(file)
    served.wait_for_windows(300)
    page = look(f"{served.url}#page=overview").page
    drawn(page)
    page.wait_for_function("() => window.muonscope.state().trendRows > 0")
    assert state(page)["trendRows"] < 200
    page.locator("#pause").click()
    page.wait_for_function("() => window.muonscope.state().trendRows === 300")
    assert page.locator("#place").get_attribute("max") == "299"


def test_a_link_to_a_window_of_another_run_says_so(finished: Served, look: Look) -> None:
    run = finished.health()["run"]
    there = finished.get("api/v1/windows?last=1800")["columns"]["window"][3:5]
    place = f"#page=chambers&view=window&at=0.{there[0]}"
    page = look(f"{finished.url}{place}.another.run").page
    page.wait_for_function("() => !document.querySelector('#banner').hidden")
    said = page.locator("#banner").inner_text()
    assert said == f"That window is of run another.run; here is run {run}."
    page = look(f"{finished.url}{place}.{run}").page
    page.wait_for_function("(w) => window.muonscope.state().shown?.window === w", arg=there[0])
    page.locator("#forward").click()
    page.wait_for_function("(w) => window.muonscope.state().shown?.window === w", arg=there[1])
    assert page.evaluate("() => location.hash").endswith(f"&at=0.{there[1]}.{run}")


def test_a_run_is_its_own_reference(finished: Served, look: Look) -> None:
    page = look(f"{finished.url}#page=chambers&view=run&reference=1").page
    drawn(page)
    cells = columns(page, "cells3")
    assert cells["hits_ref"] == pytest.approx(cells["hits"])
    assert {round(r, 9) for r in cells["hits_ratio"] if r == r} == {1.0}  # noqa: PLR0124 not NaN
    assert page.locator(".plot-channels_ratio").count() == 4


def test_the_reference_of_the_server_is_switched_on_with_one_click(
    finished: Served, look: Look
) -> None:
    page = look(f"{finished.url}#page=chambers&view=run").page
    drawn(page)
    assert state(page)["reference"] is None
    check(page, "#reference")
    page.wait_for_function("() => window.muonscope.source('cells0')?.hits_ref")
    assert state(page)["reference"] == "of the server"
    assert page.locator("#reference").is_checked()


def test_a_reference_of_another_detector_is_refused(
    finished: Served, look: Look, tmp_path: Path
) -> None:
    page = look(f"{finished.url}#page=chambers&view=run").page
    drawn(page)
    other = tmp_path / "other.json"
    shown = finished.get("api/v1/summary?view=run") | {"detector": "bologna2"}
    other.write_text(json.dumps(shown), "utf-8")
    page.locator("#reference-choose").click()
    page.locator("#reference-file").set_input_files(other)
    page.wait_for_function("() => document.querySelector('#reference-problem').textContent")
    problem = page.locator("#reference-problem").text_content()
    assert problem == "That is of detector bologna2, this is legnaro."
    assert state(page)["reference"] is None


def test_a_reference_is_loaded_from_a_file_of_results(
    finished: Served, results: Path, look: Look
) -> None:
    page = look(f"{finished.url}#page=chambers&view=run").page
    drawn(page)
    page.locator("#reference-choose").click()
    page.locator("#reference-file").set_input_files(results)
    page.wait_for_function("() => window.muonscope.source('cells0')?.hits_ref")
    page.wait_for_timeout(300)
    cells = columns(page, "cells0")
    assert cells["hits_ref"] == pytest.approx(cells["hits"])


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("null.json", '{"live_s": 1, "detector": "legnaro", "tables": null}', "no view document"),
        (
            "length.json",
            '{"live_s": 1, "detector": "legnaro", "tables": {"drift0": {"counts": {"length": 9}}}}',
            "no view document",
        ),
        (
            "text.json",
            '{"live_s": 1, "detector": "legnaro", "tables": {"cells0": {"hits": "12"}}}',
            "no view document",
        ),
        ("half.jsonl", '\n{"window": 1, "detector": "legnaro"}\n', "Line 2 is no result"),
        ("garbage.jsonl", "\x00\ufffd\n", "Line 1 is no result"),
        ("null.jsonl", "null\n", "No window is in it"),
    ],
)
def test_a_broken_reference_is_refused_and_the_page_goes_on(
    finished: Served, look: Look, name: str, text: str, problem: str
) -> None:
    page = look(f"{finished.url}#page=chambers&view=run").page
    drawn(page)
    page.locator("#reference-choose").click()
    broken = {"name": name, "mimeType": "application/json", "buffer": text.encode()}
    page.locator("#reference-file").set_input_files(broken)
    page.wait_for_function("() => document.getElementById('reference-problem').textContent")
    assert problem in page.locator("#reference-problem").inner_text()
    assert state(page)["reference"] is None
    page.reload()
    drawn(page)
    assert page.locator("#chambers .plot:visible").count() == 20


def test_of_a_reference_file_the_newest_run_counts_and_each_window_once(
    finished: Served, results: Path, look: Look, tmp_path: Path
) -> None:
    lines = results.read_bytes().splitlines(keepends=True)
    older = [moved(line, n, run="older") for n, line in enumerate(lines[:3])]
    several = [*older[:2], *lines, older[2], lines[0]]
    (tmp_path / "several.jsonl").write_bytes(b"".join(several))
    page = look(f"{finished.url}#page=chambers&view=run").page
    drawn(page)
    page.locator("#reference-choose").click()
    page.locator("#reference-file").set_input_files(tmp_path / "several.jsonl")
    page.wait_for_function("() => window.muonscope.source('cells0')?.hits_ref")
    page.wait_for_timeout(300)
    cells = columns(page, "cells0")
    assert cells["hits_ref"] == pytest.approx(cells["hits"])


def test_an_address_asks_for_no_more_history_than_there_may_be(
    finished: Served, look: Look
) -> None:
    page = look(f"{finished.url}#page=trends&span=9999999").page
    drawn(page)
    assert state(page)["choices"]["span"] == 62 * 86_400
    page = look(f"{finished.url}#page=trends&span=00").page
    assert state(page)["choices"]["span"] == 1800


def test_numbers_and_pictures_are_saved(finished: Served, look: Look, tmp_path: Path) -> None:
    page = look(f"{finished.url}#page=chambers&view=run").page
    drawn(page)
    saved = {}
    for kind in ("CSV", "JSON", "PNG"):
        page.locator(".plot-channels summary").first.click()
        with page.expect_download() as download:
            page.get_by_role("button", name=f"{kind} of Hits per channel, chamber 0").click()
        saved[kind] = Path(download.value.path()).read_bytes()
    hits = finished.get("api/v1/summary?view=run")["tables"]["cells0"]["hits"]
    assert json.loads(saved["JSON"])["columns"]["hits"] == hits
    rows = saved["CSV"].decode().splitlines()
    at = rows[1].split(",").index("hits")
    assert [int(row.split(",")[at]) for row in rows[2:]] == hits
    assert Image.open(io.BytesIO(saved["PNG"])).size[0] > 200


def test_reset_begins_the_run_view_anew_for_all(running: Served, look: Look) -> None:
    first = look(f"{running.url}#page=overview&view=run").page
    second = look(f"{running.url}#page=overview&view=run").page
    drawn(first, 3)
    drawn(second, 3)
    before = state(second)["shown"]["live_s"]
    first.locator("#reset").click()
    first.get_by_role("button", name="Reset the run view").click()
    second.wait_for_function("(s) => window.muonscope.state().shown.live_s < s", arg=before)
    assert running.health()["reset_at"] is not None


def test_the_page_connects_again_when_the_server_comes_back(results: Path, look: Look) -> None:
    with serving(["dashboard", results, "--port", "0"]) as served:
        watched = look(f"{served.url}#page=overview")
        page, port = watched.page, served.url.rstrip("/").rpartition(":")[2]
        drawn(page)
        assert served.interrupt() == 0
    page.wait_for_function("() => window.muonscope.state().line === 'disconnected'")
    assert "isconnected" in page.locator("#banner").inner_text()
    with serving(["dashboard", results, "--port", port]):
        page.wait_for_function("() => window.muonscope.state().line === 'connected'")
    refused = [e for e in watched.errors if "ERR_CONNECTION_REFUSED" in e]
    assert refused
    watched.errors[:] = [e for e in watched.errors if e not in refused]


def test_what_another_server_shows_is_not_mixed_with_what_was_there(
    results: Path, look: Look, tmp_path: Path
) -> None:
    shorter = tmp_path / "shorter.jsonl"
    shorter.write_bytes(b"".join(results.read_bytes().splitlines(keepends=True)[:5]))
    with serving(["dashboard", shorter, "--port", "0"]) as served:
        watched = look(f"{served.url}#page=overview")
        page, port = watched.page, served.url.rsplit(":", 1)[1].strip("/")
        page.wait_for_function("() => window.muonscope.state().trendRows === 5")
        assert served.interrupt() == 0
    with serving(["dashboard", results, "--port", port]) as served:
        page.wait_for_function("() => window.muonscope.state().line === 'connected'")
        rows = len(served.get("api/v1/windows?last=1800")["columns"]["run_s"])
        page.wait_for_function("(n) => window.muonscope.state().trendRows === n", arg=rows)
        assert served.interrupt() == 0
    with serving(["dashboard", "sim:bologna", "--port", port]) as served:
        page.locator("#detector", has_text="bologna2").wait_for()  # the page loads itself again
        drawn(page)
    watched.errors[:] = [e for e in watched.errors if "ERR_" not in e]


def test_what_stops_is_told_to_be_stale(
    results: Path, look: Look, serve: Serve, tmp_path: Path
) -> None:
    lines = results.read_bytes().splitlines(keepends=True)
    growing = tmp_path / "growing.jsonl"
    growing.write_bytes(b"".join(lines[:2]))
    served = serve(growing)
    page = look(f"{served.url}#page=overview").page
    drawn(page)
    with growing.open("ab") as file:  # what was there before is as old as the file
        file.write(lines[2])
    page.wait_for_function("() => window.muonscope.state().status?.state === 'receiving'")
    page.wait_for_function("() => window.muonscope.state().status?.state === 'stale'")
    assert page.locator("#state").inner_text().lower() == "stale"
    assert "no window since" in page.locator("#overview").inner_text()
    with growing.open("ab") as file:
        file.write(lines[3])
    page.wait_for_function("() => window.muonscope.state().status?.state === 'receiving'")


def test_an_empty_page_says_what_is_missing(look: Look, serve: Serve, tmp_path: Path) -> None:
    served = serve(tmp_path / "later.jsonl")
    page = look(f"{served.url}#page=chambers").page
    page.wait_for_selector("#empty:visible")
    text = page.locator("#empty").inner_text()
    assert "Waiting for the first window" in text
    assert "later.jsonl" in text


def test_two_minutes_fast_forwarded_are_all_there(look: Look, serve: Serve) -> None:
    source = "sim:legnaro?seconds=120s&rate-scale=0.2"
    served = serve(source, "--speed", "60")
    page = look(f"{served.url}#page=chambers&view=run").page
    until(lambda: served.health()["state"] == "stopped", "the end")
    said = served.get("api/v1/summary?view=run")
    page.wait_for_function("(n) => window.muonscope.state().seq === n", arg=said["seq"])
    assert said["windows"] >= 120
    for c in range(4):
        assert columns(page, f"cells{c}")["hits"] == said["tables"][f"cells{c}"]["hits"]
    assert served.health()["accounting"]["words_in"] == served.health()["words"]


def test_hostile_texts_are_only_text(
    results: Path, look: Look, serve: Serve, tmp_path: Path
) -> None:
    evil = "<img src=x onerror='window.owned=1'><script>window.owned=1</script>"
    file = tmp_path / "evil.jsonl"
    lines = []
    for line in results.read_bytes().splitlines()[:5]:
        message = json.loads(line)
        lines.append(json.dumps(message | {"run": evil}).encode())
    lines.append(json.dumps({"schema": f"muonscope.window/1{evil}"}).encode())
    file.write_bytes(b"\n".join(lines) + b"\n")
    served = serve(file)
    for name in PAGES:
        page = look(f"{served.url}#page={name}&{evil}&view={evil}").page
        page.wait_for_function("() => window.muonscope.state().status")
        page.wait_for_timeout(500)
        assert page.evaluate("() => window.owned") is None
        assert page.locator("img").count() == 0
    assert evil in page.locator("#system").inner_text()


def test_a_phone_shows_all_of_it_in_its_width(finished: Served, look: Look) -> None:
    phone = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2}
    for name in PAGES:
        page = look(f"{finished.url}#page={name}", **phone).page
        page.wait_for_timeout(800)
        width = page.evaluate("() => document.scrollingElement.scrollWidth")
        assert width <= 390, name


@pytest.mark.parametrize("name", ["127.0.0.1", "daq.test"])
def test_a_token_is_asked_for_once(
    results: Path, browser: Browser, serve: Serve, tmp_path: Path, name: str
) -> None:
    token = tmp_path / "token"
    token.write_text("a-token-of-many-letters\n")
    served = serve(results, "--token-file", token)
    url = re.sub(r"//[^:/]+:", f"//{name}:", served.url)  # to one of them browsers say less
    page = browser.new_page()
    page.goto(url)
    page.locator("input[type=password]").fill("wrong token wrong")
    page.locator("form button").click()
    page.locator("body", has_text="not the token").wait_for()
    page.locator("input[type=password]").fill(token.read_text().strip())
    page.locator("form button").click()
    page.wait_for_function("() => window.muonscope?.state().updates > 0")
    page.reload()
    page.wait_for_function("() => window.muonscope?.state().updates > 0")
    page.get_by_role("button", name="Log out").click()
    page.locator("input[type=password]").wait_for()
    page.close()


def test_it_runs_under_a_path(results: Path, look: Look, serve: Serve) -> None:
    served = serve(results, "--prefix", "/muon/scope")
    assert served.url.endswith("/muon/scope/")
    page = look(f"{served.url}#page=chambers").page
    drawn(page)
    assert state(page)["line"] == "connected"
