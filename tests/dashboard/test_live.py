"""The state of a dashboard: what its views say, and that it is whole whoever asks when."""

from threading import Event, Lock, Thread

import numpy as np
import pytest

from dashboard.lives import LEGNARO, counts, decoded, live_of, window
from dashboard.serving import until
from helpers.window_messages import SECOND
from muonscope.counting.blocks import WITH_TRACKS
from muonscope.dashboard.contract import VIEWS
from muonscope.dashboard.documents import detector_document
from muonscope.dashboard.live import Live, Progress
from muonscope.detector import setup_names, shipped_detector
from muonscope.results.history import Row
from muonscope.results.read_message import WindowResult, read_result
from muonscope.units import ORBIT_S


@pytest.mark.parametrize("name", VIEWS)
def test_the_tables_of_a_view_are_its_counts(name: str) -> None:
    document = decoded(live_of([window(n) for n in range(3)]).view(name))  # type: ignore[arg-type]
    wanted = counts(2) if name == "window" else counts(0, 1, 2)
    tables = document["tables"]
    assert document["accounting"] == wanted.accounting.as_dict()
    assert (document["hits"], document["scintillator"]) == (
        wanted.total_hits, wanted.scintillator_words,
    )  # fmt: skip
    assert tables["chambers"]["hits"] == wanted.hits_per_chamber.tolist()
    assert tables["chambers"]["scint"] == wanted.scint_hits_per_chamber.tolist()
    for c in range(4):
        cells = slice(64 * c, 64 * c + 64)
        assert tables[f"cells{c}"]["hits"] == wanted.hits_per_cell[cells].tolist()
        assert tables[f"cells{c}"]["scint"] == wanted.scint_hits[cells].tolist()
        assert tables[f"drift{c}"]["counts"] == wanted.drift_histogram[c, 1:-1].tolist()
        assert tables[f"multiplicity{c}"]["orbits"][1:] == wanted.multiplicity[c, 1:].tolist()
        assert sum(tables[f"multiplicity{c}"]["orbits"]) == wanted.live_orbits
    latest = read_result(window(2), LEGNARO)
    strip = tables["orbits1"]
    assert strip["hits"] == latest.orbit_hits[1].tolist()  # type: ignore[union-attr]
    assert sum(strip["hits"]) == latest.summary.hits_per_chamber[1]
    assert all(0 <= s < 1 for s in strip["time"])
    assert np.all(np.diff(strip["time"]) > 0)
    orbits = np.rint(np.array(strip["time"]) / ORBIT_S)  # the time tells which one it is
    assert strip["time"] == pytest.approx((orbits * ORBIT_S).tolist(), abs=5.1e-6)
    every = np.arange(100_000)
    assert np.array_equal(np.rint(np.round(every * ORBIT_S, 5) / ORBIT_S), every)


def test_a_view_says_what_it_is_of() -> None:
    document = decoded(live_of([window(n + 5) for n in range(3)]).view("run"))
    second = SECOND * ORBIT_S
    names = ("view", "run", "detector", "epoch", "window", "windows", "seq")
    assert [document[name] for name in names] == ["run", "r", "legnaro", 0, 7, 3, 3]
    times = {name: document[name] for name in ("start_s", "end_s", "first_s", "run_s", "live_s")}
    wanted = {"start_s": 7, "end_s": 8, "first_s": 0, "run_s": 3, "live_s": 3}
    assert times == pytest.approx({name: n * second for name, n in wanted.items()}, abs=1e-5)


def test_the_rows_of_the_trend_follow_one_another_without_a_gap() -> None:
    live, next_row, hits = live_of(), 0, 0
    for n in range(12):
        live.take(window(n))
        if n % 3 == 2:
            live.renew_rows()
            trend = decoded(live.view("recent"))["trend"]
            assert trend["first"] == next_row
            next_row += len(trend["columns"]["hits"])
            hits += sum(trend["columns"]["hits"])
    assert (next_row, hits) == (12, counts(*range(12)).total_hits)
    windows = decoded(live.windows(1e6))
    assert (windows["first"], windows["next"]) == (0, 12)


def test_a_view_of_the_past_is_that_of_then() -> None:
    lines = [window(n) for n in range(90)]
    live = live_of(lines)
    then = decoded(live_of(lines[:80]).view("recent"))
    past = decoded(live.view_at("recent", (0, 79)))
    for name in ("tables", "accounting", "windows", "live_s", "first_s", "run_s"):
        assert past[name] == then[name]
    assert live.view_at("window", (3, 3)) is None


@pytest.mark.parametrize("name", setup_names())
def test_the_document_of_a_detector_has_all_its_cells(name: str) -> None:
    detector = shipped_detector(name)
    document = decoded(detector_document(detector))
    assert document["name"] == name
    for chamber, told in zip(detector.chambers, document["chambers"], strict=True):
        channels = list(range(chamber.first_channel, chamber.last_channel + 1))
        assert sorted(told["cells"]["channel"]) == channels
        assert {len(column) for column in told["cells"].values()} == {len(channels)}


class Contended:
    """A lock that tells when somebody has to wait for it."""

    def __init__(self) -> None:
        self._lock, self.waited = Lock(), Event()

    def __enter__(self) -> None:
        if not self._lock.acquire(blocking=False):
            self.waited.set()
            self._lock.acquire()

    def __exit__(self, *_exc: object) -> None:
        self._lock.release()


def test_no_window_comes_between_the_rows_that_go_out_and_their_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    live, lock = live_of([window(0), window(1)]), Contended()
    live._lock = lock  # type: ignore[assignment]
    store, feed = live._store, Thread(target=lambda: live.take(window(2)))
    fresh_rows = store.fresh_rows

    def interrupted() -> list[Row]:
        rows = fresh_rows()
        feed.start()
        until(lambda: lock.waited.is_set() or store.windows == 3, "the feed")
        return rows

    monkeypatch.setattr(store, "fresh_rows", interrupted)
    live.renew_rows()
    feed.join()
    trend = decoded(live.view("run"))["trend"]
    assert (trend["first"], trend["columns"]["window"]) == (0, [0, 1])


def test_a_window_that_was_counted_here_is_shown_as_its_message_would_be() -> None:
    counted, read = live_of([window(0)]), live_of([window(0)])
    for n in (1, 2, 2):
        result = read_result(window(n), LEGNARO, WITH_TRACKS)
        assert isinstance(result, WindowResult)
        assert counted.take_window(result, window(n)) is read.take(window(n))
    for live in (counted, read):
        live.tell(Progress(), 0.0)
        live.renew_rows()
    for name in VIEWS:
        assert decoded(counted.view(name)) == decoded(read.view(name))
    assert counted.status(0) == read.status(0)
    assert counted.message((0, 2)) == window(2)


def test_whoever_asks_while_the_feed_writes_gets_whole_states() -> None:
    live = live_of([window(0)])
    done: list[bool] = []

    def feed() -> None:
        for n in range(1, 150):
            live.take(window(n))
            live.tell(Progress(), 0.0)
        done.append(True)

    thread = Thread(target=feed)
    thread.start()
    while not done:
        check_whole(live)
    thread.join()
    check_whole(live)
    assert decoded(live.view("run"))["windows"] == 150


def check_whole(live: Live) -> None:
    """Check that the numbers of a view agree with one another."""
    document = decoded(live.view("run"))
    account = document["accounting"]
    assert account["words_in"] == sum(n for name, n in account.items() if name != "words_in")
    assert document["hits"] == sum(document["tables"]["chambers"]["hits"])
    assert document["live_s"] == pytest.approx(document["windows"] * SECOND * ORBIT_S, abs=1e-5)
