"""The tables of tracks in a view document, as types."""

from typing import Annotated

from msgspec import Meta, Struct

from muonscope.dashboard.contract import Counts, Reals, items
from muonscope.tracking.histograms import HISTOGRAMS, SKY

__all__ = ["ABOUT_CONSTANTS", "CONSTANT_COLUMNS", "NUMBERED", "TABLES"]

Wholes = Annotated[Counts, items(type="integer")]


class Tracking(Struct, frozen=True, kw_only=True):
    """What was reconstructed in the view; each column has one entry."""

    orbits: Annotated[Counts, Meta(description="Orbits that were looked at.")]
    events: Annotated[Counts, Meta(description="Groups of three hits or more.")]
    skipped: Annotated[Counts, Meta(description="Events of too many hits.")]


class TrackBins(Struct, frozen=True, kw_only=True):
    """Tracks by bins, of a view or of a chamber; those outside are left out."""

    counts: Counts


class TrackSky(Struct, frozen=True, kw_only=True):
    """Muons seen in both views by their slopes, row by row of the first view's slope."""

    muons: Annotated[
        Counts, Meta(description=f"{SKY.bins} bins of {SKY.width} from {SKY.low} in each slope.")
    ]


class CellEfficiency(Struct, frozen=True, kw_only=True):
    """Muons that must have crossed the cells of a chamber, and those that they have seen."""

    expected: Counts
    seen: Counts


class TrackEvents(Struct, frozen=True, kw_only=True):
    """The first events with tracks of the latest window."""

    orbit: Counts
    tick: Annotated[Counts, Meta(description="TDC tick of the first hit in its orbit.")]
    hits: Counts


class EventLines(Struct, frozen=True, kw_only=True):
    """Their tracks."""

    event: Annotated[Counts, Meta(description="Row of the event.")]
    view: Counts
    chambers: Counts
    chamber: Annotated[
        Counts, items(type="integer", minimum=-1), Meta(description="Of a segment, or -1.")
    ]
    x_mm: Reals
    z_mm: Reals
    slope: Reals
    t0_ns: Annotated[Reals, Meta(description="Since the first hit.")]
    chi2: Reals


class EventHits(Struct, frozen=True, kw_only=True):
    """Their hits."""

    event: Annotated[Counts, Meta(description="Row of the event.")]
    view: Counts
    chamber: Counts
    cell: Counts
    used: Annotated[Counts, Meta(description="1 where a track has it, else 0.")]
    time_ns: Annotated[Reals, Meta(description="Since the first hit.")]
    x_mm: Annotated[Reals, Meta(description="Of the wire.")]
    z_mm: Annotated[Reals, Meta(description="Of the wire.")]
    at_mm: Annotated[Reals, Meta(description="Where the muon passed.")]
    mirror_mm: Annotated[Reals, Meta(description="The same on the other side of the wire.")]


CONSTANT_COLUMNS = "^(velocity_(sum|weight)|later_(sum|weight)[0-9]+)$"
"""Columns of the history that constants follow from, as a pattern."""

ABOUT_CONSTANTS = (
    "Only with tracking. The sum by the weight tells how much the drift velocity is more than in"
    " the detector file, in parts of 5 %, and how much later the hits of a chamber are, in parts of"
    " 20 ns: each as if nothing else were other."
)

TABLES: dict[str, type[Struct]] = {
    "tracking": Tracking,
    "track_sky": TrackSky,
    "event": TrackEvents,
    "event_lines": EventLines,
    "event_hits": EventHits,
}
"""Tables by name."""

NUMBERED: dict[str, type[Struct]] = {
    **{f"track_{axis.name}": TrackBins for axis in HISTOGRAMS},
    "efficiency": CellEfficiency,
}
"""Tables that there are for each view or chamber, by the name that its number follows."""
