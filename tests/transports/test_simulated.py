"""Simulations as sources: the same bytes again, from any place on."""

import numpy as np
import pytest

from muonscope.detector import Detector
from muonscope.simulation.options import simulation_of, split_url
from muonscope.transports.base import Piece, Place
from muonscope.transports.simulated import SimulatedSource
from muonscope.words.binary import BlockDecoder
from simulation.collected import simulated_run

URL = "sim:quiet?seconds=150&seed=3"
OTHER = "sim:quiet?seconds=1"


def pieces(detector: Detector, *urls: str, known: dict[str, Place] | None = None) -> list[Piece]:
    simulations = [(url, simulation_of(*split_url(url), detector)) for url in urls]
    return list(SimulatedSource(simulations, known=known).pieces())


def test_pieces_are_blocks_with_the_words_of_the_simulation(legnaro: Detector) -> None:
    got = pieces(legnaro, URL)
    decoder = BlockDecoder(legnaro.readout)
    words = np.concatenate([decoder.feed(piece.data).words for piece in got])
    assert not decoder.finish().rejects
    assert np.array_equal(words, simulated_run("quiet", 150.0, seed=3).words)
    assert {piece.key for piece in got} == {URL}
    assert np.cumsum([len(piece.data) for piece in got]).tolist() == [p.read for p in got]
    assert [piece.ended for piece in got] == [False] * (len(got) - 1) + [True]
    assert len({piece.mark for piece in got}) == 1


def test_the_second_comes_after_the_first(legnaro: Detector) -> None:
    keys = [piece.key for piece in pieces(legnaro, URL, OTHER)]
    assert keys == sorted(keys, key=[URL, OTHER].index)
    assert set(keys) == {URL, OTHER}


@pytest.mark.parametrize("share", [0.0, 0.3, 0.999, 1.0])
def test_it_goes_on_from_any_place(legnaro: Detector, share: float) -> None:
    whole = pieces(legnaro, URL)
    data = b"".join(piece.data for piece in whole)
    restart = int(len(data) * share)
    place = Place(restart=restart, read=restart, mark=whole[0].mark, ended=False)
    rest = pieces(legnaro, URL, known={URL: place})
    assert b"".join(piece.data for piece in rest) == data[restart:]
    assert rest[-1].read == len(data)
    assert rest[-1].mark == whole[0].mark


def test_what_has_ended_is_not_made_again(legnaro: Detector) -> None:
    done = Place(restart=8, read=8, mark=0, ended=True)
    assert {p.key for p in pieces(legnaro, URL, OTHER, known={URL: done})} == {OTHER}
