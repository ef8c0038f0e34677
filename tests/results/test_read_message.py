"""Messages read back: the very counts they were made from, or an error that names the place."""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.examples import examples
from helpers.simulated import BRIGHT, simulated_words
from helpers.window_messages import ends_of, simulated_lines
from muonscope.api import summarise
from muonscope.counting.summary import Summary
from muonscope.counting.window_table import WindowTable
from muonscope.counting.word_classes import Timeless
from muonscope.detector import Detector, shipped_detector
from muonscope.errors import FormatError
from muonscope.results.message import message_schema, window_messages
from muonscope.results.read_message import MAX_MESSAGE_BYTES, Remainder, WindowResult, read_result
from muonscope.words.decode import StreamDecoder
from muonscope.words.layout import Words, pack_hits

Message = dict[str, Any]

LEGNARO = shipped_detector("legnaro")
LINE = simulated_lines(4000)[0]
END = ends_of()


def recorded(path: Path, detector: Detector) -> Words:
    """Return the words of a small recording."""
    decoder = StreamDecoder(detector.readout)
    return np.concatenate([decoder.feed(path.read_bytes()).words, decoder.finish().words])


def as_told(summary: Summary) -> Summary:
    """Return what a message can tell of a summary: it does not tell apart scintillators,
    nor firmware triggers."""
    detector, words = summary.detector, summary.class_words.copy()
    first, n = detector.n_cells, len(detector.scintillators)
    for part in (words[first : first + n], words[first + n :]):
        part[:1], part[1:] = part.sum(), 0
    return summary.condensed().with_arrays(class_words=words)


def assert_reads_back(table: WindowTable) -> None:
    """Check every message of a table against the window that it was made from."""
    lines = list(window_messages(table, "a run"))
    assert lines
    for line, row in zip(lines, table, strict=True):
        result = read_result(line, table.detector)
        assert isinstance(result, WindowResult)
        assert (result.run, *result.place) == ("a run", row.epoch, row.window)
        assert (result.first_orbit, result.last_orbit) == (row.first_orbit, row.last_orbit)
        assert result.summary == as_told(row.summary)
        assert result.summary.accounting == row.summary.accounting
        detail = row.summary.detail
        assert detail is not None
        for c in range(table.detector.n_chambers):
            assert result.orbits[c].tolist() == (detail.orbits[c] - row.first_orbit).tolist()
            assert result.orbit_hits[c].tolist() == detail.orbit_hits[c].tolist()


# --- what is right -------------------------------------------------------------------------


@pytest.mark.parametrize("window_s", [1.0, 0.01])
@pytest.mark.parametrize("rate_scale", [1.0, 7.0])
def test_simulated_windows_read_back_to_their_summaries(window_s: float, rate_scale: float) -> None:
    words = simulated_words(3000, profile=BRIGHT, rate_scale=rate_scale)
    assert_reads_back(summarise(words, LEGNARO, window=window_s))


def test_windows_of_the_stream_sample_read_back_to_their_summaries(
    realdata: Path, legnaro: Detector
) -> None:
    words = recorded(realdata / "minidt_data_000000_first999rows.csv", legnaro)
    assert_reads_back(summarise(words, legnaro))


def test_windows_of_the_real_run_read_back_to_their_summaries(
    realdata: Path, run000591: Detector
) -> None:
    words = recorded(realdata / "run000591_data_000000.dat", run000591)
    assert_reads_back(summarise(words, run000591))


def test_words_that_are_no_hits_read_back(legnaro: Detector) -> None:
    odd = np.array([1 << 61, 7 << 61, 2 << 61 | 200 << 49], np.uint64)
    words = np.concatenate([pack_hits(2, 0, 5, range(9), 10, 3), odd, odd])
    assert_reads_back(summarise(words, legnaro))


def test_invalid_words_read_back_by_their_kind(legnaro: Detector) -> None:
    unknown, beyond = 7 << 61, pack_hits(2, 0, 5, 5, 3564, 3)
    odd = np.array([unknown, unknown, *beyond.tolist()], np.uint64)
    lone = pack_hits(2, 0, 5, 10**9, 10, 3)
    words = [pack_hits(2, 0, 5, range(9), 10, 3), odd, lone, pack_hits(2, 0, 5, range(9, 20), 1, 1)]
    table = summarise(np.concatenate(words), legnaro)
    assert_reads_back(table)
    message = orjson.loads(next(window_messages(table, "r")))
    assert message["invalid_by_kind"] == {"head": 2, "bx": 1, "orbit": 1}
    assert message["accounting"]["invalid"] == 4
    validate(message)
    del message["invalid_by_kind"]  # as it was before there was such a key
    other = counts(orjson.dumps(message)).other_words
    assert other[[Timeless.INVALID_HEAD, Timeless.INVALID_BX, Timeless.INVALID_ORBIT]].tolist() == [
        4, 0, 0,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kinds", "what"),
    [
        (5, "invalid_by_kind: found 5, expected an object"),
        ({"head": 1, "bx": 0}, "orbit: found None, expected a whole number"),
        ({"head": 1, "bx": -1, "orbit": 0}, "bx: found -1, expected a whole number"),
        ({"head": 1, "bx": 0, "orbit": 0}, "accounting: found"),
    ],
)
def test_kinds_that_do_not_add_up_to_the_invalid_words_are_refused(
    kinds: object, what: str
) -> None:
    assert what in refusal(("invalid_by_kind",), kinds)


def test_a_window_without_hits_reads_back() -> None:
    words = pack_hits(2, [0, 0], 5, [1, 11_223 * 3], 10, 3)
    assert_reads_back(summarise(words, LEGNARO))


def test_the_remainder_reads_back() -> None:
    told = read_result(ends_of("a run", (1 << 61, 7 << 61, 2 << 61 | 200 << 49)), LEGNARO)
    assert isinstance(told, Remainder)
    account = told.summary.accounting
    assert told.run == "a run"
    assert (account.words_in, account.ancillary, account.unmapped, account.invalid) == (3, 1, 1, 1)
    assert (told.bytes.bytes_in, told.bytes.bytes_decoded, told.bytes.bytes_rejected) == (30, 24, 6)
    assert told.bytes.rejects == {"TRUNCATED": 1}


def test_unknown_keys_are_left_alone() -> None:
    message = orjson.loads(LINE) | {"tracking": {"muons": [1, 2]}, "": None}
    message["chamber0"]["new"] = "x"
    assert counts(orjson.dumps(message)) == counts(LINE)


def test_a_file_name_is_no_name_too_long_for_a_run() -> None:
    message = orjson.loads(LINE) | {"run": "x" * 255}
    assert read_result(orjson.dumps(message), LEGNARO).run == "x" * 255


def validate(message: Message) -> None:
    """Hold a message against its schema."""
    jsonschema.validate(message, message_schema(), jsonschema.Draft202012Validator)


def counts(line: bytes) -> Summary:
    """Return the counts of a message."""
    return read_result(line, LEGNARO).summary


# --- what is wrong -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "expected a JSON object"),
        (b"\n", "expected a JSON object"),
        (b"not json", "found b'not json', expected a JSON object"),
        (b"\xff\xfe", "expected a JSON object"),
        (b"\x00" * 100, "expected a JSON object"),
        (LINE[:-3], "expected a JSON object"),
        (LINE + LINE, "expected a JSON object"),
        (b"[1, 2]", "found [1, 2], expected a JSON object"),
        (b"null", "found None, expected a JSON object"),
        (b'"muonscope.window/1"', "found 'muonscope.window/1', expected a JSON object"),
        (b"{}", "schema: found None, expected 'muonscope.window/2'"),
        (b'{"schema": NaN}', "expected a JSON object"),
        (b'{"schema": "muonscope.window/1"}', "detector: found None, expected 'legnaro'"),
        (b"[" * 1000 + b"]" * 1000, "expected a JSON object"),
        (b"[" * 100_000, "expected a JSON object"),
        (b'{"a":' * 1000 + b"1" + b"}" * 1000, "schema: found None"),
        (b'{"schema":' + b"[" * 1000 + b"]" * 1000 + b"}", "schema: found [[["),
        (b'{"schema": "' + b"x" * 100_000 + b'"}', "schema: found 'xxx"),
        (b" " * (MAX_MESSAGE_BYTES + 1), "found a message of 16,777,217 bytes, at most 16,777,216"),
    ],
)  # fmt: skip
def test_what_is_no_message_is_refused_in_few_words(data: bytes, what: str) -> None:
    with pytest.raises(FormatError) as error:
        read_result(data, LEGNARO)
    assert what in str(error.value)
    assert len(str(error.value)) < 300


WRONG = (None, True, 1.5, 1e300, -1, 1 << 60, 1 << 70, "1", [1], {"a": 1})
NUMBERS = ("epoch", "window", "first_orbit", "last_orbit")
COUNTS = ("words_in", "hits", "scintillator", "trigger", "ancillary", "unmapped", "invalid", "late")


def refusal(place: tuple[str | int, ...], value: object, line: bytes = LINE) -> str:
    """Return the error of a message with ``value`` at ``place``; without it for ``...``."""
    message = orjson.loads(line)
    part: Any = message
    for name in place[:-1]:
        part = part[name]
    if value is ...:
        del part[place[-1]]
    else:
        part[place[-1]] = value
    with pytest.raises(FormatError) as error:
        read_result(json.dumps(message).encode(), LEGNARO)
    assert len(str(error.value)) < 500
    return str(error.value)


@pytest.mark.parametrize("value", [..., *WRONG])
@pytest.mark.parametrize("name", NUMBERS)
def test_a_place_that_is_no_whole_number_is_named(name: str, value: object) -> None:
    if (name, value) != ("window", None):  # then it is no window
        assert refusal((name,), value).startswith(f"{name}: ")


@pytest.mark.parametrize("value", [..., *WRONG])
@pytest.mark.parametrize("name", COUNTS)
def test_an_account_that_is_no_whole_number_is_named(name: str, value: object) -> None:
    assert refusal(("accounting", name), value).startswith(f"{name}: ")


@pytest.mark.parametrize("value", [..., None, 5, "x", [], 1.5])
@pytest.mark.parametrize(
    "place",
    [("accounting",), ("chamber0",), ("chamber3",), ("chamber1", "hist_CHANNEL"),
     ("chamber1", "hist_SCINT"), ("chamber1", "hist_ORBIT"), ("chamber2", "drift_histogram")],
)  # fmt: skip
def test_a_part_that_is_no_object_is_named(place: tuple[str, ...], value: object) -> None:
    assert f"{place[-1]}: " in refusal(place, value)


LISTS = [
    ("multiplicity",), ("chamber0", "multiplicity"), ("chamber1", "drift_histogram", "counts"),
    *((f"chamber{c}", f"hist_{kind}", f"bin_{part}")
      for c, kind, part in ((0, "CHANNEL", "edges"), (1, "CHANNEL", "counts"),
                            (2, "SCINT", "edges"), (3, "SCINT", "counts"),
                            (0, "ORBIT", "edges"), (1, "ORBIT", "counts"))),
]  # fmt: skip


@pytest.mark.parametrize("value", [..., None, 5, "x", {}, [True], ["1"], [[1]], [None]])
@pytest.mark.parametrize("place", LISTS)
def test_a_list_that_is_none_of_whole_numbers_is_named(
    place: tuple[str, ...], value: object
) -> None:
    assert refusal(place, value).startswith(".".join(place) + ": ")


@pytest.mark.parametrize("value", WRONG)
@pytest.mark.parametrize("place", LISTS)
def test_an_entry_that_is_no_whole_number_is_found(place: tuple[str, ...], value: object) -> None:
    assert refusal((*place, 0), value).startswith(".".join(place) + ": ")


@pytest.mark.parametrize("place", LISTS)
@pytest.mark.parametrize("change", [lambda told: told[:-1], lambda told: [*told, 100_000_000]])
def test_lists_of_another_length_are_refused(
    place: tuple[str, ...], change: Callable[[list[int]], list[int]]
) -> None:
    told: Any = orjson.loads(LINE)
    for name in place:
        told = told[name]
    assert "hist_" in place[-2:][0] or ".".join(place) in refusal(place, change(told))
    refusal(place, change(told))


@pytest.mark.parametrize(
    ("place", "value", "what"),
    [
        (("schema",), "muonscope.window/3", "results of version 3, this muonscope reads 1 and"),
        (("schema",), "muonscope.window/0", "results of version 0, this muonscope reads 1"),
        (("schema",), "muonscope.window/x", "expected 'muonscope.window/2'"),
        (("detector",), "run000591", "detector: found 'run000591', expected 'legnaro'"),
        (("detector",), ["legnaro"], "detector: found ['legnaro']"),
        (("run",), 5, "run: found 5, expected at most 1000 letters"),
        (("run",), None, "run: found None"),
        (("run",), "x" * 1001, "run: found 'xxx"),
        (("last_orbit",), 0, "last_orbit: found 0, expected"),
        (("chamber0", "hist_CHANNEL"), {"bin_edges": [64], "bin_counts": [1]},
         "chamber0.hist_CHANNEL.bin_edges: expected channels 0 .. 63"),
        (("chamber1", "hist_SCINT"), {"bin_edges": [63], "bin_counts": [1]},
         "chamber1.hist_SCINT.bin_edges: expected channels 64 .. 127"),
        (("chamber0", "hist_CHANNEL"), {"bin_edges": [5, 5], "bin_counts": [1, 1]},
         "chamber0.hist_CHANNEL.bin_edges: expected numbers that ascend"),
        (("chamber0", "hist_ORBIT"), {"bin_edges": [0], "bin_counts": [1]},
         "chamber0.hist_ORBIT.bin_edges: expected orbits"),
        (("chamber0", "hist_ORBIT"), {"bin_edges": [1 << 39], "bin_counts": [1]},
         "chamber0.hist_ORBIT.bin_edges: expected orbits"),
        (("chamber0", "hist_CHANNEL"), {"bin_edges": [1], "bin_counts": [1]}, "accounting: found"),
        (("accounting", "late"), 77, "accounting: found"),
        (("accounting", "words_in"), 1, "accounting: found"),
        (("multiplicity",), [0] * 64, "multiplicity: found 0 orbits, expected 11223"),
    ],
)  # fmt: skip
def test_what_contradicts_detector_window_or_account_is_refused(
    place: tuple[str, ...], value: object, what: str
) -> None:
    assert what in refusal(place, value)


def test_words_of_a_kind_that_the_detector_has_not_are_refused() -> None:
    detector = shipped_detector("bologna2")
    assert not detector.firmware_triggers
    words = pack_hits(2, 0, 5, range(9), 10, 3)
    message = orjson.loads(next(window_messages(summarise(words, detector), "r")))
    message["accounting"] |= {"trigger": 1, "words_in": message["accounting"]["words_in"] + 1}
    with pytest.raises(FormatError, match=r"accounting.trigger: found 1, but bologna2 has none"):
        read_result(orjson.dumps(message), detector)


@pytest.mark.parametrize("value", [..., *WRONG])
@pytest.mark.parametrize("name", ["bytes_in", "bytes_decoded", "bytes_rejected"])
def test_bytes_that_are_no_whole_number_are_named(name: str, value: object) -> None:
    if value != 1 << 60:
        assert refusal(("bytes", name), value, END).startswith(f"{name}: ")


@pytest.mark.parametrize(
    ("value", "what"),
    [(5, "rejects: found 5"), ({"A": -1}, "bytes.rejects.A: found -1"),
     ({str(n): 1 for n in range(101)}, "bytes.rejects: found 101 codes, at most 100")],
)  # fmt: skip
def test_rejects_that_are_no_counts_are_refused(value: object, what: str) -> None:
    assert what in refusal(("bytes", "rejects"), value, END)


def test_of_a_key_that_comes_twice_the_last_one_counts() -> None:
    twice = LINE.replace(b'"run":"r"', b'"run":"first","run":"second"')
    assert read_result(twice, LEGNARO).run == "second"


# --- anything at all -----------------------------------------------------------------------

VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-(1 << 63), (1 << 64) - 1), st.floats(),
    st.text(max_size=5), st.lists(st.integers(0, 200), max_size=70),
    st.dictionaries(st.text(max_size=3), st.integers(0, 9), max_size=2),
)  # fmt: skip


def mutated(message: Any, rng: random.Random, value: object) -> None:
    """Replace, drop or double something somewhere in a message."""
    part = message
    while True:
        key = rng.choice(list(part)) if isinstance(part, dict) else rng.randrange(len(part))
        if not (isinstance(part[key], dict | list) and part[key]) or rng.random() < 0.2:
            break
        part = part[key]
    match rng.randrange(3):
        case 0:
            del part[key]
        case 1 if isinstance(part, list):
            part.insert(key, value)
        case _:
            part[key] = value


@examples(400)
@given(
    st.sampled_from([LINE, END]),
    st.randoms(use_true_random=False),
    st.lists(VALUES, min_size=1, max_size=3),
)
def test_a_changed_message_reads_or_is_a_format_error(
    line: bytes, rng: random.Random, values: list[object]
) -> None:
    message = orjson.loads(line)
    for value in values:
        mutated(message, rng, value)
    assert_reads_or_is_refused(orjson.dumps(message))


@examples(300)
@given(st.sampled_from([LINE, END]), st.data())
def test_changed_bytes_read_or_are_a_format_error(line: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(line) - 1))
    more = data.draw(
        st.binary(max_size=4) | st.sampled_from([b"[" * 1500, b"9" * 5000, b'"', b"-"])
    )
    cut = data.draw(st.integers(0, 3))
    assert_reads_or_is_refused(line[:at] + more + line[at + cut :])


def assert_reads_or_is_refused(data: bytes) -> None:
    """Read something; what is taken must be counts that add up."""
    try:
        result = read_result(data, LEGNARO)
    except FormatError:
        return
    summary = result.summary
    account = summary.accounting.as_dict()
    assert account.pop("words_in") == sum(account.values())
    assert all(array.min() >= 0 for array in summary.arrays.values())
    assert (summary.multiplicity.sum(axis=1) <= summary.live_orbits).all()
