"""The texts in which people read what was noticed."""

from muonscope.counting.window_spec import Note, NoteKind
from muonscope.units import ORBIT_S, ORBITS_PER_COUNTER

__all__ = ["describe_note"]

_WRAP_ORBITS = 40_404_040
"""An hour: a counter that steps from this close below 2^32 to this close above 0 wrapped."""


def describe_note(note: Note) -> str:
    """Return one line for people about something the windower noticed."""
    who = f"FPGA {note.lane}, " if note.lane >= 0 else ""
    at = f"{who}word {note.word:,}: orbit {note.before:,} -> {note.after:,}"
    gap = (note.after - note.before) * ORBIT_S
    wrapped = note.before > ORBITS_PER_COUNTER - _WRAP_ORBITS and note.after < _WRAP_ORBITS
    if note.kind is NoteKind.EPOCH and note.before == 0:
        return f"first epoch of FPGA {note.lane}: orbit {note.after:,}"
    text = {
        NoteKind.EPOCH: "new epoch, the orbit counter wrapped at 2^32"
        if wrapped
        else "new epoch, the orbit counter was reset, or data of another run ended",
        NoteKind.HOLE: f"hole of {gap:,.3f} s",
        NoteKind.BACK: "clock set back, bad words had taken it too far",
        NoteKind.FULL: "too many words in open windows, one was closed before its time",
        NoteKind.LONE: "orbit that no other word supports",
        NoteKind.LATE: f"late word, {-gap:,.3f} s behind",
    }[note.kind]
    return f"{text}: {at}"
