"""Puts known mistakes into a copy of the package, one at a time: some test must notice each.

The mistakes are in ``tests/mutants/*.toml``: a name, the file below ``src/muonscope``, the
exact text to replace, what replaces it, and the tests that must fail then. A mistake that
no test notices, and one whose text is no longer there, make the exit code 1.
"""

import argparse
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Mutant", "Package", "Verdict", "main", "read_mutants"]

ROOT = Path(__file__).resolve().parents[1]
NOTICED, SURVIVED, STALE, BROKEN = "noticed", "SURVIVED", "STALE", "BROKEN"
"""Broken is one with which the tests do not even run: it says nothing of them."""
FAILED, TIMED_OUT = 1, -1
QUIET = ("-p", "no:cacheprovider", "--hypothesis-profile=mutants")
LIMIT_S = 300.0
"""A test that hangs for so long has noticed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A mistake that somebody might make."""

    name: str
    file: str
    """Path below ``src/muonscope``."""
    old: str
    """Text that stands there exactly once."""
    new: str
    tests: tuple[str, ...]
    """Tests that must notice, as pytest names them."""
    compiled: bool = True
    """Whether kernels are compiled; plain Python is quicker where a test has few words."""

    def applies_to(self, text: str) -> bool:
        """Tell whether the text to replace is there, once."""
        return text.count(self.old) == 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of a mistake."""

    mutant: Mutant
    result: str
    took_s: float = 0.0
    output: str = ""


def read_mutants(folder: Path) -> list[Mutant]:
    """Return the mistakes of all files of a folder."""
    found = [
        Mutant(**(entry | {"tests": tuple(entry["tests"])}))
        for path in sorted(folder.glob("*.toml"))
        for entry in tomllib.loads(path.read_text("utf-8"))["mutant"]
    ]
    names = [mutant.name for mutant in found]
    if twice := {name for name in names if names.count(name) > 1}:
        raise SystemExit(f"{folder}: several mutants have the name {', '.join(sorted(twice))}")
    return found


class Package:
    """A copy of the package, in which a mistake can be made, and tests that import it."""

    def __init__(self, root: Path, folder: Path) -> None:
        """Copy ``src`` of ``root``; the times stay, so what is compiled is not compiled again."""
        self._root, self._src = root, folder / "src"
        shutil.copytree(root / "src", self._src)
        self._environment = os.environ | {
            "PYTHONPATH": str(self._src),
            "HYPOTHESIS_STORAGE_DIRECTORY": str(folder / "hypothesis"),
        }

    def test(self, tests: Iterable[str], *, compiled: bool = True) -> tuple[int, str]:
        """Run tests until the first that fails; return pytest's exit code and output."""
        plain = {} if compiled else {"NUMBA_DISABLE_JIT": "1"}
        command = [sys.executable, "-m", "pytest", "-x", "-q", "--tb=short", *QUIET, *tests]
        with subprocess.Popen(
            command, cwd=self._root, env=self._environment | plain, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, start_new_session=True,
        ) as process:  # fmt: skip
            try:
                output, _ = process.communicate(timeout=LIMIT_S)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                return TIMED_OUT, ""
        return process.returncode, output

    @contextmanager
    def with_mistake(self, mutant: Mutant) -> Iterator[None]:
        """Make a mistake, and put it right again, what was compiled before included."""
        path = self._src / "muonscope" / mutant.file
        right, before = path.read_bytes(), path.stat()
        cache, kept = path.parent / "__pycache__", path.parent / "kept"
        cache.mkdir(exist_ok=True)
        shutil.copytree(cache, kept)
        path.write_text(right.decode().replace(mutant.old, mutant.new), "utf-8")
        try:
            yield
        finally:
            path.write_bytes(right)
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
            shutil.rmtree(cache)
            kept.rename(cache)

    def judge(self, mutant: Mutant) -> Verdict:
        """Tell whether the tests notice a mistake."""
        path = self._src / "muonscope" / mutant.file
        if not path.is_file() or not mutant.applies_to(path.read_text("utf-8")):
            return Verdict(mutant=mutant, result=STALE)
        begin = time.monotonic()
        with self.with_mistake(mutant):
            code, output = self.test(mutant.tests, compiled=mutant.compiled)
        took_s = time.monotonic() - begin
        result = {0: SURVIVED, FAILED: NOTICED, TIMED_OUT: NOTICED}.get(code, BROKEN)
        return Verdict(mutant=mutant, result=result, took_s=took_s, output=output)


def judged(mutants: Sequence[Mutant], root: Path, jobs: int) -> Iterator[Verdict]:
    """Yield the verdict of each mistake, in order; each job has a copy of the package."""
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(jobs) as pool:
        free: queue.Queue[Package] = queue.Queue()
        for n in range(jobs):
            free.put(Package(root, Path(folder) / str(n)))

        def judge(mutant: Mutant) -> Verdict:
            package = free.get()
            try:
                return package.judge(mutant)
            finally:
                free.put(package)

        yield from pool.map(judge, mutants)


def tests_pass(mutants: Sequence[Mutant], root: Path) -> bool:
    """Tell whether the tests pass without any mistake, as they must to say anything."""
    tests = dict.fromkeys(test for mutant in mutants for test in mutant.tests)
    with tempfile.TemporaryDirectory() as folder:
        code, output = Package(root, Path(folder)).test(tests)
    if code:
        print(output)
    return code == 0


def main(args: Sequence[str] | None = None) -> int:
    """Judge all mistakes, or some; print a table; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="those with this in their name")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--show", action="store_true", help="print what the tests printed")
    parser.add_argument("--root", type=Path, default=ROOT, help="folder of the project")
    options = parser.parse_args(args)
    every = read_mutants(options.root / "tests" / "mutants")
    mutants = [mutant for mutant in every if options.only in mutant.name]
    if not mutants or not tests_pass(mutants, options.root):
        print("no mutant has that name" if not mutants else "tests fail without a mistake")
        return 1
    bad = 0
    for verdict in judged(mutants, options.root, options.jobs):
        bad += verdict.result != NOTICED
        print(f"{verdict.result:9}{verdict.took_s:7.1f} s  {verdict.mutant.name}", flush=True)
        if options.show or verdict.result == BROKEN:
            print(verdict.output)
    print(f"{len(mutants) - bad} of {len(mutants)} mistakes are noticed")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
