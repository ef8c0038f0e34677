"""Which files run side by side, as streams of their own, by what their ends tell.

Pure. Files of different boards have no FPGA in common and overlap in orbits: each board writes its
own sequence of files. Part files, by their names, share the FPGAs of one stream: they run side by
side if they overlap by more than half of the shorter one, and follow each other if not. Everything
else, and whatever is not known (no hits, a reset of the counter), is one sequence.
"""

import re
from collections.abc import Sequence
from pathlib import PurePath

import numpy as np
import numpy.typing as npt

from muonscope.intake.file_facts import FileFacts

__all__ = ["is_part", "streams_of"]

_PART = re.compile(r"part[-_.]?(?:[rm]-)?\d+", re.IGNORECASE)
"""Names of files that Spark, Hadoop, Dask and Arrow write side by side."""

_SIDE_BY_SIDE = 0.5
_SPANS = 2


def is_part(name: str) -> bool:
    """Tell whether a file is by its name one of several that a cluster wrote.

    Examples
    --------
    >>> is_part("run/part-00003-0c9e.snappy.parquet"), is_part("run/partial.dat")
    (True, False)
    """
    return _PART.match(PurePath(name).name) is not None


def streams_of(files: Sequence[FileFacts]) -> tuple[tuple[str, ...], ...]:
    """Return the names of ``files``, which are in order, by stream.

    A file that was begun stays in its stream, so some may be empty.
    """
    numbers = _numbers(files)
    streams: list[list[str]] = [[] for _ in range(int(max(numbers, default=-1)) + 1)]
    for number, facts in zip(numbers, files, strict=True):
        streams[number].append(facts.name)
    return tuple(map(tuple, streams))


def _numbers(files: Sequence[FileFacts]) -> list[int]:
    """Return the number of the stream of each file."""
    n = len(files)
    numbers = np.full(n, -1, np.int64)
    boards = np.array([sum(1 << f for f in facts.fpgas) for facts in files], np.uint64)
    spans = np.array([_spans(facts) for facts in files], np.int64).reshape(n, _SPANS, 2)
    folders: dict[PurePath, int] = {}
    parts = np.array([_folder(facts, folders) for facts in files], np.int64)
    if n and np.bitwise_and.reduce(boards) and (parts < 0).all():
        return [facts.stream or 0 for facts in files]
    length = (spans[..., 1] - spans[..., 0]).clip(0).sum(axis=1)
    for i, facts in enumerate(files):
        if facts.stream is not None:
            numbers[i] = facts.stream
            continue
        placed = np.flatnonzero(numbers >= 0)
        common = boards[placed] & boards[i]
        overlap = _overlap(spans[placed], spans[i])
        apart = (overlap >= 0) & (common == 0) & (boards[placed] != 0) & (boards[i] != 0)
        shorter = np.minimum(length[placed], length[i])
        apart |= (
            (parts[placed] == parts[i]) & (parts[i] >= 0)
            & (common != 0) & (overlap > _SIDE_BY_SIDE * shorter)
        )  # fmt: skip
        numbers[i] = _stream(numbers[placed], apart, common != 0, is_part=parts[i] >= 0)
    return [int(number) for number in numbers]


def _stream(
    numbers: npt.NDArray[np.int64],
    apart: npt.NDArray[np.bool_],
    akin: npt.NDArray[np.bool_],
    *,
    is_part: bool,
) -> int:
    """Return the stream for a file beside those that have ``numbers``.

    ``apart`` are those that it runs beside, ``akin`` those with which it shares an FPGA.
    """
    free = ~np.isin(numbers, numbers[apart])
    if (free & akin).any():
        candidates = numbers[free & akin]
        # a board goes on where it stood last; the parts of one job follow any of another
        return int(candidates.min() if is_part else candidates[-1])
    if len(numbers) and not apart.any():
        return int(numbers[-1])
    return int(numbers.max(initial=-1)) + 1


def _spans(facts: FileFacts) -> list[tuple[int, int]]:
    return [*facts.spans, (0, -1), (0, -1)][:_SPANS]


def _folder(facts: FileFacts, folders: dict[PurePath, int]) -> int:
    """Return a number for the folder of a part file, -1 for all others."""
    if not is_part(facts.name):
        return -1
    return folders.setdefault(PurePath(facts.name).parent, len(folders))


def _overlap(many: npt.NDArray[np.int64], one: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return by how many orbits files overlap with one, -1 where they do not; shape (n,)."""
    begin = np.maximum(many[:, :, None, 0], one[None, None, :, 0])
    end = np.minimum(many[:, :, None, 1], one[None, None, :, 1])
    empty = (many[:, :, None, 1] < 0) | (one[None, None, :, 1] < 0)
    common = np.where(empty, -1, end - begin)
    overlap: npt.NDArray[np.int64] = common.max(axis=(1, 2), initial=-1)
    return overlap
