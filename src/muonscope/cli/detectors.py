"""The ``detectors`` commands."""

from rich.console import Console
from rich.table import Table

from muonscope.cli.options import CheckOptions, ListOptions, ShowOptions
from muonscope.detector import Detector, setup_names, setup_text, shipped_detector
from muonscope.intake.opening import load_detector

__all__ = ["check_command", "list_command", "show_command"]


def list_command(_options: ListOptions) -> None:
    """Print the shipped detectors, the default first."""
    table = Table()
    for name in ("name", "chambers", "words", "what it is"):
        table.add_column(name)
    for name in setup_names():
        detector = shipped_detector(name)
        version = f"v{detector.readout.version}"
        table.add_row(name, str(detector.n_chambers), version, detector.description)
    Console().print(table)


def show_command(options: ShowOptions) -> None:
    """Print the TOML of a shipped detector."""
    print(setup_text(options.name), end="")  # noqa: T201


def check_command(options: CheckOptions) -> None:
    """Print what a description says."""
    file = options.file
    detector = load_detector(file)
    print(f"{file}: good")  # noqa: T201
    for line in _lines(detector):
        print(f"  {line}")  # noqa: T201


def _lines(detector: Detector) -> list[str]:
    readout = detector.readout
    lines = [
        f"detector {detector.name}: {detector.n_chambers} chambers, {detector.n_cells} cells",
        f"v{readout.version} words, hit HEAD {readout.hit_head}, {readout.ticks_per_bx} ticks a BX",
    ]
    lines += [
        f"{c.label}: FPGA {c.fpga}, channels {c.first_channel}-{c.last_channel}, {c.view},"
        f" z {c.z_mm:g} mm, drift offset {c.drift_offset_ns:g} ns"
        for c in detector.chambers
    ]
    for kind, specials in (
        ("scintillator", detector.scintillators),
        ("firmware trigger", detector.firmware_triggers),
    ):
        lines += [
            f"{kind}: {'every FPGA' if s.fpga is None else f'FPGA {s.fpga}'}, channel {s.channel}"
            for s in specials
        ]
    return lines
