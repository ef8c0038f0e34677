"""The words in which people read of events: every text in one place."""

from collections.abc import Callable

from muonscope.counting.window_spec import Note, NoteKind
from muonscope.events import Event, EventKind
from muonscope.units import ORBIT_S, ORBITS_PER_COUNTER

__all__ = ["describe", "event_of"]

_WRAP_ORBITS = 40_404_040
"""An hour: a counter that steps from this close below 2^32 to this close above 0 wrapped."""

_COMPILING = "compiling the kernels for this machine (once per installation)"
_UNKEPT = (
    "compiling the kernels, as at every start: no folder can be written to keep them;"
    " NUMBA_CACHE_DIR can name one"
)

_BOTH = "--allow-duplicates reads both"

_KINDS = {
    NoteKind.EPOCH: EventKind.EPOCH,
    NoteKind.HOLE: EventKind.HOLE,
    NoteKind.BACK: EventKind.CLOCK_BACK,
    NoteKind.FULL: EventKind.POOL_FULL,
    NoteKind.LONE: EventKind.LONE_ORBIT,
    NoteKind.LATE: EventKind.LATE,
}


def event_of(note: Note) -> Event:
    """Return what the windower noticed as an event."""
    return Event(
        kind=_KINDS[note.kind],
        where=f"FPGA {note.lane}" if note.lane >= 0 else "",
        numbers={"word": note.word, "before": note.before, "after": note.after},
    )


def describe(event: Event) -> str:
    """Return one line for people.

    Examples
    --------
    >>> describe(Event(kind=EventKind.DUPLICATES, numbers={"messages": 1200}))
    '1,200 messages came more than once and were counted once'
    """
    if event.kind in _OF_THE_CLOCK:
        return _of_the_clock(event)
    return _TEXTS[event.kind](event)


def _of_the_clock(event: Event) -> str:
    before, after = int(event.numbers["before"]), int(event.numbers["after"])
    if event.kind is EventKind.EPOCH and before == 0:
        return f"first epoch of {event.where}: orbit {after:,}"
    who = f"{event.where}, " if event.where else ""
    text = _OF_THE_CLOCK[event.kind](before, after)
    return f"{text}: {who}word {int(event.numbers['word']):,}: orbit {before:,} -> {after:,}"


def _epoch(before: int, after: int) -> str:
    if before > ORBITS_PER_COUNTER - _WRAP_ORBITS and after < _WRAP_ORBITS:
        return "new epoch, the orbit counter wrapped at 2^32"
    return "new epoch, the orbit counter was reset, or data of another run ended"


_OF_THE_CLOCK: dict[EventKind, Callable[[int, int], str]] = {
    EventKind.EPOCH: _epoch,
    EventKind.HOLE: lambda before, after: f"hole of {(after - before) * ORBIT_S:,.3f} s",
    EventKind.CLOCK_BACK: lambda *_: "clock set back, bad words had taken it too far",
    EventKind.POOL_FULL: lambda *_: (
        "too many words in open windows, one was closed before its time"
    ),
    EventKind.LONE_ORBIT: lambda *_: "orbit that no other word supports",
    EventKind.LATE: lambda before, after: f"late word, {(before - after) * ORBIT_S:,.3f} s behind",
}


def _count(event: Event, name: str) -> str:
    return f"{int(event.numbers[name]):,}"


def _lost(event: Event) -> str:
    lost = int(event.numbers.get("lost", 0))
    return f", but for {lost:,} words that are lost" if lost else ""


_TEXTS: dict[EventKind, Callable[[Event], str]] = {
    EventKind.COPY: lambda e: (
        f"{e.where} holds the same words as {e.detail}{_lost(e)}: read once; {_BOTH}"
    ),
    EventKind.PART: lambda e: (
        f"{e.where} is a part of {e.detail}, which holds all of its {_count(e, 'words')} words"
        f"{_lost(e)}: read once; {_BOTH}"
    ),
    EventKind.OVERLAP: lambda e: (
        f"{e.where} begins with {_count(e, 'words')} words that {e.detail} holds, too: only what"
        f" follows is read; {_BOTH}"
    ),
    EventKind.ALIKE: lambda e: (
        f"{e.where} begins with {_count(e, 'words')} words of {e.detail}, then they differ: both"
        " are read, as two runs with the same stale buffer"
    ),
    EventKind.TOO_FEW: lambda e: (
        f"{e.where} holds the same words as {e.detail}, but {_count(e, 'words')} are too few"
        " to tell a copy: both are read; remove one if it is a copy"
    ),
    EventKind.PERHAPS_TWICE: lambda e: (
        f"{e.where} seems to hold words of {e.detail}: both are read, and words may count twice;"
        " remove one if it is a copy"
    ),
    EventKind.UNCOMPARED: lambda e: (
        f"{_count(e, 'files')} files, such as {e.where}, are of the same orbits as others and too"
        " long to be compared: if some are copies in part, words count twice"
    ),
    EventKind.READ_TWICE: lambda e: (
        f"{e.where} begins with {_count(e, 'words')} words that {e.detail} holds, too: they are"
        " read twice, for its format can only be read from the start; convert it to csv or dat"
    ),
    EventKind.MORE_FILES: lambda e: (
        f"{_count(e, 'files')} more files hold words that others hold, too; {_BOTH}"
    ),
    EventKind.LEFT_OUT: lambda e: f"{e.detail}; left out",
    EventKind.LEFT_OUT_IN_ALL: lambda e: (
        f"{_count(e, 'pieces')} pieces in all could not be decoded and were left out"
    ),
    EventKind.OFFSETS_GONE: lambda e: (
        f"{e.where}: offsets {_count(e, 'begin')} .. {int(e.numbers['end']) - 1:,}"
        " are gone, deleted before they were read"
    ),
    EventKind.SOURCE_TROUBLE: lambda e: f"{e.where}: {e.detail}; waiting for it to come back",
    EventKind.REOPENED: lambda e: f"opened again: {e.detail}",
    EventKind.TOPIC_AWAITED: lambda e: f"{e.where}: no such topic yet; waiting for it",
    EventKind.DUPLICATES: lambda e: (
        f"{_count(e, 'messages')} messages came more than once and were counted once"
    ),
    EventKind.MISSING_WORDS: lambda e: f"{_count(e, 'words')} words of numbered streams never came",
    EventKind.EXPIRED: lambda e: (
        f"{_count(e, 'messages')} messages were deleted before they were read"
    ),
    EventKind.NO_BROKER: lambda e: (
        f"{e.where}: no Kafka broker answers ({e.detail}); trying again in"
        f" {e.numbers['pause_s']:g} s"
    ),
    EventKind.TRYING_AGAIN: lambda e: f"{e.detail}; trying again",
    EventKind.TOPIC_CREATED: lambda e: (
        f"topic {e.where} created with {_count(e, 'partitions')} partitions"
    ),
    EventKind.DELETES_BY_TIME: lambda e: (
        f"topic {e.where} deletes messages by their age: blocks bear wall-clock time there"
    ),
    EventKind.ROLLED_BACK: lambda e: f"{e.detail}; going on from the saved state",
    EventKind.RATE_MISSED: lambda e: (
        f"the rate is not reached: {e.numbers['asked']:,.0f} words/s asked,"
        f" {e.numbers['reached']:,.0f} reached"
    ),
    EventKind.ALREADY_SENT: lambda e: (
        f"{e.where}: has up to {_count(e, 'words')} words of this already; they stay"
    ),
    EventKind.COMPILING: lambda _: f"{_COMPILING} ...",
    EventKind.COMPILING_UNKEPT: lambda _: f"{_UNKEPT} ...",
    EventKind.COMPILED_ELSEWHERE: lambda _: (
        "waiting for another process that compiles the kernels (once per installation) ..."
    ),
    EventKind.COMPILED_IN_VAIN: lambda e: f"the next start compiles again: {e.detail}",
    EventKind.COMPILING_BESIDE: lambda e: (
        f"{_COMPILING if e.numbers['kept'] else _UNKEPT}; until that is done, plain Python does"
        " their work"
    ),
    EventKind.SERVING: lambda e: f"dashboard of {e.where} on {e.detail}",
    EventKind.FEED_ENDED: lambda e: e.detail,
}
