"""Detector files that are written read back as the same detector."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.examples import examples
from muonscope.detector import parse_detector, setup_names, shipped_detector
from muonscope.detector.write import detector_toml


@pytest.mark.parametrize("name", setup_names())
def test_each_shipped_detector_reads_back(name: str) -> None:
    detector = shipped_detector(name)
    again = parse_detector(detector_toml(detector, ("a comment", "and another")))
    assert again == detector
    assert again.inferred == detector.inferred
    assert again.readout.pins == detector.readout.pins
    assert again.fingerprint == detector.fingerprint


@given(
    text=st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
    numbers=st.tuples(*[st.floats(-1e4, 1e4)] * 3), velocity=st.floats(1, 999),
)  # fmt: skip
@examples(100)
def test_any_text_and_number_reads_back(
    text: str, numbers: tuple[float, float, float], velocity: float
) -> None:
    detector = shipped_detector()
    z, offset, drift = numbers
    first = replace(
        detector.chambers[0], z_mm=z, offset_mm=offset, drift_offset_ns=drift,
        layer_times_ns=(z, offset, drift, 0.0), recabled=((3, 7), (7, 3)),
    )  # fmt: skip
    changed = replace(
        detector, description=text, inferred=(text,), drift_velocity_um_per_ns=velocity,
        rt_corrections_um=tuple(value / 2 for value in numbers),
        chambers=(first, *detector.chambers[1:]),
    )  # fmt: skip
    again = parse_detector(detector_toml(changed))
    assert again == changed
    assert again.chambers[0].recabled == ((3, 7), (7, 3))
    assert again.fingerprint == changed.fingerprint
    assert again.inferred == (text,)
