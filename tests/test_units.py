"""Lengths of time as people write them, and as orbits."""

import pytest

from muonscope.errors import OptionError
from muonscope.units import ORBIT_S, ORBITS_PER_COUNTER, orbits_in, seconds


@pytest.mark.parametrize(
    ("text", "length_s"),
    [
        ("3", 3.0), ("500ms", 0.5), ("250us", 250e-6), ("1s", 1.0), ("2.5 min", 150.0),
        ("1h", 3600.0), (".5s", 0.5), (" 7 s ", 7.0),
    ],
)  # fmt: skip
def test_a_length_of_time_has_its_unit(text: str, length_s: float) -> None:
    assert seconds(text, "--window") == pytest.approx(length_s, rel=1e-15)


@pytest.mark.parametrize("text", ["", "s", "-1s", "1 w", "1e3", "nan", "0", "0ms", "1s2", "1 S"])
def test_what_is_no_length_of_time_is_refused_by_the_name_of_its_option(text: str) -> None:
    with pytest.raises(OptionError, match=r"^--window: found .*, expected a positive number"):
        seconds(text, "--window")


def test_nothing_is_a_length_where_that_is_allowed() -> None:
    assert seconds("0s", "fault", zero=True) == 0.0


@pytest.mark.parametrize(
    ("length_s", "orbits"),
    [(1.0, 11_223), (1.6 * ORBIT_S, 2), (1.4 * ORBIT_S, 1), (1e-9, 1), (60.0, 673_401)],
)
def test_a_length_is_the_nearest_number_of_orbits_and_at_least_one(
    length_s: float, orbits: int
) -> None:
    assert orbits_in(length_s) == orbits


def test_no_length_is_longer_than_the_orbit_counter() -> None:
    longest = ORBITS_PER_COUNTER * ORBIT_S
    assert orbits_in(longest) == ORBITS_PER_COUNTER
    with pytest.raises(OptionError, match="longer than the 32-bit orbit counter"):
        orbits_in(longest + ORBIT_S)


@pytest.mark.parametrize("length_s", [0.0, -1.0, float("nan"), float("inf")])
def test_a_length_is_positive_and_finite(length_s: float) -> None:
    with pytest.raises(OptionError, match="positive and finite"):
        orbits_in(length_s)
