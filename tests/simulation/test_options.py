"""Options: what makes no sense is refused with what is allowed."""

import math
from typing import Any

import numpy as np
import pytest

import muonscope
from muonscope.detector import Detector, parse_detector, setup_text
from muonscope.errors import OptionError
from muonscope.simulation.geometry import geometry_of
from muonscope.simulation.options import detector_of, simulation_of, split_url
from muonscope.simulation.profiles import PROFILES, profile_named


def test_a_url_says_it_all(legnaro: Detector) -> None:
    profile, options = split_url(
        "sim:legnaro?seconds=90s&seed=4&fault=noisy:ch0:61@20s-40s&fault=gas&rate_scale=2"
        "&start-orbit=17&words=500"
    )
    simulation = simulation_of(profile, options, legnaro)
    assert simulation.profile is PROFILES["legnaro"]
    assert (simulation.seconds, simulation.words, simulation.seed) == (90.0, 500, 4)
    assert (simulation.rate_scale, simulation.start_orbit) == (2.0, 17)
    assert simulation.first_orbit == 17
    assert [fault.kind for fault in simulation.faults] == ["noisy", "gas"]


@pytest.mark.parametrize("url", ["sim:", "sim:legnaro", "sim://legnaro", "sim:?"])
def test_without_more_it_is_a_minute_at_legnaro(url: str, legnaro: Detector) -> None:
    profile, options = split_url(url)
    simulation = simulation_of(profile, options, legnaro)
    assert simulation.profile.name == "legnaro"
    assert (simulation.seconds, simulation.words, simulation.seed) == (60.0, None, 1)
    assert simulation.first_orbit == 616_953


def test_words_or_inf_are_no_minute(legnaro: Detector) -> None:
    assert simulation_of("quiet", {"words": ["7"]}, legnaro).seconds == math.inf
    assert simulation_of("quiet", {"seconds": ["inf"]}, legnaro).seconds == math.inf


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("sim:mars", "profile: found 'mars', expected one of legnaro, bologna, quiet"),
        ("sim:?hours=2", "unknown option 'hours'; there are seconds, words, seed, rate-scale"),
        ("sim:?seconds=0", "seconds: found '0', expected a positive number"),
        ("sim:?seconds=-5", "seconds: found '-5'"),
        ("sim:?seconds=", "seconds: found ''"),
        ("sim:?seconds=1&seconds=2", "seconds is given 2 times"),
        ("sim:?words=0", "words: found 0, expected 1 or more"),
        ("sim:?words=1.5", "words: found '1.5', expected a whole number"),
        ("sim:?words=-4", "words: found '-4', expected a whole number"),
        ("sim:?seed=x", "seed: found 'x', expected a whole number"),
        ("sim:?seed=18446744073709551616", "seed: found 18446744073709551616, expected 0 .. 2^64"),
        ("sim:?rate-scale=-1", "rate scale: found -1.0, expected 0.001 .. 10000"),
        ("sim:?rate-scale=0", "expected 0.001 .. 10000"),
        ("sim:?rate-scale=nan", "rate scale: found 'nan', expected a number"),
        ("sim:?rate-scale=fast", "rate scale: found 'fast', expected a number"),
        ("sim:?start-orbit=4294967296", "start orbit: found 4294967296, expected 0 .. 4294967295"),
        ("sim:?fault=nothing", "unknown 'nothing'; there are dead:chN:CHANNEL"),
        ("sim:?fault=hv-off:ch9", "expected one of ch0, ch1, ch2, ch3"),
    ],
)
def test_impossible_options_are_refused(url: str, text: str, legnaro: Detector) -> None:
    with pytest.raises(OptionError) as caught:
        simulation_of(*split_url(url), legnaro)
    assert text in str(caught.value)


@pytest.mark.parametrize(
    "options",
    [{"seconds": 0.0}, {"seconds": -1.0}, {"seconds": math.nan}, {"seconds": math.inf},
     {"words": 0}, {"words": 1.5}, {"words": True}, {"seed": -1}, {"seed": 1.5}, {"seed": "1"},
     {"faults": "gas"}, {"faults": [5]}, {"seconds": "5"}, {"rate_scale": 0.0},
     {"faults": ["x"]}, {"profile": "mars"}],
)  # fmt: skip
def test_the_python_function_refuses_them_too(options: dict[str, Any]) -> None:
    with pytest.raises(OptionError):
        muonscope.simulate(**options)


def test_profiles_bring_their_detector() -> None:
    assert detector_of("bologna").name == "bologna2"
    assert detector_of("quiet").name == "legnaro"
    assert muonscope.open("sim:bologna").detector.name == "bologna2"
    with pytest.raises(OptionError):
        profile_named("x")


def test_a_chamber_of_three_cells_cannot_be_simulated() -> None:
    text = setup_text("bologna2").replace("[64, 127]", "[64, 66]")
    with pytest.raises(OptionError, match="has 3 cells; a simulation needs at least 4"):
        geometry_of(parse_detector(text), PROFILES["bologna"])


def test_numbers_of_numpy_are_numbers() -> None:
    numbers: dict[str, Any] = {
        "seconds": np.float32(0.5), "words": np.int64(50), "seed": np.uint64(3),
    }  # fmt: skip
    run = muonscope.simulate(**numbers)
    assert len(run.words) == 50
    plain = muonscope.simulate(seconds=0.5, words=50, seed=3)
    assert np.array_equal(run.words, plain.words)
