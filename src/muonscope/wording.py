"""The words in which people read of events: every text in one place."""

import math
from collections.abc import Callable

from muonscope.counting.window_spec import Note, NoteKind
from muonscope.events import Event, EventKind
from muonscope.units import ORBIT_S, ORBITS_PER_COUNTER
from muonscope.words.rejects import RejectCode

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
    if event.kind in _OF_DOUBT:
        return _OF_DOUBT[event.kind](event)
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


def _again(event: Event) -> str:
    again = int(event.numbers.get("again", 0))
    return f"; {again:,} were there already" if again else ""


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
    EventKind.ARCHIVED: lambda e: (
        f"run {e.where}: {_count(e, 'windows')} windows archived in {e.detail}{_again(e)}"
    ),
    EventKind.ARCHIVE_DIFFERS: lambda e: (
        f"run {e.where}: {_count(e, 'differing')} windows are in {e.detail} already with other"
        f" counts, and were left out; {_count(e, 'windows')} were archived: another run under the"
        " same name needs another --run"
    ),
    EventKind.ARCHIVE_LATER: lambda e: (
        f"run {e.where} goes on from a state that was saved without an archive: windows from"
        " before are not in it; archive the results, or process again, to have them"
    ),
    EventKind.ARCHIVE_TROUBLE: lambda e: (
        f"{e.where}: the archive cannot be written: {e.detail}; windows that come meanwhile will"
        " be missing in it"
    ),
    EventKind.ARCHIVE_GOES_ON: lambda e: (
        f"{e.where}: the archive is written again; {_count(e, 'windows')} windows are missing in it"
    ),
    EventKind.NOT_GOOD: lambda e: (
        f"{_count(e, 'words')} words are in no window that {e.detail} has of run {e.where}: they"
        " were left out"
    ),
    EventKind.TOPIC_AWAITED: lambda e: f"{e.where}: no such topic yet; waiting for it",
    EventKind.DUPLICATES: lambda e: (
        f"{_count(e, 'messages')} messages came more than once and were counted once"
    ),
    EventKind.MISSING_WORDS: lambda e: f"{_count(e, 'words')} words of numbered streams never came",
    EventKind.EXPIRED: lambda e: (
        f"{_count(e, 'messages')} messages were deleted before they were read"
    ),
    EventKind.OUT_OF_ORDER: lambda e: (
        f"the order of {_count(e, 'messages')} messages without numbers could not be"
        " restored, so windows may lack hits: one partition is too far ahead of another; send"
        " with muonscope replay, or to one partition"
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
    EventKind.REFERENCE_SHORT: lambda e: (
        f"--reference {e.where} has {e.numbers['whole']:.0f} whole windows, and verdicts need"
        f" {e.numbers['least']:.0f}: it is drawn, but nothing is judged by it"
    ),
    EventKind.COMPILED_IN_VAIN: lambda e: f"the next start compiles again: {e.detail}",
    EventKind.COMPILING_BESIDE: lambda e: (
        f"{_COMPILING if e.numbers['kept'] else _UNKEPT}; until that is done, plain Python does"
        " their work"
    ),
    EventKind.SERVING: lambda e: f"dashboard of {e.where} on {e.detail}",
    EventKind.ALARM_UNSENT: lambda e: (
        f"alarms do not reach {e.where}: {e.detail}; trying again until they do"
    ),
    EventKind.ALARM_SENT: lambda e: (
        f"alarms reach {e.where} again, after {_count(e, 'failed')} attempts in vain"
    ),
    EventKind.ALARMS_UNSAVED: lambda e: (
        f"{e.detail}; alarms are sent, but would be forgotten if this ended now"
    ),
    EventKind.FEED_ENDED: lambda e: e.detail,
    EventKind.NULL_MESSAGES: lambda e: (
        f"{_count(e, 'messages')} messages have no value (null, as deletions in a compacted topic):"
        " they hold no words and were left out"
    ),
}


def _words(event: Event) -> str:
    found, there = int(event.numbers["found"]), int(event.numbers["of"])
    return f"{found / max(1, there):.1%} of the words ({found:,} of {there:,})"


def _detector(event: Event, otherwise: str) -> str:
    """Return the remedy where another detector fits, else what else may be done."""
    if not event.detail:
        return otherwise
    share = event.numbers["fit"]
    return f"{event.detail} maps {share:.0%} of a sample: use --detector {event.detail}"


def _late(event: Event) -> str:
    numbers, remedies = event.numbers, []
    behind, back = numbers.get("behind_s", 0.0), numbers.get("back_s", 0.0)
    if behind > numbers.get("idle_s", math.inf):
        remedies.append(
            f"they are up to {behind:,.1f} s behind another FPGA, as where boards write files of"
            " their own or streams are read one after the other; use --idle-timeout"
            f" {_at_least(behind)} or more"
        )
    if back:
        remedies.append(
            f"they step back by up to {back:,.1f} s within their FPGA; use --lateness"
            f" {_at_least(back)} or more, unless files or streams are in the wrong order"
        )
    if not remedies:
        remedies.append("--idle-timeout and --lateness say how long windows wait")
    lost = f"{_words(event)} came after their window was closed and are in no histogram"
    return f"{lost}: {'; '.join(remedies)}"


def _at_least(seconds: float) -> str:
    """Return a length of time of two digits that is a tenth longer, as an option is written."""
    wanted = 1.1 * seconds
    unit = 10.0 ** (math.floor(math.log10(wanted)) - 1)
    return f"{math.ceil(wanted / unit) * unit:g}s"


_SIX = "HEAD, FPGA, TDC_CHANNEL, ORBIT_CNT, BX_COUNTER, TDC_MEAS"
_CAUSES = {
    RejectCode.BAD_COLUMN_COUNT: f"rows do not have the six columns {_SIX}",
    RejectCode.NOT_A_NUMBER: "fields are no numbers: lines of another program, or damage",
    RejectCode.NOT_AN_INTEGER: "fractions where whole numbers belong: columns in another order?",
    RejectCode.NEGATIVE: "negative numbers where none can be: columns in another order?",
    RejectCode.OUT_OF_RANGE: (
        "numbers do not fit their field: another detector, columns in another order, or damage"
    ),
    RejectCode.TRUNCATED: "words, rows or blocks are cut short: copy the files again",
    RejectCode.BAD_JSON: f"lines are no JSON objects with the six fields {_SIX}",
    RejectCode.BAD_BLOCK: "blocks are damaged: bytes were changed or lost on the way; send again",
    RejectCode.UNKNOWN_FORMAT: "bytes of no known format: unpack, convert or leave them out",
    RejectCode.BAD_HEADER: f"a header without the six names {_SIX}",
    RejectCode.FILLING: "zero or 0xFF bytes: files were preallocated, or cut off by a power cut",
    RejectCode.MISALIGNED: "bytes were lost or added: copy the files again, as binary",
}


def _rejected(event: Event) -> str:
    share, name = event.numbers["share"], event.where.lower().replace("_", " ")
    causes = {code.name: text for code, text in _CAUSES.items()}
    cause = causes.get(event.where, "muonscope inspect shows where")
    if event.detail:
        cause = f"detector {event.detail} reads such rows: use --detector {event.detail}"
    return (
        f"{share:.1%} of the data was rejected, in {_count(event, 'found')} pieces, most of them"
        f" as {name}: {cause}"
    )


_OF_DOUBT: dict[EventKind, Callable[[Event], str]] = {
    EventKind.MANY_UNMAPPED: lambda e: (
        f"{_words(e)} are on channels that detector {e.where} does not map: "
        + _detector(
            e,
            "no shipped detector fits better; describe your cabling in a file of"
            " your own, unless bytes were damaged",
        )
    ),
    EventKind.MANY_BAD_HEADS: lambda e: (
        f"{_words(e)} have a HEAD that does not exist with detector {e.where}: "
        + _detector(e, "bytes were lost or damaged, or they are no words; see muonscope inspect")
    ),
    EventKind.MANY_BAD_BX: lambda e: (
        f"{_words(e)} have a BX beyond the end of the orbit: bytes were lost or damaged, or they"
        " are no words; see muonscope inspect"
    ),
    EventKind.MANY_BAD_ORBITS: lambda e: (
        f"{_words(e)} have an orbit that no other word supports: bytes were lost or damaged, or"
        " words of several sources are mixed; see muonscope inspect"
    ),
    EventKind.NO_HITS: lambda e: (
        f"there is no hit among {_count(e, 'of')} words: "
        + _detector(e, f"is {e.where} the right detector, and is this a recording?")
    ),
    EventKind.MANY_LATE: _late,
    EventKind.MANY_REJECTED: _rejected,
    EventKind.DAMAGED_COMPRESSION: lambda e: (
        f"{_count(e, 'found')} compressed streams are damaged or cut short, and all that followed"
        " in them is lost: copy them again, or wait until they are complete"
    ),
    EventKind.MANY_EPOCHS: lambda e: (
        f"{_count(e, 'found')} epochs in {_count(e, 'of')} streams: the orbit counter steps back"
        " again and again; unless the DAQ was restarted as often, files are in the wrong order, or"
        " streams that belong side by side are read as one"
    ),
}
