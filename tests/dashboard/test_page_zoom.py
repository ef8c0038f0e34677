"""A stretch of the history, in a real browser: by dragging, the wheel, buttons, or a link."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Locator, Page

from dashboard.lives import live_of, window
from dashboard.looking import Look, columns, drawn, state
from dashboard.serving import Serving, serving

WINDOWS = 400

PLACE = """(s) => {
  const view = Object.values(Bokeh.index).find(
    ({ model }) => model.renderers?.some((r) => r.name === "hits"),
  );
  const ground = view.canvas_view.events_el.getBoundingClientRect();
  const { top, bottom } = view.frame.bbox;
  return [ground.left + view.frame.x_scale.compute(s), ground.top + (top + bottom) / 2];
}"""
"""Where a time is on the screen, in the plot of hits."""

RANGE = """() => {
  const view = Object.values(Bokeh.index).find(
    ({ model }) => model.renderers?.some((r) => r.name === "hits"),
  );
  return [view.model.x_range.start, view.model.x_range.end];
}"""


@pytest.fixture(scope="module")
def served() -> Iterator[Serving]:
    """A dashboard that shows windows of 400 s."""
    with serving(live_of([window(n) for n in range(WINDOWS)])) as found:
        yield found


def shown(page: Page) -> list[float]:
    """Return where the axis of the history begins and ends, s."""
    found: list[float] = page.evaluate(RANGE)
    return found


def zoomed(page: Page) -> Any:
    """Wait for a zoom; return it."""
    page.wait_for_function("() => window.muonscope.state().choices.zoom")
    page.wait_for_timeout(200)
    return state(page)["choices"]["zoom"]


def button(page: Page, name: str) -> Locator:
    """Return a button of the first plot of the history."""
    return page.locator(f"section:not([hidden]) .zoom [aria-label^='{name}']").first


def at_rest(page: Page) -> None:
    """Wait until the plot of hits has stopped to move: what comes above it pushes it down."""
    places = [page.evaluate(PLACE, 0.0)]
    while places[-2:] != [places[-1]] * 2:
        page.wait_for_timeout(300)
        places.append(page.evaluate(PLACE, 0.0))


def drag(page: Page, begin: float, end: float) -> None:
    """Drag from one time to another over the plot of hits."""
    at_rest(page)
    places = [page.evaluate(PLACE, s) for s in (begin, (begin + end) / 2, end)]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place)
    page.mouse.up()


@pytest.mark.parametrize("name", ["overview", "trends"])
def test_dragging_over_a_plot_shows_that_stretch(served: Serving, look: Look, name: str) -> None:
    page = look(f"{served.url}#page={name}").page
    drawn(page)
    page.wait_for_function("() => window.muonscope.source('trend')?.x?.length > 100")
    drag(page, 250.0, 150.0)
    found = zoomed(page)
    assert found == pytest.approx([150, 250], abs=3)
    assert shown(page) == pytest.approx(found)
    times = columns(page, "trend")["time"]
    assert found[0] <= times[0] < found[0] + 2
    assert found[1] - 2 < times[-1] <= found[1] + 1
    assert state(page)["choices"]["at"] is None  # a drag is no click
    assert f"zoom={found[0]:g}-{found[1]:g}" in page.url
    page.keyboard.press("Escape")
    page.wait_for_function("() => !window.muonscope.state().choices.zoom")


def test_a_link_shows_its_stretch_and_buttons_move_it(served: Serving, look: Look) -> None:
    page = look(f"{served.url}#page=trends&zoom=100-140").page
    drawn(page)
    page.wait_for_function("() => window.muonscope.source('trend')?.x?.length > 30")
    assert shown(page) == [100, 140]
    button(page, "Later").click()
    assert zoomed(page) == [120, 160]
    button(page, "Zoom out").click()
    page.wait_for_timeout(200)
    assert zoomed(page) == [100, 180]
    button(page, "Earlier").press("Enter")
    button(page, "Zoom in").press("Enter")
    page.wait_for_timeout(200)
    assert zoomed(page) == [80, 120]
    assert shown(page) == [80, 120]
    button(page, "Newest").click()
    page.wait_for_function("() => !window.muonscope.state().choices.zoom")
    assert not button(page, "Later").is_visible()
    page.wait_for_timeout(200)
    assert shown(page)[1] > WINDOWS


def test_the_wheel_zooms_with_control_only_and_shift_pans(served: Serving, look: Look) -> None:
    page = look(f"{served.url}#page=overview&zoom=100-200").page
    drawn(page)
    page.wait_for_function("() => window.muonscope.source('trend')?.x?.length > 30")
    at_rest(page)
    page.mouse.move(*page.evaluate(PLACE, 150.0))
    page.mouse.wheel(0, -100)
    page.wait_for_timeout(200)
    assert zoomed(page) == [100, 200]
    page.mouse.wheel(0, 100)
    at_rest(page)
    page.keyboard.down("Control")
    page.mouse.move(*page.evaluate(PLACE, 150.0))
    page.mouse.wheel(0, -100)
    page.keyboard.up("Control")
    page.wait_for_timeout(200)
    assert zoomed(page) == pytest.approx([110, 190], abs=1)
    page.keyboard.down("Shift")
    drag(page, 150.0, 130.0)
    page.keyboard.up("Shift")
    assert zoomed(page) == pytest.approx([130, 210], abs=2)


@pytest.mark.parametrize("zoom", ["9-5", "a-b", "5", "-5-9", "1e9-2e9", "99999-999999"])
def test_a_stretch_that_is_none_breaks_nothing(served: Serving, look: Look, zoom: str) -> None:
    page = look(f"{served.url}#page=overview&zoom={zoom}").page
    drawn(page)
    if zoom == "99999-999999":  # there is nothing, and it can be left
        button(page, "Newest").click()
    page.wait_for_function("() => window.muonscope.source('trend')?.x?.length > 100")
    assert state(page)["choices"]["zoom"] is None
