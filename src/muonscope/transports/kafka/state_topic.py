"""The topic of states, read backwards: what was saved last under an id, and by whom.

A state is cut into parts of at most half a megabyte, keyed ``identity/0``, ``identity/1``
and so on, so that compaction keeps the newest of each. Every part bears the mark of who
wrote it. Who takes an id over says so before all else, in a message of its own.
"""

import time
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from muonscope.errors import SourceLostError
from muonscope.transports.kafka.claim import Claim
from muonscope.transports.kafka.clients import failure, made, watermarks
from muonscope.transports.kafka.settings import KafkaSettings
from muonscope.transports.kafka.url import KafkaUrl

__all__ = ["STATE_PARTITION", "Kept", "StateMessage", "StateTopic"]

STATE_PARTITION = 0
"""States are written where they are looked for, however many partitions there are."""

_PART_BYTES = 512 << 10
_CALL_S = 30.0
_TAIL = 64
_OWNER = "owner"
_RIVAL_S, _LOOK_S = 3.0, 0.5
"""Who takes over says so within this time, as a rule; it is looked for so often."""


class StateMessage(NamedTuple):
    """A message of the topic of states."""

    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


class Kept(NamedTuple):
    """What the topic holds of one id."""

    state: bytes | None = None
    """The newest whole state."""
    owner: str | None = None
    """Who wrote last; empty: a version that did not say, None: nothing is there."""


class StateTopic:
    """What was saved under one id."""

    def __init__(self, url: KafkaUrl, settings: KafkaSettings, topic: str, identity: str) -> None:
        """Look at ``topic`` of the brokers of ``url``."""
        self._servers, self._settings = url.servers, settings
        self.name, self.identity = topic, identity

    def claim(self, claim: Claim) -> StateMessage:
        """Return what says that ``claim`` is made."""
        return StateMessage(
            f"{self.identity}.{_OWNER}".encode(), b"", [(_OWNER, claim.owner.encode())]
        )

    def parts(self, data: bytes, claim: Claim) -> Iterator[StateMessage]:
        """Yield the messages of a state."""
        pieces = [data[at : at + _PART_BYTES] for at in range(0, len(data), _PART_BYTES)]
        mark = f"{zlib.crc32(data):08x}"
        for i, piece in enumerate(pieces):
            part = f"{i}/{len(pieces)}/{mark}".encode()
            yield StateMessage(
                f"{self.identity}/{i}".encode(),
                piece,
                [("part", part), (_OWNER, claim.owner.encode())],
            )

    def rival(self, claim: Claim) -> bool:
        """Tell whether another process has taken the id over, once it had time to say so.

        Raises
        ------
        SourceError
            If that cannot be read.
        """
        end = time.monotonic() + _RIVAL_S
        while True:
            owner = self.newest().owner
            if owner is not None and owner != claim.owner:
                return True
            if time.monotonic() > end:
                return False
            time.sleep(_LOOK_S)

    def newest(self) -> Kept:
        """Read the topic backwards until the newest whole state is found.

        Raises
        ------
        SourceError
            If it cannot be read; SourceLostError if the brokers went meanwhile.
        """
        consumer: Consumer = made(
            Consumer,
            self._settings.with_ours(
                bootstrap_servers=self._servers, group_id=f"{self.identity}.state",
                enable_auto_commit=False, isolation_level="read_committed",
                enable_partition_eof=True, auto_offset_reset="earliest",
            ),
        )  # fmt: skip
        try:
            low, high = watermarks(consumer, TopicPartition(self.name, STATE_PARTITION))
            back = _TAIL
            while True:
                begin = max(low, high - back)
                kept = self._since(consumer, begin)
                if kept.state is not None or begin == low:
                    return kept
                back *= 8
        except KafkaException as exc:
            raise failure(exc.args[0], f"topic {self.name}") from exc
        finally:
            consumer.close()

    def _since(self, consumer: Consumer, begin: int) -> Kept:
        """Return the last whole state from offset ``begin`` on, and who wrote last."""
        parts: dict[str, dict[int, bytes]] = {}
        state: bytes | None = None
        owner: str | None = None
        for message in self._messages(consumer, begin):
            key = _text(message.key())
            headers = dict(message.headers() or [])
            if key == f"{self.identity}.{_OWNER}":
                owner = _text(headers.get(_OWNER))
            if key.rpartition("/")[0] != self.identity:
                continue
            owner = _text(headers.get(_OWNER))
            number, count, mark = _text(headers.get("part")).split("/")
            have = parts.setdefault(mark, {})
            have[int(number)] = message.value() or b""
            if len(have) == int(count):
                state = b"".join(have[i] for i in range(int(count)))
                parts.clear()
        return Kept(state, owner)

    def _messages(self, consumer: Consumer, begin: int) -> Iterator[Message]:
        """Yield what is there from offset ``begin`` on."""
        consumer.assign([TopicPartition(self.name, STATE_PARTITION, begin)])
        while True:
            message = consumer.poll(_CALL_S)
            if message is None:
                raise SourceLostError(f"topic {self.name}: cannot be read to its end")
            error = message.error()
            if error is None:
                yield message
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 the client's name
                return
            else:
                raise KafkaException(error)


def _text(value: str | bytes | None) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value or ""
