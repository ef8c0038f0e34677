"""How well muons are reconstructed, beside the truth, and how fast; ``make bench``.

    PYTHONPATH=tests python benchmarks/muons.py            # all sections
    PYTHONPATH=tests python benchmarks/muons.py speed      # one of them

Each line has what was asked, what was found, and OK or MISSED. The seeds are none that the
reconstruction was tuned on. Rates are medians of repeats that alternate with the peer.
"""

import argparse
import itertools
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import orjson
import polars as pl

import muonscope
import quality
from muonscope import kernels
from muonscope.counting.block import Block
from muonscope.counting.blocks import BLOCKS, WITH_TRACKS
from muonscope.counting.counter import Counter
from muonscope.counting.window_spec import WindowSpec
from muonscope.counting.window_table import WindowTable, joined
from muonscope.detector import Detector, shipped_detector
from muonscope.quality.judge import Judge
from muonscope.results.message import window_messages
from muonscope.simulation.cabling import channel_of_cells
from muonscope.simulation.options import detector_of
from muonscope.simulation.profiles import REALISTIC_CELL
from muonscope.tracking.cabling import cabling_of
from muonscope.tracking.calibration import Calibration, calibrated
from muonscope.tracking.efficiency import cells_asked
from muonscope.tracking.layout import LAYERS, layout_of
from muonscope.tracking.reconstruct import reconstruct
from muonscope.words.layout import Words
from tracking.constants import off, wrong
from tracking.matched import Matched, hits_in, matched, simulated, width

SEED = 77
REPEATS = 5


def main() -> int:
    """Run the sections asked for; return the exit code: 1 if a bar was missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sections", nargs="*", help=f"of {', '.join(SECTIONS)}; default: all")
    parser.add_argument("--seconds", type=float, default=600.0, help="simulated, of each profile")
    options = parser.parse_args()
    kernels.load(kernels.Purpose)
    for name in options.sections or SECTIONS:
        print(f"\n{name}")
        SECTIONS[name](options.seconds)
    print(f"\n{len(MISSED)} missed: {', '.join(MISSED) or 'none'}")
    return 1 if MISSED else 0


MISSED: list[str] = []


def line(what: str, found: float, asked: float, unit: str = "", *, least: bool = False) -> None:
    """Print what was found beside what was asked: at most, or at least."""
    good = found >= asked if least else found <= asked
    if not good:
        MISSED.append(what)
    sign = ">=" if least else "<="
    print(f"  {what:58s} {found:10.4g} {unit:6s} {sign} {asked:<8g} {'OK' if good else 'MISSED'}")


def exact(profile: str) -> Detector:
    """Return the telescope of a profile with the drift velocity that it is simulated with."""
    velocity = REALISTIC_CELL.velocity_um_per_ns
    return replace(detector_of(profile), drift_velocity_um_per_ns=velocity)


def tracks(seconds: float) -> None:
    """Tracks over two chambers of the phi view, and lone segments."""
    for profile, length, scale in (
        ("legnaro", seconds, 1.0), ("bologna", seconds / 5, 1.0), ("legnaro", seconds / 300, 300.0),
    ):  # fmt: skip
        here = matched(simulated(profile, length, SEED, rate_scale=scale), exact(profile))
        name = f"{profile} x {scale:g}" if scale > 1 else profile
        rows = here.rows("phi")
        line(f"{name}: efficiency", 100 * here.efficiency("phi"), 99, "%", least=True)
        line(f"{name}: fakes", 100 * float((here.owner[rows] < 0).mean()), 1, "%")
        over = np.isin(here.row, rows) & here.judged
        line(f"{name}: sides right", 100 * float(here.right[over].mean()), 99.7, "%", least=True)
        _, _, late = here.off(rows)
        line(f"{name}: t0, 68 %", width(late), 1.9 if profile == "bologna" else 2.4, "ns")
        near = late[np.abs(late - np.median(late)) < 20]
        line(f"{name}: bias of t0", abs(float(near.mean() - np.median(late))), 0.5, "ns")
        if profile == "legnaro" and scale == 1:
            sharp(here)
    quiet = matched(simulated("quiet", seconds, SEED), exact("quiet"))
    lone = quiet.rows("phi", over=False)
    lone = lone[(quiet.found.size[lone] == LAYERS) & (np.abs(quiet.found.slope[lone]) < 0.58)]
    slope, _, late = quiet.off(lone)
    mine = np.isin(quiet.row, lone) & quiet.judged
    line("quiet, lone quads below 30 deg: sides right", 100 * float(quiet.right[mine].mean()), 96.5,
         "%", least=True)  # fmt: skip
    line("quiet, lone quads below 30 deg: slope, 68 %", 1e3 * width(slope), 8.8, "mrad")
    line("quiet, lone quads below 30 deg: t0, 68 %", width(late), 2.7, "ns")


def sharp(here: Matched) -> None:
    """Slopes and places of tracks by their chambers."""
    rows = here.rows("phi")
    for chambers, asked in ((3, 0.18), (2, 0.35)):
        some = rows[here.found.chambers[rows] == chambers]
        slope, place, _ = here.off(some)
        line(f"legnaro, {chambers} chambers: slope, 68 %", 1e3 * width(slope), asked, "mrad")
        line(f"legnaro, {chambers} chambers: place, 68 %", width(place), 0.12, "mm")


def noise(seconds: float) -> None:
    """Segments of hits at random: none may be."""
    chance = np.random.default_rng(SEED)
    n = int(3_000 * seconds)
    at = np.sort(chance.integers(0, int(seconds * 1.2e9), n))
    found = reconstruct(layout_of(shipped_detector()), at, chance.integers(0, 256, n))
    line(f"segments and tracks of {seconds:g} s of noise", len(found.event), 0)


def efficiency(seconds: float) -> None:
    """Cell efficiencies against what was injected."""
    detector = exact("legnaro")
    layout = layout_of(detector)
    for faults, weak in (((), None), (("low-gain:ch2:0.9",), 2)):
        run = muonscope.simulate("legnaro", seconds=seconds, seed=SEED, faults=faults)
        at, cell, _ = hits_in(run.words, detector)
        found = reconstruct(layout, at, cell)
        expected, seen = cells_asked(layout, found, np.zeros(len(found.event), np.int64), 1)
        for chamber in (0, 2, 3) if weak is None else (weak,):
            mine = layout.chamber == chamber
            share = float(seen[0, mine].sum() / expected[0, mine].sum())
            true = REALISTIC_CELL.efficiency * (0.9 if chamber == weak else 1.0)
            what = f"chamber {chamber}{', low gain' if chamber == weak else ''}: off by"
            line(what, 100 * abs(share - true), 0.4, "%")


def calibration(seconds: float) -> None:
    """Constants after some time, from a wrong start."""
    start = exact("legnaro")
    for length, bars in ((seconds, (0.1, 0.1, 0.03, 0.3)), (20.0, (None, None, 0.1, 1.0))):
        at, cell, _ = hits_in(simulated("legnaro", length, SEED).words, start)
        found = calibrated(wrong(start, 53.0, SEED), at, cell)
        assert isinstance(found, Calibration)
        apart = {name: float(np.abs(values).max()) for name, values in off(found).items()}
        velocity = found.detector.drift_velocity_um_per_ns / start.drift_velocity_um_per_ns - 1
        told = (
            ("velocity", 100 * abs(velocity), "%"), ("times", apart["times"], "ns"),
            ("offsets", apart["places"], "mm"), ("tilts", 1e3 * apart["tilts"], "mrad"),
        )  # fmt: skip
        for (name, value, unit), bar in zip(told, bars, strict=True):
            if bar is not None:
                line(f"{name} after {length:g} s", value, bar, unit)


def verdicts(seconds: float) -> None:
    """How soon a change of gas and a late chamber are found, and how often nothing is."""
    faults = (*quality.FAULTS, *quality.BY_TRACKS)
    number = {fault.spec: n for n, fault in enumerate(faults)}
    for spec, asked in (("gas:53.6", 15.0), ("shift:ch0:5", 3.0)):
        tasks = [("legnaro", number[spec], SEED + n) for n in range(REPEATS)]
        found = [quality.one_fault(task, WITH_TRACKS) for task in tasks]
        delays = [row["delays"].get("right", np.inf) for row in found]
        line(f"{spec} is found, median of {REPEATS}", statistics.median(delays), asked, "s")
    judge = Judge(detector_of("legnaro"), reference=quality.reference("legnaro", WITH_TRACKS))
    alarms = [
        change for window in quality.windows("legnaro", 6 * seconds, SEED, "", WITH_TRACKS)
        for change in judge.take(window) if change.verdict.counts
    ]  # fmt: skip
    line(f"false alarms in {6 * seconds:g} s", len(alarms), 0)


def cabling(seconds: float) -> None:
    """Whether cables that are exchanged are named, and none that are not."""
    detector = exact("legnaro")
    at, cell, _ = hits_in(simulated("legnaro", seconds / 2, SEED).words, detector)
    pairs = [*itertools.combinations([f"ch{c}" for c in range(4)], 2)]
    pairs += itertools.combinations([f"ch{c}.{k}" for c in range(4) for k in range(4)], 2)
    unnamed = 0
    for one, other in pairs:
        read_on = channel_of_cells([f"{one}={other}"], detector)
        told = cabling_of(detector, at, read_on[cell])
        unnamed += not np.array_equal(told.place, np.argsort(read_on))
    line(f"chambers and connectors of {len(pairs)} pairs not named", unnamed, 0)
    right = []
    for n in range(REPEATS):
        read_on = channel_of_cells([f"shuffle:{SEED + n}"], detector)
        right.append((cabling_of(detector, at, read_on[cell]).place == np.argsort(read_on)).mean())
    line("all channels permuted: put right", 100 * min(right), 99, "%", least=True)
    false = 0
    for n in range(24):
        for profile in ("legnaro", "trains"):
            words = simulated(profile, seconds / 20, SEED + n).words
            at, cell, _ = hits_in(words, detector)
            false += not cabling_of(detector, at, cell).as_told
    line(f"false alarms in 48 x {seconds / 20:g} s", false, 0)


def recorded(_seconds: float) -> None:
    """Run 591 as it was recorded."""
    folder = Path(os.environ.get("MUONSCOPE_REALDATA", "../shared/realdata"))
    path = folder / "run000591_data_000000.dat"
    if not path.exists():
        print(f"  {path} is not there")
        return
    detector = shipped_detector("run000591")
    at, cell, _ = hits_in(np.fromfile(path, "<u8"), detector)
    found = calibrated(detector, at, cell)
    assert isinstance(found, Calibration)
    assert found.cabling
    velocity = found.detector.drift_velocity_um_per_ns
    line("run000591: velocity off 57.3", abs(velocity - 57.3), 0.5, "um/ns")
    made = reconstruct(layout_of(found.detector), at, found.cabling.place[cell])
    over = made.chambers > 1
    residual = made.residual_mm[over[made.row]]
    line("run000591: residuals, RMS", float(np.sqrt((residual**2).mean())), 0.36, "mm")
    line("run000591: views with tracks", len(np.unique(made.view[over])), 2, least=True)


def counted(words: Words, blocks: tuple[Block, ...]) -> WindowTable:
    """Return the windows of words."""
    counter = Counter(shipped_detector(), WindowSpec(), blocks)
    tables = [counter.push(words[i : i + 65_536]) for i in range(0, len(words), 65_536)]
    return joined([*tables, counter.finish()])


def size(seconds: float) -> None:
    """Size of what a message tells of tracks."""
    for scale, asked in ((1.0, 6.0), (300.0, 12.0)):
        words = simulated("legnaro", seconds / 20 / scale**0.5, SEED, rate_scale=scale).words
        messages = map(orjson.loads, window_messages(counted(words, WITH_TRACKS), "bench"))
        sizes = [len(orjson.dumps(m["tracks"])) / 1e3 for m in messages if m["total_hits"] > 1000]
        line(
            f"tracks of a message, rate x {scale:g}, median", statistics.median(sizes), asked, "kB"
        )


def speed(seconds: float) -> None:
    """Words a second, beside counting alone and the idea of a peer."""
    words = simulated("legnaro", seconds / 2, SEED).words
    detector = exact("legnaro")
    layout = layout_of(detector)
    at, cell, _ = hits_in(words, detector)

    def peer() -> None:
        alternating(detector, at, cell)

    rates = alternated(
        {
            "reconstruction": lambda: reconstruct(layout, at, cell),
            "counting and tracks": lambda: counted(words, WITH_TRACKS),
            "counting alone": lambda: counted(words, BLOCKS),
            "peer: alternating patterns alone": peer,
        },
        len(words),
    )
    line("reconstruction, a core", rates["reconstruction"], 3.0, "M/s", least=True)
    for name in ("counting and tracks", "counting alone", "peer: alternating patterns alone"):
        print(f"  {name:58s} {rates[name]:10.4g} M/s")
    ratio = rates["reconstruction"] / rates["peer: alternating patterns alone"]
    print(f"  {'reconstruction / peer':58s} {ratio:10.4g}")


def alternated(calls: dict[str, Callable[[], object]], words: int) -> dict[str, float]:
    """Return words a second, in millions, of calls that take turns."""
    took: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(REPEATS):
        for name, call in calls.items():
            begin = time.perf_counter()
            call()
            took[name].append(time.perf_counter() - begin)
    return {name: words / 1e6 / statistics.median(some) for name, some in took.items()}


def alternating(detector: Detector, time_ticks: np.ndarray, cell: np.ndarray) -> pl.DataFrame:
    """Do what student codes do: four hits left and right by turns in a chamber, and a mean-timer.

    Hits of the same event and chamber in neighbouring cells of the four layers; t0 from the mean-
    timers of two triplets of layers, which must agree within 30 ns. No other pattern, no tracks.
    """
    cells, tick = detector.cells(), 25.0 / detector.readout.ticks_per_bx
    frame = pl.DataFrame(
        {
            "t": time_ticks * tick, "chamber": cells.chamber[cell], "layer": cells.layer[cell],
            "x": cells.x_mm[cell],
        }
    ).sort("t")  # fmt: skip
    frame = frame.with_columns(event=(pl.col("t").diff() > 429).fill_null(value=True).cum_sum())
    longest = 21_000 / detector.drift_velocity_um_per_ns
    found = None
    for layer in (1, 2, 3, 4):
        mine = frame.filter(pl.col("layer") == layer).select(
            "event", "chamber", pl.col("t").alias(f"t{layer}"), pl.col("x").alias(f"x{layer}")
        )
        if found is None:
            found = mine
            continue
        found = found.join(mine, on=["event", "chamber"]).filter(
            (pl.col(f"x{layer}") - pl.col(f"x{layer - 1}")).abs() < 22
        )
    assert found is not None
    return (
        found.with_columns(
            a=(pl.col("t1") + 2 * pl.col("t2") + pl.col("t3")) / 4 - longest / 2,
            b=(pl.col("t2") + 2 * pl.col("t3") + pl.col("t4")) / 4 - longest / 2,
        )
        .filter((pl.col("a") - pl.col("b")).abs() < 30)
        .with_columns(t0=(pl.col("a") + pl.col("b")) / 2)
    )  # fmt: skip


SECTIONS = {
    "tracks": tracks, "noise": noise, "efficiency": efficiency, "calibration": calibration,
    "verdicts": verdicts, "cabling": cabling, "recorded": recorded, "size": size, "speed": speed,
}  # fmt: skip

if __name__ == "__main__":
    sys.exit(main())
