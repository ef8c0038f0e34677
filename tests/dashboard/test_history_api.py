"""The history for scripts: ranges of time, channels, files, and what happened."""

import io
from typing import Any

import numpy as np
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from dashboard.asking import Client, client_of
from dashboard.lives import LEGNARO, Clock, counts, fed, live_of, window
from helpers.window_messages import ends_of
from muonscope.counting.blocks import WITH_TRACKS
from muonscope.dashboard.live import Live
from muonscope.results.read_message import read_result
from muonscope.wall_time import iso, seconds_of

START = Clock().now


def paced(windows: int = 10, clock: Clock | None = None) -> Live:
    """Return a state to which a window came each second."""
    clock = clock or Clock()
    live = live_of(clock=clock)
    for n in range(windows):
        fed(live, [window(n)], clock)
        clock.now += 1.0
    return live


def columns(client: Client, query: str) -> dict[str, list[Any]]:
    """Return the columns of an answer."""
    answer = client.get(f"/api/v1/{query}")
    assert answer.status_code == 200, answer.text
    told: dict[str, list[Any]] = answer.json()["columns"]
    return told


@pytest.mark.parametrize("write", [iso, lambda at: f"{at:.3f}"], ids=["iso", "seconds"])
def test_windows_are_found_by_the_clock(write: Any) -> None:
    client = client_of(paced())
    query = f"windows?from={write(START + 2)}&to={write(START + 5)}"
    told = client.get(f"/api/v1/{query}").json()
    assert told["columns"]["window"] == [2, 3, 4]
    assert (told["first"], told["next"]) == (2, 5)
    assert columns(client, f"windows?from={write(START + 8)}")["window"] == [8, 9]
    assert columns(client, f"windows?to={write(START + 2)}")["window"] == [0, 1]
    assert columns(client, f"windows?from={write(START + 99)}")["window"] == []


@pytest.mark.parametrize(
    ("query", "what"),
    [
        ("windows?from=yesterday", "from: found 'yesterday'"),
        ("windows?to=nan", "to: found 'nan'"),
        ("windows?from=0&last=5", "last: found beside from or to"),
        ("windows?format=xls", "format: found 'xls', expected one of json, csv, parquet"),
        ("channels/0/3?last=-1", "last: found '-1'"),
        ("channels/x/3", "chamber: found 'x'"),
        ("events?last=0", "last: found '0'"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused_in_words(query: str, what: str) -> None:
    answer = client_of().get(f"/api/v1/{query}")
    assert answer.status_code == 400
    assert what in answer.json()["error"]


@pytest.mark.parametrize("query", ["windows?last=60", "channels/1/70"])
def test_files_hold_the_columns_of_the_answer(query: str) -> None:
    client = client_of(paced())
    told = columns(client, query)
    joint = "&" if "?" in query else "?"
    csv = client.get(f"/api/v1/{query}{joint}format=csv")
    assert csv.headers["content-type"].startswith("text/csv")
    assert pyarrow.csv.read_csv(io.BytesIO(csv.content)).to_pydict() == told
    parquet = client.get(f"/api/v1/{query}{joint}format=parquet")
    assert ".parquet" in parquet.headers["content-disposition"]
    table = pq.read_table(io.BytesIO(parquet.content))
    assert table.to_pydict() == told
    assert table.schema.metadata[b"detector"] == b"legnaro"


def test_each_channel_has_the_hits_of_its_windows() -> None:
    client, cells = client_of(paced(6)), LEGNARO.cells()
    each = [counts(n) for n in range(6)]
    for cell in range(0, LEGNARO.n_cells, 17):
        told = client.get(f"/api/v1/channels/{cells.chamber[cell]}/{cells.channel[cell]}").json()
        assert told["columns"]["hits"] == [int(c.hits_per_cell[cell]) for c in each]
        assert told["columns"]["scint"] == [int(c.scint_hits[cell]) for c in each]
        assert (told["layer"], told["wire"]) == (cells.layer[cell], cells.wire[cell])
    assert columns(client, "channels/0/0?last=2")["window"] == [4, 5]
    assert client.get("/api/v1/channels/0/250").status_code == 404


def test_a_file_of_the_history_has_every_row_where_a_plot_has_joined_ones() -> None:
    live = live_of([window(n) for n in range(40)])
    whole, drawn = live.windows(1e6, most=100), live.windows(1e6, most=10)
    assert len(whole.columns["run_s"]) == 40
    assert len(drawn.columns["run_s"]) == 10
    assert np.sum(whole.columns["hits"]) == np.sum(drawn.columns["hits"])


def test_the_events_tell_what_happened_and_when() -> None:
    clock = Clock()
    live = paced(3, clock)
    fed(live, [window(40), window(41, epoch=1)], clock, notes=["a note"])
    clock.now += 5
    live.reset()
    fed(live, [window(0, run="s"), ends_of(run="s")], clock)
    live.end("the file has come to its end")
    events = client_of(live).get("/api/v1/events").json()["events"]
    told = [(e["kind"], e["text"]) for e in events if e["kind"] != "verdict"]
    assert told == [
        ("run", "run r begins"),
        ("hole", "windows come again after a hole of 37 s"),
        ("epoch", "epoch 1 begins"),
        ("note", "a note"),
        ("reset", "the run view was begun anew"),
        ("run", "run s begins"),
        ("end", "the file has come to its end"),
    ]
    assert [seconds_of(e["at"]) for e in events] == sorted(seconds_of(e["at"]) for e in events)
    assert next(e["run_s"] for e in events if e["kind"] == "hole") == pytest.approx(40.0, abs=0.1)
    assert "verdict" in {e["kind"] for e in events}


def test_a_minute_of_the_past_is_read_once() -> None:
    live = live_of([window(n) for n in range(70)])
    store = live._store
    kept = store.kept("recent", (0, 65))
    again = store.kept("recent", (0, 66))
    assert kept is not None
    assert again is not None
    kept.view()
    shared = [part for part in again.parts if part in kept.parts]
    assert len(shared) == 59
    assert all(store.read(part) is store.read(part) for part in shared)
    assert again.view().summary == counts(*range(7, 67)).condensed()
    newest = max(again.parts, key=lambda part: part.begin)
    assert store.read(newest).summary == read_result(window(66), LEGNARO, WITH_TRACKS).summary
