"""The telescope: chambers, special channels, read-out; from TOML, validated."""

from muonscope.detector.load import parse_detector, setup_names, setup_text, shipped_detector
from muonscope.detector.model import Cells, Chamber, Detector, Readout, SpecialChannel

__all__ = [
    "Cells",
    "Chamber",
    "Detector",
    "Readout",
    "SpecialChannel",
    "parse_detector",
    "setup_names",
    "setup_text",
    "shipped_detector",
]
