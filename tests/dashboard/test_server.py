"""The app: every route, what it refuses, and what leaves with every answer."""

import asyncio
import re
import socket
import threading
from collections.abc import Iterator
from importlib import resources

import httpx
import orjson
import pytest
import uvicorn
from starlette.types import Message, Scope

from dashboard.asking import API, Client, assert_secure, client_of
from dashboard.lives import LEGNARO, Clock, fed, live_of, window
from dashboard.serving import Serving, events, serving
from helpers.patience import patience
from muonscope.dashboard.broadcast import Broadcast, Stream
from muonscope.dashboard.contract import VIEWS
from muonscope.dashboard.hub import Hub
from muonscope.dashboard.live import Live
from muonscope.dashboard.security import Access
from muonscope.dashboard.server import DashboardServer, make_app
from muonscope.results.read_message import read_result
from muonscope.results.store import ResultStore

LAYOUTS = ("overview", "chambers", "trends")


@pytest.fixture(scope="module")
def served() -> Iterator[Serving]:
    """A dashboard that is served for real; tests only read."""
    with serving(live_of([window(0)])) as served:
        yield served


def test_a_signal_that_came_before_the_server_listened_to_signals_ends_it() -> None:
    app = make_app(live_of(), Access())
    config = uvicorn.Config(app, ws="none", log_config=None, timeout_graceful_shutdown=2)
    server = DashboardServer(config, app, lambda: True)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        thread.join(patience(10.0))
    assert not thread.is_alive()
    assert server.started


# --- what is there -------------------------------------------------------------------------


def test_the_page_names_the_detector_and_all_that_it_loads_is_there(client: Client) -> None:
    page = client.get("/")
    assert page.status_code == 200
    assert "<title>muonscope legnaro</title>" in page.text
    assert "{{" not in page.text
    loaded = re.findall(r'(?:src|href)="([^"#]+)"', page.text)
    assert len(loaded) > 3
    for name in loaded:
        assert not name.startswith(("/", "http"))
        assert client.get(f"/{name}").status_code == 200, name


def test_every_file_of_the_page_is_served_with_its_type(client: Client) -> None:
    for entry in resources.files("muonscope.dashboard").joinpath("static").iterdir():
        answer = client.get(f"/static/{entry.name}")
        if entry.name != "index.html":  # which names all modules
            assert answer.content == entry.read_bytes()
        kind = {
            "js": "text/javascript",
            "css": "text/css",
            "html": "text/html",
            "svg": "image/svg+xml",
        }
        assert answer.headers["content-type"].startswith(kind[entry.name.rpartition(".")[2]])


def test_the_page_names_all_modules_that_it_imports(client: Client) -> None:
    named = set(re.findall(r'modulepreload" href="static/([\w.-]+)"', client.get("/").text))
    wanted, found = ["app.js"], {"app.js"}
    while wanted:
        text = client.get(f"/static/{wanted.pop()}").text
        imported = set(re.findall(r'^(?:import|\}) .*from "\./([\w.-]+)";$', text, re.MULTILINE))
        wanted += imported - found
        found |= imported
    assert named == found
    assert "constants.js" in named


def test_answers_are_packed_for_those_who_take_it(client: Client) -> None:
    plain = client.get("/layout/chambers", headers={"accept-encoding": "identity"})
    packed = client.get("/layout/chambers", headers={"accept-encoding": "gzip"})
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.json() == plain.json()
    assert int(packed.headers["content-length"]) < len(plain.content) / 4


def test_a_file_that_has_not_changed_is_not_sent_again(client: Client) -> None:
    first = client.get("/static/app.js")
    again = client.get("/static/app.js", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = client.get("/static/app.css", headers={"if-none-match": first.headers["etag"]})
    assert other.status_code == 200


def test_who_takes_no_packed_files_gets_plain_ones(client: Client) -> None:
    packed = client.get("/static/bokeh/bokeh.min.js")
    plain = client.get("/static/bokeh/bokeh.min.js", headers={"accept-encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.content == plain.content
    assert int(packed.headers["content-length"]) < len(plain.content) / 2


@pytest.mark.parametrize("page", LAYOUTS)
def test_a_layout_names_its_panels(client: Client, page: str) -> None:
    told = client.get(f"/layout/{page}?theme=dark&log=1&unit=hz&reference=1").json()
    assert set(told) >= {"docs", "items", "panels"}
    assert len(told["panels"]) > 0


def test_the_numbers_of_the_api_are_those_of_the_store(client: Client) -> None:
    store = ResultStore(LEGNARO)
    for n in range(5):
        store.add(read_result(window(n), LEGNARO), window(n), at=Clock().now)
    for name in VIEWS:
        told, view = client.get(f"/api/v1/summary?view={name}").json(), store.view(name)
        assert view is not None
        assert told["accounting"] == view.summary.accounting.as_dict()
        assert told["tables"]["cells2"]["hits"] == view.summary.hits_per_cell[128:192].tolist()
        assert told["windows"] == view.windows
    assert client.get("/api/v1/summary").json()["view"] == "run"
    columns = client.get("/api/v1/windows").json()["columns"]
    for counter, column in store.history.columns(1e6).items():
        assert columns[counter] == column.tolist()
    past = client.get("/api/v1/summary?view=recent&epoch=0&window=2").json()
    kept = store.kept("recent", (0, 2))
    assert kept is not None
    assert past["hits"] == kept.view().summary.total_hits
    assert past["window"] == 2


def test_the_message_of_a_window_is_given_byte_for_byte(client: Client) -> None:
    assert client.get("/api/v1/windows/0/3").content == window(3)


def test_the_history_is_given_for_the_time_asked_for(client: Client) -> None:
    columns = client.get("/api/v1/windows?last=1.5").json()["columns"]
    assert columns["window"] == [3, 4]


def test_the_reference_is_there_if_one_was_given() -> None:
    store = ResultStore(LEGNARO)
    store.take(window(7))
    client = client_of(live_of([window(0)], reference=store.view("run")))
    told = client.get("/api/v1/reference").json()
    assert (told["window"], told["view"]) == (7, "run")
    assert client.get("/api/v1/health").json()["reference"] is True
    assert client_of().get("/api/v1/reference").status_code == 404


def test_reset_begins_the_view_of_the_run_anew() -> None:
    client = client_of()
    answer = client.post("/api/v1/reset", headers={"x-muonscope": "1"})
    assert (answer.status_code, answer.content) == (204, b"")
    assert client.get("/api/v1/summary?view=run").json()["hits"] == 0
    assert client.get("/api/v1/summary?view=window").json()["hits"] > 0
    assert client.get("/api/v1/health").json()["reset_at"]


def test_before_the_first_window_the_api_says_so() -> None:
    client = client_of(live_of())
    answer = client.get("/api/v1/summary")
    assert (answer.status_code, answer.json()) == (404, {"error": "no window has come yet"})
    assert client.get("/api/v1/windows").json()["columns"]["hits"] == []
    assert client.get("/api/v1/health").json()["state"] == "waiting"
    assert client.get("/").status_code == client.get("/metrics").status_code == 200


# --- what is refused -----------------------------------------------------------------------

LONG = "9" * 5000


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/nothing", 404), ("/api/v1/nothing", 404), ("/api/v1/", 404), ("/api", 404),
        ("/static/", 404), ("/static/nothing.js", 404),
        ("/layout/nothing", 404), ("/layout/overview?theme=pink", 404),
        ("/layout/overview?unknown=1", 404), ("/layout/overview?log=2", 404),
        ("/api/v1/summary?view=all", 400), ("/api/v1/summary?view=", 400),
        ("/api/v1/summary?view=window&epoch=0", 400), ("/api/v1/summary?view=window&window=1", 400),
        ("/api/v1/summary?view=window&epoch=0&window=-1", 400),
        ("/api/v1/summary?view=window&epoch=0&window=1.5", 400),
        ("/api/v1/summary?view=window&epoch=0&window=%D9%A3", 400),
        ("/api/v1/summary?view=window&epoch=0&window=1e3", 400),
        (f"/api/v1/summary?view=window&epoch=0&window={LONG}", 400),
        ("/api/v1/summary?view=window&epoch=0&window=999", 404),
        ("/api/v1/summary?view=window&epoch=9&window=0", 404),
        ("/api/v1/summary?view=run&epoch=0&window=1", 400),
        *((f"/api/v1/windows?last={last}", 400)
          for last in ("", "x", "0", "-1", "nan", "inf", "-inf", "1e300", LONG, "5356801", "%00")),
        ("/api/v1/windows/0/999", 404), (f"/api/v1/windows/0/{LONG}", 400),
        ("/api/v1/windows/x/0", 400), ("/api/v1/windows/0/-1", 400), ("/api/v1/windows/0/", 404),
        ("/api/v1/windows/0/999999999999999", 404),
        ("/api/v1/reset", 405), ("/logout", 405), ("/stream?view=all", 400),
    ],
)  # fmt: skip
def test_a_wrong_question_has_an_error_as_json(client: Client, path: str, status: int) -> None:
    answer = client.get(path)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert list(answer.json()) == ["error"]
    assert len(answer.content) < 500


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"])
def test_other_methods_are_refused(client: Client, method: str) -> None:
    for path in ("/", "/stream", "/metrics", "/static/app.js", "/layout/overview",
                 *(f"/api/v1/{name}" for name in API)):  # fmt: skip
        answer = client.request(method, path)
        assert answer.status_code == 405, path
        assert list(answer.json()) == ["error"]


@pytest.mark.parametrize(
    "name",
    ["../server.py", "..%2fserver.py", "%2e%2e/server.py", "%2e%2e%2fserver.py",
     "..%252fserver.py", "....//server.py", "../../../../../../etc/passwd",
     "%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd", "/etc/passwd", "%2fetc%2fpasswd",
     "..\\server.py", "..%5cserver.py", "bokeh/../../server.py", "bokeh/bokeh.js",
     "app.js%00.css", "app.js/", "./app.js", "%2e/app.js", "APP.JS", "file:///etc/passwd"],
)  # fmt: skip
def test_no_other_file_can_be_reached(served: Serving, name: str) -> None:
    with served.connected() as connection:
        request = f"GET /static/{name} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
        connection.sendall(request.encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 404 ")
    assert orjson.loads(body) == {"error": "no such file"}


def test_a_login_of_more_than_four_kilobytes_is_refused(guarded: Client) -> None:
    answer = guarded.post("/login", content=b"token=" + b"x" * 4096)
    assert answer.status_code == 413
    assert guarded.post("/login", content=b"token=" + b"x" * 4000).status_code == 403


# --- the stream ----------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["", "/muonscope"])
def test_a_viewer_gets_what_there_is_at_once_and_then_what_changes(prefix: str) -> None:
    clock = Clock()
    live = live_of([window(0)], clock=clock)
    with serving(live, prefix=prefix) as served, served.watching("run") as told:
        first = dict([next(told), next(told), next(told)])
        assert first["problems"]["run"] == "r"
        assert first["status"]["viewers"] == 1
        assert first["view"]["windows"] == 1
        fed(live, [window(1)], clock)
        view = next(document for name, document in told if name == "view")
        assert (view["view"], view["windows"], view["window"]) == ("run", 2, 1)
        assert view["trend"]["columns"]["window"] == [0, 1] or view["trend"]["first"] == 1
        latency = next(d for name, d in told if name == "status" and d["latency_ms"])
        assert latency["latency_ms"]["windows"] >= 1


def test_a_stream_has_the_headers_of_a_stream_and_of_security() -> None:
    with serving() as served, httpx.stream("GET", served.url + "stream") as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        assert answer.headers["x-accel-buffering"] == "no"
        assert_secure(answer)
        assert answer.headers["cache-control"] == "no-store"


def test_a_stream_is_packed_for_those_who_can_unpack_it() -> None:
    with serving(live_of([window(0)])) as served:
        sizes = {}
        for accepted in ("gzip, deflate", "identity"):
            asked = {"accept-encoding": accepted}
            with httpx.stream("GET", served.url + "stream?view=run", headers=asked) as answer:
                assert answer.headers.get("content-encoding", "identity") in accepted
                told = dict(event for event, _ in zip(events(answer), range(3), strict=False))
                sizes[accepted] = answer.num_bytes_downloaded
            assert set(told) == {"status", "problems", "view"}
        assert sizes["gzip, deflate"] < 0.4 * sizes["identity"]


def test_lists_of_orbits_go_only_to_those_who_draw_them() -> None:
    with serving(live_of([window(0)])) as served:
        tables = {}
        for lists in ("0", "1"):
            with httpx.stream("GET", f"{served.url}stream?view=run&lists={lists}") as answer:
                told = next(d for name, d in events(answer) if name == "view")
            tables[lists] = told["tables"]
        assert set(tables["1"]) - set(tables["0"]) == {f"orbits{c}" for c in range(4)}
        assert all(tables["1"][name] == table for name, table in tables["0"].items())
        refused = served.get("stream?view=run&lists=2")
        assert (refused.status_code, refused.json()) == (
            400, {"error": "lists: found '2', expected 0 or 1"},
        )  # fmt: skip


def test_a_reset_reaches_all_viewers() -> None:
    with serving(live_of([window(0)])) as served, served.watching("run") as told:
        assert next(d for name, d in told if name == "view")["windows"] == 1
        answer = httpx.post(served.url + "api/v1/reset", headers={"x-muonscope": "1"})
        assert answer.status_code == 204
        assert next(d for name, d in told if name == "view")["windows"] == 0


def test_the_status_comes_about_once_a_second_without_data() -> None:
    with serving() as served, served.watching() as told:
        names = [next(told)[0] for _ in range(4)]
    assert names == ["status", "problems", "status", "status"]


def test_a_broadcast_that_fails_is_told_and_does_not_end_the_others(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_live: Live) -> None:
        raise ZeroDivisionError

    broadcast = Broadcast(live_of([window(0)]))
    with monkeypatch.context() as patch:
        patch.setattr(Live, "renew_rows", broken)
        broadcast.renew(["run"])
    assert "a broadcast failed" in caplog.text
    assert broadcast.hub.event("run") is not None
    broadcast.renew(["run", "status"])
    assert caplog.text.count("a broadcast failed") == 1


def test_more_viewers_than_there_may_be_are_refused() -> None:
    with serving(most_viewers=2) as served, served.watching() as one, served.watching() as two:
        assert (next(one)[0], next(two)[0]) == ("status", "status")
        refused = served.get("stream")
        assert refused.status_code == 503
        assert refused.json() == {"error": "2 viewers are connected already"}
        assert served.status()["viewers"] == 2


def test_a_stream_that_cannot_be_encoded_says_why() -> None:
    def broken(kind: str) -> bytes:
        raise ZeroDivisionError(kind)

    async def listening() -> Message:
        await asyncio.sleep(60)
        return {"type": "http.disconnect"}

    async def sent(_message: Message) -> None:
        pass

    scope: Scope = {
        "type": "http", "method": "GET", "path": "/stream", "query_string": b"", "headers": [],
    }  # fmt: skip
    with pytest.raises(ZeroDivisionError, match="status"):
        asyncio.run(Stream(Hub(broken), 10)(scope, listening, sent))
