"""Segments beside the triggers that the firmware made of the same hits: an independent answer.

The firmware takes cells as linear, and knows no offsets of chambers; so does this.
"""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from muonscope.detector import shipped_detector
from muonscope.tracking._segments import find_segments
from muonscope.tracking.layout import layout_of

DETECTOR = shipped_detector()
CUTS = (4.0, 1.5, 1.2, 2.0, 2.0)
"""See ``find_segments``: mm, mm2, slope, solutions kept, slope of neighbours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """What the firmware says of a muon."""

    orbit: int
    fpga: int
    t0_ns: float
    slope: float


def rows_of(path: Path) -> list[dict[str, float]]:
    with path.open(encoding="utf-8") as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def triggers(rows: list[dict[str, float]]) -> list[Trigger]:
    """Return the triggers with t0 (HEAD 0) and slope (HEAD 4)."""
    found = []
    for n, row in enumerate(rows):
        if row["HEAD"] != 0 or row["BX_COUNTER"] > 3563:  # BX 4095: no t0
            continue
        place = row["ORBIT_CNT"], row["FPGA"]
        slope = next(
            (r for r in rows[n:] if r["HEAD"] == 4 and (r["ORBIT_CNT"], r["FPGA"]) == place), None
        )
        if slope:
            t0 = (row["BX_COUNTER"] + row["TDC_MEAS"] / 32) * 25
            found.append(
                Trigger(
                    orbit=int(row["ORBIT_CNT"]), fpga=int(row["FPGA"]), t0_ns=t0,
                    slope=slope["TDC_MEAS"],
                )
            )  # fmt: skip
    return found


def segments(rows: list[dict[str, float]], trigger: Trigger) -> list[tuple[float, float, int]]:
    """Return t0, slope and number of hits of all solutions in an orbit, cells being linear."""
    cells = DETECTOR.cells()
    number = {
        place: n
        for n, place in enumerate(zip(cells.fpga.tolist(), cells.channel.tolist(), strict=True))
    }
    hits = sorted(
        ((row["BX_COUNTER"] + row["TDC_MEAS"] / 30) * 25, number[row["FPGA"], row["TDC_CHANNEL"]])
        for row in rows
        if row["HEAD"] == 2
        and row["ORBIT_CNT"] == trigger.orbit
        and (row["FPGA"], row["TDC_CHANNEL"]) in number
        and row["FPGA"] == trigger.fpga
    )
    hits = [hit for hit in hits if trigger.t0_ns - 50 < hit[0] < trigger.t0_ns + 450]
    layout = layout_of(DETECTOR)
    linear = layout.cell.copy()
    linear[1:3] = 0.0
    cell = np.array([hit[1] for hit in hits], np.int64)
    whole, found = np.empty((9, 500), np.int64), np.empty((4, 500))
    n = find_segments(
        np.array([hit[0] for hit in hits]) - trigger.t0_ns, layout.chamber[cell],
        layout.layer[cell], np.array([len(hits)]), layout.place_mm[cell], layout.height_mm,
        layout.solve, layout.check, linear, True, CUTS, whole, found,
    )  # fmt: skip
    return [
        (float(found[2, i]) + trigger.t0_ns, float(found[1, i]), int(whole[2, i])) for i in range(n)
    ]


def test_five_clean_triggers_of_the_stream_sample_are_found_again(realdata: Path) -> None:
    """Of the others with hits, one took other sides of the wires, and one has a single hit."""
    rows = rows_of(realdata / "minidt_data_000000_first999rows.csv")
    found = {trigger.orbit: (trigger, segments(rows, trigger)) for trigger in triggers(rows)}
    agree = {
        orbit: max(hits for _, _, hits in same)
        for orbit, (trigger, solutions) in found.items()
        if (
            same := [
                (t0, slope, hits)
                for t0, slope, hits in solutions
                if abs(t0 - trigger.t0_ns) < 3.0 and abs(slope - trigger.slope) < 0.01
            ]
        )
    }
    assert agree == {617095: 4, 617355: 3, 617528: 4, 617575: 3, 617760: 4}
    elsewhere = [
        orbit for orbit, (trigger, solutions) in found.items()
        if any(abs(slope - trigger.slope) < 0.01 for _, slope, _ in solutions)
        and orbit not in agree
    ]  # fmt: skip
    assert elsewhere == [617472]
