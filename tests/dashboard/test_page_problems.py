"""Problems on the page, in a real browser: what a shifter reads, and what others see of it."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import datetime

import pytest
from playwright.sync_api import Page

from dashboard.looking import Look, Serve
from dashboard.serving import Serving, serving
from dashboard.test_verdicts import judged, shown
from helpers.judged import windows
from muonscope.cli.dashboard import DEMO_FAULT

Begin = Callable[[str], Serving]

FAULTS = [
    ("dead:ch0:5@20s-", "BAD", "cell ch0 channel 5 (layer 2, wire 2): 0 occupied ms in", [0]),
    ("noisy:ch0:20:200@20s-", "BAD", "cell ch0 channel 20 (layer", [0]),
    ("hv-off:ch1@20s-", "BAD", "chamber 1: 0 orbits with hits in", [1]),
    ("low-gain:ch1:0.5@20s-", "BAD", "chamber 1: ", [1]),
    ("silent:fpga1@20s-", "BAD", "FPGA 1: 0 words in", [2, 3]),
    ("dead-scintillator@20s-", "BAD", "scintillator: 0 orbits with the scintillator in", []),
    ("desync:fpga1:100@20s-", "BAD", "chambers ", [0, 1, 2, 3]),
    ("duplicate:0.1@20s-", "BAD", "repeated words in", []),
    ("corrupt:0.1@20s-", "BAD", "invalid words in", []),
    ("burst:10@20s-", "BAD", "orbits with hits in", []),
    ("gas:50@20s-", "WARN", "drift times in", []),
    ("shift:ch1:-50@20s-", "WARN", "drift times in", [1]),
]  # fmt: skip
"""A fault, the least that it must be, what the page must say, and the chambers it is told of."""


@pytest.fixture
def begin() -> Iterator[Begin]:
    """Serve a run with a fault, judged against a good one."""
    with ExitStack() as stack:

        def begin(fault: str) -> Serving:
            live = judged()
            length = 140.0 if fault.startswith(("gas", "shift")) else 70.0
            shown(live, windows("quiet", length, 7, fault))
            return stack.enter_context(serving(live))

        yield begin


def told(page: Page) -> None:
    page.wait_for_selector("#problem-list li[data-check]")


@pytest.mark.parametrize(("fault", "state", "text", "chambers"), FAULTS, ids=lambda v: str(v)[:12])
def test_every_fault_is_told_in_the_right_words(
    begin: Begin, look: Look, fault: str, state: str, text: str, chambers: list[int]
) -> None:
    served = begin(fault)
    page = look(f"{served.url}#page=problems").page
    told(page)
    items = page.locator("#problem-list li")
    texts = [item.locator(".text").inner_text() for item in items.all()]
    assert any(text in said for said in texts), texts
    words = {item.get_attribute("data-verdict") for item in items.all()}
    assert words & {state, "BAD"}
    advice = items.first.locator(".advice").inner_text()
    assert advice.endswith(".")
    page.goto(f"{served.url}#page=overview")
    page.wait_for_selector(".tile[data-verdict]")
    tiles = [tile.get_attribute("data-verdict") for tile in page.locator(".tile").all()]
    bad = [c for c, tile in enumerate(tiles) if tile in {"WARN", "BAD"}]
    assert set(chambers) & set(bad) or not chambers
    assert page.locator("#top-problems li").first.is_visible()


def test_the_tab_and_its_icon_carry_the_verdict(begin: Begin, look: Look) -> None:
    page = look(begin("hv-off:ch1@20s-").url).page
    page.wait_for_function("() => document.title.startsWith('BAD (1)')")
    assert page.title() == "BAD (1) \u00b7 muonscope legnaro"
    icon = page.locator("link[rel=icon]").get_attribute("href")
    assert icon.startswith("data:image/svg+xml,")
    sound = look(begin("dead:ch3:70@500s-").url).page
    sound.wait_for_function("() => document.title.startsWith('NOT ENOUGH YET')")
    assert sound.locator("link[rel=icon]").get_attribute("href") != icon


def test_a_problem_that_one_has_seen_is_seen_by_all(begin: Begin, look: Look) -> None:
    served = begin("hv-off:ch1@20s-")
    one, two = (look(f"{served.url}#page=problems").page for _ in range(2))
    for page in (one, two):
        told(page)
    one.get_by_role("button", name="Acknowledge").first.click()
    one.locator("#seen-send").click()
    assert "Please give your name" in one.locator("#seen-problem").inner_text()
    one.locator("#seen-name").fill("<b>Zoë</b>")
    one.locator("#seen-note").fill("HV crate is off, expert called")
    one.locator("#seen-send").click()
    two.wait_for_selector("#problem-list .seen")
    seen = two.locator("#problem-list .seen").inner_text()
    assert seen.startswith("seen by <b>Zoë</b>, ")
    assert seen.endswith(": HV crate is off, expert called")
    assert two.get_by_role("button", name="Acknowledge").count() == 0
    assert not one.locator("#seen-dialog").is_visible()


def test_the_time_of_a_problem_is_that_of_the_viewers_clock(begin: Begin, look: Look) -> None:
    served = begin("hv-off:ch1@20s-")
    page = look(f"{served.url}#page=problems", timezone_id="Asia/Tokyo").page
    told(page)
    when = page.locator("#problem-list .when").first.inner_text()
    (problem,) = served.live.problems().problems
    assert problem.since_at is not None
    utc = datetime.fromisoformat(problem.since_at)
    assert f"{(utc.hour + 9) % 24:02d}:{utc.minute:02d}:{utc.second:02d}" in when
    assert re.search(r"\(0:00:2\d in the run\)", when)


def test_the_timeline_shows_when_it_was_wrong(begin: Begin, look: Look) -> None:
    page = look(f"{begin('hv-off:ch1@20s-35s').url}#page=problems").page
    page.wait_for_selector("#timeline-rows .row")
    page.wait_for_function(
        "() => document.getElementById('timeline-span').textContent.includes('to 0:01:')"
    )
    rows = {
        row.locator(".name").inner_text(): row.locator(".strip").get_attribute("aria-label")
        for row in page.locator("#timeline-rows .row").all()
    }
    assert set(rows) >= {"telescope", "chamber_rate \u00b7 ch1"}
    said = str(rows["chamber_rate \u00b7 ch1"])
    assert said.index("BAD since") < said.index("GOOD since")
    row = page.locator("#timeline-rows .row", has_text="chamber_rate")
    bad = row.locator(".part[data-verdict='BAD']").bounding_box()
    strip = row.locator(".strip").bounding_box()
    assert bad
    assert strip
    assert (bad["x"] - strip["x"]) / strip["width"] == pytest.approx(21 / 70, abs=0.04)
    assert 15 / 70 < bad["width"] / strip["width"] < 35 / 70


def test_a_tile_leads_to_its_chamber_and_tells_what_is_expected(begin: Begin, look: Look) -> None:
    served = begin("hv-off:ch1@20s-")
    page = look(f"{served.url}#page=overview").page
    page.wait_for_selector(".tile[data-verdict='BAD']")
    tile = page.locator(".tile").nth(1)
    assert tile.locator(".rate").inner_text() == "0.00 Hz"
    band = served.live.problems().chambers[1].band
    assert band
    assert tile.locator(".band").inner_text() == (
        f"too low, not {band.low:.0f}\u2013{band.high:.0f}"
    )
    tile.click()
    page.wait_for_selector("#chamber-1:visible")
    assert page.evaluate("() => window.muonscope.state().choices.chambers") == [1]


def test_the_fault_of_the_demonstration_is_told_and_clears(look: Look, serve: Serve) -> None:
    served = serve(f"sim:legnaro?fault={DEMO_FAULT}&seconds=300", "--speed", "20")
    page = look(f"{served.url}#page=problems").page
    page.wait_for_selector("#problem-list li[data-check='chamber_rate'][data-target='ch1']")
    # two cells are hot from the beginning
    page.wait_for_function("() => document.title.startsWith('BAD (3)')")
    page.wait_for_selector("#problem-list li[data-check='chamber_rate']", state="detached")
    turns = [t for t in served.get("api/v1/problems")["turns"] if t["target"] == "ch1"]
    assert turns[0]["state"] == "BAD"
    assert 60 < turns[0]["since_s"] < 64
    assert turns[-1]["state"] == "GOOD"
    assert 180 < turns[-1]["since_s"] < 200


def test_without_a_reference_the_page_says_what_is_not_judged(look: Look) -> None:
    live = judged(known=False)
    shown(live, windows("quiet", 20.0))
    with serving(live) as served:
        page = look(f"{served.url}#page=problems").page
        page.wait_for_function("() => document.getElementById('problems-about').textContent")
        about = page.locator("#problems-about").inner_text()
        assert "no reference: telescope_rate, " in about
        assert about.endswith("are not judged.")
        assert page.locator("#problem-list li.none").is_visible()
        page.close()
