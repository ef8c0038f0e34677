"""Plots as SVG: well-formed, escaped, in range, and without a number that is none."""

import math
import re
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from muonscope.processing.svg_plots import Bar, Steps, bar_timeline, cell_map, step_overlay, ticks

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "<script>alert('1')</script> & \"µ\""


def parsed(svg: str) -> ET.Element:
    """Return the picture; fail where anything in it is not drawn inside of it."""
    assert "nan" not in svg
    assert "inf" not in svg
    assert "<script" not in svg
    root = ET.fromstring(svg)
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    for rect in root.iter(f"{SVG}rect"):
        x, y, w, h = (float(rect.attrib[name]) for name in ("x", "y", "width", "height"))
        assert 0 <= x <= x + w <= width + 1
        assert 0 <= y <= y + h <= height + 1
    for line in root.iter(f"{SVG}line"):
        assert all(-1 <= float(line.attrib[n]) <= width + 1 for n in ("x1", "x2"))
        assert all(-1 <= float(line.attrib[n]) <= height + 1 for n in ("y1", "y2"))
    return root


def texts(root: ET.Element) -> list[str]:
    return [element.text or "" for element in root.iter(f"{SVG}text")]


@pytest.mark.parametrize(
    ("low", "high", "about", "wanted"),
    [
        (0, 10, 5, [0, 2, 4, 6, 8, 10]), (-1.5, 1.5, 6, [-1.5, -1, -0.5, 0, 0.5, 1, 1.5]),
        (0, 0, 5, []), (0, math.inf, 5, []), (0, 3e9, 3, [0, 1e9, 2e9, 3e9]),
        (1e-7, 3e-7, 2, [1e-7, 2e-7, 3e-7]),
    ],
)  # fmt: skip
def test_ticks_are_round(low: float, high: float, about: int, wanted: list[float]) -> None:
    assert ticks(low, high, about) == pytest.approx(wanted)


def overlay(one: np.ndarray, other: np.ndarray, label: str = "run") -> ET.Element:
    edges = np.linspace(-100, 700, len(one) + 1)
    series = (
        Steps(label=label, counts=one, errors=np.sqrt(np.nan_to_num(one))),
        Steps(label="reference", counts=other, filled=True, dashed=True),
    )
    return parsed(
        step_overlay(
            edges, series, title=HOSTILE, x_label="drift time [ns]", y_label="entries per 10 ns",
            ratio_label="ratio",
        )
    )  # fmt: skip


def test_an_overlay_has_both_histograms_their_ratio_and_titles_with_units() -> None:
    root = overlay(np.array([10.0, 20, 0, 40]), np.array([10.0, 10, 10, 0]))
    found = texts(root)
    assert HOSTILE in found
    assert {"drift time [ns]", "entries per 10 ns", "ratio", "run", "reference"} <= set(found)
    circles = list(root.iter(f"{SVG}circle"))
    assert len(circles) == 3  # where the reference has none, there is no ratio
    heights = [float(c.attrib["cy"]) for c in circles]
    assert heights[1] < heights[0] < heights[2]  # 2, 1 and 0


def test_a_step_is_as_high_as_its_count() -> None:
    root = overlay(np.array([5.0, 10.0]), np.array([5.0, 10.0]))
    path = next(p.attrib["d"] for p in root.iter(f"{SVG}path") if p.attrib["d"].count("V") > 2)
    *levels, ground = (float(y) for y in re.findall(r"V([\d.]+)", path))
    assert (ground - levels[0]) * 2 == pytest.approx(ground - levels[1], abs=0.3)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ([0, 0], [0, 0]), ([1, math.nan], [math.inf, 2]), ([2**40, 1], [1, 2**40]),
        ([1e-9, 0], [0, 1e-9]),
    ],
)  # fmt: skip
def test_awkward_counts_are_drawn(one: list[float], other: list[float]) -> None:
    overlay(np.array(one), np.array(other))


def test_a_ratio_beyond_the_panel_is_an_arrow() -> None:
    root = overlay(np.array([50.0, 10]), np.array([10.0, 10]))
    assert len(list(root.iter(f"{SVG}circle"))) == 1


def test_a_map_colours_more_and_less_differently_and_marks_cells() -> None:
    ratios = np.array([[0.0, 0.5, 1.0, 2.0], [math.inf, math.nan, 1.1, 9.0]])
    marked = np.zeros((2, 4), np.bool_)
    marked[0, 0] = True
    names = [[f"<cell {layer} {wire}>" for wire in range(4)] for layer in range(2)]
    root = parsed(cell_map(ratios, marked, names, title=HOSTILE))
    rects = [r for r in root.iter(f"{SVG}rect") if r.find(f"{SVG}title") is not None]
    assert len(rects) == 8
    by_text = {r.find(f"{SVG}title").text: r for r in rects}  # type: ignore[union-attr]
    fill = {text: r.attrib["fill"] for text, r in by_text.items()}
    assert fill["<cell 1 0>"] == fill["<cell 1 3>"] == "#d55e00"
    assert fill["<cell 0 0>"] == "#0072b2"
    assert fill["<cell 0 1>"] not in {fill["<cell 0 3>"], fill["<cell 0 2>"]}
    assert float(by_text["<cell 0 0>"].attrib["stroke-width"]) == 2.5
    # layer 1 is at the bottom
    assert float(by_text["<cell 0 1>"].attrib["y"]) > float(by_text["<cell 1 1>"].attrib["y"])


def test_a_timeline_has_a_row_for_each_name_and_cuts_at_its_span() -> None:
    bars = [
        Bar(row="ch0", begin=-50, end=20, colour="#0072b2", text=HOSTILE),
        Bar(row="fpga1", begin=20, end=500, colour="#d55e00", text="silent"),
        Bar(row="ch0", begin=40, end=40, colour="#d55e00", text="moment"),
    ]
    root = parsed(bar_timeline(bars, (0, 100), title="checks", x_label="time in the run [s]"))
    assert [t for t in texts(root) if t in {"ch0", "fpga1"}] == ["ch0", "fpga1"]
    widths = [float(r.attrib["width"]) for r in root.iter(f"{SVG}rect")]
    assert widths[1] == pytest.approx(4 * widths[0], rel=0.01)
    assert widths[2] == 1
    parsed(bar_timeline([], (0, 1), title="none", x_label="t [s]"))
