"""Measure muonscope against its peers, in one run on one machine; ``make bench``.

Every figure is the median of several repeats, and ratios are taken between medians of
repeats that alternate, so that a machine that drifts does not favour either. Each
section asserts that the answers are right before it prints how fast they came.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

import muonscope
from muonscope.counting.blocks.drift import drift_ns
from muonscope.counting.counter import Counter
from muonscope.counting.panes import Panes
from muonscope.counting.window_table import WindowTable
from muonscope.detector import Detector
from muonscope.simulation.options import Simulation
from muonscope.simulation.profiles import PROFILES
from muonscope.simulation.telescope import simulate
from muonscope.words.layout import Words, orbit
from polars_peer import fingerprint, hundredths, lazy, straightforward

ORIGINAL_S = {10_000: (2.4, 3.1), 1_000_000: (6.9, 6.9)}
"""What the original's ``process_batch`` on Spark takes for so many rows, s (local, 2 cores)."""

MUONSCOPE = [sys.executable, "-m", "muonscope"]
PROCESS = [*MUONSCOPE, "process", "--without", "tracking"]
"""Counting alone, which is what peers do."""


def simulated_words(n: int, profile: str = "legnaro") -> Words:
    """Return ``n`` words of a simulated telescope, without another run's at the start."""
    site = PROFILES[profile]
    simulation = Simulation(
        detector=muonscope.shipped_detector(site.detector),
        profile=replace(site, daq=replace(site.daq, stale_words=0)),
        words=n,
    )
    return np.concatenate([batch.stream.words for batch in simulate(simulation)])


def main() -> int:
    """Run the sections asked for; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sections", nargs="*", help=f"of {', '.join(SECTIONS)}; default: all")
    parser.add_argument("--words", type=int, default=5_000_000)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores, Python {sys.version.split()[0]}, numpy {np.__version__},")
    print(
        f"polars {pl.__version__} on {pl.thread_pool_size()} threads; medians of {options.repeats}"
    )
    for name in options.sections or SECTIONS:
        print(f"\n== {name}")
        SECTIONS[name](options.words, options.repeats)
    return 0


def timed(repeats: int, **calls: Callable[[], Any]) -> dict[str, float]:
    """Return the median time of each call, s.

    The calls alternate, and each is made once more, untimed, before it is timed, so that
    none finds the caches as another one left them.
    """
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            call()
            start = time.perf_counter()
            call()
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(seconds) for name, seconds in times.items()}


def rate(name: str, words: int, seconds: float, note: str = "") -> None:
    """Print a rate."""
    print(f"{name:<44} {words / seconds / 1e6:9.1f} M words/s  {note}")


def windowed(words: Words, counter: Counter, piece: int = 1 << 17) -> Iterator[WindowTable]:
    """Yield the window tables of ``words``, given in pieces."""
    for at in range(0, len(words), piece):
        yield counter.push(words[at : at + piece])
    yield counter.finish()


def window_all(words: Words, detector: Detector) -> None:
    """Make all window tables and forget them, as a run does."""
    for _ in windowed(words, Counter(detector)):
        pass


def closed_panes(words: Words, detector: Detector, piece: int = 1 << 17) -> list[Panes]:
    """Return the words in the order in which closed windows hold them."""
    counter = Counter(detector)
    return [
        panes
        for at in range(0, len(words), piece)
        if len(panes := counter.windower.push(words[at : at + piece]))
    ]


def drift_times(table: WindowTable) -> Iterator[npt.NDArray[np.float64]]:
    """Yield the drift times of each chamber in ``table``, ns."""
    chambers = table.detector.n_chambers
    lengths = np.diff(table.drift_ends.ravel(), prepend=0)
    chamber_of = np.repeat(np.tile(np.arange(chambers), len(table)), lengths)
    for chamber in range(chambers):
        yield drift_ns(table.detector, chamber, table.drift_ticks[chamber_of == chamber])


def six_results(counter: Counter, panes: Panes) -> None:
    """Count panes, drift times in ns included, and forget the results, as a run does."""
    for _ in drift_times(counter.count(panes)):
        pass


def our_fingerprint(tables: list[WindowTable]) -> dict[str, int]:
    """Return the numbers of :func:`polars_peer.fingerprint` for our results."""
    total = tables[0].total()
    for table in tables[1:]:
        total += table.total()
    ends = [int(t.orbit_ends[-1, -1]) if len(t) else 0 for t in tables]
    pairs = list(zip(tables, ends, strict=True))
    return {
        "hits": total.total_hits,
        "orbits": sum(ends),
        "orbit hits squared": sum(
            int((t.orbit_hits[:end].astype(np.int64) ** 2).sum()) for t, end in pairs
        ),
        "channels squared": int((total.hits_per_cell**2).sum()),
        "scint": int(total.scint_hits.sum()),
        "drift": sum(hundredths(drift) for t in tables for drift in drift_times(t)),
    }


def memory_section(n: int, repeats: int) -> None:
    """Six results from words in memory, against polars."""
    for profile, share in (("legnaro", "1 %"), ("bologna", "36 %")):
        detector = muonscope.shipped_detector(PROFILES[profile].detector)
        words = simulated_words(n, profile)
        panes = closed_panes(words, detector)
        n_panes = sum(len(p.words) + int(p.other.sum()) for p in panes)
        assert our_fingerprint(list(windowed(words, Counter(detector)))) == fingerprint(
            straightforward(words, detector)
        )
        times = timed(repeats, **memory_calls(words, panes, detector))
        print(f"simulated {profile}, scintillator with {share} of the hits, {len(words):,} words:")
        rate("  polars, straightforward, both cores", len(words), times["polars"])
        rate("  polars, lazy, both cores", len(words), times["lazy"])
        for name, label, count in (
            ("kernel", "  six results of given windows, one core", n_panes),
            ("two", "  the same, two cores", n_panes),
            ("windows", "  exact windows and six results, one core", len(words)),
        ):
            ratio = times["polars"] / len(words) / (times[name] / count)
            rate(label, count, times[name], f"{ratio:.1f} x polars")


def memory_calls(
    words: Words, panes: list[Panes], detector: Detector
) -> dict[str, Callable[[], Any]]:
    """Return what the memory section compares."""
    counter = Counter(detector)
    calls = [partial(six_results, counter, part) for part in panes]
    return {
        "polars": lambda: straightforward(words, detector),
        "lazy": lambda: lazy(words, detector),
        "kernel": lambda: call_all(calls),
        "two": lambda: in_two_threads(calls),
        "windows": lambda: window_all(words, detector),
    }


def call_all(calls: Sequence[Callable[[], Any]]) -> None:
    """Call all and forget what they return, as a run does."""
    for call in calls:
        call()


def in_two_threads(calls: Sequence[Callable[[], Any]]) -> None:
    """Call all, half of them in another thread."""
    other = threading.Thread(target=call_all, args=[calls[::2]])
    other.start()
    call_all(calls[1::2])
    other.join()


def batch_section(_n: int, repeats: int) -> None:
    """One batch, from words to messages, against the original's published times."""
    from muonscope.results.message import window_messages

    for size, (low, high) in ORIGINAL_S.items():
        words = simulated_words(size)

        def batch(words: Words = words) -> int:
            counter = Counter(muonscope.shipped_detector())
            messages = counted = 0
            for table in windowed(words, counter):
                messages += len(list(window_messages(table, "bench")))
                counted += table.total().accounting.words_in
            assert counted + counter.remainder.accounting.words_in == len(words)
            return messages

        seconds = timed(repeats, ours=batch)["ours"]
        against = (
            f"{low / seconds:,.0f} x"
            if low == high
            else f"{low / seconds:,.0f}-{high / seconds:,.0f} x"
        )
        print(f"{size:>9,} words to messages: {seconds * 1e3:7.2f} ms, {against} the original")


def files_section(n: int, repeats: int) -> None:
    """Whole runs of ``process`` on files, against the kernel and against reading alone."""
    words = simulated_words(2 * n)
    n = len(words)
    with tempfile.TemporaryDirectory() as folder:
        dat, csv = Path(folder) / "bench.dat", Path(folder) / "bench.csv"
        words.astype("<u8").tofile(dat)
        run([*MUONSCOPE, "convert", str(dat), str(csv)])
        out = Path(folder) / "out.jsonl"

        def process(file: Path, without: tuple[str, ...] = ("tracking",)) -> None:
            out.unlink(missing_ok=True)
            muonscope.process(file, to=str(out), run="bench", without=without)

        times = timed(
            repeats,
            windows=lambda: window_all(words, muonscope.shipped_detector()),
            dat=lambda: process(dat),
            csv=lambda: process(csv),
            tracks=lambda: process(dat, without=()),
            polars=lambda: pl.read_csv(csv, schema_overrides={"TDC_MEAS": pl.Float64}).height,
        )
        messages = out.read_bytes().splitlines()
        counted = sum(json.loads(m)["accounting"]["words_in"] for m in messages)
        assert counted == len(words), (counted, len(words))
        rate("exact windows and results in memory, one core", n, times["windows"])
        rate(
            "process .dat to .jsonl",
            n,
            times["dat"],
            f"{times['windows'] / times['dat']:.2f} x memory",
        )
        rate(
            "the same with tracks",
            n,
            times["tracks"],
            f"{times['dat'] / times['tracks']:.3f} x without",
        )
        rate("polars.read_csv alone, both cores", n, times["polars"])
        rate(
            "process .csv to .jsonl",
            n,
            times["csv"],
            f"{times['polars'] / times['csv']:.2f} x polars",
        )
        cold = statistics.median(
            elapsed([*PROCESS, str(dat), "--to", str(out), "--force"]) for _ in range(3)
        )
        rate("process .dat as a command, start-up included", n, cold)


def memory_bound_section(_n: int, _repeats: int) -> None:
    """Peak memory of ``process`` on 10 GB of words, looped with the orbits going on."""
    block = simulated_words(1_000_000)
    is_hit = block >> np.uint64(61) == 2
    length = int(orbit(block[is_hit]).max() - orbit(block[is_hit]).min()) + 1
    orbits = np.uint64(length << 17)
    total = 10 * 10**9 // block.nbytes
    with subprocess.Popen(
        [*PROCESS, "-", "--to", "-"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        assert process.stdin
        start = time.perf_counter()
        for i in range(total):
            shifted = block + np.where(is_hit, orbits * np.uint64(i), np.uint64(0))
            process.stdin.write(shifted.tobytes())
        process.stdin.close()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    megabytes = usage.ru_maxrss / 1024
    print(f"10 GB through a pipe in {time.perf_counter() - start:.0f} s: peak {megabytes:.0f} MB")


def cold_start_section(_n: int, _repeats: int) -> None:
    """First result of a fresh installation (nothing compiled), and of the next start."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "small.csv"
        words = simulated_words(10_000)
        words.astype("<u8").tofile(Path(folder) / "small.dat")
        run([*MUONSCOPE, "convert", str(Path(folder) / "small.dat"), str(file)])
        environment = {**os.environ, "NUMBA_CACHE_DIR": str(Path(folder) / "cache")}
        for name in ("nothing compiled", "compiled"):
            command = [*MUONSCOPE, "process", str(file), "--to", "-"]
            print(f"first results, {name}: {elapsed(command, environment):.2f} s")
        for command in ([], ["process"], ["inspect"], ["convert"], ["simulate"], ["detectors"]):
            seconds = min(elapsed([*MUONSCOPE, *command, "--help"]) for _ in range(5))
            print(f"muonscope {' '.join([*command, '--help']):<18} {seconds * 1e3:4.0f} ms")


def simulation_section(n: int, repeats: int) -> None:
    """Words of a simulated telescope into memory on one core, and to a file."""
    site = PROFILES["legnaro"]
    detector = muonscope.shipped_detector(site.detector)

    def into_memory() -> int:
        return sum(
            len(batch.stream)
            for batch in simulate(Simulation(detector=detector, profile=site, words=n))
        )

    assert into_memory() == n
    seconds = timed(repeats, memory=into_memory)["memory"]
    rate("with their truth, into memory, one core", n, seconds)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "run.dat"
        for options, note in (([], ""), (["--truth", f"{folder}/truth.parquet"], " and truth")):
            command = [*MUONSCOPE, "simulate", str(file), "--words", str(n), "--force", *options]
            seconds = statistics.median(elapsed(command) for _ in range(repeats))
            assert file.stat().st_size == 8 * n
            rate(f"to a .dat file{note}, as a command", n, seconds)
        peaks = [peak_megabytes(words) for words in (n, 10 * n)]
        print(
            f"peak memory: {peaks[0]:.0f} MB for {n:,} words, {peaks[1]:.0f} MB for ten times that"
        )


def peak_megabytes(words: int) -> float:
    """Return the peak memory of a command that simulates so many words."""
    command = [*MUONSCOPE, "simulate", "-", "--words", str(words)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_maxrss / 1024


def run(command: list[str], environment: dict[str, str] | None = None) -> None:
    """Run a command; its success is asserted."""
    done = subprocess.run(command, capture_output=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr.decode()


def elapsed(command: list[str], environment: dict[str, str] | None = None) -> float:
    """Return how long a command takes, s."""
    start = time.perf_counter()
    run(command, environment)
    return time.perf_counter() - start


SECTIONS: dict[str, Callable[[int, int], None]] = {
    "memory": memory_section,
    "batch": batch_section,
    "files": files_section,
    "bound": memory_bound_section,
    "cold": cold_start_section,
    "simulation": simulation_section,
}

if __name__ == "__main__":
    sys.exit(main())
