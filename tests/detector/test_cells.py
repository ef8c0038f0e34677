"""Channels to cells: the published map, written out, and made-up telescopes beside it."""

import numpy as np
import pytest

from muonscope.detector import Cells, Chamber, Detector, Readout, SpecialChannel

# layer of the channels 0 .. 63 and wire position in mm, as the published codes have them
LAYER = [4, 2, 3, 1] * 16
WIRE = [wire for wire in range(1, 17) for _ in range(4)]
LEFT_MM = {1: -294, 2: -315, 3: -294, 4: -315}
Z_MM = {1: -19.5, 2: -6.5, 3: 6.5, 4: 19.5}


def made_up(*ranges: tuple[int, int, int]) -> Detector:
    """Return a detector with a chamber for each (FPGA, first, last channel)."""
    return Detector(
        name="made-up",
        description="",
        readout=Readout(version=2, hit_head=2),
        chambers=tuple(
            Chamber(label="", fpga=f, first_channel=a, last_channel=b, view="phi", z_mm=0.0)
            for f, a, b in ranges
        ),
    )


@pytest.fixture(scope="module")
def cells(legnaro: Detector) -> Cells:
    """The cells of the default detector."""
    return legnaro.cells()


def test_every_chamber_has_the_published_map_of_64_channels(cells: Cells) -> None:
    for chamber in range(4):
        mine = cells.chamber == chamber
        assert cells.layer[mine].tolist() == LAYER
        assert cells.wire[mine].tolist() == WIRE


def test_wires_stand_where_the_published_codes_put_them(cells: Cells) -> None:
    x_mm = [42 * (wire - 1) + LEFT_MM[layer] for layer, wire in zip(LAYER, WIRE, strict=True)]
    z_mm = [Z_MM[layer] for layer in LAYER]
    assert cells.x_mm.tolist() == x_mm * 4
    assert cells.z_mm.tolist() == z_mm * 4


def test_the_first_four_cells_are_those_of_the_brief(cells: Cells) -> None:
    first = zip(cells.layer, cells.x_mm, cells.z_mm, strict=True)
    assert list(first)[:4] == [
        (4, -315, 19.5),
        (2, -315, -6.5),
        (3, -294, 6.5),
        (1, -294, -19.5),
    ]


def test_layers_1_and_3_sit_half_a_cell_right_of_2_and_4(cells: Cells) -> None:
    planes = {
        layer: np.sort(cells.x_mm[(cells.chamber == 0) & (cells.layer == layer)])
        for layer in (1, 2, 3, 4)
    }
    np.testing.assert_array_equal(planes[1] - planes[2], 21.0)
    np.testing.assert_array_equal(planes[3] - planes[4], 21.0)
    np.testing.assert_array_equal(planes[1], planes[3])
    assert (planes[2][0] - 21, planes[2][-1] + 21) == (-336, 336)
    assert (planes[1][0] - 21, planes[1][-1] + 21) == (-315, 357)
    assert all(np.all(np.diff(x) == 42) for x in planes.values())


def test_cells_are_numbered_chamber_by_chamber(legnaro: Detector, cells: Cells) -> None:
    assert [legnaro.first_cell(chamber) for chamber in range(4)] == [0, 64, 128, 192]
    assert legnaro.n_cells == len(cells.chamber) == 256
    assert cells.fpga.tolist() == [0] * 128 + [1] * 128
    assert cells.channel.tolist() == [*range(128)] * 2
    assert legnaro.fpgas == (0, 1)


def test_the_swapped_cabling_moves_channels_and_not_cells() -> None:
    cells = made_up((0, 64, 127), (0, 0, 63)).cells()
    assert cells.channel.tolist() == [*range(64, 128), *range(64)]
    assert cells.chamber.tolist() == [0] * 64 + [1] * 64
    assert cells.layer.tolist() == LAYER * 2
    assert cells.wire.tolist() == WIRE * 2


def test_a_chamber_may_begin_at_any_channel() -> None:
    cells = made_up((3, 5, 68)).cells()
    assert cells.channel.tolist() == list(range(5, 69))
    assert cells.layer.tolist() == LAYER
    assert cells.wire.tolist() == WIRE


def test_a_full_read_out_has_8_fpgas_of_512_channels() -> None:
    detector = made_up(*((fpga, 0, 511) for fpga in range(8)))
    cells = detector.cells()
    assert detector.n_cells == 4096
    assert detector.fpgas == tuple(range(8))
    assert set(zip(cells.fpga.tolist(), cells.channel.tolist(), strict=True)) == {
        (fpga, channel) for fpga in range(8) for channel in range(512)
    }
    assert cells.wire.max() == 128
    assert np.bincount(cells.layer).tolist() == [0, 1024, 1024, 1024, 1024]
    mine = cells.chamber == 7
    assert cells.x_mm[mine].min() == -cells.x_mm[mine & (cells.layer == 2)].max() == -127 * 21


def test_a_full_read_out_of_small_chambers_covers_every_channel_once() -> None:
    ranges = [(fpga, first, first + 63) for fpga in range(8) for first in range(0, 512, 64)]
    cells = made_up(*ranges).cells()
    assert len(set(zip(cells.fpga.tolist(), cells.channel.tolist(), strict=True))) == 4096
    assert cells.layer.tolist() == LAYER * 64
    assert cells.x_mm[:64].tolist() == cells.x_mm[-64:].tolist()


def test_a_special_channel_of_every_fpga_is_spelled_out_for_those_with_chambers() -> None:
    detector = made_up((1, 0, 63), (5, 0, 63), (1, 64, 127))
    everywhere = SpecialChannel(label="", fpga=None, channel=138)
    lone = SpecialChannel(label="", fpga=7, channel=128)
    assert detector.special_addresses((everywhere, lone)) == [
        (0, 1, 138),
        (0, 5, 138),
        (1, 7, 128),
    ]
