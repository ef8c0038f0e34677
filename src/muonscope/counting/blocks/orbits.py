"""The orbits that have hits in a chamber, and how many: lists, which grow with the hits."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from muonscope.counting.block import (
    Array,
    Block,
    Fragment,
    Message,
    Read,
    Shown,
    Table,
    Tables,
    Writer,
)
from muonscope.counting.blocks._sparse import SPARSE, ragged
from muonscope.counting.told import Told, bins
from muonscope.detector import Detector
from muonscope.errors import FormatError
from muonscope.units import ORBIT_S

__all__ = ["Orbits"]

_PLACES = 5
"""Of a time in s: they tell which orbit of 0.0000891 s it is, and travel in two thirds of the bytes
that seven take."""


class Orbits(Block):
    """Orbit numbers, ascending, and the hits in each: ``orbits`` and ``orbit_hits``."""

    name = "orbits"
    fused = True
    list_ends = "orbit_ends"
    list_columns: ClassVar[Mapping[str, type[np.generic]]] = {
        "orbits": np.uint32,
        "orbit_hits": np.uint32,
    }

    def shapes(self, detector: Detector) -> dict[str, tuple[int, ...]]:  # noqa: ARG002
        """Return no array: there are lists only."""
        return {}

    def merged_lists(self, parts: Sequence[tuple[Array, ...]]) -> tuple[Array, ...]:
        """Return the union of orbits; hits of the same orbit add up."""
        orbits, hits = (np.concatenate(column) for column in zip(*parts, strict=True))
        numbers, place = np.unique(orbits, return_inverse=True)
        return numbers, np.bincount(place, hits, len(numbers)).astype(np.uint32)

    def writer(self, table: Table, *, max_drift_times: int) -> Writer:  # noqa: ARG002
        """Write ``hist_ORBIT``."""
        columns = table.columns
        lists = ragged(columns["orbit_ends"], columns["orbits"], columns["orbit_hits"])

        def write(i: int, _: Message, chambers: Sequence[Message]) -> None:
            for n, chamber in enumerate(chambers, i * len(chambers)):
                chamber["hist_ORBIT"] = lists(n)

        return write

    def read(self, told: Told) -> Read:
        """Read ``hist_ORBIT``."""
        first, last = told.first_orbit, told.first_orbit + told.orbits - 1
        found: list[tuple[Array, Array]] = []
        for c, chamber in enumerate(told.chambers):
            orbits, hits = bins(chamber, f"chamber{c}", "hist_ORBIT")
            if len(orbits) and not (first <= orbits[0] and orbits[-1] <= last):  # they ascend
                raise FormatError(
                    f"chamber{c}.hist_ORBIT.bin_edges: expected orbits {first} .. {last}"
                )
            found.append((orbits, hits))
        return Read(
            arrays={},
            lists={"orbits": tuple(o for o, _ in found), "orbit_hits": tuple(h for _, h in found)},
        )

    def schema(self) -> Fragment:
        """Return the schema of ``hist_ORBIT``."""
        histogram = {"$ref": "#/$defs/sparse", "description": "Hits per orbit."}
        return Fragment(chamber={"hist_ORBIT": histogram}, definitions=SPARSE)

    def tables(self, shown: Shown) -> Tables:
        """Return the orbits of the latest window, s from its start, and their hits."""
        if shown.lists is None:
            return {}
        return {
            f"orbits{c}": {
                "time": np.round((orbits.astype(np.int64) - shown.first_orbit) * ORBIT_S, _PLACES),
                "hits": hits,
            }
            for c, (orbits, hits) in enumerate(
                zip(shown.lists["orbits"], shown.lists["orbit_hits"], strict=True)
            )
        }
