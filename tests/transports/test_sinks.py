"""The file of results: what exists is not overwritten, a full disk is an error."""

import io
from pathlib import Path

import pytest

from helpers.published import published
from muonscope.errors import SinkError, SinkExistsError
from muonscope.transports.sinks import FileSink


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Name a file that is not there, in a folder that is not there."""
    return tmp_path / "new" / "results.jsonl"


@pytest.fixture
def full_disk(tmp_path: Path) -> Path:
    """Name a file on a disk that has no room."""
    link = tmp_path / "full.jsonl"
    link.symlink_to("/dev/full")
    return link


def test_messages_are_appended_in_order(path: Path) -> None:
    sink = FileSink(path)
    sink.publish(published(b"one\n", b"two\n"))
    sink.publish([])
    sink.publish(published(b"three\n"))
    assert sink.sync() == 14
    sink.close()
    assert path.read_bytes() == b"one\ntwo\nthree\n"


def test_what_is_published_is_in_the_file_before_it_is_closed(path: Path) -> None:
    sink = FileSink(path)
    sink.publish(published(b"one\n"))
    assert path.read_bytes() == b"one\n"
    sink.close()


def test_a_file_that_exists_is_refused_and_left_alone(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"precious")
    with pytest.raises(SinkExistsError, match="--force"):
        FileSink(path)
    assert path.read_bytes() == b"precious"


def test_force_overwrites_the_whole_file(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"a long old content")
    sink = FileSink(path, force=True)
    sink.publish(published(b"new\n"))
    sink.close()
    assert path.read_bytes() == b"new\n"


def test_a_file_that_another_process_writes_is_refused_and_left_alone(path: Path) -> None:
    first = FileSink(path)
    first.publish(published(b"one\n"))
    for options in ({"force": True}, {"resume_at": 0}):
        with pytest.raises(SinkError, match="another process is writing it"):
            FileSink(path, **options)
    assert path.read_bytes() == b"one\n"
    first.close()
    FileSink(path, force=True).close()


def test_resuming_forgets_what_came_after_the_last_commit(path: Path) -> None:
    sink = FileSink(path)
    sink.publish(published(b"one\n"))
    position = sink.sync()
    sink.publish(published(b"lost\n"))
    sink.close()
    resumed = FileSink(path, resume_at=position)
    resumed.publish(published(b"two\n"))
    assert resumed.sync() == 8
    resumed.close()
    assert path.read_bytes() == b"one\ntwo\n"


def test_resuming_needs_no_force(path: Path) -> None:
    FileSink(path).close()
    FileSink(path, resume_at=0, force=True).close()
    FileSink(path, resume_at=0).close()
    assert path.read_bytes() == b""


@pytest.mark.parametrize("content", [b"", b"precious"])
def test_an_empty_file_may_be_taken_where_that_is_allowed(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    if content:
        with pytest.raises(SinkExistsError):
            FileSink(path, empty_ok=True)
        assert path.read_bytes() == content
        return
    sink = FileSink(path, empty_ok=True)
    sink.publish(published(b"one\n"))
    sink.close()
    assert path.read_bytes() == b"one\n"


def test_a_file_shorter_than_the_saved_position_is_refused_and_left_alone(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"12345")
    with pytest.raises(SinkError, match=r"has 5 bytes.*counts on 6"):
        FileSink(path, resume_at=6)
    assert path.read_bytes() == b"12345"


def test_a_missing_file_cannot_be_resumed_in_its_middle(path: Path) -> None:
    with pytest.raises(SinkError, match=str(path)):
        FileSink(path, resume_at=6)


def test_a_full_disk_is_a_clear_error(full_disk: Path) -> None:
    sink = FileSink(full_disk, force=True)
    with pytest.raises(SinkError, match=rf"{full_disk}: cannot be written: the disk is full"):
        sink.publish(published(b"one\n"))
    sink.close()


def test_a_folder_in_place_of_the_file_is_refused(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(SinkError, match="results"):
        FileSink(path, force=True)


@pytest.mark.parametrize("force", [False, True])
def test_a_file_in_place_of_the_folder_is_refused_without_a_word_of_force(
    tmp_path: Path, force: bool
) -> None:
    (tmp_path / "notes.txt").write_text("precious")
    with pytest.raises(SinkError, match=r"notes\.txt") as refused:
        FileSink(tmp_path / "notes.txt" / "windows.jsonl", force=force)
    assert "--force" not in str(refused.value)
    assert (tmp_path / "notes.txt").read_text() == "precious"


def test_a_write_cut_short_by_the_system_is_completed(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = FileSink(path)

    class Stingy(io.FileIO):
        def write(self, data: object) -> int:
            return super().write(bytes(data)[:3])  # type: ignore[call-overload]

    sink.close()
    with Stingy(path, "w") as file:
        monkeypatch.setattr(sink, "_file", file)
        sink.publish(published(b"a message\n", b"another\n"))
    assert path.read_bytes() == b"a message\nanother\n"
