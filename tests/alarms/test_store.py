"""The store of alarms: what is kept, what is refused, and who may use it at once."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from helpers.alarming import NOW, change
from muonscope.alarms.config import Match
from muonscope.alarms.state import Acknowledged, AlarmState, Silence, Told
from muonscope.alarms.store import AlarmStore
from muonscope.errors import StateError
from muonscope.quality.verdict import State

KEY = ("legnaro", "chamber_rate", "ch1")


def full() -> AlarmState:
    state = AlarmState()
    state.take("legnaro", "läuft", [change(value=1.5, expected=2.5, unit="Hz")], NOW)
    state.take("legnaro", "r", [change(target="ch2"), change(target="ch2", state=State.GOOD)], NOW)
    ack = Acknowledged(
        who="Zoë", note="'; DROP TABLE ack; --", at=NOW, until=NOW + 5, state=State.BAD
    )
    state.acknowledge(KEY, ack)
    state.note_told(KEY, "id", Told(state=State.BAD, severity="page", at=NOW, over=False))
    return state


def same(a: AlarmState, b: AlarmState) -> bool:
    return (a.alarms, a.acks, a.told, a.silences) == (b.alarms, b.acks, b.told, b.silences)


def test_all_that_is_saved_is_loaded_again(tmp_path: Path) -> None:
    state, path = full(), tmp_path / "a.sqlite"
    silence = Silence(match=Match(run="x*", least=State.BAD), until=NOW, why="w", who="m", at=NOW)
    state.silences = (silence,)
    with AlarmStore(path) as store:
        store.save(state, state.touched)
        store.silence(silence)
    with AlarmStore(path) as store:
        assert same(store.load(), state)
        store.forget_silences(NOW)
        assert store.load().silences == ()


def test_what_is_gone_is_gone(tmp_path: Path) -> None:
    state = full()
    with AlarmStore(tmp_path / "a.sqlite") as store:
        store.save(state, state.touched)
        state.take("legnaro", "r", [change(state=State.GOOD)], NOW)
        state.drop(KEY)
        store.save(state, state.touched)
        assert same(store.load(), state)
        assert not store.load().acks


def test_one_dashboard_uses_a_store_and_commands_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    with AlarmStore(path, alone=True) as store:
        with pytest.raises(StateError, match="in use by another dashboard"):
            AlarmStore(path, alone=True)
        assert [store.changed] == [False]
        ack = Acknowledged(who="me", note="", at=NOW, state=State.BAD)
        with AlarmStore(path) as beside:
            beside.acknowledge(KEY, ack)
        assert [store.changed, store.changed] == [True, False]
        assert store.facts()[0] == {KEY: ack}
    AlarmStore(path, alone=True).close()


def corrupt(path: Path) -> None:
    path.write_bytes(b"garbage " * 1000)


def a_folder(path: Path) -> None:
    path.mkdir()


def foreign(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE mine (x)")
    db.close()


def newer(path: Path) -> None:
    AlarmStore(path).close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 2")
    db.close()


def without_a_table(path: Path) -> None:
    AlarmStore(path).close()
    with sqlite3.connect(path) as db:
        db.execute("DROP TABLE told")
    db.close()


def with_nonsense(path: Path) -> None:
    AlarmStore(path).close()
    with sqlite3.connect(path) as db:
        db.execute("INSERT INTO ack VALUES ('a', 'b', 'c', 'd', 'e', 0, 0, 77)")
    db.close()


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (corrupt, "file is not a database"), (a_folder, "unable to open database file"),
        (foreign, "another program's database"), (newer, "found version 2, expected 1"),
        (without_a_table, "another program's database"), (with_nonsense, "77 is not a valid State"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_store_is_refused_in_words(
    spoil: object, told: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.sqlite"
    spoil(path)  # type: ignore[operator]
    with pytest.raises(StateError, match=told) as caught, AlarmStore(path, alone=True) as store:
        store.load()
    assert str(path) in str(caught.value)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    for alone in (True, False):
        with pytest.raises(StateError, match="cannot be used for alarms"):
            AlarmStore(tmp_path / "none" / "a.sqlite", alone=alone)


def test_a_store_that_may_only_be_read_is_refused(tmp_path: Path) -> None:
    if os.getuid() == 0:
        pytest.skip("root may write anything")
    path = tmp_path / "a.sqlite"
    AlarmStore(path).close()
    path.chmod(0o400)
    with pytest.raises(StateError, match="readonly"):
        AlarmStore(path)


def test_a_store_that_another_process_keeps_locked_is_waited_for_and_then_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.sqlite"
    AlarmStore(path).close()
    monkeypatch.setattr("muonscope.alarms.store._WAIT_S", 0.2)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    begin = time.monotonic()
    with pytest.raises(StateError, match="locked"):
        AlarmStore(path)
    assert time.monotonic() - begin >= 0.2
    other.close()
    AlarmStore(path).close()


def test_a_full_disk_loses_nothing_that_was_there(tmp_path: Path) -> None:
    state, path = full(), tmp_path / "a.sqlite"
    with AlarmStore(path) as store:
        store.save(state, state.touched)
        store._db.execute("PRAGMA max_page_count = 1")
        bulk = AlarmState()
        bulk.take("legnaro", "r", [change(target=f"ch0:{n}") for n in range(2000)], NOW)
        with pytest.raises(StateError, match="disk is full"):
            store.save(bulk, bulk.touched)
        assert same(store.load(), state)


def test_a_process_that_is_killed_leaves_what_it_saved(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    code = (
        "import sys, time; from pathlib import Path\n"
        "from muonscope.alarms.store import AlarmStore\n"
        "from muonscope.alarms.state import AlarmState\n"
        "from muonscope.quality.verdict import Change, State, Verdict\n"
        "state = AlarmState()\n"
        "bad = Verdict(check='chamber_rate', target='ch1', state=State.BAD, text='t')\n"
        "state.take('legnaro', 'r', [Change(verdict=bad, before=State.GOOD, place=(0, 1))], 5.0)\n"
        f"store = AlarmStore(Path({str(path)!r}), alone=True)\n"
        "store.save(state, state.touched)\n"
        "print('saved', flush=True)\n"
        "time.sleep(600)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert child.stdout
    assert child.stdout.readline() == b"saved\n"
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    with AlarmStore(path, alone=True) as store:
        assert list(store.load().alarms) == [KEY]
