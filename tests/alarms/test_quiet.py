"""Quiet times: by the clock of a place, summer time included."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from muonscope.alarms.quiet import Quiet, quiet_of, zone_of

ROME = ZoneInfo("Europe/Rome")


def at(text: str, *, fold: int = 0) -> float:
    """Return a time in Rome, s since 1970."""
    return datetime.fromisoformat(text).replace(tzinfo=ROME, fold=fold).timestamp()


@pytest.mark.parametrize(
    ("span", "time", "quiet"),
    [
        ("22:00-07:00", "2027-01-15 21:59:59", False),
        ("22:00-07:00", "2027-01-15 22:00:00", True),
        ("22:00-07:00", "2027-01-16 03:00:00", True),
        ("22:00-07:00", "2027-01-16 06:59:59", True),
        ("22:00-07:00", "2027-01-16 07:00:00", False),
        ("12:00-13:30", "2027-01-15 13:29:00", True),
        ("12:00-13:30", "2027-01-15 13:30:00", False),
        ("00:00-24:00", "2027-01-15 23:59:59", True),
        ("24:00-06:00", "2027-01-15 00:00:00", True),
        ("24:00-06:00", "2027-01-15 23:59:59", False),
        ("22:00-07:00", "2027-07-15 22:30:00", True),  # the same clock in summer
    ],
)
def test_a_time_of_day_is_quiet_or_not(span: str, time: str, *, quiet: bool) -> None:
    assert quiet_of([span], ROME, "").at(at(time)) == quiet


def test_summer_time_neither_skips_nor_prolongs_the_end_of_the_night() -> None:
    night = quiet_of(["22:00-07:00"], ROME, "")
    for day in ("2027-03-28", "2027-10-31"):  # clocks go forward, and back
        assert night.at(at(f"{day} 06:59"))
        assert not night.at(at(f"{day} 07:00"))


def test_an_hour_that_comes_twice_is_quiet_twice_and_one_that_is_left_out_never() -> None:
    hour = quiet_of(["02:00-03:00"], ROME, "")
    first, second = at("2027-10-31 02:30"), at("2027-10-31 02:30", fold=1)
    assert second - first == 3600
    assert hour.at(first)
    assert hour.at(second)
    begin = at("2027-03-28 01:30")
    assert not any(hour.at(begin + minute * 60) for minute in range(120))


def test_without_times_it_is_never_quiet() -> None:
    assert not Quiet().at(0.0)


def test_without_a_zone_it_is_the_clock_of_the_machine() -> None:
    assert zone_of("", "") is None
    now = datetime(2027, 1, 15, 12, 0).astimezone().timestamp()
    assert quiet_of(["11:59-12:01"], None, "").at(now)
