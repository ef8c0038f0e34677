"""``muonscope detectors``: list, show, check."""

import tomllib
from pathlib import Path

import pytest

from helpers.command import Command

SHIPPED = ("legnaro", "run001213", "run001228", "run001231", "run000591", "bologna2")


def test_all_shipped_detectors_are_listed_the_default_first(command: Command) -> None:
    done = command("detectors", "list")
    assert done.code == 0
    page = done.out.decode()
    assert all(name in page for name in SHIPPED)
    assert min(SHIPPED, key=page.index) == "legnaro"


@pytest.mark.parametrize("name", SHIPPED)
def test_what_is_shown_is_a_description_that_checks_and_can_be_used(
    command: Command, tmp_path: Path, name: str
) -> None:
    shown = command("detectors", "show", name)
    assert shown.code == 0
    assert tomllib.loads(shown.out.decode())
    mine = tmp_path / "mine.toml"
    mine.write_bytes(shown.out)
    checked = command("detectors", "check", mine)
    assert checked.code == 0
    assert "good" in checked.out.decode()
    assert "chamber" in checked.out.decode()


def test_a_detector_file_gives_what_the_shipped_one_gives(
    command: Command, sample: Path, tmp_path: Path
) -> None:
    (tmp_path / "mine.toml").write_bytes(command("detectors", "show", "legnaro").out)
    mine = command("process", sample, "-d", tmp_path / "mine.toml")
    assert mine.code == 0
    assert mine.out == command("process", sample).out


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("", "mine.toml"),
        ("name = ", "mine.toml"),
        ("nonsense = 1", "words"),
        ("\udcff", "mine.toml"),
    ],
)
def test_a_wrong_description_is_refused_with_its_name(
    command: Command, tmp_path: Path, content: str, text: str
) -> None:
    (tmp_path / "mine.toml").write_bytes(content.encode("utf-8", "surrogateescape"))
    done = command("detectors", "check", "mine.toml", cwd=tmp_path)
    assert done.code == 2
    assert done.err.startswith("muonscope: error: ")
    assert text in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    "args",
    [["show", "atlas"], ["show"], ["check", "missing.toml"], ["check", "."], ["nonsense"],
     ["show", "../setups/legnaro"], ["show", ""]],
)  # fmt: skip
def test_what_is_not_there_is_refused(command: Command, tmp_path: Path, args: list[str]) -> None:
    done = command("detectors", *args, cwd=tmp_path)
    assert done.code == 2, done.err
    assert "Traceback" not in done.err
    assert "internal error" not in done.err
