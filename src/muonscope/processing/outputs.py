"""Where the results of a run go, and what an earlier run left there."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt

from muonscope.errors import OptionError, StateError
from muonscope.events import Tell
from muonscope.intake.batch import Position
from muonscope.intake.opening import STDIN, saved_position
from muonscope.processing.archiving_ledger import ArchivingLedger
from muonscope.processing.plan import Plan
from muonscope.transports.base import Ledger
from muonscope.transports.ledgers import FileLedger, StreamLedger, standard_output
from muonscope.transports.state import StateStore
from muonscope.words.rejects import RejectCode, Rejects

__all__ = ["STATE_FORMAT", "Output", "Restored", "open_output", "restore"]

STATE_FORMAT = 2
"""Version of the saved state."""

_OPTIONS_BEFORE = {"tracking": False}
"""What a state means that was saved before there was an option."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """The saved state of an earlier run; for the run and for its source."""

    positions: dict[str, Position]
    windows: int
    rejects: Rejects
    arrays: dict[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """A ledger, and what an earlier run left in it."""

    ledger: Ledger
    restored: Restored | None = None
    remedy: str = ""
    """How people start anew."""

    @property
    def positions(self) -> dict[str, Position]:
        """How far each stream was taken in, by key."""
        return self.restored.positions if self.restored else {}


@contextmanager
def open_output(plan: Plan, tell: Tell) -> Iterator[Output]:
    """Give where results go, with what was saved by an earlier run; nothing is written yet.

    ``tell`` takes what people should know of the archive.

    Raises
    ------
    OptionError
        If the state cannot be kept there.
    StateError
        If what was saved is damaged, or of another run.
    SourceError, SinkError
        If brokers cannot be reached, or refuse.
    """
    ledger = _topic_ledger(plan) if plan.destination else _file_ledger(plan)
    if plan.options.archive:
        ledger = ArchivingLedger(ledger, plan, tell, time.time)
    elif plan.options.profile:
        raise OptionError("--profile only makes sense with --archive, which judges")
    try:
        remedy = (
            "use another ?group= in the URL and another --run" if plan.destination
            else "use another --state folder"
        )  # fmt: skip
        restored = restore(ledger, plan.kept, plan.sources, remedy)
        yield Output(ledger=ledger, restored=restored, remedy=remedy)
    finally:
        ledger.close()


def _topic_ledger(plan: Plan) -> Ledger:
    from muonscope.transports.kafka.opening import open_ledger  # brings the client

    destination = plan.destination
    assert destination
    if plan.options.state:
        raise OptionError("--state: results in Kafka keep their state there; leave it out")
    identity = f"{plan.group}.{destination.topic}"
    source = plan.topic.topic if plan.topic else ""
    return open_ledger(destination, plan.kafka, identity=identity, claim=plan.claim, source=source)


def _file_ledger(plan: Plan) -> Ledger:
    path, state = plan.results, plan.options.state
    if state and path is None:
        raise OptionError(
            "--state needs a DEST that can be truncated after a crash: a .jsonl file or a folder,"
            " found standard output"
        )
    if state and STDIN in plan.sources:
        raise OptionError("--state needs sources that can be read again, found standard input")
    if path is None:
        return StreamLedger(standard_output())
    store = StateStore(Path(state)) if state else None
    return FileLedger(path, store, force=plan.options.force)


def restore(
    ledger: Ledger, kept: Mapping[str, Any], sources: Sequence[str], remedy: str
) -> Restored | None:
    """Return what ``ledger`` holds, or None if it is new; standard input begins anew.

    ``kept`` is what must be as it was saved; ``remedy`` tells people how to start anew.

    Raises
    ------
    StateError
        If it is damaged, or was saved by a run with other options.
    """
    saved = ledger.load()
    if saved is None or STDIN in sources:
        return None
    meta, arrays = saved
    try:
        _check(meta, kept, remedy)
        rejects = Rejects(bytes_rejected=meta["bytes_rejected"])
        rejects.count.update({RejectCode[name]: n for name, n in meta["rejects"].items()})
        again = saved_position(sources)
        return Restored(
            positions={key: again(key, value) for key, value in meta["streams"].items()},
            windows=meta["windows"],
            rejects=rejects,
            arrays=arrays,
        )
    except (AttributeError, KeyError, TypeError, ValueError) as exc:
        raise StateError(f"the saved state is damaged; {remedy}") from exc


def _check(meta: Mapping[str, Any], kept: Mapping[str, Any], remedy: str) -> None:
    if meta.get("format") != STATE_FORMAT:
        raise StateError(
            f"the saved state has format {meta.get('format')!r}, expected {STATE_FORMAT}; {remedy}"
        )
    saved = _OPTIONS_BEFORE | meta["options"]
    for name, value in kept.items():
        if saved.get(name) != value:
            raise StateError(
                f"the saved state is of a run with {name} = {saved.get(name)!r},"
                f" this one has {value!r}; {remedy} or the same options"
            )
