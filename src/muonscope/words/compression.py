"""Gzip, zstd, xz and bzip2, told by their first bytes; frames in a row are one stream.

What a damaged or cut stream gave up to the slice with the damage is kept; the rest is one
reject. Input is taken in slices at fixed places, so that the result never depends on how
it came, and so small that a bomb cannot fill the memory: 512 bytes of zstd can hold 128
blocks of 128 KiB, and gzip expands by 1032 at most; xz and bzip2, which expand further,
give their output a megabyte at a time. Zeros between frames are padding.
"""

import bz2
import lzma
import zlib
from collections.abc import Iterable, Iterator
from typing import Protocol

import zstandard

__all__ = ["MAGIC_BYTES", "Decompressor", "compression_of"]

_MAGIC = {
    "gzip": b"\x1f\x8b", "zstd": b"\x28\xb5\x2f\xfd", "xz": b"\xfd7zXZ\0", "bzip2": b"BZh",
}  # fmt: skip
MAGIC_BYTES = max(map(len, _MAGIC.values()))
"""How many bytes tell the compression."""

_SLICE = 1 << 9
_ENOUGH = 1 << 20
_GZIP_WINDOW = 31
_XZ_MEMORY_BYTES = 1 << 28
"""More than any preset of xz needs (65 MB); a header that asks for more is damage."""


def compression_of(first: bytes) -> str | None:
    """Return the compression of data that begins with ``first``: a name, or None."""
    return next((name for name, magic in _MAGIC.items() if first.startswith(magic)), None)


class _Frame(Protocol):
    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, /) -> bytes: ...


class _Bounded:
    """A frame of xz or bzip2, which gives as much as it is asked for."""

    def __init__(self, frame: lzma.LZMADecompressor | bz2.BZ2Decompressor) -> None:
        self._frame = frame

    @property
    def eof(self) -> bool:
        return self._frame.eof

    @property
    def unused_data(self) -> bytes:
        return self._frame.unused_data

    @property
    def has_more(self) -> bool:
        """Whether it gives more without more input."""
        return not (self._frame.eof or self._frame.needs_input)

    def decompress(self, data: bytes, /) -> bytes:
        return self._frame.decompress(data, _ENOUGH)


class Decompressor:
    """Turns compressed bytes into plain ones, piece by piece."""

    def __init__(self, name: str) -> None:
        """Expect ``"gzip"``, ``"zstd"``, ``"xz"`` or ``"bzip2"``."""
        self._name = name
        self._frame: _Frame | None = None
        self._between, self._slice = b"", b""
        self.damage: bytes | None = None
        """The bytes at which the stream is damaged; None while it is well."""

    @property
    def complete(self) -> bool:
        """Whether the stream may end here: no frame is open, nothing is damaged."""
        return self._frame is None and self.damage is None and not self._between

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what ``data`` gives, in pieces."""
        data = self._slice + data
        whole = len(data) // _SLICE * _SLICE
        self._slice = data[whole:]
        yield from self._gathered(data[at : at + _SLICE] for at in range(0, whole, _SLICE))

    def finish(self) -> Iterator[bytes]:
        """Yield what the last, incomplete slice gives."""
        rest, self._slice = self._slice, b""
        yield from self._gathered([rest])

    def _gathered(self, slices: Iterable[bytes]) -> Iterator[bytes]:
        """Yield what ``slices`` give, joined to pieces of about a megabyte."""
        pieces, size = [], 0
        for data in slices:
            for piece in self._feed_slice(data) if self.damage is None else ():
                pieces.append(piece)
                size += len(piece)
                if size >= _ENOUGH:
                    yield b"".join(pieces)
                    pieces, size = [], 0
        if pieces:
            yield b"".join(pieces)

    def _feed_slice(self, data: bytes) -> Iterator[bytes]:
        while data or (isinstance(self._frame, _Bounded) and self._frame.has_more):
            if self._frame is None:
                data, self._between = (self._between + data).lstrip(b"\0"), b""
                magic = _MAGIC[self._name]
                if not data.startswith(magic):
                    if magic.startswith(data):
                        self._between = data
                    else:
                        self.damage = data
                    return
                self._frame = self._new_frame()
            try:
                piece = self._frame.decompress(data)
            except (zlib.error, zstandard.ZstdError, lzma.LZMAError, OSError):
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
        if self._name == "xz":
            return _Bounded(lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY_BYTES))
        if self._name == "bzip2":
            return _Bounded(bz2.BZ2Decompressor())
        frame: _Frame = zstandard.ZstdDecompressor().decompressobj()
        return frame
