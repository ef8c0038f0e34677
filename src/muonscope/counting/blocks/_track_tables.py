"""The sampled events of a window as tables that can be drawn."""

from collections.abc import Sequence

import numpy as np

from muonscope.counting.block import Counts, IntArray, Tables
from muonscope.tracking.layout import TrackingLayout
from muonscope.tracking.sample import HIT, LINE, SampledEvent, drift_mm

__all__ = ["event_tables"]


def event_tables(layout: TrackingLayout, latest: Counts) -> Tables:
    """Return the tables ``event``, ``event_lines`` and ``event_hits`` of the latest window.

    A hit has the place of its wire, ``at_mm`` where the muon passed, and ``mirror_mm`` on the
    other side of the wire; hits that no line has lie on their wires.
    """
    found = [SampledEvent.of(row) for row in latest.arrays["track_sample"]]
    events = [event for event in found if event]
    number = np.arange(len(events))
    lines = np.concatenate([np.empty((0, len(LINE)), np.int64), *(event.lines for event in events)])
    hits = np.concatenate([np.empty((0, len(HIT)), np.int64), *(event.hits for event in events)])
    of_line = np.repeat(number, [len(event.lines) for event in events])
    of_hit = np.repeat(number, [len(event.hits) for event in events])
    first_line = np.cumsum([0, *(len(event.lines) for event in events)])[:-1]
    cell, on_line = hits[:, 0], hits[:, 2] >= 0
    line = (first_line[of_hit] + hits[:, 2])[on_line]
    x, radius = layout.x_mm[cell], np.zeros(len(hits))
    radius[on_line] = drift_mm(
        hits[on_line, 1] / 10 - lines[line, 5] / 1000, lines[line, 4] / 1e6, layout
    )
    tables = {
        "event": {
            "orbit": np.array([event.orbit for event in events], np.int64),
            "tick": np.array([event.tick for event in events], np.int64),
            "hits": np.array([event.all_hits for event in events], np.int64),
        },
        "event_lines": {
            "event": of_line,
            "view": lines[:, 0],
            "chambers": lines[:, 1],
            "chamber": _chambers(layout, events),
            "x_mm": lines[:, 2] / 1e3,
            "z_mm": lines[:, 3] / 1e3,
            "slope": lines[:, 4] / 1e6,
            "t0_ns": lines[:, 5] / 1e3,
            "chi2": lines[:, 6] / 1e3,
        },
        "event_hits": {
            "event": of_hit,
            "view": layout.view[layout.chamber[cell]],
            "chamber": layout.chamber[cell],
            "cell": cell,
            "used": on_line.astype(np.int64),
            "time_ns": hits[:, 1] / 10,
            "x_mm": x.round(3),
            "z_mm": layout.z_mm[cell].round(3),
            "at_mm": (x + hits[:, 3] * radius).round(3),
            "mirror_mm": (x - hits[:, 3] * radius).round(3),
        },
    }
    return {
        name: {column: np.ascontiguousarray(values) for column, values in table.items()}
        for name, table in tables.items()
    }


def _chambers(layout: TrackingLayout, events: Sequence[SampledEvent]) -> IntArray:
    """Return the chamber of each segment; -1 of tracks over several."""
    found = []
    for event in events:
        first = {int(line): int(layout.chamber[cell]) for cell, _, line, _ in event.hits[::-1]}
        alone = event.lines[:, 1] == 1
        found += [first.get(i, -1) if one else -1 for i, one in enumerate(alone.tolist())]
    return np.array(found, np.int64)
