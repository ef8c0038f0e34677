"""Tables of windows as archives keep them, made: of windows as they came, or of pieces."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from muonscope.archiving.journal import Kept
from muonscope.archiving.run_file import ChangeRecord
from muonscope.archiving.windows_file import HEAD, PIECE_S, Piece, SealedWindows, windows_schema
from muonscope.counting.block import Block
from muonscope.counting.summary import Summary, merged
from muonscope.detector import Detector
from muonscope.quality.verdict import State
from muonscope.units import ORBIT_S

__all__ = ["thinned_table", "windows_table"]

_Whole = npt.NDArray[np.int64]


class _Open:
    """A piece that windows are added to."""

    def __init__(self, number: int, key: tuple[int, int, State]) -> None:
        self.number, self.key = number, key
        self.rows: list[int] = []
        self.arrays: dict[str, list[npt.NDArray[Any]]] = {}


def windows_table(
    windows: Iterable[Kept], detector: Detector, blocks: Sequence[Block], *, first_piece: int = 0
) -> pa.Table:
    """Return the table of some windows of one part, sorted by their places.

    A window that comes again is left out; so is nothing else. Pieces get the numbers from
    ``first_piece`` on.
    """
    gathered = _Gathered(detector, blocks, first_piece)
    for window in windows:
        gathered.add(window)
    return gathered.table()


@dataclass(slots=True)
class _Gathered:
    """The rows of a table while it is made."""

    detector: Detector
    blocks: Sequence[Block]
    next_piece: int
    heads: list[tuple[Any, ...]] = field(default_factory=list)
    fine: dict[str, list[_Whole]] = field(default_factory=dict)
    coarse: dict[str, list[tuple[int, _Whole]]] = field(default_factory=dict)
    changes: list[ChangeRecord] = field(default_factory=list)
    places: set[tuple[int, int]] = field(default_factory=set)
    piece: _Open | None = None

    def add(self, window: Kept) -> None:
        """Add a window."""
        if window.place in self.places:
            return
        self.places.add(window.place)
        minute = int(window.first_orbit * ORBIT_S / PIECE_S)
        key = window.epoch, minute, window.state
        if self.piece is None or self.piece.key != key:
            self._end_piece()
            self.piece = _Open(self.next_piece, key)
            self.next_piece += 1
        summary = Summary(
            detector=self.detector, live_orbits=window.live_orbits,
            arrays=self._complete(window), blocks=tuple(self.blocks),
        )  # fmt: skip
        self.piece.rows.append(len(self.heads))
        self.heads.append((
            window.epoch, window.window, window.first_orbit, window.live_orbits,
            round(window.at * 1e3), summary.live_s, window.state.label, window.version, 1,
            self.piece.number,
        ))  # fmt: skip
        self.changes += window.changes
        for block in self.blocks:
            for name in block.shapes(self.detector):
                array = summary.arrays[name]
                if name in block.by_window:
                    self.fine.setdefault(name, []).append(array.ravel())
                else:
                    self.piece.arrays.setdefault(name, []).append(array)

    def _complete(self, window: Kept) -> dict[str, npt.NDArray[Any]]:
        """Return the arrays of the blocks; those that nobody counted yet are zeros."""
        return {
            name: window.arrays[name] if name in window.arrays else np.zeros(shape, np.int64)
            for block in self.blocks
            for name, shape in block.shapes(self.detector).items()
        }

    def _end_piece(self) -> None:
        if self.piece is None:
            return
        last = max(self.piece.rows, key=lambda row: self.heads[row][:2])
        for block in self.blocks:
            for name in block.shapes(self.detector):
                if name not in block.by_window:
                    rows = np.array(self.piece.arrays[name], np.int64)
                    merged = np.asarray(block.merged(name, rows), np.int64)
                    self.coarse.setdefault(name, []).append((last, merged.ravel()))
        self.piece = None

    def table(self) -> pa.Table:
        """Return all rows, sorted."""
        self._end_piece()
        shapes = {n: s for block in self.blocks for n, s in block.shapes(self.detector).items()}
        columns = {
            name: pa.array([head[i] for head in self.heads], kind)
            for i, (name, kind, _) in enumerate(HEAD)
        }
        for name in shapes:
            if name in self.fine:
                columns[name] = _filled(self.fine[name])
            else:
                columns[name] = _sparse(self.coarse.get(name, []), len(self.heads))
        table = pa.table(columns, schema=windows_schema(self.detector, shapes, self.changes))
        return table.sort_by([("epoch", "ascending"), ("window", "ascending")])


def thinned_table(windows: SealedWindows, *, by_hour: bool = False) -> pa.Table:
    """Return a table with a row for each piece, or for each state in the hour.

    What adds up still adds up to the same; the single windows are gone.
    """
    pieces = windows.pieces()
    if by_hour:
        pieces.sort(key=lambda piece: piece.state)
        pieces = [_together(list(some)) for _, some in groupby(pieces, lambda p: p.state)]
        pieces.sort(key=lambda piece: piece.place)
    shapes = {
        name: shape for block in windows.blocks
        for name, shape in block.shapes(windows.detector).items()
    }  # fmt: skip
    heads = [
        (
            piece.epoch, piece.window, piece.first_orbit, piece.summary.live_orbits,
            round(piece.at * 1e3), piece.summary.live_s, piece.state.label, piece.version,
            piece.windows, number,
        )
        for number, piece in enumerate(pieces)
    ]  # fmt: skip
    columns = {
        name: pa.array([head[i] for head in heads], kind) for i, (name, kind, _) in enumerate(HEAD)
    }
    for name in shapes:
        columns[name] = _filled([piece.summary.arrays[name].ravel() for piece in pieces])
    return pa.table(columns, windows_schema(windows.detector, shapes, windows.changes))


def _together(pieces: Sequence[Piece]) -> Piece:
    """Return several pieces of one state as one."""
    first, summaries = pieces[0], [piece.summary for piece in pieces]
    whole = merged(summaries, first.summary.detector, first.summary.blocks)
    return replace(
        first, last_window=pieces[-1].last_window, windows=sum(p.windows for p in pieces),
        at=max(p.at for p in pieces), summary=whole.condensed(),
    )  # fmt: skip


def _filled(rows: Sequence[_Whole]) -> pa.Array:
    size = len(rows[0])
    flat = np.concatenate(rows)
    ends = np.arange(len(rows) + 1, dtype=np.int32) * size
    return pa.ListArray.from_arrays(pa.array(ends), pa.array(flat))


def _sparse(rows: Sequence[tuple[int, _Whole]], n: int) -> pa.Array:
    """Return a column of ``n`` rows, most of them null."""
    told: list[_Whole | None] = [None] * n
    for row, array in rows:
        told[row] = array
    return pa.array(told, pa.list_(pa.int64()))
