"""Broadcasting: each state is encoded once, and every viewer is sent those same bytes.

A viewer that is slower than the updates is not queued for: when it is ready it gets the
newest state, and those between are skipped. All of it runs in one event loop.

A state is packed once as well: each one is deflated by itself and ends at a full flush, so that
any sequence of them, behind one header, is a gzip stream (RFC 1951, 3.2.3; RFC 1952) to whoever
joins at whatever time. Such a stream has no end, and therefore no checksum.
"""

import asyncio
import zlib
from collections.abc import AsyncGenerator, Callable

__all__ = ["GZIP_HEADER", "Hub"]

GZIP_HEADER = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
"""What a packed stream begins with."""

_LEVEL = 6


class Hub:
    """The newest event of each kind, and who waits for it."""

    def __init__(self, encode: Callable[[str], bytes | None]) -> None:
        """Take what gives the bytes of an event by its kind, or None while there is none."""
        self._encode = encode
        self._kept: dict[str, bytes | None] = {}
        self._packed: dict[str, bytes] = {}
        self._version: dict[str, int] = {}
        self._changed = asyncio.Event()
        self._closed = False
        self.viewers = 0

    def renew(self, *kinds: str) -> None:
        """Say that events of these kinds are out of date; they are encoded when asked for."""
        for kind in kinds:
            self._kept.pop(kind, None)
            self._packed.pop(kind, None)
            self._version[kind] = self._version.get(kind, 0) + 1
        self._wake()

    def close(self) -> None:
        """Let all viewers go."""
        self._closed = True
        self._wake()

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def event(self, kind: str) -> bytes | None:
        """Return the newest event of a kind, encoded at most once."""
        if kind not in self._kept:
            self._kept[kind] = self._encode(kind)
        return self._kept[kind]

    def packed(self, kind: str) -> bytes | None:
        """Return the newest event of a kind, packed at most once."""
        event = self.event(kind)
        if event is None:
            return None
        if kind not in self._packed:
            deflate = zlib.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
            self._packed[kind] = deflate.compress(event) + deflate.flush(zlib.Z_FULL_FLUSH)
        return self._packed[kind]

    async def events(self, *kinds: str, packed: bool = False) -> AsyncGenerator[bytes]:
        """Yield the newest events of these kinds as they change, the first ones at once."""
        self.viewers += 1
        get = self.packed if packed else self.event
        sent = dict.fromkeys(kinds, -1)
        try:
            while not self._closed:
                changed = self._changed
                due = [k for k in kinds if sent[k] != self._version.get(k, 0)]
                sent |= {k: self._version.get(k, 0) for k in due}
                parts = [part for part in map(get, due) if part is not None]
                if parts:
                    yield b"".join(parts)
                else:
                    await changed.wait()
        finally:
            self.viewers -= 1
