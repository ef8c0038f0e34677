"""The words of a morning report: grammar at none, one and many; changes of the clock."""

import time

import pytest

from muonscope.errors import OptionError
from muonscope.processing.report_clock import Clock, zone_named
from muonscope.processing.report_words import (
    counted,
    good_text,
    joined,
    length_text,
    sentence,
    share_text,
)

NAN = float("nan")


def said(
    problems: tuple[int, int, int] = (0, 0, 0), holes: int = 0, waiting: int = 0,
    good: tuple[int, int] = (100, 100), live_s: float = 81_660.0,
) -> str:  # fmt: skip
    return sentence(
        period_s=86_400.0, live_s=live_s, good=good, problems=problems, holes=holes,
        waiting=[f"thing {n}" for n in range(waiting)],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (said(), ("All calm: 22 h 41 min of data in 24 h, all good; no problems; nothing waits"
                 " for you.")),
        (said((1, 0, 0)), ("22 h 41 min of data in 24 h, all good; 1 new problem; nothing waits for"
                          " you.")),
        (said((2, 0, 1), good=(983, 1000)),
         ("22 h 41 min of data in 24 h, 98.3 % good; 2 new problems, 1 known; nothing waits for"
         " you.")),
        (said((0, 1, 0), holes=1), ("22 h 41 min of data in 24 h (1 hole), all good; 1 old problem;"
                                   " nothing waits for you.")),
        (said((1, 1, 1), 2, 1), ("22 h 41 min of data in 24 h (2 holes), all good; 1 new problem, 1"
                                " old, 1 known; 1 thing waits for you: thing 0.")),
        (said((0, 0, 3), waiting=2), ("All calm: 22 h 41 min of data in 24 h, all good; 3 known"
                                     " problems; 2 things wait for you.")),
        (said(good=(0, 0), live_s=0.0), ("under 1 s of data in 24 h, none of it judged yet; no"
                                        " problems; nothing waits for you.")),
        (said((1_234, 0, 0), good=(0, 5)), ("22 h 41 min of data in 24 h, none of it good; 1,234"
                                           " new problems; nothing waits for you.")),
        (said(live_s=NAN), ("NO DATA CAME in the last 24 h: see whether the DAQ runs, and what"
                           " archives it; nothing waits for you.")),
        (said(live_s=NAN, waiting=1), ("NO DATA CAME in the last 24 h: see whether the DAQ runs,"
                                      " and what archives it; 1 thing waits for you: thing 0.")),
    ],
)  # fmt: skip
def test_the_sentence_is_english_at_none_one_and_many(text: str, expected: str) -> None:
    assert text == expected


@pytest.mark.parametrize(
    ("good", "judged", "expected"),
    [
        (0, 0, "none of it judged yet"), (0, 9, "none of it good"), (9, 9, "all good"),
        (99_999, 100_000, "99.9 % good"), (1, 100_000, "0.1 % good"), (983, 1000, "98.3 % good"),
    ],
)  # fmt: skip
def test_nearly_all_is_not_all(good: int, judged: int, expected: str) -> None:
    assert good_text(good, judged) == expected


def test_small_words_have_their_forms() -> None:
    assert [counted(n, "hole") for n in (0, 1, 2, 1_000)] == [
        "no holes", "1 hole", "2 holes", "1,000 holes",
    ]  # fmt: skip
    assert [joined(some) for some in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        "", "a", "a and b", "a, b and c",
    ]  # fmt: skip
    assert [share_text(share) for share in (0.0, 1.0, 0.5, 1e-9)] == [
        "0 %", "100 %", "50.0 %", "0.1 %",
    ]  # fmt: skip
    lengths = (0.0, 0.99, 59.9, 60.0, 3599.0, 3600.0, 172_799.0, 172_800.0)
    assert [length_text(s) for s in lengths] == [
        "under 1 s", "1 s", "59 s", "1 min", "59 min 59 s", "1 h", "47 h 59 min", "2 d",
    ]  # fmt: skip


SUMMER_ENDS = 1_792_890_000.0  # 2026-10-25 01:00 UTC


def test_times_say_their_zone_where_the_clock_is_changed() -> None:
    rome = zone_named("Europe/Rome")
    clock = Clock(zone=rome, since=SUMMER_ENDS - 7200, until=SUMMER_ENDS + 7200)
    before, after = (clock.text(SUMMER_ENDS + s) for s in (-1800, 1800))
    assert (before, after) == ("25 Oct 02:30:00 CEST", "25 Oct 02:30:00 CET")
    assert clock.period == (
        "2026-10-25 01:00 CEST to 2026-10-25 04:00 CET (2026-10-24 23:00 to 2026-10-25 03:00 UTC)"
    )
    winter = Clock(zone=rome, since=SUMMER_ENDS + 100, until=SUMMER_ENDS + 7200)
    assert winter.text(SUMMER_ENDS + 1800) == "25 Oct 02:30:00"
    assert winter.hour(SUMMER_ENDS + 1800) == "02:30"


def test_without_a_name_it_is_the_zone_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Europe/Rome")
    time.tzset()
    try:
        clock = Clock(zone=zone_named(""), since=SUMMER_ENDS - 7200, until=SUMMER_ENDS + 7200)
        assert clock.text(SUMMER_ENDS - 1800) == "25 Oct 02:30:00 CEST"
        assert clock.text(SUMMER_ENDS + 1800) == "25 Oct 02:30:00 CET"
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("name", ["Mars/Olympus", "../etc", "/etc/passwd", "Europe", " "])
def test_a_zone_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(OptionError, match="--timezone: found"):
        zone_named(name)
