"""A part of the published benchmark: no fault is found a fifth later than it was."""

import pytest

from muonscope.counting.block import Block
from muonscope.counting.blocks import BLOCKS, WITH_TRACKS
from quality import BY_TRACKS, FAULTS, one_fault

MEDIANS = {
    "dead:ch0:5": 4.0, "noisy:ch0:20:8": 9.0, "hv-off:ch1": 1.0, "low-gain:ch1:0.9": 29.0,
    "gas:50": 22.0, "shift:ch1:20": 38.0, "dead-scintillator": 12.0, "silent:fpga1": 1.0,
    "desync:fpga1:100": 1.0, "duplicate:0.001": 2.0, "corrupt:0.0001": 36.0, "burst:1.5": 1.0,
}  # fmt: skip
"""Of five runs at profile quiet, s; without tracks."""

TRACK_MEDIANS = {"gas:50": 2.1, "gas:53.6": 6.1, "shift:ch0:5": 2.1}
"""The same with them."""

NUMBERS = {fault.spec: n for n, fault in enumerate((*FAULTS, *BY_TRACKS))}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("spec", "median", "blocks"),
    [
        *[(spec, median, BLOCKS) for spec, median in MEDIANS.items()],
        *[(spec, median, WITH_TRACKS) for spec, median in TRACK_MEDIANS.items()],
    ],
)
def test_no_fault_is_found_a_fifth_later(
    spec: str, median: float, blocks: tuple[Block, ...]
) -> None:
    found = [one_fault(("quiet", NUMBERS[spec], seed), blocks) for seed in range(1, 6)]
    delays = sorted(row["delays"].get("right", float("inf")) for row in found)
    assert delays[2] <= 1.2 * median + 0.1, delays
    assert all(row["false_before"] == [] for row in found)
