"""Lists of good windows, in the form of CMS's good-run lists: ``{"RUN": [[first, last], ...]}``.

Windows take the place of luminosity sections (CMS, certification of data quality). ``RUN`` is
epoch 0 of a run, ``RUN.2`` its epoch 2; a run whose name ends like that has its epoch always
written. Ranges have both ends in them, ascend, and do not touch.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from muonscope.counting.told import short
from muonscope.errors import FormatError, OptionError

__all__ = ["GoodList", "Range", "epochs_of", "joined_ranges", "key_of", "run_in", "without_ranges"]

Range = tuple[int, int]
"""First and last window."""


@dataclass(frozen=True, slots=True)
class GoodList:
    """Which windows of which runs are good."""

    ranges: Mapping[str, tuple[Range, ...]]
    """Ranges by the key of a run and epoch, as :func:`key_of` gives it."""

    @classmethod
    def read(cls, path: Path) -> "GoodList":
        """Read a list.

        Raises
        ------
        FormatError
            If it cannot be read, or is none.
        """
        try:
            told = orjson.loads(path.read_bytes())
        except (OSError, orjson.JSONDecodeError) as exc:
            raise FormatError(f"{path}: cannot be read: {exc}") from exc
        return cls.parsed(told, str(path))

    @classmethod
    def parsed(cls, told: Any, where: str = "good") -> "GoodList":
        """Return the list that a JSON value is.

        Raises
        ------
        FormatError
            If it is none; the text says where, what was found, and what was expected.

        Examples
        --------
        >>> good = GoodList.parsed({"R1": [[0, 4], [9, 9]]})
        >>> good.holds("R1", 0, 9), good.holds("R1", 1, 9)
        (True, False)
        """
        if not isinstance(told, dict):
            raise FormatError(
                f"{where}: found {short(told)}, expected {{RUN: [[first, last], ...]}}"
            )
        return cls({key: _ranges(value, f"{where}: {key}") for key, value in told.items()})

    def as_json(self) -> dict[str, list[list[int]]]:
        """Return the list as a JSON value, sorted by run."""
        return {key: [list(one) for one in some] for key, some in sorted(self.ranges.items())}

    def of(self, run: str, epoch: int) -> tuple[Range, ...]:
        """Return the good windows of an epoch of a run."""
        return self.ranges.get(key_of(run, epoch), ())

    def holds(self, run: str, epoch: int, window: int) -> bool:
        """Tell whether a window is good."""
        ranges = self.of(run, epoch)
        at = bisect_right(ranges, (window, 1 << 62))
        return at > 0 and window <= ranges[at - 1][1]


def key_of(run: str, epoch: int) -> str:
    """Return the key of an epoch of a run.

    Examples
    --------
    >>> key_of("R1", 0), key_of("R1", 2), key_of("R1.2", 0)
    ('R1', 'R1.2', 'R1.2.0')
    """
    _, dot, tail = run.rpartition(".")
    plain = epoch == 0 and not (dot and tail.isdecimal())
    return run if plain else f"{run}.{epoch}"


def epochs_of(good: GoodList, run: str) -> list[int]:
    """Return the epochs of a run of which a list has windows.

    Examples
    --------
    >>> epochs_of(GoodList.parsed({"R1": [[0, 4]], "R1.2": [[0, 9]], "R2": [[1, 1]]}), "R1")
    [0, 2]
    """
    found = []
    for key in good.ranges:
        epoch = key.removeprefix(f"{run}.")
        number = int(epoch) if key != epoch and epoch.isdecimal() else 0
        if key == key_of(run, number):
            found.append(number)
    return sorted(found)


def run_in(good: GoodList, run: str) -> str:
    """Return the run that is meant: ``run``, or the only one of the list.

    Raises
    ------
    OptionError
        If the list does not have it, or has several and none is named.
    """
    if run:
        if not epochs_of(good, run):
            known = ", ".join(list(good.ranges)[:10]) or "none"
            raise OptionError(f"--run: the list has no run {run!r}; it has {known}")
        return run
    if len(good.ranges) != 1:
        known = ", ".join(list(good.ranges)[:10]) or "no run"
        raise OptionError(f"--run: the list has {known}; name the run")
    return next(iter(good.ranges))


def joined_ranges(ranges: Iterable[Range]) -> tuple[Range, ...]:
    """Return ranges in ascending order, those that touch or overlap as one.

    Examples
    --------
    >>> joined_ranges([(5, 9), (0, 4), (20, 30), (25, 26)])
    ((0, 9), (20, 30))
    """
    found: list[Range] = []
    for first, last in sorted(ranges):
        if found and first <= found[-1][1] + 1:
            found[-1] = found[-1][0], max(found[-1][1], last)
        else:
            found.append((first, last))
    return tuple(found)


def without_ranges(ranges: Iterable[Range], others: Iterable[Range]) -> tuple[Range, ...]:
    """Return what is in ``ranges`` and in none of ``others``.

    Examples
    --------
    >>> without_ranges([(0, 9), (20, 30)], [(5, 22), (30, 40)])
    ((0, 4), (23, 29))
    """
    found = []
    taken = joined_ranges(others)
    for first, last in joined_ranges(ranges):
        begin = first
        for other_first, other_last in taken:
            if other_last < begin or other_first > last:
                continue
            if other_first > begin:
                found.append((begin, other_first - 1))
            begin = other_last + 1
        if begin <= last:
            found.append((begin, last))
    return tuple(found)


def _ranges(value: Any, where: str) -> tuple[Range, ...]:
    if not isinstance(value, list):
        raise FormatError(f"{where}: found {short(value)}, expected [[first, last], ...]")
    found: list[Range] = []
    for pair in value:
        whole = isinstance(pair, list) and len(pair) == 2 and all(type(n) is int for n in pair)
        if not whole or not 0 <= pair[0] <= pair[1]:
            raise FormatError(f"{where}: found {short(pair)}, expected [first, last], ascending")
        found.append((pair[0], pair[1]))
    return joined_ranges(found)
