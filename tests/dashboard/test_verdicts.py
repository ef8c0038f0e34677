"""The verdicts of a dashboard: judged as windows come, of the run that is shown."""

import time

from dashboard.lives import LEGNARO
from helpers.judged import reference, windows
from helpers.window_messages import lines_of
from muonscope.dashboard.live import Live, LiveOptions
from muonscope.dashboard.standing import Progress
from muonscope.dashboard.verdicts import LiveJudge
from muonscope.quality.judge import Judge
from muonscope.results.read_message import WindowResult
from muonscope.results.store import ResultStore


class Clock:
    now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def judged(*, known: bool = True) -> Live:
    made = reference() if known else None
    judge = LiveJudge(lambda _, day: Judge(LEGNARO, reference=made, today=day))
    options = LiveOptions(source="t")
    return Live(ResultStore(LEGNARO), options, clock=Clock(), watcher=judge)


def shown(live: Live, some: list[WindowResult]) -> None:
    for window in some:
        live.take_window(window, b"{}")
    live.tell(Progress(words=1), Clock.now)


def test_the_status_has_the_verdict_and_its_first_reason() -> None:
    live = judged()
    assert live.status(0).verdict == "NO DATA"
    shown(live, windows("quiet", 80.0, 7, "hv-off:ch1@40s-"))
    status = live.status(0)
    assert (status.state, status.verdict) == ("receiving", "BAD")
    assert status.verdict_reason.startswith("chamber 1: 0 orbits with hits in 1.0 s, expected")


def test_the_document_lists_checks_and_changes_with_wall_clock_times() -> None:
    live = judged()
    shown(live, windows("quiet", 80.0, 7, "hv-off:ch1@40s-"))
    found = live.verdicts()
    assert (found.state, found.profile, found.reference) == ("BAD", "default", "a good run")
    (bad,) = [v for v in found.verdicts if v.state == "BAD"]
    assert (bad.check, bad.target, bad.since_at) == (
        "chamber_rate", "ch1", "2027-01-15T08:00:00.000Z",
    )  # fmt: skip
    assert [c.verdict.target for c in found.changes] == ["ch1"]
    assert len(found.verdicts) > 500  # every cell has one


def test_without_a_reference_it_says_what_is_not_judged() -> None:
    live = judged(known=False)
    shown(live, windows("quiet", 30.0))
    assert "drift_box" in live.verdicts().not_judged


def test_another_run_begins_anew() -> None:
    live = judged()
    shown(live, windows("quiet", 80.0, 7, "hv-off:ch1@40s-"))
    from dataclasses import replace

    shown(live, [replace(w, run="next") for w in windows("quiet", 80.0, 8)])
    found = live.verdicts()
    assert (found.run, found.changes) == ("next", [])
    assert found.state != "BAD"


def test_windows_that_come_too_late_or_again_are_not_judged_twice() -> None:
    some = windows("quiet", 80.0, 7, "hv-off:ch1@40s-")
    plain, mixed = judged(), judged()
    shown(plain, some)
    shown(mixed, [*some[:20], *some[10:30], *some[25:]])
    assert mixed.verdicts() == plain.verdicts()


def test_a_live_without_a_judge_of_its_own_judges_by_itself() -> None:
    live = Live(ResultStore(LEGNARO), LiveOptions(source="t"), clock=time.time)
    import muonscope

    words = muonscope.simulate("quiet", seconds=20.0, faults=["hv-off:ch1@8s-"]).words
    for line in lines_of(words):
        live.take(line)
    assert live.verdicts().state == "BAD"
