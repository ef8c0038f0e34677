"""The tier of a test, by what it needs.

`make integration` runs what needs a Kafka broker, Spark, a browser or an environment of its
own; `make check` runs all else. A test is told by its fixtures, or by its folder where a
folder needs such a thing as a whole, so none is in both tiers or in neither.
"""

from collections.abc import Collection
from pathlib import Path

__all__ = ["GROUPS", "group_of"]

GROUPS = {
    "session": "spark",
    "fragile": "fragile",
    "browser": "browser",
    "wheel": "wheel",
    "broker": "broker",
    "spark_jars": "broker",
}
"""Fixtures that make a test an integration test, and the group of tests that share what they
start: a group runs in one process. The first that a test uses decides."""

FOLDERS = {"kafka": "broker"}
"""Folders directly below ``tests/`` that hold integration tests only, with their group."""


def group_of(path: Path, fixtures: Collection[str]) -> str | None:
    """Return the group of an integration test; ``None`` if it is no such test.

    ``path`` is relative to the root of the project.
    """
    for fixture, group in GROUPS.items():
        if fixture in fixtures:
            return group
    top, *folders = path.parent.parts
    return FOLDERS.get(folders[0]) if top == "tests" and folders else None
