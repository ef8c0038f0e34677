"""Which chambers have hits in the same orbits: with one another, and with the scintillator."""

from collections.abc import Sequence

import numpy as np

from muonscope.counting.block import (
    COUNT_SCHEMA,
    Block,
    Fragment,
    Message,
    Read,
    Table,
    Writer,
)
from muonscope.counting.told import MOST_COUNT, Told, array, whole
from muonscope.detector import Detector
from muonscope.errors import FormatError

__all__ = ["TOGETHER_HITS", "Together"]

TOGETHER_HITS = 3
"""Hits that a chamber must have in an orbit, as it has of most muons."""


class Together(Block):
    """Orbits that chambers share: ``together`` and ``scint_orbits``.

    ``together[a, b]`` counts orbits with three hits or more in both chambers, and in one on the
    diagonal; ``scint_orbits`` those with a scintillator hit and a hit of each chamber, and last
    all with a scintillator hit.
    """

    name = "together"
    fused = True
    by_window = frozenset({"together", "scint_orbits"})

    def shapes(self, detector: Detector) -> dict[str, tuple[int, ...]]:
        """Return a matrix of chambers, and an entry per chamber and for all."""
        n = detector.n_chambers
        return {"together": (n, n), "scint_orbits": (n + 1,)}

    def writer(self, table: Table, *, max_drift_times: int) -> Writer:  # noqa: ARG002
        """Write ``together`` and ``scintillator_orbits``."""
        together = table.columns["together"]
        orbits = table.columns["scint_orbits"].tolist()

        def write(i: int, message: Message, chambers: Sequence[Message]) -> None:
            message["scintillator_orbits"] = orbits[i][-1]
            for c, chamber in enumerate(chambers):
                chamber["together"] = together[i, c]
                chamber["scintillator_orbits"] = orbits[i][c]

        return write

    def read(self, told: Told) -> Read:
        """Read both; the matrix must be symmetric. Results of version 1 tell of neither."""
        n = told.detector.n_chambers
        if told.version == 1:
            shapes = self.shapes(told.detector)
            return Read(arrays={name: np.zeros(shape, np.int64) for name, shape in shapes.items()})
        rows = [array(c, "together", f"chamber{i}.", n) for i, c in enumerate(told.chambers)]
        together = np.stack(rows)
        if (together != together.T).any():
            raise FormatError(f"together: found {together.tolist()}, expected it to be symmetric")
        objects = [*told.chambers, told.message]
        orbits = [whole(found, "scintillator_orbits", MOST_COUNT) for found in objects]
        return Read(arrays={"together": together, "scint_orbits": np.array(orbits, np.int64)})

    def schema(self) -> Fragment:
        """Return the schema of both."""
        row = {
            "type": "array",
            "description": "Orbits with three hits or more in this chamber and in each one.",
            "items": COUNT_SCHEMA,
        }
        orbits = {**COUNT_SCHEMA, "description": "Orbits with a scintillator hit, and a hit here."}
        return Fragment(
            message={"scintillator_orbits": COUNT_SCHEMA},
            chamber={"together": row, "scintillator_orbits": orbits},
        )
