"""The status of a dashboard: in which state it is, how late, and what was dropped."""

import orjson
import pytest

from dashboard.lives import LINES, Clock, counts, decoded, fed, live_of, window
from helpers.window_messages import SECOND, ends_of, moved
from muonscope.dashboard.contract import VIEWS, Accounting, ByteCounts, Source
from muonscope.dashboard.live import Progress
from muonscope.results.message import ByteAccounting
from muonscope.results.store import Taken
from muonscope.transports.base import SourceStatus
from muonscope.units import ORBIT_S


@pytest.fixture
def clock() -> Clock:
    """A clock that tests move."""
    return Clock()


# --- states --------------------------------------------------------------------------------


def test_before_the_first_window_it_waits_and_says_for_what(clock: Clock) -> None:
    live = live_of(clock=clock)
    clock.now += 1000
    status = live.status(0)
    assert (status.state, status.age_s) == ("waiting", None)
    assert "sim:legnaro" in status.reason
    for name in ("detector_s", "lag_s", "rates", "words_per_s", "latency_ms", "bytes", "reset_at"):
        assert getattr(status, name) is None
    assert [live.view(name) for name in VIEWS] == [None] * 3


def test_what_the_first_window_waits_for_is_said_while_it_is_known(clock: Clock) -> None:
    live = live_of(clock=clock)
    live.expect("compiling ...")
    assert (live.status(0).state, live.status(0).reason) == ("waiting", "compiling ...")
    live.expect("")
    assert "no window has come yet" in live.status(0).reason
    live.expect("compiling ...")
    live.end("the source has ended")
    assert live.status(0).reason == "the source has ended"


def test_while_windows_come_it_receives_and_then_is_stale_until_the_next(clock: Clock) -> None:
    live = live_of([window(0)], clock=clock)
    states = []
    for _ in range(7):
        clock.now += 1.0
        states.append(live.status(0).state)
    assert states == ["receiving"] * 5 + ["stale"] * 2
    assert live.status(0).age_s == 7.0
    assert "7 s ago" in live.status(0).reason
    fed(live, [window(1)], clock)
    assert live.status(0).state == "receiving"


def test_a_window_that_was_counted_before_is_no_sign_of_life(clock: Clock) -> None:
    live = live_of([window(0)], clock=clock)
    clock.now += 20.0
    assert live.take(window(0)) is Taken.DUPLICATE
    assert live.take(b"garbage") is None
    assert live.status(0).state == "stale"
    assert live.status(0).age_s == 20.0


@pytest.mark.parametrize(
    ("window_s", "speed", "fresh_s", "old_s"),
    [(1.0, 1.0, 5.0, 30.0), (0.1, 1.0, 5.0, 30.0), (10.0, 1.0, 30.0, 180.0),
     (10.0, 10.0, 5.0, 30.0), (1.0, 0.1, 30.0, 180.0)],
)  # fmt: skip
def test_how_long_data_are_fresh_follows_from_how_often_windows_come(
    clock: Clock, window_s: float, speed: float, fresh_s: float, old_s: float
) -> None:
    live = live_of([window(0)], clock=clock, window_s=window_s, speed=speed)
    status = live.status(0)
    assert (status.fresh_s, status.old_s) == pytest.approx((fresh_s, old_s))
    clock.now += fresh_s - 0.1
    assert live.status(0).state == "receiving"
    clock.now += 0.2
    assert live.status(0).state == "stale"


def test_the_length_of_windows_is_told_by_the_newest_ones(clock: Clock) -> None:
    live = live_of([moved(LINES[n], n, orbits=20 * SECOND) for n in range(2)], clock=clock)
    assert live.status(0).fresh_s == pytest.approx(60.0, rel=1e-3)
    clock.now += 59.0
    assert live.status(0).state == "receiving"
    fed(live, [window(0, run="of seconds")], clock)
    assert live.status(0).fresh_s == 5.0


def test_what_was_there_before_is_as_old_as_it_says(clock: Clock) -> None:
    live = live_of(clock=clock)
    for n in range(3):
        live.take(window(n), there_s=clock.now - 3600.0 + n)
    status = fed(live, [], clock).status(0)
    assert (status.state, status.age_s) == ("stale", 3598.0)
    assert "21:13:22.000Z, 3,598 s ago" in status.reason
    assert status.lag_s == pytest.approx(3598.0, abs=0.1)
    fed(live, [window(3)], clock)
    assert live.status(0).state == "receiving"


def test_a_time_to_come_is_now(clock: Clock) -> None:
    live = live_of(clock=clock)
    live.take(window(0), there_s=clock.now + 100.0)
    assert fed(live, [], clock).status(0).age_s == 0.0


def test_what_is_of_now_is_told_only_while_windows_come(clock: Clock) -> None:
    live = live_of(clock=clock)
    for n in range(5):
        fed(live, [window(n)], clock, words=n)
        clock.now += 1.0
    receiving = live.status(0)
    assert receiving.rates
    assert receiving.rates.hits > 0
    assert receiving.lag_s == pytest.approx(0.0, abs=2e-3)
    clock.now += 60.0
    stale = live.status(0)
    assert (stale.state, stale.rates) == ("stale", None)
    assert stale.lag_s == pytest.approx(61.0, abs=2e-3)
    live.end("the source has ended")
    stopped = live.status(0)
    assert (stopped.rates, stopped.lag_s, stopped.words_per_s) == (None, None, None)


def test_while_it_waits_it_says_what_came_instead(clock: Clock) -> None:
    live = live_of([b"garbage", b"rubbish"], clock=clock, run="mine")
    live.take(window(0, run="theirs"))
    reason = live.status(0).reason
    assert reason.startswith("no window has come yet from sim:legnaro; 2 messages were refused")
    assert "rubbish" in reason
    assert reason.endswith("; 1 messages were of other runs")


def test_when_the_feed_stops_it_says_why(clock: Clock) -> None:
    live = live_of([window(0)], clock=clock)
    live.end("run.dat: permission denied", failed=True)
    status = live.status(0)
    assert (status.state, status.reason) == ("stopped", "run.dat: permission denied")


def test_files_that_do_not_grow_are_finished_and_not_stale(clock: Clock) -> None:
    live = fed(live_of([], clock=clock), [window(0)], clock, at_rest=True)
    assert live.status(0).state == "receiving"
    clock.now += 3600
    status = live.status(0)
    assert status.state == "finished"
    assert "all that was in the files is shown" in status.reason
    assert status.verdict != "NO DATA"
    fed(live, [window(1)], clock)
    clock.now += 3600
    assert live.status(0).state == "stale"


def test_when_the_run_has_ended_it_says_so_until_windows_come_again(clock: Clock) -> None:
    live = live_of([window(0), ends_of()], clock=clock)
    assert live.status(0).state == "finished"
    assert "run r has ended" in live.status(0).reason
    fed(live, [window(0, run="next")], clock)
    assert live.status(0).state == "receiving"


# --- times ---------------------------------------------------------------------------------


def test_the_lag_is_how_much_later_windows_come_than_the_earliest_did(clock: Clock) -> None:
    live, lags = live_of(clock=clock), []
    for n, delay in enumerate((0.5, 0.2, 1.2, 3.2, 0.2)):
        clock.now = 1_700_000_000.0 + n * SECOND * ORBIT_S + delay
        fed(live, [window(n)], clock)
        lags.append(live.status(0).lag_s)
    assert lags == pytest.approx([0.0, 0.0, 1.0, 3.0, 0.0], abs=2e-3)


def test_the_lag_is_measured_anew_in_another_run(clock: Clock) -> None:
    live = live_of(clock=clock)
    for n in range(50):
        clock.now += 1.0
        fed(live, [window(n, run="first")], clock)
    fed(live, [window(0, run="second")], clock)
    assert live.status(0).lag_s == pytest.approx(0.0, abs=0.1)


def test_at_another_speed_the_lag_is_that_of_the_clock_on_the_wall(clock: Clock) -> None:
    live = live_of(clock=clock, speed=10.0)
    for n in range(30):
        clock.now += 0.1
        fed(live, [window(n)], clock)
    assert live.status(0).lag_s == pytest.approx(0.0, abs=2e-3)


def test_the_latency_is_from_the_words_to_the_broadcast(clock: Clock) -> None:
    live = live_of(clock=clock)
    for n in range(100):
        live.take(window(n))
        live.tell(Progress(), arrived=clock.now)
        clock.now += 1.0 if n == 50 else 0.010
        live.renew_rows()
    latency = live.status(0).latency_ms
    assert latency
    assert latency.p50 == pytest.approx(10.0, abs=0.1)
    assert 10.0 < latency.p99 <= 1000.0
    assert latency.windows == 100


def test_latencies_are_kept_within_bounds(clock: Clock) -> None:
    live = live_of(clock=clock)
    for n in range(1200):
        live.take(window(n))
    live.tell(Progress(), clock.now)
    live.renew_rows()
    latency = live.status(0).latency_ms
    assert latency
    assert latency.windows == 1000


def test_words_a_second_are_those_of_the_last_reports(clock: Clock) -> None:
    live = live_of(clock=clock)
    for n in range(20):
        fed(live, [], clock, words=n * 1500)
        clock.now += 0.5
    assert live.status(0).words_per_s == 3000.0
    assert live.status(0).words == 19 * 1500


def test_rates_are_those_of_the_last_ten_seconds(clock: Clock) -> None:
    rates = live_of([window(n) for n in range(60)], clock=clock).status(0).rates
    last = counts(*range(49, 60))
    assert rates
    assert rates.hits == pytest.approx(last.total_hits / last.live_s, rel=1e-3)
    wanted = (last.hits_per_chamber / last.live_s).tolist()
    assert rates.chambers == pytest.approx(wanted, abs=2e-3)
    assert rates.scintillator == pytest.approx(last.scintillator_words / last.live_s, rel=1e-3)


# --- what the status says ------------------------------------------------------------------


def test_the_status_tells_what_was_dropped_and_why() -> None:
    live = live_of([window(0), window(0), b"garbage", window(0, run="new"), window(1)])
    live.take(window(1, run="r"))
    status = live.status(7)
    assert (status.duplicates, status.malformed, status.other_runs) == (1, 1, 2)
    assert status.viewers == 7
    assert status.examples == ["malformed result: " + status.examples[0][18:]]
    assert "b'garbage'" in status.examples[0]
    assert (status.run, status.windows) == ("new", 1)


def test_windows_with_late_words_are_examples(clock: Clock) -> None:
    message = orjson.loads(window(3))
    message["accounting"]["late"] += 7
    message["accounting"]["words_in"] += 7
    live = live_of([window(2), orjson.dumps(message), window(4)], clock=clock)
    assert live.status(0).examples == ["late: 7 words by epoch 0, window 3"]
    fed(live, [window(0, run="next")], clock)
    assert live.status(0).examples == []


def test_examples_and_notes_are_few_and_short(clock: Clock) -> None:
    live = live_of(clock=clock)
    for n in range(100):
        live.take(b'{"schema": "' + str(n).encode() * 10_000)
    for n in range(100):
        fed(live, [], clock, notes=[f"{n} " + "x" * 10_000], rejects=["y" * 10_000] * 100)
    status = live.status(0)
    assert status.malformed == 100
    assert len(status.examples) <= 40
    assert len(status.notes) == 20
    assert max(map(len, [*status.examples, *status.notes])) <= 303
    assert status.notes[-1].startswith("99 ")


def test_the_status_tells_how_far_each_source_was_read(clock: Clock) -> None:
    parts = [
        SourceStatus(name="t", partition=p, read=10 * p, behind=p, unit="messages") for p in (0, 1)
    ]
    account = ByteAccounting(bytes_in=10, bytes_decoded=8, bytes_rejected=2, rejects={"X": 1})
    status = fed(live_of(clock=clock), [], clock, sources=parts, bytes=account).status(0)
    assert status.sources[1] == Source(name="t", partition=1, read=10, behind=1, unit="messages")
    assert status.bytes == ByteCounts(bytes_in=10, bytes_decoded=8, bytes_rejected=2)
    assert status.rejects == {"X": 1}


def test_the_account_is_that_of_the_run_with_what_belongs_to_no_window() -> None:
    live = live_of([window(0), window(1)])
    both = Accounting(**counts(0, 1).accounting.as_dict())
    assert live.status(0).accounting == both
    live.reset()
    assert live.status(0).accounting == both
    live.take(ends_of())
    account = live.status(0).accounting
    assert account.words_in == both.words_in + 1
    told = live.status(0).bytes
    assert told
    assert told.bytes_in == 30
    assert live.status(0).rejects == {"TRUNCATED": 1}


def test_a_reset_is_told_with_its_time(clock: Clock) -> None:
    live = live_of([window(0)], clock=clock)
    before = live.changes
    live.reset()
    assert live.changes != before
    assert live.status(0).reset_at == "2023-11-14T22:13:20.000Z"
    assert decoded(live.view("run"))["windows"] == 0
    fed(live, [window(0, run="next")], clock)
    assert live.status(0).reset_at is None


def test_results_of_which_many_words_are_lost_are_doubtful(clock: Clock) -> None:
    message = orjson.loads(window(3))
    lost = message["accounting"]["words_in"]
    message["accounting"]["late"] += lost
    message["accounting"]["words_in"] += lost
    live = live_of([window(2)], clock=clock)
    assert live.status(0).doubts == []
    fed(live, [orjson.dumps(message)], clock)
    (doubt,) = live.status(0).doubts
    assert "came after their window was closed" in doubt
    fed(live, [window(0, run="next")], clock)
    assert live.status(0).doubts == []


def test_where_words_are_counted_the_feed_says_what_is_doubtful(clock: Clock) -> None:
    live = live_of([window(2)], clock=clock)
    fed(live, [], clock, words=1000, doubts=["all of it " + "x" * 1000])
    (doubt,) = live.status(0).doubts
    assert doubt.startswith("all of it")
    assert len(doubt) <= 303
    fed(live, [], clock, words=2000)
    assert live.status(0).doubts == []
