"""Sends words to a topic: packed blocks keyed by blocks of orbits, or one JSON hit each.

Every message bears its number in the stream (:mod:`muonscope.stream.numbering`); the
producer is idempotent, so a partition has what was sent once and in order.
"""

import zlib
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from muonscope.detector import Detector
from muonscope.errors import MuonscopeError, SinkError
from muonscope.stream.numbering import CHUNK_WORDS, HEADER_NAME, Number, split_by_orbits
from muonscope.transports.kafka.clients import failure, made, passes
from muonscope.transports.kafka.settings import KafkaSettings
from muonscope.transports.kafka.url import KafkaUrl
from muonscope.units import ORBIT_S
from muonscope.words.binary import BlockEncoder
from muonscope.words.layout import Words, orbits
from muonscope.words.text_encode import TextEncoder

__all__ = ["WordSender", "WordStream"]

_RUN = 1000
"""JSON hits in a row that go to one partition."""


@dataclass(slots=True)
class _Open:
    """A chunk that the brokers do not have whole yet."""

    first: int
    messages: int
    error: KafkaError | None = None

    def delivered(self, error: KafkaError | None, _message: object) -> None:
        """Take what the brokers said of one of its messages."""
        if error is None:
            self.messages -= 1
        else:
            self.error = error


@dataclass(frozen=True, slots=True, kw_only=True)
class WordStream:
    """How words are sent as one numbered stream."""

    number: int
    """Number of the stream, which no other has."""
    partitions: int
    """Of the topic."""
    first: int = 0
    """Number, in the stream, of the word that is sent first."""
    json: bool = False
    """Send one JSON hit a message instead of packed blocks."""
    detector_time: bool = True
    """Give blocks the time of their first word, ms from orbit 0, as their Kafka timestamp;
    otherwise it is wall-clock time."""


class WordSender:
    """Numbers words and sends them."""

    def __init__(
        self, url: KafkaUrl, settings: KafkaSettings, detector: Detector, stream: WordStream
    ) -> None:
        """Send words of ``detector`` as ``stream``."""
        self.url, self._detector, self._partitions = url, detector, stream.partitions
        self._stream, self.next = stream.number, stream.first
        self._json, self._detector_time = stream.json, stream.detector_time
        self._blocks = BlockEncoder(detector.readout, detector.name)
        self._text = TextEncoder(detector.readout, json=True)
        self.bytes = 0
        """Bytes of the values sent."""
        self.trouble = ""
        self._error: KafkaError | None = None
        self._open: deque[_Open] = deque()
        self._producer: Producer = made(
            Producer,
            {"linger.ms": 5, "compression.type": "none" if stream.json else "lz4",
             "batch.size": 1 << 20,
             "message.max.bytes": 8 << 20, "queue.buffering.max.messages": 500_000,
             "queue.buffering.max.kbytes": 256 << 10}
            | settings.with_ours(
                bootstrap_servers=url.servers, enable_idempotence=True, error_cb=self._note,
            ),
        )  # fmt: skip

    @property
    def acknowledged(self) -> int:
        """Number of the word up to which the brokers have all."""
        self._producer.poll(0)
        while self._open and self._open[0].messages == 0:
            self._open.popleft()
        return self._open[0].first if self._open else self.next

    def send(self, words: Words) -> None:
        """Send ``words``, which follow those sent before.

        Raises
        ------
        SinkError
            If a broker refused what was sent, or has not taken it for too long.
        """
        for at in range(0, len(words), CHUNK_WORDS):
            chunk = words[at : at + CHUNK_WORDS]
            if self._json:
                self._send_json(chunk)
            else:
                self._send_blocks(chunk)
            self.next += len(chunk)
            self.check()

    def check(self) -> None:
        """Serve what came back from the brokers.

        Raises
        ------
        SinkError
            If they refused something.
        """
        self._producer.poll(0)
        error = self._error or next((c.error for c in self._open if c.error), None)
        if error is not None:
            raise self._failure(error)

    def flush(self, timeout_s: float) -> bool:
        """Wait until the brokers have all; return whether they do."""
        left = self._producer.flush(timeout_s)
        self.check()
        return int(left) == 0

    def close(self) -> None:
        """Forget what was not sent."""
        self._producer.purge()

    def _send_blocks(self, words: Words) -> None:
        readout = self._detector.readout
        numbers = orbits(words, readout.version, readout.hit_head)
        pieces = split_by_orbits(words, numbers, self._stream, self.next)
        chunk = self._expect(len(pieces))
        for piece in pieces:
            first = int.from_bytes(piece.number.runs[:2], "little")
            time_ns = round(int(numbers[first]) * ORBIT_S * 1e9)
            options: dict[str, Any] = {"key": piece.key.to_bytes(4, "big")}
            options["partition"] = zlib.crc32(options["key"]) % self._partitions
            if self._detector_time:
                options["timestamp"] = time_ns // 1_000_000
            value = self._blocks.encode(piece.words, time_ns)
            self._produce(chunk, value, piece.number, options)

    def _send_json(self, words: Words) -> None:
        chunk = self._expect(len(words))
        for at, line in enumerate(self._text.encode(words).splitlines(), self.next):
            options = {"partition": at // _RUN % self._partitions}
            self._produce(chunk, line, Number(self._stream, at, 1), options)

    def _expect(self, messages: int) -> "_Open":
        chunk = _Open(self.next, messages)
        self._open.append(chunk)
        return chunk

    def _produce(
        self, chunk: "_Open", value: bytes, number: Number, options: Mapping[str, Any]
    ) -> None:
        self.bytes += len(value)
        while True:
            try:
                self._producer.produce(
                    self.url.topic, value, headers=[(HEADER_NAME, number.pack())],
                    on_delivery=chunk.delivered, **options,
                )  # fmt: skip
            except BufferError:
                self._producer.poll(0.05)
                self.check()
            except KafkaException as exc:
                raise self._failure(exc.args[0]) from exc
            else:
                return

    def _failure(self, error: KafkaError) -> MuonscopeError:
        if error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
            return SinkError(
                f"{self.url}: a message is larger than the broker takes: {error.str()};"
                " raise the topic's max.message.bytes"
            )
        return failure(error, str(self.url), writing=True)

    def _note(self, error: KafkaError) -> None:
        self.trouble = error.str() if passes(error) else self.trouble
        if error.fatal():
            self._error = self._error or error
