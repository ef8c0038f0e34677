"""A Spark session that cannot be made: one kind of error, one line, whoever failed."""

import sys
from pathlib import Path

import pyspark
import pytest
from pyspark.errors import PySparkRuntimeError
from pyspark.sql import SparkSession

from muonscope.engines.spark.session import CONNECTOR, make_session
from muonscope.errors import SourceError

JAVA = """An error occurred while calling None.org.apache.spark.api.java.JavaSparkContext.
: java.lang.IllegalStateException: Promise already completed
\tat scala.concurrent.Promise.complete(Promise.scala:53)
\tat org.apache.spark.SparkContext.<init>(SparkContext.scala:600)
"""


class Failing:
    """Stands for the builder of sessions."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def appName(self, _name: str) -> "Failing":
        return self

    def config(self, _name: str, _value: str) -> "Failing":
        return self

    def master(self, _url: str) -> "Failing":
        return self

    def getOrCreate(self) -> SparkSession:
        raise self._error


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (Exception(JAVA), "java.lang.IllegalStateException: Promise already completed"),
        (Exception("An error occurred while calling o7.x"), "An error occurred while calling o7.x"),
        (PySparkRuntimeError("no gateway\nand more", None, None), "no gateway"),
        (FileNotFoundError(2, "No such file", "java"), "[Errno 2] No such file: 'java'"),
        (RuntimeError("Java is gone"), "Java is gone"),
        (ConnectionError(), "ConnectionError"),
    ],
)
def test_whatever_fails_is_a_source_error_of_one_line(
    monkeypatch: pytest.MonkeyPatch, error: Exception, told: str
) -> None:
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    monkeypatch.setattr(SparkSession, "builder", Failing(error))
    with pytest.raises(SourceError) as caught:
        make_session("spark://nowhere:1", connector=False)
    assert str(caught.value) == f"Spark at spark://nowhere:1 does not start: {told}"
    assert caught.value.__cause__ is error


def told_when_java_ends_at_once(monkeypatch: pytest.MonkeyPatch, home: Path, jars: str = "") -> str:
    """Return what is told, with ``home/java/bin`` as the only place of Java."""
    error = PySparkRuntimeError(errorClass="JAVA_GATEWAY_EXITED", messageParameters={})
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("JAVA_HOME", str(home / "java"))
    monkeypatch.setattr(pyspark, "__version__", "4.9.1")
    monkeypatch.setattr(SparkSession, "builder", Failing(error))
    with pytest.raises(SourceError, match=r"Spark at local.* does not start: .*exited") as caught:
        make_session("", jars=jars)
    return str(caught.value)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a home directory with a Java, and nothing that Spark fetched."""
    java = tmp_path / "java" / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.touch(0o755)
    return tmp_path


def test_a_connector_that_cannot_be_fetched_is_named_with_its_version_and_the_remedy(
    monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    told = told_when_java_ends_at_once(monkeypatch, home)
    assert f"{CONNECTOR}:4.9.1 was to be fetched and is not in" in told
    assert "a folder that holds its jars in MUONSCOPE_SPARK_JARS" in told
    assert "install a pyspark whose connector Maven Central has, such as pyspark==4.2.0" in told


def test_the_connector_is_not_blamed_where_it_was_fetched(
    monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    fetched = home / ".ivy2.5.2" / "jars"
    fetched.mkdir(parents=True)
    (fetched / "org.apache.spark_spark-sql-kafka-0-10_2.13-4.9.1.jar").touch()
    assert "connector" not in told_when_java_ends_at_once(monkeypatch, home)


def test_the_connector_is_not_blamed_where_it_is_in_a_folder_or_java_is_missing(
    monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    (home / "connector.jar").touch()
    assert "connector" not in told_when_java_ends_at_once(monkeypatch, home, jars=str(home))
    (home / "java" / "bin" / "java").unlink()
    assert "connector" not in told_when_java_ends_at_once(monkeypatch, home)
