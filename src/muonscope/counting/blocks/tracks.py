"""Tracks of muons: how many, where, how straight, and what the cells have seen of them."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from muonscope.counting.block import (
    Array,
    Block,
    Columns,
    Counts,
    Fragment,
    Histograms,
    IntArray,
    Message,
    Read,
    Shown,
    Table,
    Tables,
    Writer,
)
from muonscope.counting.blocks import _track_message as told_tracks
from muonscope.counting.blocks._channels import channel_hist
from muonscope.counting.blocks._track_tables import event_tables
from muonscope.counting.hits import Hits
from muonscope.counting.pane_tracks import PaneTracks, tracks_of
from muonscope.counting.panes import Panes
from muonscope.counting.told import Told
from muonscope.detector import Detector
from muonscope.tracking.efficiency import cells_asked
from muonscope.tracking.histograms import (
    HISTOGRAMS,
    PER_VIEW,
    SKY,
    TrackAxis,
    counted,
    histograms,
    sky_map,
)
from muonscope.tracking.layout import LAYERS, TrackingLayout, layout_of
from muonscope.tracking.normal import constants_of, normal_sums
from muonscope.tracking.sample import EVENTS, ROW, earliest, sampled
from muonscope.units import BX_PER_ORBIT

if TYPE_CHECKING:
    import hist

__all__ = ["Tracks"]


class Tracks(Block):
    """What :mod:`muonscope.tracking` finds in the events that begin in a window.

    ``tracked`` has the orbits that were looked at, events with three hits or more, and those of
    them that were skipped; ``tracks`` the number of tracks in each view by their chambers, where
    one chamber is a segment; ``track_hits`` how often a chamber gave three and four hits to one;
    ``track_<name>`` the histograms, ``track_sky`` the map of slopes; ``cell_expected`` and
    ``cell_seen`` the muons that must have crossed a cell, and those that it has seen;
    ``track_normal`` what tracks tell of velocity, times, offsets and tilts; ``track_sample`` the
    first events with a track, or with a segment where no view has two chambers.
    """

    name = "tracking"
    needs_hits = True
    by_window = frozenset({"tracked", "tracks", "track_hits"})

    def shapes(self, detector: Detector) -> dict[str, tuple[int, ...]]:
        """Return the shapes; histograms have two bins more, below and above."""
        chambers, views = detector.n_chambers, len(layout_of(detector).views)
        constants = constants_of(chambers)
        filled = {
            f"track_{axis.name}": (axis.rows(chambers, views), axis.bins + 2) for axis in HISTOGRAMS
        }
        return {
            "tracked": (3,), "tracks": (views, chambers), "track_hits": (chambers, 2), **filled,
            "track_sky": (SKY.bins, SKY.bins), "cell_expected": (detector.n_cells,),
            "cell_seen": (detector.n_cells,), "track_normal": (constants, constants + 1),
            "track_sample": (EVENTS, ROW),
        }  # fmt: skip

    def count(self, detector: Detector, panes: Panes, hits: Hits | None) -> Columns:
        """Reconstruct all panes at once; an event counts where it begins."""
        assert hits is not None
        n, layout = len(panes), layout_of(detector)
        made = tracks_of(layout, hits)
        found, of_event = made.found, np.where(made.own, made.pane, -1)
        pane = of_event[found.event]
        tracked = np.stack(
            [
                panes.stop - panes.start, counted((made.pane[made.wanted],), (n,)),
                counted((made.pane[made.wanted & found.skipped],), (n,)),
            ],
            axis=1,
        )  # fmt: skip
        filled = histograms(layout, found, pane, n)
        expected, seen = cells_asked(layout, found, pane, n)
        return {
            "tracked": tracked,
            "tracks": _by_chambers(layout, made, n),
            "track_hits": _hits_given(layout, made, n),
            **{f"track_{name}": counts for name, counts in filled.items()},
            "track_sky": sky_map(found, pane, n),
            "cell_expected": expected,
            "cell_seen": seen,
            "track_normal": normal_sums(layout, found, pane, n)[0],
            "track_sample": _samples(layout, made, hits, n),
        }

    def merged(self, name: str, rows: Array) -> Array:
        """Return sums, but the first events of the samples."""
        return earliest(rows) if name == "track_sample" else super().merged(name, rows)

    def writer(self, table: Table, *, max_drift_times: int) -> Writer:  # noqa: ARG002
        """Write ``tracks``."""
        views = layout_of(table.detector).views
        columns = {name: table.columns[name] for name in self.shapes(table.detector)}

        def write(i: int, message: Message, _: Sequence[Message]) -> None:
            rows = {name: column[i] for name, column in columns.items()}
            message["tracks"] = told_tracks.written(rows, views)

        return write

    def read(self, told: Told) -> Read:
        """Read ``tracks``; results of earlier versions, and without tracking, have none."""
        shapes = self.shapes(told.detector)
        if "tracks" not in told.message:
            return Read(arrays={name: np.zeros(shape, np.int64) for name, shape in shapes.items()})
        return Read(arrays=told_tracks.read(told, shapes))

    def schema(self) -> Fragment:
        """Return the schema of ``tracks``."""
        return Fragment(message={"tracks": told_tracks.SCHEMA}, optional=("tracks",))

    def tables(self, shown: Shown) -> Tables:
        """Return histograms by their names and rows, the map of slopes, cells, and events."""
        if shown.latest is None:
            return {}
        detector, arrays = shown.summary.detector, shown.summary.arrays
        tables: Tables = {}
        for axis in HISTOGRAMS:
            for row, counts in enumerate(arrays[f"track_{axis.name}"]):
                tables[f"track_{axis.name}{row}"] = {"counts": counts[1:-1].copy()}
        tables["track_sky"] = {"muons": arrays["track_sky"].ravel()}
        numbers = dict(zip(("orbits", "events", "skipped"), arrays["tracked"], strict=True))
        tables["tracking"] = {name: np.array([n]) for name, n in numbers.items()}
        for chamber in range(detector.n_chambers):
            mine = detector.cells().chamber == chamber
            tables[f"efficiency{chamber}"] = {
                "expected": arrays["cell_expected"][mine], "seen": arrays["cell_seen"][mine],
            }  # fmt: skip
        return tables | event_tables(layout_of(detector), shown.latest)

    def hists(self, counts: Counts) -> Histograms:
        """Return the histograms of tracks by view or chamber, the map of slopes, and cells."""
        import hist

        layout, arrays = layout_of(counts.detector), counts.arrays
        made: Histograms = {}
        for axis in HISTOGRAMS:
            rows = (
                hist.axis.StrCategory(layout.views, name="view")
                if axis.per == PER_VIEW
                else hist.axis.Integer(0, counts.detector.n_chambers, name="chamber", flow=False)
            )
            of = hist.Hist(rows, _regular(axis, axis.name), storage=hist.storage.Int64())
            n = axis.rows(counts.detector.n_chambers, len(layout.views))
            of.view(flow=True)[:n] = arrays[f"track_{axis.name}"]
            made[f"track_{axis.name}"] = of
        sky = hist.Hist(
            *(_regular(SKY, name) for name in ("first_slope", "second_slope")),
            storage=hist.storage.Int64(),
        )
        sky.view()[...] = arrays["track_sky"]
        made["track_sky"] = sky
        for name in ("cell_expected", "cell_seen"):
            made[name] = channel_hist(counts.detector, arrays[name])
        return made

    def trend(self, counts: Counts) -> dict[str, int]:
        """Return the number of tracks over two chambers or more, and sums of two constants.

        The velocity, and how much later each chamber is, are their sum by their weight, each
        as if it alone were not as in the detector file.
        """
        normal = counts.arrays["track_normal"]
        told = {"tracks": int(counts.arrays["tracks"][:, 1:].sum())}
        told |= {"velocity_sum": int(normal[0, -1]), "velocity_weight": int(normal[0, 0])}
        for c in range(counts.detector.n_chambers):
            told[f"later_sum{c}"] = int(normal[1 + c, -1])
            told[f"later_weight{c}"] = int(normal[1 + c, 1 + c])
        return told


def _regular(axis: TrackAxis, name: str) -> "hist.axis.Regular":
    """Return the bins of a histogram as an axis, with those below and above."""
    import hist

    return hist.axis.Regular(
        axis.bins, axis.low, axis.low + axis.bins * axis.width, name=name, label=axis.label
    )


def _by_chambers(layout: TrackingLayout, made: PaneTracks, n: int) -> IntArray:
    found = made.found
    own = made.own[found.event]
    places = (made.pane[found.event[own]], found.view[own], found.chambers[own] - 1)
    return counted(places, (n, len(layout.views), len(layout.view)))


def _hits_given(layout: TrackingLayout, made: PaneTracks, n: int) -> IntArray:
    """Return how often each chamber gave three, and four hits."""
    found, chambers = made.found, len(layout.view)
    places = (found.row, layout.chamber[found.cell[found.hit]])
    number = counted(places, (len(found.size), chambers))
    some, chamber = np.nonzero((number >= LAYERS - 1) & made.own[found.event][:, None])
    full = (number[some, chamber] >= LAYERS).astype(np.int64)
    return counted((made.pane[found.event[some]], chamber, full), (n, chambers, 2))


def _samples(layout: TrackingLayout, made: PaneTracks, hits: Hits, n: int) -> IntArray:
    """Return the first events of each pane."""
    found, rows = made.found, np.zeros((n, EVENTS, ROW), np.int64)
    least = min(2, max(int((layout.view == v).sum()) for v in range(len(layout.views))))
    events = np.unique(found.event[(found.chambers >= least) & made.own[found.event]])
    filled = np.zeros(n, np.int64)
    per_orbit = BX_PER_ORBIT * layout.detector.readout.ticks_per_bx
    first = found.event_first
    for event in events.tolist():
        pane = int(made.pane[event])
        if filled[pane] < EVENTS:
            orbit, tick = divmod(int(hits.time[first[event]]), per_orbit)
            rows[pane, filled[pane]] = sampled(layout, found, event, orbit, tick).row()
            filled[pane] += 1
    return rows
