"""Every ``bash`` and ``python`` block of the documentation runs, page by page, in order.

Blocks that are not meant to be run (installation, S3) are marked ``console`` there.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
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

Run = Callable[[str], None]


@pytest.fixture
def workplace(tmp_path: Path) -> Path:
    """Return a folder that looks like the checkout to those who only read there."""
    for name in ("src", "docs", "examples", "benchmarks", "tests", "README.md", ".venv"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


def test_there_are_blocks_to_run() -> None:
    assert len(PAGES) >= 10


_RUN_BLOCKS = """if True:
    import json, sys
    scope = {"__name__": "__main__"}
    for line in sys.stdin:
        exec(compile(json.loads(line), "block", "exec"), scope)
        print("\\0done", flush=True)
"""


@pytest.fixture
def run_python(workplace: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """Run blocks of Python one after the other in one interpreter, as a notebook does."""
    said = tmp_path_factory.mktemp("said") / "err"
    with said.open("w", encoding="utf-8") as errors, subprocess.Popen(
        [sys.executable, "-c", _RUN_BLOCKS], cwd=workplace, text=True, stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=errors,
    ) as child:  # fmt: skip
        put, told_by = child.stdin, child.stdout
        assert put
        assert told_by

        def run(block: str) -> None:
            put.write(json.dumps(block) + "\n")
            put.flush()
            told = [""]
            while (line := told_by.readline()) != "\0done\n":
                told.append(line)
                assert line, f"{block}\n{''.join(told)}\n{said.read_text('utf-8')[-2000:]}"

        yield run
        put.close()


@pytest.mark.parametrize("page", PAGES)
def test_the_blocks_of_a_page_run(page: str, workplace: Path, run_python: Run) -> None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    for language, block in PAGES[page]:
        if language == "python":
            run_python(block)
            continue
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", block], cwd=workplace,
            env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{block}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
