"""Objects of S3, from a server that speaks its language."""

import gzip
import os
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import boto3
import numpy as np
import pytest
from moto.server import ThreadedMotoServer

from helpers.recordings import encoded, read_once, recorded
from muonscope.detector import shipped_detector
from muonscope.errors import OptionError, SourceDeniedError, SourceError, SourceNotFoundError
from muonscope.intake.file_facts import END_BYTES
from muonscope.intake.looking import Once
from muonscope.intake.opening import open_bytes
from muonscope.transports.base import FilePosition, Piece
from muonscope.transports.listing import listed_files
from muonscope.transports.objects import ObjectSource, is_object_url
from muonscope.words.layout import fpga

SECRET = "wJalrXUtnFEMI-very-secret"
BUCKET = "minidt"
OBJECTS = {
    "run1/data_10.dat": b"ten",
    "run1/data_9.dat": b"nine!",
    "run1/data_100.txt": b"hundred",
    "run2/a.gz": gzip.compress(b"packed"),
    "run2/empty": b"",
}


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Run a store with some objects; give its URL."""
    s3fs = pytest.importorskip("s3fs")
    moto = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    moto.start()
    host, port = moto.get_host_and_port()
    url = f"http://{host}:{port}"
    with pytest.MonkeyPatch.context() as patch:
        for name in [n for n in os.environ if n.startswith("AWS_")]:
            patch.delenv(name)
        patch.setenv("AWS_ENDPOINT_URL", url)
        patch.setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
        patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_CONFIG_FILE", "/nonexistent")
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
        client = boto3.client("s3")
        client.create_bucket(Bucket=BUCKET)
        for name, data in OBJECTS.items():
            client.put_object(Bucket=BUCKET, Key=name, Body=data)
        client.create_bucket(Bucket="empty-bucket")
        client.close()
        yield url
        s3fs.S3FileSystem.clear_instance_cache()
    moto.stop()


def contents(pieces: list[Piece]) -> dict[str, bytes]:
    """Return the bytes of each object, in order."""
    assert [piece.error for piece in pieces if piece.error] == []
    got: dict[str, bytes] = {}
    for piece in pieces:
        got[piece.name] = got.get(piece.name, b"") + piece.data
    return got


@pytest.mark.parametrize("url", ["s3://minidt/run1", "s3://minidt/run1/", "s3://minidt/run1/*"])
def test_all_objects_of_a_prefix_are_read_in_natural_order(server: str, url: str) -> None:
    source = ObjectSource([url])
    got = contents(list(source.pieces()))
    assert list(got.values()) == [b"nine!", b"ten", b"hundred"]
    assert [Path(name).name for name in got] == ["data_9.dat", "data_10.dat", "data_100.txt"]
    assert source.size() == 15


def test_a_glob_one_object_or_a_whole_bucket_can_be_named(server: str) -> None:
    assert list(contents(list(ObjectSource(["s3://minidt/run1/*.dat"]).pieces())).values()) == [
        b"nine!", b"ten",
    ]  # fmt: skip
    one = contents(list(ObjectSource(["s3://minidt/run1/data_10.dat"]).pieces()))
    assert list(one.values()) == [b"ten"]
    assert len(contents(list(ObjectSource(["s3://minidt"]).pieces()))) == len(OBJECTS)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("s3://odd/run[1]/data[1].dat", [b"1"]), ("s3://odd/run[1]/*.dat", [b"1"]),
        ("s3://odd/run[1]", [b"1"]), ("s3://odd/what?.dat", [b"3"]),
        ("s3://odd/run[0-9]/*", [b"2"]), ("s3://odd/run?/data?.dat", [b"2"]),
    ],
)  # fmt: skip
def test_keys_with_letters_of_patterns_are_read_as_they_are_written(
    server: str, url: str, expected: list[bytes]
) -> None:
    client = boto3.client("s3")
    client.create_bucket(Bucket="odd")
    for key, data in (
        ("run[1]/data[1].dat", b"1"), ("run1/data1.dat", b"2"), ("what?.dat", b"3"),
        ("whats.dat", b"4"),
    ):  # fmt: skip
        client.put_object(Bucket="odd", Key=key, Body=data)
    client.close()
    assert list(contents(list(ObjectSource([url]).pieces())).values()) == expected
    files, (address_of, opener) = listed_files([url])
    names = [end.name for end in files.ends(0)]
    assert [opener(address_of(name)).read() for name in names] == expected


def test_several_urls_keep_their_order(server: str) -> None:
    urls = ["s3://minidt/run2", "s3://minidt/run1/data_9.dat"]
    got = contents(list(ObjectSource(urls).pieces()))
    assert [name.rsplit("/", 1)[-1] for name in got] == ["a.gz", "empty", "data_9.dat"]


def test_each_object_ends_once(server: str) -> None:
    pieces = list(ObjectSource(["s3://minidt"]).pieces())
    ended = [piece.key for piece in pieces if piece.ended]
    assert len(ended) == len(set(ended)) == len(OBJECTS)


def test_big_objects_come_in_pieces(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("muonscope.transports.objects.CHUNK_BYTES", 1000)
    data = os.urandom(2500)
    client = boto3.client("s3")
    client.create_bucket(Bucket="big")
    client.put_object(Bucket="big", Key="a", Body=data)
    client.close()
    pieces = [piece for piece in ObjectSource(["s3://big"]).pieces() if piece.data]
    assert [piece.read for piece in pieces] == [1000, 2000, 2500]
    assert b"".join(piece.data for piece in pieces) == data


def test_reading_goes_on_where_it_stopped(server: str) -> None:
    pieces = list(ObjectSource(["s3://minidt/run1"]).pieces())
    known = {
        p.key: FilePosition(restart=p.read, read=p.read, mark=p.mark, ended=True)
        for p in pieces
        if p.ended and not p.name.endswith("txt")
    }
    (rest,) = [p for p in pieces if p.ended and p.name.endswith("txt")]
    known[rest.key] = FilePosition(restart=3, read=5, mark=0, ended=False)
    again = contents(list(ObjectSource(["s3://minidt/run1"], known=known).pieces()))
    assert list(again.values()) == [b"dred"]


@pytest.mark.parametrize(
    "url", ["s3://no-such-bucket", "s3://no-such-bucket/a/b", "s3://minidt/nothing",
            "s3://minidt/nothing/*.dat", "s3://empty-bucket"],
)  # fmt: skip
def test_what_is_missing_is_not_found_and_named(server: str, url: str) -> None:
    with pytest.raises(SourceNotFoundError, match="no") as missing:
        ObjectSource([url])
    assert str(missing.value).startswith(url)
    assert SECRET not in str(missing.value)


def test_refused_access_is_denied_and_the_secret_is_not_told(server: str) -> None:
    s3fs = pytest.importorskip("s3fs")
    s3fs.S3FileSystem.clear_instance_cache()
    _requests_without_a_check(server, 0)
    try:
        with pytest.raises(SourceDeniedError) as denied:
            ObjectSource(["s3://minidt/run1"])
    finally:
        _requests_without_a_check(server, 10**9)
        s3fs.S3FileSystem.clear_instance_cache()
    assert str(denied.value).startswith("s3://minidt/run1: the store refuses access")
    assert SECRET not in str(denied.value)


def _requests_without_a_check(server: str, number: int) -> None:
    """Make the server check the credentials of all requests after ``number``."""
    request = urllib.request.Request(
        f"{server}/moto-api/reset-auth",
        data=str(number).encode(),
        headers={"Content-Type": "text/plain"},
        method="POST",
    )
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 200


def test_a_store_that_does_not_answer_is_an_error_and_the_secret_is_not_told(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3fs = pytest.importorskip("s3fs")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setattr(s3fs.S3FileSystem, "retries", 1)
    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(SourceError) as failed:
        ObjectSource(["s3://minidt/run1"])
    s3fs.S3FileSystem.clear_instance_cache()
    assert str(failed.value).startswith("s3://minidt/run1: ")
    assert SECRET not in str(failed.value)


def test_an_object_that_vanishes_is_an_error_and_the_others_are_read(server: str) -> None:
    client = boto3.client("s3")
    client.create_bucket(Bucket="vanishing")
    for name in "abc":
        client.put_object(Bucket="vanishing", Key=name, Body=name.encode())
    source = ObjectSource(["s3://vanishing"])
    client.delete_object(Bucket="vanishing", Key="b")
    client.close()
    pieces = list(source.pieces())
    errors = [piece.error for piece in pieces if piece.error]
    assert [type(error) for error in errors] == [SourceNotFoundError]
    assert "vanishing/b" in str(errors[0])
    assert b"".join(piece.data for piece in pieces) == b"ac"


def test_an_unknown_scheme_is_an_option_error() -> None:
    with pytest.raises(OptionError, match="nothing://a"):
        ObjectSource(["nothing://a"])


@pytest.mark.parametrize(
    ("source", "answer"),
    [("s3://bucket/prefix", True), ("gs://bucket", True), ("run/data.dat", False), ("-", False),
     ("C:/data", False), ("sim://legnaro", False), ("kafka://host/topic", False)],
)  # fmt: skip
def test_urls_of_objects_are_told_from_files(source: str, answer: bool) -> None:
    assert is_object_url(source) is answer


def test_a_run_over_objects_gives_what_files_give(server: str, realdata: Path) -> None:
    import muonscope

    data = (realdata / "minidt_data_000000_first999rows.csv").read_bytes()
    client = boto3.client("s3")
    client.create_bucket(Bucket="recorded")
    client.put_object(Bucket="recorded", Key="data_0.csv.gz", Body=gzip.compress(data))
    client.close()
    total = muonscope.open("s3://recorded").summarise().total()
    assert total.hits_per_chamber.tolist() == [80, 171, 103, 143]


def test_words_that_several_objects_hold_are_read_once(server: str) -> None:
    words = recorded(4000)
    boards = [words[fpga(words, 2) == board] for board in (0, 1)]
    put(
        "twins",
        {
            "run/a.dat": encoded(words, "dat"), "run/a.txt": encoded(words, "csv"),
            "run/a.dat.gz": encoded(words, "dat.gz"), "run/a.parquet": encoded(words, "parquet"),
            "run/b.json": encoded(words[:900], "json"),
            "log/1.csv": encoded(words[:2500], "csv"), "log/2.csv": encoded(words[1900:], "csv"),
            "boards/0.csv": encoded(boards[0], "csv"), "boards/1.csv": encoded(boards[1], "csv"),
        },
    )  # fmt: skip
    read, told = read_once("s3://twins/run")
    assert np.array_equal(read, words)
    assert {event.where for event in told} == {"a.txt", "a.dat.gz", "a.parquet", "b.json"}
    assert np.array_equal(read_once("s3://twins/log")[0], words)
    assert len(read_once("s3://twins/run", allow_duplicates=True)[0]) == 16_900
    once = Once(readout=shipped_detector().readout)
    streams = {p.name: p.stream for p in open_bytes(["s3://twins/boards"], once=once).pieces()}
    assert streams == {"twins/boards/0.csv": 0, "twins/boards/1.csv": 1}


def test_of_many_objects_only_the_ends_are_read_to_survey_them(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    s3fs = pytest.importorskip("s3fs")
    words = recorded(60_000)
    put(
        "many", {f"data_{n}.dat": encoded(part, "dat") for n, part in enumerate(np.split(words, 3))}
    )
    asked: list[int] = []
    cat_file = s3fs.S3FileSystem._cat_file

    async def counted(self: object, path: str, start: int, end: int, **more: object) -> object:
        asked.append(end - start)
        return await cat_file(self, path, start=start, end=end, **more)

    monkeypatch.setattr(s3fs.S3FileSystem, "_cat_file", counted)
    monkeypatch.setattr(ObjectSource, "open", None)  # nothing is read but the ends
    open_bytes(["s3://many"], once=Once(readout=shipped_detector().readout))
    assert asked == [END_BYTES] * 6


def put(bucket: str, objects: dict[str, bytes]) -> None:
    """Make a bucket with some objects."""
    client = boto3.client("s3")
    client.create_bucket(Bucket=bucket)
    for name, data in objects.items():
        client.put_object(Bucket=bucket, Key=name, Body=data)
    client.close()
