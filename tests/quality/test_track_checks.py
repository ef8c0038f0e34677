"""Verdicts from tracks: what they find, how fast, which one it is, and when they keep silent."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest

import muonscope
from helpers.judged import judged, problems, reference, windows
from muonscope.counting.blocks import WITH_TRACKS
from muonscope.counting.counter import Counter
from muonscope.detector import Detector
from muonscope.quality.check import Quiet, Setting
from muonscope.quality.judge import Judge
from muonscope.quality.profile import default_profile, parse_profiles
from muonscope.quality.reference import Reference
from muonscope.quality.seen import Seen
from muonscope.quality.track_checks import DriftVelocity, TrackConstants
from muonscope.quality.verdict import Change, State
from muonscope.results.read_message import WindowResult
from muonscope.simulation.options import detector_of
from muonscope.tracking.normal import equations, units_of
from muonscope.words.layout import unpack

pytestmark = pytest.mark.slow

FAULT_S = 70.0
STALE_S = 1.0
"""A recording begins with the words of a buffer, a window of their own."""
LEGNARO = detector_of("legnaro")


def known(profile: str = "legnaro") -> Reference:
    return reference(profile, 300.0, tracks=True)


def told(fault: str, profile: str = "legnaro", until_s: float = 100.0) -> list[Change]:
    some = windows(profile, until_s, 7, f"{fault}@{FAULT_S:g}s-", tracks=True)
    return problems(judged(some, known=known(profile))[1])


def counted(words: np.ndarray, detector: Detector = LEGNARO) -> list[WindowResult]:
    counter = Counter(detector, None, WITH_TRACKS)
    tables = [*counter.push_in_parts(words), counter.finish()]
    return [WindowResult.of(window, "words") for table in tables for window in table]


def first(changes: Iterable[Change]) -> tuple[str, str, State]:
    verdict = next(iter(changes)).verdict
    return verdict.check, verdict.target, verdict.state


@pytest.mark.parametrize("profile", ["legnaro", "bologna", "trains"])
def test_a_sound_telescope_has_no_problem(profile: str) -> None:
    judge, changes = judged(windows(profile, 300.0, 9, tracks=True), known=known(profile))
    assert problems(changes) == []
    states = {check: v.state for (check, _), v in judge.judged.verdicts.items()}
    assert states["chamber_time"] == states["drift_velocity"] == State.GOOD
    assert states["track_residual"] == states["chamber_efficiency"] == State.GOOD


@pytest.mark.parametrize(
    ("fault", "check", "target", "state", "within_s", "text"),
    [
        ("gas:53.6", "drift_velocity", "telescope", State.WARN, 15.0, "changed by -1."),
        ("gas:50", "drift_velocity", "telescope", State.BAD, 3.0, "changed by -"),
        ("shift:ch2:5", "chamber_time", "ch2", State.BAD, 3.0, "ns later than in the"),
        ("shift:ch0:-20", "chamber_time", "ch0", State.BAD, 3.0, "ns earlier than in the"),
    ],
)
def test_a_fault_is_one_problem_and_is_found_in_time(
    fault: str, check: str, target: str, state: State, within_s: float, text: str
) -> None:
    changes = told(fault)
    assert first(changes) == (check, target, state)
    verdict = changes[0].verdict
    assert FAULT_S < verdict.since_s < FAULT_S + STALE_S + within_s
    assert text in verdict.text
    others = {(c.verdict.check, c.verdict.target) for c in changes} - {(check, target)}
    assert others == set()


def test_a_weak_chamber_is_told_and_none_of_its_cells() -> None:
    changes = told("low-gain:ch0:0.75", until_s=200.0)
    (verdict,) = [c.verdict for c in changes if c.verdict.check == "chamber_efficiency"][:1]
    assert (verdict.target, verdict.state) == ("ch0", State.BAD)
    assert verdict.since_s < FAULT_S + STALE_S + 15.0
    assert "muons not seen" in verdict.text
    assert {c.verdict.check for c in changes} <= {"chamber_efficiency", "chamber_rate"}


def test_which_of_two_chambers_has_moved_is_not_made_up() -> None:
    changes = told("shift:ch1:5", "bologna")
    assert {(c.verdict.check) for c in changes} == {"chamber_time"}
    assert len({c.verdict.target for c in changes}) == 1
    assert "one of chambers 0, 1; if it is chamber " in changes[0].verdict.text


def test_a_chamber_that_was_moved_is_told_as_far_as_tracks_tell() -> None:
    chambers = list(LEGNARO.chambers)
    chambers[2] = replace(chambers[2], offset_mm=chambers[2].offset_mm + 1.0)
    moved = replace(LEGNARO, chambers=tuple(chambers))
    run = muonscope.simulate("legnaro", seconds=20.0, seed=3, detector=moved)
    changes = problems(judged(counted(run.words), known=known())[1])
    assert {(c.verdict.check) for c in changes} == {"chamber_place"}
    assert len({c.verdict.target for c in changes}) == 1
    # three chambers lie on a line or not: each of them may be the one
    assert "one of chambers 0, 2, 3; if it is chamber" in changes[0].verdict.text
    assert 0.7 < abs(changes[0].verdict.value) < 2.5


def test_a_weak_cell_is_told_and_not_its_chamber() -> None:
    run = muonscope.simulate("legnaro", seconds=240.0, seed=4)
    fields = unpack(run.words, LEGNARO.readout.version, LEGNARO.readout.hit_head)
    weak = (fields.fpga == 0) & (fields.channel == 33)
    lost = weak & (np.random.default_rng(1).random(len(weak)) < 0.25)
    changes = problems(judged(counted(run.words[~lost]), known=known())[1])
    assert {(c.verdict.check, c.verdict.target) for c in changes} == {("cell_efficiency", "ch0:33")}


def test_constants_of_another_telescope_are_told_without_a_reference() -> None:
    wrong = replace(LEGNARO, drift_velocity_um_per_ns=60.0)
    run = muonscope.simulate("legnaro", seconds=60.0, seed=5)
    judge, changes = judged(counted(run.words, wrong))
    verdicts = {c.verdict.check: c.verdict for c in problems(changes)}
    assert not verdicts.keys() & {"drift_velocity", "chamber_time", "chamber_place"}
    assert "68 % within 0." in verdicts["track_residual"].text
    assert "drift_velocity" in judge.judged.unjudged


def test_without_tracks_nothing_is_said_of_them() -> None:
    judge, _ = judged(windows("legnaro", 20.0, 9), known=known())
    assert not {check for check, _ in judge.judged.verdicts} & {"track_rate", "chamber_time"}
    assert judge.judged.unjudged == []
    judge, _ = judged(windows("legnaro", 20.0, 9, tracks=True), known=reference("legnaro", 300.0))
    assert set(judge.judged.unjudged) == {
        "track_rate", "drift_velocity", "chamber_time", "chamber_place", "chamber_efficiency",
        "cell_efficiency",
    }  # fmt: skip


def test_a_reference_tells_how_much_the_sums_of_windows_scatter() -> None:
    tracks = known().tracks
    assert tracks
    seen = [Seen.of(w).tracks for w in windows("legnaro", 300.0, 1000, tracks=True)]
    told = [equations(each.normal) for each in seen if each]
    off = np.array([right - normal @ tracks.constants for normal, right in told])
    weight = np.sum([np.diag(normal) for normal, _ in told], axis=0)
    there = tracks.told
    direct = (off**2).sum(axis=0)[there] / (weight[there] * tracks.variance)
    assert tracks.phi[there] == pytest.approx(np.maximum(1.0, direct), rel=1e-6)
    assert 1.2 < tracks.phi[0] < 2.5


def test_a_window_without_tracks_in_between_changes_nothing() -> None:
    some = list(windows("legnaro", 80.0, 9, tracks=True))
    gone = windows("legnaro", 80.0, 9)[40]
    judge = Judge(LEGNARO, reference=known())
    changes = [c for w in [*some[:40], gone, *some[41:]] for c in judge.take(w)]
    assert problems(changes) == []
    assert judge.judged.verdicts["chamber_time", "ch2"].state == State.GOOD


def velocity_after(changes: Iterable[float]) -> list[State]:
    """Return the state of the drift velocity after each second, changed as told."""
    base = known()
    assert base.tracks
    shared = TrackConstants(base)
    settings = default_profile().checks["drift_velocity"]
    check = DriftVelocity(Setting(settings=settings, reference=base, window_s=1.0), shared)
    template = Seen.of(windows("legnaro", 300.0, 1000, tracks=True)[5])
    assert template.tracks
    normal = np.rint(1000 * 12 * np.eye(len(base.tracks.constants))).astype(np.int64)
    chance, states = np.random.default_rng(2), []
    for change in changes:
        true = base.tracks.constants / units_of(LEGNARO.n_chambers)
        true[0] += change / units_of(1)[0]
        noise = chance.normal(0, (12 * 2 * base.tracks.variance) ** 0.5, len(true))
        right = np.rint(1000 * (12 * true + noise)).astype(np.int64)
        tracks = replace(template.tracks, normal=np.column_stack([normal, right]))
        seen = replace(template, tracks=tracks)
        none = np.zeros(LEGNARO.n_chambers)
        check.step(seen, Quiet(np.zeros(2, bool), none > 0, none, none > 0))
        states.append(State(int(check.states()[0])))
    return states


def test_weather_is_followed_and_a_bottle_of_gas_is_not() -> None:
    hours = np.linspace(0.0, 0.01, 3600)  # a percent in an hour
    states = velocity_after(hours)
    assert states[0] == State.NOT_ENOUGH
    assert set(states[600:]) == {State.GOOD}
    stepped = velocity_after([0.003] * 600 + [0.015] * 60)
    assert set(stepped[120:600]) == {State.GOOD}
    assert stepped[-1] == State.WARN
    assert velocity_after([0.0] * 90 + [0.08] * 10)[-1] == State.BAD
    slow = velocity_after(np.linspace(0.0, 0.07, 4 * 3600))
    assert slow[-1] == State.BAD  # however slowly it came


def test_efficiencies_are_judged_where_no_other_check_of_cells_is() -> None:
    names = "cell_dead", "cell_rate", "cell_trains"
    off = "".join(f"[check.{name}]\nenabled = false\n" for name in names)
    (profile,) = parse_profiles(off, where="a test")
    some = windows("legnaro", 100.0, 7, f"low-gain:ch0:0.75@{FAULT_S:g}s-", tracks=True)
    _, changes = judged(some, known=known(), profiles=[profile])
    assert ("chamber_efficiency", "ch0") in {(c.verdict.check, c.verdict.target) for c in changes}
