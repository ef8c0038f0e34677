"""Faults: how they are written, and that each does what it says and nothing else."""

import numpy as np
import pytest

from helpers.collected import Run, simulated_run
from muonscope.detector import Detector
from muonscope.errors import OptionError
from muonscope.simulation.faults import FAULT_KINDS, parse_fault
from muonscope.simulation.options import Simulation
from muonscope.simulation.profiles import PROFILES
from muonscope.simulation.signals import Origin
from muonscope.simulation.telescope import simulate

SECONDS = 12.0


@pytest.fixture(scope="module")
def sound() -> Run:
    """The quiet telescope without a fault."""
    return simulated_run("quiet", SECONDS)


def faulty(*specs: str) -> Run:
    return simulated_run("quiet", SECONDS, faults=specs)


def keys(run: Run, rows: np.ndarray) -> list[tuple[int, int, int]]:
    """Return what identifies hits, whatever order they leave in."""
    return sorted(
        zip(
            run.ticks[rows].tolist(),
            run.address[rows].tolist(),
            run.muon[rows].tolist(),
            strict=True,
        )
    )


def within(run: Run, start_s: float, end_s: float) -> np.ndarray:
    since = (run.fields.orbit - 616_953) * 89.1e-6
    inside: np.ndarray = run.is_hit & (since >= start_s) & (since < end_s)
    return inside


def chamber(run: Run) -> np.ndarray:
    return np.where(run.is_hit, run.address // 64, -1)


@pytest.mark.parametrize(
    ("spec", "at_fault"),
    [
        ("dead:ch2:7@4s-8s", lambda run: run.address == 2 * 64 + 7),
        ("hv-off:ch1@4s-8s", lambda run: chamber(run) == 1),
        ("low-gain:ch3:0.25@4s-8s", lambda run: chamber(run) == 3),
        ("silent:fpga1@4s-8s", lambda run: run.is_hit & (run.fields.fpga == 1)),
    ],
)
def test_a_fault_takes_away_in_its_time_and_place_and_nothing_else(
    sound: Run, spec: str, at_fault: object
) -> None:
    run = faulty(spec)
    assert callable(at_fault)
    here, there = at_fault(run), at_fault(sound)
    for start, end in ((0.2, 3.9), (8.1, 11.9)):
        rows, others = within(run, start, end), within(sound, start, end)
        assert keys(run, rows) == keys(sound, others)
    inside, before = within(run, 4.001, 7.999), within(sound, 4.001, 7.999)
    assert keys(run, inside & ~here) == keys(sound, before & ~there)
    left = (inside & here).sum() / (before & there).sum()
    assert left == pytest.approx(0.25 if "low-gain" in spec else 0, abs=0.04)


def test_a_silent_fpga_writes_no_ancillary_words_either() -> None:
    run = faulty("silent:fpga0")
    assert (run.fields.fpga == 1).all()
    assert (run.fields.head != 2).any()
    run = faulty("silent:fpga0@4s-8s")
    written = run.seconds[run.fields.fpga == 0]
    assert not ((written > 4.0) & (written < 8.0)).any()
    ancillary = run.seconds[(run.fields.fpga == 0) & (run.fields.head != 2)]
    assert (ancillary < 4.0).any()
    assert (ancillary > 8.0).any()


def test_noise_of_a_channel_or_of_all_is_added(sound: Run) -> None:
    run = faulty("noisy:ch0:61:500@4s-8s")
    here = run.address == 61
    added = (within(run, 4, 8) & here).sum() - (within(sound, 4, 8) & (sound.address == 61)).sum()
    assert added == pytest.approx(2000, abs=6 * 45)
    assert (within(run, 0, 4) & here).sum() == (within(sound, 0, 4) & (sound.address == 61)).sum()
    burst = faulty("burst:20@4s-8s")
    noise = [(within(r, 4, 8) & (r.origin == Origin.NOISE)).sum() for r in (burst, sound)]
    assert noise[0] / noise[1] == pytest.approx(20, rel=0.06)
    assert keys(burst, within(burst, 0.2, 3.9)) == keys(sound, within(sound, 0.2, 3.9))


def test_another_gas_drifts_at_another_velocity(sound: Run) -> None:
    run = faulty("gas:40")
    ends = []
    for r in (run, sound):
        rows = r.is_hit & (r.origin == Origin.MUON) & (r.drift_mm > 10) & (r.drift_mm < 20)
        muon = np.searchsorted(r.muons.number, r.muon[rows])
        since_ns = (r.ticks[rows] - 616_953 * 106_920) / 1.2 - r.muons.ns[
            np.minimum(muon, len(r.muons) - 1)
        ]
        ends.append(np.polyfit(r.drift_mm[rows], since_ns, 1)[0])
    assert ends[0] == pytest.approx(1e3 / 40, rel=0.02)
    assert ends[1] == pytest.approx(1e3 / 54.2, rel=0.02)


def test_a_time_shift_moves_one_chamber(sound: Run) -> None:
    run = faulty("shift:ch2:50@4s-8s")
    rows, others = within(run, 4.01, 7.99), within(sound, 4.01, 7.99)
    moved = chamber(run) == 2
    assert keys(run, rows & ~moved) == keys(sound, others & (chamber(sound) != 2))
    ours = np.sort(run.ticks[rows & moved])
    theirs = np.sort(sound.ticks[others & (chamber(sound) == 2)])
    assert len(ours) == len(theirs)
    assert np.median(ours - theirs) == 60  # 50 ns in ticks


def test_a_dead_scintillator_gives_no_signal() -> None:
    signals = [
        (r.origin == Origin.SCINTILLATOR).sum() for r in (faulty("dead-scintillator"), faulty())
    ]
    assert signals[0] == 0
    assert signals[1] > 5


def test_an_fpga_out_of_step_shows_other_orbits_and_comes_back(sound: Run) -> None:
    run = faulty("desync:fpga1:5000@4s-8s")
    assert len(run.words) == len(sound.words)
    ahead = run.fields.orbit - sound.fields.orbit
    wrong = (run.fields.fpga == 1) & (run.seconds > 4.1) & (run.seconds < 7.9) & run.is_hit
    assert (ahead[wrong] == 5000).all()
    assert (ahead[run.fields.fpga == 0] == 0).all()
    assert (ahead[run.is_hit & ((run.seconds < 3.9) | (run.seconds > 8.1))] == 0).all()


def test_ancillary_words_are_out_of_step_with_their_fpga(sound: Run) -> None:
    run = faulty("desync:fpga1:5000")
    ahead = run.fields.orbit - sound.fields.orbit
    ancillary = ~run.is_hit
    assert (ancillary & (run.fields.fpga == 1)).sum() > 100
    assert (ahead[ancillary & (run.fields.fpga == 1)] == 5000).all()
    assert (ahead[ancillary & (run.fields.fpga == 0)] == 0).all()


@pytest.mark.parametrize("noise", ["burst:20", "noisy:ch2:7:500"])
def test_what_is_dead_has_no_noise_from_another_fault_either(noise: str) -> None:
    loud, run = faulty(noise), faulty(noise, "dead:ch2:7")
    assert (loud.is_hit & (loud.address == 2 * 64 + 7)).sum() > 20
    assert (run.is_hit & (run.address == 2 * 64 + 7)).sum() == 0


def test_groups_come_twice(sound: Run) -> None:
    run = faulty("duplicate:0.1@4s-8s")
    copies = run.origin == Origin.DUPLICATE
    assert copies.sum() % 4 == 0
    assert copies.sum() / (within(sound, 4, 8)).sum() == pytest.approx(0.1 / 0.86, rel=0.25)
    rows = np.flatnonzero(copies)
    assert np.array_equal(run.words[rows], run.words[rows - 4])
    assert np.array_equal(run.words[~copies], sound.words)
    assert 4 <= run.seconds[copies].min() < run.seconds[copies].max() < 8


def test_bits_flip(sound: Run) -> None:
    run = faulty("corrupt:0.02@4s-8s")
    changed = run.words != sound.words
    bits = np.bitwise_count(run.words ^ sound.words)
    assert np.array_equal(changed, run.origin == Origin.CORRUPT)
    assert set(bits[changed].tolist()) <= {1, 2, 3}
    assert bits[changed].mean() == pytest.approx(1.6, abs=0.25)
    during = (sound.seconds >= 4) & (sound.seconds < 8)
    assert changed[during].mean() == pytest.approx(0.02, rel=0.2)
    assert not changed[~during].any()


def test_faults_of_one_kind_add_up(sound: Run) -> None:
    run = faulty("dead:ch0:1", "dead:ch0:2", "noisy:ch0:3:100", "noisy:ch0:3:100@0s-6s")
    counts = np.bincount(run.address[run.is_hit], minlength=256)
    assert counts[1] == counts[2] == 0
    assert counts[3] == pytest.approx(1800, abs=250)


@pytest.mark.parametrize("kind", FAULT_KINDS)
def test_every_fault_can_be_written_as_its_form_says(kind: str, legnaro: Detector) -> None:
    form = FAULT_KINDS[kind].form.split("[")[0]
    spec = form.replace("chN", "ch1").replace("fpgaN", "fpga1").replace("CHANNEL", "70")
    fault = parse_fault(spec + "@1s-2min", legnaro)
    assert (fault.kind, fault.start_s, fault.end_s) == (kind, 1.0, 120.0)
    assert fault.value == FAULT_KINDS[kind].default
    assert fault.cell == (70 if FAULT_KINDS[kind].target == "channel" else None)


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ("meltdown", "unknown 'meltdown'; there are dead:chN:CHANNEL, noisy"),
        ("", "unknown ''"),
        ("hv-off", "found '' in hv-off:chN, expected one of ch0, ch1, ch2, ch3"),
        ("hv-off:ch4", "expected one of ch0, ch1, ch2, ch3"),
        ("hv-off:chamber1", "expected one of ch0"),
        ("hv-off:ch\uff11", "expected one of ch0"),
        ("dead:ch1:5", "expected a channel of chamber 1: 64 .. 127"),
        ("dead:ch0", "expected a channel of chamber 0: 0 .. 63"),
        ("dead:ch0:-1", "expected a channel of chamber 0"),
        ("silent:fpga2", "expected one of fpga0, fpga1"),
        ("noisy:ch0:5:-3", "found HZ '-3', expected a number 0.001 .. 100000"),
        ("noisy:ch0:5:nan", "expected a number"),
        ("low-gain:ch0:1.5", "expected a number 0 .. 1"),
        ("corrupt:0", "expected a number 1e-09 .. 1"),
        ("dead-scintillator:ch1", "found too much, expected dead-scintillator"),
        ("gas:50:60", "found too much"),
        ("gas@40s-20s", "ends at 20 s, before it begins at 40 s"),
        ("gas@20s", "found @20s, expected @START-END"),
        ("gas@a-b", "found 'a', expected a number with a unit"),
        ("gas@5s-5s", "ends at 5 s"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused_with_what_there_is(
    spec: str, text: str, legnaro: Detector
) -> None:
    with pytest.raises(OptionError) as caught:
        parse_fault(spec, legnaro)
    assert text in str(caught.value)
    assert repr(spec) in str(caught.value)


def test_either_time_may_be_left_out(legnaro: Detector) -> None:
    assert parse_fault("gas@-5s", legnaro).end_s == 5.0
    late = parse_fault("gas@5s-", legnaro)
    assert (late.start_s, late.end_s) == (5.0, float("inf"))
    assert parse_fault("gas", legnaro).start_s == 0.0


def test_a_chamber_without_hits_triggers_nothing(sound: Run) -> None:
    run = faulty("hv-off:ch0", "hv-off:ch1")
    on_0 = run.fields.fpga == 0
    assert not on_0.any()  # no hits, no ancillary words, no trigger words
    other = run.fields.fpga == 1
    assert np.array_equal(run.words[other], sound.words[sound.fields.fpga == 1])


def test_what_the_firmware_sees_is_shifted_too(sound: Run) -> None:
    run = faulty("shift:ch2:1000", "shift:ch3:1000")
    both = [np.flatnonzero((r.fields.head == 0) & (r.fields.fpga == 1)) for r in (run, sound)]
    late = [
        (r.fields.orbit[rows] * 3564 + r.fields.bx[rows]) * 30 + r.fields.tdc[rows]
        for r, rows in zip((run, sound), both, strict=True)
    ]
    n = min(map(len, late))
    assert n > 400
    assert np.median(np.sort(late[0])[:n] - np.sort(late[1])[:n]) == 1200


def test_after_pulses_follow_hits_that_were_seen() -> None:
    run = faulty("low-gain:ch2:0.05")
    mine = run.is_hit & (run.address // 64 == 2)
    order = np.lexsort((run.ticks[mine], run.address[mine]))
    origin, ticks = run.origin[mine][order], run.ticks[mine][order]
    after = np.flatnonzero(origin == Origin.AFTERPULSE)
    assert len(after) > 10
    assert (ticks[after] - ticks[after - 1] < 2000).all()


@pytest.mark.slow
def test_much_noise_comes_in_bounded_pieces(legnaro: Detector) -> None:
    faults = tuple(parse_fault(f"noisy:ch0:{n}:100000", legnaro) for n in range(4))
    simulation = Simulation(detector=legnaro, profile=PROFILES["quiet"], seconds=6.0, faults=faults)
    sizes = [len(batch.stream) for batch in simulate(simulation)]
    assert sum(sizes) > 2_000_000
    assert max(sizes) < 700_000
