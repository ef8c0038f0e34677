"""Where a replay stands: kept on disk, so that the same command goes on exactly."""

import secrets
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from muonscope.errors import StateError
from muonscope.replaying.options import ReplayOptions
from muonscope.transports.kafka.url import KafkaUrl
from muonscope.transports.state import StateStore

__all__ = ["PositionKeeper", "ReplayPosition", "new_stream"]

_SAVE_S = 0.5


def new_stream() -> int:
    """Return a number for a stream that no other has."""
    return secrets.randbits(64)


@dataclass(slots=True)
class ReplayPosition:
    """Where a replay stands."""

    stream: int = field(default_factory=new_stream)
    """Number of the stream: what is sent again after a crash has the same."""
    acknowledged: int = 0
    """The brokers have all words below this number."""
    passes: list[tuple[int, int]] = field(default_factory=lambda: [(0, 0)])
    """First word, and orbits to add, of each time that the source was read."""

    @property
    def current(self) -> tuple[int, int]:
        """The pass that holds the first word that is not acknowledged."""
        return next(p for p in reversed(self.passes) if p[0] <= self.acknowledged)


class PositionKeeper:
    """Keeps on disk what the brokers have acknowledged, where a folder is given for it."""

    def __init__(self, options: ReplayOptions) -> None:
        """Open the folder.

        Raises
        ------
        StateError
            If another process uses it, or it is of another replay.
        """
        self._store = StateStore(Path(options.state)) if options.state else None
        topic = KafkaUrl.parse(options.to).topic
        self._same = {"sources": list(options.sources), "to": topic}
        self.position = self._load(options)
        self._next = time.monotonic() + _SAVE_S

    def _load(self, options: ReplayOptions) -> ReplayPosition:
        saved = self._store.load() if self._store else None
        if saved is None:
            return ReplayPosition()
        meta = saved[0]
        try:
            if {name: meta[name] for name in self._same} != self._same:
                raise StateError(
                    f"--state {options.state}: is of a replay of {' '.join(meta['sources'])} to"
                    f" {meta['to']}; use another folder"
                )
            passes = [(int(first), int(shift)) for first, shift in meta["passes"]]
            return ReplayPosition(int(meta["stream"]), int(meta["acknowledged"]), passes)
        except (KeyError, TypeError, ValueError) as exc:
            raise StateError(f"--state {options.state}: is no state of a replay") from exc

    def save_if_due(self, acknowledged: int) -> None:
        """Save twice a second."""
        if self._store and time.monotonic() > self._next:
            self.save(acknowledged)

    def save(self, acknowledged: int) -> None:
        """Save that the brokers have all words below number ``acknowledged``."""
        if self._store is None:
            return
        position = self.position
        position.acknowledged = acknowledged
        position.passes = [p for p in position.passes if p[0] >= position.current[0]]
        meta: dict[str, Any] = {
            "stream": str(position.stream), "acknowledged": position.acknowledged,
            "passes": position.passes, **self._same,
        }  # fmt: skip
        self._store.save(meta, {})
        self._next = time.monotonic() + _SAVE_S

    def close(self) -> None:
        """Let go of the folder."""
        if self._store:
            self._store.close()
