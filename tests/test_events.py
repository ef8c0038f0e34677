"""Events in words: each kind has a text, and the texts say what happened."""

import pytest

from muonscope.counting.window_spec import Note, NoteKind
from muonscope.events import Event, EventKind
from muonscope.wording import describe, event_of

NUMBERS = {
    "word": 1000, "before": 20_000, "after": 50_000, "pieces": 3, "begin": 5, "end": 1_000_009,
    "messages": 4321, "words": 99, "pause_s": 0.5, "partitions": 12, "asked": 1e6, "reached": 7e5,
    "kept": 1, "found": 50, "of": 1000, "share": 0.05, "fit": 0.99,
    "files": 12, "lost": 2, "whole": 20, "least": 30, "windows": 9, "again": 1, "differing": 3,
    "failed": 4,
}  # fmt: skip


@pytest.mark.parametrize("kind", EventKind)
def test_every_kind_of_event_is_said_in_words(kind: EventKind) -> None:
    text = describe(Event(kind=kind, where="HERE", detail="WHY", numbers=NUMBERS))
    assert len(text) > 2
    assert "\n" not in text
    assert "None" not in text


@pytest.mark.parametrize("kind", NoteKind)
def test_every_note_of_the_windower_is_an_event(kind: NoteKind) -> None:
    note = Note(kind=kind, word=1234, lane=3, before=50_000, after=20_000)
    text = describe(event_of(note))
    assert "FPGA 3" in text
    assert "word 1,234: orbit 50,000 -> 20,000" in text


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (2**32 - 5, 7, "wrapped at 2^32"),
        (2**31, 7, "was reset, or data of another run ended"),
        (0, 7, "first epoch of FPGA 1: orbit 7"),
    ],
)
def test_an_epoch_tells_why_it_began(before: int, after: int, words: str) -> None:
    numbers = {"word": 1, "before": before, "after": after}
    assert words in describe(Event(kind=EventKind.EPOCH, where="FPGA 1", numbers=numbers))


def test_times_are_those_of_the_orbits() -> None:
    numbers = {"word": 1, "before": 0, "after": 11_223}
    assert "hole of 1.000 s" in describe(Event(kind=EventKind.HOLE, numbers=numbers))
    late = {"word": 1, "before": 11_223, "after": 0}
    assert "late word, 1.000 s behind" in describe(Event(kind=EventKind.LATE, numbers=late))


def test_offsets_are_told_with_the_last_one_that_is_gone() -> None:
    event = Event(kind=EventKind.OFFSETS_GONE, where="t[0]", numbers={"begin": 5, "end": 9})
    assert describe(event) == "t[0]: offsets 5 .. 8 are gone, deleted before they were read"
