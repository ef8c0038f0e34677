"""Files as sources while they grow."""

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from helpers.following import FakeTime, follow
from helpers.pieces import NOBODY, append, as_nobody, contents, nothing, places
from muonscope.transports.base import FilePosition
from muonscope.transports.following import FollowSource


def test_a_growing_file_is_read_as_it_grows(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"123")
    pieces = follow(tmp_path, append(path, b"4"), nothing, append(path, b"567"), nothing)
    assert [p.data for p in pieces] == [b"123", b"4", b"567", b""]
    assert [p.read for p in pieces] == [3, 4, 7, 7]
    assert pieces[-1].ended
    assert len({p.key for p in pieces}) == 1


def test_new_files_are_read_when_they_appear(tmp_path: Path) -> None:
    pieces = follow(tmp_path, append(tmp_path / "b", b"bb"), nothing, append(tmp_path / "c", b"cc"))
    assert contents(pieces) == [b"bb", b"cc"]


def test_a_file_is_ended_when_a_later_one_is_there_and_it_is_quiet(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"aa")
    pieces = follow(tmp_path, append(tmp_path / "b", b"bb"), *[nothing] * 20)
    ended = [(Path(p.name).name, p.data) for p in pieces if p.ended]
    assert ended == [("a", b""), ("b", b"")]


def test_each_file_is_ended_once(tmp_path: Path) -> None:
    happenings = [append(tmp_path / f"data_{n}", b"x" * n) for n in range(1, 30)]
    pieces = follow(tmp_path, *happenings, idle_exit_s=6.0)
    ended = [p.key for p in pieces if p.ended]
    assert len(ended) == len(set(ended)) == 29
    assert contents(pieces) == [b"x" * n for n in range(1, 30)]


def test_rotation_by_rename_loses_nothing_and_repeats_nothing(tmp_path: Path) -> None:
    current = tmp_path / "zz.dat"
    current.write_bytes(b"first")

    def rotate() -> None:
        append(current, b" last words")()
        current.rename(tmp_path / "data_1.dat")
        current.write_bytes(b"second")

    pieces = follow(tmp_path, nothing, rotate, nothing, append(current, b" more"))
    assert contents(pieces) == [b"first last words", b"second more"]


def test_a_truncated_file_is_a_new_one(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"0123456789")

    def truncate() -> None:
        path.write_bytes(b"abc")

    pieces = follow(tmp_path, truncate, append(path, b"def"))
    assert contents(pieces) == [b"0123456789", b"abcdef"]


def test_a_file_replaced_by_a_longer_one_at_the_same_inode_is_a_new_one(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"0123456789")
    inode = path.stat().st_ino

    def replace() -> None:
        path.write_bytes(b"abcdefghijklmnop")
        assert path.stat().st_ino == inode

    assert contents(follow(tmp_path, nothing, replace)) == [b"0123456789", b"abcdefghijklmnop"]


def test_a_file_that_vanishes_while_followed_is_ended_and_the_others_go_on(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"aa")
    (tmp_path / "b").write_bytes(b"bb")
    pieces = follow(tmp_path, (tmp_path / "a").unlink, append(tmp_path / "b", b"b"))
    assert contents(pieces) == [b"aa", b"bbb"]
    assert sum(p.ended for p in pieces) == 2
    assert not any(p.error for p in pieces)


def test_a_folder_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    def list_files() -> list[Path]:
        return sorted(tmp_path.glob("run/*"))

    fake = FakeTime(nothing, (tmp_path / "run").mkdir, append(tmp_path / "run/a", b"aa"))
    source = FollowSource(list_files, clock=fake.clock, wait=fake.wait, idle_exit_s=2.0)
    assert contents([p for p in source.pieces() if not p.idle]) == [b"aa"]


def test_a_refused_file_is_told_of_once_and_read_when_it_is_allowed(public: Path) -> None:
    (public / "a").write_bytes(b"aa")
    (public / "a").chmod(0o600)
    (public / "b").write_bytes(b"bb")

    def allow() -> None:
        os.seteuid(0 if os.getuid() == 0 else os.geteuid())
        (public / "a").chmod(0o644)
        if os.getuid() == 0:
            os.seteuid(NOBODY)

    with as_nobody():
        pieces = follow([public / "a", public / "b"], nothing, nothing, allow)
    assert [str(p.error) for p in pieces if p.error] == [f"{public / 'a'}: permission denied"]
    assert contents(pieces) == [b"bb", b"aa"]


def test_following_stops_after_the_idle_time_and_not_before(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"1")
    fake = FakeTime()
    start = fake.now
    source = FollowSource(lambda: [path], clock=fake.clock, wait=fake.wait, idle_exit_s=7.0)
    source.poll_s = 0.5
    signs = sum(piece.idle for piece in source.pieces())
    assert fake.now - start == pytest.approx(7.0, abs=0.51)
    assert signs == pytest.approx(14, abs=1)


def test_data_puts_the_idle_time_off(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"1")
    happenings = [append(path, b"x") if n % 10 == 9 else nothing for n in range(100)]
    assert contents(follow(tmp_path, *happenings, idle_exit_s=2.5)) == [b"1" + b"x" * 10]


def test_following_goes_on_where_it_stopped(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"0123456789")
    before = follow(tmp_path)
    known = places(before)
    append(tmp_path / "b", b"ab")()
    after = follow(tmp_path, append(tmp_path / "a", b"cd"), known=known)
    got = {Path(p.name).name: b"" for p in after}
    for piece in after:
        got[Path(piece.name).name] += piece.data
    assert got == {"a": b"cd", "b": b"ab"}
    assert {p.key for p in after} == {p.key for p in before}


def test_a_stream_whose_decoder_must_begin_again_is_read_from_its_restart(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"0123456789")
    before = follow(tmp_path)
    known = {
        key: FilePosition(restart=0, read=p.read, mark=p.mark, ended=False)
        for key, p in places(before).items()
    }
    after = follow(tmp_path, append(path, b"ab"), known=known)
    assert contents(after) == [b"0123456789ab"]


def test_many_arbitrary_pieces_of_many_files_all_arrive_once(tmp_path: Path) -> None:
    rng = random.Random(3)
    wanted = {f"data_{n}": rng.randbytes(rng.randint(0, 300)) for n in range(8)}
    happenings: list[Callable[[], object]] = []
    for name, data in wanted.items():
        at = 0
        while at < len(data):
            size = rng.choice([1, 3, 7, 8, 50])
            happenings.append(append(tmp_path / name, data[at : at + size]))
            at += size
    pieces = follow(tmp_path, *happenings)
    got = {name: b"" for name, data in wanted.items()}
    for piece in pieces:
        got[Path(piece.name).name] += piece.data
    assert got == wanted


LONG = bytes(range(256)) * 2


@pytest.mark.parametrize("more", [b"", b"and more of it" * 60])
def test_a_file_truncated_and_written_anew_while_it_is_followed_is_read_from_its_start(
    tmp_path: Path, more: bytes
) -> None:
    path = tmp_path / "a"
    path.write_bytes(LONG)
    anew = LONG[:100] + b"another run" + more
    pieces = follow(tmp_path, nothing, lambda: path.write_bytes(anew), append(path, b"!"), nothing)
    assert contents(pieces) == [LONG, anew + b"!"]
