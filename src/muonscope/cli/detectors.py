"""The ``detectors`` commands."""

from rich.console import Console
from rich.table import Table

from muonscope.detector import Detector, setup_names, setup_text, shipped_detector
from muonscope.opening import load_detector

__all__ = ["check_detector", "list_detectors", "show_detector"]


def list_detectors() -> None:
    """Print the shipped detectors, the default first."""
    table = Table()
    for name in ("name", "chambers", "words", "what it is"):
        table.add_column(name)
    for name in setup_names():
        detector = shipped_detector(name)
        version = f"v{detector.readout.version}"
        table.add_row(name, str(detector.n_chambers), version, detector.description)
    Console().print(table)


def show_detector(name: str) -> None:
    """Print the TOML of a shipped detector."""
    print(setup_text(name), end="")  # noqa: T201


def check_detector(file: str) -> None:
    """Print what a description says."""
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
