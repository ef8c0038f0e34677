"""Ledgers for files and streams: results, and the state that follows from them."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from muonscope.errors import SinkError
from muonscope.transports.base import Published, Rejected, State
from muonscope.transports.sinks import FileSink
from muonscope.transports.state import StateStore

__all__ = ["FileLedger", "StatelessLedger", "StreamLedger", "results_path", "standard_output"]

_POSITION = "sink"
"""Key of the state under which the length of the file of results is kept."""


def results_path(destination: str) -> Path | None:
    """Return the file that results go to, or None for standard output."""
    if destination == "-":
        return None
    path = Path(destination)
    return path if path.suffix == ".jsonl" else path / "windows.jsonl"


class FileLedger:
    """A file of results, and where there is one a folder with the state of the run.

    The file is forced to the disk before the state that counts on it is replaced. What
    was published after the last commit is cut off when the run goes on.
    """

    can_cut_back = True

    def __init__(self, path: Path, store: StateStore | None = None, *, force: bool = False) -> None:
        """Touch nothing yet; ``force`` says that a file that is there is overwritten."""
        self._path, self._store, self._force = path, store, force
        self._file: FileSink | None = None
        self._position: int | None = None

    @property
    def keeps_state(self) -> bool:
        """Whether there is a folder for the state."""
        return self._store is not None

    def load(self) -> State | None:
        """Return the state that was committed last, or None.

        Raises
        ------
        StateError
            If it is damaged.
        """
        saved = self._store.load() if self._store else None
        if saved is not None:
            self._position = saved[0].get(_POSITION)
        return saved

    def begin(self, *, fresh: bool) -> None:
        """Open the file, empty, or cut back to where the state that was loaded stands.

        Raises
        ------
        SinkExistsError
            If it is there already, has something in it, and ``force`` was not given.
        SinkError
            If it cannot be written, or is shorter than the state says.
        """
        self._file = FileSink(
            self._path,
            force=self._force,
            empty_ok=self.keeps_state,
            resume_at=None if fresh else self._position,
        )

    def publish(self, messages: Sequence[Published]) -> None:
        """Append messages.

        Raises
        ------
        SinkError
            If the disk is full or fails.
        """
        self._open_file.publish(messages)

    def reject(self, rejected: Sequence[Rejected]) -> None:
        """Leave them: the account of the run counts them, and their source is a file, too."""

    def commit(self, state: State | None) -> None:
        """Force the results to the disk, then replace the state.

        Raises
        ------
        SinkError, StateError
            If one of them cannot be written.
        """
        position = self._open_file.sync()
        if state is not None and self._store:
            meta, arrays = state
            self._store.save({**meta, _POSITION: position}, arrays)

    def close(self) -> None:
        """Close the file and let go of the folder."""
        if self._file:
            self._file.close()
        if self._store:
            self._store.close()

    @property
    def _open_file(self) -> FileSink:
        if self._file is None:
            raise ValueError("a ledger takes nothing before begin()")
        return self._file


class StatelessLedger:
    """What ledgers have in common that pass on at once all that they publish."""

    keeps_state = False
    can_cut_back = False

    def load(self) -> State | None:
        """Return nothing."""
        return None

    def begin(self, *, fresh: bool) -> None:
        """Do nothing: it is open."""

    def reject(self, rejected: Sequence[Rejected]) -> None:
        """Leave them: the account of the run counts them."""

    def commit(self, state: State | None) -> None:
        """Do nothing: what was published is out."""

    def close(self) -> None:
        """Do nothing: there is nothing to let go of."""


class StreamLedger(StatelessLedger):
    """An open stream, such as standard output; it is never closed."""

    def __init__(self, file: BinaryIO) -> None:
        """Take an open binary file."""
        self._file = file

    def publish(self, messages: Sequence[Published]) -> None:
        """Write messages.

        Raises
        ------
        SinkError
            If the stream fails; a closed pipe stays a BrokenPipeError.
        """
        try:
            for message in messages:
                self._file.write(message.data)
            self._file.flush()
        except BrokenPipeError:
            raise
        except OSError as exc:
            raise SinkError(f"standard output: cannot be written: {exc.strerror or exc}") from exc


def standard_output() -> BinaryIO:
    """Return standard output as a stream of bytes.

    Raises
    ------
    SinkError
        If it is closed, or takes text alone, as in a notebook.
    """
    stream: BinaryIO | None = getattr(sys.stdout, "buffer", None)
    if stream is None:
        why = "is closed" if sys.stdout is None else "takes no bytes here"
        raise SinkError(f"standard output {why}; name a destination")
    return stream
