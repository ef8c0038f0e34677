"""A dashboard with alarms: verdicts reach them, and acknowledgements are kept with them."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import muonscope
from dashboard.asking import client_of
from dashboard.lives import LEGNARO
from dashboard.test_problems import SEEN
from dashboard.test_verdicts import shown
from helpers.alarming import Desk
from helpers.judged import reference, windows
from helpers.patience import until
from muonscope.alarms.store import AlarmStore
from muonscope.dashboard.live import Live, LiveOptions
from muonscope.dashboard.verdicts import LiveJudge
from muonscope.errors import OptionError
from muonscope.quality.judge import Judge
from muonscope.results.store import ResultStore

ROUTE = '[[route]]\nseverity = "page"\nto = ["exec:/bin/true"]\n'
DARK = windows("quiet", 80.0, 7, "hv-off:ch1@40s-")


class Shown:
    """A dashboard with alarms, without server and threads."""

    def __init__(self, folder: Path) -> None:
        self.desk = Desk(ROUTE, folder)
        judge = LiveJudge(
            lambda _, day: Judge(LEGNARO, reference=reference(), today=day), self.desk.alarms
        )
        options = LiveOptions(source="t")
        self.live = Live(ResultStore(LEGNARO), options, clock=self.desk.clock, watcher=judge)

    def show(self, run: str = "r", last: int = 80) -> None:
        """Show the run, a window a second."""
        for window in DARK[:last]:
            self.desk.clock.now += 1.0
            shown(self.live, [replace(window, run=run)])
            self.desk.step()


@pytest.fixture
def dark(tmp_path: Path) -> Iterator[Shown]:
    found = Shown(tmp_path)
    found.show()
    yield found
    found.desk.alarms.close()


def test_a_bad_verdict_of_the_page_is_an_alarm(dark: Shown) -> None:
    (message,) = dark.desk.got()
    (item,) = message.items
    assert (item.alarm.check, item.alarm.target) == ("chamber_rate", "ch1")
    assert item.alarm.text == dark.live.problems().problems[0].text
    text = client_of(dark.live).get("/metrics").text
    assert 'muonscope_alarms_firing{severity="page"} 1.0' in text
    assert "muonscope_alarms_failed_total 0.0" in text


def test_what_the_page_acknowledges_is_in_the_store_and_outlives_a_run(
    dark: Shown, tmp_path: Path
) -> None:
    version = dark.live.problems_version
    assert dark.live.acknowledge(SEEN)
    dark.desk.step()
    assert dark.live.problems_version > version
    with AlarmStore(tmp_path / "alarms.sqlite") as store:
        (ack,) = store.load().acks.values()
    assert (ack.who, ack.note) == ("a shifter", "called")
    later = [replace(window, run="next") for window in DARK[45:]]
    for window in later:
        dark.desk.clock.now += 1.0
        shown(dark.live, [window])
        dark.desk.step()
    (problem,) = dark.live.problems().problems
    assert problem.acknowledged is not None
    assert problem.acknowledged.name == "a shifter"
    assert len(dark.desk.got()) == 1  # the alarm went on


def test_a_run_in_which_it_is_well_ends_the_alarm_and_the_acknowledgement(dark: Shown) -> None:
    dark.live.acknowledge(SEEN)
    dark.show("next", last=35)
    assert [message.items[0].alarm.active for message in dark.desk.got()] == [True, False]
    assert not dark.desk.alarms.counts().firing["page"]


def test_a_feed_that_fails_is_no_data_and_one_that_was_stopped_is_not(dark: Shown) -> None:
    dark.live.end("", failed=True)
    dark.desk.step(1e4)
    assert len(dark.desk.got()) == 1
    dark.live.end("the disk is gone", failed=True)
    dark.desk.step()
    assert dark.desk.got()[-1].items[0].alarm.check == "data"


def test_serve_takes_alarms_and_refuses_what_makes_no_sense(tmp_path: Path) -> None:
    file = tmp_path / "alarms.toml"
    file.write_text(ROUTE, "utf-8")
    with muonscope.serve("sim:quiet", port=0, alarms=file) as dashboard:
        until((tmp_path / "alarms.sqlite").exists, "the store")
        assert dashboard.url
    file.write_text("[[route]]\nto = ['exec:/no/such/program']\n", "utf-8")
    with pytest.raises(OptionError, match="exec:/no/such/program: no such program"):
        muonscope.serve("sim:quiet", port=0, alarms=file)
