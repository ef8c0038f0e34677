"""A topic read by Spark: micro-batches, decoded by the workers, handed on in the driver.

While the driver counts what one micro-batch held, the workers decode the next. Spark bounds
a micro-batch by its messages alone: when those turn out to be of another size than was thought,
the query is started anew with another bound, where the last one had come to.
"""

import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import orjson

from muonscope.detector import Readout
from muonscope.engines.spark.session import reason
from muonscope.engines.spark.worker import PARTS_SCHEMA, decoder, parts_of
from muonscope.errors import MuonscopeError, SourceError
from muonscope.stream.messages import Part
from muonscope.stream.numbering import HEADER_NAME

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.streaming.query import StreamingQuery

__all__ = ["Bound", "TopicAddress", "TopicQuery"]

_LOOK_S = 0.1
_FETCH_BYTES = 4 << 20
_BATCH_BYTES = 48 << 20
"""About what a micro-batch should hold: a smaller one is mostly Spark's own work (0.4 s each)."""
_MESSAGE_BYTES = 1 << 16
"""What messages are thought to hold before any came: a full block of words."""
_FEWEST, _MOST = 100, 100_000
"""Messages in a micro-batch at the least and at the most: one-hit messages cost 12 us each."""
_FAR_OFF = 4.0
"""The bound is set anew when a full micro-batch holds so many times more or less than it should."""


class Bound:
    """How many messages a micro-batch may hold, by the size of those that came."""

    def __init__(self) -> None:
        self.messages = self._of(_MESSAGE_BYTES)

    def fits(self, parts: Sequence[Part]) -> bool:
        """Tell whether it fits what a micro-batch held; if it is far off, set it anew."""
        messages, size = sum(part.messages for part in parts), sum(part.size for part in parts)
        if messages < self.messages // 2:
            return True
        wanted = self._of(size / messages)
        if 1 / _FAR_OFF < wanted / self.messages < _FAR_OFF:
            return True
        self.messages = wanted
        return False

    @staticmethod
    def _of(size: float) -> int:
        return min(_MOST, max(_FEWEST, int(_BATCH_BYTES / max(1.0, size))))


class TopicAddress(NamedTuple):
    """Where Spark finds a topic, and how its Kafka client is set."""

    servers: str
    name: str
    settings: Mapping[str, str]
    """By the names of Kafka's own client."""


class TopicQuery:
    """A streaming query over a topic; what it finds goes to one function, in order."""

    def __init__(
        self,
        session: "SparkSession",
        topic: TopicAddress,
        *,
        readout: Readout,
        positions: Mapping[int, int],
        done: Mapping[int, Sequence[Sequence[int]]],
        take: Callable[[list[Part]], None],
    ) -> None:
        """Read from ``positions`` on; ``take`` gets the parts of each micro-batch.

        ``take`` moves ``positions`` on: a query that is started anew begins there.
        """
        self._take, self._readout, self._done = take, readout, done
        self._topic, self._positions = topic.name, positions
        self._bound = Bound()
        options = {f"kafka.{name}": value for name, value in topic.settings.items()}
        self._reader = (
            session.readStream.format("kafka")
            .options(**options)
            .option("kafka.bootstrap.servers", topic.servers)
            .option("subscribe", topic.name)
            .option("kafka.isolation.level", "read_committed")
            .option("failOnDataLoss", "false")
            .option("includeHeaders", "true")
            .option("kafka.fetch.max.wait.ms", "20")
            .option("kafka.max.partition.fetch.bytes", str(_FETCH_BYTES))
        )

    def run(self, folder: str, trigger: str, *, stop: Callable[[], bool]) -> None:
        """Run until ``stop``; what was decoded but not taken by then is left.

        Spark keeps its notes in ``folder``, which is a new one.

        Raises
        ------
        MuonscopeError
            What ``take`` raised, or that Spark has failed.
        """
        started, far_off = 0, True
        while far_off:
            decoded = _HandOver()
            query = self._start(f"{folder}/{started}", trigger, decoded)
            started += 1
            try:
                far_off = self._take_all(query, decoded, stop)
            except MuonscopeError:
                raise
            except Exception as exc:  # what Spark raises is no common kind
                raise _failed(exc) from exc

    def _start(self, checkpoint: str, trigger: str, decoded: "_HandOver") -> "StreamingQuery":
        rows = (
            self._reader.option("startingOffsets", _as_json(self._topic, self._positions))
            .option("maxOffsetsPerTrigger", str(self._bound.messages))
            .load()
            .selectExpr(
                "partition", "offset", "unix_millis(timestamp) AS time_ms", "value",
                f"filter(headers, h -> h.key = '{HEADER_NAME}')[0].value AS header",
            )
        )  # fmt: skip

        def decode(rows: "DataFrame", _number: int) -> None:
            decoded.put(self._decode(rows))

        return (
            rows.writeStream.foreachBatch(decode)
            .option("checkpointLocation", checkpoint)
            .trigger(processingTime=trigger)
            .start()
        )

    def _decode(self, rows: "DataFrame") -> list[Part]:
        """Decode a micro-batch; called by Spark, in a thread of its own."""
        decode = decoder(self._readout, self._done)
        return parts_of(rows.mapInArrow(decode, PARTS_SCHEMA).toArrow())

    def _take_all(
        self, query: "StreamingQuery", decoded: "_HandOver", stop: Callable[[], bool]
    ) -> bool:
        """Take micro-batches until ``stop``; return True before if the bound was far off.

        What a query says of being stopped in the middle of a micro-batch is no failure.
        """
        try:
            while query.isActive and not stop():
                parts = decoded.get()
                if parts is None:
                    continue
                self._take(parts)
                if not self._bound.fits(parts):
                    return True
            failure = None if query.isActive else query.exception()
            if failure is not None:
                raise _failed(failure)
            return False
        finally:
            decoded.close()
            query.stop()


class _HandOver:
    """Micro-batches on their way from Spark's thread; one may wait until it is taken."""

    def __init__(self) -> None:
        self._waiting: queue.Queue[list[Part]] = queue.Queue(maxsize=1)
        self._closed = threading.Event()

    def put(self, parts: list[Part]) -> None:
        """Wait until there is room; once closed, forget ``parts``."""
        while not self._closed.is_set():
            try:
                self._waiting.put(parts, timeout=_LOOK_S)
            except queue.Full:
                continue
            return

    def get(self) -> list[Part] | None:
        """Return a micro-batch, or None if there was none for a while."""
        try:
            return self._waiting.get(timeout=_LOOK_S)
        except queue.Empty:
            return None

    def close(self) -> None:
        """Take nothing more."""
        self._closed.set()


def _failed(exc: Exception) -> SourceError:
    return SourceError(f"Spark: {reason(exc)}")


def _as_json(topic: str, positions: Mapping[int, int]) -> str:
    return orjson.dumps({topic: {str(p): at for p, at in positions.items()}}).decode()
