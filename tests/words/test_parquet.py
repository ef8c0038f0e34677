"""Parquet: lossless with the word, readable by others, and read from others."""

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from helpers.examples import examples
from helpers.feeding import feed, from_file, some_words
from muonscope.detector import Detector, Readout
from muonscope.errors import FormatError
from muonscope.simulation.options import Simulation
from muonscope.simulation.profiles import PROFILES
from muonscope.simulation.truth import TruthTables
from muonscope.words.decode import StreamDecoder, decode
from muonscope.words.layout import COLUMNS, Words, unpack
from muonscope.words.parquet import ParquetEncoder, is_truth, read_parquet
from muonscope.words.text import CsvDecoder
from muonscope.words.text_encode import TextEncoder

READOUT = Readout(version=2, hit_head=2)


def written(parts: list[Words], readout: Readout = READOUT) -> bytes:
    """Return a Parquet file with one row group for each part."""
    encoder = ParquetEncoder(readout)
    return b"".join([encoder.begin(), *map(encoder.encode, parts), encoder.end()])


@examples(40)
@given(
    parts=st.lists(st.lists(st.integers(0, 2**64 - 1), max_size=20), max_size=3),
    version=st.sampled_from((1, 2)),
)
def test_every_word_comes_back(parts: list[list[int]], version: int) -> None:
    readout = Readout(version=version, hit_head=version)
    data = written([np.array(part, np.uint64) for part in parts], readout)
    assert from_file(data, readout) == ([word for part in parts for word in part], [])


@pytest.mark.parametrize("columns", [["WORD"], list(COLUMNS), [*COLUMNS, "WORD"]])
def test_the_stream_sample_comes_back_to_the_byte_through_parquet(
    realdata: Path, legnaro: Detector, columns: list[str]
) -> None:
    text = (realdata / "minidt_data_000000_first999rows.csv").read_bytes()
    readout = legnaro.readout
    words = np.array(feed(CsvDecoder(readout), [text]).words, np.uint64)
    table = parquet.read_table(io.BytesIO(written([words[:500], words[500:]], readout)))
    file = io.BytesIO()
    parquet.write_table(table.select(columns), file)
    back = from_file(file.getvalue(), readout)
    assert back.rejects == []
    encoder = TextEncoder(readout)
    assert encoder.begin() + encoder.encode(np.array(back.words, np.uint64)) == text


def test_columns_are_what_the_layout_says() -> None:
    words = np.array([0, 1 << 61, 3 << 61 | 0xFFFFFF, 4 << 61 | 0x51B0, 2**64 - 1], np.uint64)
    table = parquet.read_table(io.BytesIO(written([words])))
    assert table.column_names == [*COLUMNS, "WORD"]
    found = unpack(words, 2, 2)
    columns = (found.head, found.fpga, found.channel, found.orbit, found.bx, found.tdc)
    for name, column in zip(COLUMNS, columns, strict=True):
        np.testing.assert_array_equal(table[name].to_numpy(), column)
    assert table["WORD"].to_pylist() == words.tolist()
    assert table.schema.metadata[b"muonscope"] == b'{"word_version":2}'


def test_a_reject_says_its_row_in_any_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("muonscope.words.parquet._ROWS", 100)
    table = parquet.read_table(io.BytesIO(written([some_words(250)])))
    orbit = table["ORBIT_CNT"].cast(pa.int64()).to_pylist()
    orbit[7], orbit[100], orbit[249] = -1, -1, -1
    place = table.column_names.index("ORBIT_CNT")
    file = io.BytesIO()
    parquet.write_table(table.set_column(place, "ORBIT_CNT", pa.array(orbit)).drop("WORD"), file)
    outcome = from_file(file.getvalue(), READOUT)
    assert [r.offset for r in outcome.rejects] == [7, 100, 249]
    good = [w for i, w in enumerate(some_words(250).tolist()) if i not in (7, 100, 249)]
    assert outcome.words == good


def test_a_text_column_cannot_smuggle_in_rows() -> None:
    columns = {name: pa.array(["2", "2"]) for name in COLUMNS}
    columns["TDC_MEAS"] = pa.array(["5\n2,2,2,2,2,2", "5"])
    file = io.BytesIO()
    parquet.write_table(pa.table(columns), file)
    outcome = from_file(file.getvalue(), READOUT)
    assert len(outcome.words) == 1
    assert [r.offset for r in outcome.rejects] == [0]


def test_parquet_from_a_pipe_is_refused_with_the_reason() -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

    with pytest.raises(FormatError, match="from a file, not from a pipe"):
        list(decode(Pipe(written([some_words(3)])), StreamDecoder(READOUT)))


def test_reading_takes_no_more_than_its_columns() -> None:
    data = written([some_words(1000)])
    parts = list(read_parquet(io.BytesIO(data), READOUT))
    assert sum(len(part.words) for part in parts) == 1000
    assert all(part.words.dtype == np.uint64 for part in parts)


def test_the_truth_of_a_simulation_is_known_and_no_words_are_read_from_it(
    legnaro: Detector,
) -> None:
    tables = TruthTables(Simulation(detector=legnaro, profile=PROFILES["quiet"], seconds=1.0))
    file = io.BytesIO()
    parquet.write_table(tables.faults(), file)
    assert is_truth(file)
    with pytest.raises(FormatError, match="the truth of a simulation, no words"):
        list(read_parquet(file, READOUT))


@pytest.mark.parametrize("data", [b"", b"PAR1", b"PAR1 and no more", written([])])
def test_other_files_are_no_truth(data: bytes) -> None:
    assert not is_truth(io.BytesIO(data))
