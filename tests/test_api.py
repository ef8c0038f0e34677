"""The public API, as someone in a notebook meets it."""

import subprocess
import sys
from pathlib import Path

import hist
import numpy as np
import pytest

import muonscope
from helpers.simulated import BRIGHT, simulated_words
from muonscope.counting.counter import Counter
from muonscope.detector import Detector
from muonscope.words.layout import pack_hits

WORDS = simulated_words(9000, profile=BRIGHT)


def test_the_public_names_are_these() -> None:
    assert dir(muonscope) == [
        "Account", "Archive", "ArchivedRun", "Comparison", "Dashboard", "Detector", "Judgement",
        "MuonscopeError", "Recording", "Sent", "Simulated", "Stop", "Summary", "WindowSummary",
        "WindowTable", "__version__", "archive", "calibrate", "compare", "judge", "open", "process",
        "replay", "serve", "shipped_detector", "simulate", "summarise", "tracks",
    ]  # fmt: skip


def test_every_public_name_is_there_and_explained() -> None:
    for name in set(dir(muonscope)) - {"__version__"}:
        assert getattr(muonscope, name).__doc__
    assert muonscope.__version__.count(".") == 2


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'muonscope' has no attribute 'nothing'"):
        _ = muonscope.nothing
    assert not hasattr(muonscope, "np")


def test_importing_the_package_loads_nothing_heavy() -> None:
    code = "import sys, muonscope; dir(muonscope); print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "numpy" not in loaded
    assert "numba" not in loaded


# --- open ----------------------------------------------------------------------------------


def test_a_recording_gives_its_words(realdata: Path) -> None:
    words = muonscope.open(str(realdata / "minidt_data_000000_first999rows.csv")).words()
    assert words.shape == (999,)
    assert words.dtype == np.uint64


def test_text_and_binary_of_the_same_run_give_the_same_words(realdata: Path) -> None:
    binary = muonscope.open(str(realdata / "run000591_data_000000.dat"), "run000591")
    text = muonscope.open(str(realdata / "run000591_data_000000.txt"), "run000591")
    assert np.array_equal(binary.words(), text.words())


def test_a_path_may_be_a_path(realdata: Path) -> None:
    path = realdata / "minidt_data_000000_first999rows.csv"
    assert len(muonscope.open(path).words()) == 999


def test_a_recording_can_be_read_again_and_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("muonscope.transports.files.CHUNK_BYTES", 10_000)
    (tmp_path / "a.dat").write_bytes(WORDS.tobytes())
    recording = muonscope.open(str(tmp_path / "a.dat"))
    pieces = list(recording.batches())
    assert len(pieces) > 5
    assert np.array_equal(np.concatenate(pieces), WORDS)
    assert np.array_equal(recording.words(), WORDS)
    assert "a.dat" in repr(recording)


def test_folders_and_globs_can_be_opened(tmp_path: Path) -> None:
    for n in (1, 2, 10):
        (tmp_path / f"data_{n}.dat").write_bytes(WORDS[n * 10 : n * 10 + 10].tobytes())
    wanted = np.concatenate([WORDS[n * 10 : n * 10 + 10] for n in (1, 2, 10)])
    assert np.array_equal(muonscope.open(str(tmp_path)).words(), wanted)
    assert np.array_equal(muonscope.open(f"{tmp_path}/*.dat").words(), wanted)


def test_an_empty_file_has_no_words(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    words = muonscope.open(str(tmp_path / "empty")).words()
    assert words.shape == (0,)
    assert words.dtype == np.uint64
    assert len(muonscope.open(str(tmp_path / "empty")).summarise()) == 0


@pytest.mark.parametrize(
    ("name", "text"), [("missing", "no such file"), ("page", "nothing could be decoded")]
)
def test_what_cannot_be_read_is_one_of_our_errors(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / "page").write_bytes(b"<html></html>")
    with pytest.raises(muonscope.MuonscopeError, match=text):
        muonscope.open(str(tmp_path / name)).words()


def test_an_unknown_detector_is_refused_when_it_is_named() -> None:
    with pytest.raises(muonscope.MuonscopeError, match="atlas"):
        muonscope.open("whatever", "atlas")
    with pytest.raises(muonscope.MuonscopeError, match="atlas"):
        muonscope.summarise(WORDS, "atlas")


def test_rejects_are_given_to_who_asks_for_them(tmp_path: Path) -> None:
    from muonscope.words.rejects import Rejects

    (tmp_path / "cut.dat").write_bytes(WORDS.tobytes() + b"123")
    rejects = Rejects()
    recording = muonscope.open(str(tmp_path / "cut.dat"))
    assert sum(map(len, recording.batches(rejects))) == len(WORDS)
    assert rejects.bytes_rejected == 3


# --- summarise -----------------------------------------------------------------------------


def test_the_real_sample_is_summarised_as_the_issue_says(realdata: Path) -> None:
    windows = muonscope.open(str(realdata / "minidt_data_000000_first999rows.csv")).summarise()
    total = windows.total()
    assert total.hits_per_chamber.tolist() == [80, 171, 103, 143]
    assert {window.epoch for window in windows} == {0, 1}
    assert total.accounting.words_in == 999


def test_windows_are_a_sequence() -> None:
    windows = muonscope.summarise(WORDS, window=0.1)
    assert len(windows) == len(list(windows)) > 10
    assert windows[0].window < windows[-1].window
    assert [w.window for w in windows[1:3]] == [windows[1].window, windows[2].window]
    with pytest.raises(IndexError):
        windows[len(windows)]
    assert windows[0].last_orbit - windows[0].first_orbit + 1 == 1122


def test_the_sum_of_windows_is_the_whole() -> None:
    windows = muonscope.summarise(WORDS, window=0.1)
    whole = muonscope.Summary.empty(windows.detector)
    for window in windows:
        whole = whole + window.summary
    total = windows.total()
    assert np.array_equal(whole.class_words, total.class_words)
    assert np.array_equal(whole.drift_histogram, total.drift_histogram)
    assert whole.condensed() + muonscope.Summary.empty(windows.detector) == whole.condensed()
    long = muonscope.summarise(WORDS, window=600).total()
    assert np.array_equal(long.class_words, total.class_words)


def test_adding_anything_else_is_a_type_error(legnaro: Detector, run000591: Detector) -> None:
    empty = muonscope.Summary.empty(legnaro)
    with pytest.raises(TypeError):
        empty + 1
    with pytest.raises(ValueError, match="cannot be merged"):
        empty + muonscope.Summary.empty(run000591)


@pytest.mark.parametrize("window", [0.0, -1.0, float("nan"), float("inf"), 1e9])
def test_a_window_that_makes_no_sense_is_refused(window: float) -> None:
    with pytest.raises(muonscope.MuonscopeError):
        muonscope.summarise(WORDS, window=window)


@pytest.mark.parametrize(
    "words", [[1, 2, 3], np.array([1, 2, 3]), np.ones((2, 2), np.uint64), np.array([1.0])]
)
def test_what_are_no_words_is_a_type_error(words: object) -> None:
    with pytest.raises(TypeError, match="uint64"):
        muonscope.summarise(words)  # type: ignore[arg-type]


@pytest.mark.parametrize("words", [WORDS[::2], WORDS[::-1], np.array([], np.uint64)])
def test_any_array_of_words_is_taken_and_left_as_it_is(words: np.ndarray) -> None:
    before = words.copy()
    words.flags.writeable = False
    assert muonscope.summarise(words).total().accounting.words_in == len(words)
    assert np.array_equal(words, before)


def test_a_detector_can_be_a_name_a_file_or_itself(tmp_path: Path, legnaro: Detector) -> None:
    from muonscope.detector import setup_text

    (tmp_path / "mine.toml").write_text(setup_text("legnaro"))
    wanted = muonscope.summarise(WORDS, legnaro).total()
    assert muonscope.summarise(WORDS, "legnaro").total() == wanted
    assert muonscope.summarise(WORDS, str(tmp_path / "mine.toml")).total() == wanted
    assert muonscope.summarise(WORDS).total() == wanted
    assert muonscope.shipped_detector("legnaro") == legnaro == muonscope.shipped_detector()


def test_summarise_accounts_for_words_outside_of_windows() -> None:
    words = np.array([1 << 61, 7 << 61], np.uint64)
    windows = muonscope.summarise(words)
    assert len(windows) == 0
    assert windows.total().accounting.words_in == 2


# --- what is seen --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def total() -> muonscope.Summary:
    """Give the summary of all words."""
    return muonscope.summarise(WORDS).total()


def test_hists_hold_the_counts(total: muonscope.Summary) -> None:
    hists = total.to_hist()
    assert set(hists) == {"channel", "scint_channel", "drift_time", "multiplicity"}
    assert all(isinstance(h, hist.Hist) for h in hists.values())
    assert hists["channel"].sum() == total.total_hits
    per_chamber = hists["channel"].project("chamber").values()
    assert per_chamber.tolist() == total.hits_per_chamber.tolist()
    assert hists["scint_channel"].sum() == total.scint_hits.sum() > 0
    drift = hists["drift_time"]
    assert np.array_equal(drift.view(flow=True), total.drift_histogram)
    assert drift.axes[1].edges[[0, 1, -1]].tolist() == [-100, -97.5, 700]
    assert np.array_equal(hists["multiplicity"].values(), total.multiplicity)


def test_a_channel_is_found_at_its_place_in_the_hist() -> None:
    words = pack_hits(2, [0, 0, 1], [5, 70, 127], 1000, 10, 3)
    channels = muonscope.summarise(words).total().to_hist()["channel"]
    filled = {
        (chamber, channel): int(channels[hist.loc(chamber), hist.loc(channel)])
        for chamber, channel in ((0, 5), (1, 70), (3, 127), (2, 5))
    }
    assert filled == {(0, 5): 1, (1, 70): 1, (3, 127): 1, (2, 5): 0}


def test_hists_of_every_shipped_detector_can_be_made() -> None:
    from muonscope.detector import setup_names

    for name in setup_names():
        detector = muonscope.shipped_detector(name)
        words = simulated_words(500, detector=detector) if detector.scintillators else WORDS[:0]
        total = muonscope.summarise(words, detector).total()
        assert total.to_hist()["channel"].sum() == total.total_hits


def test_reprs_tell_the_numbers(total: muonscope.Summary) -> None:
    windows = muonscope.summarise(WORDS)
    for text in (repr(total), repr(windows)):
        assert "legnaro" in text
        assert f"{len(WORDS):,}" in text
        assert "\n" not in text
    assert f"{len(windows)} windows of 1 s" in repr(windows)
    assert "no words" in repr(muonscope.Summary.empty(total.detector))


def test_the_html_is_a_table_of_the_chambers(total: muonscope.Summary) -> None:
    from xml.etree import ElementTree as ET

    for summary in (total, muonscope.Summary.empty(total.detector)):
        html = summary._repr_html_()
        page = ET.fromstring(f"<div>{html}</div>")
        rows = page.findall(".//tbody/tr")
        assert len(rows) == 4
        hits = [row[1].text for row in rows]
        assert hits == [f"{n:,}" for n in summary.hits_per_chamber.tolist()]


def test_drift_times_are_in_the_order_of_time() -> None:
    (window,) = muonscope.summarise(
        pack_hits(2, [1, 0, 0], [128, 3, 9], 5, [100, 104, 99], [0, 15, 0])
    )
    assert window.summary.drift_ns(0).tolist() == pytest.approx([68.9, 206.4])
    with pytest.raises(ValueError, match="condensed"):
        window.summary.condensed().drift_ns(0)


def test_the_counter_gives_the_same_in_any_pieces() -> None:
    counter = Counter(muonscope.shipped_detector())
    tables = [counter.push(WORDS[at : at + 700]) for at in range(0, len(WORDS), 700)]
    merged = sum(
        (t.total() for t in [*tables, counter.finish()]),
        muonscope.Summary.empty(counter.detector).condensed(),
    )
    assert merged + counter.remainder == muonscope.summarise(WORDS).total()
