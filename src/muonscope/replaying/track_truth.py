"""The truth of a simulation beside the tracks that were found in its words.

A muon is that of a row if at least half of the row's hits are its own.
"""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from muonscope.counting.hits import hit_times
from muonscope.counting.word_classes import CHAMBER_SHIFT, TRIGGER, ClassTable
from muonscope.detector import Detector
from muonscope.errors import FormatError, SourceError
from muonscope.replaying.track_table import column
from muonscope.units import BX_PER_ORBIT, ORBIT_NS
from muonscope.words.layout import Words
from muonscope.words.parquet import is_truth

__all__ = ["TRUTH_SCHEMA", "TrackTruth"]

TRUTH_SCHEMA = pa.schema(
    [
        column("muon", pa.int64(), "number of the muon in the truth; null where none has half"),
        column("muon_hits", pa.int16(), "hits of the row that are of this muon"),
        column("true_t0_ns", pa.float64(), "when it passed, in the same orbit as t0_ns", "ns"),
        column("true_x_mm", pa.float64(), "its place at z_mm", "mm"),
        column("true_slope", pa.float64(), "its dx/dz"),
    ]
)
"""What is added to each row."""

_HIT_COLUMNS = ["kind", "word", "muon"]
_MUON_COLUMNS = ["kind", "muon", "orbit", "ns", "x_mm", "y_mm", "slope_x", "slope_y"]
_NONE = -1

Wholes = npt.NDArray[np.int64]


class TrackTruth:
    """Knows which muon each hit is of, once the words have gone by."""

    def __init__(self, path: str, detector: Detector, table: ClassTable) -> None:
        """Read a file that ``muonscope simulate --truth`` has written.

        Raises
        ------
        SourceError
            If it cannot be read.
        FormatError
            If it is no truth.
        """
        try:
            with Path(path).open("rb") as file:
                if not is_truth(file):
                    raise FormatError(
                        f"--truth {path}: found something else, expected what simulate --truth"
                        " writes"
                    )
            hits, muons = (pq.read_table(path, columns=c) for c in (_HIT_COLUMNS, _MUON_COLUMNS))
        except (OSError, pa.ArrowException) as exc:
            raise SourceError(f"--truth {path}: cannot be read: {exc}") from exc
        self._path, self._classes = path, table.classes
        self._detector = detector
        rows = _of_kind(hits, "hit", by="word")
        self._word, self._muon_of = rows["word"], rows["muon"]
        self._muons = _of_kind(muons, "muon", by="muon")
        self._batches: list[tuple[Wholes, Wholes]] = []
        """Of each batch of words the sorted keys of its hits, and their muons."""
        self._words = 0

    def note(self, words: Words) -> None:
        """Take the next words of the stream: their numbers are those of the truth."""
        begin, end = np.searchsorted(self._word, [self._words, self._words + len(words)])
        word = words[self._word[begin:end] - self._words]
        self._words += len(words)
        key = self._key_of_words(word)
        mine = np.flatnonzero(key != _NONE)
        order = mine[np.argsort(key[mine], kind="stable")]
        if len(order):
            self._batches.append((key[order], self._muon_of[begin:end][order]))

    def check(self) -> None:
        """Check, when all words have gone by, that they were those of the truth.

        Raises
        ------
        FormatError
            If they are not.
        """
        expected = int(self._word[-1]) + 1 if len(self._word) else 0
        if self._words != expected:
            raise FormatError(
                f"--truth {self._path}: is that of {expected:,} words, found {self._words:,}: give"
                " the truth that was written with these words"
            )

    def beside(self, rows: pa.Table, time: Wholes, cell: Wholes) -> pa.Table:
        """Return ``rows`` with the columns of :data:`TRUTH_SCHEMA`.

        ``time`` in ticks and ``cell`` are those of the hits of all rows, one after the other.
        """
        size = rows.column("hits").to_numpy().astype(np.int64)
        muon, hits = _most(np.repeat(np.arange(len(size)), size), self._owner(time, cell), size)
        at = np.searchsorted(self._muons["muon"], muon)
        of = {name: np.append(values, _NONE)[at] for name, values in self._muons.items()}
        known = (muon != _NONE) & (of["muon"] == muon)
        phi = rows.column("view").to_numpy(zero_copy_only=False) == "phi"
        z, orbit = rows.column("z_mm").to_numpy(), rows.column("orbit").to_numpy()
        slope = np.where(phi, of["slope_x"], of["slope_y"])
        columns: dict[str, Any] = {
            "muon": muon,
            "muon_hits": hits,
            "true_t0_ns": of["ns"] + (of["orbit"] - orbit) * ORBIT_NS,
            "true_x_mm": np.where(phi, of["x_mm"], of["y_mm"]) + slope * z,
            "true_slope": slope,
        }
        for field in TRUTH_SCHEMA:
            missing = muon == _NONE if field.name.startswith("muon") else ~known
            rows = rows.append_column(
                field, pa.array(columns[field.name], mask=missing).cast(field.type)
            )
        return rows

    def _owner(self, time: Wholes, cell: Wholes) -> Wholes:
        """Return the muon of each hit; -1 where it is of none."""
        wanted, owner = time * self._detector.n_cells + cell, np.full(len(time), _NONE)
        first, last = wanted.min(initial=np.iinfo(np.int64).max), wanted.max(initial=0)
        for keys, owners in self._batches:
            if keys[0] > last or keys[-1] < first:
                continue
            at = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
            owner = np.where(keys[at] == wanted, owners[at], owner)
        return owner

    def _key_of_words(self, words: Words) -> Wholes:
        """Return a number for the time and the cell of each word; -1 for other words."""
        found = self._classes[words >> np.uint64(49)]
        key = hit_times(words, self._detector) * self._detector.n_cells
        key += (found & np.uint32(0xFFFF)).astype(np.int64)
        bx = words >> np.uint64(5) & np.uint64(4095)
        is_cell = (found >> np.uint32(CHAMBER_SHIFT) < TRIGGER) & (bx < BX_PER_ORBIT)
        return np.where(is_cell, key, _NONE)


def _of_kind(table: pa.Table, kind: str, *, by: str) -> dict[str, Any]:
    """Return the columns of the rows of a kind, in the order of one; -1 for null."""
    mine = pc.equal(table.column("kind").cast(pa.string()), kind)
    rows = table.drop_columns("kind").filter(mine).sort_by(by)
    found = {}
    for name in rows.column_names:
        column = rows.column(name)
        signed = column.cast(pa.int64()) if pa.types.is_integer(column.type) else column
        found[name] = signed.fill_null(_NONE).to_numpy()
    return found


def _most(row: Wholes, owner: Wholes, size: Wholes) -> tuple[Wholes, Wholes]:
    """Return for each row the muon that has half of its hits or more, and how many."""
    muon, hits = np.full(len(size), _NONE), np.zeros(len(size), np.int64)
    mine = owner != _NONE
    pairs, count = np.unique(np.stack([row[mine], owner[mine]]), axis=1, return_counts=True)
    order = np.argsort(count, kind="stable")  # the one with most hits is written last
    of, who, count = pairs[0, order], pairs[1, order], count[order]
    enough = 2 * count >= size[of]
    muon[of[enough]], hits[of[enough]] = who[enough], count[enough]
    return muon, hits
