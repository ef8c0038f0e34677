"""Local files as sources while they grow, and new ones as they appear."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import Protocol

from muonscope.transports.base import FilePosition, Piece, Turn
from muonscope.transports.files import OpenFile, error_of, shown, size_of

__all__ = ["Admission", "AdmitAll", "FollowSource", "Refusal"]

_Looks = tuple[int, int, int, int]
"""Device, inode, size and time of change."""

_SETTLE_S = 1.0
"""A file that has not changed for so long, s, has ended where a later one is there."""

_ASK_AGAIN_S = 1.0
"""Time after which a file that is not read is asked about again though it has not changed, s."""


class Refusal(Enum):
    """Why a file is not read."""

    NOT_YET = 1
    """It is too short to tell whether it is to be read."""
    LEFT_OUT = 2
    """What it holds so far is read from another file."""


class Admission(Protocol):
    """Decides which files are read while they grow."""

    def turn(self, path: Path, begun: int | None, *, final: bool) -> Turn | Refusal:
        """Return how a file is read, or why it is not.

        ``begun`` is the stream in which it was begun by an earlier run: then it is read on. Asked
        again and again until the answer is yes; ``final`` says that it is the last time.
        """

    def replaced(self, path: Path, read: int) -> None:
        """Take note that another file is at ``path``; ``read`` bytes of the former were read."""


class AdmitAll:
    """Lets every file be read from its start, in one stream."""

    def turn(self, path: Path, begun: int | None, *, final: bool) -> Turn:  # noqa: ARG002
        """Return that it is read."""
        return Turn(name=str(path))

    def replaced(self, path: Path, read: int) -> None:
        """Do nothing."""


class FollowSource:
    """Reads files as they are written, and new ones as they appear, until told to stop.

    A file is taken to be ended when a later one is there and it has not changed for
    a second; if it grows all the same, what is new is read. ``list_files`` is asked
    at each poll; ``clock`` gives wall time in s, ``wait`` sleeps.
    """

    poll_s = 0.2
    """Time between two polls, s."""

    def __init__(
        self,
        list_files: Callable[[], Sequence[Path]],
        *,
        clock: Callable[[], float],
        wait: Callable[[float], None],
        idle_exit_s: float | None = None,
        known: Mapping[str, FilePosition] | None = None,
        admission: Admission | None = None,
    ) -> None:
        """Begin where ``known`` says; ``admission`` decides what is read, by default all."""
        self._list_files, self._clock, self._wait = list_files, clock, wait
        self._idle_exit_s, self._known = idle_exit_s, dict(known or {})
        self._admission = admission or AdmitAll()
        self._turns: dict[str, Turn] = {}
        self._refused: dict[Path, tuple[_Looks, float]] = {}
        self._short: set[Path] = set()
        self._keys: dict[Path, str] = {}
        self._held: frozenset[int] = frozenset()
        self._reading: dict[str, Piece] = {}
        self._failed: set[Path] = set()
        self._begun: set[Path] = set()
        self._ended: dict[Path, _Looks] = {}
        self._waiting: dict[Path, float] = {}

    def size(self) -> int:
        """Return the bytes of all files that are there now and are read."""
        return size_of(path for path in self._list_files() if path not in self._refused)

    @property
    def streams(self) -> int:
        """Number of streams that run side by side, as far as files have come."""
        return 1 + max((turn.stream for turn in self._turns.values()), default=0)

    def hold(self, streams: Collection[int]) -> None:
        """Give no more of some streams until the next call."""
        self._held = frozenset(streams)

    def pieces(self) -> Iterator[Piece]:
        """Yield what is new, for ever or until nothing came for ``idle_exit_s``."""
        quiet_since = self._clock()
        self._recall()
        while True:
            news = False
            for piece in self._poll():
                news = news or bool(piece.data) or piece.idle
                if not piece.idle:
                    yield piece
            now = self._clock()
            if news:
                quiet_since = now
            elif self._idle_exit_s is not None and now - quiet_since >= self._idle_exit_s:
                break
            yield Piece(key="", name="", idle=True)
            if not self._held:
                self._wait(self.poll_s)
        for path in self._list_files():
            if self._refused.pop(path, None):
                yield from self._read(path, has_later=False, final=True)
        for piece in self._reading.values():
            yield replace(piece, data=b"", ended=True)

    def _recall(self) -> None:
        """Let the files that an earlier run began have their turns before all others."""
        for path in self._list_files() if self._known else ():
            with suppress(OSError):
                if path.is_file():
                    with path.open("rb") as handle:
                        file = OpenFile(path, handle, self._known)
                        if file.key in self._known:
                            self._turn(file, final=False)

    def _poll(self) -> Iterator[Piece]:
        """Yield what is new in all files, and an idle piece where something was made to wait."""
        files = list(self._list_files())
        for path in files if not self._begun else ():
            self._look(path)
        for place, path in enumerate(files):
            if self._must_wait(path, files[:place]):
                yield Piece(key="", name="", idle=True)
                break
            self._begun.add(path)
            later = any(file not in self._refused for file in files[place + 1 :])
            yield from self._read(path, has_later=later)
            if later and path in self._short and self._waits(path):
                yield Piece(key="", name="", idle=True)
                break

    def _look(self, path: Path) -> None:
        """Find out in which stream a new file is, before it is read."""
        with suppress(OSError):
            if path.is_file():
                with path.open("rb") as handle:
                    self._turn(OpenFile(path, handle, self._known), final=False)

    def _stream_of(self, path: Path) -> int:
        turn = self._turns.get(self._keys.get(path, ""))
        return turn.stream if turn else 0

    def _must_wait(self, path: Path, earlier: Sequence[Path]) -> bool:
        """Tell whether a new file comes too early: those of its stream are not ended yet.

        It waits twice the time in which they would be taken to be ended, and no longer,
        for a DAQ may write several files at once.
        """
        if path in self._begun:
            return False
        self._look(path)
        mine = self._stream_of(path)
        unended = {piece.name for piece in self._reading.values() if piece.stream == mine}
        if not any(shown(file) in unended for file in earlier):
            return False
        return self._waits(path)

    def _waits(self, path: Path) -> bool:
        """Tell whether something waits for ``path`` for less than the time that is given to it."""
        since = self._waiting.setdefault(path, self._clock())
        return self._clock() - since < 2 * _SETTLE_S

    def _read(self, path: Path, *, has_later: bool, final: bool = False) -> Iterator[Piece]:
        try:
            status = path.stat()
            looks = status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
            if self._is_known(path, looks) or not path.is_file():
                return
            with path.open("rb") as handle:
                file = OpenFile(path, handle, self._known)
                turn = self._turn(file, final=final)
                self._short.discard(path)
                if isinstance(turn, Refusal):
                    self._refused[path] = looks, self._clock()
                    if turn is Refusal.NOT_YET and file.size:
                        self._short.add(path)
                    return
                self._refused.pop(path, None)
                if turn.stream in self._held:
                    yield Piece(key="", name="", idle=True)
                    return
                yield from self._new(file, turn)
                if has_later and self._clock() - file.changed >= _SETTLE_S:
                    yield from self._end(file)
                if file.key not in self._reading and file.size == status.st_size:
                    self._ended[path] = looks
        except FileNotFoundError:
            return
        except OSError as exc:
            if path not in self._failed:
                self._failed.add(path)
                yield Piece(key=shown(path), name=shown(path), error=error_of(path, exc))

    def _is_known(self, path: Path, looks: _Looks) -> bool:
        """Tell whether there is nothing new to find out about a file."""
        before, asked_s = self._refused.get(path, (None, 0.0))
        asked = looks == before and self._clock() - asked_s < _ASK_AGAIN_S
        return asked or looks == self._ended.get(path)

    def _turn(self, file: OpenFile, *, final: bool) -> Turn | Refusal:
        """Return how a file is read, or why it is not."""
        if file.key not in self._turns:
            before = self._keys.get(file.path)
            if before is not None and before != file.key:
                del self._keys[file.path]
                self._admission.replaced(file.path, self._known[before].read)
            place = self._known.get(file.key)
            turn = self._admission.turn(file.path, place.stream if place else None, final=final)
            if isinstance(turn, Refusal):
                return turn
            self._turns[file.key] = turn
        self._keys[file.path] = file.key
        return self._turns[file.key]

    def _new(self, file: OpenFile, turn: Turn) -> Iterator[Piece]:
        """Yield what is new in a file."""
        begun, resumed = file.key in self._known, file.key not in self._reading
        start, resume = turn.restart, turn.resume
        if begun:
            start, resume = file.place.restart if resumed else file.place.read, {}
        if file.size > file.place.read or (resumed and not file.place.ended):
            for piece in file.pieces(start):
                given = replace(piece, stream=turn.stream, resume=resume)
                self._remember(given)
                yield given
                if turn.stream in self._held:
                    return

    def _end(self, file: OpenFile) -> Iterator[Piece]:
        """Yield the end of a file that is being read."""
        if file.key in self._reading and self._known[file.key].read >= file.size:
            last = self._reading.pop(file.key)
            self._known[file.key] = replace(
                self._known[file.key], ended=True, restart=file.restart(last.read)
            )
            yield replace(last, data=b"", ended=True)

    def _remember(self, piece: Piece) -> None:
        self._reading[piece.key] = piece
        self._known[piece.key] = FilePosition(
            restart=piece.read, read=piece.read, mark=piece.mark, ended=False, stream=piece.stream
        )
