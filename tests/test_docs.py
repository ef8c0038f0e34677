"""Every ``bash`` and ``python`` block of the documentation runs, page by page, in order.

Blocks that are not meant to be run (installation, S3) are marked ``console`` there.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = {
    str(page.relative_to(DOCS)): blocks
    for page in sorted(DOCS.rglob("*.md"))
    if (
        blocks := re.findall(
            r"^```(bash|python)\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL
        )
    )
}


@pytest.fixture
def workplace(tmp_path: Path) -> Path:
    """Return a folder that looks like the checkout to those who only read there."""
    for name in ("src", "docs", "examples", "benchmarks", "tests", "README.md", ".venv"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


def test_there_are_blocks_to_run() -> None:
    assert len(PAGES) >= 10


@pytest.mark.parametrize("page", PAGES)
def test_the_blocks_of_a_page_run(page: str, workplace: Path) -> None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    python = ""
    for language, block in PAGES[page]:
        if language == "python":
            python += block
            command = [sys.executable, "-c", python]
        else:
            command = ["bash", "-e", "-o", "pipefail", "-c", block]
        done = subprocess.run(
            command, cwd=workplace, env={**os.environ, "PATH": path},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{block}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
