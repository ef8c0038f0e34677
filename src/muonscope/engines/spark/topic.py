"""A topic read by Spark: micro-batches, decoded by the workers, handed on in the driver.

While the driver counts what one micro-batch held, the workers decode the next.
"""

import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from muonscope.detector import Readout
from muonscope.engines.spark.worker import PARTS_SCHEMA, decoder, parts_of
from muonscope.errors import MuonscopeError, SourceError
from muonscope.words.messages import Part
from muonscope.words.numbering import HEADER_NAME

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession
    from pyspark.sql.streaming.query import StreamingQuery

__all__ = ["TopicQuery"]

_LOOK_S = 0.1
_BATCH_BYTES = 16 << 20
_FETCH_BYTES = 4 << 20


class TopicQuery:
    """A streaming query over a topic; what it finds goes to one function, in order."""

    def __init__(
        self,
        session: "SparkSession",
        *,
        servers: str,
        topic: str,
        settings: Mapping[str, str],
        readout: Readout,
        positions: Mapping[int, int],
        done: Mapping[int, Sequence[Sequence[int]]],
        message_bytes: int,
        take: Callable[[list[Part]], None],
    ) -> None:
        """Read from ``positions`` on; ``take`` gets the parts of each micro-batch.

        ``message_bytes`` is about the size of a message: it bounds a micro-batch.
        """
        self._take, self._readout, self._done = take, readout, done
        self._decoded: queue.Queue[list[Part]] = queue.Queue(maxsize=1)
        self._stopping = threading.Event()
        options = {f"kafka.{name}": value for name, value in settings.items()}
        reader = session.readStream.format("kafka").options(**options)
        rows = (
            reader.option("kafka.bootstrap.servers", servers)
            .option("subscribe", topic)
            .option("kafka.isolation.level", "read_committed")
            .option("startingOffsets", orjson.dumps({topic: _by_name(positions)}).decode())
            .option("failOnDataLoss", "false")
            .option("includeHeaders", "true")
            .option("kafka.fetch.max.wait.ms", "20")
            .option("kafka.max.partition.fetch.bytes", str(_FETCH_BYTES))
            .option("maxOffsetsPerTrigger", str(max(100, _BATCH_BYTES // message_bytes)))
            .load()
        )
        self._rows = rows.selectExpr(
            "partition", "offset", "unix_millis(timestamp) AS time_ms", "value",
            f"filter(headers, h -> h.key = '{HEADER_NAME}')[0].value AS header",
        )  # fmt: skip

    def run(self, checkpoint: Path | str, trigger: str, *, stop: Callable[[], bool]) -> None:
        """Run until ``stop``; what was decoded but not taken by then is left.

        Raises
        ------
        MuonscopeError
            What ``take`` raised, or that Spark has failed.
        """
        query = (
            self._rows.writeStream.foreachBatch(self._batch)
            .option("checkpointLocation", str(checkpoint))
            .trigger(processingTime=trigger)
            .start()
        )
        try:
            self._take_all(query, stop)
            failure = query.exception()
        except MuonscopeError:
            raise
        except Exception as exc:  # what Spark raises is no common kind
            raise _failed(exc) from exc
        if failure is not None:
            raise _failed(failure) from failure

    def _take_all(self, query: "StreamingQuery", stop: Callable[[], bool]) -> None:
        try:
            while not stop() and query.isActive:
                try:
                    parts = self._decoded.get(timeout=_LOOK_S)
                except queue.Empty:
                    continue
                self._take(parts)
        finally:
            self._stopping.set()
            query.stop()

    def _batch(self, rows: "DataFrame", _number: int) -> None:
        """Decode a micro-batch; called by Spark, in a thread of its own."""
        decoded = rows.mapInArrow(decoder(self._readout, self._done), PARTS_SCHEMA)
        parts = parts_of(decoded.toArrow())
        while not self._stopping.is_set():
            try:
                self._decoded.put(parts, timeout=_LOOK_S)
            except queue.Full:
                continue
            return


def _failed(exc: Exception) -> SourceError:
    text = next((line for line in str(exc).splitlines() if line.strip()), str(exc))
    return SourceError(f"Spark: {text}")


def _by_name(positions: Mapping[int, int]) -> dict[str, int]:
    return {str(partition): at for partition, at in positions.items()}
