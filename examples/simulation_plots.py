"""The simulation beside what it is to look like: published figures, and recordings.

``make figures`` runs it and puts the plots into the documentation; those that need the
recordings are left out where they are not at hand.
"""

import argparse
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt

import muonscope
from muonscope.api import Simulated
from muonscope.simulation.chambers import drift_ns
from muonscope.simulation.profiles import REALISTIC_CELL
from muonscope.units import ORBIT_S
from muonscope.words.layout import Words, unpack

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

COLOURS = ("#d62728", "#e69f00", "#0072b2", "#009e73")
"""Red, orange, blue, green of chambers 0 .. 3, told apart by colour-blind people too."""

STREAM, RUN = "minidt_data_000000_first999rows.csv", "run000591_data_000000.dat"
TICKS_PER_NS = 1.2

IntArray = npt.NDArray[np.int64]


def main() -> None:
    """Draw all plots."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recordings", type=Path, default=Path("../shared/realdata"))
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    parser.add_argument("--seconds", type=float, default=1800.0)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    legnaro = muonscope.simulate("legnaro", seconds=options.seconds, seed=1)
    published(legnaro, options.seconds, options.out / "simulation-published.png")
    if (options.recordings / STREAM).is_file():
        recorded(legnaro, options.recordings, options.out / "simulation-recorded.png")


def published(run: Simulated, seconds: float, path: Path) -> None:
    """Draw what the simulation gives beside the published figures."""
    figure, axes = plt.subplots(2, 4, figsize=(18, 8.5), layout="constrained")
    draw_drift(axes[0, 0])
    draw_box(axes[0, 1])
    draw_angles(axes[0, 2], run)
    draw_gaps(axes[0, 3], run)
    draw_channels(axes[1, 0], run, seconds)
    draw_scintillator(axes[1, 1], run)
    draw_rates(axes[1, 2], run, seconds)
    draw_lead(axes[1, 3], run)
    figure.savefig(path, dpi=80)
    plt.close(figure)


def draw_drift(axis: Axes) -> None:
    """Draw the drift relation and GARFIELD's values."""
    distance = np.linspace(0, 20.35, 200)
    for angle, colour in zip((0, 15, 30, 45), COLOURS, strict=True):
        slope = np.full(200, np.tan(np.radians(angle)))
        times = drift_ns(REALISTIC_CELL, distance, slope)
        axis.plot(distance, times - distance / 0.0542, color=colour, label=f"{angle} deg")
    at = np.array([0.5, 1, 2, 4, 8, 12, 16, 20])
    for colour, values in (
        (COLOURS[0], [5.9, 13.9, 31.2, 68.3, 142.0, 215.5, 289.4, 363.3]),
        (COLOURS[2], [4.6, 11.4, 26.3, 59.1, 135.8, 208.1, 280.0, 357.6]),
    ):
        axis.plot(at, np.array(values) - at / 0.0542, "o", color=colour)
    axis.set(
        title="drift relation; points: GARFIELD", xlabel="distance from the wire [mm]",
        ylabel="drift time - distance / v [ns]",
    )  # fmt: skip
    axis.legend()


def draw_box(axis: Axes) -> None:
    """Draw the drift times of Bologna as they are measured from the scintillator."""
    windows = muonscope.simulate("bologna", seconds=600, seed=1).summarise()
    counts = windows.total().drift_histogram.sum(axis=0)
    axis.stairs(counts[1:-1], np.linspace(-100, 700, len(counts) - 1), color=COLOURS[2])
    axis.axvspan(0, 368.6, color="0.9", label="368.6 ns: published width", zorder=0)
    axis.set(title="time box, Bologna", xlabel="drift time [ns]", ylabel="hits / 2.5 ns")
    axis.legend()


def draw_angles(axis: Axes, run: Simulated) -> None:
    """Draw the angles of muons in chamber 2, all and inside the telescope."""
    layers = np.array(run.muons["layers"].to_pylist())
    angle = np.degrees(np.arctan(run.muons["slope_x"].to_numpy()))
    inside = layers[:, 2] >= 3
    for rows, label in (
        (inside, "in chamber 2: {:.1f} deg rms (28)"),
        (inside & (layers[:, 0] >= 3) & (layers[:, 3] >= 3), "in 0, 2 and 3: {:.1f} deg rms (8.9)"),
    ):
        axis.hist(
            angle[rows], list(range(-80, 81, 2)), histtype="step",
            label=label.format(np.sqrt((angle[rows] ** 2).mean())),
        )  # fmt: skip
    axis.set(title="projected angle (computed for cos$^2$)", xlabel="angle [deg]", ylabel="muons")
    axis.legend()


def draw_gaps(axis: Axes, run: Simulated) -> None:
    """Draw the times between hits of the same cell."""
    fields, rows = unpack(run.words, 2, 2), cell_rows(run)
    ticks = (fields.orbit * 3564 + fields.bx) * 30 + fields.tdc.astype(np.int64)
    cell = fields.fpga * 512 + fields.channel
    order = rows[np.lexsort((ticks[rows], cell[rows]))]
    gaps = np.diff(ticks[order])[np.diff(cell[order]) == 0] / TICKS_PER_NS
    later = gaps[gaps < 750]
    axis.hist(later, list(range(0, 751, 10)), color=COLOURS[2])
    share = len(later) / len(rows)
    axis.axvline(80, color="k", ls=":", label="80 ns: dead time")
    axis.axvspan(150, 250, color="0.9", label="published maximum", zorder=0)
    axis.axvspan(380, 400, color="0.8", label="published bump", zorder=0)
    axis.set(
        title=f"second hit in the cell: {share:.1%} (4.1 %)", xlabel="time after the first [ns]",
        ylabel="hits / 10 ns",
    )  # fmt: skip
    axis.legend()


def draw_channels(axis: Axes, run: Simulated, seconds: float) -> None:
    """Draw how often orbits have so many distinct channels."""
    channels = distinct_channels(run.words, cell_rows(run))
    least = np.arange(1, 31)
    hz = [(channels >= n).sum() / seconds for n in least]
    axis.plot(least, hz, drawstyle="steps-mid", color=COLOURS[2], label="simulated")
    axis.plot([4, 8, 16], [155, 59, 4.6], "o", color=COLOURS[0], label="recorded")
    occupied = len(channels) / (seconds / ORBIT_S)
    axis.set(
        title=f"orbits; occupied {occupied:.1%} (14 %)", xlabel="at least so many channels",
        ylabel="rate [Hz]", yscale="log",
    )  # fmt: skip
    axis.legend()


def draw_scintillator(axis: Axes, run: Simulated) -> None:
    """Draw the times between scintillator signals."""
    fields = unpack(run.words, 2, 2)
    rows = np.flatnonzero((fields.head == 2) & (fields.channel == 128))
    rows = rows[rows > 328]
    gaps = np.diff(np.sort(fields.orbit[rows])) * ORBIT_S
    axis.hist(gaps, 50, range=(0.0, 5.0), color=COLOURS[3])
    at = np.linspace(0, 5, 100)
    axis.plot(
        at, len(gaps) * 0.1 / 0.647 * np.exp(-at / 0.647), color="k", label="published: 0.647 s"
    )
    axis.set(
        title=f"scintillator: {1 / gaps.mean():.3f} Hz (1.546)", xlabel="time between signals [s]",
        ylabel="signals / 0.1 s", yscale="log",
    )  # fmt: skip
    axis.legend()


def draw_rates(axis: Axes, run: Simulated, seconds: float) -> None:
    """Draw the rate of each chamber."""
    fields, rows = unpack(run.words, 2, 2), cell_rows(run)
    chamber = 2 * fields.fpga[rows] + fields.channel[rows] // 64
    ours = np.bincount(chamber, minlength=4) / seconds
    batch = np.array([661, 926, 611, 504]) / 0.891
    whole = np.array([0.172, 0.363, 0.245, 0.219]) * 2710
    for shift, values, label in (
        (-0.27, ours, f"simulated, {ours.sum():,.0f} Hz"),
        (0, batch, f"published batch of 0.9 s, {batch.sum():,.0f} Hz"),
        (0.27, whole, f"whole data set, {whole.sum():,.0f} Hz"),
    ):
        axis.bar(np.arange(4) + shift, values, 0.27, label=label)
    axis.set(
        title="hits per chamber",
        xlabel="chamber",
        ylabel="rate [Hz]",
        xticks=range(4),
        ylim=(0, 1450),
    )
    axis.legend()


def draw_lead(axis: Axes, run: Simulated) -> None:
    """Draw how far ancillary words run ahead."""
    fields = unpack(run.words[:40_000], 2, 2)
    hits = fields.head == 2
    now = np.maximum.accumulate(np.where(hits & (np.arange(40_000) > 328), fields.orbit, 0))
    rows = np.flatnonzero(~hits & (now > 0))
    for fpga in (0, 1):
        mine = rows[fields.fpga[rows] == fpga]
        since = (now[mine] - 616_953) * ORBIT_S
        axis.plot(
            since, (fields.orbit[mine] - now[mine]) * ORBIT_S, ".", ms=2, label=f"FPGA {fpga}"
        )
    axis.axhspan(10, 13, color="0.9", label="recorded: 10-13 s", zorder=0)
    axis.set(title="lead of the ancillary words", xlabel="since the start [s]", ylabel="lead [s]")
    axis.legend()


def recorded(run: Simulated, recordings: Path, path: Path) -> None:
    """Draw recordings beside simulations of the same length."""
    sample = muonscope.open(recordings / STREAM).words()
    fields = unpack(sample, 2, 2)
    live = fields.orbit[(fields.head == 2) & (fields.orbit < 2**31)]
    length = int(live.max() - live.min())
    again = unpack(run.words, 2, 2)
    hits = (again.head == 2) & (again.orbit - 617_000 < length) & (again.orbit >= 617_000)
    other = muonscope.open(recordings / RUN, "run000591").words()
    simulated = muonscope.simulate("legnaro", detector="run000591", seconds=40, seed=1)
    figure, axes = plt.subplots(3, 4, figsize=(19, 11), layout="constrained")
    for column, (title, words, version, rows) in enumerate(
        (
            ("recorded stream, 335 hits", sample, 2, (fields.head == 2) & (fields.orbit < 2**31)),
            ("simulated, as long", run.words, 2, hits),
            ("recorded run000591", other, 1, np.ones(len(other), np.bool_)),
            ("simulated in run000591's chambers", simulated.words, 1, simulated.words > 0),
        )
    ):
        draw_column(axes[:, column], title, words, version, np.flatnonzero(rows))
    figure.savefig(path, dpi=80)
    plt.close(figure)


def draw_column(axes: Any, title: str, words: Words, version: int, rows: IntArray) -> None:
    """Draw occupancy, hits along the orbits, and hits per orbit."""
    fields = unpack(words, version, version)
    rows = rows[fields.channel[rows] < 128]
    orbit = fields.orbit[rows]
    chamber = 2 * fields.fpga[rows] + fields.channel[rows] // 64
    first = orbit.min()
    first_part = orbit - first < 40 / ORBIT_S  # before the hole of run000591
    length_s = (orbit[first_part].max() - first + 1) * ORBIT_S
    for number, colour in enumerate(COLOURS):
        mine = first_part & (chamber == number)
        pin = fields.channel[rows][mine] % 64 + 64 * number
        hz = np.bincount(pin, minlength=256)[64 * number : 64 * number + 64] / length_s
        axes[0].bar(np.arange(64) + 64 * number, hz, 1, color=colour)
        start_s = (orbit[mine] - first) * ORBIT_S
        axes[1].hist(
            start_s[start_s < 0.15], 150, range=(0.0, 0.15), histtype="step", color=colour,
            label=f"chamber {number}",
        )  # fmt: skip
    axes[0].set(title=title, xlabel="channel", ylabel="rate [Hz]", ylim=(0, 60))
    axes[1].set(
        xlabel="orbit, from the first [s]", ylabel="hits / ms", xlim=(0, 0.15), ylim=(0, 25)
    )
    axes[1].legend()
    per_orbit = np.unique(orbit[first_part], return_counts=True)[1]
    hz = np.bincount(np.minimum(per_orbit, 30), minlength=31)[1:] / length_s
    axes[2].bar(np.arange(1, 31), hz, 1, color="0.5")
    axes[2].set(
        xlabel="hits per orbit (30: and more)",
        ylabel="orbits [Hz]",
        yscale="log",
        ylim=(0.02, 4000),
    )


def cell_rows(run: Simulated) -> IntArray:
    """Return the numbers of the words that are hits of cells, none of another run's."""
    origin = run.hits["origin"].combine_chunks()
    names = np.array(origin.dictionary.to_pylist())[origin.indices.to_numpy()]
    layer = run.hits["layer"].fill_null(0).to_numpy()
    return np.flatnonzero((layer > 0) & (names != "stale"))


def distinct_channels(words: Words, rows: IntArray) -> IntArray:
    """Return the number of distinct channels in each occupied orbit."""
    fields = unpack(words, 2, 2)
    pairs = np.unique(fields.orbit[rows] * 4096 + fields.fpga[rows] * 512 + fields.channel[rows])
    return np.unique(pairs // 4096, return_counts=True)[1]


if __name__ == "__main__":
    main()
