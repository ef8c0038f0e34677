"""The mergeable Summary of counts.

A Summary is counts of a detector's orbits, in arrays by name, as a list of blocks describes
them. ``merge`` (also ``+``) is associative and commutative, and ``Summary.empty`` is its
identity, so engines may split work by orbits as they like and a run is the merge of its
windows.

The lists of a Summary grow with the number of hits: orbits with their hits, drift times.
``condensed`` drops them; merging with a condensed Summary gives a condensed one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from muonscope.counting.block import Array, Arrays, Block, IntArray, Lists, by_chamber
from muonscope.counting.blocks import BLOCKS
from muonscope.counting.blocks.drift import drift_ns
from muonscope.counting.blocks.lanes import alive_orbits
from muonscope.counting.blocks.words import Accounting, account_of
from muonscope.detector import Detector
from muonscope.units import ORBIT_S

if TYPE_CHECKING:
    import hist

__all__ = ["Accounting", "Detail", "Summary", "merged"]


@dataclass(frozen=True, slots=True, eq=False)
class Detail:
    """Lists that grow with the hits: for each chamber, sorted."""

    orbits: tuple[npt.NDArray[np.uint32], ...]
    """Orbits that have hits in the chamber, ascending."""
    orbit_hits: tuple[npt.NDArray[np.uint32], ...]
    """Hits of the chamber in each of them."""
    drift_orbits: tuple[npt.NDArray[np.uint32], ...]
    """Orbit of each drift time, ascending."""
    drift_ticks: tuple[npt.NDArray[np.int32], ...]
    """t_hit - t_scintillator in TDC ticks; ascending within an orbit."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Summary:
    """The counts of some orbits of one detector."""

    detector: Detector
    live_orbits: int
    """Number of orbits that were looked at."""
    arrays: Arrays
    """The counts of all blocks by name; int64."""
    lists: Lists | None = None
    """For each column of the blocks' lists, those of the chambers; None where condensed."""
    blocks: tuple[Block, ...] = BLOCKS
    """What is counted."""

    @classmethod
    def empty(cls, detector: Detector, blocks: Sequence[Block] = BLOCKS) -> "Summary":
        """Return the identity of ``merge``."""
        return cls(
            detector=detector,
            live_orbits=0,
            arrays={
                name: np.zeros(shape, np.int64)
                for block in blocks
                for name, shape in block.shapes(detector).items()
            },
            lists={
                name: (np.empty(0, dtype),) * detector.n_chambers
                for block in blocks
                for name, dtype in block.list_columns.items()
            },
            blocks=tuple(blocks),
        )

    def with_arrays(self, **arrays: Array) -> "Summary":
        """Return the same with other ``arrays`` of these names."""
        return replace(self, arrays={**self.arrays, **arrays})

    def merge(self, other: "Summary") -> "Summary":
        """Return the counts of both.

        Raises
        ------
        ValueError
            If the two are of different detectors, or count different things.
        """
        if self.detector != other.detector:
            raise ValueError(
                f"summaries of {self.detector.name} and {other.detector.name} cannot be merged"
            )
        return merged([self, other], self.detector, self.blocks)

    def __add__(self, other: object) -> "Summary":
        """Return ``merge`` of both."""
        return self.merge(other) if isinstance(other, Summary) else NotImplemented

    def __eq__(self, other: object) -> bool:
        """Tell whether all counts, and the lists, are the same."""
        if not isinstance(other, Summary) or self.detector != other.detector:
            return False
        if self.live_orbits != other.live_orbits or (self.lists is None) != (other.lists is None):
            return False
        mine, others = self._columns(), other._columns()
        return mine.keys() == others.keys() and all(
            np.array_equal(array, others[name]) for name, array in mine.items()
        )

    __hash__ = None  # type: ignore[assignment]

    def _columns(self) -> dict[str, Array]:
        """Return every array, those of the lists by name and chamber."""
        lists = self.lists or {}
        return dict(self.arrays) | {
            f"{name}/{c}": array for name in lists for c, array in enumerate(lists[name])
        }

    def condensed(self) -> "Summary":
        """Return the same counts without the lists that grow with the hits."""
        return replace(self, lists=None)

    @property
    def live_s(self) -> float:
        """Detector time in which the telescope was alive, s: rates are counts by it.

        That is the time of its longest-living FPGA: where a run begins or ends inside a window,
        or pauses, it is less than the time of the ``live_orbits`` that were looked at.
        """
        return alive_orbits(self) * ORBIT_S

    @property
    def class_words(self) -> IntArray:
        """Shape (n_classes,): words per cell, then per scintillator, then per trigger."""
        return self.arrays["class_words"]

    @property
    def other_words(self) -> IntArray:
        """Shape (len(Timeless),): words without a usable time."""
        return self.arrays["other_words"]

    @property
    def scint_hits(self) -> IntArray:
        """Shape (n_cells,): hits in orbits that have a scintillator hit."""
        return self.arrays["scint_hits"]

    @property
    def drift_histogram(self) -> IntArray:
        """Shape (n_chambers, 322): below -100 ns, 320 bins of 2.5 ns, from 700 ns on."""
        return self.arrays["drift_histogram"]

    @property
    def multiplicity(self) -> IntArray:
        """Shape (n_chambers + 1, 64): orbits by number of hits; last row: all chambers.

        Entry 0 stays 0: orbits without a hit are ``live_orbits`` less the others.
        """
        return self.arrays["multiplicity"]

    @property
    def detail(self) -> Detail | None:
        """Orbits with hits, and drift times, or None in a condensed Summary."""
        lists = self.lists
        return None if lists is None else Detail(*(lists[f.name] for f in fields(Detail)))

    @property
    def hits_per_cell(self) -> IntArray:
        """Hits of each cell, shape (n_cells,)."""
        return self.class_words[: self.detector.n_cells]

    @property
    def hits_per_chamber(self) -> IntArray:
        """Hits of each chamber, shape (n_chambers,)."""
        return by_chamber(self.detector, self.hits_per_cell)

    @property
    def scint_hits_per_chamber(self) -> IntArray:
        """Hits of each chamber in orbits with a scintillator hit, shape (n_chambers,)."""
        return by_chamber(self.detector, self.scint_hits)

    @property
    def total_hits(self) -> int:
        """Hits of all chambers."""
        return int(self.hits_per_cell.sum())

    @property
    def scintillator_words(self) -> int:
        """Words on scintillator channels."""
        return self.accounting.scintillator

    @property
    def trigger_words(self) -> int:
        """Words on firmware-trigger channels."""
        return self.accounting.trigger

    @property
    def accounting(self) -> Accounting:
        """Where the words of this Summary went."""
        return account_of(self.detector, self.arrays)

    def drift_ns(self, chamber: int) -> npt.NDArray[np.float64]:
        """Return the drift times of ``chamber`` in the order of time, ns.

        Raises
        ------
        ValueError
            If the Summary is condensed.
        """
        if self.lists is None:
            raise ValueError("a condensed Summary has no drift times; use drift_histogram")
        return drift_ns(self.detector, chamber, self.lists["drift_ticks"][chamber])

    def to_hist(self) -> "dict[str, hist.Hist[Any]]":
        """Return the counts as ``hist`` objects by name.

        ``channel`` and ``scint_channel`` have the axes chamber and channel,
        ``drift_time`` chamber and time in ns (with under- and overflow), and
        ``multiplicity`` chamber (one more: ``all``) and hits per orbit.
        """
        return {name: made for block in self.blocks for name, made in block.hists(self).items()}

    def __repr__(self) -> str:
        """Return one line: detector, time, words and where they went."""
        parts = ", ".join(f"{k} {v:,}" for k, v in self.accounting.as_dict().items() if v)
        return f"<Summary {self.detector.name} {self.live_s:.3f} s: {parts or 'no words'}>"

    def _repr_html_(self) -> str:
        scint_hits = self.scint_hits_per_chamber.tolist()
        rows = []
        for chamber, hits, scint in zip(
            self.detector.chambers, self.hits_per_chamber.tolist(), scint_hits, strict=True
        ):
            rate = f"{hits / self.live_s:,.1f}" if self.live_orbits else ""
            values = (escape(chamber.label), f"{hits:,}", rate, f"{scint:,}")
            rows.append("".join(f"<td>{value}</td>" for value in values))
        account = ", ".join(f"{k} {v:,}" for k, v in self.accounting.as_dict().items())
        body = "".join(f"<tr>{row}</tr>" for row in rows)
        return (
            f"<p><b>{escape(self.detector.name)}</b>, {self.live_s:.3f} s</p>"
            "<table><thead><tr><th></th><th>hits</th><th>Hz</th><th>with scintillator</th></tr>"
            f"</thead><tbody>{body}</tbody></table><p>{account}</p>"
        )


def merged(
    summaries: Iterable[Summary], detector: Detector, blocks: Sequence[Block] = BLOCKS
) -> Summary:
    """Return the merge of any number of summaries of ``detector``, all at once.

    Raises
    ------
    ValueError
        If one is of another detector, or counts something else than ``blocks``.
    """
    parts = [Summary.empty(detector, blocks), *summaries]
    if any(part.detector != detector for part in parts):
        raise ValueError(f"not all summaries are of {detector.name}")
    if any(part.blocks != parts[0].blocks for part in parts):
        raise ValueError(f"not all summaries have the blocks {', '.join(b.name for b in blocks)}")
    lists = [part.lists for part in parts if part.lists is not None]
    return Summary(
        detector=detector,
        live_orbits=sum(part.live_orbits for part in parts),
        arrays={
            name: block.merged(name, np.array([part.arrays[name] for part in parts]))
            for block in blocks
            for name in block.shapes(detector)
        },
        lists=_merged_lists(lists, blocks) if len(lists) == len(parts) else None,
        blocks=tuple(blocks),
    )


def _merged_lists(parts: Sequence[Lists], blocks: Sequence[Block]) -> Lists:
    lists: dict[str, tuple[Array, ...]] = {}
    for block in blocks:
        if names := list(block.list_columns):
            by_part = [zip(*(part[name] for name in names), strict=True) for part in parts]
            chambers = [block.merged_lists(some) for some in zip(*by_part, strict=True)]
            lists |= dict(zip(names, zip(*chambers, strict=True), strict=True))
    return lists
