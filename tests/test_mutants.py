"""The list of mistakes is in step with the code, and the tool that makes them tells the truth."""

import re
from pathlib import Path

import pytest

from mutants import Mutant, main, read_mutants

ROOT = Path(__file__).parents[1]
MUTANTS = read_mutants(ROOT / "tests" / "mutants")

CODE = "def twice(n):\n    return 2 * n\n\ndef half(n):\n    return n // 2\n"
TESTS = "from muonscope.sums import twice\n\ndef test_twice():\n    assert twice(3) == 6\n"


@pytest.mark.parametrize("mutant", MUTANTS, ids=[mutant.name for mutant in MUTANTS])
def test_a_mistake_of_the_list_can_be_made_and_names_tests_that_exist(mutant: Mutant) -> None:
    text = (ROOT / "src" / "muonscope" / mutant.file).read_text("utf-8")
    assert mutant.applies_to(text), f"{mutant.file}: the text to replace is not there, once"
    assert mutant.new != mutant.old
    assert mutant.tests
    for test in mutant.tests:
        path, _, function = test.partition("::")
        assert (ROOT / path).exists(), test
        if function:
            wanted = rf"^def {re.escape(function.split('[')[0])}\("
            assert re.search(wanted, (ROOT / path).read_text("utf-8"), re.MULTILINE), test


def project(folder: Path, *mistakes: tuple[str, str, str]) -> Path:
    """Make a project with one module, one test, and mistakes: name, old text, new text."""
    package, tests = folder / "src" / "muonscope", folder / "tests" / "mutants"
    package.mkdir(parents=True)
    tests.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "sums.py").write_text(CODE, "utf-8")
    (folder / "tests" / "test_sums.py").write_text(TESTS, "utf-8")
    (folder / "pytest.ini").write_text("[pytest]\naddopts = --import-mode=importlib\n", "utf-8")
    (folder / "conftest.py").write_text(
        "from hypothesis import settings\nsettings.register_profile('mutants')\n", "utf-8"
    )
    entries = [
        f"[[mutant]]\nname = '{name}'\nfile = 'sums.py'\nold = '{old}'\nnew = '{new}'\n"
        "tests = ['tests/test_sums.py']\n"
        for name, old, new in mistakes
    ]
    (tests / "all.toml").write_text("\n".join(entries), "utf-8")
    return folder


def test_a_mistake_that_is_noticed_is_told_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = project(tmp_path, ("sign", "2 * n", "-2 * n"))
    assert main(["--root", str(root)]) == 0
    assert re.search(r"^noticed +[0-9.]+ s  sign$", capsys.readouterr().out, re.MULTILINE)
    assert (root / "src" / "muonscope" / "sums.py").read_text("utf-8") == CODE


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("n // 2", "n // 3", "SURVIVED"),
        ("n / 2", "n / 3", "STALE"),
        ("return", "yield", "STALE"),
        ("def twice(n):", "def twice(n)", "BROKEN"),
    ],
)
def test_a_mistake_that_says_nothing_for_the_tests_is_a_failure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, told: str
) -> None:
    root = project(tmp_path, ("sign", "2 * n", "-2 * n"), ("other", old, new))
    assert main(["--root", str(root), "--jobs", "2"]) == 1
    out = capsys.readouterr().out
    assert re.search(rf"^{told} +[0-9.]+ s  other$", out, re.MULTILINE)
    assert "1 of 2 mistakes are noticed" in out


def test_tests_that_fail_without_a_mistake_say_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = project(tmp_path, ("sign", "2 * n", "-2 * n"))
    (root / "tests" / "test_sums.py").write_text(TESTS.replace("6", "7"), "utf-8")
    assert main(["--root", str(root)]) == 1
    assert "tests fail without a mistake" in capsys.readouterr().out
    assert main(["--root", str(root), "--only", "nothing"]) == 1
