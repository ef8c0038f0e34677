"""The table of hits with halo: the same however the stream is cut, and as an oracle has it."""

import json
import os
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from counting.test_kernels_have_three_referees import told
from helpers.streams import (
    IDLE,
    LATENESS,
    SCINTILLATOR,
    SPECS,
    STREAMS,
    TRIGGER,
    as_array,
    hit,
    spec_of,
)
from muonscope.counting import _hits
from muonscope.counting import halo as halos
from muonscope.counting.counter import Counter
from muonscope.counting.hits import hits_of, scintillator_hits
from muonscope.counting.panes import Panes
from muonscope.counting.window_spec import WindowSpec
from muonscope.counting.windows import Windower
from muonscope.counting.word_classes import class_table
from muonscope.detector import shipped_detector
from muonscope.errors import StateError
from oracles.slow_hits import Hit, by_orbit, expected_hits

LEGNARO = shipped_detector("legnaro")
TABLE = class_table(LEGNARO)
START = 1_000_000

Place = tuple[int, int]
"""Epoch and pane."""


def panes_of(words: list[int], spec: WindowSpec, cuts: Iterable[int] = ()) -> list[Panes]:
    """Return the closed panes of a stream that is pushed in pieces."""
    windower = Windower(TABLE, spec, halo=True)
    parts = [windower.push(piece) for piece in np.split(as_array(words), sorted(cuts))]
    return [*parts, windower.finish()]


def hits_by_pane(parts: Iterable[Panes]) -> dict[Place, list[Hit]]:
    """Return the hits of each pane, halo included."""
    found: dict[Place, list[Hit]] = {}
    for panes in parts:
        hits = hits_of(panes, LEGNARO, TABLE)
        columns = (hits.time, hits.chamber, hits.cell, hits.own)
        rows = list(zip(*(column.tolist() for column in columns), strict=True))
        begin = 0
        for epoch, pane, end in zip(
            panes.epoch.tolist(), panes.pane.tolist(), hits.ends.tolist(), strict=True
        ):
            assert (epoch, pane) not in found
            found[epoch, pane] = rows[begin:end]
            begin = end
    return found


def test_scintillator_hits_are_given_with_their_pane() -> None:
    words = in_time(400, 5, 3, 11)
    parts = panes_of(words, spec_of(7), (100, 250))
    found = [scintillator_hits(panes, LEGNARO, TABLE) for panes in parts]
    scintillators = {(f, c) for _, f, c in LEGNARO.special_addresses(LEGNARO.scintillators)}
    expected = sorted(
        (orbit * 3564 + bx) * 30 + tdc
        for fpga, channel, orbit, bx, tdc in map(fields, words)
        if (fpga, channel) in scintillators
    )
    assert len(expected) > 20
    assert sorted(np.concatenate([time for time, _ in found]).tolist()) == expected
    for panes, (time, pane) in zip(parts, found, strict=True):
        orbit = time // (3564 * 30)
        assert ((panes.start[pane] <= orbit) & (orbit < panes.stop[pane])).all()


def fields(word: int) -> tuple[int, int, int, int, int]:
    """Return FPGA, channel, orbit, BX and TDC of a word of version 2."""
    return word >> 58 & 7, word >> 49 & 511, word >> 17 & 0xFFFFFFFF, word >> 5 & 4095, word & 31


def bounds(pane: int, spec: WindowSpec) -> tuple[int, int]:
    """Return the first orbit of a pane, and the first one after it."""

    def start(pane: int) -> int:
        return pane // spec.panes * spec.window_orbits + pane % spec.panes * spec.pane_orbits

    return start(pane), start(pane + 1)


STRETCHES = st.sampled_from([1, 1, 3, 1000])
LENGTHS = st.sampled_from(
    [(1, 4, 9), (2, 4, 9), (7, 5, 9), (100, 20, 50), (1000, 20, 90), (33_670, LATENESS, IDLE)]
)
"""Window, lateness and idle time-out in orbits; 33,670 has three panes."""


def in_time(n: int, lateness: int, stretch: int, seed: int) -> list[int]:
    """Return ``n`` words and some that come first; they step back by the lateness at most."""
    rng = np.random.default_rng(seed)
    columns = (
        rng.integers(0, 90, n),
        rng.integers(0, 2, n),
        rng.choice([0, 5, 63, 64, 127, SCINTILLATOR, TRIGGER], n),
        rng.choice([0, 1, 3562, 3563], n),
        rng.integers(0, 32, n),
    )
    rows = [(0, fpga, 7, 9, tdc) for fpga in (0, 1) for tdc in range(6)]
    rows += zip(*(column.tolist() for column in columns), strict=True)
    groups = [row[0] * stretch // (lateness + 1) for row in rows]
    order = sorted(range(len(rows)), key=lambda i: (groups[i], rng.random()))
    return [hit(f, START + o * stretch, *rest) for o, f, *rest in (rows[i] for i in order)]


@settings(deadline=None, max_examples=150)
@given(
    n=st.integers(0, 400), lengths=LENGTHS, stretch=STRETCHES, seed=st.integers(0, 2**32 - 1),
    cuts=st.lists(st.integers(0, 412), max_size=6),
)  # fmt: skip
def test_words_in_time_give_the_hits_and_halos_of_a_dictionary_of_orbits(
    n: int, lengths: tuple[int, int, int], stretch: int, seed: int, cuts: list[int]
) -> None:
    words = in_time(n, lengths[1], stretch, seed)
    orbits, spec = by_orbit(words), spec_of(*lengths)
    found = hits_by_pane(panes_of(words, spec, cuts))
    everything = expected_hits(orbits, START, START + 10**6, LEGNARO)
    assert sum(own for hits in found.values() for *_, own in hits) == len(everything)
    for (epoch, pane), hits in found.items():
        assert epoch == 0
        assert hits == expected_hits(orbits, *bounds(pane, spec), LEGNARO)


@settings(deadline=None, max_examples=150)
@given(words=STREAMS, lengths=SPECS, cuts=st.lists(st.integers(0, 400), max_size=12))
def test_any_split_of_any_stream_gives_the_same_hits_and_halos(
    words: list[int], lengths: tuple[int, int, int], cuts: list[int]
) -> None:
    spec = spec_of(*lengths)
    whole = hits_by_pane(panes_of(words, spec))
    assert hits_by_pane(panes_of(words, spec, cuts)) == whole
    assert hits_by_pane(panes_of(words, spec, range(len(words)))) == whole


@settings(deadline=None, max_examples=150)
@given(words=STREAMS, lengths=SPECS)
def test_a_halo_is_what_the_neighbours_hold(
    words: list[int], lengths: tuple[int, int, int]
) -> None:
    spec = spec_of(*lengths)
    parts = panes_of(words, spec)
    own: dict[Place, dict[int, list[int]]] = {}
    around: dict[Place, dict[int, list[int]]] = {}
    for panes in parts:
        assert panes.halo_ends is not None
        for i, place in enumerate(zip(panes.epoch.tolist(), panes.pane.tolist(), strict=True)):
            own[place] = by_orbit(cut(panes.words, panes.ends, i))
            around[place] = by_orbit(cut(panes.halo, panes.halo_ends, i))
    for (epoch, pane), halo in around.items():
        first, stop = bounds(pane, spec)
        assert halo.keys() <= {first - 1, stop}
        assert halo.get(first - 1, []) == own.get((epoch, pane - 1), {}).get(first - 1, [])
        following = own.get((epoch, pane + 1), {}).get(stop, [])
        after = halo.get(stop, [])
        assert following[: len(after)] == after  # what came later than it may is not seen


def cut(words: Any, ends: Any, i: int) -> list[int]:
    """Return piece ``i`` of words that lie one after the other."""
    piece: list[int] = words[int(ends[i - 1]) if i else 0 : int(ends[i])].tolist()
    return piece


@settings(deadline=None, max_examples=100)
@given(words=STREAMS, lengths=SPECS, data=st.data())
def test_a_windower_goes_on_from_a_snapshot_with_its_halo(
    words: list[int], lengths: tuple[int, int, int], data: st.DataObject
) -> None:
    spec, at = spec_of(*lengths), data.draw(st.integers(0, len(words)))
    first = Windower(TABLE, spec, halo=True)
    parts = [first.push(as_array(words[:at]))]
    saved = {name: array.copy() for name, array in first.snapshot().items()}
    second = Windower.restore(TABLE, spec, saved, halo=True)
    parts += [second.push(as_array(words[at:])), second.finish()]
    assert hits_by_pane(parts) == hits_by_pane(panes_of(words, spec))


def test_a_pane_waits_for_the_orbit_after_it() -> None:
    spec = spec_of(10, 5, 100)
    words = [hit(f, START + n) for n in range(40) for f in (0, 1)]
    for with_halo in (False, True):
        windower, closed_at = Windower(TABLE, spec, halo=with_halo), []
        for word in words:
            closed_at += [word >> 17 & 0xFFFFFFFF] * len(windower.push(as_array([word])))
        assert [orbit - START for orbit in closed_at][:2] == [16 + with_halo, 26 + with_halo]


def test_a_pane_that_is_closed_before_its_time_has_the_halo_that_is_there() -> None:
    spec = spec_of(100, 50, 1000)
    windower = Windower(TABLE, spec, max_open_words=1, halo=True)
    words = [hit(0, START + n // 700) for n in range(70_000)]
    words += [hit(0, START + 100 + n // 700) for n in range(7000)]
    found = hits_by_pane([windower.push(as_array(words)), windower.finish()])
    own = [sum(own for *_, own in hits) for hits in found.values()]
    assert sum(own) < len(words)  # late: their pane was closed
    assert all(pane >= START // 100 for _, pane in found)


def test_without_a_block_that_needs_hits_there_is_no_halo(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("nobody asked for hits")

    monkeypatch.setattr(halos.HaloKeeper, "__init__", refuse)
    monkeypatch.setattr("muonscope.counting.counter.hits_of", refuse)
    monkeypatch.setattr(Windower, "_beside", refuse)
    counter = Counter(LEGNARO, spec_of(100, 10, 50))
    words = as_array([hit(f, START + n) for n in range(400) for f in (0, 1)])
    assert len(counter.push(words)) == 3
    assert len(counter.finish()) == 1
    assert "halo_words" not in counter.snapshot()


@pytest.mark.parametrize("halo", [False, True])
def test_a_state_without_halo_is_not_that_of_a_windower_with_one(halo: bool) -> None:
    saved = Windower(TABLE, spec_of(100), halo=halo).snapshot()
    with pytest.raises(StateError, match="other counts needed their hits"):
        Windower.restore(TABLE, spec_of(100), saved, halo=not halo)


def test_a_state_that_lost_its_halo_is_refused() -> None:
    saved = Windower(TABLE, spec_of(100), halo=True).snapshot()
    del saved["halo_ends"]
    with pytest.raises(StateError, match="found no halo_ends"):
        Windower.restore(TABLE, spec_of(100), saved, halo=True)


# three referees


def stream() -> list[int]:
    """Return words with hits on both sides of many edges."""
    return in_time(400, 20, 1, 5)


def answers() -> list[Mapping[str, Any]]:
    """Return the hits of the stream for some window lengths, ready for JSON."""
    found = [hits_by_pane(panes_of(stream(), spec_of(w, 20, 50), [7, 90])) for w in (1, 9, 500)]
    return [{f"{e}/{p}": [list(h) for h in hits] for (e, p), hits in one.items()} for one in found]


def test_compiled_kernels_agree_with_plain_python_and_the_oracle() -> None:
    assert os.environ.get("NUMBA_DISABLE_JIT", "0") == "0"
    plain = told(
        "from numba import config\n"
        "assert config.DISABLE_JIT\n"
        "from counting.test_hits import answers\n"
        "print(json.dumps(answers()))",
        NUMBA_DISABLE_JIT="1",
    )
    assert json.loads(json.dumps(answers())) == plain
    assert _hits.hit_keys.loaded
    assert _hits.take_halo.loaded
    orbits = by_orbit(stream())
    for one, window in zip(plain, (1, 9, 500), strict=True):
        for name, hits in one.items():
            pane = int(name.split("/")[1])
            wanted = expected_hits(orbits, *bounds(pane, spec_of(window, 20, 50)), LEGNARO)
            assert hits == [list(h) for h in wanted]
    assert sum(not own for one in plain for hits in one.values() for *_, own in hits) > 100
