"""Names with ``*``, ``?`` and ``[``, which are patterns only where nothing has that very name."""

from collections.abc import Callable

__all__ = ["is_pattern", "pattern_of"]

_MARKS = frozenset("*?[")


def is_pattern(name: str) -> bool:
    """Tell whether ``name`` has letters that make it a pattern."""
    return not _MARKS.isdisjoint(name)


def pattern_of(name: str, exists: Callable[[str], bool]) -> str:
    """Return ``name`` as a pattern in which the folders that exist as written stand for themselves.

    So ``run[1]/*.dat`` finds the files of a folder ``run[1]``, where there is one.

    Examples
    --------
    >>> pattern_of("run[1]/*.dat", lambda folder: folder == "run[1]")
    'run[[]1]/*.dat'
    """
    folders = name.split("/")[:-1]
    for n in range(len(folders), 0, -1):
        there = "/".join(folders[:n])
        if is_pattern(there) and exists(there):
            return "".join(f"[{c}]" if c in _MARKS else c for c in there) + name[len(there) :]
    return name
