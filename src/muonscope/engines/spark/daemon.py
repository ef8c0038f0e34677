"""Spark's Python daemon, with the kernels loaded before it forks: workers are hot at once."""

import gc

from muonscope import kernels
from muonscope.engines.spark import worker  # noqa: F401 with Arrow

__all__: list[str] = []

if __name__ == "__main__":
    from pyspark.daemon import manager

    kernels.load({kernels.Purpose.PARSING})
    # Workers collect garbage after each task, and would go through all of the compiler each time.
    gc.collect()
    gc.freeze()
    manager()
