"""The ``calibrate`` command."""

from collections.abc import Iterator

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from muonscope.cli.say import tell
from muonscope.replaying.calibrate import calibrate_with
from muonscope.replaying.options import CalibrateOptions
from muonscope.stopping import Stop
from muonscope.tracking.cabling import Cabling
from muonscope.tracking.calibration import FINE_TRACKS, Calibration, Constant

__all__ = ["calibrate_command"]

_SHOWN = {
    "drift_velocity_um_per_ns": ("velocity [um/ns]", 3),
    "drift_offset_ns": ("drift offset [ns]", 2),
    "offset_mm": ("offset [mm]", 3),
    "tilt_rad": ("tilt [rad]", 5),
    "mean_drift_offset_ns": ("mean drift offset [ns]", 2),
}
"""What people read for a constant, and its digits; constants in lists have lines of their own."""

_BY_SUMS = (
    "from the sums of windows, in one step: count anew with the new file to see what is left;"
    " layers, drift relation, cables and the common time are told by words"
)

_BY_CHOICE = 0.9999
"""Constants that are correlated so much are so by definition: their sum is fixed."""


def calibrate_command(options: CalibrateOptions) -> int:
    """Fit constants and show them; return the exit code."""
    stop = Stop()
    found = calibrate_with(options, tell, stop)
    Console().print(_table(found))
    before, after = found.sigma_mm
    width = f"{before:.3f}" if after is None else f"{before:.3f} -> {after:.3f}"
    rounds = f"{found.rounds} round{'' if found.rounds == 1 else 's'}"
    print(  # noqa: T201
        f"{found.tracks:,} tracks, {rounds}; width of residuals {width} mm (68 %)"
        + _correlated(found)
    )
    for line in (*_fine(found), *_cables(found.cabling)) if found.cabling else (_BY_SUMS,):
        print(line)  # noqa: T201
    return stop.exit_code if stop else 0


def _fine(found: Calibration) -> Iterator[str]:
    """Say what tracks tell of layers and of the drift relation."""
    layers, knots = (
        [constant for constant in found.constants if constant.name == name]
        for name in ("layer_times_ns", "rt_corrections_um")
    )
    if not knots:
        yield f"layers and drift relation are as they were: they need {FINE_TRACKS:,} tracks"
        return
    yield f"times of layers, bottom to top{_about(layers, 'ns', 2)}:"
    for number, chamber in enumerate(found.detector.chambers):
        mine = [constant for constant in layers if constant.chamber == number]
        if any(constant.error for constant in mine):
            times = " ".join(f"{constant.after:+.2f}" for constant in mine)
            yield f"  {chamber.label}: {times}"
    yield f"corrections of the drift relation, wire to wall{_about(knots, 'um', 0)}:"
    yield "  " + " ".join(f"{constant.after:+.0f}" for constant in knots)


def _about(constants: list[Constant], unit: str, digits: int) -> str:
    errors = [constant.error for constant in constants if constant.error]
    return f" [{unit}, +-{float(np.median(errors)):.{digits}f}]" if errors else f" [{unit}]"


def _cables(cabling: Cabling) -> Iterator[str]:
    """Say what the coincidences tell of the cables."""
    unsure = f"; {cabling.unsure} channels fired too little to tell" if cabling.unsure else ""
    if cabling.as_told:
        yield f"cables are as the detector file says{unsure}"
        return
    yield f"cables are not as the detector file says{unsure}:"
    yield from (f"  {problem}" for problem in cabling.problems)
    yield "the constants above are for cables as they are: write them with --to, or mend the cables"


def _table(found: Calibration) -> Table:
    table = Table(title=Text(f"detector {found.detector.name}"))
    for name in ("constant", "chamber"):
        table.add_column(name)
    for name in ("before", "after", "change", "error"):
        table.add_column(name, justify="right")
    for constant in found.constants:
        if constant.index is not None:
            continue
        label, digits = _SHOWN[constant.name]
        change = constant.after - constant.before
        told = constant.error is not None
        table.add_row(
            Text(label), Text(_chamber(found, constant)),
            *(f"{value:.{digits}f}" for value in (constant.before, constant.after)),
            f"{change:+.{digits}f}" if told else "",
            f"{constant.error:.{digits}f}" if told else "not told",
        )  # fmt: skip
    return table


def _chamber(found: Calibration, constant: Constant) -> str:
    return "" if constant.chamber is None else found.detector.chambers[constant.chamber].label


def _correlated(found: Calibration) -> str:
    """Say which two constants go together most."""
    told = [
        constant for constant in found.constants
        if constant.error is not None and constant.index is None
    ]  # fmt: skip
    apart = np.abs(np.tril(found.correlations, -1))
    apart[apart > _BY_CHOICE] = 0.0
    i, j = np.unravel_index(int(np.argmax(apart)), apart.shape)
    names = [f"{_SHOWN[one.name][0]} {_chamber(found, one)}" for one in (told[j], told[i])]
    together = " and ".join(name.strip() for name in names)
    return f"\nmost correlated: {together}, {found.correlations[i, j]:+.2f}"
