"""Views of the store as documents of plain numbers.

Pure: a view comes in, a document leaves, and the same document goes to the pages and to
scripts. Counts are as they were counted; what is shown per second is divided by ``live_s``
where it is drawn. docs/reference/dashboard-api.md describes the documents.
"""

from typing import Any, cast

import numpy as np
import numpy.typing as npt

from muonscope.counting.summary import Accounting, Summary
from muonscope.dashboard import contract
from muonscope.detector import Detector
from muonscope.results.store import View
from muonscope.units import ORBIT_S

__all__ = ["accounting_document", "detector_document", "view_document"]


def view_document(view: View, *, seq: int = 0) -> contract.View:
    """Return what ``view`` shows; ``seq`` numbers the states of the store."""
    latest, summary = view.latest, view.summary
    account = accounting_document(summary.accounting)
    return contract.View(
        view=cast("contract.ViewName", view.name),
        seq=seq,
        run=latest.run,
        detector=summary.detector.name,
        epoch=latest.epoch,
        window=latest.window,
        start_s=round(latest.first_orbit * ORBIT_S, 6),
        end_s=round((latest.last_orbit + 1) * ORBIT_S, 6),
        first_s=round(view.first_s, 6),
        run_s=round(view.run_s, 6),
        live_s=round(summary.live_s, 6),
        windows=view.windows,
        hits=account.hits,
        scintillator=account.scintillator,
        accounting=account,
        tables=_tables(view),
    )


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


def accounting_document(account: Accounting) -> contract.Accounting:
    """Return where the words went."""
    return contract.Accounting(
        words_in=account.words_in,
        hits=account.hits,
        scintillator=account.scintillator,
        trigger=account.trigger,
        ancillary=account.ancillary,
        unmapped=account.unmapped,
        invalid=account.invalid,
        late=account.late,
    )


def detector_document(detector: Detector) -> contract.Detector:
    """Return the telescope, cells included."""
    cells, chambers = detector.cells(), []
    for c, chamber in enumerate(detector.chambers):
        mine = cells.chamber == c
        columns = {name: getattr(cells, name)[mine] for name in contract.Cells.__struct_fields__}
        chambers.append(
            contract.Chamber(
                label=chamber.label,
                fpga=chamber.fpga,
                first_channel=chamber.first_channel,
                last_channel=chamber.last_channel,
                view=chamber.view,
                cells=contract.Cells(**columns),
            )
        )
    return contract.Detector(
        name=detector.name, description=detector.description, chambers=chambers
    )
