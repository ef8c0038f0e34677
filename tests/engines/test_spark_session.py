"""A Spark session that cannot be made: one kind of error, one line, whoever failed."""

import sys

import pytest
from pyspark.errors import PySparkRuntimeError
from pyspark.sql import SparkSession

from muonscope.engines.spark.session import make_session
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
