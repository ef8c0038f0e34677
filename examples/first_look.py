"""A first look at recordings: their tables, and a plot of occupancy and orbits.

Takes the recordings of a folder where they are at hand, and a simulated one otherwise.
"""

import argparse
import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np

import muonscope
from muonscope.counting.summary import Summary
from muonscope.counting.window_table import WindowTable
from muonscope.units import ORBIT_S

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

COLOURS = ("#d62728", "#e69f00", "#0072b2", "#009e73")
"""Red, orange, blue, green of chambers 0 .. 3, told apart by colour-blind people too."""

RECORDINGS = {
    "minidt_data_000000_first999rows.csv": "legnaro",
    "run000591_data_000000.dat": "run000591",
}


def main() -> int:
    """Process and plot; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recordings", type=Path, default=Path("../shared/realdata"))
    parser.add_argument("--out", type=Path, default=Path("demo"))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    files = {options.recordings / name: d for name, d in RECORDINGS.items()}
    files = {file: detector for file, detector in files.items() if file.is_file()}
    if not files:
        simulated = options.out / "simulated.dat"
        muonscope.simulate(seconds=60).words.astype("<u8").tofile(simulated)
        print(f"no recordings in {options.recordings}: simulated {simulated}")
        files = {simulated: "legnaro"}
    for file, detector in files.items():
        results = options.out / f"{file.stem}.jsonl"
        command = ["process", str(file), "--detector", detector, "--to", str(results), "--force"]
        print("$ muonscope " + " ".join(command), flush=True)
        subprocess.run([sys.executable, "-m", "muonscope", *command], check=True)
        plot = options.out / f"{file.stem}.png"
        draw(muonscope.open(str(file), detector).summarise(), file.name, plot)
        print(f"results: {results}\nplot:    {plot.resolve()}\n")
    return 0


def draw(windows: WindowTable, title: str, path: Path) -> None:
    """Draw cells, hits per second and hits per orbit of ``windows`` to a PNG."""
    figure, axes = plt.subplots(3, 4, figsize=(17, 9), layout="constrained")
    total = windows.total()
    figure.suptitle(f"{title}: {total.total_hits:,} hits in {len(windows)} windows")
    for chamber in range(min(4, total.detector.n_chambers)):
        colour = COLOURS[chamber]
        occupancy(axes[0, chamber], total, chamber)
        orbit_strip(axes[1, chamber], windows, chamber, colour)
        counts = total.multiplicity[chamber, 1:21]
        axes[2, chamber].bar(np.arange(1, 21), counts, color=colour)
        axes[2, chamber].set(xlabel="hits per orbit", ylabel="orbits", yscale="log")
    figure.savefig(path, dpi=90)
    plt.close(figure)


def occupancy(axis: Axes, total: Summary, chamber: int) -> None:
    """Draw the hits of each cell at its place, layers 1 and 3 half a cell to the right."""
    cells = total.detector.cells()
    mine = cells.chamber == chamber
    hits = total.hits_per_cell[mine]
    most = max(1.0, 2 * float(np.median(hits)))  # hot cells are off the scale
    drawn = axis.scatter(
        cells.x_mm[mine], cells.layer[mine], c=hits, marker="s", s=150, cmap="viridis",
        vmin=0, vmax=most,
    )  # fmt: skip
    axis.figure.colorbar(drawn, ax=axis, label="hits", extend="max")
    axis.set(
        title=total.detector.chambers[chamber].label,
        xlabel="x [mm]", ylabel="layer", yticks=[1, 2, 3, 4], ylim=(0.4, 4.6),
    )  # fmt: skip


def orbit_strip(axis: Axes, windows: WindowTable, chamber: int, colour: str) -> None:
    """Draw hits against detector time, one panel whatever the epochs, in order."""
    hits = np.array([w.summary.hits_per_chamber[chamber] for w in windows])
    start = np.array([w.first_orbit for w in windows]) * ORBIT_S
    if len(set(windows.epoch.tolist())) > 1:
        axis.bar(np.arange(len(hits)), hits, color=colour)
        axis.set(xlabel="window (of several epochs)", ylabel="hits")
        return
    axis.bar(start, hits, width=windows.window_orbits * ORBIT_S, align="edge", color=colour)
    axis.set(xlabel="detector time [s]", ylabel="hits per window")


if __name__ == "__main__":
    sys.exit(main())
