"""Numbers without a mouse and without a picture, in a real browser."""

from collections.abc import Iterator

import pytest

from dashboard.lives import Clock, live_of, window
from dashboard.looking import Look, drawn
from dashboard.serving import Serving, serving

WINDOWS = 12


@pytest.fixture(scope="module")
def served() -> Iterator[Serving]:
    """A dashboard that shows some windows."""
    with serving(live_of([window(n) for n in range(WINDOWS)])) as found:
        yield found


def test_the_numbers_of_a_plot_are_read_with_the_keyboard(served: Serving, look: Look) -> None:
    page = look(f"{served.url}#page=chambers&view=run").page
    drawn(page)
    page.locator(".plot-channels summary").nth(1).focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_function("() => document.querySelector('#numbers-dialog').open")
    assert page.locator("#numbers-title").inner_text() == "Hits per channel, chamber 1 \u00b7 r"
    assert "live" in page.locator("#numbers caption").inner_text()
    names = page.locator("#numbers thead th").all_inner_texts()
    rows = page.evaluate(
        "() => [...document.querySelectorAll('#numbers tbody tr')]"
        ".map((row) => [...row.cells].map((cell) => cell.textContent))"
    )
    told = served.get("api/v1/summary?view=run").json()["tables"]["cells1"]["hits"]
    assert [int(r[names.index("hits")].replace(",", "")) for r in rows] == told
    assert [int(r[names.index("channel")]) for r in rows] == list(range(64, 128))
    page.keyboard.press("Escape")
    page.wait_for_function("() => !document.querySelector('#numbers-dialog').open")
    assert page.evaluate("() => document.activeElement.tagName") == "SUMMARY"


def test_a_long_table_says_that_the_file_has_more(look: Look) -> None:
    with serving(live_of([window(n) for n in range(2400)])) as served:
        page = look(f"{served.url}#page=trends&span=7200").page
        drawn(page)
        page.locator(".plot-trend_hits summary").click()
        page.locator(".plot-trend_hits .choices button", has_text="Table").click()
        about = page.locator("#numbers caption").inner_text()
        rows = page.locator("#numbers tbody tr").count()
        assert rows <= 2000
        assert ("the first 2000 rows" in about) == (rows == 2000)
        page.close()


def test_each_plot_is_described_with_its_numbers(served: Serving, look: Look) -> None:
    page = look(f"{served.url}#page=chambers&view=run").page
    drawn(page)
    page.wait_for_function(
        "() => document.querySelector('#panel-channels0').ariaLabel.includes(' in all')"
    )
    tables = served.get("api/v1/summary?view=run").json()["tables"]
    hits = tables["cells0"]["hits"]
    most = max(hits)
    assert page.locator("#panel-channels0").get_attribute("aria-label") == (
        f"Hits per channel, chamber 0: {sum(hits):,} in all, at most {most:,}"
        f" on channel {hits.index(most)}"
    )
    times = sum(tables["drift2"]["counts"])
    box = page.locator("#panel-drift2").get_attribute("aria-label")
    assert box is not None
    assert box.startswith(f"Drift time, chamber 2: {times:,} in all, at most ")
    assert box.endswith(" ns")
    cells = page.locator("#panel-occupancy1").get_attribute("aria-label")
    assert cells is not None
    assert "hot" in cells
    assert "dead" in cells
    page.locator("nav a[data-page=overview]").click()
    page.wait_for_function("() => document.querySelector('#panel-rates')?.ariaLabel.includes('Hz')")
    rates = page.locator("#panel-rates").get_attribute("aria-label")
    assert rates is not None
    assert rates.startswith("Hit rate: total ")
    assert rates.count(" Hz") == 5


def test_chambers_are_not_called_good_while_nothing_comes(look: Look) -> None:
    clock = Clock()
    live = live_of([window(n) for n in range(WINDOWS)], clock=clock)
    with serving(live) as served:
        page = look(f"{served.url}#page=overview").page
        page.wait_for_function("() => document.querySelector('.tile')?.dataset.verdict")
        assert page.locator(".tile").first.get_attribute("data-verdict") != "NO DATA"
        clock.now += 120.0
        page.wait_for_function(
            "() => [...document.querySelectorAll('.tile')]"
            ".every((tile) => tile.dataset.verdict === 'NO DATA')"
        )
        page.close()
