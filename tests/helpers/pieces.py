"""Files that change, and the pieces that sources give of them."""

import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from muonscope.transports.base import FilePosition, Piece

__all__ = ["NOBODY", "append", "as_nobody", "contents", "nothing", "places"]

NOBODY = 65_534


def contents(pieces: Sequence[Piece]) -> list[bytes]:
    """Return the bytes of each stream, in the order of the streams' begin."""
    streams: dict[str, bytes] = defaultdict(bytes)
    for piece in pieces:
        if not piece.error:
            streams[piece.key] += piece.data
    return list(streams.values())


def places(pieces: Sequence[Piece], *, ended: bool = False) -> dict[str, FilePosition]:
    """Return how far each stream was read, as a run saves it."""
    return {
        p.key: FilePosition(restart=p.read, read=p.read, mark=p.mark, ended=p.ended and ended)
        for p in pieces
        if not p.error
    }


def append(path: Path, data: bytes) -> Callable[[], None]:
    """Return what appends to a file."""

    def happen() -> None:
        with path.open("ab") as file:
            file.write(data)

    return happen


def nothing() -> None:
    """Let time pass."""


@contextmanager
def as_nobody() -> Iterator[None]:
    """Lose the rights of root, if there are any."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(before)
