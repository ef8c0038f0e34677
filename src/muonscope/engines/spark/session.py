"""The Spark session: where it runs, its settings, and the connector that it needs."""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from muonscope.errors import OptionError, SourceError

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

__all__ = ["CONNECTOR", "make_session", "reason", "spark_session"]

CONNECTOR = "org.apache.spark:spark-sql-kafka-0-10_2.13"
"""Spark's own Kafka connector, of the same version as Spark."""

_FETCHED = ".ivy2*/jars/{}.jar"
"""Where Spark keeps what it fetched, under the home directory."""

_NO_JAVA = "JAVA_GATEWAY_EXITED"
"""All that pyspark is told when Java ends before it answers; the reason is on standard error."""

_KNOWN = "4.2.0"
"""The newest pyspark whose connector was found on Maven Central."""

_LOG = Path(__file__).with_name("log4j2.properties")
_FILES = (
    "org.apache.spark.sql.execution.streaming.checkpointing.FileSystemBasedCheckpointFileManager"
)

_CALL = "An error occurred while calling "
"""How py4j begins the text of whatever Java threw."""

_ARROW_BYTES = 1 << 20
"""Buffers of this size are used again and again; without a bound, all that a partition has is
written to one that grows, and decoding 20 M words takes 2.3 s instead of 1.4."""

_DIRECT_RESULT = "64m"
"""Up to here words go to the driver at once, not by way of the executor's store of blocks."""

_QUICK_JAVA = "-XX:TieredStopAtLevel=1"
"""Java's second compiler takes cores from the workers, who do what is slow, in Python: on two
cores a window at 1 M words/s came after 0.8 s instead of 1.0 to 1.8 s (p50)."""

_LARGE_REGIONS = "-XX:G1HeapRegionSize=32m"
"""Arrays of words as large as half a region are kept apart, and collected with all of the heap."""


@contextmanager
def spark_session(
    master: str, *, jars: str = "", connector: bool = True
) -> Iterator["SparkSession"]:
    """Give a session; one that was there before is used, and left as it was.

    Raises
    ------
    OptionError, SourceError
        As :func:`make_session`.
    """
    session = _there_already()
    if session is not None:
        yield session
        return
    session = make_session(master, jars=jars, connector=connector)
    try:
        yield session
    finally:
        session.stop()


def _there_already() -> "SparkSession | None":
    if find_spec("pyspark") is None:
        return None
    from pyspark.sql import SparkSession

    return SparkSession.getActiveSession()


def make_session(master: str, *, jars: str = "", connector: bool = True) -> "SparkSession":
    """Return a session on ``master``, with the Kafka ``connector`` if it is needed.

    ``jars`` is a folder that holds the connector; without one, Spark fetches it.
    What is set in ``spark-defaults.conf`` or ``PYSPARK_SUBMIT_ARGS`` stays in force.

    Raises
    ------
    OptionError
        If pyspark is not installed.
    SourceError
        If the master cannot be reached, or Java or the connector is missing.
    """
    if find_spec("pyspark") is None:
        raise OptionError("--engine spark needs pyspark: pip install 'muonscope[spark]'")
    import pyspark
    from pyspark.sql import SparkSession

    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    settings: dict[str, Any] = {
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.memory": "2g",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.execution.arrow.maxRecordsPerBatch": "10000",
        "spark.sql.execution.arrow.maxBytesPerBatch": str(_ARROW_BYTES),
        "spark.sql.streaming.checkpointFileManagerClass": _FILES,
        "spark.python.daemon.module": "muonscope.engines.spark.daemon",
        "spark.python.use.daemon": "true",
        "spark.driver.extraJavaOptions": f"-Xss16m -Dlog4j2.configurationFile={_LOG}",
        "spark.driver.maxResultSize": "2g",
        "spark.task.maxDirectResultSize": _DIRECT_RESULT,
    }
    if not master or master.startswith(("local", "spark://127.0.0.1")):
        settings |= {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
        settings["spark.driver.extraJavaOptions"] += f" {_QUICK_JAVA} {_LARGE_REGIONS}"
    if connector and jars:
        found = sorted(map(str, Path(jars).glob("*.jar")))
        if not found:
            raise OptionError(f"MUONSCOPE_SPARK_JARS: found no jar in {jars}")
        settings["spark.jars"] = ",".join(found)
    elif connector:
        settings["spark.jars.packages"] = f"{CONNECTOR}:{pyspark.__version__}"
    builder = SparkSession.builder.appName("muonscope")
    for name, value in settings.items():
        builder = builder.config(name, value)
    try:
        return builder.master(master or "local[*]").getOrCreate()
    except Exception as exc:  # pyspark's, the system's, and py4j's, which have nothing in common
        where, told = master or "local[*]", reason(exc).removesuffix(".")
        missing = connector and not jars and _lacks_connector(exc, pyspark.__version__)
        remedy = f"; {_no_connector(pyspark.__version__)}" if missing else ""
        raise SourceError(f"Spark at {where} does not start: {told}{remedy}") from exc


def _lacks_connector(exc: Exception, version: str) -> bool:
    """Tell whether Java started, ended at once, and left no connector behind."""
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=f"{home}/bin" if home else None)
    organisation, artifact = CONNECTOR.split(":")
    jar = _FETCHED.format(f"{organisation}_{artifact}-{version}")
    return _NO_JAVA in str(exc) and java is not None and not any(Path.home().glob(jar))


def _no_connector(version: str) -> str:
    return (
        f"the Kafka connector {CONNECTOR}:{version} was to be fetched and is not in ~/.ivy2*/jars"
        " (what Java wrote tells why): name a folder that holds its jars in MUONSCOPE_SPARK_JARS,"
        f" or install a pyspark whose connector Maven Central has, such as pyspark=={_KNOWN}"
    )


def reason(exc: Exception) -> str:
    """Return the line that tells why Spark failed: py4j's first only says that a call did."""
    lines = [line.strip().removeprefix(": ") for line in str(exc).splitlines() if line.strip()]
    telling = [line for line in lines if not line.startswith(_CALL)]
    return [*telling, *lines, type(exc).__name__][0]
