"""What the tests need from the system is installed where that is allowed, or named in one line."""

import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "tools" / "system_packages.sh"
JAVA = "echo 'openjdk version \"{}\"' >&2"
COMPLETE = {
    "python3": "exit 0",
    "make": "",
    "chromium": "",
    "java": JAVA.format("17.0.2"),
    "id": "echo 1000",
}


def system(folder: Path, commands: dict[str, str]) -> Path:
    """Return a folder with these commands and what the script itself is made of."""
    for name in ("bash", "env", "sed"):
        (folder / name).symlink_to(Path("/bin") / name)
    for name, body in commands.items():
        (folder / name).write_text(f"#!/bin/bash\n{body}\n", "utf-8")
        (folder / name).chmod(0o755)
    return folder


def asked(path: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [str(SCRIPT)], env={"PATH": str(path)}, capture_output=True, text=True, check=False
    )


def test_where_everything_is_there_nothing_is_done(tmp_path: Path) -> None:
    done = asked(system(tmp_path, COMPLETE | {"apt-get": "exit 1"}))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_root_installs_what_is_missing(tmp_path: Path) -> None:
    commands = COMPLETE | {"id": "echo 0", "apt-get": 'echo "$@"', "apt-cache": "exit 0"}
    del commands["chromium"], commands["java"]
    done = asked(system(tmp_path, commands))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "update -qq", "install -y -qq chromium openjdk-21-jre-headless"
    ]  # fmt: skip


def test_an_installation_that_fails_is_a_failure(tmp_path: Path) -> None:
    commands = COMPLETE | {"id": "echo 0", "apt-get": "exit 100", "apt-cache": "exit 1"}
    del commands["make"]
    assert asked(system(tmp_path, commands)).returncode == 100


@pytest.mark.parametrize(
    ("manager", "command"),
    [
        ("apt-get", "  sudo apt-get install -y python3-venv default-jre-headless"),
        ("dnf", "  sudo dnf install -y python3 java-21-openjdk-headless"),
        ("brew", "  brew install python openjdk"),
    ],
)
def test_others_are_given_the_one_command_to_run(
    tmp_path: Path, manager: str, command: str
) -> None:
    old = {"python3": "exit 1", "java": JAVA.format("11.0.2"), "apt-cache": "exit 1"}
    done = asked(system(tmp_path, COMPLETE | old | {manager: "exit 1"}))
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "the tests need these, which are not there: venv java. Run", command
    ]  # fmt: skip


def test_an_unknown_system_is_told_what_is_missing(tmp_path: Path) -> None:
    commands = dict(COMPLETE)
    del commands["chromium"]
    done = asked(system(tmp_path, commands))
    assert done.returncode == 1
    assert "not there: chromium (" in done.stderr
