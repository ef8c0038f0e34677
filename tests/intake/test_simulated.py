"""Simulations as sources: the same words again, from any place on."""

import numpy as np
import pytest

from helpers.collected import simulated_run
from muonscope.detector import Detector
from muonscope.errors import StateError
from muonscope.intake.batch import WordBatch
from muonscope.intake.checkpoints import Checkpoints
from muonscope.intake.opening import simulations_in
from muonscope.intake.simulated import SimulatedIntake, SimulatedPosition
from muonscope.words.layout import Words

URL = "sim:quiet?seconds=150&seed=3"
OTHER = "sim:quiet?seconds=1"


def batches(
    detector: Detector, *urls: str, positions: dict[str, SimulatedPosition] | None = None
) -> list[WordBatch]:
    """Return all that simulations give."""
    return list(SimulatedIntake(simulations_in(urls, detector), positions=positions).batches())


def words_of(found: list[WordBatch]) -> Words:
    """Return the words of batches."""
    return np.concatenate([batch.words for batch in found])


def test_the_words_are_those_of_the_simulation(legnaro: Detector) -> None:
    found = batches(legnaro, URL)
    assert np.array_equal(words_of(found), simulated_run("quiet", 150.0, seed=3).words)
    positions = [batch.positions[URL] for batch in found if batch.positions]
    given = np.cumsum([len(batch.words) for batch in found if batch.positions])
    assert [position.bytes_in for position in positions] == (8 * given).tolist()
    assert [position.ended for position in positions] == [False] * (len(positions) - 1) + [True]


def test_the_second_comes_after_the_first(legnaro: Detector) -> None:
    keys = [batch.stream for batch in batches(legnaro, URL, OTHER) if batch.stream]
    assert keys == sorted(keys, key=[URL, OTHER].index)
    assert set(keys) == {URL, OTHER}


@pytest.mark.parametrize("share", [0.0, 0.3, 0.999, 1.0])
def test_it_goes_on_from_any_place(legnaro: Detector, share: float) -> None:
    words = words_of(batches(legnaro, URL))
    taken = int(len(words) * share)
    saved = SimulatedPosition(name=URL, words=taken).as_json()
    rest = batches(legnaro, URL, positions={URL: SimulatedPosition.from_json(saved)})
    assert np.array_equal(words_of(rest), words[taken:])
    assert rest[-2].positions[URL].bytes_in == 8 * len(words)


def test_what_has_ended_is_not_made_again(legnaro: Detector) -> None:
    done = SimulatedPosition(name=URL, words=1, ended=True)
    found = batches(legnaro, URL, OTHER, positions={URL: done})
    assert {batch.stream for batch in found if len(batch.words)} == {OTHER}


def test_it_stops_after_a_batch(legnaro: Detector) -> None:
    seen: list[int] = []
    intake = SimulatedIntake(simulations_in([URL, OTHER], legnaro), stop=lambda: len(seen) == 2)
    seen.extend(len(batch.words) for batch in intake.batches())
    assert len(seen) == 2


def test_a_snapshot_is_asked_for_at_the_end(legnaro: Detector) -> None:
    due = Checkpoints(lambda: 0.0)
    found = list(SimulatedIntake(simulations_in([OTHER], legnaro), checkpoints=due).batches())
    assert [bool(batch.checkpoint) for batch in found] == [False] * (len(found) - 1) + [True]


def test_a_position_in_bytes_is_refused_with_the_way_out() -> None:
    before = {"name": URL, "place": {"restart": 8}, "bytes_in": 8, "decoder": {}, "left": []}
    with pytest.raises(StateError, match=r"earlier version.*another --state folder"):
        SimulatedPosition.from_json(before)
