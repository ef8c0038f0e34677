"""Views of the store as documents of plain numbers.

Pure: a view comes in, a document leaves, and the same document goes to the pages and to
scripts. Counts are as they were counted; what is shown per second is divided by ``live_s``
where it is drawn. docs/reference/dashboard-api.md describes the documents.
"""

from typing import cast

from muonscope.counting.block import Shown, Tables
from muonscope.counting.summary import Accounting
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


def _tables(view: View) -> Tables:
    """Return what is drawn, by the name of the source that draws it."""
    shown = Shown(
        summary=view.summary, first_orbit=view.latest.first_orbit, lists=view.latest.lists
    )
    tables: Tables = {}
    for block in view.summary.blocks:
        for name, columns in block.tables(shown).items():
            tables[name] = tables.get(name, {}) | columns
    return tables


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
