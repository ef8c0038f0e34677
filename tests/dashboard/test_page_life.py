"""The page in a real browser while servers come and go, data stop, and texts are hostile."""

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from dashboard.lives import Clock, fed, live_of, window
from dashboard.looking import PAGES, Look, Serve, columns, drawn, state
from dashboard.serving import serving as serving_here
from helpers.command import until
from helpers.served import serving


def test_the_page_connects_again_when_the_server_comes_back(results: Path, look: Look) -> None:
    with serving(["dashboard", results, "--port", "0"]) as served:
        watched = look(f"{served.url}#page=overview")
        page, port = watched.page, served.url.rstrip("/").rpartition(":")[2]
        drawn(page)
        assert served.interrupt() == 0
    page.wait_for_function("() => window.muonscope.state().line === 'disconnected'")
    assert "isconnected" in page.locator("#banner").inner_text()
    with serving(["dashboard", results, "--port", port]):
        page.wait_for_function("() => window.muonscope.state().line === 'connected'")
    refused = [e for e in watched.errors if "ERR_CONNECTION_REFUSED" in e]
    assert refused
    watched.errors[:] = [e for e in watched.errors if e not in refused]


def test_what_another_server_shows_is_not_mixed_with_what_was_there(
    results: Path, look: Look, tmp_path: Path
) -> None:
    shorter = tmp_path / "shorter.jsonl"
    shorter.write_bytes(b"".join(results.read_bytes().splitlines(keepends=True)[:5]))
    with serving(["dashboard", shorter, "--port", "0"]) as served:
        watched = look(f"{served.url}#page=overview")
        page, port = watched.page, served.url.rsplit(":", 1)[1].strip("/")
        page.wait_for_function("() => window.muonscope.state().trendRows === 5")
        assert served.interrupt() == 0
    with serving(["dashboard", results, "--port", port]) as served:
        page.wait_for_function("() => window.muonscope.state().line === 'connected'")
        served.wait_for_windows(len(results.read_bytes().splitlines()) - 1)  # it listens before
        rows = len(served.get("api/v1/windows?last=1800")["columns"]["run_s"])
        page.wait_for_function("(n) => window.muonscope.state().trendRows === n", arg=rows)
        assert served.interrupt() == 0
    with serving(["dashboard", "sim:bologna", "--port", port]) as served:
        page.locator("#detector", has_text="bologna2").wait_for()  # the page loads itself again
        drawn(page)
    watched.errors[:] = [e for e in watched.errors if "ERR_" not in e]


def test_what_stops_is_told_to_be_stale(
    results: Path, look: Look, serve: Serve, tmp_path: Path
) -> None:
    lines = results.read_bytes().splitlines(keepends=True)
    growing = tmp_path / "growing.jsonl"
    growing.write_bytes(b"".join(lines[:2]))
    served = serve(growing)
    page = look(f"{served.url}#page=overview").page
    drawn(page)
    with growing.open("ab") as file:  # what was there before is as old as the file
        file.write(lines[2])
    page.wait_for_function("() => window.muonscope.state().status?.state === 'receiving'")
    page.wait_for_function("() => window.muonscope.state().status?.state === 'stale'")
    assert page.locator("#state").inner_text().lower() == "stale"
    assert "no window since" in page.locator("#overview").inner_text()
    with growing.open("ab") as file:
        file.write(lines[3])
    page.wait_for_function("() => window.muonscope.state().status?.state === 'receiving'")


def test_an_empty_page_says_what_is_missing(look: Look, serve: Serve, tmp_path: Path) -> None:
    served = serve(tmp_path / "later.jsonl")
    page = look(f"{served.url}#page=chambers").page
    page.wait_for_selector("#empty:visible")
    text = page.locator("#empty").inner_text()
    assert "Waiting for the first window" in text
    assert "later.jsonl" in text


def test_ten_minutes_fast_forwarded_are_all_there(look: Look, serve: Serve) -> None:
    source = "sim:legnaro?seconds=600s&rate-scale=0.2"
    served = serve(source, "--speed", "60")
    page = look(f"{served.url}#page=chambers&view=run").page
    until(lambda: served.health()["state"] == "finished", "the end")
    said = served.get("api/v1/summary?view=run")
    page.wait_for_function("(n) => window.muonscope.state().seq === n", arg=said["seq"])
    assert said["windows"] >= 600
    for c in range(4):
        assert columns(page, f"cells{c}")["hits"] == said["tables"][f"cells{c}"]["hits"]
    assert served.health()["accounting"]["words_in"] == served.health()["words"]


def test_hostile_texts_are_only_text(
    results: Path, look: Look, serve: Serve, tmp_path: Path
) -> None:
    evil = "<img src=x onerror='window.owned=1'><script>window.owned=1</script>"
    file = tmp_path / "evil.jsonl"
    lines = []
    for line in results.read_bytes().splitlines()[:5]:
        message = json.loads(line)
        lines.append(json.dumps(message | {"run": evil}).encode())
    lines.append(json.dumps({"schema": f"muonscope.window/1{evil}"}).encode())
    file.write_bytes(b"\n".join(lines) + b"\n")
    served = serve(file)
    for name in PAGES:
        page = look(f"{served.url}#page={name}&{evil}&view={evil}").page
        page.wait_for_function("() => window.muonscope.state().status")
        page.wait_for_timeout(500)
        assert page.evaluate("() => window.owned") is None
        assert page.locator("img").count() == 0
    assert evil in page.locator("#system").inner_text()


@pytest.mark.parametrize("name", ["127.0.0.1", "daq.test"])
def test_a_token_is_asked_for_once(
    results: Path, browser: Browser, serve: Serve, tmp_path: Path, name: str
) -> None:
    token = tmp_path / "token"
    token.write_text("a-token-of-many-letters\n")
    served = serve(results, "--token-file", token)
    url = re.sub(r"//[^:/]+:", f"//{name}:", served.url)  # to one of them browsers say less
    page = browser.new_page()
    page.goto(url)
    page.locator("input[type=password]").fill("wrong token wrong")
    page.locator("form button").click()
    page.locator("body", has_text="not the token").wait_for()
    page.locator("input[type=password]").fill(token.read_text().strip())
    page.locator("form button").click()
    page.wait_for_function("() => window.muonscope?.state().updates > 0")
    page.reload()
    page.wait_for_function("() => window.muonscope?.state().updates > 0")
    page.get_by_role("button", name="Log out").click()
    page.locator("input[type=password]").wait_for()
    page.close()


def test_it_runs_under_a_path(results: Path, look: Look, serve: Serve) -> None:
    served = serve(results, "--prefix", "/muon/scope")
    assert served.url.endswith("/muon/scope/")
    page = look(f"{served.url}#page=chambers").page
    drawn(page)
    assert state(page)["line"] == "connected"


def test_many_windows_of_one_browser_share_a_stream(look: Look) -> None:
    clock = Clock()
    live = live_of([window(0)], clock=clock)
    with serving_here(live) as served:
        first = look(f"{served.url}#page=overview&view=window").page
        pages = [first, *(first.context.new_page() for _ in range(8))]
        for page in pages[1:]:
            page.goto(f"{served.url}#page=overview&view=window")
        for page in pages:
            page.wait_for_function("() => window.muonscope?.state().shown?.window === 0")
            page.bring_to_front()
        fed(live, [window(1)], clock)
        for page in pages:
            page.bring_to_front()
            page.wait_for_function("() => window.muonscope.state().shown.window === 1")
        assert served.status()["viewers"] == 1
        pages[-1].locator("#view-control label").nth(2).click()  # another view: another stream
        pages[-1].wait_for_function("() => window.muonscope.state().shown.view === 'run'")
        assert served.status()["viewers"] == 2
        pages[-1].close()
        until(lambda: served.status()["viewers"] == 1, "the end of its stream")
        for page in pages[:-1]:
            page.close()


def test_the_head_tells_the_verdict_on_every_page(look: Look, serve: Serve) -> None:
    served = serve("sim:quiet?seconds=30&fault=hv-off:ch1@12s-", "--speed", "30")
    page = look(f"{served.url}#page=overview").page
    page.wait_for_function("() => document.getElementById('verdict').dataset.verdict === 'BAD'")
    for name in PAGES:
        page.goto(f"{served.url}#page={name}")
        assert page.locator("#verdict-word").inner_text() == "BAD \u00b7 1 problem"
        reason = page.locator("#verdict-reason").inner_text()
        assert reason.startswith("chamber 1: ")
        assert page.locator("#verdict").get_attribute("title") == reason
