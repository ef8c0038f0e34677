"""How well muons are reconstructed, as plots beside the truth and of a recording.

``make figures`` draws them into docs/images; the figures of a table are from ``muons.py``.
"""

import argparse
import itertools
from dataclasses import replace
from pathlib import Path

import matplotlib as mpl
import numpy as np
import numpy.typing as npt

from muonscope.detector import Detector, shipped_detector
from muonscope.simulation.options import detector_of
from muonscope.simulation.profiles import REALISTIC_CELL
from muonscope.tracking.calibration import Calibration, calibrated
from muonscope.tracking.layout import layout_of
from muonscope.tracking.reconstruct import reconstruct
from tracking.constants import wrong
from tracking.matched import Matched, hits_in, matched, simulated, width

mpl.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

RUN = "run000591_data_000000.dat"
BLUE, ORANGE, GREEN = "#0072b2", "#e69f00", "#009e73"
SEED = 78
_FITTED = 3
"""Numbers that the fit of a track takes from its hits: place, slope and t0."""

Reals = npt.NDArray[np.float64]
Wholes = npt.NDArray[np.int64]


def main() -> None:
    """Draw all plots."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recordings", type=Path, default=Path("../shared/realdata"))
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    parser.add_argument("--seconds", type=float, default=1200.0)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    velocity = REALISTIC_CELL.velocity_um_per_ns
    detector = replace(detector_of("legnaro"), drift_velocity_um_per_ns=velocity)
    run = simulated("legnaro", options.seconds, SEED)
    figure, axes = plt.subplots(2, 4, figsize=(18, 8.5), layout="constrained")
    beside_truth(axes, matched(run, detector))
    at, cell, _ = hits_in(run.words, detector)
    calibration(axes[1, 2], wrong(detector, 53.0, SEED), at, cell)
    axes[1, 2].set_title("simulated, from wrong constants")
    if (options.recordings / RUN).is_file():
        recorded = shipped_detector("run000591")
        at, cell, _ = hits_in(np.fromfile(options.recordings / RUN, "<u8"), recorded)
        calibration(axes[1, 3], recorded, at, cell)
        axes[1, 3].set_title("run000591 as recorded")
    figure.savefig(options.out / "muons-quality.png", dpi=80)
    plt.close(figure)


def beside_truth(axes: npt.NDArray[np.object_], here: Matched) -> None:
    """Draw what is found beside what was."""
    rows = here.rows("phi")
    rows = rows[here.owner[rows] >= 0]
    slope, place, late = here.off(rows)
    true = np.asarray(here.muons["slope_x"])[here.owner[rows]]
    rows, true = rows[np.isfinite(true)], true[np.isfinite(true)]
    chambers = here.found.chambers[rows]
    efficiency(axes[0, 0], here)
    against_angle(axes[0, 1], true, {
        "three chambers": (chambers == 3, 1e3 * slope), "two": (chambers == 2, 1e3 * slope),
    }, "slope, 68 % [mrad]")  # fmt: skip
    against_angle(axes[0, 2], true, {
        "three chambers": (chambers == 3, place), "two": (chambers == 2, place),
    }, "place, 68 % [mm]")  # fmt: skip
    against_angle(axes[0, 3], true, {"tracks": (chambers > 1, late)}, "t0, 68 % [ns]")
    sides(axes[1, 0], here)
    pulls(axes[1, 1], here, rows, slope)


def efficiency(axis: Axes, here: Matched) -> None:
    """Draw the share of findable muons that have a track, against their slope."""
    found = set(here.owner[here.rows("phi")].tolist())
    muons = np.array(sorted(here.findable["phi"]))
    slope = np.abs(np.asarray(here.muons["slope_x"])[muons])
    has = np.array([muon in found for muon in muons.tolist()])
    edges = np.linspace(0, 0.6, 13)
    n, _ = np.histogram(slope, edges)
    seen, _ = np.histogram(slope[has], edges)
    share = seen / np.maximum(n, 1)
    error = np.sqrt((seen + 1) * (n - seen + 1) / (n + 2.0) ** 3)
    axis.errorbar((edges[1:] + edges[:-1]) / 2, 100 * share, 100 * error, fmt="o", color=BLUE)
    axis.axhline(99, color="grey", lw=1, ls="--")
    axis.set(xlabel="|slope|", ylabel="muons with a track [%]", ylim=(90, 100.5))


def against_angle(
    axis: Axes, true: Reals, parts: dict[str, tuple[npt.NDArray[np.bool_], Reals]], label: str
) -> None:
    """Draw half-widths that hold 68 % in bins of the slope."""
    edges = np.linspace(0, 0.6, 13)
    for (name, (mine, off)), colour in zip(parts.items(), (BLUE, ORANGE), strict=False):
        middle, half = [], []
        for low, high in itertools.pairwise(edges):
            some = off[mine & (np.abs(true) >= low) & (np.abs(true) < high)]
            if len(some) > 50:
                middle.append((low + high) / 2)
                half.append(width(some))
        axis.plot(middle, half, "o-", color=colour, label=name)
    axis.set(xlabel="|slope|", ylabel=label, ylim=(0, None))
    axis.legend()


def sides(axis: Axes, here: Matched) -> None:
    """Draw how often the side of the wire is right, against the distance from it."""
    found, layout = here.found, here.layout
    mine = np.isin(here.row, here.rows("phi"))
    of, cell = here.row[mine], found.cell[found.hit[mine]]
    fitted = found.x_mm[of] + found.slope[of] * (layout.z_mm[cell] - found.z_mm[of])
    away = np.abs(fitted - layout.x_mm[cell])
    right, edges = here.right[mine], np.linspace(0, 21, 22)
    n, _ = np.histogram(away, edges)
    good, _ = np.histogram(away[right], edges)
    axis.step(edges[:-1], 100 * good / np.maximum(n, 1), where="post", color=BLUE)
    axis.set(xlabel="distance from the wire [mm]", ylabel="side of the wire right [%]")


def pulls(axis: Axes, here: Matched, rows: Wholes, off: Reals) -> None:
    """Draw slopes that are off, in standard deviations of their hits."""
    found, layout = here.found, here.layout
    z = layout.z_mm[found.cell[found.hit]]
    up = z - found.z_mm[here.row]
    spread = np.sqrt(np.bincount(here.row, up**2, len(found.size)))[rows]
    over = np.isin(here.row, rows)
    sigma = float(np.percentile(np.abs(found.residual_mm[over]), 68))
    size = found.size[rows]
    error = sigma * np.sqrt(size / (size - _FITTED)) / spread
    pull = off / error
    axis.hist(pull, np.linspace(-5, 5, 81).tolist(), color=BLUE, density=True)
    x = np.linspace(-5, 5, 200)
    axis.plot(x, np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi), color=ORANGE, label="normal")
    axis.set(xlabel=f"pull of the slope; 68 % within {width(pull):.2f}", ylabel="density")
    axis.legend()


def calibration(axis: Axes, start: Detector, at: Wholes, cell: Wholes) -> None:
    """Draw residuals before and after a calibration."""
    found = calibrated(start, at, cell)
    assert isinstance(found, Calibration)
    assert found.cabling
    for detector, name, colour in ((start, "before", ORANGE), (found.detector, "after", BLUE)):
        place = cell if name == "before" else found.cabling.place[cell]
        made = reconstruct(layout_of(detector), at, place)
        residual = made.residual_mm[(made.chambers > 1)[made.row]]
        label = f"{name}: {np.percentile(np.abs(residual), 68):.2f} mm, {len(residual):,} hits"
        axis.hist(
            residual,
            np.linspace(-1.5, 1.5, 91).tolist(),
            histtype="step",
            color=colour,
            label=label,
        )
    axis.set(xlabel="residual [mm]", ylabel="hits", ylim=(0, 1.2 * axis.get_ylim()[1]))
    axis.legend(loc="upper right", fontsize="small")


if __name__ == "__main__":
    main()
