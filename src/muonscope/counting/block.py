"""The socket of a new count: a block says everything of one kind of count.

A block is a description without data: which arrays it has, how they are counted and
merged, how they go into the message and come back, and how they are shown. The data lie
by name in ``arrays`` and ``lists`` of a :class:`~muonscope.counting.summary.Summary` or a
:class:`~muonscope.counting.window_table.WindowTable`, which know no block. Today's blocks
are in :data:`muonscope.counting.blocks.BLOCKS`; docs/how-to/add-a-block.md adds one.

``arrays`` are counts of a fixed shape, int64, which add up. ``lists`` grow with the hits:
one for each chamber and column, sorted; a condensed Summary has none of them.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from muonscope.counting.hits import Hits
from muonscope.counting.panes import Panes
from muonscope.counting.told import Told
from muonscope.detector import Detector

if TYPE_CHECKING:
    import hist

__all__ = [
    "COUNT_SCHEMA", "Array", "Arrays", "Block", "Columns", "Counts", "Fragment", "Histograms",
    "IntArray", "Lists", "Message", "Read", "Shown", "Table", "Tables", "Writer", "by_chamber",
]  # fmt: skip

Array = npt.NDArray[Any]
IntArray = npt.NDArray[np.int64]
Arrays = Mapping[str, Array]
"""Arrays by name."""
Lists = Mapping[str, tuple[Array, ...]]
"""For each column the lists of the chambers."""
Columns = dict[str, Array]
"""Arrays by name, one row for each window or pane; columns of lists, and their ends, flat."""
Message = dict[str, Any]
Writer = Callable[[int, Message, Sequence[Message]], None]
"""Puts what window i says into the message and the objects of its chambers."""
Tables = dict[str, dict[str, Array]]
"""Columns by the name of the table and of the column, as plots ask for them."""
Histograms = dict[str, "hist.Hist[Any]"]

COUNT_SCHEMA: Mapping[str, Any] = {"type": "integer", "minimum": 0}
"""The JSON Schema of a count of anything."""


class Counts(Protocol):
    """The counts of some orbits: a Summary, as blocks see it."""

    @property
    def detector(self) -> Detector:
        """The telescope."""

    @property
    def live_orbits(self) -> int:
        """Number of orbits that were looked at."""

    @property
    def arrays(self) -> Arrays:
        """The arrays of all blocks."""


class Table(Protocol):
    """The counts of many windows: a WindowTable, as blocks see it."""

    @property
    def detector(self) -> Detector:
        """The telescope."""

    @property
    def window_orbits(self) -> int:
        """Orbits in a window."""

    @property
    def columns(self) -> Arrays:
        """The arrays and lists of all blocks."""

    def __len__(self) -> int:
        """Return the number of windows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A view, as blocks see it when they make its tables."""

    summary: Counts
    """The counts of the view."""
    latest: Counts | None
    """Those of its latest window; None where nobody draws tracks."""
    first_orbit: int
    """First orbit of its latest window."""
    lists: Lists | None
    """What the message of the latest window told of lists; None where nobody draws them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """The counts that a block found in a message."""

    arrays: Columns
    """All arrays of the block."""
    lists: dict[str, tuple[Array, ...]] = field(default_factory=dict)
    """Those columns that the message tells in full."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fragment:
    """The JSON Schema of a block's keys; those that always stand there are required."""

    message: Mapping[str, Any] = field(default_factory=dict)
    """Properties of the message."""
    chamber: Mapping[str, Any] = field(default_factory=dict)
    """Properties of the object of each chamber."""
    optional: Sequence[str] = ()
    """Names that are not required."""
    definitions: Mapping[str, Any] = field(default_factory=dict)
    """What the properties refer to."""


class Block(ABC):
    """One kind of count. An instance holds options at most, never counts."""

    name: ClassVar[str]
    fused: ClassVar[bool] = False
    """Whether :mod:`muonscope.counting.fused` counts it, together with others."""
    needs_hits: ClassVar[bool] = False
    """Whether ``count`` wants the table of hits with times and halo."""
    list_ends: ClassVar[str] = ""
    """Name of the ends of its lists, where it has any."""
    list_columns: ClassVar[Mapping[str, type[np.generic]]] = {}
    """Names and types of the columns of its lists, which are all of one length."""
    by_window: ClassVar[frozenset[str]] = frozenset()
    """Arrays that an archive keeps for every window: the small ones, and those that people look
    for window by window. Of the others it keeps the merge of each minute."""

    @abstractmethod
    def shapes(self, detector: Detector) -> dict[str, tuple[int, ...]]:
        """Return the shapes of its arrays by name; names are unique among all blocks."""

    def count(self, detector: Detector, panes: Panes, hits: Hits | None) -> Columns:
        """Count closed panes, each by itself.

        Parameters
        ----------
        detector
            The telescope.
        panes
            Closed panes with their words, n of them.
        hits
            Their hits, where ``needs_hits``, else None.

        Returns
        -------
        Columns
            Every array by name, shape ``(n, *its shape)``, int64, and the flat columns of lists
            with their ends, shape (n, n_chambers).
        """
        raise NotImplementedError(f"block {self.name}: is counted by the fused pass, or not at all")

    def merged(self, name: str, rows: Array) -> Array:  # noqa: ARG002
        """Return the merge of an array's ``rows``, shape ``(n, *its shape)``: their sum."""
        total: Array = rows.sum(axis=0, dtype=np.int64)
        return total

    def merged_lists(self, parts: Sequence[tuple[Array, ...]]) -> tuple[Array, ...]:
        """Return the union of one chamber's lists, sorted; each part has all columns."""
        raise NotImplementedError(f"block {self.name}: has no lists")

    @abstractmethod
    def writer(self, table: Table, *, max_drift_times: int) -> Writer:
        """Return what writes the windows of ``table``; prepare all of them at once.

        ``max_drift_times`` bounds what is written for every single hit of a chamber.
        """

    @abstractmethod
    def read(self, told: Told) -> Read:
        """Return the counts that a message tells.

        Raises
        ------
        FormatError
            If they are missing, of another type or shape, or contradict the rest; the text
            says where, what was found, and what was expected.
        """

    @abstractmethod
    def schema(self) -> Fragment:
        """Return the JSON Schema of what ``writer`` writes."""

    def hists(self, counts: Counts) -> Histograms:  # noqa: ARG002
        """Return the counts as ``hist`` objects by name."""
        return {}

    def tables(self, shown: Shown) -> Tables:  # noqa: ARG002
        """Return what the dashboard draws; blocks may add columns to the same table."""
        return {}

    def trend(self, counts: Counts) -> dict[str, int]:  # noqa: ARG002
        """Return the numbers that are drawn against time, by name; always the same names."""
        return {}


def by_chamber(detector: Detector, per_cell: IntArray) -> IntArray:
    """Return sums over the cells of each chamber: the last axis shrinks to n_chambers."""
    firsts = [detector.first_cell(c) for c in range(detector.n_chambers)]
    return np.add.reduceat(per_cell, firsts, axis=-1)
