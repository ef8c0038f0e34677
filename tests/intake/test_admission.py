"""Words are counted once also while files grow."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from helpers.following import follow
from helpers.pieces import append, nothing
from helpers.recordings import encoded, recorded
from muonscope.detector import shipped_detector
from muonscope.events import Event, EventKind
from muonscope.intake.admission import AdmitOnce
from muonscope.intake.looking import Once
from muonscope.intake.streams import StreamIntake
from muonscope.transports.base import FilePosition, Piece
from muonscope.words.layout import Words, fpga, shift_orbits

READOUT = shipped_detector().readout
WORDS = recorded(6000)
NOTHING = [nothing] * 3


class Pieces:
    """A source of pieces that were given before."""

    def __init__(self, pieces: list[Piece]) -> None:
        self._pieces = pieces

    def pieces(self) -> list[Piece]:  # an iterable is enough here
        return self._pieces


def followed(
    folder: Path,
    *happenings: Callable[[], object],
    known: dict[str, FilePosition] | None = None,
    idle_exit_s: float = 5.0,
) -> tuple[Words, list[Event], list[Piece]]:
    """Follow a folder while things happen; return the words, what was told, and the pieces."""
    told: list[Event] = []
    once = Once(readout=READOUT, tell=told.append)
    pieces = follow(
        folder, *happenings, known=known, idle_exit_s=idle_exit_s,
        admission=lambda clock: AdmitOnce(once, clock),
    )  # fmt: skip
    intake = StreamIntake(Pieces(pieces), READOUT, grows=True)  # type: ignore[arg-type]
    words = [np.empty(0, np.uint64), *(batch.words for batch in intake.batches())]
    return np.concatenate(words), told, pieces


def growing(path: Path, data: bytes, steps: int) -> list[Callable[[], None]]:
    """Return what appends ``data`` to a file step by step, at any byte."""
    cuts = [len(data) * n // steps for n in range(steps + 1)]
    return [append(path, data[a:b]) for a, b in pairwise(cuts)]


def both(*acts: Callable[[], object]) -> Callable[[], object]:
    def happen() -> None:
        for act in acts:
            act()

    return happen


@pytest.mark.parametrize(("first", "second"), [("dat", "txt"), ("csv", "dat"), ("txt", "json")])
@pytest.mark.parametrize("steps", [3, 40])
def test_of_twins_that_grow_together_the_first_is_read(
    tmp_path: Path, first: str, second: str, steps: int
) -> None:
    one = growing(tmp_path / f"data_0.{first}", encoded(WORDS, first), steps)
    other = growing(tmp_path / f"data_0.{second}", encoded(WORDS, second), steps)
    acts = [both(a, b) for a, b in zip(one, other, strict=True)]
    words, told, pieces = followed(tmp_path, *acts, *NOTHING)
    assert np.array_equal(words, WORDS)
    assert len({piece.key for piece in pieces}) == 1
    assert [event.kind for event in told] == [EventKind.COPY]


def test_twins_of_many_files_one_after_the_other_are_read_once(tmp_path: Path) -> None:
    acts: list[Callable[[], object]] = []
    for n, part in enumerate(np.array_split(WORDS, 5)):
        one = growing(tmp_path / f"data_{n}.dat", encoded(part, "dat"), 6)
        other = growing(tmp_path / f"data_{n}.txt", encoded(part, "csv"), 6)
        acts += [both(a, b) for a, b in zip(one, other, strict=True)]
        acts += [nothing] * 20
    words, told, _ = followed(tmp_path, *acts)
    assert np.array_equal(words, WORDS)
    assert len(told) == 5


def test_the_twin_that_runs_ahead_is_not_read_twice(tmp_path: Path) -> None:
    dat, txt = encoded(WORDS, "dat"), encoded(WORDS, "csv")
    acts = [
        both(append(tmp_path / "a.dat", b""), append(tmp_path / "a.txt", txt[:20_000])),
        *[nothing] * 15,
        append(tmp_path / "a.dat", dat[: len(dat) // 4]),
        append(tmp_path / "a.txt", txt[20_000:]),
        *[nothing] * 15,
        append(tmp_path / "a.dat", dat[len(dat) // 4 :]),
    ]
    words, told, _ = followed(tmp_path, *acts, *NOTHING)
    assert np.array_equal(words, WORDS)
    assert [(Path(event.where).name, event.kind) for event in told] == [("a.dat", EventKind.COPY)]


def test_a_copy_that_appears_later_is_not_read(tmp_path: Path) -> None:
    acts = [append(tmp_path / "b.csv", encoded(WORDS, "csv")), *[nothing] * 20]
    acts.append(append(tmp_path / "a copy.json", encoded(WORDS, "json")))
    acts.append(append(tmp_path / "b.csv.gz", encoded(WORDS[:3000], "csv.gz")))
    words, told, _ = followed(tmp_path, *acts, *NOTHING)
    assert np.array_equal(words, WORDS)
    assert len(told) == 2


def test_what_only_the_copy_holds_is_read_at_the_end(tmp_path: Path) -> None:
    acts = [
        append(tmp_path / "a.dat", encoded(WORDS[:4000], "dat")),
        append(tmp_path / "b.dat", encoded(WORDS, "dat")),
    ]
    words, told, _ = followed(tmp_path, *acts, *NOTHING)
    assert np.array_equal(words, WORDS)
    assert EventKind.OVERLAP in {event.kind for event in told}


def test_a_log_that_is_copied_and_cut_back_is_read_once(tmp_path: Path) -> None:
    data = encoded(WORDS, "csv")
    log, old = tmp_path / "log.csv", tmp_path / "log.csv.1"
    read, written, rest = data[:60_000], data[:70_000], data[70_000:]

    def rotate() -> None:
        old.write_bytes(written)
        log.write_bytes(b"")

    acts = [append(log, read), *[nothing] * 15, rotate, *[nothing] * 15, append(log, rest)]
    words, told, _ = followed(tmp_path, *acts, *[nothing] * 15)
    assert np.array_equal(np.sort(words), np.sort(WORDS[np.isin(WORDS, words)]))
    assert len(words) >= len(WORDS) - 1  # the row that was cut in two
    assert [event.kind for event in told] == [EventKind.COPY]


def test_runs_that_follow_each_other_are_read_and_nothing_is_told(tmp_path: Path) -> None:
    acts: list[Callable[[], object]] = []
    for n in range(3):
        part = shift_orbits(WORDS, 100_000 * n, 2, 2)
        acts += growing(tmp_path / f"data_{n}.dat", encoded(part, "dat"), 4)
        acts += [nothing] * 15
    words, told, _ = followed(tmp_path, *acts)
    assert len(words) == 3 * len(WORDS)
    assert told == []


def test_files_that_are_short_are_read_in_order(tmp_path: Path) -> None:
    parts = np.array_split(WORDS[:200], 5)
    for n, part in enumerate(parts):
        (tmp_path / f"data_{n}.dat").write_bytes(encoded(part, "dat"))
    words, told, _ = followed(tmp_path, *[nothing] * 40)
    assert np.array_equal(words, WORDS[:200])
    assert told == []


def test_files_begun_by_an_earlier_run_are_read_on_and_their_twins_are_not(tmp_path: Path) -> None:
    dat, txt = encoded(WORDS, "dat"), encoded(WORDS, "csv")
    (tmp_path / "a.txt").write_bytes(txt[:50_000])
    _, _, before = followed(tmp_path, *[nothing] * 15)
    known = {p.key: FilePosition(restart=0, read=p.read, mark=p.mark, ended=False) for p in before}
    (tmp_path / "a.dat").write_bytes(dat)
    words, told, pieces = followed(
        tmp_path, *[nothing] * 15, append(tmp_path / "a.txt", txt[50_000:]), known=known
    )
    assert {piece.key for piece in pieces} == set(known)
    assert np.array_equal(words, WORDS)
    assert [Path(event.where).name for event in told] == ["a.dat"]


def test_boards_that_grow_side_by_side_have_streams_of_their_own(tmp_path: Path) -> None:
    boards = [WORDS[fpga(WORDS, 2) == board] for board in (0, 1)]
    acts: list[Callable[[], object]] = []
    for n in range(2):
        files = [
            growing(
                tmp_path / f"board{b}_{n}.csv", encoded(np.array_split(boards[b], 2)[n], "csv"), 9
            )
            for b in (0, 1)
        ]
        acts += [both(a, b) for a, b in zip(*files, strict=True)]
        acts += [nothing] * 15
    words, told, pieces = followed(tmp_path, *acts)
    assert np.array_equal(np.sort(words), np.sort(WORDS))
    assert told == []
    streams = {Path(piece.name).name: piece.stream for piece in pieces}
    assert streams == {"board0_0.csv": 0, "board0_1.csv": 0, "board1_0.csv": 1, "board1_1.csv": 1}


def test_what_is_no_word_is_read_as_ever(tmp_path: Path) -> None:
    pages = [b"<html>" * 3000, b"<html>" * 3000, b"x"]
    acts = [append(tmp_path / f"{n}.html", page) for n, page in enumerate(pages)]
    _, told, pieces = followed(tmp_path, *acts, *NOTHING)
    assert sum(len(piece.data) for piece in pieces) == 36_001
    assert told == []
