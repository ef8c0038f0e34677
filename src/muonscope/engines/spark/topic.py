"""A topic read by Spark: micro-batches, decoded by the workers, handed on in the driver."""

import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
_BATCH_BYTES = 64 << 20
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
        self._lock = threading.Lock()
        self._stopping = False
        self._error: MuonscopeError | None = None
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
            .option("maxOffsetsPerTrigger", str(max(1000, _BATCH_BYTES // message_bytes)))
            .load()
        )
        self._rows = rows.selectExpr(
            "partition", "offset", "unix_millis(timestamp) AS time_ms", "value",
            f"filter(headers, h -> h.key = '{HEADER_NAME}')[0].value AS header",
        )  # fmt: skip

    def run(self, checkpoint: Path | str, trigger: str, *, stop: Callable[[], bool]) -> None:
        """Run until ``stop``; a micro-batch that has begun is finished, or was not begun.

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
            while not stop() and query.isActive:
                query.awaitTermination(_LOOK_S)  # type: ignore[arg-type] # takes fractions
        except Exception as exc:  # what Spark raises is no common kind
            self._fail(exc)
        finally:
            self._end(query)
        if self._error:
            raise self._error

    def _end(self, query: "StreamingQuery") -> None:
        with self._lock:
            self._stopping = True
        query.stop()
        failure = query.exception()
        if failure is not None:
            self._fail(failure)

    def _fail(self, exc: Any) -> None:
        if self._error is None:
            text = next((line for line in str(exc).splitlines() if line.strip()), str(exc))
            self._error = SourceError(f"Spark: {text}")
            self._error.__cause__ = exc

    def _batch(self, rows: "DataFrame", _number: int) -> None:
        decoded = rows.mapInArrow(decoder(self._readout, self._done), PARTS_SCHEMA)
        parts = parts_of(decoded.toArrow())
        with self._lock:
            if self._stopping:
                return
            try:
                self._take(parts)
            except MuonscopeError as exc:
                self._error = exc
                raise


def _by_name(positions: Mapping[int, int]) -> dict[str, int]:
    return {str(partition): at for partition, at in positions.items()}
