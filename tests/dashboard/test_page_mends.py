"""What once misled on the page, each as a viewer met it, in a real browser."""

import json
from pathlib import Path

import pytest
from playwright.sync_api import Page

from dashboard.lives import Clock, fed, live_of, window
from dashboard.looking import Look, Serve, columns, drawn, state
from dashboard.serving import serving
from dashboard.test_verdicts import judged, shown
from helpers.judged import windows
from helpers.served import Served


def saved(page: Page, panel: str, kind: str, label: str) -> bytes:
    """Return the file that a panel's menu gives."""
    page.locator(f"{panel} summary").first.click()
    with page.expect_download() as download:
        page.get_by_role("button", name=f"{kind} of {label}", exact=True).click()
    return Path(download.value.path()).read_bytes()


def test_a_run_that_has_ended_is_finished_and_neither_red_nor_grey(
    finished: Served, look: Look
) -> None:
    page = look(f"{finished.url}#page=overview&view=run").page
    drawn(page)
    page.wait_for_function("() => document.getElementById('state').textContent === 'finished'")
    page.evaluate("() => document.documentElement.dataset.freshness = 'old'")
    grey = page.locator(".plot").first.evaluate("(node) => getComputedStyle(node).filter")
    assert grey == "none"
    ink = page.evaluate("() => getComputedStyle(document.body).color")
    assert page.locator("#state").evaluate("(node) => getComputedStyle(node).color") == ink
    assert page.locator("#age").inner_text() == ""


def test_what_broke_off_is_stopped_and_red(look: Look, serve: Serve, tmp_path: Path) -> None:
    (tmp_path / "run.csv").write_text("HEAD,FPGA\n1,2\n", "utf-8")
    served = serve(tmp_path / "run.csv")
    page = look(served.url).page
    page.wait_for_function("() => document.getElementById('state').textContent === 'stopped'")
    assert "bad header" in page.locator("#fact-state").get_attribute("title") or (
        "bad header" in page.locator("#empty").inner_text()
    )


def test_all_orbits_are_saved_though_only_some_are_drawn(look: Look) -> None:
    live = judged()
    shown(live, windows("quiet", 15.0, 7, "burst:10@5s-"))
    with serving(live) as served:
        page = look(f"{served.url}#page=chambers&view=window&chambers=0").page
        drawn(page)
        table = served.get("api/v1/summary?view=window").json()["tables"]["orbits0"]
        text = saved(page, ".plot-orbits", "CSV", "Orbits of the window, chamber 0").decode()
        assert len(columns(page, "orbits0")["hits"]) == 600 < len(table["hits"])
        page.close()
    head, *rows = text.splitlines()[1:]
    assert head == "time [s],hits"
    assert [float(row.split(",")[0]) for row in rows] == table["time"]
    assert [int(row.split(",")[1]) for row in rows] == table["hits"]


def test_a_trend_is_saved_with_its_own_time_and_unit(finished: Served, look: Look) -> None:
    page = look(f"{finished.url}#page=trends&show=trend_hits").page
    drawn(page)
    page.wait_for_function("() => window.muonscope.state().trendRows > 0")
    text = saved(page, ".plot-trend_hits", "CSV", "Hits").decode().splitlines()
    assert "rates in Hz against the time in the run in s" in text[0]
    assert "view=" not in text[0]
    assert " live" not in text[0]
    assert text[1].split(",")[:3] == ["time [s]", "clock", "live_s [s]"]
    assert "hits [Hz]" in text[1]
    assert "saved_at=" in text[0]


def test_a_run_that_begins_while_another_is_paused_is_not_mixed_with_it(look: Look) -> None:
    clock = Clock()
    live = live_of([window(n) for n in range(5)], clock=clock)
    with serving(live) as served:
        page = look(f"{served.url}#page=chambers&view=window").page
        drawn(page)
        page.locator("#pause").click()
        page.wait_for_function("() => window.muonscope.state().choices.at")
        fed(live, [window(0, run="next"), window(1, run="next")], clock)
        page.wait_for_function("() => window.muonscope.state().choices.at === null")
        assert page.locator("#banner").inner_text() == (
            "Run next has begun; run r, which was paused, is not kept."
        )
        page.wait_for_function("() => window.muonscope.state().trendRows === 2")
        page.close()


def test_a_reference_that_was_loaded_ends_the_word_that_there_is_none(
    look: Look, serve: Serve, results: Path
) -> None:
    watched = look(f"{serve(results).url}#page=chambers&view=run")
    page = watched.page
    drawn(page)
    page.locator("#reference").evaluate("(input) => input.click()")
    page.wait_for_function("() => document.querySelector('#banner').textContent.includes('No ref')")
    page.locator("#reference-choose").click()
    page.locator("#reference-screen").click()
    page.wait_for_function("() => window.muonscope.state().reference")
    assert not page.locator("#banner").is_visible()
    watched.errors[:] = [e for e in watched.errors if "404" not in e]


def test_a_run_that_lags_is_told_to_be_behind(look: Look) -> None:
    clock = Clock()
    live = live_of([window(0)], clock=clock)
    for n in range(1, 4):
        clock.now += 1
        fed(live, [window(n)], clock)
    with serving(live) as served:
        page = look(f"{served.url}#page=overview").page
        page.wait_for_function("() => document.getElementById('state').textContent === 'receiving'")
        clock.now += 50
        fed(live, [window(4)], clock)
        page.wait_for_function("() => document.getElementById('state').textContent === 'behind'")
        assert page.locator("#age").inner_text() == "49 s behind"
        assert page.locator("#pulse").get_attribute("data-state") == "behind"
        page.close()


def test_a_reset_is_told_to_the_other_viewers(look: Look) -> None:
    with serving(live_of([window(n) for n in range(3)])) as served:
        page = look(f"{served.url}#page=overview&view=run").page
        drawn(page)
        page.evaluate(
            "() => fetch('api/v1/reset', { method: 'POST', headers: { 'X-Muonscope': '1' } })"
        )
        page.wait_for_function(
            "() => document.querySelector('#banner').textContent.includes('begun anew at')"
        )
        page.close()


def test_tooltips_name_chambers_and_not_columns(finished: Served, look: Look) -> None:
    page = look(f"{finished.url}#page=overview&view=run").page
    drawn(page)
    rows = json.dumps(finished.get("layout/overview"))
    assert "chamber 0</td>" in rows
    assert ">hits0<" not in rows


@pytest.mark.parametrize(
    ("at", "said"),
    [
        ("0.999999", "Window 999999 of epoch 0 has never come."),
        ("7.1", "Window 1 of epoch 7 has never come."),
    ],
)
def test_a_window_that_never_was_is_told_so(
    finished: Served, look: Look, at: str, said: str
) -> None:
    watched = look(f"{finished.url}#page=chambers&view=window&at={at}")
    watched.page.wait_for_function("() => !document.querySelector('#banner').hidden")
    assert watched.page.locator("#banner").inner_text() == said
    watched.errors[:] = [e for e in watched.errors if "404" not in e]


@pytest.mark.parametrize(("asked", "seen"), [("9", 4), ("1,9", 1), ("0,1,2,3", 4)])
def test_chambers_that_are_not_there_do_not_empty_the_page(
    finished: Served, look: Look, asked: str, seen: int
) -> None:
    page = look(f"{finished.url}#page=chambers&view=run&chambers={asked}").page
    drawn(page)
    assert page.locator(".chamber:visible").count() == seen


def test_a_theme_is_kept_for_a_new_tab(finished: Served, look: Look) -> None:
    page = look(f"{finished.url}#page=overview").page
    page.locator("#theme").click()
    assert page.locator("html").get_attribute("data-theme") == "dark"
    other = page.context.new_page()
    other.goto(finished.url)
    other.wait_for_function("() => window.muonscope?.ready.then(() => true)")
    assert other.locator("html").get_attribute("data-theme") == "dark"


def test_a_panel_without_drift_times_says_no_more_than_it_knows(look: Look) -> None:
    with serving(live_of([window(0)])) as served:
        layout = served.get("layout/chambers").text
    assert "no drift times from -100 to 700 ns in this view" in layout
    assert "no scintillator hit" not in layout


def test_rates_say_over_which_time_they_are(running: Served, look: Look) -> None:
    page = look(f"{running.url}#page=overview").page
    drawn(page)
    labels = [node.inner_text() for node in page.locator(".fact .label").all()]
    assert "Hit rate, 10 s" in labels
    assert not any("now" in label for label in labels)
    assert state(page)["line"] == "connected"
    assert columns(page, "chambers")["hits"]
