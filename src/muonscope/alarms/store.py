"""The store of alarms: one SQLite file, for one dashboard and any number of commands.

The dashboard owns alarms and what was sent; acknowledgements and silences are also written by
commands beside it, which it finds by :meth:`AlarmStore.changed`. Each call is one transaction, so
that after a crash the old or the new is there.
"""

import fcntl
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any, Self

from muonscope.alarms.config import Match
from muonscope.alarms.state import (
    Acknowledged,
    Alarm,
    AlarmState,
    Key,
    Silence,
    Told,
    Touched,
)
from muonscope.errors import StateError
from muonscope.quality.verdict import State

__all__ = ["AlarmStore"]

_VERSION = 1
_WAIT_S = 5.0
_SCHEMA = f"""
CREATE TABLE alarm (
    detector TEXT, check_name TEXT, target TEXT, run TEXT, state INTEGER, text TEXT, value REAL,
    expected REAL, unit TEXT, since REAL, ended REAL,
    PRIMARY KEY (detector, check_name, target));
CREATE TABLE ack (
    detector TEXT, check_name TEXT, target TEXT, who TEXT, note TEXT, at REAL, until REAL,
    state INTEGER, PRIMARY KEY (detector, check_name, target));
CREATE TABLE told (
    detector TEXT, check_name TEXT, target TEXT, receiver TEXT, state INTEGER, severity TEXT,
    at REAL, over INTEGER, PRIMARY KEY (detector, check_name, target, receiver));
CREATE TABLE silence (
    check_name TEXT, target TEXT, detector TEXT, run TEXT, least INTEGER, until REAL, why TEXT,
    who TEXT, at REAL);
PRAGMA user_version = {_VERSION}"""
_TABLES = {"alarm", "ack", "told", "silence"}
_ALARM = tuple(f.name for f in fields(Alarm))
_ACK = tuple(f.name for f in fields(Acknowledged))
_TOLD = tuple(f.name for f in fields(Told))
_KEY = "detector = ? AND check_name = ? AND target = ?"


class AlarmStore:
    """Alarms on disk."""

    def __init__(self, path: Path, *, alone: bool = False) -> None:
        """Open it, or make it.

        With ``alone`` no other process may open it in this way: two dashboards would tell of
        the same alarms twice.

        Raises
        ------
        StateError
            If it cannot be used, is no store of alarms, or another dashboard uses it.
        """
        self._path, self._lock = path, None
        if alone:
            self._lock = _locked(path)
        try:
            self._db = sqlite3.connect(
                path, timeout=_WAIT_S, isolation_level=None, check_same_thread=False
            )
        except sqlite3.Error as exc:
            self._unlock()
            raise StateError(f"{path}: cannot be used for alarms: {exc}") from exc
        try:
            with self._errors():
                self._db.execute("PRAGMA journal_mode = WAL")
                self._db.execute("PRAGMA synchronous = FULL")
            with self._writing():
                self._make()
            self._version = self._data_version()
        except BaseException:
            self.close()
            raise

    def _make(self) -> None:
        """Make the tables, unless they are there."""
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        tables = {name for (name,) in self._db.execute("SELECT name FROM sqlite_master")}
        if version == 0 and not tables:
            for statement in _SCHEMA.split(";"):
                self._db.execute(statement)
        elif version > _VERSION:
            raise StateError(
                f"{self._path}: found version {version}, expected {_VERSION}: it was written by a"
                " newer muonscope"
            )
        elif version != _VERSION or not tables >= _TABLES:
            raise StateError(
                f"{self._path}: is another program's database; state in the file of alarms names"
                " one of their own"
            )

    # ---- reading

    def load(self) -> AlarmState:
        """Return all that is in it.

        Raises
        ------
        StateError
            If it is damaged.
        """
        state = AlarmState()
        with self._errors():
            for row in self._db.execute("SELECT * FROM alarm"):
                alarm = Alarm(**_values(_ALARM, row))
                state.alarms[alarm.key] = alarm
            for detector, check, target, receiver, *row in self._db.execute("SELECT * FROM told"):
                told = Told(**_values(_TOLD, row))
                state.told.setdefault((detector, check, target), {})[receiver] = told
        state.acks, state.silences = self.facts()
        return state

    def facts(self) -> tuple[dict[Key, Acknowledged], tuple[Silence, ...]]:
        """Return acknowledgements and silences, which other processes write, too.

        Raises
        ------
        StateError
            If it is damaged.
        """
        with self._errors():
            acks = {
                (detector, check, target): Acknowledged(**_values(_ACK, row))
                for detector, check, target, *row in self._db.execute("SELECT * FROM ack")
            }
            silences = tuple(
                Silence(match=_match(row[:5]), until=row[5], why=row[6], who=row[7], at=row[8])
                for row in self._db.execute("SELECT * FROM silence ORDER BY until")
            )
        return acks, silences

    @property
    def changed(self) -> bool:
        """Whether another process has written since this was last asked.

        Raises
        ------
        StateError
            If it cannot be read.
        """
        before, self._version = self._version, self._data_version()
        return before != self._version

    def _data_version(self) -> int:
        with self._errors():
            (version,) = self._db.execute("PRAGMA data_version").fetchone()
        return int(version)

    # ---- writing

    def save(self, state: AlarmState, touched: Touched) -> None:
        """Save what changed, all or nothing.

        Raises
        ------
        StateError
            If it cannot be written: the disk is full, or another process keeps it locked.
        """
        with self._writing():
            for key in touched.alarms:
                self._put("alarm", key, _row(_ALARM, state.alarms.get(key))[3:])
            for key in touched.acks:
                self._put("ack", key, _row(_ACK, state.acks.get(key)))
            for key, receiver in touched.told:
                told = state.told.get(key, {}).get(receiver)
                self._put("told", (*key, receiver), _row(_TOLD, told))

    def acknowledge(self, key: Key, ack: Acknowledged) -> None:
        """Save an acknowledgement.

        Raises
        ------
        StateError
            If it cannot be written.
        """
        with self._writing():
            self._put("ack", key, _row(_ACK, ack))

    def silence(self, silence: Silence) -> None:
        """Save a silence.

        Raises
        ------
        StateError
            If it cannot be written.
        """
        m = silence.match
        with self._writing():
            self._insert(
                "silence",
                (m.check, m.target, m.detector, m.run, int(m.least),
                 silence.until, silence.why, silence.who, silence.at),
            )  # fmt: skip

    def forget_silences(self, now: float) -> None:
        """Remove the silences that have ended.

        Raises
        ------
        StateError
            If it cannot be written.
        """
        with self._writing():
            self._db.execute("DELETE FROM silence WHERE until <= ?", (now,))

    def _put(self, table: str, key: tuple[str, ...], row: tuple[Any, ...]) -> None:
        """Replace a row, whose first columns are its key; without a row it is gone."""
        where = _KEY if len(key) == 3 else f"{_KEY} AND receiver = ?"
        self._db.execute(f"DELETE FROM {table} WHERE {where}", key)  # noqa: S608 our own names
        if row:
            self._insert(table, (*key, *row))

    def _insert(self, table: str, row: tuple[Any, ...]) -> None:
        marks = ", ".join("?" * len(row))
        self._db.execute(f"INSERT INTO {table} VALUES ({marks})", row)  # noqa: S608 our own names

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Make all that is done in the block one transaction."""
        with self._errors():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Translate what SQLite says."""
        try:
            yield
        except (sqlite3.Error, ValueError) as exc:  # a number that is no state
            raise StateError(f"{self._path}: cannot be used for alarms: {exc}") from exc

    # ---- the end

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()
        self._unlock()

    def _unlock(self) -> None:
        if self._lock:
            self._lock.close()

    def __enter__(self) -> Self:
        """Return the store."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()


def _locked(path: Path) -> Any:
    """Return a lock beside the file; one on the file itself would collide with those of SQLite."""
    lock = None
    try:
        lock = path.with_name(f"{path.name}.lock").open("w")
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        if lock:
            lock.close()
        raise StateError(f"{path}: in use by another dashboard; give each its own state") from exc
    except OSError as exc:
        raise StateError(f"{path}: cannot be used for alarms: {exc.strerror or exc}") from exc
    return lock


def _match(row: tuple[Any, ...]) -> Match:
    check, target, detector, run, least = row
    return Match(check=check, target=target, detector=detector, run=run, least=State(least))


def _values(names: tuple[str, ...], row: Any) -> dict[str, Any]:
    """Return the columns of a row as the fields that they are."""
    values = dict(zip(names, row, strict=True))
    values["state"] = State(values["state"])
    if "over" in values:
        values["over"] = bool(values["over"])
    return values


def _row(names: tuple[str, ...], value: Any) -> tuple[Any, ...]:
    if value is None:
        return ()
    row = (getattr(value, name) for name in names)
    return tuple(int(v) if isinstance(v, (State, bool)) else v for v in row)
