"""Streams of bytes and a ledger in memory, for tests and notebooks."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from muonscope.transports.base import Piece, Published, Rejected, State

__all__ = ["MemoryLedger", "MemorySource"]


class MemorySource:
    """Streams of bytes by name, given in pieces of ``chunk_bytes``."""

    def __init__(self, streams: Mapping[str, bytes], chunk_bytes: int = 1 << 22) -> None:
        """Keep the streams; their order is that of reading."""
        self._streams, self._chunk = dict(streams), chunk_bytes

    def hold(self, streams: Collection[int]) -> None:
        """Hold nothing back: all is one stream."""

    def pieces(self) -> Iterator[Piece]:
        """Yield each stream to its end."""
        for name, data in self._streams.items():
            for at in range(0, len(data), self._chunk):
                yield Piece(
                    key=name,
                    name=name,
                    data=data[at : at + self._chunk],
                    read=min(at + self._chunk, len(data)),
                )
            yield Piece(key=name, name=name, read=len(data), ended=True)

    def size(self) -> int:
        """Return the bytes of all streams."""
        return sum(map(len, self._streams.values()))


class MemoryLedger:
    """Keeps what is published, rejected and committed; for tests and notebooks."""

    keeps_state = True
    can_cut_back = True

    def __init__(self) -> None:
        """Start empty."""
        self.messages: list[bytes] = []
        self.rejected: list[Rejected] = []
        self.state: State | None = None
        self._committed = 0

    def load(self) -> State | None:
        """Return the state that was committed last, or None."""
        return self.state

    def begin(self, *, fresh: bool) -> None:
        """Forget what was published after the last commit, or all where the run is ``fresh``."""
        del self.messages[0 if fresh else self._committed :]

    def publish(self, messages: Sequence[Published]) -> None:
        """Append messages."""
        self.messages.extend(message.data for message in messages)

    def reject(self, rejected: Sequence[Rejected]) -> None:
        """Append messages that were no words."""
        self.rejected.extend(rejected)

    def commit(self, state: State | None) -> None:
        """Keep ``state``, if there is one, with what was published."""
        if state is not None:
            self.state, self._committed = state, len(self.messages)

    def close(self) -> None:
        """Keep everything."""
