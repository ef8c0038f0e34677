"""Results, rejects and state in one transaction: all of it is there, or none.

What is published to a :class:`KafkaLedger` stays in an open transaction until
:meth:`KafkaLedger.commit` adds the state that follows from it, positions of the source
included, and commits. Readers that read committed
messages only, see each result once. The state goes to a compacted topic of its own, in
messages of at most half a megabyte; a second process with the same id fences the first.
"""

import time
import zlib
from base64 import b64encode
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import orjson
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition

from muonscope.errors import MuonscopeError, RolledBackError, SinkError, SourceLostError
from muonscope.transports.base import Published, Rejected, State
from muonscope.transports.kafka.clients import failure, made, watermarks
from muonscope.transports.kafka.settings import KafkaSettings
from muonscope.transports.kafka.url import KafkaUrl
from muonscope.transports.state import pack_state, unpack_state
from muonscope.words.rejects import Reject

__all__ = ["REJECT_SCHEMA", "KafkaLedger", "LedgerTopics", "reject_message"]

_PART_BYTES = 512 << 10
_CALL_S = 30.0
_TAIL = 64
_EVIDENCE_BYTES = 512 << 10
_TAKEN_OVER = frozenset(
    {
        KafkaError._FENCED,  # noqa: SLF001 the name that the client gives it
        KafkaError.PRODUCER_FENCED,
        KafkaError.INVALID_PRODUCER_EPOCH,
    }
)
REJECT_SCHEMA = "muonscope.reject/1"
"""Name and version of the message of a reject."""


class LedgerTopics(NamedTuple):
    """The topics that stand beside that of the results."""

    rejects: str
    state: str
    source: str = ""
    """Topic that the words come from, if they do: rejects tell it."""


class KafkaLedger:
    """Publishes to topics, and keeps the state of the run that publishes.

    Messages are not compressed unless the settings say so: the consumer of the original
    pipeline has no codec but gzip.
    """

    keeps_state = True
    can_cut_back = False

    def __init__(
        self, url: KafkaUrl, settings: KafkaSettings, *, identity: str, topics: LedgerTopics
    ) -> None:
        """Take over as ``identity``: whoever had it before is fenced.

        Raises
        ------
        SinkError, SourceError
            If the brokers refuse, or cannot be reached; SourceLostError if they were gone
            before the state was read.
        """
        self.url, self.identity, self._topics, self._settings = url, identity, topics, settings
        self.trouble = ""
        self._open = False
        self._lost: KafkaError | None = None
        self._producer: Producer = made(
            Producer,
            {"linger.ms": 2, "message.max.bytes": 8 << 20,
             "batch.size": 1 << 20, "transaction.timeout.ms": 60_000}
            | settings.with_ours(
                bootstrap_servers=url.servers, transactional_id=identity,
                enable_idempotence=True, error_cb=self._note,
            ),
        )  # fmt: skip
        self._call(lambda: self._producer.init_transactions(_CALL_S))
        self._before = self._newest_state()

    def begin(self, *, fresh: bool) -> None:
        """Do nothing: topics are added to, and transactions begin with what is produced."""

    def publish(self, messages: Sequence[Published]) -> None:
        """Add messages to the transaction, each keyed by its name.

        Raises
        ------
        SinkError
            If one is too large, or the brokers refuse it.
        """
        for message in messages:
            self._produce(self.url.topic, message.data.rstrip(b"\n"), message.name.encode())

    def reject(self, rejected: Sequence[Rejected]) -> None:
        """Add messages of the source that could not be decoded, with their bytes."""
        for reject, value in rejected:
            message = reject_message(self._topics.source, reject, value)
            self._produce(self._topics.rejects, message, None)

    def commit(self, state: State | None) -> None:
        """Add the state to the transaction and commit it.

        Raises
        ------
        RolledBackError
            If the transaction was lost.
        SinkError
            If another process has taken over.
        """
        if state is not None:
            self._produce_state(pack_state(*state))
        if self._open:
            self._call(lambda: self._producer.commit_transaction(_CALL_S))
            self._open = False
        self._check()

    def _produce_state(self, data: bytes) -> None:
        parts = [data[at : at + _PART_BYTES] for at in range(0, len(data), _PART_BYTES)]
        mark = f"{zlib.crc32(data):08x}"
        for i, part in enumerate(parts):
            headers = [("part", f"{i}/{len(parts)}/{mark}".encode())]
            self._produce(self._topics.state, part, f"{self.identity}/{i}".encode(), headers)

    def load(self) -> State | None:
        """Return the state that was committed last by whoever was fenced, or None.

        Raises
        ------
        StateError
            If it is damaged.
        """
        return None if self._before is None else unpack_state(self._before, self._topics.state)

    def close(self) -> None:
        """Give up what was not committed."""
        self._abort()

    def _produce(
        self, topic: str, value: bytes, key: bytes | None,
        headers: Any = None,
    ) -> None:  # fmt: skip
        self._check()
        if not self._open:
            self._call(self._producer.begin_transaction)
            self._open = True
        while True:
            try:
                self._producer.produce(
                    topic, value, key, headers=headers or [], on_delivery=self._delivered
                )
            except BufferError:
                self._serve(0.05)
                self._check()
            except KafkaException as exc:
                raise self._failure(exc.args[0], f"topic {topic}, {len(value):,} bytes") from exc
            else:
                break
        self._serve(0)

    def _serve(self, seconds: float) -> None:
        """Take what came back from the brokers."""
        try:
            self._producer.poll(seconds)
        except KafkaException as exc:
            raise self._failure(exc.args[0], str(self.url)) from exc

    def _delivered(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None and self._lost is None:
            self._lost = error

    def _check(self) -> None:
        error, self._lost = self._lost, None
        if error is not None:
            raise self._failure(error, str(self.url))

    def _call(self, call: Callable[[], Any]) -> None:
        """Make a call of the transaction, again for as long as that helps."""
        end = time.monotonic() + 10 * _CALL_S
        while True:
            try:
                call()
            except KafkaException as exc:
                error = exc.args[0]
                if error.retriable() and time.monotonic() < end:
                    self.trouble = error.str()
                    continue
                raise self._failure(error, str(self.url)) from exc
            else:
                self.trouble = ""
                return

    def _failure(self, error: KafkaError, what: str) -> MuonscopeError:
        """Return what went wrong as muonscope's own error; the transaction is given up."""
        if error.code() in _TAKEN_OVER:
            return self._taken_over()
        if self._lost is None:
            with suppress(KafkaException):
                self._producer.poll(0.1)
        if self._lost is not None:  # what was first, and led to the others
            error, what, self._lost = self._lost, str(self.url), None
        if error.code() == KafkaError.MSG_SIZE_TOO_LARGE:
            return SinkError(
                f"{what}: is larger than a message may be: {error.str()}; raise the topic's"
                " max.message.bytes, or take a shorter --window"
            )
        self._open = True
        from_abort = self._abort()
        if error.code() in _TAKEN_OVER or (from_abort and from_abort.code() in _TAKEN_OVER):
            return self._taken_over()
        if error.txn_requires_abort() or not error.fatal():
            return RolledBackError(f"{what}: the transaction was lost: {error.str()}")
        return failure(error, what, writing=True)

    def _taken_over(self) -> SinkError:
        self._open = False
        return SinkError(
            f"{self.url}: another process with the id {self.identity!r} has taken over;"
            " this one stops"
        )

    def _abort(self) -> KafkaError | None:
        """Give up an open transaction; return what stood against that."""
        if not self._open:
            return None
        self._open = False
        try:
            self._producer.abort_transaction(_CALL_S)
        except KafkaException as exc:
            with suppress(KafkaException):
                self._producer.purge()
            error: KafkaError = exc.args[0]
            return error
        return None

    def _note(self, error: KafkaError) -> None:
        self.trouble = error.str()

    def _newest_state(self) -> bytes | None:
        """Read the topic of states backwards until the newest whole one is found."""
        consumer: Consumer = made(
            Consumer,
            self._settings.with_ours(
                bootstrap_servers=self.url.servers, group_id=f"{self.identity}.state",
                enable_auto_commit=False, isolation_level="read_committed",
                enable_partition_eof=True, auto_offset_reset="earliest",
            ),
        )  # fmt: skip
        place = TopicPartition(self._topics.state, 0)
        try:
            low, high = watermarks(consumer, place)
            back = _TAIL
            while True:
                begin = max(low, high - back)
                data = self._state_since(consumer, begin)
                if data is not None or begin == low:
                    return data
                back *= 8
        except KafkaException as exc:
            raise failure(exc.args[0], f"topic {self._topics.state}") from exc
        finally:
            consumer.close()

    def _state_since(self, consumer: Consumer, begin: int) -> bytes | None:
        """Return the last whole state from offset ``begin`` on."""
        consumer.assign([TopicPartition(self._topics.state, 0, begin)])
        parts: dict[str, dict[int, bytes]] = {}
        newest: bytes | None = None
        while True:
            message = consumer.poll(_CALL_S)
            if message is None:
                raise SourceLostError(f"topic {self._topics.state}: cannot be read to its end")
            error = message.error()
            if error is not None:
                if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001
                    return newest
                raise KafkaException(error)
            key = _text(message.key())
            if key.rpartition("/")[0] != self.identity:
                continue
            headers = dict(message.headers() or [])
            number, count, mark = _text(headers.get("part")).split("/")
            have = parts.setdefault(mark, {})
            have[int(number)] = message.value() or b""
            if len(have) == int(count):
                newest = b"".join(have[i] for i in range(int(count)))
                parts.clear()


def _text(value: str | bytes | None) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value or ""


def reject_message(topic: str, reject: Reject, value: bytes) -> bytes:
    """Return the message of something in ``topic`` that could not be decoded."""
    kept = value[:_EVIDENCE_BYTES]
    return orjson.dumps(
        {
            "schema": REJECT_SCHEMA,
            "code": reject.code.name,
            "topic": topic,
            "where": reject.where,
            "position": reject.offset,
            "length": reject.length,
            "value_bytes": len(value),
            "value_base64": b64encode(kept).decode(),
            "truncated": len(kept) < len(value),
        }
    )
