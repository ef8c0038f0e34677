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
from muonscope.counting.blocks._sparse import SPARSE
from muonscope.counting.told import Told, array, bins
from muonscope.detector import Detector
from muonscope.errors import FormatError

__all__ = ["CROWDED", "MULTIPLICITIES", "Multiplicity"]

MULTIPLICITIES = 64
"""Entries of a multiplicity table: orbits with n hits, and last with 63 or more."""

CROWDED = 66
"""Entries of a table of crowded orbits: those with 63 hits, 64, ..., and with 128 or more."""

_FIRST = MULTIPLICITIES - 1
"""Hits of the first entry of that table."""


class Multiplicity(Block):
    """Orbits with n hits: ``multiplicity``; the last row is for all chambers together.

    ``crowded`` tells more of the last entry: orbits with 63 + n hits.

    Entry 0 stays 0 in the array: orbits without a hit are those that were looked at, less
    the others.
    """

    name = "multiplicity"
    fused = True

    def shapes(self, detector: Detector) -> dict[str, tuple[int, ...]]:
        """Return 64 entries and 66 more per chamber, and for all."""
        rows = detector.n_chambers + 1
        return {"multiplicity": (rows, MULTIPLICITIES), "crowded": (rows, CROWDED)}

    def writer(self, table: Table, *, max_drift_times: int) -> Writer:  # noqa: ARG002
        """Write ``multiplicity`` of all and of each chamber, orbits without a hit included."""
        tables = _with_quiet(table.columns["multiplicity"], table.window_orbits)
        crowded = table.columns["crowded"]
        some = set(np.flatnonzero(crowded.sum(axis=(1, 2))).tolist())

        def write(i: int, message: Message, chambers: Sequence[Message]) -> None:
            for c, found in enumerate([*chambers, message]):
                found["multiplicity"] = tables[i, c]
                if i in some:
                    (hits,) = np.nonzero(crowded[i, c])
                    counts = crowded[i, c, hits]
                    found["crowded"] = {"bin_edges": hits + _FIRST, "bin_counts": counts}

        return write

    def read(self, told: Told) -> Read:
        """Read the tables; each must have all orbits of the window."""
        found = [
            _read_table(chamber, f"chamber{c}.", told.orbits)
            for c, chamber in enumerate(told.chambers)
        ]
        found.append(_read_table(told.message, "", told.orbits))
        tables = np.stack(found)
        crowded = np.zeros((len(tables), CROWDED), np.int64)
        if told.version > 1:
            for c, message in enumerate([*told.chambers, told.message]):
                crowded[c] = _read_crowded(message, f"chamber{c}" if c < len(told.chambers) else "")
            if (crowded.sum(axis=1) != tables[:, -1]).any():
                raise FormatError(
                    f"crowded: found {crowded.sum(axis=1).tolist()} orbits,"
                    f" expected {tables[:, -1].tolist()}"
                )
        return Read(arrays={"multiplicity": tables, "crowded": crowded})

    def schema(self) -> Fragment:
        """Return the schema of the tables."""
        table: dict[str, Any] = {
            "type": "array",
            "description": "Entry n: orbits with n hits; the last one: with 63 or more.",
            "items": COUNT_SCHEMA,
            "minItems": MULTIPLICITIES,
            "maxItems": MULTIPLICITIES,
        }
        mine = {
            "multiplicity": {"$ref": "#/$defs/multiplicity"},
            "crowded": {
                "$ref": "#/$defs/sparse",
                "description": "Orbits with 63 hits, 64, ..., and with 128 or more,"
                " where there is any.",
            },
        }
        return Fragment(
            message=mine, chamber=mine, optional=("crowded",),
            definitions={"multiplicity": table, **SPARSE},
        )  # fmt: skip

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


def _read_crowded(found: Message, where: str) -> Array:
    """Return a table of crowded orbits; none is told where there is none."""
    crowded = np.zeros(CROWDED, np.int64)
    if "crowded" in found:
        hits, counts = bins(found, where, "crowded")
        if len(hits) and not (hits[0] >= _FIRST and hits[-1] < _FIRST + CROWDED):  # they ascend
            raise FormatError(
                f"{where}.crowded.bin_edges: expected {_FIRST} .. {_FIRST + CROWDED - 1}"
            )
        crowded[hits - _FIRST] = counts
    return crowded
