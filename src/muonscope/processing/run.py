"""One run: words in, messages out, every word and byte accounted for, restartable.

A :class:`Run` drives the engine and owns what must be consistent after a crash: how far
each stream was read, the counter's open windows, the totals, and the position of the
sink. They are saved together, about once a second; whatever was published after the last
save is cut off and made again, so a run killed at any moment and started again gives the
same bytes as one that was not.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from muonscope.counting.summary import Summary
from muonscope.counting.window_spec import Note
from muonscope.counting.window_table import WindowTable
from muonscope.engines.native import Step, count
from muonscope.errors import AccountingError, MuonscopeError, StateError
from muonscope.intake.batch import Batch, Stream, Taking, Token
from muonscope.results.message import ByteAccounting, remainder_message, window_messages
from muonscope.transports.base import Place, Published, Sink, Store
from muonscope.words.rejects import Reject, RejectCode, Rejects

if TYPE_CHECKING:
    from muonscope.counting.counter import Counter

__all__ = ["Restored", "Run", "Status", "restore"]

_FORMAT = 1
"""Version of the saved state."""

_TOTAL = [f.name for f in fields(Summary) if f.name not in ("detector", "detail")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """Where a run stands, for those who watch it."""

    words: int
    windows: int
    bytes_read: int
    """Raw bytes of all streams."""
    orbit: int | None
    epochs: int
    stream: str
    """Name of the stream read last."""
    notes: list[Note]
    """What the windower noticed since the last status."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What a saved state says; pass it to :class:`Run` and to the source and sink."""

    streams: dict[str, Stream]
    sink_position: int
    windows: int
    rejects: Rejects
    arrays: dict[str, npt.NDArray[Any]]

    @property
    def known(self) -> dict[str, Place]:
        """How far each stream was read."""
        return {key: stream.place for key, stream in self.streams.items()}


def restore(store: Store, options: Mapping[str, Any], remedy: str) -> Restored | None:
    """Return what ``store`` holds, or None if it is new.

    ``remedy`` tells people how to start anew.

    Raises
    ------
    StateError
        If it was saved by a run with other ``options``.
    """
    saved = store.load()
    if saved is None:
        return None
    try:
        return _checked(*saved, options, remedy)
    except (AttributeError, KeyError, TypeError, ValueError) as exc:
        raise StateError(f"the saved state is damaged; {remedy}") from exc


def _checked(
    meta: dict[str, Any],
    arrays: dict[str, npt.NDArray[Any]],
    options: Mapping[str, Any],
    remedy: str,
) -> Restored:
    if meta.get("format") != _FORMAT:
        raise StateError(
            f"the saved state has format {meta.get('format')!r}, expected {_FORMAT}; {remedy}"
        )
    for name, value in options.items():
        if meta["options"].get(name) != value:
            raise StateError(
                f"the saved state is of a run with {name} = {meta['options'].get(name)!r},"
                f" this one has {value!r}; {remedy} or the same options"
            )
    rejects = Rejects(bytes_rejected=meta["bytes_rejected"])
    rejects.count.update({RejectCode[name]: n for name, n in meta["rejects"].items()})
    return Restored(
        streams={key: Stream.from_json(value) for key, value in meta["streams"].items()},
        sink_position=meta["sink"],
        windows=meta["windows"],
        rejects=rejects,
        arrays=arrays,
    )


class Run:
    """Takes in words, publishes the message of each closed window, and keeps account."""

    def __init__(
        self,
        name: str,
        intake: Taking,
        counter: "Counter",
        sink: Sink,
        *,
        store: Store | None = None,
        options: Mapping[str, Any] | None = None,
        restored: Restored | None = None,
        lasting: bool = False,
        reject: Callable[[Sequence[tuple[Reject, bytes]]], None] | None = None,
    ) -> None:
        """Begin, or go on from ``restored``; ``options`` are saved and must not change.

        ``lasting`` says that what was published cannot be cut back: then windows that
        ``finish`` closes stay closed. ``reject`` takes messages that were no words.
        """
        self._lasting, self._reject = lasting, reject
        self.name, self._intake, self._counter, self._sink = name, intake, counter, sink
        self._store, self._options = store, dict(options or {})
        self.total = Summary.empty(counter.detector).condensed()
        """The merge of all windows published."""
        self.windows = 0
        self.rejects = Rejects()
        self.errors: list[MuonscopeError] = []
        """What stopped single streams from being read."""
        self._streams: dict[str, Stream] = {}
        self._closing = False
        if restored:
            counter.restore(restored.arrays)
            self.total = Summary(
                detector=counter.detector,
                **{n: _plain(restored.arrays[f"total_{n}"]) for n in _TOTAL},
            )
            self.windows, self.rejects = restored.windows, restored.rejects
            self._streams = restored.streams
        self._bytes_in = sum(stream.bytes_in for stream in self._streams.values())
        self._bytes_read = sum(stream.place.read for stream in self._streams.values())

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
    def streams(self) -> dict[str, Stream]:
        """How far each stream was taken in, by key, in the order in which they were begun."""
        return self._streams

    def steps(self) -> Iterator[Status]:
        """Process what the intake gives, to its end; tell after each batch where it stands."""
        for step in count(self._intake.batches(), self._counter):
            self._publish(step.windows)
            if step.batch:
                self._note_batch(step.batch)
            if step.snapshot is not None:
                self._save(step.snapshot)
            yield self._status(step)

    def save(self) -> None:
        """Save where the run stands, if it has a store; only between ``steps``.

        Once streams are taken to be complete it is too late: what they left over at
        their ends is not to be saved, for they may grow.
        """
        if self._store and not self._closing:
            self._save(self._counter.snapshot())

    def finish(self) -> Summary:
        """Close what is open, publish it, and return the account of all words.

        Nothing of this is saved, unless it is ``lasting``: a run that goes on later is that
        of the longer stream.

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
            message = remainder_message(remainder, self.name, account)
            self._sink.publish([Published(f"{self.name}/remainder", message)])
        if self._lasting:
            self._save(self._counter.snapshot())
        elif self._store:
            self._sink.commit()
        if whole.accounting.words_in != self._counter.words_in:
            raise AccountingError(
                f"{self._counter.words_in} words came in, {whole.accounting.words_in} were counted"
            )
        return whole

    def _publish(self, windows: WindowTable) -> None:
        if len(windows):
            names = zip(windows.epoch.tolist(), windows.window.tolist(), strict=True)
            self._sink.publish(
                [
                    Published(f"{self.name}/{epoch}/{window}", data)
                    for (epoch, window), data in zip(
                        names, window_messages(windows, self.name), strict=True
                    )
                ]
            )
            self.total = self.total.merge(windows.total())
            self.windows += len(windows)

    def _note_batch(self, batch: Batch[Token]) -> None:
        token = batch.token
        self._closing = self._closing or token.final
        self.rejects.add(batch.decoded.rejects)
        self.rejects.take_back(token.taken_back)
        if token.error:
            self.errors.append(token.error)
        if token.poison and self._reject:
            self._reject(token.poison)
        if token.stream:
            self._note_stream(token.key, token.stream)
        for key, stream in token.others.items():
            self._note_stream(key, stream)

    def _note_stream(self, key: str, stream: Stream) -> None:
        before = self._streams.get(key)
        self._bytes_in += stream.bytes_in - (before.bytes_in if before else 0)
        self._bytes_read += stream.place.read - (before.place.read if before else 0)
        self._streams[key] = stream

    def _status(self, step: Step[Token]) -> Status:
        stream = step.batch.token.stream if step.batch else None
        return Status(
            words=step.words_in,
            windows=self.windows,
            bytes_read=self._bytes_read,
            orbit=step.orbit,
            epochs=step.epochs,
            stream=stream.name if stream else "",
            notes=step.notes,
        )

    def _save(self, snapshot: Mapping[str, npt.NDArray[Any]]) -> None:
        if self._store is None:
            return
        total = {f"total_{name}": np.asarray(getattr(self.total, name)) for name in _TOTAL}
        meta = {
            "format": _FORMAT,
            "options": self._options,
            "streams": {key: stream.as_json() for key, stream in self._streams.items()},
            "sink": self._sink.commit(),
            "windows": self.windows,
            "bytes_rejected": self.rejects.bytes_rejected,
            "rejects": {code.name: n for code, n in self.rejects.count.items()},
        }
        self._store.save(meta, {**snapshot, **total})


def _plain(array: npt.NDArray[Any]) -> Any:
    return array if array.ndim else int(array)
