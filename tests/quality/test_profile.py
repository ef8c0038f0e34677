"""Profiles: what they change, and what is refused, in words that name place and expectation."""

from datetime import date

import pytest

from muonscope.errors import OptionError
from muonscope.quality.advice import ADVICE
from muonscope.quality.profile import default_profile, parse_profiles, profile_for
from muonscope.quality.sequential import Rule
from muonscope.quality.verdict import State, Verdict


def test_each_check_of_the_shipped_profile_has_advice() -> None:
    assert {*default_profile().checks} | {"data", "bytes"} == {*ADVICE}


def test_a_file_changes_what_it_names_and_nothing_else() -> None:
    text = """
[check.chamber_rate]
rules = [{ ratio = 0.8, state = "WARN" }]
[check.cell_dead]
budget = 0.5
"""
    (mine,) = parse_profiles(text, where="mine.toml")
    shipped = default_profile()
    assert mine.checks["chamber_rate"].rules == (Rule(ratio=0.8, state=State.WARN),)
    assert mine.checks["cell_dead"].budget == 0.5
    assert mine.checks["cell_dead"].rules == shipped.checks["cell_dead"].rules
    assert mine.checks["drift_box"] == shipped.checks["drift_box"]


def test_the_first_profile_that_fits_counts() -> None:
    text = """
check.cell_dead.budget = 1.0
[profile.a]
when = { gas = "ArCO2", hv = "3600" }
[profile.b]
when = { gas = "ArCO2" }
check.cell_dead.budget = 2.0
"""
    profiles = parse_profiles(text, where="p")
    chosen = [
        profile_for(profiles, conditions).name
        for conditions in ({"gas": "ArCO2", "hv": "3600"}, {"gas": "ArCO2"}, {"gas": "CO2"}, {})
    ]
    assert chosen == ["a", "b", "default", "default"]
    assert [p.checks["cell_dead"].budget for p in profiles] == [1.0, 2.0, 1.0]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("[check.cell_dea]\nbudget = 1.0", "check.cell_dea: no such check; there are fpga_silent"),
        ("[check.cell_dead]\nbudge = 1", "unknown field `budge`"),
        ("[check.cell_dead]\nbudget = 0", "mine.toml: Expected `float` > 0"),
        ("[check.cell_dead]\nbudget = 'x'", "got `str` - at `$.check[...].budget`"),
        ("[check.cell_dead]\nrules = [{ratio = 0.1, state = 'RED'}]", "found state 'RED', exp"),
        ("[check.cell_dead]\nrules = [{ratio = 1.0, state = 'BAD'}]", "found ratio 1, expected"),
        ("[check.cell_dead]\nrules = [{ratio = -1, state = 'BAD'}]", "Expected `float` > 0"),
        ("[check.drift_box]\nseconds = 3", "drift_box.seconds: no such setting; there are warn_ns"),
        ("[[known]]\ntarget = 'ch0'", "missing required field `until`"),
        ("[[known]]\ntarget = 'ch0'\nwhy = 'x'\nuntil = 'soon'", "known"),
        ("[profile]\nx = 1", "Expected `object`, got `int`"),
        ("x = [", "mine.toml: "),
        ("colour = 'red'", "unknown field `colour`"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_place(text: str, what: str) -> None:
    with pytest.raises(OptionError) as error:
        parse_profiles(text, where="mine.toml")
    assert what in str(error.value)
    assert str(error.value).startswith("mine.toml: ")


@pytest.mark.parametrize(
    ("target", "check", "explained"),
    [("ch0:5", "cell_dead", True), ("ch0:50", "cell_dead", False), ("ch0:5", "cell_rate", False)],
)
def test_a_known_problem_is_one_target_and_check(target: str, check: str, explained: bool) -> None:
    text = """
[[known]]
target = "ch0:5"
check = "cell_dead"
until = 2026-12-31
why = "cut"
"""
    ((known,),) = [p.known for p in parse_profiles(text, where="p")]
    verdict = Verdict(check=check, target=target, state=State.BAD, text="")
    assert known.explains(verdict, date(2026, 11, 29)) is explained


def test_a_known_chamber_explains_its_cells() -> None:
    text = '[[known]]\ntarget = "ch0"\nuntil = 2026-12-31\nwhy = "off"\n'
    ((known,),) = [p.known for p in parse_profiles(text, where="p")]
    cell = Verdict(check="cell_dead", target="ch0:5", state=State.BAD, text="")
    assert known.explains(cell, date(2026, 11, 29))
