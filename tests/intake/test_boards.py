"""Files of boards and part files run side by side; everything else is one stream."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from helpers.cases import case
from helpers.recordings import encoded, recorded, written
from muonscope.detector import shipped_detector
from muonscope.intake.looking import Once
from muonscope.intake.opening import open_bytes
from muonscope.transports.base import ByteSource, Piece
from muonscope.words.layout import Words, fpga, orbit, pack_ancillary, shift_orbits

READOUT = shipped_detector().readout
WORDS = recorded(12_000)
BOARDS = [WORDS[fpga(WORDS, 2) == board] for board in (0, 1)]


def source_of(folder: Path) -> ByteSource:
    return open_bytes([str(folder)], once=Once(readout=READOUT))


def streams_in(folder: Path) -> list[list[str]]:
    """Return the names of the files of each stream."""
    streams: dict[int, list[str]] = {}
    for piece in source_of(folder).pieces():
        if piece.ended:
            streams.setdefault(piece.stream, []).append(str(Path(piece.name).relative_to(folder)))
    assert sorted(streams) == list(range(len(streams)))
    return [streams[number] for number in sorted(streams)]


def cut(words: Words, n: int) -> Sequence[Words]:
    return np.array_split(words, n)


def test_the_files_of_two_boards_run_side_by_side() -> None:
    folder = case("8-two-boards") / "run000043"
    assert streams_in(folder) == [["board0_000000.csv"], ["board1_000000.csv"]]


@pytest.mark.parametrize("ending", ["csv", "dat", "json", "parquet", "csv.gz"])
@pytest.mark.parametrize("pattern", ["board{b}_{k:06}", "b{b}/data_{k:06}", "{k:06}_board{b}"])
def test_each_board_has_a_sequence_of_files(tmp_path: Path, ending: str, pattern: str) -> None:
    names = [[f"{pattern.format(b=b, k=k)}.{ending}" for k in range(3)] for b in (0, 1)]
    files = {names[b][k]: cut(BOARDS[b], 3)[k] for b in (0, 1) for k in range(3)}
    assert streams_in(written(tmp_path, files)) == names


def test_a_board_that_ends_early_keeps_its_stream(tmp_path: Path) -> None:
    early = BOARDS[0][:500]
    files = {"b0_0.dat": early[:250], "b0_1.dat": early[250:]}
    files |= {f"b1_{k}.dat": cut(BOARDS[1], 4)[k] for k in range(4)}
    assert streams_in(written(tmp_path, files)) == [
        ["b0_0.dat", "b0_1.dat"], ["b1_0.dat", "b1_1.dat", "b1_2.dat", "b1_3.dat"],
    ]  # fmt: skip


def test_boards_follow_a_run_of_both_in_one_file(tmp_path: Path) -> None:
    later = [shift_orbits(words, 10**7, 2, 2) for words in BOARDS]
    files = {"a.dat": WORDS, "b0.dat": later[0], "b1.dat": later[1]}
    assert streams_in(written(tmp_path, files)) == [["a.dat", "b0.dat"], ["b1.dat"]]


def test_boards_with_a_stale_buffer_run_side_by_side(tmp_path: Path) -> None:
    files = {
        f"b{b}_{k}.dat": words
        for b in (0, 1)
        for k, words in enumerate(
            cut(np.concatenate([shift_orbits(BOARDS[b][:900], 3 * 10**9, 2, 2), BOARDS[b]]), 2)
        )
    }
    assert streams_in(written(tmp_path, files)) == [
        ["b0_0.dat", "b0_1.dat"],
        ["b1_0.dat", "b1_1.dat"],
    ]


def test_boards_that_follow_each_other_in_time_are_one_stream(tmp_path: Path) -> None:
    files = {"b0.dat": BOARDS[0], "b1.dat": shift_orbits(BOARDS[1], 10**7, 2, 2)}
    assert streams_in(written(tmp_path, files)) == [["b0.dat", "b1.dat"]]


def test_copies_of_the_files_of_boards_are_left_out(tmp_path: Path) -> None:
    files = {f"b{b}.{ending}": BOARDS[b] for b in (0, 1) for ending in ("csv", "dat")}
    assert streams_in(written(tmp_path, files)) == [["b0.dat"], ["b1.dat"]]


PARTS = [
    "part-{:05}.csv",
    "part-{:05}-0c9e-c000.snappy.parquet",
    "part.{}.parquet",
    "part-r-{:05}.dat",
]


@pytest.mark.parametrize("pattern", PARTS)
def test_part_files_that_overlap_run_side_by_side(tmp_path: Path, pattern: str) -> None:
    names = [pattern.format(n) for n in range(4)]
    contents = {name: WORDS[n::4] for n, name in enumerate(names)}
    assert streams_in(parts(tmp_path, contents)) == [[name] for name in names]


@pytest.mark.parametrize("pattern", PARTS)
def test_part_files_that_follow_each_other_are_one_stream(tmp_path: Path, pattern: str) -> None:
    names = [pattern.format(n) for n in range(4)]
    contents = dict(zip(names, cut(WORDS, 4), strict=True))
    assert streams_in(parts(tmp_path, contents)) == [names]


def parts(folder: Path, contents: dict[str, Words]) -> Path:
    files = {name: encoded(words, name.rpartition(".")[2]) for name, words in contents.items()}
    return written(folder, files)


def test_part_files_by_hash_of_the_orbit_run_side_by_side(tmp_path: Path) -> None:
    owner = (orbit(WORDS) * 2654435761 >> 7) % 3
    contents = {f"part-{n:05}.csv": WORDS[owner == n] for n in range(3)}
    assert len(streams_in(parts(tmp_path, contents))) == 3


def test_part_files_of_two_jobs_follow_each_other(tmp_path: Path) -> None:
    later = shift_orbits(WORDS, 10**7, 2, 2)
    contents = {f"day1/part-{n:05}.csv": WORDS[n::2] for n in range(2)}
    contents |= {f"day2/part-{n:05}.csv": later[n::2] for n in range(2)}
    assert streams_in(parts(tmp_path, contents)) == [
        ["day1/part-00000.csv", "day2/part-00000.csv"],
        ["day1/part-00001.csv", "day2/part-00001.csv"],
    ]


@pytest.mark.parametrize(
    "second",
    [shift_orbits(WORDS, 5_000_000, 2, 2), shift_orbits(WORDS, -900_000, 2, 2), recorded(12_000, 2),
     pack_ancillary(3, 1, 1_000_000 + np.arange(500), 7), np.empty(0, np.uint64)],
    ids=["later", "reset", "another run at the same orbits", "no hits", "empty"],
)  # fmt: skip
def test_where_nothing_says_otherwise_files_are_one_stream(tmp_path: Path, second: Words) -> None:
    assert streams_in(written(tmp_path, {"a.dat": WORDS, "b.csv": second})) == [["a.dat", "b.csv"]]


# --- holding back ----------------------------------------------------------------------------


def test_streams_that_are_held_wait_and_the_others_go_on(tmp_path: Path) -> None:
    source = source_of(written(tmp_path, {"b0.dat": BOARDS[0], "b1.dat": BOARDS[1]}))
    pieces = source.pieces()
    source.hold({0})
    assert next(pieces).stream == 1
    source.hold({0, 1})
    assert next(pieces).idle
    source.hold({1})
    first = next(pieces)
    assert (first.stream, first.idle) == (0, False)
    source.hold({})
    rest = [first, *pieces]
    assert {piece.stream for piece in rest} == {0, 1}
    assert sum(len(piece.data) for piece in rest) == 8 * len(BOARDS[0])


def test_what_is_held_back_is_given_later(tmp_path: Path) -> None:
    source = source_of(written(tmp_path, {"b0.dat": BOARDS[0], "b1.dat": BOARDS[1]}))
    got: list[Piece] = []
    for n, piece in enumerate(source.pieces()):
        got.append(piece)
        source.hold({n % 2} if n < 20 else {})
    data = {number: b"".join(p.data for p in got if p.stream == number) for number in (0, 1)}
    assert data == {0: BOARDS[0].tobytes(), 1: BOARDS[1].tobytes()}
