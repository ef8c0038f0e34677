"""Archiving what a dashboard shows: noted as it is judged, written where nobody waits for it.

An archive that cannot be written stops no dashboard: people are told, what comes meanwhile is
counted as missing, and it is tried again with the next window.
"""

import time
from collections.abc import Sequence

from muonscope.archiving.archivist import Archivist, Noted
from muonscope.errors import MuonscopeError
from muonscope.events import Event, EventKind, Tell
from muonscope.quality.judge import Judge
from muonscope.quality.verdict import Change
from muonscope.results.read_message import Remainder, Result

__all__ = ["Keeper"]

_SYNC_S = 2.0


class Keeper:
    """Takes notes in one thread, and writes them to an archive in the same, later."""

    def __init__(self, archivist: Archivist, path: str, tell: Tell) -> None:
        """Begin with nothing to write."""
        self._archivist, self._path, self._tell = archivist, path, tell
        self._noted: list[Noted] = []
        self._missing, self._synced, self._over = 0, time.monotonic(), False
        self._failing = self._refused = False

    def note(self, result: Result, at: float, judge: Judge, changes: Sequence[Change]) -> None:
        """Take note of a result that was just judged: this is quick."""
        self._noted.append(Noted.of(result, at, judge, changes))

    def write(self) -> None:
        """Write what was noted; make it durable every two seconds, and seal what is over."""
        noted, self._noted = self._noted, []
        for one in noted:
            try:
                self._archivist.take(one)
            except MuonscopeError as exc:
                self._refused = True
                self._fail(exc, 1)
            else:
                self._refused = False
                self._over = self._over or isinstance(one.result, Remainder)
        if self._over or time.monotonic() - self._synced >= _SYNC_S:
            self._synced = time.monotonic()
            try:
                self._archivist.settle(whole=self._over)
            except MuonscopeError as exc:
                self._fail(exc, 0)
            else:
                self._over = False
                self._go_on()

    def close(self) -> None:
        """Write the rest, and let the archive go; the run may be gone on with."""
        self.write()
        try:
            self._archivist.sync()
        except MuonscopeError as exc:
            self._fail(exc, 0)
        self._archivist.close()

    def _fail(self, exc: MuonscopeError, windows: int) -> None:
        if not self._failing:
            self._tell(Event(kind=EventKind.ARCHIVE_TROUBLE, where=self._path, detail=str(exc)))
        self._failing = True
        self._missing += windows

    def _go_on(self) -> None:
        if self._failing and not self._refused:
            numbers = {"windows": self._missing}
            self._tell(Event(kind=EventKind.ARCHIVE_GOES_ON, where=self._path, numbers=numbers))
            self._missing, self._failing = 0, False
