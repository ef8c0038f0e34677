"""Gzip and zstd, told by their first bytes; several frames in a row are one stream.

What a damaged or cut stream gave up to the damage is kept; the rest is one reject.
Input is taken in small slices so that a bomb cannot fill the memory at once.
"""

import zlib
from collections.abc import Iterator
from typing import Protocol

import zstandard

__all__ = ["Decompressor", "compression_of"]

_MAGIC = {"gzip": b"\x1f\x8b", "zstd": b"\x28\xb5\x2f\xfd"}
_SLICE = 1 << 14
_GZIP_WINDOW = 31


def compression_of(first: bytes) -> str | None:
    """Return ``"gzip"``, ``"zstd"``, or None for data that begins with ``first``."""
    return next((name for name, magic in _MAGIC.items() if first.startswith(magic)), None)


class _Frame(Protocol):
    eof: bool
    unused_data: bytes

    def decompress(self, data: bytes) -> bytes: ...


class Decompressor:
    """Turns compressed bytes into plain ones, piece by piece."""

    def __init__(self, name: str) -> None:
        """Expect ``"gzip"`` or ``"zstd"``."""
        self._name = name
        self._frame: _Frame | None = None
        self._between = b""
        self.damage: bytes | None = None
        """The bytes at which the stream is damaged; None while it is well."""

    @property
    def complete(self) -> bool:
        """Whether the stream may end here: no frame is open, nothing is damaged."""
        return self._frame is None and self.damage is None and not self._between

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what ``data`` gives, in pieces."""
        for at in range(0, len(data), _SLICE):
            if self.damage is None:
                yield from self._feed_slice(data[at : at + _SLICE])

    def _feed_slice(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self._frame is None:
                data, self._between = self._between + data, b""
                magic = _MAGIC[self._name]
                if not data.startswith(magic):
                    if magic.startswith(data):
                        self._between = data
                    elif data.strip(b"\0"):
                        self.damage = data
                    return
                self._frame = self._new_frame()
            try:
                piece = self._frame.decompress(data)
            except (zlib.error, zstandard.ZstdError):
                self.damage = data
                return
            data = b""
            if self._frame.eof:
                data, self._frame = self._frame.unused_data, None
            if piece:
                yield piece

    def _new_frame(self) -> _Frame:
        if self._name == "gzip":
            return zlib.decompressobj(_GZIP_WINDOW)
        frame: _Frame = zstandard.ZstdDecompressor().decompressobj()
        return frame
