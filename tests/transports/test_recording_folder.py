"""Folders that fill like a DAQ's: names, sizes, and nobody else's files."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from helpers.simulated import simulated_words
from muonscope.detector import shipped_detector
from muonscope.errors import SinkError, SinkExistsError
from muonscope.transports.recording_folder import FILE_WORDS, RecordingFolder
from muonscope.transports.writing import write_all
from muonscope.words.binary import DatEncoder
from muonscope.words.codec import Encoder
from muonscope.words.text_encode import TextEncoder

WORDS = simulated_words(1000)


def folder(path: Path, *, file_words: int = 400, force: bool = False) -> RecordingFolder:
    return RecordingFolder(path, ".dat", DatEncoder, force=force, file_words=file_words)


def names(path: Path) -> list[str]:
    return sorted(p.name for p in path.iterdir())


@pytest.mark.parametrize("sizes", [[1000], [1] * 1000, [399, 2, 599], [0, 400, 600]])
def test_files_hold_so_many_words_however_they_come(tmp_path: Path, sizes: list[int]) -> None:
    recording = folder(tmp_path / "run")
    for part in np.split(WORDS, np.cumsum(sizes)[:-1]):
        recording.write(part)
    recording.close()
    assert names(tmp_path / "run") == ["data_000000.dat", "data_000001.dat", "data_000002.dat"]
    parts = [np.fromfile(tmp_path / "run" / name, "<u8") for name in names(tmp_path / "run")]
    assert [len(part) for part in parts] == [400, 400, 200]
    assert np.array_equal(np.concatenate(parts), WORDS)


def test_words_can_be_read_as_soon_as_they_are_written(tmp_path: Path) -> None:
    recording = folder(tmp_path)
    recording.write(WORDS[:10])
    assert (tmp_path / "data_000000.dat").stat().st_size == 80
    recording.close()


def test_files_of_a_daq_have_1310720_words() -> None:
    assert FILE_WORDS == 10_240 * 128


def test_every_text_file_has_its_header(tmp_path: Path) -> None:
    readout = shipped_detector().readout
    new: Callable[[], Encoder] = lambda: TextEncoder(readout)  # noqa: E731
    recording = RecordingFolder(tmp_path, ".csv", new, file_words=600)
    recording.write(WORDS)
    recording.close()
    for name, rows in (("data_000000.csv", 600), ("data_000001.csv", 400)):
        lines = (tmp_path / name).read_text().splitlines()
        assert lines[0].startswith("HEAD,FPGA")
        assert len(lines) == rows + 1


def test_nothing_written_no_file(tmp_path: Path) -> None:
    folder(tmp_path / "run").close()
    assert names(tmp_path / "run") == []


def test_recordings_that_are_there_are_refused_or_replaced(tmp_path: Path) -> None:
    first = folder(tmp_path)
    first.write(WORDS)
    first.close()
    for other in ("notes.txt", "data_1.dat", "data_000007.csv"):
        (tmp_path / other).write_text("mine")
    with pytest.raises(SinkExistsError, match=r"data_000000\.dat: exists already"):
        folder(tmp_path)
    second = folder(tmp_path, force=True)
    second.write(WORDS[:5])
    second.close()
    assert names(tmp_path) == ["data_000000.dat", "data_000007.csv", "data_1.dat", "notes.txt"]
    assert (tmp_path / "data_000000.dat").stat().st_size == 40


def test_two_cannot_write_one_folder(tmp_path: Path) -> None:
    first = folder(tmp_path)
    with pytest.raises(SinkError, match="another process is writing it"):
        folder(tmp_path, force=True)
    first.write(WORDS)
    first.close()
    folder(tmp_path, force=True).close()


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")
    with pytest.raises(SinkError, match="is a file; expected a folder"):
        folder(tmp_path / "run")


def test_what_is_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "data_000000.dat").mkdir()
    with pytest.raises(SinkError, match=r"data_000000\.dat: cannot be written: Is a directory"):
        folder(tmp_path, force=True)


class Slow(io.RawIOBase):
    """A file that takes three bytes at a time, and then no more."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room, self.data = room, b""

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        assert isinstance(data, memoryview)
        taken = min(3, self.room - len(self.data), len(data))
        if taken == 0:
            raise OSError(28, "No space left on device")
        self.data += bytes(data[:taken])
        return taken


def test_a_write_in_parts_loses_nothing() -> None:
    slow = Slow(100)
    write_all(slow, b"all of these bytes")
    assert slow.data == b"all of these bytes"
    with pytest.raises(OSError, match="No space"):
        write_all(Slow(5), b"all of these bytes")
