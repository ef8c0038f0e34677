"""The stream: groups, order, counters, ancillary words, what stands at the start."""

import numpy as np
import pytest

from helpers.collected import Run, simulated_run, with_daq
from muonscope.detector import Detector, parse_detector, setup_text
from muonscope.simulation.daq import order_of
from muonscope.simulation.profiles import PROFILES
from muonscope.simulation.signals import NO_ADDRESS, Origin
from muonscope.words.text import CsvDecoder
from muonscope.words.text_encode import TextEncoder


def test_words_come_in_groups_of_four_of_one_fpga_and_kind(quiet_run: Run) -> None:
    fields = quiet_run.fields
    kind = np.where(fields.head == 2, 0, 1) * 8 + fields.fpga
    assert len(kind) % 4 == 0
    groups = kind.reshape(-1, 4)
    assert (groups == groups[:, :1]).all()
    assert {0, 1, 8, 9} == set(groups[:, 0].tolist())


def test_fields_are_in_range(quiet_run: Run) -> None:
    hits = quiet_run.fields.head == 2
    fields = quiet_run.fields
    assert 0 <= fields.bx[hits].min() <= fields.bx[hits].max() == 3563
    cells = hits & (fields.channel < 128)
    assert set(fields.tdc[cells].tolist()) == set(range(1, 31))
    assert (fields.tdc[fields.channel == 138] == 1).all()
    assert set(fields.channel[hits].tolist()) == {*range(128), 128, 138}


def test_bx_inside_an_orbit_is_only_roughly_in_order(quiet_run: Run) -> None:
    hits = np.flatnonzero((quiet_run.fields.head == 2) & (quiet_run.fields.fpga == 1))
    orbit, bx = quiet_run.fields.orbit[hits], quiet_run.fields.bx[hits]
    steps = np.diff(bx)[np.diff(orbit) == 0]
    assert steps.min() >= -16
    assert 0.05 < (steps < 0).mean() < 0.6


def test_words_leave_in_order(quiet_run: Run) -> None:
    assert (np.diff(quiet_run.seconds) >= 0).all()
    hits = quiet_run.is_hit
    signal_s = (quiet_run.fields.orbit[hits] - 616_953) * 89.1e-6
    wait = quiet_run.seconds[hits] - signal_s
    assert wait.min() > -90e-6
    assert wait.max() < 0.1  # until three more words of the lane are there


def test_ancillary_words_have_the_layout_and_the_order_of_the_recorded_ones(
    quiet_run: Run,
) -> None:
    fields = quiet_run.fields
    rows = np.flatnonzero((fields.head != 2) & (fields.fpga == 0))
    whole = rows[: len(rows) // 5 * 5].reshape(-1, 5)
    assert (fields.head[whole] == [3, 1, 0, 4, 5]).all()
    assert (fields.orbit[whole] == fields.orbit[whole[:, :1]]).all()
    mask = fields.bx[whole[:, 0]]
    nibbles = (mask[:, None] >> (4 * np.arange(4))) & 15
    assert np.isin(nibbles, [0, 1, 2, 4, 8]).all()
    assert np.isin((nibbles > 0).sum(axis=1), [3, 4]).all()
    number = fields.tdc[whole[:, 1]]
    assert set(np.bitwise_count(number.astype(np.uint8)).tolist()) <= {1, 2}
    assert 2 <= number.min() <= number.max() <= 168
    assert fields.bx[whole[:, 2]].max() < 3564
    assert set(fields.tdc[whole[:, 2]].tolist()) == set(range(1, 31))
    assert fields.channel[whole[:, 2]].max() < 32
    assert 1 < np.abs(fields.tdc[whole[:, 3]]).max() < 2.1  # recorded: up to 1.61
    assert 60 < np.abs(fields.tdc[whole[:, 4]]).max() < 120  # recorded: -67 .. 87


def test_ancillary_words_tell_what_the_muon_did(quiet_run: Run) -> None:
    fields, muons = quiet_run.fields, quiet_run.muons
    slopes = np.flatnonzero((fields.head == 4) & np.isin(quiet_run.muon, muons.number))
    muon = np.searchsorted(muons.number, quiet_run.muon[slopes])
    told = fields.tdc[slopes]
    one_view = np.minimum(np.abs(told - muons.slope_x[muon]), np.abs(told - muons.slope_y[muon]))
    assert np.percentile(one_view, 95) < 0.03
    t0 = np.flatnonzero((fields.head == 0) & np.isin(quiet_run.muon, muons.number))
    muon = np.searchsorted(muons.number, quiet_run.muon[t0])
    told_ns = (fields.orbit[t0] - 616_953) * 89_100 + 25 * (fields.bx[t0] + fields.tdc[t0] / 30)
    assert np.abs(told_ns - muons.ns[muon]).max() < 40  # delays of the chambers and resolution


def test_ancillary_words_run_ahead_by_10_to_12_s_after_a_ramp(quiet_run: Run) -> None:
    fields = quiet_run.fields
    for fpga, lead_s in ((0, 12.33), (1, 10.2)):
        rows = (fields.head != 2) & (fields.fpga == fpga)
        ahead = (fields.orbit[rows] - 616_953) * 89.1e-6 - quiet_run.seconds[rows]
        now = quiet_run.seconds[rows]
        assert ahead.min() > -1
        assert ahead[now > 2].min() > lead_s - 0.6  # a slow lane fills its groups slowly
        assert ahead.max() < lead_s + 0.01
        ramp = now < 1.0
        assert np.abs(ahead[ramp] - 7 * now[ramp]).max() < 1.5
    assert 0.35 < (fields.head[:3000] == 2).mean() < 0.6  # recorded: half


def test_a_trigger_word_follows_its_t0_by_15_7_bx(quiet_run: Run) -> None:
    fields = quiet_run.fields
    rows = np.flatnonzero(fields.channel == 138)
    rows = rows[fields.head[rows] == 2]
    muons = quiet_run.muons
    rows = rows[np.isin(quiet_run.muon[rows], muons.number)]
    muon = np.searchsorted(muons.number, quiet_run.muon[rows])
    at_ns = (fields.orbit[rows] - 616_953) * 89_100 + 25 * fields.bx[rows]
    late = at_ns - muons.ns[muon]
    assert len(rows) > 1000
    assert np.median(late) == pytest.approx(391.6, abs=8)  # delays of the chambers


def test_the_start_holds_words_of_another_run() -> None:
    run = simulated_run("legnaro", 2.0)
    stale = run.origin == Origin.STALE
    assert stale.sum() == 328
    assert stale[:328].all()
    orbit = run.fields.orbit[:328][run.fields.head[:328] == 2]
    assert np.abs(orbit - 3_387_200_947).max() < 20_000
    ahead = run.fields.orbit[:328][run.fields.head[:328] != 2]
    assert ((ahead - orbit.min()) * 89.1e-6 > 9).all()
    kind = np.where(run.fields.head[:328] == 2, 0, 2) + run.fields.fpga[:328]
    assert kind[::4].tolist() == [0, 1, 2, 3] * 20 + [0, 1]  # lanes in turn, as recorded
    assert (run.muon[:328] == -1).all()
    assert 616_953 <= run.fields.orbit[328:][run.fields.head[328:] == 2].min() < 617_100


def test_the_counter_begins_where_it_is_told_and_wraps() -> None:
    run = simulated_run("quiet", 2.0, start_orbit=2**32 - 11_000)
    usual = simulated_run("quiet", 2.0)
    hits = run.is_hit
    orbit = run.fields.orbit[hits]
    assert orbit[0] > 2**32 - 11_100
    assert orbit[-1] < 12_000
    assert np.array_equal(
        (run.fields.orbit - 2**32 + 11_000) % 2**32, (usual.fields.orbit - 616_953) % 2**32
    )


def test_a_detector_with_v1_words_has_no_ancillary_ones(run000591: Detector) -> None:
    run = simulated_run("quiet", 5.0, detector=run000591)
    assert set(run.fields.head.tolist()) == {1}
    assert set(run.fields.fpga.tolist()) == {0, 1}
    assert (run.fields.channel == 138).sum() > 20
    assert (run.address != NO_ADDRESS).all()


def test_a_tdc_of_32_ticks_gives_0_to_31() -> None:
    text = setup_text("bologna2").replace("ticks_per_bx = 30", "ticks_per_bx = 32")
    run = simulated_run("bologna", 5.0, detector=parse_detector(text))
    assert set(run.fields.tdc.tolist()) == set(range(32))
    assert run.fields.bx.max() <= 3563


def test_every_word_can_be_written_as_text(quiet_run: Run) -> None:
    words, readout = quiet_run.words[:20_000], quiet_run.detector.readout
    encoder, decoder = TextEncoder(readout), CsvDecoder(readout)
    text = encoder.begin() + encoder.encode(words) + encoder.end()
    decoded = decoder.feed(text)
    assert not decoded.rejects
    assert np.array_equal(np.concatenate([decoded.words, decoder.finish().words]), words)


def test_the_lead_of_a_fast_telescope_is_the_same_number_of_words() -> None:
    run = simulated_run("quiet", 1.0, rate_scale=20.0)
    rows = (run.fields.head != 2) & (run.seconds > 0.8)
    ahead = (run.fields.orbit[rows] - 616_953) * 89.1e-6 - run.seconds[rows]
    assert 9 / 20 < ahead.min() < ahead.max() < 12.5 / 20


def test_no_lead_no_wait() -> None:
    run = simulated_run(with_daq("quiet", trigger_lead_s=()), 2.0)
    rows = run.fields.head != 2
    ahead = (run.fields.orbit[rows] - 616_953) * 89.1e-6 - run.seconds[rows]
    assert ahead.max() <= 0


def test_a_slab_leaves_no_seam() -> None:
    # slabs of the busy telescope are some milliseconds long
    run = simulated_run("quiet", 0.5, rate_scale=1000.0)
    hits = run.is_hit
    assert hits.sum() > 500_000
    per_ms, _ = np.histogram(run.seconds[hits], np.arange(0, 0.5, 1e-3))
    assert np.abs(per_ms / np.median(per_ms) - 1).max() < 0.25
    for fpga in (0, 1):
        assert (np.diff(run.fields.orbit[hits & (run.fields.fpga == fpga)]) >= 0).all()
    order = np.lexsort((run.ticks[hits], run.address[hits]))
    gaps = np.diff(run.ticks[hits][order])[np.diff(run.address[hits][order]) == 0]
    assert gaps.min() >= 96  # the dead time of 80 ns


@pytest.mark.parametrize(
    "keys",
    [[], [5], [3, 1, 2, 1, 3], [2**62, 0, 2**62, -1], [0, 2**63 - 1, -(2**63), 0]],
)
def test_order_is_stable_whatever_the_keys(keys: list[int]) -> None:
    array = np.array(keys, np.int64)
    assert order_of(array).tolist() == np.argsort(array, kind="stable").tolist()


def test_the_profiles_say_what_they_belong_to() -> None:
    assert {p.detector for p in PROFILES.values()} == {"legnaro", "bologna2"}


def test_masks_slopes_and_positions_fit_each_other_as_in_the_recorded_words(
    quiet_run: Run,
) -> None:
    """The check that the recorded words pass: wires of the mask lie along the line told."""
    fields = quiet_run.fields
    rows = np.flatnonzero((fields.head != 2) & (fields.fpga == 1))
    whole = rows[: len(rows) // 5 * 5].reshape(-1, 5)
    mask, slope, place = (
        fields.bx[whole[:, 0]], fields.tdc[whole[:, 3]], fields.tdc[whole[:, 4]]
    )  # fmt: skip
    good = total = 0
    for nibble in range(4):  # the top layer first; layers 3 and 1 half a cell to the right
        bits = mask >> 4 * nibble & 15
        wire = np.log2(np.maximum(bits, 1)) * 42 - 63 + (21 if nibble % 2 else 0)
        at = place + slope * (19.5 - 13 * nibble)
        good += int((np.abs(at - wire)[bits > 0] < 21.5).sum())
        total += int((bits > 0).sum())
    assert good / total > 0.97


def test_signals_that_come_before_their_slab_are_in_order_too() -> None:
    run = simulated_run("quiet", 0.5, rate_scale=1000.0, faults=("shift:ch0:-10000",))
    rows = run.is_hit & (run.fields.fpga == 0)
    orbit, bx = run.fields.orbit[rows], run.fields.bx[rows]
    assert len(orbit) > 250_000
    assert (np.diff(orbit) >= 0).all()
    assert np.diff(bx)[np.diff(orbit) == 0].min() >= -16
