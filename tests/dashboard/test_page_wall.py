"""A screen on the wall, in a real browser: large, whole, and pages that take turns."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page

from dashboard.lives import live_of, window
from dashboard.looking import Look, drawn, state
from dashboard.serving import Serving, serving

FONT = """() => {
  const view = Object.values(Bokeh.index).find(({ model }) => model.left?.length);
  return view.model.left[0].major_label_text_font_size;
}"""
HIDDEN = """() => [...document.querySelectorAll('#overview .panel, #overview .tile')]
  .filter((node) => node.getBoundingClientRect().bottom > innerHeight + 1).length"""


@pytest.fixture(scope="module")
def served() -> Iterator[Serving]:
    """A dashboard that shows some windows."""
    with serving(live_of([window(n) for n in range(30)])) as found:
        yield found


def on_wall(look: Look, served: Serving, width: int, seconds: int = 900) -> Page:
    """Open the overview on a screen of this width."""
    size = {"width": width, "height": width * 9 // 16}
    page: Page = look(f"{served.url}#page=overview&wall={seconds}", viewport=size).page
    drawn(page)
    page.wait_for_selector("#overview .plot-occupancy canvas")
    return page


@pytest.mark.parametrize(("width", "font"), [(1920, "11px"), (2880, "16.5px"), (3840, "22px")])
def test_all_of_the_overview_and_the_maps_is_seen(
    served: Serving, look: Look, width: int, font: str
) -> None:
    page = on_wall(look, served, width)
    assert page.locator("#overview .plot-occupancy").count() == 4
    assert page.evaluate(FONT) == font
    assert page.evaluate(HIDDEN) == 0
    assert page.evaluate("() => document.documentElement.scrollHeight <= innerHeight + 1")
    assert not page.locator("#controls").is_visible()
    heights = page.evaluate(
        "() => [...document.querySelectorAll('#overview .plot')].map((p) => p.clientHeight)"
    )
    assert min(heights) > 0.08 * width * 9 / 16


def test_pages_take_turns_and_leave_no_trace_in_the_history(served: Serving, look: Look) -> None:
    page = on_wall(look, served, 1920, seconds=1)
    before = page.evaluate("() => history.length")
    for name in ("chambers", "overview", "chambers"):
        page.wait_for_function("(p) => window.muonscope.state().choices.page === p", arg=name)
    assert page.evaluate("() => history.length") == before
    page.keyboard.press("Escape")
    page.wait_for_function("() => !window.muonscope.state().choices.wall")
    stays = state(page)["choices"]["page"]
    page.wait_for_timeout(2500)
    assert state(page)["choices"]["page"] == stays
    assert page.locator("#controls").is_visible()


def test_the_button_begins_and_ends_it(served: Serving, look: Look) -> None:
    page = look(f"{served.url}#page=overview").page
    drawn(page)
    page.locator("#wall").click()
    page.wait_for_function("() => window.muonscope.state().choices.wall === 30")
    assert page.locator("#wall").get_attribute("aria-pressed") == "true"
    page.locator("#wall").click()
    page.wait_for_function("() => !window.muonscope.state().choices.wall")
    assert page.locator("#overview .plot-occupancy").count() in {0, 4}
    page.wait_for_function("() => !document.querySelector('#overview .plot-occupancy')")


def test_a_browser_that_keeps_nothing_shows_all(served: Serving, look: Look) -> None:
    page = look(f"{served.url}#page=overview").page
    page.add_init_script(
        "for (const name of ['localStorage', 'sessionStorage'])"
        " Object.defineProperty(window, name, { get() { throw new DOMException('no'); } });"
    )
    page.reload()
    drawn(page)
    page.locator("#theme").click()
    page.wait_for_function("() => window.muonscope.state().choices.theme !== 'auto'")
    assert page.locator("#overview-plots .plot-rates canvas").count() > 0
