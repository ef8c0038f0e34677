"""The message of a window: its schema, its numbers, and what the original consumer reads."""

from collections.abc import Callable
from functools import cache
from hashlib import sha256
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import orjson
import pytest

from helpers.simulated import BRIGHT, simulated_words
from helpers.window_messages import as_version_1
from muonscope.api import summarise
from muonscope.counting.counter import Counter
from muonscope.counting.summary import Summary
from muonscope.counting.window_spec import WindowSpec
from muonscope.counting.window_table import WindowTable
from muonscope.detector import Detector, shipped_detector
from muonscope.results.message import (
    SCHEMA,
    ByteAccounting,
    message_schema,
    remainder_message,
    window_messages,
)
from muonscope.words.decode import StreamDecoder
from muonscope.words.layout import Words, pack_hits

Message = dict[str, Any]
Tables = Callable[[str], WindowTable]

CONTENTS = ("stream sample", "run000591", "simulated", "dense", "one word", "short windows")
LEGNARO = shipped_detector("legnaro")
ORBIT = 11_223 * 7
"""First orbit of window 7."""


def recorded(path: Path, detector: Detector) -> Words:
    """Return the words of a small recording."""
    decoder = StreamDecoder(detector.readout)
    return np.concatenate([decoder.feed(path.read_bytes()).words, decoder.finish().words])


@pytest.fixture(scope="module")
def tables(realdata: Path, legnaro: Detector, run000591: Detector) -> Tables:
    """Give the table of windows of each of ``CONTENTS``."""

    @cache
    def table(content: str) -> WindowTable:
        match content:
            case "stream sample":
                words = recorded(realdata / "minidt_data_000000_first999rows.csv", legnaro)
                return summarise(words, legnaro)
            case "run000591":
                words = recorded(realdata / "run000591_data_000000.dat", run000591)
                return summarise(words, run000591)
            case "simulated":
                return summarise(simulated_words(20_000, profile=BRIGHT), legnaro)
            case "dense":
                return summarise(simulated_words(40_000, profile=BRIGHT, rate_scale=7.0))
            case "short windows":
                words = simulated_words(500, profile=BRIGHT)
                return summarise(words, legnaro, window=0.01)
            case _:
                return summarise(pack_hits(2, 0, 5, ORBIT, 10, 3), legnaro)

    return table


def messages_of(table: WindowTable, **options: Any) -> list[Message]:
    """Return the decoded messages of ``table``."""
    return [orjson.loads(line) for line in window_messages(table, "a run", **options)]


def chambers(message: Message) -> list[Message]:
    """Return the chambers of a message in order."""
    names = sorted((k for k in message if k.startswith("chamber")), key=lambda k: int(k[7:]))
    return [message[name] for name in names]


def as_the_notebook_reads(message: Message) -> dict[str, list[Any]]:
    """Read what the original consumer reads, in the way it does."""
    orbit_s, drift_edges = 3564 * 25 / 10**9, np.linspace(0, 600, 10)
    drawn: dict[str, list[Any]] = {"total": [message["total_hits"]]}
    for name in ("chamber0", "chamber1", "chamber2", "chamber3"):
        chamber = message[name]
        for kind in ("hist_CHANNEL", "hist_SCINT"):
            bars = np.zeros(128)
            edges, counts = np.array(chamber[kind]["bin_edges"]), chamber[kind]["bin_counts"]
            bars[edges] = np.array(counts)
            drawn[f"{name} {kind}"] = bars.tolist()
        seconds = np.array(chamber["hist_ORBIT"]["bin_edges"]) * orbit_s
        orbit_counts = np.array(chamber["hist_ORBIT"]["bin_counts"])[: len(seconds)]
        drift_counts, _ = np.histogram(chamber["DRIFTIME"], bins=drift_edges)
        drawn[f"{name} orbit"] = [seconds.tolist(), orbit_counts.tolist()]
        drawn[f"{name} drift"] = drift_counts.tolist()
        drawn["total"].append(chamber["total_hits"])
    return drawn


def test_the_schema_is_a_valid_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(message_schema())
    assert message_schema()["properties"]["schema"]["const"] == SCHEMA


def test_the_shipped_schema_is_what_the_blocks_say() -> None:
    shipped = resources.files("muonscope.results") / "schema" / "window-2.json"
    assert orjson.loads(shipped.read_text("utf-8")) == message_schema()


@pytest.mark.parametrize("content", CONTENTS)
def test_every_message_validates_against_the_schema(tables: Tables, content: str) -> None:
    validator = jsonschema.Draft202012Validator(message_schema())
    messages = messages_of(tables(content))
    assert messages
    assert [e for message in messages for e in validator.iter_errors(message)] == []


@pytest.mark.parametrize(
    ("key", "value"),
    [("schema", "muonscope.window/3"), ("total_hits", -1), ("total_hits", 1.5), ("extra", 1),
     ("multiplicity", [0] * 63), ("chamber0", {}), ("accounting", {"words_in": 1})],
)  # fmt: skip
def test_the_schema_refuses_what_is_no_message(tables: Tables, key: str, value: object) -> None:
    message = messages_of(tables("one word"))[0] | {key: value}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(message, message_schema())


@pytest.mark.parametrize("content", CONTENTS)
def test_each_message_is_one_line(tables: Tables, content: str) -> None:
    lines = list(window_messages(tables(content), "a\nrun\u2028"))
    assert all(line.endswith(b"\n") and line.count(b"\n") == 1 for line in lines)
    assert orjson.loads(lines[0])["run"] == "a\nrun\u2028"


@pytest.mark.parametrize("content", CONTENTS)
def test_counts_equal_those_of_the_summary(tables: Tables, content: str) -> None:
    table = tables(content)
    for message, row in zip(messages_of(table), table, strict=True):
        summary: Summary = row.summary
        assert (message["epoch"], message["window"]) == (row.epoch, row.window)
        assert (message["first_orbit"], message["last_orbit"]) == (row.first_orbit, row.last_orbit)
        assert message["total_hits"] == summary.total_hits
        assert message["scintillator_hits"] == summary.scintillator_words
        assert message["accounting"] == summary.accounting.as_dict()
        cells, detail = summary.detector.cells(), summary.detail
        assert detail is not None
        for number, chamber in enumerate(chambers(message)):
            mine = cells.chamber == number
            for name, counts in (
                ("hist_CHANNEL", summary.hits_per_cell),
                ("hist_SCINT", summary.scint_hits),
            ):
                wanted = dict(zip(cells.channel[mine].tolist(), counts[mine].tolist(), strict=True))
                got = chamber[name]
                filled = {k: n for k, n in wanted.items() if n}
                empty = {min(wanted): 0}  # what the original's consumer can index with
                assert dict(zip(got["bin_edges"], got["bin_counts"], strict=True)) == (
                    filled or empty
                )
            assert chamber["total_hits"] == int(summary.hits_per_cell[mine].sum())
            assert chamber["hist_ORBIT"]["bin_edges"] == detail.orbits[number].tolist()
            assert chamber["hist_ORBIT"]["bin_counts"] == detail.orbit_hits[number].tolist()
            assert chamber["DRIFTIME"] == summary.drift_ns(number)[:2000].tolist()
            histogram = chamber["drift_histogram"]
            assert [histogram["below"], *histogram["counts"], histogram["above"]] == (
                summary.drift_histogram[number].tolist()
            )


@pytest.mark.parametrize("content", CONTENTS)
def test_sparse_lists_ascend_and_hold_no_zeros_but_one_where_all_are_zero(
    tables: Tables, content: str
) -> None:
    for message in messages_of(tables(content)):
        for chamber in chambers(message):
            for name in ("hist_CHANNEL", "hist_SCINT", "hist_ORBIT"):
                edges, counts = chamber[name]["bin_edges"], chamber[name]["bin_counts"]
                assert len(edges) == len(counts)
                assert edges == sorted(set(edges))
                if name == "hist_ORBIT":
                    assert all(n > 0 for n in counts)
                else:
                    assert all(n > 0 for n in counts) or counts == [0]
                    assert len(counts) > 0


@pytest.mark.parametrize("content", CONTENTS)
def test_the_numbers_of_a_message_agree_with_each_other(tables: Tables, content: str) -> None:
    for message in messages_of(tables(content)):
        account = message["accounting"]
        assert account["words_in"] == sum(n for name, n in account.items() if name != "words_in")
        assert account["hits"] == message["total_hits"]
        assert message["total_hits"] == sum(c["total_hits"] for c in chambers(message))
        assert message["batch_id"] == message["window"]
        orbits = message["last_orbit"] - message["first_orbit"] + 1
        assert message["first_orbit"] == message["window"] * orbits
        assert message["start_ns"] == message["first_orbit"] * 89_100
        assert message["end_ns"] == message["start_ns"] + orbits * 89_100
        assert sum(message["multiplicity"]) == orbits
        for chamber in chambers(message):
            assert sum(chamber["hist_CHANNEL"]["bin_counts"]) == chamber["total_hits"]
            assert sum(chamber["hist_ORBIT"]["bin_counts"]) == chamber["total_hits"]
            assert sum(chamber["multiplicity"]) == orbits
            histogram = chamber["drift_histogram"]
            drifts = histogram["below"] + sum(histogram["counts"]) + histogram["above"]
            assert drifts == sum(chamber["hist_SCINT"]["bin_counts"])
            assert chamber["drift_truncated"] == (drifts > 2000)
            assert len(chamber["DRIFTIME"]) == min(drifts, 2000)
            busy = orbits - chamber["multiplicity"][0]
            assert busy == len(chamber["hist_ORBIT"]["bin_edges"])


def test_the_real_stream_sample_gives_the_known_counts(tables: Tables) -> None:
    messages = messages_of(tables("stream sample"))
    hits = np.sum([[c["total_hits"] for c in chambers(m)] for m in messages], axis=0)
    assert hits.tolist() == [80, 171, 103, 143]
    assert sum(m["accounting"]["trigger"] for m in messages) == 2
    assert {m["epoch"] for m in messages} == {0, 1}


def test_the_original_notebook_reads_messages_with_hits_everywhere(tables: Tables) -> None:
    messages = messages_of(tables("dense"))
    for message in messages:
        drawn = as_the_notebook_reads(message)
        assert drawn["total"][0] == sum(drawn["total"][1:]) == message["total_hits"]
        for number, chamber in enumerate(chambers(message)):
            assert sum(drawn[f"chamber{number} hist_CHANNEL"]) == chamber["total_hits"]
            assert sum(drawn[f"chamber{number} orbit"][1]) == chamber["total_hits"]
            assert sum(drawn[f"chamber{number} drift"]) > 0
    assert len(messages) >= 2


@pytest.mark.parametrize("content", ["stream sample", "one word"])
def test_the_original_notebook_reads_messages_with_empty_histograms(
    tables: Tables, content: str
) -> None:
    for message in messages_of(tables(content)):
        drawn = as_the_notebook_reads(message)
        assert drawn["total"] == [message["total_hits"], *drawn["total"][1:]]


def test_the_original_notebook_reads_the_remainder(legnaro: Detector) -> None:
    line = remainder_message(Summary.empty(legnaro), "r", ByteAccounting())
    assert as_the_notebook_reads(orjson.loads(line))["total"] == [0, 0, 0, 0, 0]


def drift_words(*hits: tuple[int, int, int, int], scintillators: tuple[int, ...]) -> Words:
    """Return hits (FPGA, channel, BX, TDC) and scintillator words at some BX, in one orbit."""
    fpga, channel, bx, tdc = np.array(hits).T
    scint = pack_hits(2, 1, 128, ORBIT + 5, list(scintillators), 0)
    return np.concatenate([scint, pack_hits(2, fpga, channel, ORBIT + 5, bx, tdc)])


def test_drift_times_are_those_worked_out_by_hand() -> None:
    words = drift_words(
        (0, 3, 104, 15), (0, 70, 104, 15), (1, 3, 104, 15), (1, 70, 104, 15), (0, 9, 99, 0),
        scintillators=(120, 100),
    )  # fmt: skip
    (message,) = messages_of(summarise(words, LEGNARO))
    # 25 ns * (4 + 15/30) = 112.5 ns after the earlier scintillator; 25 ns before it
    got = [chamber["DRIFTIME"] for chamber in chambers(message)]
    assert got == [
        pytest.approx([-25 + 95 - 1.1, 112.5 + 95 - 1.1], abs=1e-9),
        pytest.approx([112.5 + 95 + 6.4], abs=1e-9),
        pytest.approx([112.5 + 95 + 0.5], abs=1e-9),
        pytest.approx([112.5 + 95 - 2.6], abs=1e-9),
    ]
    counts = message["chamber0"]["drift_histogram"]["counts"]
    assert {i: n for i, n in enumerate(counts) if n} == {67: 1, 122: 1}  # 68.9 and 206.4 ns
    assert message["scintillator_hits"] == 2


def test_drift_times_out_of_range_are_counted_below_and_above() -> None:
    words = drift_words((0, 3, 10, 0), (0, 4, 3000, 0), scintillators=(1500,))
    (message,) = messages_of(summarise(words, LEGNARO))
    histogram = message["chamber0"]["drift_histogram"]
    assert (histogram["below"], sum(histogram["counts"]), histogram["above"]) == (1, 0, 1)
    assert len(message["chamber0"]["DRIFTIME"]) == 2


def test_hits_of_another_orbit_than_the_scintillator_have_no_drift_time() -> None:
    words = np.concatenate(
        [drift_words((0, 3, 104, 15), scintillators=(100,)), pack_hits(2, 0, 3, ORBIT + 6, 1, 1)]
    )
    (message,) = messages_of(summarise(words, LEGNARO))
    assert message["chamber0"]["hist_CHANNEL"] == {"bin_edges": [3], "bin_counts": [2]}
    assert message["chamber0"]["hist_SCINT"] == {"bin_edges": [3], "bin_counts": [1]}
    assert len(message["chamber0"]["DRIFTIME"]) == 1


@pytest.mark.parametrize(("limit", "kept", "cut"), [(4, 4, True), (5, 5, False), (0, 0, True)])
def test_drift_times_are_cut_at_the_limit_and_the_flag_says_so(
    limit: int, kept: int, cut: bool
) -> None:
    words = drift_words(*[(0, n, 100 + n, 0) for n in range(5)], scintillators=(100,))
    (message,) = messages_of(summarise(words, LEGNARO), max_drift_times=limit)
    chamber = message["chamber0"]
    first = [25 * n + 93.9 for n in range(5)]
    assert chamber["DRIFTIME"] == pytest.approx(first[:kept])
    assert chamber["drift_truncated"] is cut
    assert message["chamber1"]["drift_truncated"] is False
    assert sum(chamber["drift_histogram"]["counts"]) == 5


def test_two_thousand_drift_times_are_the_default_limit() -> None:
    n = np.arange(2001)
    words = np.concatenate(
        [pack_hits(2, 1, 128, ORBIT, 100, 0), pack_hits(2, 0, n % 64, ORBIT, 100 + n // 64, 5)]
    )
    (message,) = messages_of(summarise(words, LEGNARO))
    assert len(message["chamber0"]["DRIFTIME"]) == 2000
    assert message["chamber0"]["drift_truncated"] is True
    assert message["chamber0"]["total_hits"] == 2001
    assert message["multiplicity"][63] == 1


def test_no_windows_give_no_messages(legnaro: Detector) -> None:
    assert messages_of(WindowTable.of(legnaro, 11_223, [])) == []


def test_the_remainder_is_a_message_of_no_window(legnaro: Detector) -> None:
    counter = Counter(legnaro, WindowSpec())
    counter.push(np.array([1 << 61, 7 << 61, 2 << 61 | 200 << 49], np.uint64))
    counter.finish()
    account = ByteAccounting(
        bytes_in=30, bytes_decoded=24, bytes_rejected=6, rejects={"TRUNCATED": 1}
    )
    message = orjson.loads(remainder_message(counter.remainder, "r", account))
    jsonschema.validate(message, message_schema())
    names = ("epoch", "window", "first_orbit", "last_orbit", "start_ns", "end_ns")
    assert all(message[name] is None for name in names)
    assert message["batch_id"] == -1
    assert message["accounting"]["words_in"] == 3
    assert message["accounting"]["ancillary"] == 1
    assert message["accounting"]["unmapped"] == 1
    assert message["accounting"]["invalid"] == 1
    assert message["bytes"]["bytes_in"] == 24 + 6
    assert message["bytes"]["rejects"] == {"TRUNCATED": 1}
    assert [c["total_hits"] for c in chambers(message)] == [0, 0, 0, 0]


# --- bytes -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "digest"),
    [
        ("stream sample", "ad9000b3681b5914"),
        ("run000591", "4d2848a397132619"),
        ("simulated", "a948202c37f7a246"),
        ("dense", "6f14c69da893f183"),
        ("one word", "39cfe2fcab308925"),
        ("short windows", "11a765e6ce9f56cc"),
    ],
)
def test_what_version_1_told_is_unchanged_to_the_byte(
    tables: Tables, content: str, digest: str
) -> None:
    found, table = sha256(), tables(content)
    for line in window_messages(table, "a run"):
        found.update(as_version_1(line))
    assert found.hexdigest()[:16] == digest


def test_what_version_1_told_of_a_remainder_is_unchanged_to_the_byte() -> None:
    counter = Counter(LEGNARO)
    counter.push(np.array([1 << 61], np.uint64))
    account = ByteAccounting(
        bytes_in=30, bytes_decoded=24, bytes_rejected=6, rejects={"TRUNCATED": 1}
    )
    message = remainder_message(counter.remainder, "a run", account)
    assert sha256(as_version_1(message)).hexdigest()[:16] == "fb20750869f4e1fb"


@pytest.mark.parametrize("content", CONTENTS)
def test_what_version_1_told_is_valid_by_its_own_schema(tables: Tables, content: str) -> None:
    shipped = resources.files("muonscope.results") / "schema" / "window-1.json"
    validator = jsonschema.Draft202012Validator(orjson.loads(shipped.read_text("utf-8")))
    for line in window_messages(tables(content), "a run"):
        assert [*validator.iter_errors(orjson.loads(as_version_1(line)))] == []
