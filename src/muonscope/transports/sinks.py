"""A file of JSON lines that can be cut back."""

import fcntl
import os
import stat
from collections.abc import Sequence
from pathlib import Path

from muonscope.errors import SinkError, SinkExistsError
from muonscope.transports.base import Published
from muonscope.transports.writing import why, write_all

__all__ = ["FileSink"]


class FileSink:
    """Appends messages to a file.

    A new file must not exist unless ``force``, or ``empty_ok`` and it is empty; with
    ``resume_at`` an existing one is cut back to that position, which forgets what was
    published after the last commit.
    """

    def __init__(
        self,
        path: Path,
        *,
        force: bool = False,
        empty_ok: bool = False,
        resume_at: int | None = None,
    ) -> None:
        """Open the file.

        Raises
        ------
        SinkExistsError
            If it exists and neither ``force`` nor ``resume_at`` was given.
        SinkError
            If it cannot be written, or is shorter than ``resume_at``.
        """
        self._path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            free = force or (empty_ok and path.exists() and path.stat().st_size == 0)
            again = resume_at is not None or (free and path.exists())
            self._file = path.open("r+b" if again else "xb", buffering=0)
            self._lock()
            self._cut(resume_at or 0)
        except (FileExistsError, NotADirectoryError) as exc:
            if not path.parent.is_dir():
                raise SinkError(
                    f"{path.parent}: is a file; expected a folder or a name that ends in .jsonl"
                ) from exc
            raise SinkExistsError(
                f"{path}: exists already; choose another, or use --force"
            ) from exc
        except FileNotFoundError as exc:
            raise SinkError(
                f"{path}: is gone, but the saved state counts on {resume_at} bytes of it;"
                " restore it, or remove the --state folder to start anew"
            ) from exc
        except OSError as exc:
            raise self._error(exc) from exc

    def publish(self, messages: Sequence[Published]) -> None:
        """Append the messages.

        Raises
        ------
        SinkError
            If the disk is full or fails.
        """
        self._write(b"".join(message.data for message in messages))

    def sync(self) -> int:
        """Force everything to the disk; return the size of the file."""
        try:
            os.fsync(self._file.fileno())
            return self._file.tell()
        except OSError as exc:
            raise self._error(exc) from exc

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _write(self, data: bytes) -> None:
        try:
            write_all(self._file, data)
        except OSError as exc:
            raise self._error(exc) from exc

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            self._file.close()
            raise SinkError(f"{self._path}: another process is writing it") from exc

    def _cut(self, position: int) -> None:
        if not stat.S_ISREG(os.fstat(self._file.fileno()).st_mode):
            return
        size = self._file.seek(0, os.SEEK_END)
        if size < position:
            self._file.close()
            raise SinkError(
                f"{self._path}: has {size} bytes, but the saved state counts on {position};"
                " the file is not the one that this state belongs to"
            )
        self._file.truncate(position)
        self._file.seek(position)

    def _error(self, exc: OSError) -> SinkError:
        return SinkError(f"{self._path}: cannot be written: {why(exc)}")
