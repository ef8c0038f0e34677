"""The block of tracks: the same for any windows and pieces, against the table, and as a message."""

from typing import Any

import jsonschema
import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

import muonscope
from helpers.examples import examples
from muonscope.counting.block import Shown
from muonscope.counting.blocks import BLOCKS, WITH_TRACKS
from muonscope.counting.blocks.tracks import Tracks
from muonscope.counting.counter import Counter
from muonscope.counting.summary import merged
from muonscope.counting.window_spec import WindowSpec
from muonscope.counting.window_table import WindowSummary, WindowTable
from muonscope.detector import shipped_detector
from muonscope.errors import FormatError
from muonscope.results.message import message_schema, window_messages
from muonscope.results.read_message import WindowResult, read_result
from muonscope.tracking.histograms import HISTOGRAMS, SKY
from muonscope.tracking.sample import EVENTS, SampledEvent
from muonscope.units import ORBIT_S

LEGNARO = shipped_detector()
WORDS = muonscope.simulate("legnaro", seconds=3.0, seed=21).words
BLOCK = Tracks()
SHAPES = BLOCK.shapes(LEGNARO)


def counted(window_s: float = 1.0, cuts: list[int] | None = None) -> list[WindowSummary]:
    """Return the windows of words that come in pieces."""
    counter = Counter(LEGNARO, WindowSpec(window_s=window_s), WITH_TRACKS)
    rows = [row for piece in np.split(WORDS, sorted(cuts or [])) for row in counter.push(piece)]
    return rows + list(counter.finish())


WINDOWS = counted()
WHOLE = merged([row.summary for row in WINDOWS], LEGNARO, WITH_TRACKS)
LINES = list(
    window_messages(
        WindowTable.of(LEGNARO, WINDOWS[0].summary.live_orbits, WINDOWS, blocks=WITH_TRACKS), "r"
    )
)


@given(
    cuts=st.lists(st.integers(0, len(WORDS)), max_size=6),
    window_s=st.sampled_from([4 * ORBIT_S, 0.01, 0.3, 1.0, 10.0]),
)
@examples(8)
def test_pieces_and_windows_change_nothing(cuts: list[int], window_s: float) -> None:
    rows = counted(window_s, cuts)
    whole = merged([row.summary for row in rows], LEGNARO, WITH_TRACKS)
    for name in SHAPES:
        found, wanted = whole.arrays[name], WHOLE.arrays[name]
        if name == "tracked":
            found, wanted = found[1:], wanted[1:]
        assert np.array_equal(found, wanted), name
    if window_s == 1.0:
        assert [row.summary for row in rows] == [row.summary for row in WINDOWS]


def test_a_run_that_was_saved_goes_on_as_if_it_had_not() -> None:
    counter = Counter(LEGNARO, WindowSpec(), WITH_TRACKS)
    rows = list(counter.push(WORDS[:6001]))
    again = Counter(LEGNARO, WindowSpec(), WITH_TRACKS)
    again.restore(counter.snapshot())
    rows += [*again.push(WORDS[6001:]), *again.finish()]
    assert [row.summary for row in rows] == [row.summary for row in WINDOWS]


def test_each_window_has_the_tracks_of_the_table() -> None:
    """The rows of ``muonscope tracks``, put into windows by the orbit of their first hit."""
    table = muonscope.tracks("sim:legnaro?seconds=3&seed=21").to_pydict()
    orbits = WINDOWS[0].summary.live_orbits
    for row in WINDOWS:
        mine = [
            i for i in range(len(table["epoch"]))
            if table["epoch"][i] == row.epoch and table["orbit"][i] // orbits == row.window
        ]  # fmt: skip
        arrays = row.summary.arrays
        by_chambers = np.zeros((2, 4), np.int64)
        for i in mine:
            by_chambers[LEGNARO.views.index(table["view"][i]), table["chambers"][i] - 1] += 1
        assert np.array_equal(arrays["tracks"], by_chambers)
        of = {axis.name: axis for axis in HISTOGRAMS}
        for v, view in enumerate(LEGNARO.views):
            slopes = np.array([table["slope"][i] for i in mine if table["view"][i] == view])
            edges = of["slope"].low + of["slope"].width * np.arange(of["slope"].bins + 1)
            counts = np.histogram(slopes, [-np.inf, *edges, np.inf])[0]
            assert np.array_equal(arrays["track_slope"][v], counts)
        residuals = np.concatenate(
            [table["residual_mm"][i] for i in mine if table["chambers"][i] > 1] or [np.empty(0)]
        )
        assert arrays["track_residual"].sum() == len(residuals)


def test_the_sky_has_the_muons_that_both_views_have_seen() -> None:
    table = muonscope.tracks("sim:legnaro?seconds=3&seed=21").to_pydict()
    pairs = []
    for i, partner in enumerate(table["partner"]):
        if partner is not None:
            both = sorted([(table["view"][i], table["slope"][i]),
                           (table["view"][partner], table["slope"][partner])])  # fmt: skip
            pairs.append((both[0][1], both[1][1]))
    edges = SKY.low + SKY.width * np.arange(SKY.bins + 1)
    x, y = np.array(pairs).T
    assert len(pairs) > 50
    assert np.array_equal(WHOLE.arrays["track_sky"], np.histogram2d(x, y, [edges, edges])[0])


def test_the_sample_is_the_first_events_with_a_track() -> None:
    table = muonscope.tracks("sim:legnaro?seconds=3&seed=21").to_pydict()
    for row in WINDOWS:
        orbits = range(row.first_orbit, row.last_orbit + 1)
        first = sorted(
            {(table["orbit"][i], table["event"][i]) for i in range(len(table["epoch"]))
             if table["chambers"][i] > 1 and table["orbit"][i] in orbits
             and table["epoch"][i] == row.epoch}
        )[:EVENTS]  # fmt: skip
        found = [SampledEvent.of(one) for one in row.summary.arrays["track_sample"]]
        events = [event for event in found if event]
        assert [event.orbit for event in events] == [orbit for orbit, _ in first]
        for event, (_, number) in zip(events, first, strict=True):
            rows = [i for i in range(len(table["event"])) if table["event"][i] == number]
            slopes = sorted(round(table["slope"][i] * 1e6) for i in rows)
            assert sorted(event.lines[:, 4].tolist()) == slopes
            cells = sorted(c for i in rows for c in table["cells"][i])
            assert sorted(event.hits[event.hits[:, 2] >= 0, 0].tolist()) == cells


def test_it_is_published_and_read_back() -> None:
    schema = message_schema()
    for line, row in zip(LINES, WINDOWS, strict=True):
        jsonschema.validate(orjson.loads(line), schema, jsonschema.Draft202012Validator)
        told = read_result(line, LEGNARO, WITH_TRACKS)
        assert isinstance(told, WindowResult)
        assert told.summary == row.summary.condensed()
        assert "tracks" not in read_result(line, LEGNARO, BLOCKS).summary.arrays


def test_results_without_tracking_have_no_orbit_that_was_looked_at() -> None:
    message = orjson.loads(LINES[0])
    del message["tracks"]
    told = read_result(orjson.dumps(message), LEGNARO, WITH_TRACKS)
    assert all(not told.summary.arrays[name].any() for name in SHAPES)


def broken(path: str, value: Any) -> bytes:
    """Return a message with another value in its tracks."""
    message = orjson.loads(LINES[-2])
    *place, last = path.split(".")
    part = message["tracks"]
    for name in place:
        part = part[int(name)] if isinstance(part, list) else part[name]
    key: Any = int(last) if isinstance(part, list) else last
    part[key] = value
    return orjson.dumps(message)


@pytest.mark.parametrize(
    ("path", "value", "where"),
    [
        ("events", -1, "tracks.events: found -1"),
        ("orbits", None, "tracks.orbits: found None"),
        ("by_chambers", [[1, 2, 3, 4]], "tracks.by_chambers: found"),
        ("by_chambers.0", [1, 2], "tracks.by_chambers.0: found"),
        ("three_and_four.3", "x", "tracks.three_and_four.3: found"),
        ("slope", [], "tracks.slope: found"),
        ("slope.bins", 61, "tracks.slope: found"),
        ("slope.rows", [], "tracks.slope.rows: found"),
        (
            "slope.rows.0",
            {"first": 61, "counts": [1, 2]},
            r"tracks.slope.rows\[0\]: found 2 counts",
        ),
        ("drift.rows.2", 7, r"tracks.drift.rows\[2\]: found 7"),
        ("residual.rows.1", {"first": 1, "counts": [True]}, "counts: found"),
        ("slope.rows.0", {"counts": []}, r"tracks.slope.rows\[0\].first: found None"),
        ("sky", {"bins": [400], "counts": [1]}, r"tracks.sky.bins: found \[400\], expected ascend"),
        ("sky", {"bins": [3, 3], "counts": [1, 1]}, r"tracks.sky.bins: found \[3, 3\]"),
        ("sky", {"bins": [3, 4], "counts": [1]}, "tracks.sky.counts: found"),
        ("constants", None, "tracks.constants: found None"),
        ("constants.normal", [1] * 90, "tracks.constants.normal: found .* expected a list of 91"),
        ("constants.right.3", -(1 << 41), "tracks.constants.right: found .* numbers from -10995"),
        ("cells_missed", {"first": 0, "counts": [9] * 256}, "cells_missed: found more"),
        ("cells_expected", None, "tracks.cells_expected: found None"),
        ("sample", [{}] * 9, "tracks.sample: found"),
        ("sample.0", 3, r"tracks.sample\[0\]: found 3"),
        ("sample.0.lines", [[1] * 6], r"tracks.sample\[0\].lines: found"),
        ("sample.0.lines.0.0", 2, "lines: view: found"),
        ("sample.0.lines.0.1", 5, "lines: chambers: found"),
        ("sample.0.lines.0.2", 1 << 60, "expected smaller numbers"),
        ("sample.0.hits.0.0", 256, "hits: cell: found"),
        ("sample.0.hits.0.2", 4, "hits: line: found"),
        ("sample.0.hits.0.3", 2, "hits: side: found"),
        ("sample.0.hits.0", [1, 2, 3, True], r"tracks.sample\[0\].hits: found"),
        ("sample.0.orbit", 1.5, r"tracks.sample\[0\].orbit: found"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_place(path: str, value: Any, where: str) -> None:
    with pytest.raises(FormatError, match=where):
        read_result(broken(path, value), LEGNARO, WITH_TRACKS)


def test_the_event_tables_are_the_sample() -> None:
    latest = WINDOWS[-2].summary
    tables = BLOCK.tables(Shown(summary=WHOLE, latest=latest, first_orbit=0, lists=None))
    events = [e for e in map(SampledEvent.of, latest.arrays["track_sample"]) if e]
    assert tables["event"]["orbit"].tolist() == [e.orbit for e in events]
    hits, lines = tables["event_hits"], tables["event_lines"]
    assert len(hits["x_mm"]) == sum(len(e.hits) for e in events)
    assert len(lines["slope"]) == sum(len(e.lines) for e in events) > 3
    used = hits["used"] == 1
    middle = (hits["at_mm"] + hits["mirror_mm"]) / 2
    assert middle == pytest.approx(hits["x_mm"], abs=0.002)
    assert (hits["at_mm"][~used] == hits["x_mm"][~used]).all()
    alone = lines["chambers"] == 1
    assert ((lines["chamber"] == -1) == ~alone).all()
    for event in range(len(events)):  # each used hit lies on a line of its event
        mine = np.flatnonzero(lines["event"] == event)
        for i in np.flatnonzero(used & (hits["event"] == event)).tolist():
            away = [
                lines["x_mm"][k] + lines["slope"][k] * (hits["z_mm"][i] - lines["z_mm"][k])
                - hits["at_mm"][i]
                for k in mine.tolist()
            ]  # fmt: skip
            assert min(map(abs, away)) < 1.5
    assert not BLOCK.tables(Shown(summary=WHOLE, latest=None, first_orbit=0, lists=None))
