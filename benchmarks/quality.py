"""How fast which fault is found, and how often none is found falsely: the verdicts, measured.

    python benchmarks/quality.py faults --seeds 20   # delays of every fault, in three sizes
    python benchmarks/quality.py quiet --days 7      # false alarms of sound telescopes
    python benchmarks/quality.py table               # docs/reference/quality-table.md from both

The words are simulated, the faults as well; the telescope's own profile, another seed, is the
reference. A delay is the detector time from the fault to the end of the window after which a
verdict changed. Beside the verdicts stand rules of others, on the same windows: see ``rivals``.
Results are kept in build/quality, a file for each profile, and added to.
"""

import argparse
import json
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from muonscope.counting.block import Block
from muonscope.counting.blocks import BLOCKS
from muonscope.counting.counter import Counter as WindowCounter
from muonscope.quality.judge import Judge
from muonscope.quality.reference import Reference, ReferenceBuilder
from muonscope.quality.seen import Seen, layout_of
from muonscope.quality.verdict import State
from muonscope.results.read_message import WindowResult
from muonscope.simulation.faults import parse_fault
from muonscope.simulation.options import Simulation, detector_of
from muonscope.simulation.profiles import profile_named
from muonscope.simulation.telescope import simulate
from muonscope.units import ORBIT_S

OUT = Path("build/quality")
PROFILES = ("quiet", "legnaro", "bologna", "trains")
BEGIN_S, LENGTH_S, AFTER_S = 60.0, 300.0, 60.0
REFERENCE_S, REFERENCE_SEED = 3600.0, 1000
IDLE_S = 5.0
"""Of the windower: as long as windows wait for an FPGA that says nothing."""


@dataclass(frozen=True, slots=True)
class Injected:
    """A fault, and the checks and targets that tell of it rightly."""

    spec: str
    checks: tuple[str, ...]
    target: str = ""
    """What the target of the verdict must begin with."""
    length_s: float = LENGTH_S


_SLOW = 1200.0
FAULTS = (
    Injected("dead:ch0:5", ("cell_dead", "cell_rate"), "ch0:5"),
    Injected("noisy:ch0:20:200", ("cell_rate",), "ch0:20"),
    Injected("noisy:ch0:20:20", ("cell_rate",), "ch0:20"),
    Injected("noisy:ch0:20:8", ("cell_rate",), "ch0:20"),
    Injected("hv-off:ch1", ("chamber_rate",), "ch1"),
    Injected("low-gain:ch1:0.5", ("chamber_rate", "chamber_efficiency"), "ch1"),
    Injected("low-gain:ch1:0.8", ("chamber_rate", "chamber_efficiency"), "ch1"),
    Injected("low-gain:ch1:0.9", ("chamber_rate", "chamber_efficiency"), "ch1"),
    Injected("gas:50", ("drift_box", "drift_velocity")),
    Injected("gas:52", ("drift_box", "drift_velocity"), "", _SLOW),
    Injected("gas:57", ("drift_box", "drift_velocity")),
    Injected("shift:ch1:20", ("drift_box", "chamber_time"), "ch"),
    Injected("shift:ch1:10", ("drift_box", "chamber_time"), "ch", _SLOW),
    Injected("shift:ch1:-50", ("drift_box", "chamber_time"), "ch"),
    Injected("dead-scintillator", ("scintillator",), "scintillator"),
    Injected("silent:fpga1", ("fpga_silent",), "fpga1"),
    Injected("desync:fpga1:100", ("chambers_together", "scintillator_in_time"), "ch"),
    Injected("desync:fpga1:1", ("chambers_together", "scintillator_in_time"), "ch"),
    Injected("desync:fpga1:-5", ("chambers_together", "scintillator_in_time"), "ch"),
    Injected("duplicate:0.1", ("integrity",), "repeated"),
    Injected("duplicate:0.01", ("integrity",), "repeated"),
    Injected("duplicate:0.001", ("integrity",), "repeated"),
    Injected("corrupt:0.1", ("integrity",), ""),
    Injected("corrupt:0.01", ("integrity",), ""),
    Injected("corrupt:0.0001", ("integrity",), ""),
    Injected("burst:10", ("telescope_rate", "chamber_rate"), ""),
    Injected("burst:2", ("telescope_rate", "chamber_rate", "cell_rate"), ""),
    Injected("burst:1.5", ("telescope_rate", "chamber_rate", "cell_rate"), ""),
)
BY_TRACKS = (
    Injected("gas:53.6", ("drift_velocity",)),
    Injected("shift:ch0:5", ("chamber_time",), "ch"),
)
"""Faults that only tracks tell of: see ``muons.py``."""


def windows(
    profile: str, seconds: float, seed: int, fault: str = "", blocks: Sequence[Block] = BLOCKS
) -> Iterator[WindowResult]:
    """Yield the windows of a simulation."""
    detector = detector_of(profile)
    faults = (parse_fault(fault, detector),) if fault else ()
    simulation = Simulation(
        detector=detector, profile=profile_named(profile), seconds=seconds, seed=seed,
        faults=faults,
    )  # fmt: skip
    counter = WindowCounter(detector, None, blocks)
    for batch in simulate(simulation):
        for table in counter.push_in_parts(batch.stream.words):
            yield from (WindowResult.of(window, "bench") for window in table)


@cache
def reference(profile: str, blocks: Sequence[Block] = BLOCKS) -> Reference:
    """Return the reference of a profile."""
    builder = ReferenceBuilder(detector_of(profile))
    for window in windows(profile, REFERENCE_S, REFERENCE_SEED, "", blocks):
        builder.add(Seen.of(window))
    made = builder.build(profile)
    assert made
    return made


# ---- rules of others


@dataclass
class Rivals:
    """Rules of others, on the same windows; each names what it alarms of.

    - ``cms``: a cell of a chamber with 2,200 hits or more has none, or a chamber has less than 90 %
      of its cells alive (CMS, DTOccupancyTest.cc), once a minute.
    - ``5 sigma``: hits of a cell, or of a chamber, in a window are five standard deviations of
      Poisson from the reference.
    - ``band``: hits of a chamber in a window are 20 % from the reference.
    """

    reference: Reference
    hits: npt.NDArray[Any] = field(init=False)
    span_s: float = 0.0
    active: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def __post_init__(self) -> None:
        self.hits = np.zeros(len(self.reference.occupied_hz), np.int64)
        self._layout = layout_of(self.reference.detector)
        self._hz = self.reference.occupied_hz + self.reference.extra_hz

    def take(self, seen: Seen) -> list[tuple[str, str]]:
        """Return the alarms that are new: rule and target."""
        chamber = self._layout.chamber_of_cell
        live = seen.chamber_live_s[chamber]
        e = self._hz * live
        cells = np.flatnonzero(np.abs(seen.hits - e) > 5 * np.sqrt(np.maximum(e, 1.0)))
        n = np.bincount(chamber, seen.hits)
        expected = np.bincount(chamber, e)
        sigma = np.abs(n - expected) > 5 * np.sqrt(np.maximum(expected, 1.0))
        band = np.abs(n - expected) > 0.2 * expected
        found = {
            "5 sigma": {self._layout.cell_names[i] for i in cells}
            | {f"ch{c}" for c in np.flatnonzero(sigma)},
            "band": {f"ch{c}" for c in np.flatnonzero(band)},
        }
        self.hits += seen.hits
        self.span_s += seen.live_s
        if self.span_s >= 60.0:
            dead = set()
            for c in range(self._layout.n_chambers):
                mine = self.hits[chamber == c]
                alive = np.count_nonzero(mine) / len(mine)
                if mine.sum() < 200 or (mine.sum() >= 2200 and alive < 0.9):
                    dead.add(f"ch{c}")
            found["cms"] = dead
            self.hits[:], self.span_s = 0, 0.0
        new = [(rule, t) for rule, ts in found.items() for t in ts - self.active[rule]]
        self.active |= found
        return new


# ---- faults


def one_fault(task: tuple[str, int, int], blocks: Sequence[Block] = BLOCKS) -> dict[str, Any]:
    """Return the delays of one fault of one seed, s; null where it was not found."""
    profile, number, seed = task
    fault = (*FAULTS, *BY_TRACKS)[number]
    made, detector = reference(profile, blocks), detector_of(profile)
    end_s = BEGIN_S + fault.length_s
    judge, rivals = Judge(detector, reference=made), Rivals(made)
    spec = f"{fault.spec}@{BEGIN_S:g}s-{end_s:g}s"
    delays: dict[str, float] = {}
    first_check, cleared, early = "", None, list[str]()
    for window in windows(profile, end_s + AFTER_S, seed, spec, blocks):
        seen = Seen.of(window)
        changes = judge.take(window)
        run_s = _sim_time(window, profile)
        for change in changes:
            verdict = change.verdict
            if verdict.state in {State.WARN, State.BAD} and verdict.state > change.before:
                if run_s <= BEGIN_S:
                    early.append(verdict.text)
                    continue
                delays.setdefault("any", run_s - BEGIN_S)
                first_check = first_check or f"{verdict.check} {verdict.target}"
                right = verdict.check in fault.checks and verdict.target.startswith(fault.target)
                if right:
                    delays.setdefault("right", run_s - BEGIN_S)
                    if verdict.state == State.BAD:
                        delays.setdefault("bad", run_s - BEGIN_S)
        if cleared is None and run_s > end_s and not any(v.counts for v in judge.judged.problems):
            cleared = run_s - end_s
        for rule, _ in rivals.take(seen):
            if run_s > BEGIN_S:
                delays.setdefault(rule, run_s - BEGIN_S)
    found = {k: v for k, v in delays.items() if v <= fault.length_s + 1}
    return {
        "profile": profile, "fault": fault.spec, "seed": seed, "delays": found,
        "first": first_check, "cleared": cleared, "false_before": early,
    }  # fmt: skip


def _sim_time(window: WindowResult, profile: str) -> float:
    """Return the time of the simulation at which a window ends, s; 0 for another run's words."""
    daq = profile_named(profile).daq
    if daq.stale_words and abs(window.last_orbit - daq.stale_orbit) < 1e6:
        return 0.0
    return (window.last_orbit + 1 - daq.start_orbit) * ORBIT_S


def run_faults(seeds: int, profiles: Iterable[str], jobs: int) -> None:
    """Measure all faults, and keep the results."""
    OUT.mkdir(parents=True, exist_ok=True)
    for profile in profiles:
        path = OUT / f"faults-{profile}.jsonl"
        done = {(r["fault"], r["seed"]) for r in _read(path)}
        tasks = [
            (profile, n, seed)
            for seed in range(1, seeds + 1)
            for n, fault in enumerate(FAULTS)
            if (fault.spec, seed) not in done and _possible(fault.spec, profile)
        ]
        with ProcessPoolExecutor(jobs) as pool, path.open("a") as file:
            for result in pool.map(one_fault, tasks):
                file.write(json.dumps(result) + "\n")
                file.flush()


def _possible(spec: str, profile: str) -> bool:
    try:
        parse_fault(spec, detector_of(profile))
    except ValueError:
        return False
    except Exception:
        return False
    return not (spec.startswith("desync") and len(detector_of(profile).fpgas) < 2)


# ---- quiet days


def one_day(task: tuple[str, int]) -> dict[str, Any]:
    """Return the false alarms of a sound day, by check, and those of others' rules."""
    profile, seed = task
    made = reference(profile)
    judge, rivals = Judge(detector_of(profile), reference=made), Rivals(made)
    alarms, others, texts = Counter[str](), Counter[str](), []
    for window in windows(profile, 86_400.0, seed):
        for change in judge.take(window):
            if change.verdict.state in {State.WARN, State.BAD}:
                alarms[change.verdict.check] += 1
                texts.append(f"{change.verdict.since_s:.0f} s: {change.verdict.text}")
        for rule, _ in rivals.take(Seen.of(window)):
            others[rule] += 1
    return {
        "profile": profile, "seed": seed, "windows": judge.windows, "alarms": dict(alarms),
        "texts": texts[:20], "others": dict(others),
    }  # fmt: skip


def run_quiet(days: int, profiles: Iterable[str], jobs: int) -> None:
    """Measure sound days, and keep the results."""
    OUT.mkdir(parents=True, exist_ok=True)
    for profile in profiles:
        path = OUT / f"quiet-{profile}.jsonl"
        done = {r["seed"] for r in _read(path)}
        tasks = [(profile, seed) for seed in range(1, days + 1) if seed not in done]
        with ProcessPoolExecutor(jobs) as pool, path.open("a") as file:
            for result in pool.map(one_day, tasks):
                file.write(json.dumps(result) + "\n")
                file.flush()


# ---- the page


def _read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def summary() -> dict[str, Any]:
    """Return medians, 95 % delays and shares by profile and fault, and false alarms."""
    faults: dict[str, dict[str, Any]] = {}
    for profile in PROFILES:
        rows = _read(OUT / f"faults-{profile}.jsonl")
        for fault in FAULTS:
            mine = [r for r in rows if r["fault"] == fault.spec]
            if mine:
                faults[f"{profile} {fault.spec}"] = _delays(mine, fault)
    quiet = {}
    for profile in PROFILES:
        rows = [*{r["seed"]: r for r in _read(OUT / f"quiet-{profile}.jsonl")}.values()]
        if rows:
            alarms, others = Counter[str](), Counter[str]()
            for row in rows:
                alarms.update(row["alarms"])
                others.update(row["others"])
            quiet[profile] = {"days": len(rows), "alarms": dict(alarms), "others": dict(others)}
    return {"faults": faults, "quiet": quiet}


def _delays(rows: list[dict[str, Any]], fault: Injected) -> dict[str, Any]:
    def ordered(name: str) -> list[float]:
        return sorted(r["delays"].get(name, math.inf) for r in rows)

    right = ordered("right")
    idle = IDLE_S if fault.spec.startswith("silent") else 0.0
    return {
        "seeds": len(rows),
        "median_s": _quantile(right, 0.5), "p95_s": _quantile(right, 0.95),
        "any_median_s": _quantile(ordered("any"), 0.5),
        "never": sum(d == math.inf for d in right) / len(rows),
        "cleared_s": _quantile(sorted(r["cleared"] or math.inf for r in rows), 0.5),
        "waits_s": idle,
        "rivals": {n: _quantile(ordered(n), 0.5) for n in ("cms", "5 sigma", "band")},
    }  # fmt: skip


def _quantile(ordered: list[float], part: float) -> float | None:
    value = ordered[min(len(ordered) - 1, math.ceil(part * len(ordered)) - 1)]
    return None if value == math.inf else round(value, 1)


def garwood(n: int) -> tuple[float, float]:
    """Return the interval of a mean after ``n`` events, 95 % (Garwood 1936); after none, 0 .. 3.0.

    Each end is where the sum of Poisson's probabilities is what is left, found by halving.
    """

    def mean_at(part: float, most: int) -> float:
        low, high = 0.0, 10.0 + 3.0 * n
        for _ in range(100):
            middle = (low + high) / 2
            below = sum(
                math.exp(k * math.log(middle) - middle - math.lgamma(k + 1))
                for k in range(most + 1)
            )
            low, high = (middle, high) if below > part else (low, middle)
        return low

    if n == 0:
        return 0.0, mean_at(0.05, 0)
    return mean_at(0.975, n - 1), mean_at(0.025, n)


PAGE = Path("docs/reference/quality-table.md")
RULES = ("cms", "5 sigma", "band")

_HEAD = """# How fast, and how often falsely

How long it takes until a fault is told, and how often one is told where there is none: measured on
simulated words by `benchmarks/quality.py`, which makes this page. Windows are a second long; the
reference is another hour of the same telescope. A delay is detector time from the fault to the end
of the window after which a verdict of the right check and target changed; in a running system the
time comes on top until a window closes: about 0.1 s, for a silent FPGA five seconds
(`--idle-timeout`). All is without tracks, which find changes of gas and times within seconds:
[checks of tracks](checks.md#checks-of-tracks).

## Delays
"""

_READ = """
*Never* is the share of runs in which the right verdict did not come while the fault lasted: five
minutes, twenty for `gas:52` and `shift:ch1:10`. *Cleared* is the median time until nothing was
wrong any more after the fault had ended; `-` where it took more than a minute, after which the runs
end. The last three columns are the median delays of other rules on the same windows, of anything
that they alarmed of: *cms*, a chamber with 2,200 hits in a minute and less than 90 % of its cells
alive, or with fewer than 200 hits (DTOccupancyTest.cc of CMS); *5 sigma*, hits of a cell or chamber
in a window five of Poisson's standard deviations from the reference; *band*, hits of a chamber 20 %
from it. The latter two alarm all the time, as the second table shows: their short delays are worth
nothing.
"""

_QUIET = """
## False alarms

Whole days of sound telescopes. A verdict that became WARN or BAD is a false alarm. Zero in *d* days
means less than 3.0 x 7 / *d* a week with a confidence of 95 % (Garwood 1936).
"""

_LIMITS = """
## What this does not show

Telescope and reference are of the same simulation. Profile `trains` has trains of pulses and a
pressure and temperature that wander ([simulation](../explanation/simulation.md)); real telescopes
have more. Profiles `quiet`, `legnaro` and `bologna` have neither. Real recordings at hand are too
short for rates of false alarms.

To repeat it: `python benchmarks/quality.py faults`, then `quiet`, then `table`. A part of it is
among the tests, which fail where a median gets 20 % worse.
"""


def page() -> str:
    """Return the page of the documentation."""
    found = summary()
    lines = [_HEAD]
    for profile in PROFILES:
        rows = {
            k.split(" ", 1)[1]: v for k, v in found["faults"].items() if k.startswith(profile + " ")
        }
        if not rows:
            continue
        seeds = max(row["seeds"] for row in rows.values())
        lines += [
            f"Profile `{profile}`, {seeds} runs of each fault; s.", "",
            "| fault | median | 95 % | never | cleared | cms | 5 sigma | band |",
            "|---|---|---|---|---|---|---|---|",
        ]  # fmt: skip
        for spec, row in rows.items():
            cells = [row["median_s"], row["p95_s"], f"{row['never']:.0%}", row["cleared_s"]]
            cells += [row["rivals"][rule] for rule in RULES]
            shown = " | ".join("-" if cell is None else str(cell) for cell in cells)
            lines.append(f"| `{spec}` | {shown} |")
        lines.append("")
    lines += [_READ, _QUIET]
    lines += ["| profile | days | by check | a week at most, 95 % | cms | 5 sigma | band |"]
    lines += ["|---|---|---|---|---|---|---|"]
    for profile, row in found["quiet"].items():
        n, days = sum(row["alarms"].values()), row["days"]
        by_check = ", ".join(f"`{k}` {v}" for k, v in sorted(row["alarms"].items())) or "none"
        most = garwood(n)[1] * 7 / days
        others = " | ".join(f"{row['others'].get(rule, 0):,}" for rule in RULES)
        lines.append(f"| `{profile}` | {days} | {by_check} | {most:.1f} | {others} |")
    return "\n".join([*lines, _LIMITS])


def main() -> None:
    """Do what is asked."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("what", choices=["faults", "quiet", "table"])
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--days", type=int, default=7)
    parser.add_argument("--profiles", nargs="*", default=PROFILES)
    parser.add_argument("--jobs", type=int, default=2)
    asked = parser.parse_args()
    match asked.what:
        case "faults":
            run_faults(asked.seeds, asked.profiles, asked.jobs)
        case "quiet":
            run_quiet(asked.days, asked.profiles, asked.jobs)
        case _:
            PAGE.write_text(page(), "utf-8")
    print(json.dumps(summary(), indent=1))


if __name__ == "__main__":
    main()
