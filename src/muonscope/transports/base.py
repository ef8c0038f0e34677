"""The seams of input and output.

A byte source yields the bytes of its streams (files, objects, standard input) piece by
piece. A ledger takes whole messages and the state that follows from them; a commit makes
both visible together, so that what is published again after a crash counts once.
"""

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO, NamedTuple, Protocol

import numpy.typing as npt

from muonscope.counting.window_table import WindowSummary
from muonscope.errors import SourceError
from muonscope.words.rejects import Reject

__all__ = [
    "ByteSource",
    "Ends",
    "FilePosition",
    "FileSet",
    "InTurns",
    "Ledger",
    "PartitionPosition",
    "Piece",
    "Published",
    "Rejected",
    "SourceStatus",
    "State",
    "Turn",
    "side_by_side",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePosition:
    """How far a stream of bytes was read, and by what it is known again."""

    restart: int
    """Raw bytes that need not be read again."""
    read: int
    """Raw bytes that were read."""
    mark: int
    """CRC-32 of the first ``min(64, read)`` bytes; of files that are longer, that of the 64 bytes
    before ``read`` above it (bits 32-63; 0: not looked at)."""
    ended: bool
    """Whether it was read to an end."""
    stream: int = 0
    """Number of the ordered stream that it is a part of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """How one file or object is read: in which stream, and from where."""

    name: str
    stream: int = 0
    """Number of its stream; streams run side by side, each in the order of its turns."""
    restart: int = 0
    """Raw byte to read from."""
    resume: Mapping[str, Any] = field(default_factory=dict)
    """State of the decoder to begin with, where the first words are not to be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """The first and last bytes of a file or object."""

    name: str
    size: int = 0
    """Raw bytes."""
    first: bytes = b""
    last: bytes = b""
    """Empty where ``first`` is all of it."""
    stream: int | None = None
    """Number of the stream in which an earlier run began to read it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionPosition:
    """Where to read on in a partition of a topic, and by what the topic is known again."""

    offset: int
    """Of the next message."""
    mark: int
    """CRC-32 of the id of the topic; 0 where the brokers do not tell one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Some bytes of one stream, or its end, or what stopped it from being read."""

    key: str
    """Identity of the stream, the same after a restart."""
    name: str
    """Its name for people."""
    data: bytes = b""
    read: int = 0
    """Raw bytes of the stream up to the end of this piece."""
    mark: int = 0
    """As in :class:`FilePosition`."""
    changed_s: float = math.inf
    """When the stream had changed last, s since 1970; infinity where that is not known."""
    ended: bool = False
    """Nothing more comes from this stream, as far as is known."""
    error: SourceError | None = None
    """Why the stream could not be read (further); the other streams go on."""
    stream: int = 0
    """Number of the ordered stream that it is a part of; streams run side by side."""
    resume: Mapping[str, Any] = field(default_factory=dict)
    """State of a decoder to begin with, where the stream is not read from its start."""
    beside: bool = False
    """Whether other streams run beside this one."""
    idle: bool = False
    """No data, only a sign of life from a source that waits for more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceStatus:
    """How far one source, or one partition of it, was read."""

    name: str
    partition: int | None = None
    read: int = 0
    behind: int | None = None
    """What is there and not read yet; None where that is not known."""
    unit: str = "bytes"


class ByteSource(Protocol):
    """A place that bytes come from."""

    def pieces(self) -> Iterator[Piece]:
        """Yield the pieces of all streams, each stream's in order."""

    def size(self) -> int | None:
        """Return the raw bytes there are to read, as far as is known."""

    def hold(self, streams: Collection[int]) -> None:
        """Give no more of some streams, by number, until the next call.

        A source of which nothing else is left gives signs of life.
        """


class FileSet(ByteSource, Protocol):
    """Files or objects, each of which can be looked at before they are read."""

    def ends(self, n: int) -> Sequence[Ends]:
        """Return the first and last ``n`` bytes of each, in the order of reading."""

    def open(self, name: str) -> BinaryIO:
        """Open one of them by its name.

        Raises
        ------
        SourceError
            If it cannot be read.
        """

    def take(self, turns: Sequence[Turn]) -> None:
        """Read these and no others, in this order."""


class Published(NamedTuple):
    """A message on its way out."""

    name: str
    """Run, epoch and window: what makes it the same message again."""
    data: bytes
    """A line of JSON."""
    window: Callable[[], WindowSummary] | None = None
    """Gives the counts that the message tells, for a ledger in the same process."""


State = tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]
"""The saved state of a run: JSON values, and arrays by name."""

Rejected = tuple[Reject, bytes]
"""A reject, and the whole message that gave it."""


class Ledger(Protocol):
    """A place that the results of a run go to, with the state that follows from them."""

    @property
    def keeps_state(self) -> bool:
        """Whether a run can go on from what was committed."""

    @property
    def can_cut_back(self) -> bool:
        """Whether what was published without a state can be taken back by the next run."""

    def load(self) -> State | None:
        """Return the state that was committed last, or None."""

    def begin(self, *, fresh: bool) -> None:
        """Open what is written to, anew where the run is ``fresh``; nothing is touched before."""

    def publish(self, messages: Sequence[Published]) -> None:
        """Add whole messages, each a line."""

    def reject(self, rejected: Sequence[Rejected]) -> None:
        """Add messages of the source that were no words, where there is a place for them."""

    def commit(self, state: State | None) -> None:
        """Make all that was added durable and visible, together with ``state`` if there is one.

        After a crash either all of it is there or none.
        """

    def close(self) -> None:
        """Let go; what was not committed is given up where that is possible."""


def side_by_side(streams: Mapping[int, Iterator[Piece]], held: Collection[int]) -> Iterator[Piece]:
    """Yield the pieces of streams, the first one first, but for those that are ``held`` back.

    ``held`` may change meanwhile.
    """
    left = dict(streams)
    while left:
        number = next((n for n in left if n not in held), None)
        if number is None:
            yield Piece(key="", name="", idle=True)
        elif (piece := next(left[number], None)) is None:
            del left[number]
        else:
            yield replace(piece, beside=True) if len(streams) > 1 else piece


class InTurns:
    """What files and objects have in common: each has its turn in one of several streams."""

    def __init__(self, turns: Sequence[Turn]) -> None:
        """Begin with ``turns``; nothing is held back."""
        self._turns = list(turns)
        self._held: set[int] = set()

    @property
    def streams(self) -> int:
        """Number of streams that run side by side."""
        return 1 + max((turn.stream for turn in self._turns), default=0)

    def hold(self, streams: Collection[int]) -> None:
        """Give no more of some streams until the next call."""
        self._held.clear()
        self._held.update(streams)

    def take(self, turns: Sequence[Turn]) -> None:
        """Read these and no others."""
        self._turns = list(turns)

    def pieces(self) -> Iterator[Piece]:
        """Yield each to its end."""
        numbers = sorted({turn.stream for turn in self._turns})
        return side_by_side({number: self._stream(number) for number in numbers}, self._held)

    def _stream(self, number: int) -> Iterator[Piece]:
        for turn in self._turns:
            if turn.stream == number:
                for piece in self._read(turn):
                    yield replace(piece, stream=number)

    def _read(self, turn: Turn) -> Iterator[Piece]:
        """Yield one to its end."""
        raise NotImplementedError
