"""A run from somebody's file as a view to compare with; nothing of it is kept.

Results are added up as those of ``--reference`` are: of several runs the newest counts, and
each window once. Nothing that comes is believed: the first line that is no result of this
detector ends it, and is named. No message is kept, so that memory does not grow with the file.
"""

from collections.abc import Iterator
from typing import Any, get_args, get_origin

import msgspec
import numpy as np
import numpy.typing as npt

from muonscope.dashboard import contract
from muonscope.dashboard.documents import view_document
from muonscope.detector import Detector
from muonscope.errors import FormatError
from muonscope.results.read_message import MAX_MESSAGE_BYTES
from muonscope.results.store import ResultStore

__all__ = ["ResultSum", "read_view"]


class ResultSum:
    """Adds up results as their bytes come; what it holds does not grow with them."""

    def __init__(self, detector: Detector) -> None:
        """Begin before the first byte of results of ``detector``."""
        self._store = ResultStore(detector, history_s=0.0, history_bytes=0)
        self._rest = bytearray()
        self._line = 0

    def feed(self, data: bytes) -> None:
        """Take the next bytes.

        Raises
        ------
        FormatError
            If a line is no result of the detector; the text begins with its number.
        """
        for line in self._lines(data):
            self._take(line)

    def view(self) -> contract.View:
        """Return the view of the run, once all bytes came.

        Raises
        ------
        FormatError
            If the last line is no result, or there was no window.
        """
        if self._rest:
            self._take(bytes(self._rest))
            self._rest.clear()
        view = self._store.view("run")
        if view is None:
            raise FormatError(f"found no window in {self._line:,} lines, expected results")
        return view_document(view)

    def _lines(self, data: bytes) -> Iterator[bytes]:
        *lines, rest = data.split(b"\n")
        for line in lines:
            yield bytes(self._rest) + line
            self._rest.clear()
        self._rest += rest
        if len(self._rest) > MAX_MESSAGE_BYTES:  # refused before all of it is there
            yield bytes(self._rest)

    def _take(self, line: bytes) -> None:
        self._line += 1
        if len(line) <= MAX_MESSAGE_BYTES and not line.strip():
            return
        try:
            self._store.take(line)
        except FormatError as exc:
            raise FormatError(f"line {self._line:,}: {exc}") from exc


def read_view(data: bytes, detector: Detector) -> contract.View:
    """Return the view document that ``data`` is, such as the page saves it.

    Raises
    ------
    FormatError
        If it is none, or of another detector.
    """
    try:
        view = msgspec.json.decode(data, type=contract.View, dec_hook=_column)
    except contract.NOT_JSON as exc:
        raise FormatError(f"found no view document: {exc}") from exc
    if view.detector != detector.name:
        raise FormatError(f"detector: found {view.detector[:80]!r}, expected {detector.name!r}")
    if not view.live_s > 0:
        raise FormatError(f"live_s: found {view.live_s}, expected more: there is nothing in it")
    return view


def _column(kind: Any, value: Any) -> npt.NDArray[Any]:
    """Return a column of numbers from a list."""
    assert np.ndarray in {kind, get_origin(kind)}, get_args(kind)
    if not isinstance(value, list) or not all(type(n) in {int, float} for n in value):
        raise ValueError("expected a list of numbers")
    if any(type(n) is float for n in value):
        return np.array(value, np.float64)
    try:
        return np.array(value, np.int64)
    except OverflowError as exc:
        raise ValueError("expected numbers of 64 bits") from exc
