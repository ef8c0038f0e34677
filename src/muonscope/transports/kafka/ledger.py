"""Results, rejects and state in one transaction: all of it is there, or none.

What is published to a :class:`KafkaLedger` stays in an open transaction until
:meth:`KafkaLedger.commit` adds the state that follows from it, positions of the source
included, and commits. Readers that read committed
messages only, see each result once. The state goes to a compacted topic of its own
(:mod:`muonscope.transports.kafka.state_topic`). A second process with the same id fences the
first. A producer is fenced by other things, too, such as a pause longer than its transaction
may last: whoever is fenced opens the topic anew, and gives way only if another process has
claimed the id meanwhile.
"""

import time
from base64 import b64encode
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, cast

import orjson
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from muonscope.errors import MuonscopeError, RolledBackError, SinkError
from muonscope.transports.base import Published, Rejected, State
from muonscope.transports.kafka.claim import Claim
from muonscope.transports.kafka.clients import await_readable, failure, made
from muonscope.transports.kafka.settings import KafkaSettings
from muonscope.transports.kafka.state_topic import STATE_PARTITION, StateMessage, StateTopic
from muonscope.transports.kafka.url import KafkaUrl
from muonscope.transports.state import pack_state, unpack_state
from muonscope.words.rejects import Reject

__all__ = ["REJECT_SCHEMA", "KafkaLedger", "LedgerTopics", "reject_message"]

_CALL_S = 30.0
_READABLE_S = 10.0
"""How long the brokers may take to mark a transaction as committed in every partition."""
_EVIDENCE_BYTES = 512 << 10
_FENCED = frozenset(
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
        self,
        url: KafkaUrl,
        settings: KafkaSettings,
        *,
        identity: str,
        topics: LedgerTopics,
        claim: Claim,
    ) -> None:
        """Take over as ``identity``: whoever had it before is fenced.

        Raises
        ------
        SinkError, SourceError
            If another process has taken over since ``claim`` was made, the brokers refuse, or
            they cannot be reached; SourceLostError if they were gone before the state was read.
        RolledBackError
            If another process takes over at the same time.
        """
        self.url, self._topics, self._claim = url, topics, claim
        self._states = StateTopic(url, settings, topics.state, identity)
        self.trouble = ""
        self._open = False
        self._lost: KafkaError | None = None
        self._committed: dict[tuple[str, int], int] = {}
        """Offset of the last message of each topic and partition that a transaction held."""
        self._settings = settings
        self._producer: Producer = made(
            Producer,
            {"linger.ms": 2, "message.max.bytes": 8 << 20,
             "batch.size": 1 << 20, "transaction.timeout.ms": 60_000}
            | settings.with_ours(
                bootstrap_servers=url.servers, transactional_id=identity,
                enable_idempotence=True, error_cb=self._note,
            ),
        )  # fmt: skip
        if claim.made and self._states.rival(claim):
            raise SinkError(
                f"{url}: another process with the id {identity!r} has taken over; this one stops"
            )
        self._call(lambda: self._producer.init_transactions(_CALL_S))
        self._produce_state(self._states.claim(claim))
        self.commit(None)
        claim.made = True
        self._before = self._states.newest().state

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
        """
        if state is not None:
            for part in self._states.parts(pack_state(*state), self._claim):
                self._produce_state(part)
        if self._open:
            self._call(lambda: self._producer.commit_transaction(_CALL_S))
            self._open = False
        self._check()

    def _produce_state(self, message: StateMessage) -> None:
        self._produce(
            self._topics.state, message.value, message.key,
            headers=message.headers, partition=STATE_PARTITION,
        )  # fmt: skip

    def load(self) -> State | None:
        """Return the state that was committed last by whoever was fenced, or None.

        Raises
        ------
        StateError
            If it is damaged.
        """
        return None if self._before is None else unpack_state(self._before, self._topics.state)

    def close(self) -> None:
        """Give up what was not committed; return when readers can see what was."""
        if self._open:
            self._abort()
        else:
            await_readable(self._settings, self.url.servers, self._committed, _READABLE_S)

    def _produce(self, topic: str, value: bytes, key: bytes | None, **options: Any) -> None:
        self._check()
        if not self._open:
            self._call(self._producer.begin_transaction)
            self._open = True
        while True:
            try:
                self._producer.produce(topic, value, key, on_delivery=self._delivered, **options)
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

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is None:
            place = cast("tuple[str, int]", (message.topic(), message.partition()))
            self._committed[place] = cast("int", message.offset())
        elif self._lost is None:
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
        fenced = any(e is not None and e.code() in _FENCED for e in (error, from_abort))
        if fenced or error.txn_requires_abort() or not error.fatal():
            return RolledBackError(f"{what}: the transaction was lost: {error.str()}")
        return failure(error, what, writing=True)

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
