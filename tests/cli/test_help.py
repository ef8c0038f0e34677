"""Help: fits a screen, has an example, and costs no import of anything heavy."""

import subprocess
import sys
from pathlib import Path

import pytest

from helpers.command import Command
from helpers.patience import patience

COMMANDS = (
    "process", "inspect", "convert", "simulate", "tracks", "calibrate", "export", "judge",
    "compare", "report", "replay", "topics",
    "dashboard", "demo", "runs list", "runs show", "runs note", "runs rebuild", "runs thin",
    "good propose", "good sign", "good show",
    "detectors list", "detectors show", "detectors check",
    "alarms test", "alarms list", "alarms ack", "alarms silence",
)  # fmt: skip
LINES = {
    "": 30, "process": 39, "replay": 26, "dashboard": 36, "judge": 29, "compare": 31,
    "simulate": 25,
}  # fmt: skip
"""What a screen has room for, where that is not 24: a run from Kafka with Spark has options.
Of all commands there is a line each."""
HEAVY = (
    "numpy", "numba", "llvmlite", "pyarrow", "rich", "fsspec", "orjson", "s3fs", "hist",
    "confluent_kafka", "pyspark", "prometheus_client", "bokeh", "starlette", "uvicorn",
)  # fmt: skip


@pytest.mark.parametrize("name", ["", "runs", "good", "detectors", "alarms", *COMMANDS])
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_fits_a_screen(command: Command, name: str, option: str) -> None:
    done = command(*name.split(), option, env={"COLUMNS": "80", "LINES": "24"})
    assert done.code == 0
    lines = done.out.decode().splitlines()
    assert len(lines) <= LINES.get(name, 24)
    assert max(map(len, lines)) <= 80
    assert lines[0].startswith("Usage: muonscope")


@pytest.mark.parametrize("name", COMMANDS)
def test_help_has_an_example(command: Command, name: str) -> None:
    text = command(*name.split(), "--help").out.decode()
    assert f"Example: muonscope {name} " in text or f"Example: muonscope {name}\n" in text


def test_the_examples_name_options_that_there_are(command: Command) -> None:
    for name in COMMANDS:
        text = command(*name.split(), "--help").out.decode()
        above, example = text.split("Example: ")
        assert all(word in above for word in example.split() if word.startswith("-"))


def test_help_names_all_commands(command: Command) -> None:
    text = command("--help").out.decode()
    assert all(name.split()[0] in text for name in COMMANDS)


def test_the_version_is_that_of_the_package(command: Command) -> None:
    from importlib.metadata import version

    assert command("--version").out.decode() == f"muonscope {version('muonscope')}\n"


def test_no_arguments_at_all_give_the_help(command: Command) -> None:
    done = command()
    assert done.code in (0, 2)
    assert "Usage: muonscope" in done.out.decode() + done.err


@pytest.mark.parametrize("module", ["muonscope.cli.main", "muonscope"])
def test_nothing_heavy_is_imported_for_help(module: str) -> None:
    code = f"import sys, {module}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert module in loaded
    assert [name for name in HEAVY if name in loaded] == []


@pytest.mark.parametrize("name", ["--help", "process --help", "detectors show --help"])
def test_nothing_heavy_is_imported_while_help_is_shown(name: str) -> None:
    code = (
        "import sys, atexit\n"
        f"sys.argv = ['muonscope', *{name.split()!r}]\n"
        "from muonscope.cli.main import run\n"
        "try:\n    run()\nexcept SystemExit as exc:\n    assert not exc.code\n"
        "print(*sys.modules)"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert [name for name in HEAVY if name in loaded] == []


@pytest.mark.parametrize(
    "args",
    [
        "process run.dat", "dashboard run.dat --port 0", "demo --port 0", "inspect run.dat",
        "simulate run.dat", "replay run.dat --to kafka://localhost:1/t",
    ],
)  # fmt: skip
def test_whoever_must_wait_for_a_compiler_is_told_so(args: str, tmp_path: Path) -> None:
    (tmp_path / "run.dat").write_bytes(bytes(800))
    code = (
        "import os, sys\n"
        "from muonscope import kernels\n"
        "def asked(purposes, **more):\n"
        "    os._exit(40 + ('numba' in sys.modules))\n"
        "kernels.load = kernels.plain_first = asked\n"
        f"sys.argv = ['muonscope', *{args.split()!r}]\n"
        "from muonscope.cli.main import run\n"
        "run()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False,
        timeout=patience(60.0),
    )  # fmt: skip
    assert done.returncode == 40, done.stderr  # and the compiler was not imported before


def test_the_reference_page_has_the_help_of_every_command(command: Command) -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "cli.md").read_text("utf-8")
    for name in COMMANDS:
        text = command(*name.split(), "--help", env={"COLUMNS": "80", "LINES": "24"}).out.decode()
        assert f"```text\n{text.rstrip()}\n```" in page, name
