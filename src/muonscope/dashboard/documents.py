"""Views of the store as documents of plain numbers.

Pure: a view comes in, a document leaves, and the same document goes to the pages and to
scripts. Counts are as they were counted; what is shown per second is divided by ``live_s``
where it is drawn. docs/reference/dashboard-api.md describes the documents.
"""

from collections.abc import Collection, Sequence
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from muonscope.counting.block import Shown, Tables
from muonscope.counting.summary import Accounting
from muonscope.dashboard import contract, detector_contract
from muonscope.detector import Detector
from muonscope.quality.edges import edges_of
from muonscope.results.read_message import WindowResult
from muonscope.results.store import View
from muonscope.units import ORBIT_S

__all__ = [
    "DETAILS", "accounting_document", "channel_document", "detector_document", "view_document",
]  # fmt: skip


DETAILS = ("lists", "tracks")
"""Tables that few pages draw, and that can be left out: of single orbits, and of tracks."""


def view_document(view: View, *, seq: int = 0, without: Collection[str] = ()) -> contract.View:
    """Return what ``view`` shows; ``seq`` numbers the states of the store.

    Those of :data:`DETAILS` that are ``without`` are left out; they are most of the document.
    """
    latest, summary = view.latest, view.summary
    account = accounting_document(summary.accounting)
    drift_times = summary.arrays["drift_histogram"]
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
        tables=_tables(view, without),
        edges=[_edges(counts) for counts in drift_times[:, 1:-1]],
    )


def _edges(counts: npt.NDArray[Any]) -> contract.BoxEdges:
    """Return the edges of the drift times of a chamber, to a tenth of a nanosecond."""
    rising, falling = (edge or (None, None) for edge in edges_of(counts))
    told = [None if x is None else round(x, 1) for x in (*rising, *falling)]
    return contract.BoxEdges(
        rising_ns=told[0], rising_error_ns=told[1], falling_ns=told[2], falling_error_ns=told[3]
    )


def _tables(view: View, without: Collection[str]) -> Tables:
    """Return what is drawn, by the name of the source that draws it."""
    shown = Shown(
        summary=view.summary,
        latest=None if "tracks" in without else view.latest.summary,
        first_orbit=view.latest.first_orbit,
        lists=None if "lists" in without else view.latest.lists,
    )
    tables: Tables = {}
    for block in view.summary.blocks:
        for name, columns in block.tables(shown).items():
            tables[name] = tables.get(name, {}) | columns
    return tables


def channel_document(
    detector: Detector, run: str, cell: int, windows: Sequence[tuple[float, WindowResult]]
) -> contract.ChannelWindows:
    """Return the hits of a cell in ``windows``, each with its time in the run, s."""
    cells = detector.cells()
    summaries = [window.summary for _, window in windows]
    return contract.ChannelWindows(
        run=run, chamber=int(cells.chamber[cell]), channel=int(cells.channel[cell]),
        layer=int(cells.layer[cell]), wire=int(cells.wire[cell]),
        columns={
            "run_s": np.array([round(run_s, 4) for run_s, _ in windows], np.float64),
            "epoch": np.array([window.epoch for _, window in windows], np.int64),
            "window": np.array([window.window for _, window in windows], np.int64),
            "live_s": np.array([round(s.live_s, 7) for s in summaries], np.float64),
            "hits": np.array([s.hits_per_cell[cell] for s in summaries], np.int64),
            "scint": np.array([s.scint_hits[cell] for s in summaries], np.int64),
        },
    )  # fmt: skip


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


def detector_document(detector: Detector) -> detector_contract.Detector:
    """Return the telescope, cells included."""
    cells, chambers = detector.cells(), []
    for c, chamber in enumerate(detector.chambers):
        mine = cells.chamber == c
        columns = {
            name: getattr(cells, name)[mine] for name in detector_contract.Cells.__struct_fields__
        }
        chambers.append(
            detector_contract.Chamber(
                label=chamber.label,
                fpga=chamber.fpga,
                first_channel=chamber.first_channel,
                last_channel=chamber.last_channel,
                view=chamber.view,
                cells=detector_contract.Cells(**columns),
            )
        )
    return detector_contract.Detector(
        name=detector.name, description=detector.description, chambers=chambers
    )
