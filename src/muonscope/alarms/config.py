"""What ``alarms.toml`` says: routes from alarms to receivers, and the dead man's switch."""

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import msgspec
from msgspec import Struct

from muonscope.alarms.quiet import Quiet, quiet_of, zone_of
from muonscope.alarms.receivers import Kind, Receiver, receiver_of
from muonscope.errors import OptionError
from muonscope.quality.verdict import State
from muonscope.units import seconds

__all__ = ["SEVERITIES", "AlarmConfig", "Match", "Route", "Watchdog", "parse_alarms", "read_alarms"]

Severity = Literal["info", "ticket", "page"]
Group = Literal["none", "chamber", "check", "all"]
SEVERITIES: tuple[Severity, ...] = ("info", "ticket", "page")
"""From what can wait to what calls somebody at night."""

_MOST_BYTES = 1 << 20
_SECRET = ("to", "ping")
"""Keys whose values are never shown."""


class _Match(Struct, frozen=True, forbid_unknown_fields=True):
    check: str = "*"
    target: str = "*"
    detector: str = "*"
    run: str = "*"
    state: Literal["warn", "bad"] = "warn"


class _Route(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    to: list[str]
    match: _Match = _Match()
    severity: Severity = "ticket"
    group: Group = "none"
    wait: str = msgspec.field(name="for", default="0s")
    repeat: str = "4h"
    quiet: list[str] = []
    timezone: str | None = None
    go_on: bool = msgspec.field(name="continue", default=False)


class _Watchdog(Struct, frozen=True, forbid_unknown_fields=True):
    ping: str
    every: str = "60s"


class _File(Struct, frozen=True, forbid_unknown_fields=True):
    state: str = "alarms.sqlite"
    no_data: str = "60s"
    timezone: str = ""
    link: str = ""
    runbook: str = ""
    route: list[_Route] = []
    watchdog: _Watchdog | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Patterns as those of file names; an alarm fits if all do."""

    check: str = "*"
    target: str = "*"
    detector: str = "*"
    run: str = "*"
    least: State = State.WARN
    """What is not as bad does not fit."""

    def fits(self, *, detector: str, run: str, check: str, target: str) -> bool:
        """Tell whether an alarm fits, whatever its state."""
        return _fits(self, detector, run, check, target)

    def __str__(self) -> str:
        """Return what it asks for, as it is written."""
        names = ("check", "target", "detector", "run")
        asked = [f"{n}={v}" for n in names if (v := getattr(self, n)) != "*"]
        asked += ["state=bad"] if self.least > State.WARN else []
        return " ".join(asked) or "all"


@lru_cache(maxsize=65_536)
def _fits(match: Match, detector: str, run: str, check: str, target: str) -> bool:
    return (
        fnmatchcase(check, match.check) and fnmatchcase(target, match.target)
        and fnmatchcase(detector, match.detector) and fnmatchcase(run, match.run)
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Where some alarms go, how grave they are, and when they are sent."""

    number: int
    """From 1, as in the file."""
    match: Match = field(default_factory=Match)
    severity: Severity = "ticket"
    group: Group = "none"
    """What goes into one message: alarms of a chamber, of a check, or all that are due."""
    for_s: float = 0.0
    """What is over sooner is not sent, s."""
    repeat_s: float = 4 * 3600.0
    """What still fires is sent again after so long, s; 0: never."""
    quiet: Quiet = field(default_factory=Quiet)
    """When it waits, unless it is a page."""
    to: tuple[Receiver, ...] = ()
    goes_on: bool = False
    """Whether the routes below may fit, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watchdog:
    """A URL that is asked for while all is well: whoever misses it calls for help."""

    ping: Receiver
    every_s: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmConfig:
    """All that ``alarms.toml`` says."""

    store: Path
    """File of the alarms, acknowledgements and silences."""
    routes: tuple[Route, ...]
    no_data_s: float = 60.0
    """So long without a window is an alarm, s."""
    link: str = ""
    """Address of the dashboard as others reach it; else as it is served."""
    runbook: str = ""
    """Address of what to do, with ``{check}`` for the name of the check."""
    watchdog: Watchdog | None = None

    @property
    def receivers(self) -> dict[str, Receiver]:
        """All receivers of alarms, by their ids."""
        return {one.id: one for route in self.routes for one in route.to}


def read_alarms(name: str, environ: Mapping[str, str] = os.environ) -> AlarmConfig:
    """Read ``alarms.toml``.

    Raises
    ------
    OptionError
        If it cannot be read, or makes no sense: the text names the key, what was found and what
        was expected.
    """
    path = Path(name)
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_BYTES + 1).decode("utf-8")
    except UnicodeDecodeError as exc:
        raise OptionError(f"{name}: found bytes that are no UTF-8, expected TOML") from exc
    except (OSError, ValueError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else str(exc)
        raise OptionError(f"{name}: cannot be read: {reason}") from exc
    if len(text) > _MOST_BYTES:
        raise OptionError(f"{name}: found more than {_MOST_BYTES:,} bytes, expected routes")
    return parse_alarms(text, where=name, folder=path.parent, environ=environ)


def parse_alarms(
    text: str, *, where: str, folder: Path, environ: Mapping[str, str] = os.environ
) -> AlarmConfig:
    """Return what the text of ``alarms.toml`` says; relative paths are of ``folder``.

    Raises
    ------
    OptionError
        If it makes no sense.
    """
    try:
        raw = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as exc:
        raise OptionError(f"{where}: {exc}") from exc
    try:
        file = msgspec.convert(raw, _File)
    except msgspec.ValidationError as exc:
        raise OptionError(f"{where}: {exc}{_found(raw, str(exc))}") from exc
    if not file.route:
        raise OptionError(f"{where}: route: found none, expected [[route]] with to = [...]")
    if not file.state or "\0" in file.state:
        raise OptionError(f"{where}: state: found {file.state!r}, expected the name of a file")
    return AlarmConfig(
        store=folder / file.state,
        routes=tuple(_route(told, i, file, where, folder, environ)
                     for i, told in enumerate(file.route, 1)),
        no_data_s=seconds(file.no_data, f"{where}: no_data"),
        link=file.link, runbook=file.runbook,
        watchdog=_watchdog(file.watchdog, where, folder, environ) if file.watchdog else None,
    )  # fmt: skip


def _route(
    told: _Route, number: int, file: _File, where: str, folder: Path, environ: Mapping[str, str]
) -> Route:
    place = f"{where}: route {number}"
    zone = zone_of(file.timezone if told.timezone is None else told.timezone, f"{place}: timezone")
    match = told.match
    receivers = [
        receiver_of(text, f"{place}: to[{i}]", folder=folder, environ=environ)
        for i, text in enumerate(told.to)
    ]
    if any(one.kind is Kind.PING for one in receivers):
        raise OptionError(f"{place}: to: found ping, which belongs to [watchdog]")
    return Route(
        number=number,
        match=Match(
            check=match.check, target=match.target, detector=match.detector, run=match.run,
            least=State.BAD if match.state == "bad" else State.WARN,
        ),
        severity=told.severity, group=told.group,
        for_s=seconds(told.wait, f"{place}: for", zero=True),
        repeat_s=seconds(told.repeat, f"{place}: repeat", zero=True),
        quiet=quiet_of(told.quiet, zone, f"{place}: quiet"),
        to=tuple({one.id: one for one in receivers}.values()), goes_on=told.go_on,
    )  # fmt: skip


def _watchdog(told: _Watchdog, where: str, folder: Path, environ: Mapping[str, str]) -> Watchdog:
    ping = receiver_of(
        f"ping:{told.ping}", f"{where}: watchdog.ping", folder=folder, environ=environ
    )
    every = seconds(told.every, f"{where}: watchdog.every")
    if every < 1:
        raise OptionError(f"{where}: watchdog.every: found {told.every}, expected 1s or more")
    return Watchdog(ping=ping, every_s=every)


def _found(raw: Any, error: str) -> str:
    """Return what stands at the place that an error names, unless it may be a secret."""
    path = error.partition("`$.")[2].partition("`")[0]
    value = raw
    for key in re.findall(r"[^.\[\]]+", path):
        if key in _SECRET:
            return ""
        if not isinstance(value, (dict, list)):
            return ""
        value = value[int(key)] if isinstance(value, list) else value.get(key)
    return "" if not path or isinstance(value, (dict, list)) else f"; found {value!r:.80}"
