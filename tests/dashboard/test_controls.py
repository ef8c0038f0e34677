"""The controls of the page in a real browser: choices, the past, files to save, the reset."""

import io
import json
from pathlib import Path

from PIL import Image

from dashboard.looking import Look, Serve, columns, drawn, state
from helpers.command import until
from helpers.served import Served
from helpers.window_messages import SECOND, moved


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


def test_two_browsers_see_the_same_and_a_reload_goes_on(running: Served, look: Look) -> None:
    address = f"{running.url}#page=chambers&view=run"
    first, second = look(address).page, look(address).page
    drawn(first, 2)
    drawn(second, 2)
    until(lambda: state(first)["seq"] == state(second)["seq"], "the same state")
    first.reload()
    first.wait_for_function("() => window.muonscope?.state().updates > 1")
    assert state(first)["choices"]["view"] == "run"
