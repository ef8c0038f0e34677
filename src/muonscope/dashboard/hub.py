"""Broadcasting: each state is encoded once, and every viewer is sent those same bytes.

A viewer that is slower than the updates is not queued for: when it is ready it gets the
newest state, and those between are skipped. All of it runs in one event loop.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable

__all__ = ["Hub"]


class Hub:
    """The newest event of each kind, and who waits for it."""

    def __init__(self, encode: Callable[[str], bytes | None]) -> None:
        """Take what gives the bytes of an event by its kind, or None while there is none."""
        self._encode = encode
        self._kept: dict[str, bytes | None] = {}
        self._version: dict[str, int] = {}
        self._changed = asyncio.Event()
        self._closed = False
        self.viewers = 0

    def renew(self, *kinds: str) -> None:
        """Say that events of these kinds are out of date; they are encoded when asked for."""
        for kind in kinds:
            self._kept.pop(kind, None)
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

    async def events(self, *kinds: str) -> AsyncGenerator[bytes]:
        """Yield the newest events of these kinds as they change, the first ones at once."""
        self.viewers += 1
        sent = dict.fromkeys(kinds, -1)
        try:
            while not self._closed:
                changed = self._changed
                due = [k for k in kinds if sent[k] != self._version.get(k, 0)]
                sent |= {k: self._version.get(k, 0) for k in due}
                parts = [part for part in map(self.event, due) if part is not None]
                if parts:
                    yield b"".join(parts)
                else:
                    await changed.wait()
        finally:
            self.viewers -= 1
