"""Words on their way: what is doubtful is told, and nothing at all is refused."""

from pathlib import Path

import numpy as np
import pytest

from helpers.simulated import simulated_words
from muonscope.detector import Detector, shipped_detector
from muonscope.errors import FormatError
from muonscope.events import Event, EventKind
from muonscope.intake.streams import StreamIntake
from muonscope.replaying.convert import convert_words
from muonscope.replaying.options import ConvertOptions, ReplayOptions
from muonscope.replaying.passing import Passing
from muonscope.replaying.replay import _decoded
from muonscope.transports.kafka.options import KafkaOptions
from muonscope.transports.memory import MemorySource
from muonscope.words.layout import pack_hits


def told_of(data: bytes, detector: Detector, chunk: int = 1 << 20) -> list[Event]:
    """Return what is told of words that pass."""
    told = list[Event]()
    passing = Passing(detector, told.append)
    for batch in StreamIntake(MemorySource({"a": data}, chunk), detector.readout).batches():
        passing.take(batch)
    passing.end()
    return told


def test_good_words_pass_in_silence(legnaro: Detector) -> None:
    assert told_of(simulated_words(30_000).tobytes(), legnaro) == []


@pytest.mark.parametrize(("lost", "doubtful"), [(100, True), (99, False)])
def test_unmapped_words_are_told_at_the_end(legnaro: Detector, lost: int, doubtful: bool) -> None:
    words = np.concatenate([simulated_words(9_900), pack_hits(2, 6, np.arange(lost), 1000, 5, 6)])
    told = told_of(words.tobytes(), legnaro)
    assert [event.kind for event in told] == [EventKind.MANY_UNMAPPED] * doubtful


def test_a_long_stretch_of_unmapped_words_is_told_once_and_at_the_end_in_all() -> None:
    data = simulated_words(40_000, detector=shipped_detector("legnaro")).tobytes()
    first, last = told_of(data, shipped_detector("bologna2"), chunk=1 << 16)
    assert first.kind is last.kind is EventKind.MANY_UNMAPPED
    assert first.numbers["of"] < last.numbers["of"] == 40_000
    assert first.detail == last.detail == "legnaro"


def test_rejects_are_told_by_their_part_of_the_bytes(legnaro: Detector) -> None:
    rows = b"2,0,5,%d,12,3\n"
    good = b"".join(rows % (617_000 + n) for n in range(2000))
    (told,) = told_of(good + b"2,0,600,617000,12,3\n" * 100, legnaro)
    assert told.kind is EventKind.MANY_REJECTED
    assert told_of(good + b"2,0,600,617000,12,3\n", legnaro) == []


def test_nothing_decoded_is_an_error(legnaro: Detector) -> None:
    with pytest.raises(FormatError, match="nothing could be decoded; first: a: byte 0"):
        told_of(b"<html>" * 100, legnaro)
    assert told_of(b"", legnaro) == []


def test_a_conversion_tells_of_another_detector(tmp_path: Path, legnaro: Detector) -> None:
    source, told = tmp_path / "a.dat", list[Event]()
    source.write_bytes(simulated_words(2000, detector=legnaro).tobytes())
    options = ConvertOptions(source=str(source), dest=str(tmp_path / "b.csv"), detector="bologna2")
    assert convert_words(options, told.append) == (2000, "csv")
    assert [event.kind for event in told if event.doubtful] == [EventKind.MANY_UNMAPPED]


def test_a_conversion_that_is_refused_names_the_detector_that_reads_it(tmp_path: Path) -> None:
    source = tmp_path / "a.txt"
    source.write_bytes(b"".join(b"1,0,%d,617000,12,0\n" % (n + 1) for n in range(128)))
    options = ConvertOptions(source=str(source), dest=str(tmp_path / "b.csv"))
    with pytest.raises(FormatError, match="detector run000591 reads it: use --detector"):
        convert_words(options, lambda _: None)


def test_a_replay_of_nothing_that_can_be_decoded_is_refused(
    tmp_path: Path, legnaro: Detector
) -> None:
    source, told = tmp_path / "page.html", list[Event]()
    source.write_bytes(b"<html>" * 100)
    options = ReplayOptions(sources=(str(source),), to="kafka://h:1/t")
    with pytest.raises(FormatError, match="nothing could be decoded"):
        list(_decoded(options, legnaro, KafkaOptions(), told.append))
    assert [event.kind for event in told] == [EventKind.LEFT_OUT]
