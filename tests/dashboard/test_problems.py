"""Problems as people see them: who has seen which, chambers at a glance, when verdicts turned."""

from dataclasses import replace

import numpy as np
import pytest

from dashboard.asking import Client, client_of
from dashboard.lives import LEGNARO, live_of, window
from dashboard.test_verdicts import judged, shown
from helpers.judged import windows
from muonscope.dashboard.live import Live
from muonscope.dashboard.problems import Acknowledgements, Turns, problems_document
from muonscope.dashboard.verdict_contract import Acknowledgement
from muonscope.quality.judge import Judge
from muonscope.quality.targets import chambers_of
from muonscope.quality.verdict import Change, State, Verdict

SEEN = Acknowledgement(check="chamber_rate", target="ch1", name="a shifter", note="called")
OURS = {"X-Muonscope": "1"}


def dark() -> Live:
    """Return a dashboard of a run whose chamber 1 is without high voltage from 40 s on."""
    live = judged()
    shown(live, windows("quiet", 80.0, 7, "hv-off:ch1@40s-"))
    return live


def test_a_problem_says_what_where_since_when_and_what_to_do() -> None:
    found = dark().problems()
    (problem,) = found.problems
    assert (problem.check, problem.target, problem.state) == ("chamber_rate", "ch1", "BAD")
    assert problem.text.startswith("chamber 1: 0 orbits with hits in 1.0 s, expected")
    assert problem.since_s == pytest.approx(41.0, abs=1.1)
    assert problem.since_at == "2027-01-15T08:00:00.000Z"
    assert "high voltage" in problem.advice
    assert (found.state, found.more, found.reference) == ("BAD", 0, "a good run")


def test_a_chamber_has_the_worst_verdict_of_it_and_its_parts_and_the_rate_that_is_expected() -> (
    None
):
    chambers = dark().problems().chambers
    assert [c.state for c in chambers] == ["GOOD", "BAD", "GOOD", "GOOD"]
    assert [c.problems for c in chambers] == [0, 1, 0, 0]
    hits = np.sum([w.summary.hits_per_chamber for w in windows("quiet", 1800.0, 1000)], axis=0)
    for chamber, n in zip(chambers, hits.tolist(), strict=True):
        assert chamber.band is not None
        assert chamber.band.usual == pytest.approx(n / 1800, rel=0.002)
        assert chamber.band.low <= 0.9 * chamber.band.usual + 0.001
        assert chamber.band.high == pytest.approx(
            2 * chamber.band.usual - chamber.band.low, abs=0.01
        )


@pytest.mark.parametrize(
    ("fault", "dead", "noisy"),
    [("dead:ch0:5@20s-", 1, 0), ("noisy:ch0:20:200@20s-", 0, 1)],
)
def test_dead_and_noisy_cells_are_counted(fault: str, dead: int, noisy: int) -> None:
    live = judged()
    shown(live, windows("quiet", 60.0, 7, fault))
    first = live.problems().chambers[0]
    assert (first.dead, first.noisy) == (dead, noisy)


def test_a_sound_run_stays_within_its_bands() -> None:
    live = judged()
    shown(live, windows("quiet", 120.0, 8))
    last = windows("quiet", 120.0, 8)[-60:]
    rates = np.sum([w.summary.hits_per_chamber for w in last], axis=0) / 60.0
    bands = [c.band for c in live.problems().chambers]
    assert all(b and b.low < rate < b.high for b, rate in zip(bands, rates.tolist(), strict=True))


def test_without_a_reference_no_rate_is_expected() -> None:
    live = judged(known=False)
    shown(live, windows("quiet", 30.0))
    found = live.problems()
    assert [c.band for c in found.chambers] == [None] * 4
    assert (found.total, found.reference) == (None, None)
    assert "drift_box" in found.not_judged


def test_the_turns_of_the_telescope_and_of_what_was_wrong_are_kept() -> None:
    live = judged()
    shown(live, windows("quiet", 100.0, 7, "hv-off:ch1@40s-60s"))
    turns = live.problems().turns
    telescope = [(t.state, round(t.since_s)) for t in turns if not t.check]
    assert [state for state, _ in telescope][:2] == ["NOT ENOUGH YET", "BAD"]
    assert telescope[1][1] == pytest.approx(41, abs=1)
    assert telescope[-1][0] == "NOT ENOUGH YET"
    assert 60 < telescope[-1][1] < 80
    of_chamber = [t.state for t in turns if (t.check, t.target) == ("chamber_rate", "ch1")]
    assert of_chamber in (["BAD", "GOOD"], ["BAD", "WARN", "GOOD"])


def test_what_somebody_has_seen_is_told_until_it_is_over() -> None:
    live = dark()
    assert live.acknowledge(SEEN)
    (problem,) = live.problems().problems
    assert problem.acknowledged is not None
    assert (problem.acknowledged.name, problem.acknowledged.note) == ("a shifter", "called")
    assert problem.acknowledged.at == "2027-01-15T08:00:00.000Z"
    assert live.problems().state == "BAD"  # it is still wrong
    again = [replace(w, window=w.window + 80, run=w.run) for w in windows("quiet", 80.0, 8)]
    shown(live, again)
    assert live.problems().problems == []
    assert not live.acknowledge(SEEN)


def verdict(state: State) -> Verdict:
    return Verdict(check="c", target="t", state=state, text="")


@pytest.mark.parametrize(
    ("then", "now", "kept"),
    [
        (State.WARN, State.WARN, True),
        (State.BAD, State.WARN, True),
        (State.WARN, State.BAD, False),
        (State.BAD, State.GOOD, False),
        (State.BAD, State.NOT_ENOUGH, False),
    ],
)
def test_what_gets_worse_has_to_be_seen_anew(then: State, now: State, *, kept: bool) -> None:
    seen = Acknowledgements()
    seen.note(verdict(then), Acknowledgement(check="c", target="t", name="x"), 0.0)
    seen.follow([Change(verdict=verdict(now), before=then, place=(0, 1))])
    assert (seen.of(verdict(now)) is not None) == kept


def test_another_run_begins_without_problems() -> None:
    live = dark()
    live.acknowledge(SEEN)
    shown(live, [replace(w, run="next") for w in windows("quiet", 10.0, 8)])
    found = live.problems()
    assert (found.run, found.problems, found.state) == ("next", [], "NOT ENOUGH YET")
    assert [(t.check, t.state) for t in found.turns] == [("", "NOT ENOUGH YET")]


def test_its_version_moves_with_what_changes_and_with_nothing_else() -> None:
    live = judged()
    some = windows("quiet", 80.0, 7, "hv-off:ch1@40s-")
    shown(live, some[:30])
    before = live.problems_version
    shown(live, some[30:35])
    assert live.problems_version == before
    shown(live, some[35:])
    assert live.problems_version > before
    before = live.problems_version
    live.acknowledge(SEEN)
    assert live.problems_version > before


def test_a_flood_of_problems_is_cut_and_says_so() -> None:
    judge = Judge(LEGNARO)
    for n in range(130):
        noisy = Verdict(check="cell_rate", target=f"ch0:{n}", state=State.BAD, text="")
        judge.judged.verdicts["cell_rate", f"ch0:{n}"] = noisy
    found = problems_document("r", judge, Acknowledgements(), Turns())
    assert (len(found.problems), found.more) == (100, 30)


# ---- over the network


@pytest.fixture
def client() -> Client:
    return client_of(dark())


def test_a_problem_is_acknowledged_over_the_network(client: Client) -> None:
    body = {"check": "chamber_rate", "target": "ch1", "name": "Zoë", "note": "<b>x</b>"}
    assert client.post("/api/v1/acknowledgements", json=body, headers=OURS).status_code == 204
    (problem,) = client.get("/api/v1/problems").json()["problems"]
    assert problem["acknowledged"]["name"] == "Zoë"
    assert problem["acknowledged"]["note"] == "<b>x</b>"


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        (b"", 400, "found no acknowledgement"),
        (b"[]", 400, "found no acknowledgement"),
        (b'{"check": "chamber_rate", "target": "ch1"}', 400, "name"),
        (b'{"check": "chamber_rate", "target": "ch1", "name": ""}', 400, "name"),
        (b'{"check": "chamber_rate", "target": "ch1", "name": 5}', 400, "name"),
        (b'{"check": "chamber_rate", "target": "ch1", "name": "\xff"}', 400, "acknowledgement"),
        (b'{"check": "chamber_rate", "target": "ch1", "name": "x", "y": 1}', 400, "y"),
        (b'{"check": "chamber_rate", "target": "ch3", "name": "x"}', 404, "no such problem"),
        (b'{"check": "nothing", "target": "ch1", "name": "x"}', 404, "no such problem"),
        (b'{"name": "' + b"x" * 9000 + b'"}', 413, "at most"),
        (b"[" * 5000, 400, "found no acknowledgement"),
    ],
)
def test_what_is_no_acknowledgement_is_refused(
    client: Client, body: bytes, status: int, told: str
) -> None:
    answer = client.post("/api/v1/acknowledgements", content=body, headers=OURS)
    assert answer.status_code == status
    assert told in answer.json()["error"]


def test_another_site_cannot_acknowledge(client: Client) -> None:
    body = {"check": "chamber_rate", "target": "ch1", "name": "x"}
    assert client.post("/api/v1/acknowledgements", json=body).status_code == 403
    assert client.get("/api/v1/problems").json()["problems"][0]["acknowledged"] is None


def test_a_dashboard_without_windows_has_no_problems() -> None:
    found = live_of([]).problems()
    assert (found.run, found.problems, found.turns) == ("", [], [])
    assert len(found.chambers) == 4


def test_targets_name_their_chambers() -> None:
    assert chambers_of("ch3", LEGNARO) == {3}
    assert chambers_of("scintillator", LEGNARO) == set()
    assert chambers_of("chx", LEGNARO) == set()


def test_the_status_counts_what_is_new() -> None:
    assert dark().status(0).problems == 1
    assert live_of([window(0)]).status(0).problems == 0


@pytest.mark.parametrize(
    ("target", "chambers"),
    [("ch2", {2}), ("ch2:61", {2}), ("ch0-ch2", {0, 2}), ("fpga1", {2, 3}), ("telescope", set())],
)
def test_a_problem_is_shown_at_the_chambers_that_it_touches(
    target: str, chambers: set[int]
) -> None:
    assert chambers_of(target, LEGNARO) == chambers
