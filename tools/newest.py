"""Tries the newest versions of all dependencies, then pre-releases: what breaks tomorrow.

Each set gets an environment of its own below ``build/``, in which mypy and the in-process tests
run; the environment that ran this, ``.venv``, stays as it is. Prints what moved against
``requirements-dev.lock`` and what failed; the exit code is 1 if anything did.
"""

import argparse
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["main", "moved", "pins"]

ROOT = Path(__file__).resolve().parents[1]
SETS: dict[str, tuple[str, ...]] = {"newest": (), "pre-releases": ("--prerelease", "allow")}
"""Arguments of ``uv pip install`` for each set."""
WANTED = ("--editable", ".[root,s3,spark]", "--group", "dev")
OUTSIDE = ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME")
"""Variables by which the environment that runs this would reach into the others."""


def pins(text: str) -> dict[str, set[str]]:
    """Return the versions of each package in a lock, or in a list in its form."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)(?:\[.*\])?==([^\s;]+)", text, re.MULTILINE):
        found.setdefault(re.sub(r"[-_.]+", "-", name).lower(), set()).add(version)
    return found


def moved(lock: Mapping[str, set[str]], installed: Mapping[str, set[str]]) -> list[str]:
    """Return a line per package that is installed in a version that the lock has not."""
    return [
        f"{name} {' or '.join(sorted(lock.get(name, {'none'})))} -> {version}"
        for name in sorted(installed)
        for version in installed[name] - lock.get(name, set())
    ]


def run(command: Sequence[object], env: Mapping[str, str]) -> bool:
    """Run a command here, its output shown; tell whether it succeeded."""
    print("$", *command, flush=True)
    return (
        subprocess.run([str(word) for word in command], cwd=ROOT, env=env, check=False).returncode
        == 0
    )


def installed(python: Path, name: str) -> bool:
    """Make the environment of a set; tell whether everything could be installed."""
    uv = Path(sys.executable).with_name("uv")
    env = _env(python)
    return run(
        (uv, "venv", "--quiet", "--clear", "--python", sys.executable, python.parents[1]), env
    ) and run(
        (
            uv,
            "pip",
            "install",
            "--quiet",
            "--upgrade",
            "--refresh",
            *SETS[name],
            "--python",
            python,
            *WANTED,
        ),
        env,
    )


def failures(name: str, tests: Sequence[str], jobs: int) -> list[str]:
    """Install a set and check the project with it; return what failed."""
    python = ROOT / "build" / name / "bin" / "python"
    if not installed(python, name):
        return [f"{name}: cannot be installed"]
    env = _env(python)
    uv = Path(sys.executable).with_name("uv")
    listed = subprocess.run(
        [uv, "pip", "freeze", "--python", python],
        env=env,
        capture_output=True,
        text=True,
        check=True,
    )
    lock = pins((ROOT / "requirements-dev.lock").read_text("utf-8"))
    print(f"{name}:", *moved(lock, pins(listed.stdout)), sep="\n  ", flush=True)
    checks = {
        "mypy": ("-m", "mypy", "--cache-dir", python.parents[1] / "mypy"),
        "tests": (
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-n",
            jobs,
            "-m",
            "not integration",
            *tests,
        ),
    }
    return [f"{name}: {check}" for check, words in checks.items() if not run((python, *words), env)]


def _env(python: Path) -> dict[str, str]:
    env = {name: value for name, value in os.environ.items() if name not in OUTSIDE}
    env["PATH"] = f"{python.parent}{os.pathsep}{env['PATH']}"
    return env | {"NUMBA_CACHE_DIR": str(python.parents[1] / "kernels")}


def main(arguments: Sequence[str] | None = None) -> int:
    """Try each set; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--set", choices=SETS, action="append", help="only this set; repeatable")
    parser.add_argument("tests", nargs="*", help="only these tests")
    args = parser.parse_args(arguments)
    failed = [text for name in args.set or SETS for text in failures(name, args.tests, args.jobs)]
    print(*(f"FAILED {text}" for text in failed), sep="\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
