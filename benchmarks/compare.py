"""How often runs that are alike are told to differ, and where faults show: comparisons, measured.

    python benchmarks/compare.py agree --pairs 1000   # halves of one run, and runs of two seeds
    python benchmarks/compare.py faults --seeds 5     # the place of each fault among the findings

All runs are simulated. Halves are random windows of a run; independent runs have the same profile
and other seeds. "significant" counts pairs in which anything at all has a corrected probability
below the level, whatever its size; "differs" those that are told to differ. Intervals are Clopper
and Pearson's, 95 %.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial

import numpy as np

from muonscope.counting.block import Block
from muonscope.counting.blocks import BLOCKS, WITH_TRACKS
from muonscope.counting.summary import Summary
from muonscope.quality.comparing import compare
from muonscope.quality.comparison import Comparison
from muonscope.quality.incomplete_functions import inverse_incomplete_beta
from muonscope.quality.side import Side, SideBuilder
from muonscope.results.read_message import WindowResult
from quality import windows

PROFILES = ("quiet", "legnaro")
LEVELS = (0.05, 0.01)
PAIRS_PER_RUN = 20
"""Pairs of halves that are made of one simulated run."""


@dataclass(frozen=True, slots=True)
class Injected:
    """A fault, and the first finding that tells of it rightly: families, and its target."""

    spec: str
    families: tuple[str, ...]
    target: str = ""
    """What the target must begin with."""
    times: float = 1.0
    """Times as long as other runs it is looked for: of 20 ns a hundred drift times tell nothing."""


FAULTS = (
    Injected("dead:ch0:5", ("cell_rate",), "ch0:5"),
    Injected("noisy:ch0:20:200", ("cell_rate",), "ch0:20"),
    Injected("noisy:ch0:20:20", ("cell_rate",), "ch0:20"),
    Injected("hv-off:ch1", ("chamber_rate",), "ch1"),
    Injected("low-gain:ch1:0.5", ("chamber_rate", "chamber_efficiency"), "ch1"),
    Injected("low-gain:ch1:0.8", ("chamber_rate", "chamber_efficiency"), "ch1"),
    Injected("gas:50", ("track_chi2", "track_residual", "drift_times", "track_drift")),
    Injected("shift:ch1:20", ("drift_times", "track_late"), "ch1", 2.0),
    Injected("dead-scintillator", ("scintillator",), "scintillator"),
    Injected("silent:fpga1", ("fpga_words",), "fpga1"),
    Injected("desync:fpga1:100", ("chambers_together", "scintillator_in_time"), "ch"),
    Injected("duplicate:0.01", ("integrity",), "repeated"),
    Injected("corrupt:0.01", ("integrity",), "invalid"),
    Injected("burst:10", ("telescope_rate", "chamber_rate", "cell_rate", "cell_trains")),
    Injected("burst:2", ("telescope_rate", "chamber_rate", "cell_rate", "cell_trains")),
)


def side(name: str, some: Sequence[WindowResult]) -> Side:
    """Return some windows as a side of a comparison."""
    first = some[0].summary
    builder = SideBuilder(name, Summary.empty(first.detector, first.blocks))
    for window in some:
        builder.add(window.summary)
    return builder.build()


def halves(some: Sequence[WindowResult], seed: int) -> tuple[Side, Side]:
    """Return random halves of the windows of a run."""
    order = np.random.default_rng(seed).permutation(len(some)).tolist()
    middle = len(order) // 2
    return side("one", [some[i] for i in order[:middle]]), side(
        "other", [some[i] for i in order[middle:]]
    )


def place_of(fault: Injected, comparison: Comparison) -> int | None:
    """Return the place of the first finding that tells of ``fault``, from 1; None if none does."""
    for place, found in enumerate(comparison.differing, 1):
        if found.what in fault.families and found.target.startswith(fault.target):
            return place
    return None


def _outcome(pair: tuple[Side, Side]) -> list[tuple[bool, bool]]:
    """Return for each level whether anything is significant, and whether the two differ."""
    outcome = []
    for level in LEVELS:
        found = compare(*pair, level=level)
        outcome.append((bool(found.differing or found.negligible), bool(found.differing)))
    return outcome


def _of_one_run(
    seed: int, *, profile: str, seconds: float, blocks: Sequence[Block]
) -> list[list[tuple[bool, bool]]]:
    some = list(windows(profile, 2 * seconds, seed, "", blocks))
    return [_outcome(halves(some, 1000 * seed + n)) for n in range(PAIRS_PER_RUN)]


def _of_two_runs(
    seed: int, *, profile: str, seconds: float, blocks: Sequence[Block]
) -> list[list[tuple[bool, bool]]]:
    runs = (list(windows(profile, seconds, s, "", blocks)) for s in (2 * seed, 2 * seed + 1))
    one, other = (side(name, run) for name, run in zip(("one", "other"), runs, strict=True))
    return [_outcome((one, other))]


def _interval(k: int, n: int) -> tuple[float, float]:
    """Return the interval of Clopper and Pearson, 95 %."""
    low = float(inverse_incomplete_beta(k, n - k + 1, 0.025)) if k else 0.0
    high = float(inverse_incomplete_beta(k + 1, n - k, 0.975)) if k < n else 1.0
    return low, high


def agree(asked: argparse.Namespace, blocks: Sequence[Block]) -> Iterator[str]:
    """Yield a line for each profile, kind of pairs, and level."""
    tracks = "with" if blocks is WITH_TRACKS else "without"
    yield f"windows of 1 s, {asked.seconds:g} s a side, {tracks} tracks"
    kinds = (
        ("halves of one run", _of_one_run, range(1, asked.pairs // PAIRS_PER_RUN + 1)),
        ("independent runs", _of_two_runs, range(50_000, 50_000 + asked.independent)),
    )
    for name, work, seeds in kinds:
        for profile in PROFILES:
            done = partial(work, profile=profile, seconds=asked.seconds, blocks=blocks)
            with ProcessPoolExecutor(asked.workers) as pool:
                outcomes = [o for some in pool.map(done, seeds) for o in some]
            for i, level in enumerate(LEVELS):
                told = [sum(o[i][kind] for o in outcomes) for kind in (0, 1)]
                texts = []
                for what, k in zip(("significant", "differs"), told, strict=True):
                    low, high = _interval(k, len(outcomes))
                    texts.append(f"{what} {k} ({low:.2%} .. {high:.2%})")
                yield f"{profile:8} {name:18} {len(outcomes):5} pairs, level {level:4.0%}: " + (
                    ", ".join(texts)
                )


@cache
def _reference(profile: str, blocks: Sequence[Block]) -> Side:
    return side("reference", list(windows(profile, 600.0, 999, "", blocks)))


def _places(fault: Injected, *, profile: str, seconds: float, seeds: int) -> str:
    places = []
    for seed in range(seeds):
        run = side(
            "run", list(windows(profile, seconds * fault.times, 77 + seed, fault.spec, WITH_TRACKS))
        )
        places.append(place_of(fault, compare(run, _reference(profile, WITH_TRACKS))))
    text = " ".join("-" if place is None else str(place) for place in places)
    return f"{profile:8} {fault.spec:20} {text}"


def faults(seeds: int, seconds: float, workers: int) -> Iterator[str]:
    """Yield a line for each profile and fault: the place of its first right finding."""
    yield f"place of the first right finding; a run of {seconds:g} s, a reference of 600 s"
    for profile in PROFILES:
        work = partial(_places, profile=profile, seconds=seconds, seeds=seeds)
        with ProcessPoolExecutor(workers) as pool:
            yield from pool.map(work, FAULTS)


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("agree", "faults"))
    parser.add_argument("--pairs", type=int, default=1000)
    parser.add_argument("--independent", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--without-tracking", action="store_true")
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args()
    blocks = BLOCKS if asked.without_tracking else WITH_TRACKS
    lines = (
        agree(asked, blocks)
        if asked.what == "agree"
        else faults(asked.seeds, asked.seconds, asked.workers)
    )
    for line in lines:
        sys.stdout.write(line + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
