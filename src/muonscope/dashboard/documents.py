"""What there is to draw: views of the store as documents of plain numbers.

Pure: a view comes in, a document leaves, and the same document goes to the pages and to
scripts. Counts are as they were counted; what is shown per second is divided by ``live_s``
where it is drawn. docs/reference/dashboard-api.md describes the documents.
"""

from collections.abc import Mapping
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import orjson

from muonscope.counting.summary import Summary
from muonscope.detector import Detector
from muonscope.results.store import View
from muonscope.units import ORBIT_S

__all__ = ["VIEWS", "ViewName", "detector_document", "encoded", "view_document"]

ViewName = Literal["window", "recent", "run"]
VIEWS: tuple[ViewName, ...] = get_args(ViewName)


def encoded(document: Mapping[str, Any]) -> bytes:
    """Return a document as JSON."""
    return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)


def view_document(view: View, *, seq: int = 0) -> dict[str, Any]:
    """Return what ``view`` shows; ``seq`` numbers the states of the store."""
    latest, summary = view.latest, view.summary
    return {
        "view": view.name,
        "seq": seq,
        "run": latest.run,
        "detector": summary.detector.name,
        "epoch": latest.epoch,
        "window": latest.window,
        "start_s": round(latest.first_orbit * ORBIT_S, 6),
        "end_s": round((latest.last_orbit + 1) * ORBIT_S, 6),
        "first_s": round(view.first_s, 6),
        "run_s": round(view.run_s, 6),
        "live_s": round(summary.live_s, 6),
        "windows": view.windows,
        "hits": summary.total_hits,
        "scintillator": summary.scintillator_words,
        "accounting": summary.accounting.as_dict(),
        "tables": _tables(view),
    }


def _tables(view: View) -> dict[str, dict[str, npt.NDArray[Any]]]:
    """Return what is drawn, by the name of the source that draws it."""
    summary, detector = view.summary, view.summary.detector
    tables: dict[str, dict[str, npt.NDArray[Any]]] = {
        "chambers": {
            "hits": summary.hits_per_chamber,
            "scint": summary.scint_hits_per_chamber,
        }
    }
    hits, scint = summary.hits_per_cell, summary.scint_hits
    for c, chamber in enumerate(detector.chambers):
        first = detector.first_cell(c)
        cells = slice(first, first + chamber.n_channels)
        tables[f"cells{c}"] = {"hits": hits[cells].copy(), "scint": scint[cells].copy()}
        tables[f"drift{c}"] = {"counts": summary.drift_histogram[c, 1:-1].copy()}
        tables[f"multiplicity{c}"] = {"orbits": _with_quiet(summary, c)}
        tables[f"orbits{c}"] = {
            "time": np.round(view.latest.orbits[c] * ORBIT_S, 7),
            "hits": view.latest.orbit_hits[c],
        }
    return tables


def _with_quiet(summary: Summary, c: int) -> npt.NDArray[np.int64]:
    """Return the multiplicity of a chamber with the orbits without a hit as entry 0."""
    orbits: npt.NDArray[np.int64] = summary.multiplicity[c].copy()
    orbits[0] = summary.live_orbits - orbits[1:].sum()
    return orbits


def detector_document(detector: Detector) -> dict[str, Any]:
    """Return what the telescope is, cells included."""
    cells = detector.cells()
    chambers = []
    for c, chamber in enumerate(detector.chambers):
        mine = cells.chamber == c
        columns = {name: getattr(cells, name)[mine] for name in ("channel", "layer", "wire")}
        columns |= {name: getattr(cells, name)[mine] for name in ("x_mm", "z_mm")}
        chambers.append(
            {
                "label": chamber.label,
                "fpga": chamber.fpga,
                "first_channel": chamber.first_channel,
                "last_channel": chamber.last_channel,
                "view": chamber.view,
                "cells": columns,
            }
        )
    return {"name": detector.name, "description": detector.description, "chambers": chambers}
