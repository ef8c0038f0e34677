"""Data that cannot be decoded: a code, a position and the bytes; counted, never silent."""

from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum

__all__ = ["Reject", "RejectCode", "Rejects"]

SLICE_BYTES = 1 << 16
"""Data without any structure is rejected in slices of this size, whatever the pieces."""

_EXAMPLES = 20
_EVIDENCE_BYTES = 120


class RejectCode(IntEnum):
    """Why bytes were rejected; the names appear in messages and reports."""

    BAD_COLUMN_COUNT = 1
    """A row that has not six fields."""
    NOT_A_NUMBER = 2
    """A field that is no decimal number."""
    NOT_AN_INTEGER = 3
    """A fraction where a whole number is expected."""
    NEGATIVE = 4
    """A negative number where none can be."""
    OUT_OF_RANGE = 5
    """A number that does not fit its field of the word."""
    TRUNCATED = 6
    """A word, row or block that is cut short by the end of the data."""
    BAD_JSON = 7
    """A line that is no JSON object with the six fields."""
    BAD_BLOCK = 8
    """A block whose header or checksum is wrong."""
    BAD_COMPRESSION = 9
    """A compressed stream that is damaged or cut short."""
    UNKNOWN_FORMAT = 10
    """Bytes that are no known format."""
    BAD_HEADER = 11
    """A text header without the six names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject:
    """One piece of data that could not be decoded."""

    code: RejectCode
    offset: int
    """Position of its first byte in the (decompressed) data."""
    length: int
    """Number of bytes rejected."""
    evidence: bytes
    """The bytes themselves, at most 120."""
    line: int | None = None
    """Line number from 1, for text."""
    where: str = ""
    """Name of the file or object."""
    reason: str = ""
    """What was expected, and what to do, in words; empty where the code says it all."""

    def __str__(self) -> str:
        """Return one line for people."""
        place = f"line {self.line}" if self.line is not None else f"byte {self.offset}"
        shown = self.evidence.decode("ascii", "backslashreplace")
        name = self.code.name.lower().replace("_", " ")
        reason = f": {self.reason}" if self.reason else ""
        return f"{self.where + ': ' if self.where else ''}{place}: {name}: {shown!r}{reason}"


@dataclass(slots=True)
class Rejects:
    """All rejects of a stream: counted, with the first 20 and the last 20 kept."""

    count: Counter[RejectCode] = field(default_factory=Counter)
    """How many of each code."""
    bytes_rejected: int = 0
    """Bytes in all of them."""
    examples: list[Reject] = field(default_factory=list)
    """The first ones."""
    latest: deque[Reject] = field(default_factory=lambda: deque(maxlen=_EXAMPLES))
    """The last ones."""

    def add(self, rejects: Iterable[Reject]) -> None:
        """Count ``rejects`` and keep examples."""
        for reject in rejects:
            self.count[reject.code] += 1
            self.bytes_rejected += reject.length
            if len(self.examples) < _EXAMPLES:
                self.examples.append(reject)
            self.latest.append(reject)

    def take_back(self, rejects: Iterable[tuple[str, int]]) -> None:
        """Count no more what was rejected too early, by name of code and length."""
        for code, length in rejects:
            self.count[RejectCode[code]] -= 1
            self.bytes_rejected -= length
        self.count = +self.count

    @property
    def total(self) -> int:
        """Number of rejects."""
        return self.count.total()


def evidence(data: bytes | bytearray | memoryview) -> bytes:
    """Return what is kept of rejected ``data``."""
    return bytes(data[:_EVIDENCE_BYTES])
