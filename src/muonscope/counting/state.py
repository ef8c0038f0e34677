"""Counts as plain arrays, to be saved, and back again, believed only where all fits.

The names of the arrays stand in saved states: those of columns come after ``prefix``.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from muonscope.counting.block import Array, Block
from muonscope.counting.summary import Summary
from muonscope.counting.window_table import WindowTable
from muonscope.detector import Detector
from muonscope.errors import StateError

__all__ = ["summary_from_state", "summary_state", "table_from_state", "table_state"]

Saved = Mapping[str, npt.NDArray[Any]]


def summary_state(summary: Summary, prefix: str) -> dict[str, Array]:
    """Return the counts of ``summary``, its lists left out."""
    named = {"live_orbits": np.asarray(summary.live_orbits), **summary.arrays}
    return {f"{prefix}{name}": array for name, array in named.items()}


def summary_from_state(
    saved: Saved, prefix: str, detector: Detector, blocks: Sequence[Block]
) -> Summary:
    """Return the condensed Summary that was saved.

    Raises
    ------
    StateError
        If an array is missing, or has another shape.
    """
    return Summary(
        detector=detector,
        live_orbits=int(_taken(saved, f"{prefix}live_orbits", ())),
        arrays={
            name: _taken(saved, f"{prefix}{name}", shape)
            for block in blocks
            for name, shape in block.shapes(detector).items()
        },
        blocks=tuple(blocks),
    )


def table_state(table: WindowTable, prefix: str) -> dict[str, Array]:
    """Return the columns of ``table``."""
    named = {"epoch": table.epoch, "window": table.window, **table.columns}
    return {f"{prefix}{name}": array for name, array in named.items()}


def table_from_state(
    saved: Saved, prefix: str, detector: Detector, window_orbits: int, blocks: Sequence[Block]
) -> WindowTable:
    """Return the table that was saved.

    Raises
    ------
    StateError
        If an array is missing, or has another shape.
    """
    epoch = _taken(saved, f"{prefix}epoch", (None,))
    n, columns = len(epoch), dict[str, Array]()
    for block in blocks:
        for name, shape in block.shapes(detector).items():
            columns[name] = _taken(saved, f"{prefix}{name}", (n, *shape))
        if block.list_columns:
            shape = (n, detector.n_chambers)
            ends = _taken(saved, f"{prefix}{block.list_ends}", shape)
            columns[block.list_ends] = ends
            length = int(ends[-1, -1]) if n else 0
            for name, dtype in block.list_columns.items():
                columns[name] = _taken(saved, f"{prefix}{name}", (length,), dtype)
    return WindowTable(
        detector=detector,
        window_orbits=window_orbits,
        epoch=epoch,
        window=_taken(saved, f"{prefix}window", (n,)),
        columns=columns,
        blocks=tuple(blocks),
    )


def _taken(
    saved: Saved,
    name: str,
    shape: tuple[int | None, ...],
    dtype: type[np.generic] = np.int64,
) -> Array:
    """Return a saved array; where ``shape`` is None, it may be of any length."""
    array = saved.get(name)
    if array is None:
        raise StateError(f"saved state: found no {name}, expected shape {shape}")
    fits = array.ndim == len(shape) and all(
        length in {None, there} for length, there in zip(shape, array.shape, strict=True)
    )
    if not fits or array.dtype != dtype:
        raise StateError(
            f"saved state: {name}: found shape {array.shape} of {array.dtype},"
            f" expected {shape} of {np.dtype(dtype)}"
        )
    return array
