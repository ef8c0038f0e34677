"""The state of alarms: verdicts, people and time go in; every time is an argument."""

from dataclasses import replace

import pytest

from helpers.alarming import NOW, change, verdict
from muonscope.alarms.config import Match
from muonscope.alarms.state import DATA, Acknowledged, AlarmState, Silence, Told
from muonscope.quality.verdict import State

KEY = ("legnaro", "chamber_rate", "ch1")
NO_DATA = ("legnaro", *DATA)


def state_of(*changes: object, now: float = NOW) -> AlarmState:
    state = AlarmState()
    state.take("legnaro", "r", changes, now)  # type: ignore[arg-type]
    return state


def seen(state: State = State.BAD, until: float | None = None) -> Acknowledged:
    return Acknowledged(who="me", note="", at=NOW, until=until, state=state)


def test_a_bad_verdict_is_an_alarm_until_it_is_good() -> None:
    state = state_of(change())
    alarm = state.alarms[KEY]
    assert (alarm.state, alarm.since, alarm.active, alarm.run) == (State.BAD, NOW, True, "r")
    state.take("legnaro", "r", [change(state=State.WARN)], NOW + 5)
    assert (state.alarms[KEY].state, state.alarms[KEY].since) == (State.WARN, NOW)
    state.take("legnaro", "r", [change(state=State.GOOD)], NOW + 9)
    assert (state.alarms[KEY].ended, state.alarms[KEY].state) == (NOW + 9, State.WARN)


@pytest.mark.parametrize("end", [State.GOOD, State.NOT_ENOUGH])
def test_what_cannot_be_told_any_more_is_over(end: State) -> None:
    state = state_of(change())
    state.take("legnaro", "r", [change(state=end)], NOW + 1)
    assert not state.alarms[KEY].active


def test_a_known_problem_is_no_alarm() -> None:
    assert not state_of(change(known="until May")).alarms
    state = state_of(change())
    state.take("legnaro", "r", [change(known="until May")], NOW + 1)
    assert not state.alarms[KEY].active


@pytest.mark.parametrize(
    ("now", "kept"),
    [
        (State.WARN, True), (State.BAD, True), (State.GOOD, False), (State.NOT_ENOUGH, False),
        (State.NO_DATA, False),
    ],
)  # fmt: skip
def test_an_acknowledgement_ends_when_it_gets_worse_or_is_over(now: State, *, kept: bool) -> None:
    state = state_of(change())
    state.acknowledge(KEY, seen(State.BAD))
    state.take("legnaro", "r", [change(state=now)], NOW + 1)
    assert (KEY in state.acks) == kept
    assert KEY in state.touched.acks


def test_an_acknowledgement_of_a_warning_ends_when_it_is_bad() -> None:
    state = state_of(change(state=State.WARN))
    state.acknowledge(KEY, seen(State.WARN))
    state.take("legnaro", "r", [change(state=State.BAD)], NOW + 1)
    assert KEY not in state.acks


def test_an_acknowledgement_is_of_one_target_and_has_an_end() -> None:
    state = state_of(change(), change(target="ch2"))
    state.acknowledge(KEY, seen(until=NOW + 60))
    assert ("legnaro", "chamber_rate", "ch2") not in state.acks
    state.pass_time(NOW + 59)
    assert KEY in state.acks
    state.pass_time(NOW + 60)
    assert KEY not in state.acks


def test_no_data_hides_no_other_alarm_and_is_acknowledged_by_itself() -> None:
    state = state_of(change())
    state.take_data("legnaro", "r", "no window", NOW + 10)
    assert state.alarms[KEY].active
    assert state.alarms[NO_DATA].state == State.NO_DATA
    state.acknowledge(NO_DATA, seen(State.NO_DATA))
    assert list(state.acks) == [NO_DATA]
    state.take_data("legnaro", "r", "", NOW + 20)
    assert not state.alarms[NO_DATA].active
    assert state.alarms[KEY].active
    assert not state.acks


def test_what_the_judge_says_of_a_gap_that_is_over_is_no_alarm() -> None:
    state = state_of(change("data", "telescope", State.NO_DATA))
    assert not state.alarms


def test_after_a_restart_all_verdicts_are_compared() -> None:
    state = state_of(change(), change(target="ch2"), change(target="ch3"))
    verdicts = {
        ("chamber_rate", "ch1"): verdict(),
        ("chamber_rate", "ch2"): verdict(target="ch2", state=State.GOOD),
        ("chamber_rate", "ch3"): verdict(target="ch3", state=State.NOT_ENOUGH),
        ("cell_dead", "ch0:5"): verdict("cell_dead", "ch0:5"),
    }
    state.compare("legnaro", verdicts, "next", NOW + 60)
    active = {alarm.target for alarm in state.alarms.values() if alarm.active}
    assert active == {"ch1", "ch3", "ch0:5"}
    assert state.alarms[KEY].run == "r"  # it goes on
    assert state.alarms["legnaro", "cell_dead", "ch0:5"].run == "next"


def test_what_nothing_judges_any_more_is_over_after_a_quarter_of_an_hour_of_windows() -> None:
    state = state_of(change())
    state.take("old", "r", [change()], NOW)
    state.take_data("old", "r", "no window", NOW)
    later = NOW + 86_400  # a restart the day after: the windows begin anew
    for minute in range(16):
        state.compare("legnaro", {}, "next", later + 60 * minute)
    assert all(alarm.active for alarm in state.alarms.values())
    state.compare("legnaro", {}, "next", later + 901)
    assert not any(alarm.active for alarm in state.alarms.values())


def test_what_is_judged_now_and_then_is_not_over() -> None:
    state, known = state_of(change()), {("chamber_rate", "ch1"): verdict()}
    for minute in range(0, 60, 10):
        state.compare("legnaro", {}, "r", NOW + 60 * minute)
        state.compare("legnaro", known, "r", NOW + 60 * minute + 300)
    assert state.alarms[KEY].active


def test_what_is_judged_all_the_time_is_not_over() -> None:
    state = state_of(change())
    for minute in range(60):
        state.compare("legnaro", {("chamber_rate", "ch1"): verdict()}, "r", NOW + 60 * minute)
    assert state.alarms[KEY].active


def test_an_acknowledgement_without_an_alarm_ends_when_the_verdict_is_good() -> None:
    state = AlarmState()  # of a problem that is known
    state.acknowledge(KEY, seen())
    state.compare("legnaro", {("chamber_rate", "ch1"): verdict(known="x")}, "r", NOW)
    assert KEY in state.acks
    state.compare("legnaro", {("chamber_rate", "ch1"): verdict(state=State.GOOD)}, "r", NOW)
    assert KEY not in state.acks


def test_a_silence_fits_by_patterns_until_it_ends() -> None:
    state = state_of(change(), change("cell_dead", "ch0:5", State.WARN))
    match = Match(check="cell*", target="ch0*")
    state.silences = (Silence(match=match, until=NOW + 10, why="", who="", at=NOW),)
    cell = state.alarms["legnaro", "cell_dead", "ch0:5"]
    assert state.silenced(cell, NOW + 9)
    assert not state.silenced(cell, NOW + 10)
    assert not state.silenced(state.alarms[KEY], NOW)
    state.silences = (replace(state.silences[0], match=replace(match, least=State.BAD)),)
    assert not state.silenced(cell, NOW)


def test_a_clock_that_is_set_back_stretches_no_time() -> None:
    state = state_of(change())
    state.note_told(KEY, "x", Told(state=State.BAD, severity="page", at=NOW))
    state.pass_time(NOW - 3600)
    assert state.alarms[KEY].since == state.told[KEY]["x"].at == NOW - 3600
    assert KEY in state.touched.alarms
    state.take("legnaro", "r", [change(state=State.GOOD)], NOW - 7200)
    assert state.alarms[KEY].ended == NOW - 3600
    state.pass_time(NOW - 7200)
    assert state.alarms[KEY].ended == NOW - 7200


def test_who_knows_that_it_was_over_is_told_anew_when_it_comes_again() -> None:
    state = state_of(change())
    state.take("legnaro", "r", [change(state=State.GOOD)], NOW + 1)
    over = Told(state=State.BAD, severity="page", at=NOW, over=True)
    state.note_told(KEY, "a", over)
    state.note_told(KEY, "b", replace(over, over=False))
    state.take("legnaro", "r", [change()], NOW + 2)
    assert list(state.told[KEY]) == ["b"]
    state.note_told(KEY, "b", over)  # of the one before, which was on its way
    assert "b" not in state.told[KEY]


def test_what_was_sent_of_a_forgotten_alarm_is_not_kept() -> None:
    state = state_of(change())
    state.drop(KEY)
    state.note_told(KEY, "x", Told(state=State.BAD, severity="page", at=NOW))
    assert not state.told


def test_what_has_been_over_for_a_week_is_forgotten() -> None:
    state = state_of(change())
    state.take("legnaro", "r", [change(state=State.GOOD)], NOW)
    state.pass_time(NOW + 6 * 86_400)
    assert state.alarms
    state.pass_time(NOW + 8 * 86_400)
    assert not state.alarms


def test_names_of_others_are_such_that_any_receiver_takes_them() -> None:
    state = AlarmState()
    state.take("légnaro\n", "run\udcff\x1b[31m", [change(target="μ\0")], NOW)
    (alarm,) = state.alarms.values()
    assert (alarm.detector, alarm.target, alarm.run) == ("légnaro ", "μ ", "run? [31m")
