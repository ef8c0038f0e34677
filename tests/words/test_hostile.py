"""Every case of the hostile corpus gives its words and its rejects, however it comes."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.examples import examples
from helpers.feeding import Outcome, assert_law, cut, feed, from_file, stream
from helpers.hostile import PARQUET, READOUT, ROW_WORD, STREAMS, Case
from muonscope.errors import FormatError, MuonscopeError
from muonscope.words.decode import StreamDecoder

CASES = pytest.mark.parametrize("case", STREAMS, ids=[case.name for case in STREAMS])
SMALL = [case for case in STREAMS if len(case.data) < 4000]


def assert_as_expected(outcome: Outcome, case: Case) -> None:
    """Compare with what the case says."""
    assert [(r.code, r.offset) for r in outcome.rejects] == list(case.rejects)
    assert len(outcome.words) == case.words
    if case.lengths is not None:
        assert [r.length for r in outcome.rejects] == list(case.lengths)


@CASES
def test_a_hostile_stream_gives_its_words_and_rejects(case: Case) -> None:
    decoder = StreamDecoder(READOUT)
    outcome = feed(decoder, [case.data])
    assert_law(decoder, outcome, len(case.data))
    assert_as_expected(outcome, case)
    assert decoder.guess is not None
    assert decoder.guess.format == case.format


@CASES
def test_a_hostile_file_gives_the_same_as_the_stream(case: Case) -> None:
    assert from_file(case.data, READOUT) == stream(case.data, READOUT)
    assert_as_expected(from_file(case.data, READOUT, chunk_bytes=700), case)


@pytest.mark.parametrize("case", SMALL, ids=[case.name for case in SMALL])
def test_a_hostile_stream_may_come_byte_by_byte(case: Case) -> None:
    assert stream(case.data, READOUT, range(len(case.data))) == stream(case.data, READOUT)


@CASES
@examples(8)
@given(data=st.data())
def test_a_hostile_stream_may_come_in_any_pieces(case: Case, data: st.DataObject) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(case.data)), max_size=6))
    assert_as_expected(stream(case.data, READOUT, cuts), case)


@CASES
@examples(8)
@given(data=st.data())
def test_a_hostile_stream_may_be_resumed_anywhere(case: Case, data: st.DataObject) -> None:
    stop = data.draw(st.integers(0, len(case.data)))
    cuts = data.draw(st.lists(st.integers(0, stop), max_size=3))
    first = StreamDecoder(READOUT)
    begun = [first.feed(piece) for piece in cut(case.data[:stop], cuts)]
    second = StreamDecoder(READOUT)
    second.resume(json.loads(json.dumps(first.state())))
    assert second.position == first.position
    rest = feed(second, [case.data[first.restart :]])
    words = [word for part in begun for word in part.words.tolist()]
    rejects = [reject for part in begun for reject in part.rejects]
    assert Outcome(words + rest.words, rejects + rest.rejects) == stream(case.data, READOUT)


@pytest.mark.parametrize("case", PARQUET, ids=[case.name for case in PARQUET])
def test_hostile_parquet_gives_words_and_rejects_or_a_clear_error(case: Case) -> None:
    if case.error:
        with pytest.raises(FormatError, match=case.error):
            from_file(case.data, READOUT)
    else:
        assert_as_expected(from_file(case.data, READOUT), case)


@pytest.mark.parametrize("case", PARQUET, ids=[case.name for case in PARQUET])
def test_parquet_cut_anywhere_is_an_error_and_never_a_crash(case: Case) -> None:
    for size in range(4, len(case.data), max(1, len(case.data) // 50)):
        with pytest.raises(MuonscopeError, match=r"^parquet: "):
            from_file(case.data[:size], READOUT)


def test_names_of_the_corpus_are_unique() -> None:
    names = [case.name for case in STREAMS + PARQUET]
    assert len(set(names)) == len(names)


def test_rows_that_mean_the_same_give_the_same_word() -> None:
    harmless = ("no header", "CRLF", "BOM", "columns in another order", "gzip", "zstd")
    for case in STREAMS:
        if case.name in harmless:
            assert set(stream(case.data, READOUT).words) == {ROW_WORD}, case.name
