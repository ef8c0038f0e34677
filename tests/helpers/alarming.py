"""Alarms as tests make them: verdicts, routes, a clock that is moved, receivers that remember."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from helpers.patience import until
from muonscope.alarms.config import AlarmConfig, parse_alarms
from muonscope.alarms.engine import Alarms, Judged
from muonscope.alarms.planning import Message
from muonscope.alarms.receivers import Receiver
from muonscope.errors import SinkError
from muonscope.events import Event
from muonscope.quality.verdict import Change, State, Verdict

__all__ = ["NOW", "Clock", "Desk", "Remembering", "change", "config", "verdict"]

NOW = 1_800_000_000.0
"""2027-01-15 08:00 UTC."""


class Clock:
    """Wall time that stands still until it is moved."""

    def __init__(self) -> None:
        """Begin at some time."""
        self.now = NOW

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def verdict(
    check: str = "chamber_rate", target: str = "ch1", state: State = State.BAD, **more: Any
) -> Verdict:
    """Return a verdict."""
    return Verdict(check=check, target=target, state=state, text=f"{check} of {target}", **more)


def change(*args: Any, **more: Any) -> Change:
    """Return a verdict that has just become so."""
    return Change(verdict=verdict(*args, **more), before=State.GOOD, place=(0, 1))


def config(text: str, folder: Path, **environ: str) -> AlarmConfig:
    """Return what the text of an ``alarms.toml`` says."""
    return parse_alarms(text, where="alarms.toml", folder=folder, environ=environ)


class Remembering:
    """A receiver that keeps what it gets, and fails while ``failure`` says why."""

    def __init__(self) -> None:
        """Begin without messages."""
        self.got: list[Message] = []
        self.failure = ""
        self.hold = threading.Event()
        """While it is clear, nothing is taken."""
        self.hold.set()

    def send(self, message: Message) -> None:
        """Keep a message, or fail."""
        self.hold.wait(60.0)
        if self.failure:
            raise SinkError(self.failure)
        self.got.append(message)

    def close(self) -> None:
        """Do nothing."""


class Desk:
    """Alarms with a clock that is moved, and receivers that remember, by their names."""

    def __init__(self, text: str, folder: Path) -> None:
        """Open the store in ``folder``."""
        self.clock, self.events = Clock(), list[Event]()
        self.senders: dict[str, Remembering] = {}
        self.verdicts: dict[tuple[str, str], Verdict] = {}
        self._config = config(text, folder)
        self.alarms = self._open()

    def _open(self) -> Alarms:
        def sender(receiver: Receiver, **_: str) -> Remembering:
            return self.senders.setdefault(receiver.name, Remembering())

        return Alarms(
            self._config, "legnaro", self.events.append, clock=self.clock, senders=sender
        )  # fmt: skip

    def restart(self) -> None:
        """Close the alarms, and open them again from their store."""
        self.alarms.close()
        self.verdicts.clear()
        self.alarms = self._open()

    def window(self, *changes: Change, run: str = "r", age_s: float = 0.0) -> None:
        """Let a window of a second come, which changes some verdicts; then look what is due."""
        self.clock.now += 1.0
        for one in changes:
            self.verdicts[one.verdict.check, one.verdict.target] = one.verdict
        self.alarms.judged(
            Judged(
                run=run, changes=changes, verdicts=self.verdicts, at=self.clock.now - age_s,
                length_s=1.0,
            )
        )  # fmt: skip
        self.step()

    def step(self, after_s: float = 0.0) -> None:
        """Look what is due after some time, and wait until it is sent."""
        self.clock.now += after_s
        self.alarms.step(self.clock.now)
        until(lambda: not any(o.busy for o in self.alarms.outlets), "what is sent")

    def got(self, name: str = "exec:/bin/true") -> Sequence[Message]:
        """Return the messages that a receiver has got, without signs of life."""
        return [m for m in self.senders[name].got if m.kind != "watchdog"]

    def signs(self, name: str) -> int:
        """Return how many signs of life a receiver has got."""
        return sum(m.kind == "watchdog" for m in self.senders[name].got)
