"""A real Chromium for tests and benchmarks, which reaches no host but this one."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from helpers.patience import patience

__all__ = ["CHROMIUM", "Watched", "chromium", "heap_mb", "open_page"]

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
"""Where the browser is; empty if there is none."""

_FLAGS = [
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-default-apps", "--disable-domain-reliability", "--no-first-run",
    "--host-resolver-rules=MAP daq.test 127.0.0.1",
    "--enable-precise-memory-info", *(["--no-sandbox"] if os.geteuid() == 0 else []),
]  # fmt: skip
_DESK = {"width": 1920, "height": 1080}


@dataclass
class Watched:
    """A page, and what went on in it."""

    page: Page
    errors: list[str] = field(default_factory=list)
    """Errors of the console, and exceptions."""
    requests: list[str] = field(default_factory=list)
    """Addresses that were asked for."""

    @classmethod
    def of(cls, page: Page) -> "Watched":
        """Watch a page."""
        watched = cls(page)
        page.on("console", watched._note)
        page.on("pageerror", lambda error: watched.errors.append(str(error)))
        page.on("request", lambda request: watched.requests.append(request.url))
        return watched

    def _note(self, message: Any) -> None:
        if message.type == "error":
            self.errors.append(f"{message.text} ({message.location.get('url')})")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Give a browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)
        try:
            yield browser
        finally:
            browser.close()


def open_page(browser: Browser, url: str, **context: Any) -> Watched:
    """Open a page of its own, as a new user would; ``context`` is for Playwright."""
    page = browser.new_context(**({"viewport": _DESK} | context)).new_page()
    page.set_default_timeout(patience(30.0) * 1e3)
    watched = Watched.of(page)
    page.goto(url)
    return watched


def heap_mb(page: Page) -> float:
    """Return the memory that the scripts of a page hold, after collecting garbage, MB."""
    session = page.context.new_cdp_session(page)
    session.send("HeapProfiler.collectGarbage")
    return float(session.send("Runtime.getHeapUsage")["usedSize"]) / 1e6
