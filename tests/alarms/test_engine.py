"""The alarms of a running dashboard: from verdicts to messages, restarts and no data included."""

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers.alarming import NOW, Desk, change, verdict
from helpers.patience import until
from muonscope.alarms.actions import acknowledge, load, silence
from muonscope.alarms.engine import Judged
from muonscope.alarms.options import AckOptions, SilenceOptions
from muonscope.alarms.state import Acknowledged
from muonscope.alarms.store import AlarmStore
from muonscope.errors import OptionError, StateError
from muonscope.events import EventKind
from muonscope.quality.verdict import State

ROUTE = '[[route]]\nseverity = "page"\nto = ["exec:/bin/true"]\n'
AM = "alertmanager:http://h"
WITH_AM = f'[[route]]\nto = ["exec:/bin/true", "{AM}"]\n'
PING = '[watchdog]\nping = "http://hc.example/key"\n'
PINGED = "ping:http://hc.example/***"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    found = Desk(ROUTE + PING, tmp_path)
    begin(found)
    yield found
    found.alarms.close()


def begin(desk: Desk) -> None:
    """Let windows come for two seconds: those before may be of the past."""
    desk.window()
    desk.window()


def targets(desk: Desk, name: str = "exec:/bin/true") -> list[list[str]]:
    return [[item.alarm.target for item in message.items] for message in desk.got(name)]


def test_a_verdict_is_sent_within_the_window_that_changes_it_and_its_end_too(desk: Desk) -> None:
    desk.window(change())
    assert targets(desk) == [["ch1"]]
    assert desk.alarms.counts().firing == {"info": 0, "ticket": 0, "page": 1}
    for _ in range(5):
        desk.window()
    assert len(targets(desk)) == 1
    desk.window(change(state=State.GOOD))
    assert [m.items[0].alarm.active for m in desk.got()] == [True, False]
    desk.window()
    assert desk.alarms.counts().firing["page"] == 0


def test_a_restart_repeats_nothing_and_forgets_nothing(desk: Desk) -> None:
    desk.window(change(), change(target="ch2"))
    desk.alarms.acknowledge(verdict(), "me", "called", desk.clock.now)
    desk.window()
    desk.restart()
    begin(desk)
    assert desk.alarms.acknowledged(verdict()) == Acknowledged(
        who="me", note="called", at=desk.clock.now - 3, state=State.BAD
    )
    desk.window(change(), change(target="ch2", state=State.GOOD))
    assert targets(desk) == [["ch1"], ["ch2"], ["ch2"]]
    desk.clock.now += 5 * 3600
    desk.window()
    assert len(targets(desk)) == 3  # seen: not repeated


def test_what_was_not_sent_before_a_crash_is_sent_after_it(tmp_path: Path) -> None:
    desk = Desk(ROUTE, tmp_path)
    begin(desk)
    desk.senders["exec:/bin/true"].failure = "not now"
    desk.window(change())
    assert desk.got() == []
    crashed = desk.alarms  # it ends without a word: its store is as the crash left it
    (tmp_path / "alarms.sqlite.lock").unlink()
    desk.senders["exec:/bin/true"].failure = ""
    desk.verdicts.clear()
    desk.alarms = desk._open()
    desk.step()
    assert targets(desk) == [["ch1"]]
    desk.alarms.close()
    crashed.close()


def test_a_receiver_that_fails_is_told_once_and_tried_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("muonscope.alarms.delivery._FIRST_PAUSE_S", 0.0)
    desk.senders["exec:/bin/true"].failure = "answers 500"
    desk.window(change())
    for _ in range(4):
        desk.window()
    (event,) = desk.events
    assert (event.kind, event.where) == (EventKind.ALARM_UNSENT, "exec:/bin/true")
    assert event.detail == "answers 500"
    assert desk.alarms.counts().failed == 5
    desk.senders["exec:/bin/true"].failure = ""
    desk.window()
    assert targets(desk) == [["ch1"]]
    assert desk.events[-1].kind == EventKind.ALARM_SENT
    assert desk.events[-1].numbers == {"failed": 5}


def test_after_a_failure_it_waits_longer_and_longer(desk: Desk) -> None:
    desk.senders["exec:/bin/true"].failure = "no"
    desk.window(change())
    for _ in range(20):
        desk.window()
    assert desk.alarms.counts().failed == 1  # the pauses are those of a real clock


def test_a_receiver_that_hangs_holds_up_no_other_and_no_feed(tmp_path: Path) -> None:
    text = ROUTE + "continue = true\n" + '[[route]]\nto = ["exec:/bin/false"]\n'
    desk = Desk(text, tmp_path)
    begin(desk)
    desk.senders["exec:/bin/true"].hold.clear()
    desk.clock.now += 1
    start = time.monotonic()
    desk.alarms.judged(judged_at(desk))
    desk.alarms.step(desk.clock.now)
    assert time.monotonic() - start < 2
    until(lambda: len(desk.got("exec:/bin/false")) == 1)
    assert desk.got() == []
    desk.senders["exec:/bin/true"].hold.set()
    until(lambda: len(desk.got()) == 1)
    desk.alarms.close()


def judged_at(desk: Desk) -> Judged:
    one = change()
    desk.verdicts[one.verdict.check, one.verdict.target] = one.verdict
    return Judged(
        run="r", changes=[one], verdicts=desk.verdicts, at=desk.clock.now, length_s=1.0
    )  # fmt: skip


def test_ten_thousand_alarms_at_once_are_one_digest(desk: Desk) -> None:
    desk.window(*[change("cell_rate", f"ch0:{n}") for n in range(10_000)], change(target="ch0"))
    (digest,) = desk.got()
    assert (digest.kind, len(digest.items)) == ("digest", 10_001)
    assert digest.root is not None
    assert digest.root.target == "ch0"
    for _ in range(5):
        desk.window()
    assert len(desk.got()) == 1
    desk.window(*[change("cell_rate", f"ch0:{n}", State.GOOD) for n in range(10_000)])
    desk.step(10.0)
    assert len(desk.got()) == 2


# ---- no data, and signs of life


def test_no_data_is_an_alarm_of_its_own_and_hides_no_other(desk: Desk) -> None:
    desk.window(change())
    desk.step(60.0)
    assert targets(desk) == [["ch1"]]
    desk.step(1.0)
    assert targets(desk) == [["ch1"], ["telescope"]]
    assert desk.got()[1].items[0].alarm.text == "no window for more than 60 s"
    assert desk.alarms.counts().firing["page"] == 2
    desk.window()
    assert not desk.got()[2].items[0].alarm.active
    assert desk.alarms.counts().firing["page"] == 1


def test_the_first_window_may_take_its_time(tmp_path: Path) -> None:
    desk = Desk(ROUTE, tmp_path)
    desk.step(180.0)
    assert desk.senders["exec:/bin/true"].got == []
    desk.step(1.0)
    (message,) = desk.got()
    assert message.items[0].alarm.text == "no window has come within 181 s of the start"
    assert message.items[0].alarm.detector == "legnaro"
    desk.alarms.close()


def test_long_windows_may_take_their_time(desk: Desk) -> None:
    desk.clock.now += 300
    desk.alarms.judged(Judged(run="r", changes=[], verdicts={}, at=desk.clock.now, length_s=300.0))
    desk.step(899.0)
    assert desk.got() == []
    desk.step(2.0)
    assert targets(desk) == [["telescope"]]


def test_a_feed_that_fails_is_no_data_and_one_that_ends_is_not(desk: Desk) -> None:
    desk.alarms.rest("r", {}, failed=False)
    desk.step(1e5)
    assert desk.got() == []
    desk.alarms.rest("r", {}, failed=True)
    desk.step()
    assert desk.got()[0].items[0].alarm.text == "the source of the dashboard has failed"


def test_signs_of_life_come_only_while_windows_come_and_are_judged(tmp_path: Path) -> None:
    desk = Desk(WITH_AM + PING, tmp_path)
    desk.step()
    assert desk.signs(PINGED) == desk.signs(AM) == 0
    for _ in range(181):
        desk.window()
    assert desk.signs(PINGED) == desk.signs(AM) == 4
    for _ in range(60):
        desk.step(1.0)
    assert desk.signs(PINGED) == desk.signs(AM) == 4 + 1
    for _ in range(200):
        desk.step(1.0)
    assert desk.signs(PINGED) == desk.signs(AM) == 5
    desk.window()
    assert desk.signs(PINGED) == desk.signs(AM) == 6
    desk.alarms.close()


def test_a_clock_that_jumps_back_or_ahead_stops_nothing(desk: Desk) -> None:
    desk.window(change())
    signs = desk.signs(PINGED)
    desk.clock.now = NOW - 86_400
    desk.window()
    desk.window()
    assert desk.signs(PINGED) == signs + 1
    desk.window(change(state=State.GOOD))
    assert len(desk.got()) == 2
    desk.clock.now = NOW + 86_400
    desk.step()
    assert targets(desk)[-1] == ["telescope"]
    desk.window(change(target="ch2"))
    desk.window()
    assert targets(desk)[-1] == ["ch2"]


# ---- the past


def test_what_is_caught_up_with_fires_nothing_and_what_is_still_wrong_does(desk: Desk) -> None:
    desk.clock.now += 1  # ten thousand windows in twenty seconds
    for n in range(10_000):
        state = State.BAD if n % 3 and n > 50 else State.GOOD
        one = change("cell_dead", f"ch0:{n % 50}", state)
        desk.verdicts["cell_dead", one.verdict.target] = one.verdict
        desk.alarms.judged(
            Judged(
                run="r", changes=[one], verdicts=desk.verdicts, at=desk.clock.now, length_s=1.0
            )
        )  # fmt: skip
        desk.clock.now += 0.002
    desk.step()
    assert desk.got() == []
    desk.window()
    desk.window(change(target="ch3"))
    (digest,) = desk.got()
    wrong = {key[1] for key, found in desk.verdicts.items() if found.state == State.BAD}
    assert {item.alarm.target for item in digest.items} == wrong
    assert len(wrong) > 30
    assert digest.root is not None
    assert digest.root.target == "ch3"


def test_windows_that_were_published_long_ago_fire_nothing(desk: Desk) -> None:
    desk.window(change(), age_s=3600.0)
    desk.window(age_s=3600.0)
    assert desk.got() == []
    desk.window()
    assert targets(desk) == [["ch1"]]


# ---- people, beside the dashboard


def test_a_command_acknowledges_and_silences_and_the_dashboard_sees_it(desk: Desk) -> None:
    desk.window(change(), change(target="ch2"))
    config, now, version = desk._config, desk.clock.now, desk.alarms.version
    ack = AckOptions(check="chamber_rate", target="ch1", who="me", note="x", until="1h")
    assert acknowledge(config, ack, now).target == "ch1"
    silence(config, SilenceOptions(match=("target=ch3",), until="2h", why="scan", who="me"), now)
    desk.window()
    found = desk.alarms.acknowledged(verdict())
    assert found is not None
    assert (found.who, found.note, found.until) == ("me", "x", now + 3600)
    assert desk.alarms.version != version
    desk.window(change(target="ch3"))
    assert ["ch3"] not in targets(desk)
    desk.clock.now += 7200
    desk.window()
    assert ["ch3"] in targets(desk)
    assert load(config).silences == ()


def test_what_is_not_firing_cannot_be_acknowledged(desk: Desk) -> None:
    desk.window(change())
    for check, target in (("chamber_rate", "ch9"), ("x", "ch1")):
        with pytest.raises(OptionError, match=f"found no alarm {check} of {target}"):
            acknowledge(desk._config, AckOptions(check=check, target=target), desk.clock.now)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (SilenceOptions(match=("check=x",)), "--until: found none"),
        (SilenceOptions(match=("check=x",), until="soon"), "--until: found 'soon'"),
        (SilenceOptions(until="2h"), "--match: found none"),
        (SilenceOptions(match=("cheque=x",), until="2h"), "--match: found 'cheque=x'"),
        (SilenceOptions(match=("check",), until="2h"), "expected NAME=PATTERN"),
        (SilenceOptions(match=("check=a", "check=b"), until="2h"), "each name once"),
        (SilenceOptions(match=("state=good",), until="2h"), "expected state=warn or state=bad"),
        (SilenceOptions(match=("check=x",), until="2h", why="x" * 501), "--why: found 501"),
    ],
)
def test_a_silence_that_makes_no_sense_is_refused(
    options: SilenceOptions, told: str, desk: Desk
) -> None:
    with pytest.raises(OptionError, match=told):
        silence(desk._config, options, NOW)


def test_a_second_dashboard_on_the_same_state_is_refused(desk: Desk, tmp_path: Path) -> None:
    with pytest.raises(StateError, match="in use by another dashboard"):
        Desk(ROUTE, tmp_path)


# ---- trouble with the disk


def test_a_store_that_cannot_be_written_is_told_once_and_alarms_are_sent_nevertheless(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.alarms._store._db.execute("PRAGMA busy_timeout = 10")
    other = sqlite3.connect(tmp_path / "alarms.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    desk.window(change())
    desk.window(change(target="ch2"))
    assert targets(desk) == [["ch1"], ["ch2"]]
    (event,) = desk.events
    assert event.kind == EventKind.ALARMS_UNSAVED
    assert "locked" in event.detail
    other.execute("ROLLBACK")
    other.close()
    desk.window()
    with AlarmStore(tmp_path / "alarms.sqlite") as store:
        assert {key[2] for key in store.load().alarms} == {"ch1", "ch2"}


def test_the_threads_end_with_the_alarms(tmp_path: Path) -> None:
    import threading

    before = threading.active_count()
    desk = Desk(WITH_AM + PING, tmp_path)
    desk.alarms.start()
    assert threading.active_count() == before + 4
    desk.alarms.judged(judged_at(desk))
    desk.clock.now += 2
    desk.alarms.judged(judged_at(desk))
    until(lambda: bool(desk.got()), "the alarm")
    desk.alarms.close()
    assert threading.active_count() == before
