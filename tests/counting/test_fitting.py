"""The shipped detector that fits: judged by words of either layout, and by rejected rows."""

import numpy as np
import pytest

from helpers.simulated import simulated_words
from muonscope.counting.fitting import best_detector, better_for_rejects, better_for_words
from muonscope.detector import Detector, setup_names, shipped_detector
from muonscope.simulation.profiles import PROFILES
from muonscope.words.binary import DatEncoder
from muonscope.words.decode import StreamDecoder
from muonscope.words.layout import Words, pack_hits
from muonscope.words.rejects import Reject
from muonscope.words.text_encode import TextEncoder

BOLOGNA = simulated_words(2000, profile=PROFILES["bologna"])
LEGNARO = simulated_words(4000, profile=PROFILES["legnaro"])


def v1_rows(n: int) -> bytes:
    """Return rows of v1 text, which has HEAD 1, channels from 1 and TDC from 0; no header."""
    return b"".join(
        b"1,%d,%d,%d,%d,0\n" % (i % 2, i % 128 + 1, 617_000 + i, i + 1) for i in range(n)
    )


def read(data: bytes, detector: Detector) -> tuple[Words, list[Reject]]:
    """Return what a detector makes of data."""
    decoder = StreamDecoder(detector.readout)
    first, last = decoder.feed(data), decoder.finish()
    return np.concatenate([first.words, last.words]), first.rejects + last.rejects


@pytest.mark.parametrize(
    ("words", "used", "right"),
    [
        (LEGNARO, "bologna2", "legnaro"),
        (LEGNARO, "run000591", "legnaro"),
        (BOLOGNA, "legnaro", "bologna2"),
        (BOLOGNA, "run001228", "bologna2"),
    ],
)
@pytest.mark.parametrize("form", ["dat", "csv", "json"])
def test_the_detector_of_words_is_found_from_any_format(
    words: Words, used: str, right: str, form: str
) -> None:
    true, detector = shipped_detector(right), shipped_detector(used)
    encoder = DatEncoder(None) if form == "dat" else TextEncoder(true.readout, json=form == "json")
    found, rejects = read(encoder.begin() + encoder.encode(words) + encoder.end(), detector)
    fit = better_for_words(found, detector, packed=form != "dat")
    if fit is None:  # where the other layout has no room for most rows
        fit = better_for_rejects(rejects[:20])
    assert fit is not None
    assert fit.name == right
    assert fit.share > 0.9


@pytest.mark.parametrize("name", setup_names())
def test_no_other_detector_is_named_for_words_that_fit(name: str) -> None:
    detector = shipped_detector(name)
    cells = detector.cells()
    words = pack_hits(
        detector.readout.hit_head, cells.fpga, cells.channel, 1000, 7, 8,
        version=detector.readout.version,
    )  # fmt: skip
    for packed in (True, False):
        assert better_for_words(words, detector, packed=packed) is None


def test_none_is_named_for_noise_or_nothing(legnaro: Detector) -> None:
    noise = np.random.default_rng(1).integers(0, 1 << 63, 4000).astype(np.uint64) << np.uint64(1)
    assert better_for_words(noise, legnaro, packed=False) is None
    assert better_for_words(np.zeros(500, np.uint64), legnaro, packed=False) is None
    assert better_for_words(np.empty(0, np.uint64), legnaro, packed=True) is None


def test_rejected_rows_of_v1_text_are_known(legnaro: Detector, run000591: Detector) -> None:
    words, rejects = read(v1_rows(300), legnaro)
    assert (len(words), len(rejects)) == (0, 300)
    fit = better_for_rejects(rejects[:20])
    assert fit is not None
    assert (fit.name, fit.share) == ("run000591", 1.0)
    detector, share = best_detector(v1_rows(300))
    assert (detector, share > 0.99) == (run000591, True)


@pytest.mark.parametrize(
    "row",
    [
        b"2,0,600,617000,12,3", b"2,0,5,617000,5000,3", b"2,0,5,-1,12,3", b"2,0,5", b"a,b,c,d,e,f",
        b"2,9,5,617000,12,3", b"\xff\xfe\x00", b"<html>", b"{}", b"",
    ],
)  # fmt: skip
def test_damaged_rows_are_of_no_detector(legnaro: Detector, row: bytes) -> None:
    good = b"2,0,5,617000,12,3\n"
    _, rejects = read(good + (row + b"\n") * 20, legnaro)
    assert better_for_rejects(rejects) is None
    assert better_for_rejects([]) is None
