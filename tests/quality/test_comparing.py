"""Comparisons: what differs is found, what is alike is left alone, and nothing is ever NaN."""

import json
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest

import compare as bench
from helpers.judged import windows
from muonscope.counting.blocks import BLOCKS
from muonscope.counting.summary import Summary
from muonscope.detector import shipped_detector
from muonscope.errors import FormatError, OptionError
from muonscope.quality.comparing import compare
from muonscope.quality.comparison import Comparison, Difference, Finding
from muonscope.quality.seen import layout_of
from muonscope.quality.side import Side, SideBuilder

LEGNARO = shipped_detector()
ORBITS = 1_122_000
"""About 100 s."""


def counted(scale: float = 1.0, *, live: float = 1.0, name: str = "run") -> Side:
    """Return a run of made-up counts, all of them alike for any cell and chamber."""
    empty = Summary.empty(LEGNARO, BLOCKS).condensed()
    n, chambers, lanes = LEGNARO.n_cells, LEGNARO.n_chambers, len(LEGNARO.lanes)
    words = empty.arrays["class_words"].copy()
    words[:n] = int(1_000 * scale)
    words[n:] = int(100 * scale)
    multiplicity = empty.arrays["multiplicity"].copy()
    multiplicity[:, 1:9] = int(4_000 * scale)
    drift = empty.arrays["drift_few"].copy()
    drift[:, 40:200] = int(20 * scale)
    summary = empty.with_arrays(
        class_words=words, multiplicity=multiplicity, drift_few=drift, drift_histogram=drift,
        occupied=np.full(n, int(800 * scale)), scint_hits=np.full(n, int(30 * scale)),
        scint_orbits=np.full(chambers + 1, int(100 * scale)),
        together=np.full((chambers, chambers), int(500 * scale)),
        lane_words=np.full(lanes, int(128_000 * scale)),
        lane_orbits=np.full(lanes, int(ORBITS * live)),
    )  # fmt: skip
    return Side(name=name, summary=replace(summary, live_orbits=int(ORBITS * live)))


def changed(side: Side, name: str, at: Any, value: int) -> Side:
    """Return the same run with one entry of an array replaced."""
    array = side.summary.arrays[name].copy()
    array[at] = value
    return replace(side, summary=side.summary.with_arrays(**{name: array}))


def occupied(side: Side, at: Any, value: int) -> Side:
    """Return the same run with another number of occupied milliseconds of cells, and hits."""
    words = side.summary.class_words[: LEGNARO.n_cells]
    words = words - side.summary.arrays["occupied"]
    side = changed(side, "occupied", at, value)
    hits = side.summary.class_words.copy()
    hits[: LEGNARO.n_cells] = words + side.summary.arrays["occupied"]
    return replace(side, summary=side.summary.with_arrays(class_words=hits))


def found(comparison: Comparison, what: str, target: str) -> Finding | None:
    rows = [f for f in comparison.findings if (f.what, f.target) == (what, target)]
    assert len(rows) <= 1
    return rows[0] if rows else None


def plain(comparison: Comparison) -> str:
    """Return all that is said, as JSON; fail where anything in it is no number."""
    said = json.dumps(comparison.as_dict(), allow_nan=False)
    texts = "\n".join([said, comparison.sentence, *(f.text for f in comparison.findings)])
    assert "nan" not in texts.replace("finance", "")
    assert "inf " not in texts
    return said


# ---- that what is alike agrees, and faults do not


@pytest.mark.slow
@pytest.mark.parametrize("profile", ["quiet", "legnaro"])
def test_halves_of_a_run_differ_no_more_often_than_the_level_says(profile: str) -> None:
    level, pairs = 0.1, 40
    some = windows(profile, 120.0, 5, tracks=True)
    told = sum(
        any(f.difference != Difference.AGREES for f in compare(
            *bench.halves(some, seed), level=level
        ).findings)
        for seed in range(pairs)
    )  # fmt: skip
    assert told <= 10  # of 40 at 10 %, more than 10 are a chance of 0.1 %


@cache
def sound() -> Side:
    """Give a reference of the legnaro telescope."""
    return bench.side("good", windows("legnaro", 300.0, 999, tracks=True))


@pytest.mark.slow
@pytest.mark.parametrize("fault", bench.FAULTS, ids=lambda fault: fault.spec)
def test_a_fault_is_at_the_top(fault: bench.Injected) -> None:
    run = bench.side("bad", windows("legnaro", 100.0 * fault.times, 7, fault.spec, tracks=True))
    comparison = compare(run, sound())
    place = bench.place_of(fault, comparison)
    assert place is not None
    assert place <= 3, [f.text for f in comparison.differing[:5]]
    plain(comparison)


@pytest.mark.slow
def test_runs_of_two_seeds_agree() -> None:
    comparison = compare(bench.side("run", windows("legnaro", 100.0, 8, tracks=True)), sound())
    assert comparison.differing == ()
    assert comparison.sentence.startswith("run agrees with good in all of ")
    assert len(comparison.findings) > 800


# ---- one thing that differs


def test_equal_runs_agree_and_say_of_how_many_things() -> None:
    comparison = compare(counted(), counted(name="good"))
    assert comparison.sentence == (
        f"run agrees with good in all of {len(comparison.findings):,} things tested"
    )
    assert all(f.difference == Difference.AGREES for f in comparison.findings)
    assert 3 * LEGNARO.n_cells < len(comparison.findings)
    plain(comparison)


def test_a_dead_cell_is_the_first_finding_with_its_interval() -> None:
    comparison = compare(occupied(counted(), 61, 0), counted(name="good"))
    first = comparison.findings[0]
    assert (first.what, first.target, first.size, first.method) == (
        "cell_rate", "ch0:61", -1.0, "exact"
    )  # fmt: skip
    assert (first.ratio, first.low) == (0.0, 0.0)
    assert 0.0 < first.high < 0.02
    assert first.tested == LEGNARO.n_cells
    assert "run differs from good in 1 of " in comparison.sentence
    assert "0 occupied ms, expected 800: 0 times" in comparison.sentence


def test_what_is_significant_but_small_is_negligible() -> None:
    run = occupied(counted(1000.0), 61, 808_000)
    small = compare(run, counted(1000.0, name="good"))
    assert small.differing == ()
    assert [f.target for f in small.negligible] == ["ch0:61"]
    assert "1 more differ negligibly" in small.sentence
    assert [
        f.target for f in compare(run, counted(1000.0, name="good"), least_size=0.005).differing
    ] == ["ch0:61"]


def test_a_cell_is_corrected_for_all_cells_and_all_families() -> None:
    comparison = compare(occupied(counted(), 3, 600), counted(name="good"))
    one = found(comparison, "cell_rate", "ch0:3")
    assert one
    families = len({f.what for f in comparison.findings})
    assert one.p_corrected == pytest.approx(one.p * LEGNARO.n_cells * families, rel=1e-6)


def test_words_that_the_reference_never_had_are_new_without_a_number_for_infinity() -> None:
    run = changed(counted(), "other_words", slice(0, 1), 0)
    run = changed(run, "repeated", 0, 9_000)
    comparison = compare(run, counted(name="good"))
    first = comparison.differing[0]
    assert (first.what, first.target) == ("integrity", "repeated")
    assert "none in the reference" in first.text
    assert json.loads(plain(comparison))["findings"][0]["ratio"] is None


def test_a_shifted_drift_box_differs_in_its_shape() -> None:
    run = counted(10.0)
    box = run.summary.arrays["drift_few"].copy()
    box[2] = np.roll(box[2], 16)
    comparison = compare(
        replace(run, summary=run.summary.with_arrays(drift_few=box)), counted(10.0, name="good")
    )
    first = comparison.differing[0]
    assert (first.what, first.target, first.method) == ("drift_times", "ch2", "G-test")
    assert first.size == pytest.approx(0.1)
    assert len(comparison.differing) == 1


def test_a_silent_fpga_is_told_by_its_words_and_its_cells_by_their_own_live_time() -> None:
    layout = layout_of(LEGNARO)
    mine = layout.lane_of_chamber[layout.chamber_of_cell] == 1
    run = counted()
    for name, at, value in (
        ("lane_words", 1, 12_800), ("lane_orbits", 1, ORBITS // 10),
        ("occupied", mine, 80), ("class_words", np.flatnonzero(mine), 100),
    ):  # fmt: skip
        run = changed(run, name, at, value)
    comparison = compare(run, counted(name="good"))
    assert (comparison.findings[0].what, comparison.findings[0].target) == ("fpga_words", "fpga1")
    cells = [f for f in comparison.findings if f.what in {"cell_rate", "cell_trains"}]
    assert len(cells) == 2 * LEGNARO.n_cells
    assert all(f.difference == Difference.AGREES for f in cells)


def test_the_whole_comes_before_its_parts() -> None:
    run = counted()
    chamber = layout_of(LEGNARO).chamber_of_cell == 1
    run = occupied(run, chamber, 410)
    run = changed(run, "multiplicity", (1, slice(1, 9)), 2_800)
    comparison = compare(run, counted(name="good"))
    targets = [(f.what, f.target) for f in comparison.differing]
    assert targets[0] == ("chamber_rate", "ch1")
    assert ("cell_rate", "ch1:64") in targets
    # but a cell that is worse than its chamber comes first
    worse = compare(occupied(run, 70, 0), counted(name="good"))
    assert worse.differing[0].target == "ch1:70"


# ---- awkward runs


def test_a_run_that_is_a_thousand_times_as_long_agrees() -> None:
    for one, other in ((1000.0, 1.0), (1.0, 1000.0)):
        comparison = compare(counted(one, live=one), counted(other, live=other, name="good"))
        assert comparison.differing == comparison.negligible == ()
        assert comparison.scaling == pytest.approx(one / other)
        plain(comparison)


def test_empty_runs_hold_nothing_to_compare() -> None:
    empty = Side(name="run", summary=Summary.empty(LEGNARO, BLOCKS).condensed())
    comparison = compare(empty, replace(empty, name="good"))
    assert comparison.findings == ()
    assert comparison.sentence == "run and good hold nothing to compare"
    plain(comparison)


def test_an_empty_run_against_a_full_one_is_found_either_way() -> None:
    none = counted(0.0)
    for run, reference in ((none, counted(name="good")), (counted(), replace(none, name="good"))):
        comparison = compare(run, reference)
        first = comparison.differing[0]
        assert (first.what, first.target) == ("telescope_rate", "telescope")
        box = found(comparison, "drift_times", "ch0")
        assert box
        assert (box.method, box.size, box.difference) == ("one is empty", 1.0, Difference.DIFFERS)
        plain(comparison)


def test_a_run_that_was_never_alive_is_no_division_by_zero() -> None:
    comparison = compare(counted(0.0, live=0.0), counted(name="good"))
    plain(comparison)
    assert comparison.scaling == 0.0
    backwards = compare(counted(), counted(0.0, live=0.0, name="good"))
    plain(backwards)
    assert any("was not alive in one of the two" in note for note in backwards.notes)


def test_a_cell_without_a_hit_in_both_is_not_tested() -> None:
    run, good = (occupied(counted(), 9, 0) for _ in range(2))
    comparison = compare(run, replace(good, name="good"))
    assert found(comparison, "cell_rate", "ch0:9") is None
    assert found(comparison, "cell_rate", "ch0:10")


def test_huge_counts_are_compared() -> None:
    huge = 2.0**40 / 800
    run = occupied(counted(huge), 5, int(2.0**40 * 1.2))
    comparison = compare(run, counted(huge, name="good"))
    assert [f.target for f in comparison.differing] == ["ch0:5"]
    assert comparison.differing[0].high - comparison.differing[0].low < 1e-4
    plain(comparison)


def test_another_detector_is_refused_by_name() -> None:
    other = shipped_detector("run000591")
    run = Side(name="theirs", summary=Summary.empty(other, BLOCKS).condensed())
    with pytest.raises(FormatError, match=r"theirs is of the detector run000591 .* legnaro"):
        compare(run, counted(name="good"))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"scale": "time"}, "--scale: found 'time', expected live, entries, none"),
        ({"level": 0.0}, "--level: found 0"), ({"level": 0.7}, "--level: found 0.7"),
        ({"level": float("nan")}, "--level: found nan"),
        ({"least_size": -1.0}, "--least-size: found -1"),
        ({"least_size": float("nan")}, "--least-size: found nan"),
    ],
)  # fmt: skip
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], text: str) -> None:
    with pytest.raises(OptionError, match=text):
        compare(counted(), counted(name="good"), **options)


def test_counts_are_scaled_as_asked_and_shares_never() -> None:
    run, good = counted(3.0, live=3.0), counted(name="good")
    assert compare(run, good).differing == ()
    assert compare(run, good, scale="entries").differing == ()
    unscaled = compare(run, good, scale="none")
    rate, share = (
        found(unscaled, what, "ch0") for what in ("chamber_rate", "scintillator_in_time")
    )
    assert rate
    assert share
    assert rate.ratio == pytest.approx(3.0)
    assert rate.difference == Difference.DIFFERS
    assert share.ratio == pytest.approx(1.0)
    twice = compare(counted(2.0), good, scale="entries")
    assert twice.differing == ()


def test_results_of_version_1_are_compared_by_what_they_tell() -> None:
    old = replace(counted(), tells_all=False)
    silent = {"occupied": 0, "drift_few": 0, "scint_orbits": 0, "lane_words": 0, "together": 0}
    for name, value in silent.items():
        old = changed(old, name, ..., value)
    comparison = compare(old, counted(name="good"))
    assert comparison.differing == ()
    assert found(comparison, "fpga_words", "fpga0") is None
    assert found(comparison, "cell_rate", "ch0:5")
    assert any("version 1 in run" in note for note in comparison.notes)
    dead = compare(changed(old, "class_words", 5, 0), counted(name="good"))
    assert [f.target for f in dead.differing] == ["ch0:5"]


def test_tracks_of_one_side_alone_are_not_compared() -> None:
    tracked = bench.side("run", windows("legnaro", 20.0, 3, tracks=True))
    plain_side = bench.side("good", windows("legnaro", 20.0, 3))
    comparison = compare(tracked, plain_side)
    assert comparison.notes == ("tracks: none were looked for in good",)
    assert not any(f.what.startswith("track") for f in comparison.findings)
    assert comparison.differing == ()


# ---- scatter


def test_hits_that_come_in_trains_are_not_taken_for_independent_ones() -> None:
    empty, rng = Summary.empty(LEGNARO, BLOCKS).condensed(), np.random.default_rng(4)
    sides = []
    for name in ("run", "good"):
        builder = SideBuilder(name, empty)
        for _ in range(100):
            # one train of 50 hits in three windows in the mean, the same in both runs
            hits = 50 * rng.poisson(1 / 3)
            words = empty.arrays["class_words"].copy()
            words[7] = hits
            window = replace(empty, live_orbits=11_220).with_arrays(
                class_words=words, occupied=(words[: LEGNARO.n_cells] > 0).astype(np.int64),
                lane_orbits=np.full(len(LEGNARO.lanes), 11_220),
            )  # fmt: skip
            builder.add(window)
        sides.append(builder.build())
    assert sides[0].summary.hits_per_cell[7] != sides[1].summary.hits_per_cell[7]
    measured = found(compare(*sides), "cell_trains", "ch0:7")
    assert measured
    assert 30 < measured.phi < 100
    assert measured.difference == Difference.AGREES


def test_windows_of_any_length_give_the_same_dispersion() -> None:
    some = windows("legnaro", 60.0, 4)
    empty = some[0].summary
    pairs = SideBuilder("run", Summary.empty(empty.detector, empty.blocks))
    for one, other in zip(some[1:-1:2], some[2:-1:2], strict=False):
        pairs.add(one.summary + other.summary)
    a, b = bench.side("run", some[1:-1]), pairs.build()
    phi = [s.counts["cell_rate"].chi_square().sum() / s.counts["cell_rate"].degrees().sum()
           for s in (a, b)]  # fmt: skip
    assert phi[0] == pytest.approx(phi[1], abs=0.1)


def test_the_same_runs_are_always_told_the_same_of() -> None:
    few = [bench.side(name, windows("legnaro", 6.0, seed)) for name, seed in (("a", 1), ("b", 2))]
    one, other = (compare(*few) for _ in range(2))
    assert any(f.method == "permutation" for f in one.findings)
    assert one.as_dict() == other.as_dict()
    assert [f.p for f in one.findings] == [f.p for f in other.findings]
