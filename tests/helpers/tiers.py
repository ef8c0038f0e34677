"""The tier of a test, by what it needs.

`make integration` runs what needs a Kafka broker, Spark, a browser or an environment of its
own, and what a reader would type: the commands of the README, the documentation and the examples.
`make check` runs all else. A test is told by its fixtures, or by its folder or file where that
needs such a thing as a whole, so none is in both tiers or in neither.
"""

from collections.abc import Collection
from pathlib import Path

__all__ = ["FILES", "FIXTURES", "FOLDERS", "is_integration"]

FIXTURES = frozenset(
    {"session", "fragile", "browser", "wheel", "broker", "spark_jars", "alertmanager"}
)
"""Those that start or need what makes a test an integration test."""

FOLDERS = frozenset({"kafka"})
"""Folders directly below ``tests/`` that hold integration tests only."""

FILES = frozenset({"test_docs.py", "test_examples.py", "test_mutants.py", "test_readme.py"})
"""Files directly in ``tests/`` whose tests run whole commands, one after the other."""


def is_integration(path: Path, fixtures: Collection[str]) -> bool:
    """Tell whether a test is an integration test; ``path`` is relative to the project's root."""
    top, *folders = path.parent.parts
    whole = top == "tests" and not FOLDERS.isdisjoint(folders[:1])
    whole = whole or (top == "tests" and not folders and path.name in FILES)
    return whole or not FIXTURES.isdisjoint(fixtures)
