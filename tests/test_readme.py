"""Every command and every Python block of the README runs, in the order it stands there."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.served import serving
from helpers.simulated import simulated_words

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"```(sh|python)\n(.*?)```", README, re.DOTALL)
INSTALLERS = ("make", "python3 -m venv", ".venv/bin/pip")
"""Commands that set up an environment: CI runs them before this test can run."""
SERVERS = ("muonscope demo", "muonscope dashboard")
STREAM = "kafka://"
"""Commands that need a broker: tests/kafka/test_readme_stream.py runs them."""


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the recordings that the README speaks of."""
    folder = tmp_path_factory.mktemp("readme")
    words = simulated_words(20_000)
    words.astype("<u8").tofile(folder / "run.dat")
    (folder / "recordings").mkdir()
    words[:10_000].astype("<u8").tofile(folder / "recordings" / "data_0.dat")
    words[10_000:].astype("<u8").tofile(folder / "recordings" / "data_1.dat")
    return folder


def run(command: str, folder: Path) -> str:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=folder, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{command}\n{done.stderr}"
    return done.stdout


def serve(command: str, folder: Path) -> None:
    """Run a command that serves a page until it has windows, then interrupt it."""
    with serving(shlex.split(command)[1:], cwd=folder) as dashboard:
        assert dashboard.url == "http://127.0.0.1:5006/"
        dashboard.wait_for_windows()
        assert dashboard.interrupt() == 0


def test_the_readme_runs(workplace: Path) -> None:
    ran = 0
    for language, block in BLOCKS:
        if language == "python":
            assert "hits" in run(f"python -c {shlex.quote(block)}", workplace)
            ran += 1
            continue
        for line in block.splitlines():
            if line.startswith(SERVERS) and STREAM not in line:
                serve(line, workplace)
            elif not line.startswith(INSTALLERS) and STREAM not in line:
                run(line, workplace)
            else:
                continue
            ran += 1
    assert ran == 22
    for results in (
        "results",
        "recordings",
        "results-of-a-pipe",
        "live",
        "mine",
        "simulated",
        "noisy",
    ):
        assert (workplace / f"{results}.jsonl").stat().st_size > 10_000


def test_make_targets_of_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"make (\w+)", README)) - {"sure"}
    assert {"demo", "test"} <= targets
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
