"""Words are counted once: copies, twins, parts and overlaps, in any format."""

import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.cases import case
from helpers.patience import patience
from helpers.recordings import encoded, read_once, recorded, written
from muonscope.detector import shipped_detector
from muonscope.events import Event, EventKind
from muonscope.intake import looking, survey
from muonscope.intake.file_facts import facts_of
from muonscope.intake.looking import Once
from muonscope.intake.opening import open_bytes
from muonscope.wording import describe
from muonscope.words.layout import Words, pack_ancillary, pack_hits

READOUT = shipped_detector().readout
WORDS = recorded(4000)
FORMATS = [
    "dat",
    "csv",
    "txt",
    "json",
    "block",
    "parquet",
    "dat.gz",
    "csv.gz",
    "json.zst",
    "dat.zst",
]


def kinds(told: list[Event]) -> list[EventKind]:
    """Return the kinds of events."""
    return [event.kind for event in told]


# --- twins and copies ------------------------------------------------------------------------


def test_the_binary_file_of_a_run_and_its_twin_in_text_are_read_once() -> None:
    words, told = read_once(case("1-run-folder") / "run000042")
    assert len(words) == 600
    assert len(told) == 1
    assert describe(told[0]) == (
        "data_000000.txt holds the same words as data_000000.dat: read once;"
        " --allow-duplicates reads both"
    )


@pytest.mark.parametrize("ending", FORMATS)
@pytest.mark.parametrize("first", ["dat", "json", "parquet"])
def test_a_twin_in_any_format_is_read_once(tmp_path: Path, first: str, ending: str) -> None:
    words, told = read_once(written(tmp_path, {f"a.{first}": WORDS, f"b.{ending}": WORDS}))
    assert np.array_equal(words, WORDS)
    assert kinds(told) == [EventKind.COPY]


@pytest.mark.parametrize(
    "name",
    ["run.dat.1", "run.dat.gz", "run.dat.bak", "copy of run.dat", "run (1).dat", "old/run.dat",
     "RUN.DAT", "a.dat", "zz", "run.dat~", "run.dat.gz.1"],
)  # fmt: skip
@pytest.mark.parametrize("ending", ["dat", "csv"])
def test_a_copy_under_any_name_is_read_once(tmp_path: Path, name: str, ending: str) -> None:
    packed = ".gz" if ".gz" in name else ""
    copy = encoded(WORDS, f"{ending}{packed}")
    words, told = read_once(written(tmp_path, {f"run.{ending}": WORDS, name: copy}))
    assert np.array_equal(words, WORDS)
    assert kinds(told) == [EventKind.COPY]
    assert {told[0].where, told[0].detail} == {f"run.{ending}", name}


def test_of_twins_the_plain_binary_one_is_read_and_each_other_is_named(tmp_path: Path) -> None:
    files = {f"a{n}.{ending}": WORDS for n, ending in enumerate(reversed(FORMATS))}
    words, told = read_once(written(tmp_path, files))
    assert np.array_equal(words, WORDS)
    assert {event.detail for event in told} == {"a9.dat"}
    assert {event.where for event in told} == {*files} - {"a9.dat"}


def test_all_is_read_where_duplicates_are_allowed(tmp_path: Path) -> None:
    folder = written(tmp_path, {"a.dat": WORDS, "b.csv": WORDS, "c.dat": WORDS[:500]})
    words, told = read_once(folder, allow_duplicates=True)
    assert (len(words), told) == (8500, [])


def test_of_very_many_copies_only_the_first_are_named(tmp_path: Path) -> None:
    files = {f"data_{n}.dat": WORDS[:100] for n in range(31)}
    words, told = read_once(written(tmp_path, files))
    assert len(words) == 100
    assert kinds(told) == [EventKind.COPY] * 20 + [EventKind.MORE_FILES]
    assert told[-1].numbers == {"files": 10}


# --- damage ------------------------------------------------------------------------------------


def without_last_line(data: bytes) -> bytes:
    return data[: data.rstrip(b"\n").rindex(b"\n") + 1]


def cut_in_the_last_number(data: bytes) -> bytes:
    return data.rstrip(b"\n")[:-1]


def cut_in_the_last_row(data: bytes) -> bytes:
    return data[:-9]


def half(data: bytes) -> bytes:
    return data[: len(data) // 2]


def with_a_bad_row(data: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    lines[len(lines) // 3] = b"2,0,oops\n"
    return b"".join(lines)


def with_a_wrong_row(data: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    lines[len(lines) // 3] = b"2,0,5,1,1,1\n"
    return b"".join(lines)


def without_some_rows(data: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    return b"".join(lines[:1000] + lines[1040:2000] + lines[2003:])


def with_blank_lines(data: bytes) -> bytes:
    return data.replace(b"\n", b"\n\n", 50) + b"\n\n"


def without_header(data: bytes) -> bytes:
    return data[data.index(b"\n") + 1 :]


def with_carriage_returns(data: bytes) -> bytes:
    return data.replace(b"\n", b"\r\n")


def with_a_byte_order_mark(data: bytes) -> bytes:
    return b"\xef\xbb\xbf" + data


def begun_in_a_row(data: bytes) -> bytes:
    return data[data.index(b"\n") + 5 :]


@pytest.mark.parametrize(
    "damage",
    [without_last_line, cut_in_the_last_number, cut_in_the_last_row, half, with_a_bad_row,
     with_a_wrong_row, without_some_rows, with_blank_lines, without_header,
     with_carriage_returns, with_a_byte_order_mark, begun_in_a_row],
)  # fmt: skip
def test_a_damaged_twin_in_text_is_not_read(
    tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    twin = damage(encoded(WORDS, "csv"))
    words, told = read_once(written(tmp_path, {"a.dat": WORDS, "b.txt": twin}))
    assert np.array_equal(words, WORDS)
    assert len(told) == 1
    assert told[0].kind in {EventKind.COPY, EventKind.PART}


@pytest.mark.parametrize("size", [8 * 1500, 8 * 1500 + 3, 8 * 3999])
def test_of_a_cut_file_and_the_whole_one_the_whole_one_is_read(tmp_path: Path, size: int) -> None:
    cut = encoded(WORDS, "dat")[:size]
    words, told = read_once(written(tmp_path, {"a.dat": cut, "b.csv": WORDS}))
    assert np.array_equal(words, WORDS)
    assert kinds(told) == [EventKind.PART]
    assert "a.dat is a part of b.csv" in describe(told[0])


def test_words_that_only_the_file_that_is_not_read_holds_are_told(tmp_path: Path) -> None:
    lines = encoded(WORDS, "csv").splitlines(keepends=True)
    one, other = b"".join(lines[:100] + lines[130:]), b"".join(lines[:3000] + lines[3005:])
    words, told = read_once(written(tmp_path, {"a.csv": one, "b.csv": other}))
    assert len(words) == 3995
    assert told[0].numbers["lost"] == 5
    assert "but for 5 words that are lost" in describe(told[0])


# --- parts and overlaps --------------------------------------------------------------------------


@pytest.mark.parametrize("ending", FORMATS)
@pytest.mark.parametrize("part", [slice(0, 700), slice(1500, 2600), slice(3300, 4000)])
def test_a_part_beside_the_whole_is_not_read(tmp_path: Path, ending: str, part: slice) -> None:
    words, told = read_once(written(tmp_path, {"a.csv": WORDS, f"b.{ending}": WORDS[part]}))
    assert np.array_equal(words, WORDS)
    assert kinds(told) == [EventKind.PART]


@pytest.mark.parametrize("ending", ["dat", "csv", "json", "csv.gz", "dat.zst", "json.gz"])
def test_of_a_file_that_goes_on_from_another_one_only_what_is_new_is_read(
    tmp_path: Path, ending: str
) -> None:
    files = {f"a.{ending}": WORDS[:2500], f"b.{ending}": WORDS[1900:]}
    words, told = read_once(written(tmp_path, files))
    assert np.array_equal(words, WORDS)
    assert kinds(told) == [EventKind.OVERLAP]
    assert told[0].numbers == {"words": 600}


def test_files_that_overlap_are_read_in_the_order_of_their_words(tmp_path: Path) -> None:
    files = {"log": WORDS[2500:], "log.1": WORDS[1000:2600], "log.2": WORDS[:1100]}
    contents = {name: encoded(words, "csv") for name, words in files.items()}
    words, told = read_once(written(tmp_path, contents))
    assert np.array_equal(words, WORDS)
    assert kinds(told) == [EventKind.OVERLAP] * 2


@pytest.mark.parametrize("ending", ["parquet", "block"])
def test_what_can_only_be_read_from_its_start_is_read_twice_and_told(
    tmp_path: Path, ending: str
) -> None:
    files = {"a.dat": WORDS[:2500], f"b.{ending}": WORDS[1900:]}
    words, told = read_once(written(tmp_path, files))
    assert len(words) == 4600
    assert kinds(told) == [EventKind.READ_TWICE]


@pytest.fixture
def no_time_to_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no file be read beyond its ends."""
    monkeypatch.setattr(survey, "LOOK_BYTES", 0)
    monkeypatch.setattr(looking, "_WHOLE_BYTES", 0)


@pytest.mark.usefixtures("no_time_to_look")
@pytest.mark.parametrize(
    ("names", "kind", "times"),
    [
        (("x.dat", "x.csv"), EventKind.COPY, 1),
        (("x.dat", "y.json"), EventKind.COPY, 1),
        (("x.dat", "x.dat.gz"), EventKind.COPY, 1),
        (("x.csv", "x.dat.gz"), EventKind.COPY, 1),
        (("x.dat", "y.dat.gz"), EventKind.PERHAPS_TWICE, 2),
        (("x.dat", "old/x.dat.gz"), EventKind.PERHAPS_TWICE, 2),
    ],
)
def test_twins_that_are_too_long_to_compare_are_known_by_their_ends_or_names(
    tmp_path: Path, names: tuple[str, str], kind: EventKind, times: int
) -> None:
    words, told = read_once(written(tmp_path, dict.fromkeys(names, recorded(40_000))))
    assert len(words) == times * 40_000
    assert kinds(told) == [kind]


@pytest.mark.usefixtures("no_time_to_look")
def test_overlaps_that_are_too_long_to_compare_are_known_by_the_ends(tmp_path: Path) -> None:
    stream = recorded(40_000)
    files = {"data_0.dat": stream[:20_000], "data_1.csv": stream[19_500:]}
    words, told = read_once(written(tmp_path, files))
    assert np.array_equal(words, stream)
    assert kinds(told) == [EventKind.OVERLAP]


@pytest.mark.usefixtures("no_time_to_look")
def test_files_of_the_same_orbits_that_are_too_long_to_compare_are_told(
    tmp_path: Path,
) -> None:
    files = {"run1/a.dat": recorded(40_000), "run2/a.dat": recorded(40_000, 2)}
    words, told = read_once(written(tmp_path, files))
    assert len(words) == 80_000
    assert kinds(told) == [EventKind.UNCOMPARED]


# --- what is no copy ---------------------------------------------------------------------------


@pytest.mark.parametrize("n", [20, 1500, 3000])
def test_two_runs_that_begin_alike_are_both_read(tmp_path: Path, n: int) -> None:
    one = np.concatenate([WORDS[:n], recorded(2000, 2)])
    two = np.concatenate([WORDS[:n], recorded(2000, 3)])
    words, told = read_once(written(tmp_path, {"a.dat": one, "b.dat": two}))
    assert len(words) == 4000 + 2 * n
    assert kinds(told) == [EventKind.ALIKE]
    assert told[0].numbers == {"words": n}


def test_a_longer_run_of_the_same_seed_holds_the_shorter_one(tmp_path: Path) -> None:
    files = {"a.dat": recorded(3000), "b.dat": recorded(9000)}
    words, _ = read_once(written(tmp_path, files))
    assert np.array_equal(words, recorded(9000))


@pytest.mark.parametrize("n", [1, 2, 7])
def test_too_few_words_are_no_proof_and_are_told(tmp_path: Path, n: int) -> None:
    words, told = read_once(written(tmp_path, {"a.csv": WORDS[:n], "b.csv": WORDS[:n]}))
    assert len(words) == 2 * n
    assert kinds(told) == [EventKind.TOO_FEW]


def test_a_word_that_repeats_is_no_proof(tmp_path: Path) -> None:
    same = np.repeat(WORDS[:3], 300)
    words, _ = read_once(written(tmp_path, {"a.csv": same, "b.csv": same}))
    assert len(words) == 1800


def test_eight_different_words_are_proof(tmp_path: Path) -> None:
    few = pack_hits(2, 0, np.arange(8), 1000 + np.arange(8), 5, 3)
    words, told = read_once(written(tmp_path, {"a.csv": few, "b.csv": few}))
    assert (len(words), kinds(told)) == (8, [EventKind.COPY])


def test_files_of_ancillary_words_alone_are_compared_as_well(tmp_path: Path) -> None:
    other = pack_ancillary(3, 0, 5000 + np.arange(300), 77)
    files = {"a.csv": other, "b.json": other, "c.csv": other[100:], "d.csv": WORDS}
    words, told = read_once(written(tmp_path, files))
    assert EventKind.COPY in kinds(told)
    assert len(words) == 4300 + 200  # without hits, nobody looks for a part in the middle


@pytest.mark.parametrize("content", [b"", b"\n", b"HEAD,FPGA\n", b"<html></html>", b"\0" * 800])
def test_files_without_words_disturb_nothing(tmp_path: Path, content: bytes) -> None:
    files: dict[str, Words | bytes] = {"a.x": content, "b.x": content, "c.dat": WORDS}
    words, told = read_once(written(tmp_path, {**files, "d.csv": WORDS}))
    assert np.isin(WORDS, words).all()
    assert EventKind.COPY in kinds(told)


def test_the_files_of_a_run_are_read_in_order_and_nothing_is_told(tmp_path: Path) -> None:
    files = {f"data_{n:06}.dat": recorded(20_000)[n * 2000 : (n + 1) * 2000] for n in range(10)}
    words, told = read_once(written(tmp_path, files))
    assert np.array_equal(words, recorded(20_000))
    assert told == []


def test_a_few_bytes_that_unpack_to_very_many_are_not_unpacked_to_be_compared(
    tmp_path: Path,
) -> None:
    bomb = encoded(np.zeros(1 << 22, np.uint64), "dat.zst")
    folder = written(tmp_path, {"a.dat": WORDS, "b.dat.zst": bomb, "c.dat.zst": bomb})
    assert (folder / "b.dat.zst").stat().st_size < 1 << 14
    told: list[Event] = []
    began = time.monotonic()
    source = open_bytes([str(folder)], once=Once(readout=READOUT, tell=told.append))
    assert time.monotonic() - began < patience(2.0)
    assert source.size() == sum(path.stat().st_size for path in folder.iterdir())


def test_a_file_that_was_begun_is_never_left_out() -> None:
    data = encoded(WORDS, "csv")
    facts = [
        replace(facts_of(name, len(data), data, data, READOUT), stream=stream)
        for name, stream in (("a", None), ("b", 0), ("c", 0))
    ]
    found = survey.arrange(facts, lambda _: [WORDS])
    assert found.streams == (("b", "c"),)
    assert found.left_out == {"a": "b"}


# --- any cuts ------------------------------------------------------------------------------------

GRID = 50
ENDINGS = st.sampled_from(["dat", "csv", "json", "dat.gz", "csv.zst"])
CUTS = st.tuples(st.integers(0, 60), st.integers(1, 60), ENDINGS)


@given(st.lists(CUTS, min_size=1, max_size=7), st.randoms(use_true_random=False))
def test_any_set_of_cuts_of_a_stream_is_read_exactly_once(
    cuts: list[tuple[int, int, str]], random: Random
) -> None:
    stream = recorded(60 * GRID)
    wanted = np.zeros(len(stream), np.bool_)
    files = {}
    names = [f"f{n}" for n in range(len(cuts))]
    random.shuffle(names)
    for name, (begin, length, ending) in zip(names, cuts, strict=True):
        part = slice(begin * GRID, (begin + length) * GRID)
        if len(stream[part]):
            files[f"{name}.{ending}"] = stream[part]
            wanted[part] = True
    if not files:
        return
    with tempfile.TemporaryDirectory() as folder:
        words, _ = read_once(written(Path(folder), files))
    assert np.array_equal(np.sort(words), np.sort(stream[wanted]))
