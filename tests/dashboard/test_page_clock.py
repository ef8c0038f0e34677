"""The time of day beside the time in the run, in a real browser in another time zone."""

from collections.abc import Iterator

import pytest

from dashboard.lives import Clock, fed, live_of, window
from dashboard.looking import Look, columns, drawn, state
from dashboard.serving import Serving, serving
from muonscope.dashboard.live import Live

BEGIN = Clock().now
TOKYO_S = 9 * 3600


@pytest.fixture
def paced() -> Iterator[tuple[Serving, Live, Clock]]:
    """A dashboard whose windows came two seconds after one another; the second epoch is short."""
    clock = Clock()
    live = live_of([], clock=clock)
    for n in range(40):
        fed(live, [window(n)], clock)
        clock.now += 2.0
    for n in range(5):
        fed(live, [window(n, epoch=1)], clock)
        clock.now += 2.0
    with serving(live) as served:
        yield served, live, clock


def test_axes_are_switched_to_the_time_of_day(
    paced: tuple[Serving, Live, Clock], look: Look
) -> None:
    served, _, _ = paced
    page = look(f"{served.url}#page=overview&clock=day", timezone_id="Asia/Tokyo").page
    drawn(page)
    page.wait_for_function("() => window.muonscope.source('trend')?.x?.length === 45")
    trend = columns(page, "trend")
    assert trend["x"] == [BEGIN + 2.0 * n for n in range(45)]
    assert trend["time"][0] == pytest.approx(0.5, abs=0.01)
    seconds = int(BEGIN) + TOKYO_S
    clock = f"{seconds // 3600 % 24:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    assert trend["clock"][0].endswith(clock)
    assert page.locator("#clock-control input[value=day]").is_checked()
    page.locator("#clock-control label", has_text="Run time").click()
    page.wait_for_function("() => window.muonscope.source('trend')?.x?.[0] < 10")
    assert columns(page, "trend")["x"] == columns(page, "trend")["time"]
    page.close()


def test_another_epoch_is_marked(paced: tuple[Serving, Live, Clock], look: Look) -> None:
    served, _, _ = paced
    page = look(f"{served.url}#page=trends").page
    drawn(page)
    page.wait_for_function("() => window.muonscope.source('marks')?.x?.length === 1")
    marks = columns(page, "marks")
    assert marks["text"] == ["epoch 1 begins"]
    run_s = served.get("api/v1/windows?last=600").json()["columns"]["run_s"]
    assert marks["x"] == [run_s[40]]
    page.close()


def test_a_pause_says_at_what_time_of_day_it_was(
    paced: tuple[Serving, Live, Clock], look: Look
) -> None:
    served, _, _ = paced
    page = look(f"{served.url}#page=overview&at=0.10", timezone_id="Asia/Tokyo").page
    page.wait_for_function("() => window.muonscope.state().shown?.window === 10")
    seconds = int(BEGIN) + 20 + TOKYO_S
    clock = f"{seconds // 3600 % 24:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    page.wait_for_function(
        "(t) => document.querySelector('#banner').textContent.includes(t)", arg=clock
    )
    assert state(page)["choices"]["at"]["window"] == 10
    page.close()


def test_a_reset_is_marked(paced: tuple[Serving, Live, Clock], look: Look) -> None:
    served, live, clock = paced
    page = look(f"{served.url}#page=trends").page
    drawn(page)
    live.reset()
    clock.now += 2.0
    fed(live, [window(5, epoch=1)], clock)
    page.wait_for_function(
        "() => window.muonscope.source('marks')?.text?.includes('the run view was begun anew')"
    )
    page.close()


def test_figures_that_are_loading_have_a_place(
    paced: tuple[Serving, Live, Clock], look: Look
) -> None:
    served, _, _ = paced
    page = look(f"{served.url}#page=overview").page
    drawn(page)
    page.route("**/layout/trends*", lambda route: None)  # never answered
    page.locator("nav a[data-page=trends]").click()
    page.wait_for_selector("#trends[data-loading]")
    shown = page.evaluate(
        "() => getComputedStyle(document.querySelector('#trends'), '::after').content"
    )
    assert shown == '""'
    page.unroute_all(behavior="ignoreErrors")
    page.close()
