"""Files of other kinds are refused by name, whatever their first words look like."""

import bz2
import gzip
import io
import lzma
import pickle
import sqlite3
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import feather

from helpers.cases import case
from helpers.damaged import recorded_words
from helpers.feeding import HEADER, stream
from muonscope.detector import Readout
from muonscope.words.magics import foreign_kind
from muonscope.words.rejects import RejectCode

READOUT = Readout(version=2, hit_head=2)
WORDS = recorded_words(800)
TEXT = HEADER + b"2,0,79,617866,307,27\n" * 300


def written(write: Callable[[io.BytesIO], object]) -> bytes:
    """Return what ``write`` puts into a file."""
    file = io.BytesIO()
    write(file)
    return file.getvalue()


def zipped(name: str, data: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, data)
    return file.getvalue()


def tarred(name: str, data: bytes) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(data)
        archive.addfile(member, io.BytesIO(data))
    return file.getvalue()


def database(folder: Path) -> bytes:
    connection = sqlite3.connect(folder / "hits.db")
    connection.execute("CREATE TABLE hits (head, fpga, channel, orbit, bx, tdc)")
    connection.commit()
    connection.close()
    return (folder / "hits.db").read_bytes()


RAW = WORDS.tobytes()
FOREIGN: dict[str, tuple[bytes, str]] = {
    "npy of words": (written(lambda f: np.save(f, WORDS)), "a NumPy array: save its six columns"),
    "npy of columns": (
        written(lambda f: np.save(f, np.arange(600).reshape(-1, 6))), "tofile",
    ),
    "npz": (written(lambda f: np.savez(f, words=WORDS)), "NumPy arrays (.npz)"),
    **{
        f"pickle {n}": (pickle.dumps(WORDS.tolist(), protocol=n), "a Python pickle")
        for n in range(2, 6)
    },
    "hdf5": (b"\x89HDF\r\n\x1a\n" + RAW, "an HDF5 file"),
    "root": (b"root\0\0\xf2\x0c\0\0\0\x64" + RAW, "a ROOT file"),
    "zip": (zipped("data.dat", RAW), "a zip archive: unpack it"),
    "xlsx": (zipped("[Content_Types].xml", b"<x/>"), "such as .xlsx: export its table as CSV"),
    "ods": (
        zipped("mimetype", b"application/vnd.oasis.opendocument.spreadsheet"), "such as .ods",
    ),
    "xls": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(5000), "such as .xls"),
    "tar": (tarred("data.dat", RAW), "a tar archive: unpack it"),
    "tar.gz": (gzip.compress(tarred("data.csv", TEXT)), "a tar archive: unpack it"),
    "tar.xz": (lzma.compress(tarred("data.csv", TEXT)), "a tar archive: unpack it"),
    "7z": (b"7z\xbc\xaf\x27\x1c" + RAW, "a 7z archive: unpack it"),
    "rar": (b"Rar!\x1a\x07\0" + RAW, "a RAR archive: unpack it"),
    "lz4": (b"\x04\x22\x4d\x18" + RAW, "LZ4 data: unpack it with lz4 -d"),
    "gz.gz": (gzip.compress(gzip.compress(TEXT)), "compressed twice: unpack it once"),
    "bz2.xz": (lzma.compress(bz2.compress(TEXT)), "compressed twice: unpack it once"),
    "pdf": (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n" + RAW, "a PDF document"),
    "pdf of text": (b"%PDF-1.4\n1 0 obj\n" * 400, "a PDF document"),
    "png": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + RAW, "a PNG image"),
    "jpeg": (b"\xff\xd8\xff\xe0\0\x10JFIF" + bytes(range(256)) * 9, "a JPEG image"),
    "gif": (b"GIF89a" + bytes(range(256)) * 9, "a GIF image"),
    "arrow": (
        written(lambda f: feather.write_feather(pa.table({"a": WORDS}), f)), "an Arrow",
    ),
    "elf": (Path(sys.executable).resolve().read_bytes()[:100_000], "a program"),
    **{
        encoding: (TEXT.decode().encode(encoding), "UTF-16 text: save it as UTF-8")
        for encoding in ("utf-16", "utf-16-le", "utf-16-be")
    },
    **{
        encoding: (TEXT.decode().encode(encoding), "UTF-32 text: save it as UTF-8")
        for encoding in ("utf-32", "utf-32-le", "utf-32-be")
    },
}  # fmt: skip


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_foreign_file_is_rejected_whole_with_what_to_do(kind: str) -> None:
    data, told = FOREIGN[kind]
    outcome = stream(data, READOUT, [3, 100])
    assert outcome.words == []
    assert {reject.code for reject in outcome.rejects} == {RejectCode.UNKNOWN_FORMAT}
    assert told in str(outcome.rejects[0])


def test_a_database_is_named(tmp_path: Path) -> None:
    assert foreign_kind(database(tmp_path)).startswith("an SQLite database")


def tables() -> dict[str, bytes]:
    """Return what other programs write: numbers as bytes, none of them words."""
    n = np.arange(3000)
    rows = np.stack([n * 0 + 2, n % 2, n * 7 % 128, 617_000 + n // 3, n * 97 % 3564, 1 + n % 30], 1)
    random = np.random.default_rng(3)
    return {
        "int64": rows.astype("<i8").tobytes(),
        "int32": rows.astype("<i4").tobytes(),
        "int16": rows.astype("<i2").tobytes(),
        "big-endian int64": rows.astype(">i8").tobytes(),
        "float64": rows.astype("<f8").tobytes(),
        "float32": rows.astype("<f4").tobytes(),
        "big-endian words": recorded_words(3000).astype(">u8").tobytes(),
        "times in float64": (n * 89.1e-6 + random.random(3000)).tobytes(),
        "a histogram": random.poisson(3, 3000).astype("<u8").tobytes(),
        "counting numbers": n.astype("<u8").tobytes(),
        "columns one after another": rows.T.astype("<i8").tobytes(),
        "zeros": bytes(10_000),
        "ones": b"\xff" * 10_000,
        "zeros with a few numbers": b"".join(bytes(70) + bytes([i]) for i in range(200)),
        "noise": random.bytes(20_000),
        "a single zero word": bytes(8),
        "a bitmap": b"BM" + bytes([200, 201, 199] * 4000),
        "audio": (np.sin(n / 30) * 20_000).astype("<i2").tobytes(),
    }


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("kind", tables())
def test_numbers_that_are_no_words_are_no_recording(kind: str, version: int) -> None:
    outcome = stream(tables()[kind], Readout(version=version, hit_head=version))
    assert outcome.words == []
    assert {reject.code for reject in outcome.rejects} == {RejectCode.UNKNOWN_FORMAT}
    assert outcome.rejects[0].reason


@pytest.mark.parametrize("name", ["hits_table.npy", "exported_utf16.csv"])
def test_the_cases_of_what_is_not_words(name: str) -> None:
    outcome = stream(case("2-not-words").joinpath(name).read_bytes(), READOUT)
    assert outcome.words == []
    assert ("a NumPy array" if "npy" in name else "UTF-16 text") in outcome.rejects[0].reason
