"""Orbits by their number of hits, for each chamber and for all together."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from muonscope.counting.block import (
    COUNT_SCHEMA,
    Array,
    Block,
    Counts,
    Fragment,
    Histograms,
    Message,
    Read,
    Shown,
    Table,
    Tables,
    Writer,
)
from muonscope.counting.told import Told, array
from muonscope.detector import Detector
from muonscope.errors import FormatError

__all__ = ["MULTIPLICITIES", "Multiplicity"]

MULTIPLICITIES = 64
"""Entries of a multiplicity table: orbits with n hits, and last with 63 or more."""


class Multiplicity(Block):
    """Orbits with n hits: ``multiplicity``; the last row is for all chambers together.

    Entry 0 stays 0 in the array: orbits without a hit are those that were looked at, less
    the others.
    """

    name = "multiplicity"
    fused = True

    def shapes(self, detector: Detector) -> dict[str, tuple[int, ...]]:
        """Return 64 entries per chamber, and for all."""
        return {"multiplicity": (detector.n_chambers + 1, MULTIPLICITIES)}

    def writer(self, table: Table, *, max_drift_times: int) -> Writer:  # noqa: ARG002
        """Write ``multiplicity`` of all and of each chamber, orbits without a hit included."""
        tables = _with_quiet(table.columns["multiplicity"], table.window_orbits)

        def write(i: int, message: Message, chambers: Sequence[Message]) -> None:
            message["multiplicity"] = tables[i, -1]
            for c, chamber in enumerate(chambers):
                chamber["multiplicity"] = tables[i, c]

        return write

    def read(self, told: Told) -> Read:
        """Read the tables; each must have all orbits of the window."""
        found = [
            _read_table(chamber, f"chamber{c}.", told.orbits)
            for c, chamber in enumerate(told.chambers)
        ]
        found.append(_read_table(told.message, "", told.orbits))
        return Read(arrays={"multiplicity": np.stack(found)})

    def schema(self) -> Fragment:
        """Return the schema of the tables."""
        table: dict[str, Any] = {
            "type": "array",
            "description": "Entry n: orbits with n hits; the last one: with 63 or more.",
            "items": COUNT_SCHEMA,
            "minItems": MULTIPLICITIES,
            "maxItems": MULTIPLICITIES,
        }
        mine = {"multiplicity": {"$ref": "#/$defs/multiplicity"}}
        return Fragment(message=mine, chamber=mine, definitions={"multiplicity": table})

    def hists(self, counts: Counts) -> Histograms:
        """Return ``multiplicity``: orbits by chamber (one more: ``all``) and hits."""
        import hist

        labels = [*map(str, range(counts.detector.n_chambers)), "all"]
        made: hist.Hist[Any] = hist.Hist(
            hist.axis.StrCategory(labels, name="chamber"),
            hist.axis.Integer(0, MULTIPLICITIES, name="hits", label="hits per orbit", flow=False),
            storage=hist.storage.Int64(),
        )
        made.view(flow=True)[: len(labels)] = counts.arrays["multiplicity"]
        return {"multiplicity": made}

    def tables(self, shown: Shown) -> Tables:
        """Return the table of each chamber, orbits without a hit included."""
        rows = _with_quiet(shown.summary.arrays["multiplicity"][:-1], shown.summary.live_orbits)
        return {f"multiplicity{c}": {"orbits": row} for c, row in enumerate(rows)}

    def trend(self, counts: Counts) -> dict[str, int]:
        """Return the orbits with a hit."""
        return {"orbits": int(counts.arrays["multiplicity"][-1, 1:].sum())}


def _with_quiet(tables: Array, orbits: int) -> Array:
    """Return ``tables``, shape (..., 64), with the orbits without a hit as entry 0."""
    whole = tables.copy()
    whole[..., 0] = orbits - whole[..., 1:].sum(axis=-1)
    return whole


def _read_table(found: Message, where: str, orbits: int) -> Array:
    """Return a table whose entry 0 is 0."""
    table = array(found, "multiplicity", where, MULTIPLICITIES)
    if table.sum() != orbits:
        raise FormatError(f"{where}multiplicity: found {table.sum()} orbits, expected {orbits}")
    table[0] = 0
    return table
