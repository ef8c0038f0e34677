"""A reference as a file: the same when it is read back; damage is told."""

from dataclasses import fields

import msgspec
import numpy as np
import pytest

from helpers.judged import judged, reference, windows
from muonscope.detector import shipped_detector
from muonscope.errors import FormatError
from muonscope.quality.reference_file import parse_reference, reference_bytes


@pytest.mark.parametrize("tracks", [False, True])
def test_a_reference_is_the_same_when_it_is_read_back(*, tracks: bool) -> None:
    made = reference("quiet", 300.0, tracks=tracks)
    again = parse_reference(reference_bytes(made), made.detector, "x")
    assert (again.tracks is not None) == tracks
    pairs = [(made, again), *([(made.tracks, again.tracks)] if tracks else [])]
    for before, after in pairs:
        assert before is not None
        for field in fields(before):
            if field.name not in {"tracks", "detector"}:
                one, other = getattr(before, field.name), getattr(after, field.name)
                assert np.asarray(one).dtype.kind == np.asarray(other).dtype.kind, field.name
                assert np.array_equal(one, other), field.name
    some = windows("quiet", 60.0, tracks=tracks)
    _, here = judged(some, known=made)
    _, there = judged(some, known=again)
    assert here == there


def test_a_reference_of_another_shape_or_detector_is_refused() -> None:
    made = reference("quiet", 300.0)
    told = msgspec.json.decode(reference_bytes(made))
    told["reference"]["occupied_hz"] = told["reference"]["occupied_hz"][:-1]
    with pytest.raises(FormatError, match=r"x: occupied_hz: found shape \(255,\), expected"):
        parse_reference(msgspec.json.encode(told), made.detector, "x")
    with pytest.raises(FormatError, match="found a reference of detector"):
        parse_reference(reference_bytes(made), shipped_detector("bologna2"), "x")
