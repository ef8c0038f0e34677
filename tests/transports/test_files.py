"""Files as sources: which ones and in what order, read once."""

import os
import random
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO, Self

import pytest
from pyarrow import parquet

import muonscope
from helpers.pieces import append, as_nobody, contents, places
from muonscope.detector import shipped_detector
from muonscope.errors import SourceDeniedError, SourceError, SourceNotFoundError
from muonscope.transports import files as files_module
from muonscope.transports.base import FilePosition
from muonscope.transports.files import FileSource, StreamSource, find_files, natural_key
from muonscope.words.parquet import ParquetEncoder


def names(found: Sequence[Path]) -> list[str]:
    """Return the last parts of paths."""
    return [path.name for path in found]


# --- which files, in what order ------------------------------------------------------------


def test_numbers_in_names_are_sorted_by_value(tmp_path: Path) -> None:
    wanted = ["a.dat", "data_1.dat", "data_2.dat", "data_10.dat", "data_10.txt", "data_100.dat"]
    for name in random.Random(1).sample(wanted, len(wanted)):
        (tmp_path / name).touch()
    assert names(find_files([str(tmp_path)])) == wanted
    assert names(find_files([str(tmp_path / "*")])) == wanted


def test_the_order_does_not_depend_on_the_file_system() -> None:
    twins = ["d1", "d01", "d001", "d2"]
    assert sorted(sorted(twins), key=natural_key) == sorted(
        sorted(twins, reverse=True), key=natural_key
    )


def test_names_of_all_kinds_can_be_compared() -> None:
    strange = ["1", "a", "", "1a", "a1", "/", "9" * 250, "²", "٣", "a\udcff", "d-1", "d 1"]
    ordered = sorted(strange, key=natural_key)
    ordered.reverse()
    assert sorted(ordered, key=natural_key) == ordered[::-1]


def test_subfolders_are_searched(tmp_path: Path) -> None:
    for name in ("run10/a", "run9/b", "run9/deep/c"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert names(find_files([str(tmp_path)])) == ["b", "c", "a"]


def test_hidden_files_and_folders_are_left_out(tmp_path: Path) -> None:
    (tmp_path / ".hidden").mkdir()
    for name in (".part", ".hidden/a", "shown"):
        (tmp_path / name).touch()
    assert names(find_files([str(tmp_path)])) == ["shown"]
    assert names(find_files([str(tmp_path / "*")])) == ["shown"]
    assert names(find_files([str(tmp_path / ".part")])) == [".part"]


@pytest.mark.parametrize("pattern", ["*.dat", "**/*.dat", "[ab].dat", "?.dat"])
def test_globs_find_files(tmp_path: Path, pattern: str) -> None:
    for name in ("a.dat", "b.dat", "c.txt"):
        (tmp_path / name).touch()
    assert names(find_files([str(tmp_path / pattern)])) == ["a.dat", "b.dat"]


def test_globs_give_files_and_no_folders(tmp_path: Path) -> None:
    (tmp_path / "d.dat").mkdir()
    (tmp_path / "e.dat").touch()
    assert names(find_files([str(tmp_path / "*.dat")])) == ["e.dat"]


def test_a_file_whose_name_looks_like_a_glob_is_that_file(tmp_path: Path) -> None:
    for name in ("a[1].dat", "a1.dat"):
        (tmp_path / name).touch()
    assert names(find_files([str(tmp_path / "a[1].dat")])) == ["a[1].dat"]


def test_sources_keep_their_order_and_nothing_is_found_twice(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).touch()
    found = find_files([str(tmp_path / "c"), str(tmp_path), str(tmp_path / "a")])
    assert names(found) == ["c", "a", "b"]


@pytest.mark.parametrize("source", ["nothing", "nothing/", "no*thing", "a/b"])
def test_a_source_that_names_nothing_is_an_error_that_names_it(tmp_path: Path, source: str) -> None:
    (tmp_path / "a").touch()
    with pytest.raises(SourceNotFoundError, match=r"no such file|no file matches") as missing:
        find_files([f"{tmp_path}/{source}"])
    assert source in str(missing.value)


def test_an_empty_folder_has_no_files(tmp_path: Path) -> None:
    assert find_files([str(tmp_path)]) == []


def test_a_file_that_vanishes_while_a_folder_is_listed_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).touch()
    stat = Path.stat

    def vanishing(path: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        result = stat(path, follow_symlinks=follow_symlinks)
        if path.name == "b":
            path.unlink()
        return result

    monkeypatch.setattr(Path, "stat", vanishing)
    assert names(find_files([str(tmp_path)])) in (["a", "c"], ["a", "b", "c"])


def test_a_name_that_is_too_long_is_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="too long"):
        find_files([str(tmp_path / ("a" * 5000))])


@pytest.mark.parametrize("way", ["out.jsonl", "./out.jsonl", "sub/../out.jsonl", "link/out.jsonl"])
def test_what_is_excluded_is_left_out_however_it_is_named(tmp_path: Path, way: str) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "link").symlink_to(tmp_path)
    for name in ("a.csv", "out.jsonl"):
        (tmp_path / name).touch()
    found = find_files([str(tmp_path)], exclude=[Path(f"{tmp_path}/{way}")])
    assert names(found) == ["a.csv"]


def test_what_is_excluded_is_left_out_of_relative_sources(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.csv", "out.jsonl"):
        Path(name).touch()
    assert names(find_files(["."], exclude=[tmp_path / "out.jsonl"])) == ["a.csv"]
    assert names(find_files(["*"], exclude=[Path("out.jsonl")])) == ["a.csv"]


def test_an_unreadable_folder_is_denied_and_not_taken_for_empty(public: Path) -> None:
    secret = public / "secret"
    secret.mkdir()
    (secret / "a.dat").touch()
    secret.chmod(0)
    with as_nobody(), pytest.raises(SourceDeniedError, match="secret"):
        find_files([str(secret)])
    with as_nobody(), pytest.raises(SourceDeniedError, match="secret"):
        find_files([str(public)])


def test_a_file_below_an_unreadable_folder_is_denied(public: Path) -> None:
    secret = public / "secret"
    secret.mkdir(mode=0o700)
    (secret / "a.dat").touch()
    with as_nobody(), pytest.raises(SourceDeniedError, match="secret"):
        find_files([str(secret / "a.dat")])


# --- files that are there ------------------------------------------------------------------


def test_each_file_is_read_to_its_end_and_ended(tmp_path: Path) -> None:
    for name, data in (("a", b"12345"), ("b", b""), ("c", b"678")):
        (tmp_path / name).write_bytes(data)
    source = FileSource(find_files([str(tmp_path)]))
    pieces = list(source.pieces())
    assert contents(pieces) == [b"12345", b"", b"678"]
    assert [Path(p.name).name for p in pieces if p.ended] == ["a", "b", "c"]
    assert source.size() == 8


def test_long_files_come_in_pieces_that_say_how_far(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files_module, "CHUNK_BYTES", 100)
    data = random.Random(2).randbytes(250)
    (tmp_path / "a").write_bytes(data)
    pieces = list(FileSource([tmp_path / "a"]).pieces())
    assert [len(p.data) for p in pieces] == [100, 100, 50, 0]
    assert [p.read for p in pieces] == [100, 200, 250, 250]
    assert contents(pieces) == [data]
    assert len({p.mark & 0xFFFFFFFF for p in pieces}) == 1


def test_a_file_that_vanishes_before_its_turn_is_an_error_and_the_others_are_read(
    tmp_path: Path,
) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).write_bytes(name.encode())
    found = find_files([str(tmp_path)])
    source = FileSource(found)
    (tmp_path / "b").unlink()
    assert source.size() == 2
    pieces = list(source.pieces())
    errors = [p.error for p in pieces if p.error]
    assert contents(pieces) == [b"a", b"c"]
    assert len(errors) == 1
    assert isinstance(errors[0], SourceNotFoundError)
    assert str(errors[0]) == f"{tmp_path / 'b'}: vanished before it was read to its end"


def test_a_file_without_permission_is_an_error_and_the_others_are_read(public: Path) -> None:
    for name in ("a", "b", "c"):
        (public / name).write_bytes(name.encode())
    (public / "b").chmod(0o600)
    with as_nobody():
        pieces = list(FileSource(find_files([str(public)])).pieces())
    errors = [p.error for p in pieces if p.error]
    assert contents(pieces) == [b"a", b"c"]
    assert [type(e) for e in errors] == [SourceDeniedError]
    assert str(errors[0]) == f"{public / 'b'}: permission denied"


def test_a_disk_that_fails_in_the_middle_is_an_error_after_what_was_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(b"x" * 100)
    (tmp_path / "b").write_bytes(b"fine")
    monkeypatch.setattr(files_module, "CHUNK_BYTES", 60)
    opened = Path.open

    class Failing:
        def __init__(self, file: BinaryIO) -> None:
            self._file, self._reads = file, 0

        def __getattr__(self, name: str) -> object:
            return getattr(self._file, name)

        def __enter__(self) -> Self:
            return self

        def __exit__(self, *args: object) -> None:
            self._file.close()

        def read(self, size: int) -> bytes:
            self._reads += 1
            if self._reads > 2:
                raise OSError(5, "Input/output error")
            return self._file.read(size)

    def failing(path: Path, mode: str) -> object:
        file = opened(path, mode)
        return Failing(file) if path.name == "a" else file  # type: ignore[arg-type]

    monkeypatch.setattr(Path, "open", failing)
    pieces = list(FileSource([tmp_path / "a", tmp_path / "b"]).pieces())
    assert contents(pieces) == [b"x" * 60, b"fine"]
    assert [str(p.error) for p in pieces if p.error] == [f"{tmp_path / 'a'}: Input/output error"]


@pytest.mark.parametrize("kind", ["symlink", "hard link"])
def test_a_file_with_two_names_is_read_once(tmp_path: Path, kind: str) -> None:
    (tmp_path / "data_1").write_bytes(b"12345678")
    if kind == "symlink":
        (tmp_path / "latest").symlink_to("data_1")
    else:
        (tmp_path / "latest").hardlink_to(tmp_path / "data_1")
    pieces = list(FileSource(find_files([str(tmp_path)])).pieces())
    assert b"".join(p.data for p in pieces) == b"12345678"


def test_reading_goes_on_where_it_stopped(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"0123456789")
    piece = next(FileSource([path]).pieces())
    known = {piece.key: FilePosition(restart=4, read=6, mark=zlib.crc32(b"012345"), ended=False)}
    again = list(FileSource([path], known=known).pieces())
    assert b"".join(p.data for p in again) == b"456789"
    assert {p.key for p in again} == {piece.key}
    assert again[-1].read == 10


def test_a_file_read_to_its_end_before_is_left_out_until_it_grows(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"0123456789")
    before = list(FileSource([path]).pieces())
    known = places(before, ended=True)
    assert list(FileSource([path], known=known).pieces()) == []
    append(path, b"ab")()
    after = list(FileSource([path], known=known).pieces())
    assert contents(after) == [b"ab"]
    assert after[0].key == before[0].key


def test_a_file_is_the_same_after_a_rename(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"0123456789")
    known = places(list(FileSource([tmp_path / "a"]).pieces()), ended=True)
    (tmp_path / "a").rename(tmp_path / "b")
    assert list(FileSource([tmp_path / "b"], known=known).pieces()) == []


@pytest.mark.parametrize("content", [b"012", b"9876543210", b"9876543210abcdef", b""])
def test_a_file_that_shrank_or_was_replaced_is_another_one(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"0123456789")
    before = list(FileSource([path]).pieces())
    path.write_bytes(content)  # the same inode
    after = list(FileSource([path], known=places(before, ended=True)).pieces())
    assert contents(after) == [content]
    assert after[0].key != before[0].key


LONG = bytes(range(256)) * 2


@pytest.mark.parametrize("content", [LONG[:300] + b"!" * 300, LONG[:450], LONG[:64] + bytes(1000)])
def test_a_file_that_was_written_anew_with_the_same_beginning_is_another_one(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "a"
    path.write_bytes(LONG)
    before = list(FileSource([path]).pieces())
    path.write_bytes(content)  # the same inode, and the same first 64 bytes
    after = list(FileSource([path], known=places(before, ended=True)).pieces())
    assert contents(after) == [content]
    assert after[0].key != before[0].key


def test_a_file_that_was_marked_by_its_first_bytes_alone_is_known_again(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(LONG)
    (first, _) = FileSource([path]).pieces()
    old = FilePosition(restart=500, read=500, mark=zlib.crc32(LONG[:64]), ended=False)
    again = list(FileSource([path], known={first.key: old}).pieces())
    assert b"".join(piece.data for piece in again) == LONG[500:]


@pytest.mark.parametrize("name", ["data[1].dat", "run[1]/a", "what?.dat", "a*b.dat", "[x]/[y]/[z]"])
def test_names_with_letters_of_patterns_are_read_as_they_are_written(
    tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"1")
    (tmp_path / "data1.dat").write_bytes(b"another")
    assert find_files([str(path)]) == [path]
    assert path in find_files([str(path.parent / "*")])
    assert find_files([str(tmp_path / "data[0-9].dat")]) == [tmp_path / "data1.dat"]


# --- standard input ------------------------------------------------------------------------


def test_a_pipe_is_read_to_its_end() -> None:
    read, write = os.pipe()
    with os.fdopen(read, "rb") as file, os.fdopen(write, "wb", buffering=0) as other:
        pieces = StreamSource(file, "standard input").pieces()
        other.write(b"abc")
        assert next(pieces).data == b"abc"
        other.write(b"de")
        assert next(pieces).data == b"de"
        other.close()
        last = next(pieces)
        assert (last.data, last.read, last.ended) == (b"", 5, True)
        assert list(pieces) == []


def test_a_silent_pipe_gives_signs_of_life() -> None:
    read, write = os.pipe()
    with os.fdopen(read, "rb") as file, os.fdopen(write, "wb", buffering=0) as other:
        pieces = StreamSource(file, "standard input", poll_s=0.001).pieces()
        assert [next(pieces).idle for _ in range(3)] == [True] * 3
        other.write(b"abc")
        assert next(pieces).data == b"abc"


def test_a_stream_that_cannot_be_read_is_an_error() -> None:
    with _Directory(os.open("/", os.O_RDONLY)) as file:
        pieces = list(StreamSource(file, "standard input").pieces())  # type: ignore[arg-type]
    assert [str(p.error) for p in pieces if p.error] == ["standard input: Is a directory"]


class _Directory:
    """An open folder where a file is expected, as `muonscope process - < /` gives."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        os.close(self._descriptor)

    def fileno(self) -> int:
        return self._descriptor


def test_the_truth_of_a_simulation_is_left_out_of_folders_and_globs(tmp_path: Path) -> None:
    truth = muonscope.simulate(seconds=0.1).truth
    parquet.write_table(truth, tmp_path / "truth.parquet")
    words = ParquetEncoder(shipped_detector().readout)
    (tmp_path / "run.parquet").write_bytes(words.begin() + words.end())
    (tmp_path / "broken.parquet").write_bytes(b"PAR1")
    wanted = ["broken.parquet", "run.parquet"]
    for source in (tmp_path, tmp_path / "*.parquet"):
        assert sorted(path.name for path in find_files([str(source)])) == wanted
    assert find_files([str(tmp_path / "truth.parquet")]) == [tmp_path / "truth.parquet"]
    parquet.write_table(truth, tmp_path / "run.parquet")  # another one of the same name
    assert [path.name for path in find_files([str(tmp_path)])] == ["broken.parquet"]
