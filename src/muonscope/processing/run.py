"""One run: words in, messages out, every word and byte accounted for, restartable.

A :class:`Run` drives the engine and owns what must be consistent after a crash: how far
each stream was read, the counter's open windows, and the totals. They are committed
together with what was published, about once a second; whatever was published after the last
commit is cut off and made again, so a run killed at any moment and started again gives the
same bytes as one that was not.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy.typing as npt

from muonscope.counting.counter import Counter
from muonscope.counting.doubts import Counts, Doubter
from muonscope.counting.state import summary_from_state, summary_state
from muonscope.counting.summary import Summary
from muonscope.counting.window_table import WindowTable
from muonscope.engines.native import Step, count
from muonscope.errors import AccountingError, MuonscopeError
from muonscope.events import Event
from muonscope.intake.batch import WordBatch, WordSource
from muonscope.intake.message_book import ORDER_KEY
from muonscope.processing.outputs import STATE_FORMAT, Output
from muonscope.results.message import (
    NO_CONDITIONS,
    ByteAccounting,
    remainder_message,
    window_messages,
)
from muonscope.transports.base import Published, State
from muonscope.wording import event_of
from muonscope.words.rejects import Rejects

__all__ = ["Run", "Status"]

_TOTAL = "total_"
"""Begins the names of the total's arrays in the saved state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Where a run stands, for those who watch it."""

    words: int
    windows: int
    orbit: int | None
    epochs: int
    stream: str
    """Name of the stream read last."""
    events: list[Event]
    """What the windower noticed since the last status, and doubts that are new."""


class Run:
    """Takes in words, publishes the message of each closed window, and keeps account."""

    def __init__(
        self,
        name: str,
        words: WordSource,
        counter: Counter,
        output: Output,
        kept: Mapping[str, Any] | None = None,
        conditions: Mapping[str, str] = NO_CONDITIONS,
    ) -> None:
        """Begin, or go on from what ``output`` was left with.

        ``kept`` is saved with the state: what must be the same for the run to go on. The
        ledger is opened here, after all else is known to be there. ``conditions`` stand in every
        message.
        """
        self._conditions = conditions
        self.name, self._words, self._counter = name, words, counter
        self._ledger, self._kept = output.ledger, dict(kept or {})
        self.total = Summary.empty(counter.detector, counter.blocks).condensed()
        """The merge of all windows published."""
        self.windows = 0
        self.rejects = Rejects()
        self.errors: list[MuonscopeError] = []
        """What stopped single streams from being read."""
        self.positions = output.positions
        """How far each stream was taken in, by key, in the order in which they were begun."""
        self._closing = False
        self._doubter = Doubter(counter.detector, counter.spec)
        restored = output.restored
        if restored:
            counter.restore(restored.arrays)
            self.total = summary_from_state(
                restored.arrays, _TOTAL, counter.detector, counter.blocks
            )
            self.windows, self.rejects = restored.windows, restored.rejects
        self._bytes_in = sum(position.bytes_in for position in self.positions.values())
        self._ledger.begin(fresh=restored is None)
        if restored is None:
            self.save()

    @property
    def bytes(self) -> ByteAccounting:
        """Where the bytes went so far."""
        rejected = self.rejects.bytes_rejected
        return ByteAccounting(
            bytes_in=self._bytes_in,
            bytes_decoded=self._bytes_in - rejected,
            bytes_rejected=rejected,
            rejects={code.name: n for code, n in sorted(self.rejects.count.items())},
        )

    @property
    def doubts(self) -> list[Event]:
        """What makes the results doubtful; complete once ``doubt`` was called."""
        return self._doubter.doubts

    def doubt(self, whole: Summary) -> list[Event]:
        """Find what is doubtful in all that came, of which ``whole`` are the counts.

        What was not told with a status is returned.
        """
        return self._doubter.conclude(self._counts(whole), self.rejects)

    def steps(self) -> Iterator[Status]:
        """Process all words to their end; tell after each batch where the run stands."""
        for step in count(self._words.batches(), self._counter):
            self._publish(step.windows)
            if step.batch:
                self._note(step.batch)
            if step.snapshot is not None:
                self._commit(step.snapshot)
            yield self._status(step)

    def save(self) -> None:
        """Commit where the run stands, if its ledger keeps state; only between ``steps``.

        Once streams are taken to be complete it is too late: what they left over at
        their ends is not to be saved, for they may grow.
        """
        if self._ledger.keeps_state and not self._closing:
            self._commit(self._counter.snapshot())

    def finish(self) -> Summary:
        """Close what is open, publish it, and return the account of all words.

        No state is saved with this, unless what was published cannot be cut back: a run that
        goes on later is that of the longer stream.

        Raises
        ------
        AccountingError
            If the words that came in are not all accounted for.
        """
        for windows in self._counter.finish_in_parts():
            self._publish(windows)
        remainder = self._counter.remainder
        whole = self.total.merge(remainder)
        account = self.bytes
        if remainder.accounting.words_in or account.bytes_rejected or account.rejects:
            message = remainder_message(remainder, self.name, account, self._conditions)
            self._ledger.publish([Published(f"{self.name}/remainder", message)])
        if self._ledger.keeps_state and not self._ledger.can_cut_back:
            self._commit(self._counter.snapshot())
        else:
            self._ledger.commit(None)
        if whole.accounting.words_in != self._counter.words_in:
            raise AccountingError(
                f"{self._counter.words_in} words came in, {whole.accounting.words_in} were counted"
            )
        return whole

    def _publish(self, windows: WindowTable) -> None:
        if len(windows):
            names = zip(windows.epoch.tolist(), windows.window.tolist(), strict=True)
            lines = window_messages(windows, self.name, conditions=self._conditions)
            self._ledger.publish(
                [
                    Published(f"{self.name}/{epoch}/{window}", line, partial(windows.row, i))
                    for i, ((epoch, window), line) in enumerate(zip(names, lines, strict=True))
                ]
            )
            self.total = self.total.merge(windows.total())
            self.windows += len(windows)

    def _note(self, batch: WordBatch) -> None:
        self._closing = self._closing or batch.final
        self.rejects.add(batch.rejects)
        self.rejects.take_back(batch.taken_back)
        if batch.error:
            self.errors.append(batch.error)
        if batch.poison:
            self._ledger.reject(batch.poison)
        self._doubter.sample(batch.words, batch.guess.format if batch.guess else "")
        for key, position in batch.positions.items():
            before = self.positions.get(key)
            self._bytes_in += position.bytes_in - (before.bytes_in if before else 0)
            self.positions[key] = position

    def _counts(self, summary: Summary) -> Counts:
        """Return the numbers that doubts follow from; the partitions of a topic are one stream."""
        account, positions = self.bytes, self.positions
        return replace(
            Counts.of(summary),
            bytes_in=account.bytes_in,
            bytes_rejected=account.bytes_rejected,
            rejects=account.rejects,
            epochs=self._counter.epochs,
            streams=1 if ORDER_KEY in positions else len(positions),
        )

    def _status(self, step: Step) -> Status:
        position = step.batch and step.batch.positions.get(step.batch.stream)
        self._doubter.note(step.notes, step.orbit)
        doubts: list[Event] = []
        if self._doubter.is_due(step.words_in):
            counts = self._counts(self.total).with_waiting(step.waiting.tolist())
            doubts = self._doubter.look(counts, self.rejects)
        return Status(
            words=step.words_in,
            windows=self.windows,
            orbit=step.orbit,
            epochs=step.epochs,
            stream=position.name if position else "",
            events=[*map(event_of, step.notes), *doubts],
        )

    def _commit(self, snapshot: Mapping[str, npt.NDArray[Any]]) -> None:
        self._ledger.commit(self._state(snapshot))

    def _state(self, snapshot: Mapping[str, npt.NDArray[Any]]) -> State:
        meta = {
            "format": STATE_FORMAT,
            "options": self._kept,
            "streams": {key: position.as_json() for key, position in self.positions.items()},
            "windows": self.windows,
            "bytes_rejected": self.rejects.bytes_rejected,
            "rejects": {code.name: n for code, n in self.rejects.count.items()},
        }
        return meta, {**snapshot, **summary_state(self.total, _TOTAL)}
