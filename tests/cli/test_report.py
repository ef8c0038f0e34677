"""The ``report`` command: a sentence, mail, JSON, a page, and exit codes."""

import os
from pathlib import Path

import orjson
import pytest

from helpers.command import Command
from helpers.nights import EVENING, archive_night

HOURS = ("--since", "2026-11-02T16:00", "--until", "2026-11-02T18:00", "--timezone", "UTC")


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive with a fault in it."""
    path = tmp_path_factory.mktemp("report") / "archive"
    archive_night(path, "N1", 150, ["hv-off:ch1@60s-90s"], begun_at=EVENING)
    return path


def test_the_page_is_written_and_the_sentence_printed(
    command: Command, archive: Path, tmp_path: Path
) -> None:
    to = tmp_path / "report.html"
    done = command("report", archive, *HOURS, "--to", to)
    assert done.code == 0
    (line,) = done.out.decode().splitlines()
    assert line.startswith("2 min 29 s of data in 2 h, ")
    assert "; 1 new problem; 1 thing waits for you: run N1 to be signed as good." in line
    assert line in to.read_text("utf-8")
    assert command("report", archive, *HOURS, "--to", to).code == 5
    assert command("report", archive, *HOURS, "--to", to, "--force").code == 0


def test_without_a_file_it_is_text_for_mail(command: Command, archive: Path) -> None:
    done = command("report", archive, *HOURS)
    assert done.code == 0
    assert done.out == command("report", archive, *HOURS, "--text").out
    text = done.out.decode()
    assert "BAD: rate of the chamber, chamber 1 (new, over)" in text
    assert "2026-11-02 16:00 UTC to 2026-11-02 18:00 UTC" in text


def test_the_page_can_go_down_a_pipe(command: Command, archive: Path) -> None:
    done = command("report", archive, *HOURS, "--to", "-")
    assert done.out.startswith(b"<!doctype html>")
    assert done.out.endswith(b"</html>\n")


def test_it_is_read_by_programs_and_fails_if_it_is_asked_to(
    command: Command, archive: Path
) -> None:
    done = command("report", archive, *HOURS, "--json", "--fail-on", "bad")
    assert done.code == 7
    assert "BAD: chamber 1: " in done.err
    found = orjson.loads(done.out)
    assert [(p["check"], p["target"]) for p in found["problems"]] == [("chamber_rate", "ch1")]
    assert 60 < found["problems"][0]["spans"][0]["begin_s"] < 65


def test_without_data_it_is_loud_and_no_failure(command: Command, archive: Path) -> None:
    done = command("report", archive, "--since", "2020-01-01", "--until", "2020-01-02")
    assert done.code == 0
    assert done.out.decode().startswith("NO DATA CAME in the last 24 h: ")


def test_no_archive_and_no_run_are_errors(command: Command, archive: Path, tmp_path: Path) -> None:
    assert command("report", tmp_path).code == 3
    done = command("report", archive, "--run", "N2")
    assert done.code == 3
    assert "has no run 'N2'" in done.err


def test_the_page_can_be_a_pdf(command: Command, archive: Path, tmp_path: Path) -> None:
    to = tmp_path / "report.pdf"
    done = command("report", archive, *HOURS, "--to", to)
    if done.code == 2 and "needs Pango" in done.err and os.environ.get("CI") != "true":
        pytest.skip(done.err)
    assert done.code == 0, done.err
    data = to.read_bytes()
    assert data.startswith(b"%PDF-")
    assert len(data) > 20_000
    assert b"/JavaScript" not in data
