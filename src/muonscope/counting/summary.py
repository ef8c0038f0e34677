"""What is counted: the mergeable Summary.

A Summary is integer counts in arrays. ``merge`` (also ``+``) is associative and
commutative, and ``Summary.empty`` is its identity, so engines may split work by orbits
as they like and a run is the merge of its windows.

Two parts of a Summary grow with the number of hits: the list of orbits with their hits,
and the list of drift times. ``condensed`` drops both; merging with a condensed Summary
gives a condensed one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from muonscope.counting.word_classes import Timeless
from muonscope.detector import Detector
from muonscope.units import BX_NS, ORBIT_S

if TYPE_CHECKING:
    import hist

__all__ = ["Accounting", "Detail", "Summary", "drift_ns", "merged"]

DRIFT_LOW_NS, DRIFT_HIGH_NS, DRIFT_BIN_NS = -100.0, 700.0, 2.5
"""Range and bin width of the drift-time histogram, ns."""

DRIFT_BINS = 320
"""Bins of the drift-time histogram; a table has two more, below and above."""

MULTIPLICITIES = 64
"""Entries of a multiplicity table: orbits with n hits, and last with 63 or more."""

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounting:
    """Where the words went."""

    words_in: int
    """The sum of the others here; a run compares it with the words that it was given."""
    hits: int
    """Words on cells."""
    scintillator: int
    trigger: int
    """Words on firmware-trigger channels."""
    ancillary: int
    unmapped: int
    """Hit words on channels that the detector does not know."""
    invalid: int
    """Words of an unknown HEAD, with BX >= 3564, or with an orbit alone."""
    late: int
    """Clock words that came after their window closed."""

    def as_dict(self) -> dict[str, int]:
        """Return the numbers by name, ``words_in`` first."""
        return {f.name: getattr(self, f.name) for f in fields(self)}


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

    @classmethod
    def empty(cls, chambers: int) -> "Detail":
        """Return the detail of no hits."""
        none = (np.empty(0, np.uint32),) * chambers
        return cls(none, none, none, (np.empty(0, np.int32),) * chambers)

    @classmethod
    def merged(cls, details: Sequence["Detail"]) -> "Detail":
        """Return the union of some: counts of the same orbit add up."""
        chambers = range(len(details[0].orbits))
        orbits = [
            _sum_by_orbit([d.orbits[c] for d in details], [d.orbit_hits[c] for d in details])
            for c in chambers
        ]
        drifts = [
            _sorted_drifts(
                [d.drift_orbits[c] for d in details], [d.drift_ticks[c] for d in details]
            )
            for c in chambers
        ]
        return cls(
            tuple(o for o, _ in orbits),
            tuple(n for _, n in orbits),
            tuple(o for o, _ in drifts),
            tuple(t for _, t in drifts),
        )


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Summary:
    """The counts of some orbits of one detector."""

    detector: Detector
    live_orbits: int
    """Number of orbits that were looked at."""
    class_words: IntArray
    """Shape (n_classes,): words per cell, then per scintillator, then per trigger."""
    other_words: IntArray
    """Shape (len(Timeless),): words without a usable time."""
    scint_hits: IntArray
    """Shape (n_cells,): hits in orbits that have a scintillator hit."""
    drift_histogram: IntArray
    """Shape (n_chambers, 322): below -100 ns, 320 bins of 2.5 ns, from 700 ns on."""
    multiplicity: IntArray
    """Shape (n_chambers + 1, 64): orbits by number of hits; last row: all chambers.

    Entry 0 stays 0: orbits without a hit are ``live_orbits`` less the others."""
    detail: Detail | None = field(default=None)
    """Per-orbit and per-hit lists, or None in a condensed Summary."""

    @classmethod
    def empty(cls, detector: Detector) -> "Summary":
        """Return the identity of ``merge``."""
        n, chambers = detector.n_cells, detector.n_chambers
        specials = len(detector.scintillators) + len(detector.firmware_triggers)
        return cls(
            detector=detector,
            live_orbits=0,
            class_words=np.zeros(n + specials, np.int64),
            other_words=np.zeros(len(Timeless), np.int64),
            scint_hits=np.zeros(n, np.int64),
            drift_histogram=np.zeros((chambers, DRIFT_BINS + 2), np.int64),
            multiplicity=np.zeros((chambers + 1, MULTIPLICITIES), np.int64),
            detail=Detail.empty(chambers),
        )

    def merge(self, other: "Summary") -> "Summary":
        """Return the counts of both.

        Raises
        ------
        ValueError
            If the two are of different detectors.
        """
        if self.detector != other.detector:
            raise ValueError(
                f"summaries of {self.detector.name} and {other.detector.name} cannot be merged"
            )
        return merged([self, other], self.detector)

    def __add__(self, other: object) -> "Summary":
        """Return ``merge`` of both."""
        return self.merge(other) if isinstance(other, Summary) else NotImplemented

    def __eq__(self, other: object) -> bool:
        """Tell whether all counts, and the detail, are the same."""
        if not isinstance(other, Summary) or self.detector != other.detector:
            return False
        if self.live_orbits != other.live_orbits or (self.detail is None) != (other.detail is None):
            return False
        return all(
            np.array_equal(a, b) for a, b in zip(self._arrays(), other._arrays(), strict=True)
        )

    __hash__ = None  # type: ignore[assignment]

    def _arrays(self) -> list[npt.NDArray[Any]]:
        arrays: list[npt.NDArray[Any]] = [
            self.class_words, self.other_words, self.scint_hits,
            self.drift_histogram, self.multiplicity,
        ]  # fmt: skip
        if self.detail is not None:
            for column in fields(self.detail):
                arrays.extend(getattr(self.detail, column.name))
        return arrays

    def condensed(self) -> "Summary":
        """Return the same counts without the lists that grow with the hits."""
        return replace(self, detail=None)

    @property
    def live_s(self) -> float:
        """Detector time that was looked at, s."""
        return self.live_orbits * ORBIT_S

    @property
    def hits_per_cell(self) -> IntArray:
        """Hits of each cell, shape (n_cells,)."""
        return self.class_words[: self.detector.n_cells]

    @property
    def hits_per_chamber(self) -> IntArray:
        """Hits of each chamber, shape (n_chambers,)."""
        return _by_chamber(self.detector, self.hits_per_cell)

    @property
    def scint_hits_per_chamber(self) -> IntArray:
        """Hits of each chamber in orbits with a scintillator hit, shape (n_chambers,)."""
        return _by_chamber(self.detector, self.scint_hits)

    @property
    def total_hits(self) -> int:
        """Hits of all chambers."""
        return int(self.hits_per_cell.sum())

    @property
    def scintillator_words(self) -> int:
        """Words on scintillator channels."""
        first = self.detector.n_cells
        return int(self.class_words[first : first + len(self.detector.scintillators)].sum())

    @property
    def trigger_words(self) -> int:
        """Words on firmware-trigger channels."""
        return int(self.class_words.sum()) - self.total_hits - self.scintillator_words

    @property
    def accounting(self) -> Accounting:
        """Where the words of this Summary went."""
        other = self.other_words
        return Accounting(
            words_in=int(self.class_words.sum() + other.sum()),
            hits=self.total_hits,
            scintillator=self.scintillator_words,
            trigger=self.trigger_words,
            ancillary=int(other[Timeless.ANCILLARY]),
            unmapped=int(other[Timeless.UNMAPPED]),
            invalid=int(other[Timeless.INVALID_HEAD : Timeless.INVALID_ORBIT + 1].sum()),
            late=int(other[Timeless.LATE]),
        )

    def drift_ns(self, chamber: int) -> npt.NDArray[np.float64]:
        """Return the drift times of ``chamber`` in the order of time, ns.

        Raises
        ------
        ValueError
            If the Summary is condensed.
        """
        if self.detail is None:
            raise ValueError("a condensed Summary has no drift times; use drift_histogram")
        return drift_ns(self.detector, chamber, self.detail.drift_ticks[chamber])

    def to_hist(self) -> "dict[str, hist.Hist[Any]]":
        """Return the counts as ``hist`` objects by name.

        ``channel`` and ``scint_channel`` have the axes chamber and channel,
        ``drift_time`` chamber and time in ns (with under- and overflow), and
        ``multiplicity`` chamber (one more: ``all``) and hits per orbit.
        """
        from muonscope.counting.histograms import summary_hists

        return summary_hists(self)

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


def merged(summaries: Iterable[Summary], detector: Detector) -> Summary:
    """Return the merge of any number of summaries of ``detector``, all at once."""
    parts = [Summary.empty(detector), *summaries]
    if any(part.detector != detector for part in parts):
        raise ValueError(f"not all summaries are of {detector.name}")
    arrays: dict[str, Any] = {
        name: np.sum([getattr(part, name) for part in parts], axis=0, dtype=np.int64)
        for name in ("class_words", "other_words", "scint_hits", "drift_histogram", "multiplicity")
    }
    details = [part.detail for part in parts if part.detail is not None]
    return Summary(
        detector=detector,
        live_orbits=sum(part.live_orbits for part in parts),
        detail=Detail.merged(details) if len(details) == len(parts) else None,
        **arrays,
    )


def drift_ns(
    detector: Detector, chamber: int, ticks: npt.NDArray[np.int32]
) -> npt.NDArray[np.float64]:
    """Return t_hit - t_scintillator as drift times, ns, rounded to a picosecond.

    drift = 25 ns * ticks / ticks_per_bx + the chamber's offset (assignment of the
    original pipeline).
    """
    tick_ns = BX_NS / detector.readout.ticks_per_bx
    drift: npt.NDArray[np.float64] = np.round(
        ticks * tick_ns + detector.chambers[chamber].drift_offset_ns, 3
    )
    return drift


def _by_chamber(detector: Detector, per_cell: IntArray) -> IntArray:
    firsts = [detector.first_cell(c) for c in range(detector.n_chambers)]
    return np.add.reduceat(per_cell, firsts)


def _sum_by_orbit(
    orbits: list[npt.NDArray[np.uint32]], hits: list[npt.NDArray[np.uint32]]
) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
    numbers, place = np.unique(np.concatenate(orbits), return_inverse=True)
    sums = np.bincount(place, np.concatenate(hits), len(numbers))
    return numbers, sums.astype(np.uint32)


def _sorted_drifts(
    orbits: list[npt.NDArray[np.uint32]], ticks: list[npt.NDArray[np.int32]]
) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.int32]]:
    all_orbits, all_ticks = np.concatenate(orbits), np.concatenate(ticks)
    order = np.lexsort((all_ticks, all_orbits))
    return all_orbits[order], all_ticks[order]
