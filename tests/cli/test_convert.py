"""``muonscope convert``: between all formats, lossless or not at all."""

from pathlib import Path

import pytest

from helpers.command import Command
from helpers.simulated import simulated_words

WORDS = simulated_words(3000)
FORMATS = ("csv", "json", "dat", "block", "parquet")


@pytest.fixture
def dat(tmp_path: Path) -> Path:
    """Write a small binary file."""
    path = tmp_path / "small.dat"
    path.write_bytes(WORDS.tobytes())
    return path


def names(folder: Path) -> list[str]:
    """Return the names in a folder, hidden ones too."""
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("form", FORMATS)
def test_words_come_back_from_every_format(
    command: Command, dat: Path, tmp_path: Path, form: str
) -> None:
    there = command("convert", dat, tmp_path / "there", "--format", form)
    back = command("convert", tmp_path / "there", tmp_path / "back.dat")
    assert (there.code, back.code) == (0, 0), there.err + back.err
    assert (tmp_path / "back.dat").read_bytes() == WORDS.tobytes()
    assert f"{len(WORDS):,} words written" in there.err


@pytest.mark.parametrize("form", FORMATS)
def test_the_real_sample_comes_back_from_every_format(
    command: Command, sample: Path, tmp_path: Path, form: str
) -> None:
    assert command("convert", sample, tmp_path / "there", "-f", form).code == 0
    assert command("convert", tmp_path / "there", tmp_path / "back.csv").code == 0
    assert (tmp_path / "back.csv").read_bytes().split() == sample.read_bytes().split()


def test_the_real_text_and_binary_are_each_others_conversions(
    command: Command, binary: Path, tmp_path: Path
) -> None:
    text = binary.with_suffix(".txt")
    options = ("-d", "run000591")
    assert command("convert", text, tmp_path / "a.dat", *options).code == 0
    assert command("convert", binary, tmp_path / "a.csv", *options).code == 0
    assert (tmp_path / "a.dat").read_bytes() == binary.read_bytes()
    assert (tmp_path / "a.csv").read_bytes().split() == text.read_bytes().split()


@pytest.mark.parametrize(
    ("name", "begin"),
    [("a.csv", b"HEAD,"), ("a.TXT", b"HEAD,"), ("a.jsonl", b"{"), ("a.json", b"{"),
     ("a.parquet", b"PAR1"), ("a.dat", WORDS[:1].tobytes())],
)  # fmt: skip
def test_the_ending_of_the_destination_names_the_format(
    command: Command, dat: Path, tmp_path: Path, name: str, begin: bytes
) -> None:
    assert command("convert", dat, tmp_path / name).code == 0
    assert (tmp_path / name).read_bytes().startswith(begin)


def test_standard_input_and_output_can_be_used(command: Command, dat: Path) -> None:
    text = command("convert", "-", "-", "--format", "csv", stdin=dat)
    back = command("convert", "-", "-", "--format", "dat", stdin=text.out)
    assert (text.code, back.code) == (0, 0)
    assert back.out == WORDS.tobytes()


def test_a_folder_becomes_one_file(command: Command, tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    for n in (2, 10, 1):
        (run / f"data_{n}").write_bytes(WORDS[n * 100 : n * 100 + 100].tobytes())
    assert command("convert", run, run / "all.dat").code == 0
    whole = b"".join(WORDS[n * 100 : n * 100 + 100].tobytes() for n in (1, 2, 10))
    assert (run / "all.dat").read_bytes() == whole


def test_a_file_can_be_converted_onto_itself(command: Command, dat: Path) -> None:
    assert command("convert", dat, dat, "--force", "--format", "csv").code == 0
    assert dat.read_bytes().startswith(b"HEAD,")
    assert command("convert", dat, dat, "--force", "--format", "dat").code == 0
    assert dat.read_bytes() == WORDS.tobytes()


def test_words_that_text_cannot_hold_are_refused_and_nothing_is_left(
    command: Command, tmp_path: Path
) -> None:
    ancillary = (5 << 61) | (1000 << 24) | 0xFF7C00  # a mask where a number is read
    (tmp_path / "odd.dat").write_bytes(WORDS.tobytes() + ancillary.to_bytes(8, "little"))
    done = command("convert", tmp_path / "odd.dat", tmp_path / "odd.csv")
    assert done.code == 4
    assert "text cannot hold the word" in done.err
    assert "parquet" in done.err
    assert names(tmp_path) == ["odd.dat"]


@pytest.mark.parametrize("content", [b"<html></html>", b"HEAD,FPGA\n1,2\n", b"\0\1\2"])
def test_what_cannot_all_be_decoded_is_refused_and_nothing_is_left(
    command: Command, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "bad").write_bytes(content)
    done = command("convert", tmp_path / "bad", tmp_path / "a.dat")
    assert done.code == 4
    assert "bad" in done.err
    assert names(tmp_path) == ["bad"]


def test_a_word_cut_short_is_refused(command: Command, dat: Path, tmp_path: Path) -> None:
    dat.write_bytes(WORDS.tobytes()[:-1])
    done = command("convert", dat, tmp_path / "a.csv")
    assert done.code == 4
    assert "truncated" in done.err


def test_an_empty_file_becomes_one_without_words(command: Command, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    for form in FORMATS:
        assert command("convert", tmp_path / "empty", tmp_path / form, "-f", form).code == 0
        done = command("convert", tmp_path / form, tmp_path / f"{form}.dat")
        assert done.code == 0, done.err
        assert (tmp_path / f"{form}.dat").read_bytes() == b""


def test_a_destination_that_exists_is_refused_unless_forced(
    command: Command, dat: Path, tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"precious")
    done = command("convert", dat, path)
    assert done.code == 5
    assert "--force" in done.err
    assert path.read_bytes() == b"precious"
    assert command("convert", dat, path, "--force").code == 0
    assert path.read_bytes().startswith(b"HEAD,")


def test_a_refused_conversion_leaves_the_old_destination(command: Command, tmp_path: Path) -> None:
    (tmp_path / "bad").write_bytes(b"<html></html>")
    (tmp_path / "a.csv").write_bytes(b"precious")
    assert command("convert", tmp_path / "bad", tmp_path / "a.csv", "--force").code == 4
    assert (tmp_path / "a.csv").read_bytes() == b"precious"
    assert names(tmp_path) == ["a.csv", "bad"]


def test_a_full_disk_is_an_error(command: Command, dat: Path) -> None:
    done = command("convert", dat, "-", "-f", "dat", stdout=Path("/dev/full"))
    assert done.code == 5
    assert "the disk is full" in done.err
    assert "internal error" not in done.err


@pytest.mark.parametrize(
    ("args", "code", "text"),
    [
        (["small.dat", "a.xml"], 2, "'.xml'"),
        (["small.dat", "a"], 2, "--format"),
        (["small.dat", "-"], 2, "--format"),
        (["small.dat", "a.csv", "-f", "root"], 2, "'root'"),
        (["small.dat", "a.csv", "-d", "atlas"], 2, "atlas"),
        (["missing.dat", "a.csv"], 3, "missing.dat"),
        (["small.dat", "no/folder/a.csv"], 5, "no/folder"),
        (["small.dat", ".", "-f", "csv"], 5, "."),
        (["small.dat"], 2, "DEST"),
    ],
)
def test_errors_have_their_exit_codes_and_name_what_is_wrong(
    command: Command, dat: Path, args: list[str], code: int, text: str
) -> None:
    done = command("convert", *args, cwd=dat.parent)
    assert done.code == code, done.err
    assert text in done.err
    assert "Traceback" not in done.err
    assert "internal error" not in done.err
    assert names(dat.parent) == ["small.dat"]
