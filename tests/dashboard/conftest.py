"""Dashboards to ask and to look at, and a real browser."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from dashboard.asking import TOKEN, Client, client_of
from dashboard.looking import Look, Serve
from helpers.browser import CHROMIUM, Watched, chromium, open_page
from helpers.command import Command
from helpers.served import Served, serving
from helpers.simulated import BRIGHT, simulated_words
from muonscope.dashboard.security import Access

WORDS = 60_000


@pytest.fixture(scope="module")
def client() -> Client:
    """A client of a dashboard that has five windows; tests only read."""
    return client_of()


@pytest.fixture
def guarded() -> Client:
    """A client of a dashboard that asks for a token."""
    return client_of(access=Access(token=TOKEN, hosts=None))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A real Chromium."""
    if not CHROMIUM:
        missing = "no Chromium: apt-get install chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)
    with chromium() as browser:
        yield browser


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start dashboards, which end with the test."""
    with ExitStack() as stack:
        yield lambda *args: stack.enter_context(serving(["dashboard", *args, "--port", "0"]))


@pytest.fixture
def look(browser: Browser, serve: Serve) -> Iterator[Look]:  # closes pages before servers end
    """Open pages; when the test ends, none may have had an error or asked another host."""
    opened: list[Watched] = []

    def look(url: str, **context: Any) -> Watched:
        watched = open_page(browser, url, **context)
        opened.append(watched)
        watched.page.wait_for_function("() => window.muonscope?.ready.then(() => true)")
        return watched

    yield look
    for watched in opened:
        assert watched.errors == []
        own = ("http://127.0.0.1:", "data:", "blob:")
        assert [address for address in watched.requests if not address.startswith(own)] == []
        watched.page.context.close()


@pytest.fixture(scope="module")
def results(command: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of the results of a simulated run with many scintillator hits."""
    folder = tmp_path_factory.mktemp("results")
    simulated_words(WORDS, profile=BRIGHT).astype("<u8").tofile(folder / "run.dat")
    done = command("process", folder / "run.dat", "--run", "r1", "--to", folder / "results.jsonl")
    assert done.code == 0, done.err
    return folder / "results.jsonl"


@pytest.fixture(scope="module")
def finished(results: Path) -> Iterator[Served]:
    """A dashboard of a run that has ended, with itself as the reference."""
    with serving(
        ["dashboard", results, "--port", "0", "--reference", results, "--history", "1h"]
    ) as served:
        served.wait_for_windows(len(results.read_bytes().splitlines()) - 1)
        yield served


@pytest.fixture(scope="module")
def running() -> Iterator[Served]:
    """The demonstration, in real time, without its fault."""
    with serving(["demo", "--calm", "--port", "0"]) as served:
        served.wait_for_windows()
        yield served
