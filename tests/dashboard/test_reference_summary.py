"""References that are sent to be added up: right sums, clear refusals, nothing kept."""

import io
from contextlib import ExitStack
from typing import Any

import httpx
import orjson
import pytest

from dashboard.asking import TOKEN, Client, client_of
from dashboard.lives import LEGNARO, decoded, live_of, window
from dashboard.serving import Serving, serving, until
from helpers.window_messages import ends_of
from muonscope.dashboard import api
from muonscope.dashboard.documents import view_document
from muonscope.dashboard.limits import RESULTS_TYPE, VIEW_TYPE
from muonscope.dashboard.reference_summary import ResultSum
from muonscope.errors import FormatError
from muonscope.results.read_message import MAX_MESSAGE_BYTES
from muonscope.results.store import ResultStore

PATH = "/api/v1/reference-summary"
OWN = {"x-muonscope": "1"}
RESULTS = OWN | {"content-type": RESULTS_TYPE}
VIEW = OWN | {"content-type": VIEW_TYPE}


def summed(*lines: bytes) -> dict[str, Any]:
    """Return the view document of a run, as the store of the dashboard has it."""
    store = ResultStore(LEGNARO)
    for line in lines:
        store.take(line)
    view = store.view("run")
    assert view is not None
    return decoded(view_document(view))


def test_results_are_added_up_as_those_of_the_server_are(client: Client) -> None:
    lines = [window(n) for n in range(7)]
    answer = client.post(PATH, content=b"".join(lines), headers=RESULTS)
    assert answer.status_code == 200
    assert answer.json() == summed(*lines)


def test_of_several_runs_the_newest_counts_and_each_window_once(client: Client) -> None:
    old, new = [window(n, run="old") for n in range(3)], [window(n, run="new") for n in range(4)]
    sent = [*old[:2], *new, old[2], new[0], b"\n", ends_of("new")]
    answer = client.post(PATH, content=b"".join(sent), headers=RESULTS)
    assert answer.json() == summed(*new)


def test_a_view_document_comes_back_as_it_was_sent(client: Client) -> None:
    for query in ("view=run", "view=recent&epoch=0&window=2"):
        saved = client.get(f"/api/v1/summary?{query}").json()
        for text in (orjson.dumps(saved), orjson.dumps(saved, option=orjson.OPT_INDENT_2)):
            answer = client.post(PATH, content=text, headers=VIEW)
            assert (answer.status_code, answer.json()) == (200, saved)


@pytest.mark.parametrize("size", [1000, 4096, 65_536, 1 << 20])
def test_wherever_the_bytes_are_cut_the_sum_is_the_same(size: int) -> None:
    lines = [window(n) for n in range(5)]
    data, total = io.BytesIO(b"\r\n".join(line.rstrip() for line in lines)), ResultSum(LEGNARO)
    while part := data.read(size):
        total.feed(part)
    assert decoded(total.view()) == summed(*lines)


def test_nothing_of_it_is_kept() -> None:
    live = live_of([window(0)])
    client = client_of(live)
    before = live.status(0)
    assert client.post(PATH, content=window(5, run="other"), headers=RESULTS).status_code == 200
    assert client.post(PATH, content=b"garbage", headers=RESULTS).status_code == 400
    assert live.status(0) == before
    assert client.get("/api/v1/reference").status_code == 404


def saved(**changes: Any) -> bytes:
    """Return a view document with some of its keys changed."""
    return orjson.dumps(summed(window(0)) | changes)


LINE = window(0)
WRONG_LINES = (
    (b"garbage", "line 1: found b'garbage', expected a JSON object"),
    (LINE + LINE[:-40], "line 2: found "),
    (b"\n\n" + LINE.replace(b'"legnaro"', b'"bologna2"'), "line 3: detector: found 'bologna2'"),
    (LINE + b"\xff\xfe\n" + LINE, "line 2: found b'"),
    (b'{"window": 1, "detector": "legnaro"}', "line 1: schema: found None"),
    (LINE.replace(b'"hits":', b'"hits":-'), "line 1: "),
    (b"[" * 100_000, "line 1: found b'["),
    (b"null\n", "line 1: found None"),
    (b"", "found no window in 0 lines"),
    (b"\n \n", "found no window in 2 lines"),
    (ends_of(), "found no window in 1 lines"),
)
WRONG_VIEWS = (
    (b"", "found no view document"),
    (b"garbage", "found no view document"),
    (b"null", "found no view document: Expected `object`, got `null`"),
    (b"[" * 100_000, "found no view document"),
    (b'{"live_s": 1, "detector": "legnaro", "tables": null}', "`null` - at `$.tables`"),
    (saved(tables=None), "Expected `object`, got `null` - at `$.tables`"),
    (saved(tables={"cells0": {"hits": "12"}}), "expected a list of numbers - at `$.tables"),
    (saved(tables={"cells0": {"hits": {"length": 9}}}), "expected a list of numbers"),
    (saved(tables={"cells0": {"hits": [1, None]}}), "expected a list of numbers"),
    (saved(tables={"cells0": {"hits": [True]}}), "expected a list of numbers"),
    (saved().replace(b'"hits":[', b'"hits":[99999999999999999999999,', 1), "of 64 bits"),
    (saved().replace(b'"hits":[', b'"hits":[1e999,', 1), "found no view document"),
    (saved(detector="bologna2"), "detector: found 'bologna2', expected 'legnaro'"),
    (saved(live_s=0), "live_s: found 0.0"),
    (saved(live_s=-1), "Expected `float` >= 0.0 - at `$.live_s`"),
    (saved()[:-100], "found no view document"),
    (saved().replace(b'"run":"', b'"run":"\xff'), "found no view document"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("headers", "content", "problem"),
    [*((RESULTS, *wrong) for wrong in WRONG_LINES), *((VIEW, *wrong) for wrong in WRONG_VIEWS)],
    ids=range(len(WRONG_LINES) + len(WRONG_VIEWS)),
)
def test_what_is_no_run_is_refused_with_its_place(
    client: Client, headers: dict[str, str], content: bytes, problem: str
) -> None:
    answer = client.post(PATH, content=content, headers=headers)
    assert (answer.status_code, list(answer.json())) == (400, ["error"])
    assert problem in answer.json()["error"]
    assert len(answer.content) < 500


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403), ({"content-type": RESULTS_TYPE}, 403), (RESULTS | {"x-muonscope": "2"}, 403),
        (RESULTS | {"sec-fetch-site": "cross-site"}, 403), (OWN, 415),
        (OWN | {"content-type": "text/plain"}, 415),
        (OWN | {"content-type": "application/x-www-form-urlencoded"}, 415),
        (RESULTS | {"sec-fetch-site": "same-origin"}, 200),
        (OWN | {"content-type": "Application/X-NDJSON; charset=utf-8"}, 200),
    ],
)  # fmt: skip
def test_only_the_page_and_scripts_that_say_so_may_send_one(
    client: Client, headers: dict[str, str], status: int
) -> None:
    assert client.post(PATH, content=window(0), headers=headers).status_code == status


def test_without_the_token_none_is_taken(guarded: Client) -> None:
    assert guarded.post(PATH, content=window(0), headers=RESULTS).status_code == 401
    bearer = RESULTS | {"authorization": f"Bearer {TOKEN}"}
    assert guarded.post(PATH, content=window(0), headers=bearer).status_code == 200


@pytest.mark.parametrize("kind", [RESULTS_TYPE, VIEW_TYPE])
def test_what_is_too_long_is_refused(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setitem(api._MOST_BYTES, kind, 2 * len(window(0)))
    headers = OWN | {"content-type": kind}
    answer = client_of().post(PATH, content=3 * window(0), headers=headers)
    assert answer.status_code == 413
    assert "expected at most" in answer.json()["error"]


def test_a_line_without_an_end_is_refused_before_it_fills_the_memory() -> None:
    total, part = ResultSum(LEGNARO), b" " * (1 << 20)
    for _ in range(MAX_MESSAGE_BYTES // len(part)):
        total.feed(part)
    with pytest.raises(FormatError, match=r"line 1: found a message of .* bytes, at most"):
        total.feed(b" ")


# --- over a network ------------------------------------------------------------------------

HEAD = (
    b"POST " + PATH.encode() + b" HTTP/1.1\r\nhost: localhost\r\nx-muonscope: 1\r\n"
    b"content-type: " + RESULTS_TYPE.encode() + b"\r\ncontent-length: %d\r\n\r\n"
)


def posted(served: Serving, content: Any) -> httpx.Response:
    """Return the answer to results that are sent."""
    return httpx.post(served.url + PATH[1:], content=content, headers=RESULTS, timeout=30.0)


def test_a_sender_whose_third_line_is_wrong_hears_so_though_megabytes_follow() -> None:
    with serving(live_of([window(0)])) as served:
        answer = posted(served, window(0) + window(1) + b"garbage\n" + 300 * window(2))
        assert answer.status_code == 400
        assert answer.json()["error"].startswith("line 3: found b'garbage'")


def test_who_leaves_in_the_middle_takes_nothing_along(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with serving(live_of([window(0)])) as served:
        for _ in range(2 * api._MOST_SUMS):
            with served.connected() as connection:
                connection.sendall(HEAD % 1_000_000 + window(0) + window(1)[:500])
        until(lambda: posted(served, window(0)).status_code == 200, "room for another sum")
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


def test_no_more_are_added_up_at_a_time_than_there_may_be() -> None:
    with serving(live_of([window(0)])) as served, ExitStack() as stack:
        for _ in range(api._MOST_SUMS):
            connection = stack.enter_context(served.connected())
            connection.sendall(HEAD % 1_000_000 + window(0))
        until(lambda: posted(served, window(0)).status_code == 503, "a refusal")
        assert "are being added up already" in posted(served, window(0)).json()["error"]
        stack.close()
        until(lambda: posted(served, window(0)).status_code == 200, "room for another sum")
