"""Events that people should know of, as a kind, a place and numbers: one type for all rooms.

Rooms say what happened; :mod:`muonscope.wording` says it in words, the same on a terminal,
in a log and on a dashboard.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

__all__ = ["DOUBTS", "Event", "EventKind", "Tell", "ignore"]


class EventKind(StrEnum):
    """The kind of an event; the numbers that it has stand behind each."""

    EPOCH = "epoch"
    """A new epoch of an FPGA begins: ``word``, ``before`` and ``after`` (orbits)."""
    HOLE = "hole"
    """An FPGA jumps ahead in its epoch; numbers as for an epoch."""
    CLOCK_BACK = "clock back"
    """An FPGA had been taken too far ahead by bad words; numbers as for an epoch."""
    POOL_FULL = "pool full"
    """Open windows held too many words; numbers as for an epoch."""
    LONE_ORBIT = "lone orbit"
    """A word's orbit is supported by no other word; numbers as for an epoch."""
    LATE = "late"
    """A word came after its window had closed; numbers as for an epoch."""
    COPY = "copy"
    """A file holds the same words as another one (``detail``), and is not read; ``lost`` words,
    if any, are only in it."""
    PART = "part"
    """A file holds ``words`` words, all of them in another one (``detail``), and is not read;
    ``lost`` as for a copy."""
    OVERLAP = "overlap"
    """A file begins with ``words`` words of another one (``detail``): they are read once."""
    ALIKE = "alike"
    """A file begins with ``words`` words of another one (``detail``), then they part: both are
    read."""
    TOO_FEW = "too few"
    """A file holds the same ``words`` words as another one (``detail``), too few to be sure: both
    are read."""
    PERHAPS_TWICE = "perhaps twice"
    """A file may hold words of another one (``detail``): both are read."""
    UNCOMPARED = "uncompared"
    """``files``, the first of them ``where``, overlap in orbits and were too long to compare."""
    READ_TWICE = "read twice"
    """A file begins with ``words`` words of another one (``detail``), and can only be read from
    its start."""
    MORE_FILES = "more files"
    """As much as was just told holds for ``files`` more."""
    LEFT_OUT = "left out"
    """Data could not be decoded, as ``detail`` says."""
    LEFT_OUT_IN_ALL = "left out in all"
    """``pieces`` could not be decoded."""
    OFFSETS_GONE = "offsets gone"
    """Messages ``begin`` .. ``end`` - 1 were deleted before they were read."""
    SOURCE_TROUBLE = "source trouble"
    """A source is hindered, as ``detail`` says, and is waited for."""
    REOPENED = "reopened"
    """A source was lost, as ``detail`` says, and is opened again."""
    TOPIC_AWAITED = "topic awaited"
    """A topic is not there yet."""
    DUPLICATES = "duplicates"
    """``messages`` came more than once."""
    MISSING_WORDS = "missing words"
    """``words`` of numbered streams never came."""
    EXPIRED = "expired"
    """``messages`` were deleted before they were read."""
    OUT_OF_ORDER = "out of order"
    """The order of ``messages`` without numbers could not be restored."""
    NO_BROKER = "no broker"
    """No broker answers, as ``detail`` says; tried again in ``pause_s``."""
    TRYING_AGAIN = "trying again"
    """Brokers went away meanwhile, as ``detail`` says."""
    TOPIC_CREATED = "topic created"
    """A topic was created with so many ``partitions``."""
    DELETES_BY_TIME = "deletes by time"
    """A topic deletes by time, so blocks cannot bear detector time."""
    ROLLED_BACK = "rolled back"
    """A transaction was lost, as ``detail`` says; the run goes on from the saved state."""
    RATE_MISSED = "rate missed"
    """Fewer words a second are sent (``reached``) than were ``asked`` for."""
    ALREADY_SENT = "already sent"
    """Up to ``words`` were sent before an error; they stay."""
    COMPILING = "compiling"
    """The kernels are compiled for this machine, once per installation."""
    COMPILING_UNKEPT = "compiling unkept"
    """The kernels are compiled, as at every start: no folder can be written to keep them."""
    COMPILED_ELSEWHERE = "compiled elsewhere"
    """Another process compiles the kernels, and is waited for."""
    COMPILED_IN_VAIN = "compiled in vain"
    """What was compiled could not be kept, as ``detail`` says."""
    COMPILING_BESIDE = "compiling beside"
    """The kernels are compiled while plain Python does their work; ``kept`` (1) or not (0)."""
    SERVING = "serving"
    """A dashboard of a source (``where``) is at the address ``detail``."""
    REFERENCE_SHORT = "reference short"
    """``where``: the reference; ``whole``, ``least``: whole windows that it has, and must have."""
    ALARM_UNSENT = "alarm unsent"
    """Alarms cannot be sent to ``where``, as ``detail`` says; it is tried again and again."""
    ALARM_SENT = "alarm sent"
    """Alarms can be sent to ``where`` again, after ``failed`` attempts in vain."""
    ALARMS_UNSAVED = "alarms unsaved"
    """Alarms cannot be kept on disk, as ``detail`` says; they are sent nevertheless."""
    FEED_ENDED = "feed ended"
    """Nothing more comes to a dashboard, for the reason ``detail``."""
    MANY_UNMAPPED = "many unmapped"
    """Of ``of`` words ``found`` are on channels that the detector ``where`` does not map;
    ``detail`` names a shipped one that maps the part ``fit`` of a sample; so for the next ones."""
    MANY_BAD_HEADS = "many bad heads"
    """``found`` words of ``of`` have a HEAD that no firmware writes."""
    MANY_BAD_BX = "many bad BX"
    """``found`` words of ``of`` have a BX beyond the end of the orbit."""
    MANY_BAD_ORBITS = "many bad orbits"
    """``found`` words of ``of`` have an orbit that no other supports."""
    NO_HITS = "no hits"
    """Among ``of`` words there is no hit."""
    MANY_LATE = "many late"
    """``found`` words of ``of`` were late, up to ``behind_s`` behind the other FPGAs, or
    stepped back by up to ``back_s`` within their own; ``idle_s`` and ``lateness_s`` as set."""
    MANY_REJECTED = "many rejected"
    """The part ``share`` of the data was rejected in ``found`` pieces, most of them with the
    code ``where``; ``detail`` and ``fit`` as for unmapped words."""
    DAMAGED_COMPRESSION = "damaged compression"
    """``found`` compressed streams are damaged or cut short."""
    MANY_EPOCHS = "many epochs"
    """``found`` epochs in ``of`` streams."""
    ARCHIVED = "archived"
    """``windows`` of run ``where`` were archived in ``detail``; ``again`` were there already."""
    ARCHIVE_DIFFERS = "archive differs"
    """As for ``ARCHIVED``; ``differing`` windows were there already with other counts."""
    ARCHIVE_LATER = "archive later"
    """Run ``where`` goes on from a state without an archive: what was before is not in it."""
    ARCHIVE_TROUBLE = "archive trouble"
    """The archive ``where`` cannot be written, as ``detail`` says; ``windows`` are missing."""
    ARCHIVE_GOES_ON = "archive goes on"
    """The archive ``where`` can be written again; ``windows`` are missing."""
    NOT_GOOD = "not good"
    """``words`` are in no window that the list ``detail`` has of run ``where``."""
    NULL_MESSAGES = "null messages"
    """``messages`` without a value came."""


DOUBTS = frozenset(
    {
        EventKind.MANY_UNMAPPED, EventKind.MANY_BAD_HEADS, EventKind.MANY_BAD_BX,
        EventKind.MANY_BAD_ORBITS, EventKind.NO_HITS, EventKind.MANY_LATE,
        EventKind.MANY_REJECTED, EventKind.DAMAGED_COMPRESSION, EventKind.MANY_EPOCHS,
        EventKind.OUT_OF_ORDER,
    }
)  # fmt: skip
"""Events which say that results are doubtful, because much of what came is not in them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that people should know of."""

    kind: EventKind
    where: str = ""
    """Place: an FPGA, a topic, a partition, a file."""
    numbers: Mapping[str, float] = field(default_factory=dict)
    """Numbers by name, as the kind has them."""
    detail: str = ""
    """Text of another program or error, or a name, where that is what there is to tell."""

    @property
    def doubtful(self) -> bool:
        """Whether it says that results are doubtful."""
        return self.kind in DOUBTS


Tell = Callable[[Event], None]
"""A function that tells people of an event."""


def ignore(event: Event) -> None:
    """Tell nobody of ``event``."""
