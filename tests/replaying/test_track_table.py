"""The table of tracks: one answer for any split of the words and any panes, and its columns."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

import muonscope
from helpers.examples import examples
from muonscope.counting.window_spec import WindowSpec
from muonscope.counting.windows import Windower
from muonscope.counting.word_classes import class_table
from muonscope.detector import shipped_detector
from muonscope.replaying.track_table import SCHEMA, Tracker
from muonscope.units import ORBIT_NS, ORBIT_S
from muonscope.words.layout import Words

LEGNARO = shipped_detector()
RUN = muonscope.simulate("legnaro", seconds=3.0, seed=21)


def tracked(words: Words, cuts: Sequence[int] = (), window_s: float = 1.0) -> pa.Table:
    """Return the tracks of words that come in pieces."""
    table = class_table(LEGNARO)
    windower = Windower(table, WindowSpec(window_s=window_s), halo=True)
    tracker = Tracker(LEGNARO, table)
    pieces = np.split(words, sorted(cuts))
    found = [tracker.take(windower.push(piece)) for piece in pieces]
    found.append(tracker.take(windower.finish()))
    return pa.concat_tables(found)


WHOLE = tracked(RUN.words)


def test_there_are_tracks_of_all_kinds() -> None:
    assert WHOLE.num_rows > 300
    assert WHOLE.schema.equals(SCHEMA, check_metadata=True)
    assert set(WHOLE["view"].to_pylist()) == {"phi", "theta"}
    assert set(WHOLE["chambers"].to_pylist()) == {1, 2, 3}
    assert None in WHOLE["partner"].to_pylist()
    assert max(filter(None, WHOLE["partner"].to_pylist())) < WHOLE.num_rows


@given(
    cuts=st.lists(st.integers(0, len(RUN.words)), max_size=8),
    window_s=st.sampled_from([4 * ORBIT_S, 0.01, 0.3, 1.0, 10.0]),
)
@examples(12)
def test_pieces_and_panes_change_nothing(cuts: list[int], window_s: float) -> None:
    assert tracked(RUN.words, cuts, window_s).equals(WHOLE)


def test_the_columns_fit_together() -> None:
    told = WHOLE.to_pydict()
    cells = LEGNARO.cells()
    for row in range(WHOLE.num_rows):
        hits, of = told["hits"][row], np.array(told["cells"][row])
        assert hits == len(of) == len(told["side"][row]) == len(told["residual_mm"][row])
        assert told["channels"][row] == cells.channel[of].tolist()
        chambers = set(cells.chamber[of].tolist())
        assert len(chambers) == told["chambers"][row]
        assert told["chamber"][row] == (min(chambers) if len(chambers) == 1 else None)
        assert {LEGNARO.chambers[c].view for c in chambers} == {told["view"][row]}
        assert set(told["side"][row]) <= {-1, 1}
        assert 0 <= told["t0_ns"][row] < ORBIT_NS
        time_s = told["orbit"][row] * ORBIT_S + told["t0_ns"][row] * 1e-9
        assert told["time_s"][row] == pytest.approx(time_s)
        partner = told["partner"][row]
        if partner is not None:
            assert told["event"][partner] == told["event"][row]
            assert told["chambers"][partner] > 1


def test_no_word_is_in_two_rows_over_chambers() -> None:
    told = WHOLE.filter(pa.compute.greater(WHOLE["chambers"], 1)).to_pydict()
    seen: set[tuple[int, int, int]] = set()
    for event, cells in zip(told["event"], told["cells"], strict=True):
        mine = {(event, cell, cells.count(cell)) for cell in cells}
        assert not mine & seen
        seen |= mine
