"""Source and sink in memory, for tests and notebooks."""

from collections.abc import Iterator, Mapping, Sequence

from muonscope.transports.base import Piece, Published

__all__ = ["MemorySink", "MemorySource"]


class MemorySource:
    """Streams of bytes by name, given in pieces of ``chunk_bytes``."""

    def __init__(self, streams: Mapping[str, bytes], chunk_bytes: int = 1 << 22) -> None:
        """Keep the streams; their order is that of reading."""
        self._streams, self._chunk = dict(streams), chunk_bytes

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


class MemorySink:
    """Keeps the messages in ``messages``."""

    def __init__(self) -> None:
        """Start empty."""
        self.messages: list[bytes] = []

    def publish(self, messages: Sequence[Published]) -> None:
        """Append."""
        self.messages.extend(message.data for message in messages)

    def commit(self) -> int:
        """Return the number of messages."""
        return len(self.messages)

    def close(self) -> None:
        """Keep everything."""
