"""The hostile corpus gives the same words and rejects through every source of bytes."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import pytest

from helpers.hostile import PARQUET, READOUT, STREAMS, Case
from muonscope.detector import shipped_detector
from muonscope.engines.spark.files import Range, decoded_range
from muonscope.intake.batch import WordBatch
from muonscope.intake.opening import open_words
from muonscope.intake.side_by_side import FileEnding, intake_of
from muonscope.transports.files import StreamSource
from muonscope.transports.following import FollowSource
from muonscope.transports.listing import open_file

LEGNARO = shipped_detector("legnaro")
CASES = [*STREAMS, *PARQUET]


class Given(NamedTuple):
    """What a source gave of one file."""

    words: int
    rejects: list[tuple[int, int]]
    error: str


class Ticking:
    now = 0.0

    def __call__(self) -> float:
        self.now += 0.5
        return self.now


def given(batches: Iterable[WordBatch]) -> Given:
    words, rejects, errors = 0, list[tuple[int, int]](), list[str]()
    for batch in batches:
        words += len(batch.words)
        rejects += [(int(reject.code), reject.offset) for reject in batch.rejects]
        errors += [str(batch.error)] if batch.error else []
    return Given(words, rejects, " ".join(errors))


def by_name(path: Path) -> Given:
    return given(open_words([str(path)], LEGNARO).batches())


def as_object(path: Path) -> Given:
    return given(open_words([path.as_uri()], LEGNARO).batches())


def as_standard_input(path: Path) -> Given:
    with path.open("rb", buffering=0) as file:
        return given(intake_of(StreamSource(file, "standard input"), READOUT).batches())


def followed(path: Path) -> Given:
    clock = Ticking()
    source = FollowSource(lambda: [path], clock=clock, wait=lambda _: None, idle_exit_s=3.0)
    return given(intake_of(source, READOUT, ending=FileEnding(grows=True)).batches())


SOURCES = [by_name, as_object, as_standard_input, followed]


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.__name__)
def test_every_case_gives_what_it_must(source: Callable[[Path], Given], tmp_path: Path) -> None:
    for i, case in enumerate(CASES):
        path = tmp_path / f"case_{i}.bin"
        path.write_bytes(case.data)
        assert_as_expected(source(path), case)


def assert_as_expected(found: Given, case: Case) -> None:
    if case.error:
        assert case.error.split(".*")[0] in found.error, case.name
        assert found.words == 0, case.name
        return
    assert found.error == "", case.name
    expected = [(int(code), offset) for code, offset in case.rejects]
    assert (found.words, found.rejects) == (case.words, expected), case.name


def test_workers_of_spark_give_the_same(tmp_path: Path) -> None:
    for i, case in enumerate(STREAMS):
        path = tmp_path / f"case_{i}.bin"
        path.write_bytes(case.data)
        task = Range(str(path), 0, len(case.data))
        decoded = decoded_range(task, open_file, READOUT)
        parts = [part for part, _ in decoded]
        rejects = [(int(r.code), r.offset) for part in parts for r in part.rejects]
        expected = [(int(code), offset) for code, offset in case.rejects]
        assert (sum(len(part.words) for part in parts), rejects) == (case.words, expected), (
            case.name
        )


def test_a_folder_of_all_cases_gives_the_words_of_each(tmp_path: Path) -> None:
    for i, case in enumerate(CASES):
        (tmp_path / f"case_{i:03}.bin").write_bytes(case.data)
    found = given(open_words([str(tmp_path)], LEGNARO, allow_duplicates=True).batches())
    good = [case for case in CASES if not case.error]
    assert found.words == sum(case.words for case in good)
    assert sum(1 for case in CASES if case.error) == found.error.count("parquet: ")
