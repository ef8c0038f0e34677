"""A folder of files that a DAQ fills one after the other: ``data_000000.dat`` and on."""

import fcntl
import os
import re
from collections.abc import Callable
from io import FileIO
from pathlib import Path

from muonscope.errors import SinkError, SinkExistsError
from muonscope.transports.writing import why, write_all
from muonscope.words.codec import Encoder
from muonscope.words.layout import Words

__all__ = ["FILE_WORDS", "RecordingFolder"]

FILE_WORDS = 1_310_720
"""Words in one file: 10,240 DMA transfers of 128 words, 10 MiB (zucchett/MiniDT)."""

_RECORDED = re.compile(r"data_[0-9]{6}\.[a-z0-9]+")


class RecordingFolder:
    """Writes words to files of at most ``file_words`` words; what is written can be read."""

    def __init__(
        self,
        folder: Path,
        ending: str,
        new_encoder: Callable[[], Encoder],
        *,
        force: bool = False,
        file_words: int = FILE_WORDS,
    ) -> None:
        """Take the folder, which is made if need be.

        Raises
        ------
        SinkExistsError
            If it holds recordings and ``force`` was not given; with it, those with the same
            ending are removed.
        SinkError
            If it cannot be written, or another process is writing it.
        """
        self._folder, self._ending, self._new_encoder = folder, ending, new_encoder
        self._file_words, self._left, self.files = file_words, 0, 0
        self._file: FileIO | None = None
        self._encoder = new_encoder()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except FileExistsError as exc:
            raise SinkError(f"{folder}: is a file; expected a folder or a new name") from exc
        except OSError as exc:
            raise self._error(exc) from exc
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._clear(force=force)
        except BlockingIOError as exc:
            os.close(self._lock)
            raise SinkError(f"{folder}: another process is writing it") from exc
        except OSError as exc:
            os.close(self._lock)
            raise self._error(exc) from exc
        except SinkError:
            os.close(self._lock)
            raise

    def write(self, words: Words) -> None:
        """Write words, to the end of one file and the start of the next if need be.

        Raises
        ------
        SinkError
            If the disk is full or fails.
        """
        try:
            while len(words):
                if self._left == 0:
                    self._next()
                n = min(len(words), self._left)
                self._put(self._encoder.encode(words[:n]))
                self._left -= n
                words = words[n:]
        except OSError as exc:
            raise self._error(exc) from exc

    def close(self) -> None:
        """End the last file.

        Raises
        ------
        SinkError
            If the disk is full or fails.
        """
        try:
            self._end()
        except OSError as exc:
            raise self._error(exc) from exc
        finally:
            os.close(self._lock)

    def _clear(self, *, force: bool) -> None:
        there = sorted(f for f in self._folder.glob("data_*") if _RECORDED.fullmatch(f.name))
        if there and not force:
            raise SinkExistsError(
                f"{there[0]}: exists already; choose another folder, or use --force"
            )
        for file in there:
            if file.suffix == self._ending:
                file.unlink()

    def _next(self) -> None:
        self._end()
        path = self._folder / f"data_{self.files:06d}{self._ending}"
        self._file, self._encoder = path.open("xb", buffering=0), self._new_encoder()
        self._put(self._encoder.begin())
        self._left = self._file_words
        self.files += 1

    def _end(self) -> None:
        if self._file:
            try:
                self._put(self._encoder.end())
            finally:
                self._file.close()
                self._file = None

    def _put(self, data: bytes) -> None:
        assert self._file
        write_all(self._file, data)

    def _error(self, exc: OSError) -> SinkError:
        return SinkError(f"{exc.filename or self._folder}: cannot be written: {why(exc)}")
