"""The tier of a test, by what it needs.

`make integration` runs what needs a Kafka broker, Spark, a browser or an environment of its
own; `make check` runs all else. A test is told by its fixtures, or by its folder where a
folder needs such a thing as a whole, so none is in both tiers or in neither.
"""

from collections.abc import Collection
from pathlib import Path

__all__ = ["FIXTURES", "is_integration"]

FIXTURES = frozenset({"session", "fragile", "browser", "wheel", "broker", "spark_jars"})
"""Those that start or need what makes a test an integration test."""

FOLDERS = frozenset({"kafka"})
"""Folders directly below ``tests/`` that hold integration tests only."""


def is_integration(path: Path, fixtures: Collection[str]) -> bool:
    """Tell whether a test is an integration test; ``path`` is relative to the project's root."""
    top, *folders = path.parent.parts
    whole = top == "tests" and not FOLDERS.isdisjoint(folders[:1])
    return whole or not FIXTURES.isdisjoint(fixtures)
