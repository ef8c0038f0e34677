"""What tests ask a page of the dashboard in a real browser."""

from collections.abc import Callable
from typing import Any

from playwright.sync_api import Page

from helpers.served import Served

__all__ = ["PAGES", "Look", "Serve", "check", "columns", "drawn", "state"]

PAGES = ("overview", "problems", "chambers", "muons", "trends", "system")
Look = Callable[..., Any]
Serve = Callable[..., Served]


def state(page: Page) -> dict[str, Any]:
    found: dict[str, Any] = page.evaluate("() => window.muonscope.state()")
    return found


def columns(page: Page, name: str) -> dict[str, list[Any]]:
    """Return the columns of a source of the page that is shown."""
    found: dict[str, list[Any]] = page.evaluate(
        "(name) => Object.fromEntries(Object.entries(window.muonscope.source(name) ?? {})"
        ".map(([column, values]) => [column, Array.from(values)]))",
        name,
    )
    return found


def drawn(page: Page, updates: int = 1) -> None:
    """Wait until so many updates have been drawn."""
    page.wait_for_function("(n) => window.muonscope?.state().updates >= n", arg=updates)


def check(page: Page, box: str) -> None:
    """Tick or untick a box, which is drawn by what is beside it."""
    page.locator(box).evaluate("(input) => input.click()")
