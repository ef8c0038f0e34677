"""Taking streams in: pieces to words, whatever the pieces, ends that are none, restarts."""

import gzip
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import zstandard

from helpers.damaged import recorded_words
from helpers.simulated import simulated_words
from muonscope.detector import Detector
from muonscope.errors import SourceError
from muonscope.intake.checkpoints import Checkpoints
from muonscope.intake.streams import StreamIntake, StreamPosition
from muonscope.transports.base import Piece
from muonscope.transports.files import FileSource
from muonscope.transports.following import FollowSource
from muonscope.transports.memory import MemorySource
from muonscope.words.layout import Words
from muonscope.words.parquet import ParquetEncoder
from muonscope.words.text_encode import TextEncoder

WORDS = simulated_words(3000)
EVER = Checkpoints(time.monotonic)


def words_of(intake: StreamIntake) -> Words:
    """Return all words; fail on any error."""
    batches = list(intake.batches())
    assert [b.error for b in batches if b.error] == []
    return np.concatenate([b.words for b in batches])


def encoded(form: str, detector: Detector) -> bytes:
    """Return the words in a form."""
    if form == "parquet":
        encoder = ParquetEncoder(detector.readout)
        return encoder.begin() + encoder.encode(WORDS) + encoder.end()
    text = TextEncoder(detector.readout)
    match form:
        case "csv":
            return text.begin() + text.encode(WORDS)
        case "gzip":
            return gzip.compress(text.begin() + text.encode(WORDS))
        case "zstd":
            return zstandard.compress(WORDS.tobytes())
        case _:
            return WORDS.tobytes()


@pytest.mark.parametrize("form", ["csv", "gzip", "zstd", "dat", "parquet"])
@pytest.mark.parametrize("chunk", [3, 1000, 1 << 20])
def test_words_do_not_depend_on_the_pieces(legnaro: Detector, form: str, chunk: int) -> None:
    data = encoded(form, legnaro)
    source = MemorySource({"a": data, "b": b""}, chunk)
    assert np.array_equal(words_of(StreamIntake(source, legnaro.readout)), WORDS)


def test_streams_that_take_turns_do_not_mix(legnaro: Detector) -> None:
    half = len(WORDS) // 2
    text = TextEncoder(legnaro.readout)
    streams = {"a": WORDS[:half].tobytes(), "b": text.begin() + text.encode(WORDS[half:])}

    class Alternating:
        def pieces(self) -> Iterator[Piece]:
            for at in range(0, max(map(len, streams.values())), 1001):
                for name, data in streams.items():
                    if at < len(data):
                        part = data[at : at + 1001]
                        yield Piece(key=name, name=name, data=part, read=at + len(part))
            for name, data in streams.items():
                yield Piece(key=name, name=name, read=len(data), ended=True)

        def hold(self, streams: Collection[int]) -> None:
            pass

        def size(self) -> None:
            return None

    got: dict[str, list[Words]] = {"a": [], "b": []}
    for batch in StreamIntake(Alternating(), legnaro.readout).batches():
        if batch.stream:
            got[batch.stream].append(batch.words)
    assert np.array_equal(np.concatenate(got["a"]), WORDS[:half])
    assert np.array_equal(np.concatenate(got["b"]), WORDS[half:])


def test_rejects_name_their_stream(legnaro: Detector) -> None:
    source = MemorySource({"good": WORDS.tobytes(), "bad": WORDS.tobytes() + b"123"})
    batches = list(StreamIntake(source, legnaro.readout).batches())
    (reject,) = [r for b in batches for r in b.rejects]
    assert (reject.where, reject.offset, reject.length) == ("bad", 8 * len(WORDS), 3)


def test_bytes_in_are_those_after_decompression(legnaro: Detector) -> None:
    batches = list(
        StreamIntake(MemorySource({"a": encoded("gzip", legnaro)}), legnaro.readout).batches()
    )
    assert batches[-1].positions["a"].bytes_in == len(encoded("csv", legnaro))


@pytest.mark.parametrize("form", ["csv", "gzip", "zstd", "dat", "parquet"])
def test_going_on_after_any_batch_gives_the_rest(
    legnaro: Detector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.setattr("muonscope.transports.files.CHUNK_BYTES", 5000)
    path = tmp_path / "a"
    path.write_bytes(encoded(form, legnaro))
    batches = list(StreamIntake(FileSource([path]), legnaro.readout).batches())
    before = 0
    for batch in batches:
        before += len(batch.words)
        if not batch.positions:
            continue  # no state is saved here
        saved = {
            key: StreamPosition.from_json(position.as_json())
            for key, position in batch.positions.items()
        }
        source = FileSource([path], known={key: value.file for key, value in saved.items()})
        rest = [b.words for b in StreamIntake(source, legnaro.readout, positions=saved).batches()]
        assert np.array_equal(np.concatenate([WORDS[:before], *rest]), WORDS)


@pytest.mark.parametrize("form", ["csv", "gzip", "zstd", "dat"])
def test_a_file_that_grows_after_it_was_taken_for_ended_loses_nothing(
    legnaro: Detector, tmp_path: Path, form: str
) -> None:
    data = encoded(form, legnaro)
    cut = len(data) // 2 | 1
    first, second = tmp_path / "a", tmp_path / "b"
    first.write_bytes(data[:cut])
    second.write_bytes(b"")
    now, waits = first.stat().st_mtime, 0

    def wait(seconds: float) -> None:
        nonlocal now, waits
        now, waits = now + seconds, waits + 1
        if waits == 15:  # 3 s without a change, and a later file is there
            with first.open("ab") as file:
                file.write(data[cut:])

    source = FollowSource(lambda: [first, second], clock=lambda: now, wait=wait, idle_exit_s=5.0)
    assert np.array_equal(words_of(StreamIntake(source, legnaro.readout, grows=True)), WORDS)


def test_an_intake_that_is_told_to_stop_stops_after_a_piece(legnaro: Detector) -> None:
    seen: list[int] = []
    source = MemorySource({"a": WORDS.tobytes()}, 800)
    intake = StreamIntake(source, legnaro.readout, stop=lambda: len(seen) >= 3, checkpoints=EVER)
    seen.extend(len(batch.words) for batch in intake.batches())
    assert len(seen) in (3, 4)


def test_an_intake_that_is_told_to_stop_decodes_what_it_has_read(legnaro: Detector) -> None:
    source = MemorySource({"a": WORDS[:100].tobytes()}, 400)
    taken = iter([False, True])
    intake = StreamIntake(source, legnaro.readout, stop=lambda: next(taken))
    assert np.array_equal(words_of(intake), WORDS[:100])


def test_what_was_read_before_an_error_is_decoded(legnaro: Detector) -> None:
    class Breaking:
        def pieces(self) -> Iterator[Piece]:
            yield Piece(key="a", name="a", data=WORDS[:100].tobytes(), read=800)
            yield Piece(key="a", name="a", error=SourceError("a: it broke"))

        def hold(self, streams: Collection[int]) -> None:
            pass

        def size(self) -> None:
            return None

    batches = list(StreamIntake(Breaking(), legnaro.readout).batches())
    assert np.array_equal(np.concatenate([b.words for b in batches]), WORDS[:100])
    assert [str(b.error) for b in batches if b.error] == ["a: it broke"]


def test_a_file_that_was_ended_while_its_format_was_unknown_may_grow(legnaro: Detector) -> None:
    text = encoded("csv", legnaro)

    class Growing:
        def pieces(self) -> Iterator[Piece]:
            yield Piece(key="a", name="a", data=text[:2], read=2)
            yield Piece(key="a", name="a", read=2, ended=True)
            yield Piece(key="b", name="b", data=WORDS[:50].tobytes(), read=400)
            yield Piece(key="a", name="a", data=text[2:], read=len(text))
            yield Piece(key="a", name="a", read=len(text), ended=True)

        def hold(self, streams: Collection[int]) -> None:
            pass

        def size(self) -> None:
            return None

    batches = list(StreamIntake(Growing(), legnaro.readout, grows=True).batches())
    mine = [b.words for b in batches if b.stream == "a"]
    assert np.array_equal(np.concatenate(mine), WORDS)


@pytest.mark.parametrize("size", [8 * 20, 8 * 20 + 5, 8 * 600, 8 * 600 + 3])
@pytest.mark.parametrize("grows", [True, False])
def test_words_that_waited_at_an_end_are_given_once(
    legnaro: Detector, size: int, grows: bool
) -> None:
    """Binary words wait for those that follow; at an end they do not, and it may be none."""
    data = recorded_words(1500).tobytes()

    class Growing:
        def pieces(self) -> Iterator[Piece]:
            yield Piece(key="a", name="a", data=data[:size], read=size)
            yield Piece(key="a", name="a", read=size, ended=True)
            yield Piece(key="b", name="b", data=WORDS[:50].tobytes(), read=400)

        def hold(self, streams: Collection[int]) -> None:
            pass

        def size(self) -> None:
            return None

    class Grown(Growing):
        def pieces(self) -> Iterator[Piece]:
            if grows:
                yield from super().pieces()
            yield Piece(key="a", name="a", data=data[begin:], read=len(data))
            yield Piece(key="a", name="a", read=len(data), ended=True)

    begin, known = size, cast("dict[str, StreamPosition]", {})
    given: list[int] = []
    if not grows:
        for batch in StreamIntake(Growing(), legnaro.readout).batches():
            given += batch.words.tolist() if batch.stream == "a" else []
            known |= {key: cast("StreamPosition", p) for key, p in batch.positions.items()}
        begin = known["a"].file.restart
    for batch in StreamIntake(Grown(), legnaro.readout, positions=known, grows=grows).batches():
        given += batch.words.tolist() if batch.stream == "a" else []
    assert given == np.frombuffer(data, "<u8").tolist()


def test_a_damaged_parquet_file_is_an_error_and_all_its_bytes_are_rejected(
    legnaro: Detector,
) -> None:
    data = encoded("parquet", legnaro)[:-10]
    source = MemorySource({"bad": data, "good": WORDS.tobytes()})
    batches = list(StreamIntake(source, legnaro.readout).batches())
    errors = [str(b.error) for b in batches if b.error]
    assert len(errors) == 1
    assert "bad" in errors[0]
    assert sum(r.length for b in batches for r in b.rejects) == len(data)
    assert np.array_equal(np.concatenate([b.words for b in batches]), WORDS)
