"""Spark's Python daemon, with the kernels loaded before it forks: workers are hot at once."""

from muonscope.words import _objects, _text  # noqa: F401 compiled when imported

__all__: list[str] = []

if __name__ == "__main__":
    from pyspark.daemon import manager

    manager()
