"""Shows where processing a simulated file spends its time, function by function.

Reading, counting and publishing, each in a thread of its own otherwise, run one after another
here, so that all of them are seen. With pyinstrument installed it draws the tree of calls;
without it cProfile lists the functions, by the time spent in themselves. A compiled kernel is
part of the function that calls it.
"""

import argparse
import cProfile
import pstats
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest.mock import patch

import muonscope
from muonscope.cli.main import app
from muonscope.engines import native

__all__ = ["main"]


def at_once(items: Iterable[Any], _depth: int = 0) -> Iterator[Any]:
    """Stand in for a thread that reads ahead."""
    yield from items


def profiled(work: Callable[[], object], top: int) -> None:
    """Run ``work`` and print its profile, the ``top`` functions of it."""
    if find_spec("pyinstrument") is not None:
        from pyinstrument import Profiler

        with Profiler() as tree:
            work()
        print(tree.output_text(unicode=True, color=sys.stdout.isatty()))
        return
    profile = cProfile.Profile()
    profile.runcall(work)
    pstats.Stats(profile, stream=sys.stdout).sort_stats("tottime").print_stats(top)


def main(arguments: Sequence[str] | None = None) -> int:
    """Simulate a file, process it twice, and profile the second time; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--words", type=int, default=3_000_000, help="words in the file")
    parser.add_argument("--format", default="csv", help="of the file: csv, json, dat, block ...")
    parser.add_argument("--top", type=int, default=25, help="functions to print")
    args = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        file, results = Path(folder, f"words.{args.format}"), Path(folder, "results.jsonl")
        wanted = ["simulate", str(file), "--words", str(args.words), "--format", args.format]
        app.main(wanted, standalone_mode=False)

        def work() -> None:
            muonscope.process(str(file), to=str(results), force=True)

        work()  # compiles kernels and imports modules
        begin = time.perf_counter()
        work()
        spent = time.perf_counter() - begin
        print(f"{args.words} words of {args.format} took {spent:.2f} s; now one after another:")
        with patch.object(native, "prefetch", at_once):
            profiled(work, args.top)
    return 0


if __name__ == "__main__":
    sys.exit(main())
