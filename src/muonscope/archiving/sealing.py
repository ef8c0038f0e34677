"""Sealing: the journals of an hour become a file of windows, and only then go.

Whatever moment a crash comes at, sealing again ends the same: a window that stands in the sealed
file already is left out, and a journal goes only after the file with its windows has its name.
"""

import io
from collections.abc import Sequence
from contextlib import closing
from itertools import chain
from pathlib import Path

from muonscope.archiving.folders import Part, RunFolder
from muonscope.archiving.journal import Journal, read_journal
from muonscope.archiving.minutes_file import hours_of, read_minutes, write_minutes
from muonscope.archiving.run_file import remove_files, write_whole
from muonscope.archiving.windows_file import (
    SealedWindows,
    joined_windows,
    write_windows,
)
from muonscope.archiving.windows_table import windows_table
from muonscope.counting.block import Block
from muonscope.detector import Detector
from muonscope.errors import FormatError

__all__ = ["rebuild_minutes", "seal"]


def seal(
    folder: RunFolder, part: Part, detector: Detector, blocks: Sequence[Block], *,
    last: tuple[int, int] | None = None,
) -> None:  # fmt: skip
    """Seal the windows that the journals of a part hold; the run must be locked.

    Those after ``last``, epoch and window, stay in a journal: they may be taken back.

    Raises
    ------
    SinkError
        If the disk is full or fails; all is as before then.
    FormatError
        If a journal, or what was sealed of the part before, is damaged.
    """
    journals, path = folder.journals().get(part, []), folder.sealed_file(part)
    if not journals:
        return
    old = SealedWindows.read(path, detector, blocks) if path.exists() else None
    there = set(old.places) if old else set[tuple[int, int]]()
    first_piece = 1 + int(old.numbers("piece").max()) if old and len(old) else 0
    left = _left(folder, part, journals, last) if last else set[tuple[int, int]]()
    fresh = (
        window for window in chain.from_iterable(map(read_journal, journals))
        if window.place not in there and window.place not in left
        and not (old and old.is_thinned)
    )  # fmt: skip
    table = windows_table(fresh, detector, blocks, first_piece=first_piece)
    if table.num_rows:
        whole = joined_windows([old.table, table]) if old else table
        buffer = io.BytesIO()
        write_windows(whole, buffer)
        write_whole(path, buffer.getvalue())
    if path.exists():
        _write_minutes(folder, part, SealedWindows.read(path, detector, blocks))
    remove_files(journals)


def _left(
    folder: RunFolder, part: Part, journals: Sequence[Path], last: tuple[int, int]
) -> set[tuple[int, int]]:
    """Put the windows after ``last`` into a journal of their own; return their places."""
    told = chain.from_iterable(read_journal(path, lists=True) for path in journals)
    windows = [window for window in told if window.place > last]
    if windows:
        with closing(Journal(folder.new_journal(part))) as journal:
            for window in windows:
                journal.put(window)
            journal.sync()
    return {window.place for window in windows}


def _write_minutes(folder: RunFolder, part: Part, sealed: SealedWindows) -> None:
    try:
        write_minutes(folder, part, sealed.pieces())
    except FormatError:  # they are made of the windows, which are there
        rebuild_minutes(folder, sealed.detector, sealed.blocks)


def rebuild_minutes(folder: RunFolder, detector: Detector, blocks: Sequence[Block]) -> list[str]:
    """Make all minutes of a run again from its sealed windows.

    Those of an hour that was thinned stay: its windows may tell less than they do. Return what
    is damaged of the windows, in words.

    Raises
    ------
    SinkError
        If they cannot be written.
    """
    kept = set[Part]()
    for path in folder.minutes():
        try:
            kept |= hours_of(read_minutes([path])).keys()
        except FormatError:
            remove_files([path])
    damaged = []
    for part, path in folder.sealed().items():
        try:
            sealed = SealedWindows.read(path, detector, blocks)
        except FormatError as exc:
            damaged.append(str(exc))
            continue
        if not (sealed.is_thinned and part in kept):
            write_minutes(folder, part, sealed.pieces())
    return damaged
