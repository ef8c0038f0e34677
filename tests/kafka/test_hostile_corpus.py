"""The hostile corpus replayed to a topic: what decodes is sent, all else is told or refused."""

from pathlib import Path

import numpy as np
import pytest

import muonscope
from helpers.hostile import PARQUET, STREAMS
from helpers.kafka_topics import Topic
from muonscope.errors import FormatError


def test_a_replay_sends_just_the_words_of_all_cases(topic: Topic, tmp_path: Path) -> None:
    for i, case in enumerate(case for case in [*STREAMS, *PARQUET] if not case.error):
        (tmp_path / f"case_{i:03}.bin").write_bytes(case.data)
    sent = muonscope.replay(tmp_path, topic.stream, max=True, allow_duplicates=True)
    assert sent.words == sum(case.words for case in [*STREAMS, *PARQUET])
    expected = muonscope.open(tmp_path, allow_duplicates=True)
    with pytest.warns(UserWarning, match="could not be decoded"):
        words = expected.words()
    assert np.array_equal(muonscope.open(topic.stream).words(), words)


def test_a_replay_refuses_what_is_no_stream(topic: Topic, tmp_path: Path) -> None:
    for i, case in enumerate(case for case in PARQUET if case.error):
        path = tmp_path / f"case_{i}.bin"
        path.write_bytes(case.data)
        with pytest.raises(FormatError, match=case.error):
            muonscope.replay(path, topic.stream, max=True)
