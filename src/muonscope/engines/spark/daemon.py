"""Spark's Python daemon, with the kernels loaded before it forks: workers are hot at once."""

import gc

from muonscope.engines.spark import worker  # noqa: F401 with Arrow
from muonscope.words import _parse_csv, _parse_json  # noqa: F401 compiled when imported

__all__: list[str] = []

if __name__ == "__main__":
    from pyspark.daemon import manager

    # Workers collect garbage after each task, and would go through all of the compiler each time.
    gc.collect()
    gc.freeze()
    manager()
