"""The reference on the page in a real browser: from the server, from a file."""

import json
from pathlib import Path

import pytest

from dashboard.looking import Look, check, columns, drawn, state
from helpers.browser import Watched
from helpers.served import Served
from helpers.window_messages import moved


def forgive(watched: Watched) -> None:
    """Take away the one error of the console that a refusal is."""
    (refused,) = watched.errors
    assert "the server responded with a status of 400" in refused
    watched.errors.clear()


def test_a_run_is_its_own_reference(finished: Served, look: Look) -> None:
    page = look(f"{finished.url}#page=chambers&view=run&reference=1").page
    drawn(page)
    cells = columns(page, "cells3")
    assert cells["hits_ref"] == pytest.approx(cells["hits"])
    assert {round(r, 9) for r in cells["hits_ratio"] if r == r} == {1.0}  # noqa: PLR0124 not NaN
    assert page.locator(".plot-channels_ratio").count() == 4


def test_the_reference_of_the_server_is_switched_on_with_one_click(
    finished: Served, look: Look
) -> None:
    page = look(f"{finished.url}#page=chambers&view=run").page
    drawn(page)
    assert state(page)["reference"] is None
    check(page, "#reference")
    page.wait_for_function("() => window.muonscope.source('cells0')?.hits_ref")
    assert state(page)["reference"] == "of the server"
    assert page.locator("#reference").is_checked()


def test_a_reference_of_another_detector_is_refused(
    finished: Served, look: Look, tmp_path: Path
) -> None:
    watched = look(f"{finished.url}#page=chambers&view=run")
    page = watched.page
    drawn(page)
    other = tmp_path / "other.json"
    shown = finished.get("api/v1/summary?view=run") | {"detector": "bologna2"}
    other.write_text(json.dumps(shown), "utf-8")
    page.locator("#reference-choose").click()
    page.locator("#reference-file").set_input_files(other)
    page.wait_for_function("() => document.querySelector('#reference-problem').textContent")
    problem = page.locator("#reference-problem").text_content()
    assert problem == "other.json: detector: found 'bologna2', expected 'legnaro'"
    assert state(page)["reference"] is None
    forgive(watched)


def test_a_reference_is_loaded_from_a_file_of_results(
    finished: Served, results: Path, look: Look
) -> None:
    page = look(f"{finished.url}#page=chambers&view=run").page
    drawn(page)
    page.locator("#reference-choose").click()
    page.locator("#reference-file").set_input_files(results)
    page.wait_for_function("() => window.muonscope.source('cells0')?.hits_ref")
    page.wait_for_timeout(300)
    cells = columns(page, "cells0")
    assert cells["hits_ref"] == pytest.approx(cells["hits"])


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("null.json", '{"live_s": 1, "detector": "legnaro", "tables": null}', "no view document"),
        (
            "length.json",
            '{"live_s": 1, "detector": "legnaro", "tables": {"drift0": {"counts": {"length": 9}}}}',
            "no view document",
        ),
        (
            "text.json",
            '{"live_s": 1, "detector": "legnaro", "tables": {"cells0": {"hits": "12"}}}',
            "no view document",
        ),
        ("half.jsonl", '\n{"window": 1, "detector": "legnaro"}\n', "line 2: schema: found None"),
        ("garbage.jsonl", "\x00\ufffd\n", "line 1: found b"),
        ("empty.jsonl", "\n", "found no window in 1 lines"),
    ],
)
def test_a_broken_reference_is_refused_and_the_page_goes_on(
    finished: Served, look: Look, name: str, text: str, problem: str
) -> None:
    watched = look(f"{finished.url}#page=chambers&view=run")
    page = watched.page
    drawn(page)
    page.locator("#reference-choose").click()
    broken = {"name": name, "mimeType": "application/json", "buffer": text.encode()}
    page.locator("#reference-file").set_input_files(broken)
    page.wait_for_function("() => document.getElementById('reference-problem').textContent")
    assert problem in page.locator("#reference-problem").inner_text()
    assert state(page)["reference"] is None
    page.reload()
    drawn(page)
    assert page.locator("#chambers .plot:visible").count() == 20
    forgive(watched)


def test_of_a_reference_file_the_newest_run_counts_and_each_window_once(
    finished: Served, results: Path, look: Look, tmp_path: Path
) -> None:
    lines = results.read_bytes().splitlines(keepends=True)
    older = [moved(line, n, run="older") for n, line in enumerate(lines[:3])]
    several = [*older[:2], *lines, older[2], lines[0]]
    (tmp_path / "several.jsonl").write_bytes(b"".join(several))
    page = look(f"{finished.url}#page=chambers&view=run").page
    drawn(page)
    page.locator("#reference-choose").click()
    page.locator("#reference-file").set_input_files(tmp_path / "several.jsonl")
    page.wait_for_function("() => window.muonscope.source('cells0')?.hits_ref")
    page.wait_for_timeout(300)
    cells = columns(page, "cells0")
    assert cells["hits_ref"] == pytest.approx(cells["hits"])


def test_the_reference_is_on_every_page_that_draws(finished: Served, look: Look) -> None:
    page = look(f"{finished.url}#page=overview&view=run&reference=1").page
    drawn(page)
    page.wait_for_function("() => window.muonscope.source('levels')?.y?.length === 5")
    said = finished.get("api/v1/summary?view=run")
    hits = [n / said["live_s"] for n in said["tables"]["chambers"]["hits"]]
    assert columns(page, "levels")["y"] == pytest.approx([sum(hits), *hits])
    assert columns(page, "chambers")["hits_ref"] == said["tables"]["chambers"]["hits"]
    for link in ("trends", "chambers"):
        page.locator(f"nav a[data-page={link}]").click()
        page.wait_for_function("(p) => location.hash.includes(`page=${p}`)", arg=link)
        assert "reference=1" in page.url
        assert page.locator("#reference-shown").inner_text() == "of the server"
    page.wait_for_function(
        "() => document.querySelector('.plot-drift .chi')?.textContent.startsWith('\u03c7')"
    )
    told = page.locator(".plot-channels .chi").first.inner_text()
    assert told.startswith("\u03c7\u00b2/n 0/")  # it is its own reference
    assert page.locator(".plot-occupancy .hint").first.inner_text().startswith("hits / reference")
