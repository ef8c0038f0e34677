"""The app: every route, what it refuses, and what leaves with every answer."""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import replace
from importlib import resources
from typing import Any

import httpx
import jsonschema
import orjson
import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.routing import Mount
from starlette.types import Message, Scope

from dashboard.asking import Client, client_of
from dashboard.lives import LEGNARO, Clock, fed, live_of, window
from dashboard.serving import Serving, serving
from muonscope.dashboard.hub import Hub
from muonscope.dashboard.live import Live, SourceStatus
from muonscope.dashboard.plan import VIEWS
from muonscope.dashboard.security import Access
from muonscope.dashboard.server import _Dashboard, _Stream
from muonscope.detector import setup_names, shipped_detector
from muonscope.results.message import ByteAccounting
from muonscope.results.store import ResultStore
from window_messages import ends_of

TOKEN = "a token of some length"
EVIL = "<script>alert(1)</script>"
API = ("summary", "windows", "windows/0/3", "detector", "health", "openapi.json")
LAYOUTS = ("overview", "chambers", "trends")


@pytest.fixture(scope="module")
def client() -> Client:
    """A client of a dashboard that has five windows; tests only read."""
    return client_of()


@pytest.fixture(scope="module")
def served() -> Iterator[Serving]:
    """A dashboard that is served for real; tests only read."""
    with serving(live_of([window(0)])) as served:
        yield served


@pytest.fixture
def guarded() -> Client:
    """A client of a dashboard that asks for a token."""
    return client_of(access=Access(token=TOKEN, hosts=None))


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
        assert answer.content == entry.read_bytes()
        kind = {
            "js": "text/javascript",
            "css": "text/css",
            "html": "text/html",
            "svg": "image/svg+xml",
        }
        assert answer.headers["content-type"].startswith(kind[entry.name.rpartition(".")[2]])


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
        store.take(window(n))
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


# --- OpenAPI -------------------------------------------------------------------------------


def described(openapi: dict[str, Any], path: str, status: str = "200") -> dict[str, Any]:
    """Return the schema of an answer, with all it refers to."""
    answer = openapi["paths"][path]["get"]["responses"][status]["content"]["application/json"]
    return {**answer["schema"], "components": openapi["components"]}


def full_live() -> Live:
    """Return a state in which every part of the documents has something."""
    clock, store = Clock(), ResultStore(LEGNARO)
    store.take(window(7))
    live = live_of(clock=clock, reference=store.view("run"), version="1.2.3", config={"a": None})
    for n in range(4):
        clock.now += 1.0
        fed(
            live, [window(n), b"garbage"], clock, words=n * 1000, notes=["a note"],
            bytes=ByteAccounting(bytes_in=5, bytes_decoded=3, bytes_rejected=2, rejects={"X": 1}),
            sources=[SourceStatus(name="t", partition=0, read=5, behind=3, unit="messages")],
        )  # fmt: skip
        live.renew_rows()
    live.reset()
    return live


@pytest.mark.parametrize("state", ["full", "empty", "stopped"])
def test_the_answers_are_as_the_openapi_document_says(state: str) -> None:
    live = full_live() if state == "full" else live_of()
    if state == "stopped":
        live = live_of([window(0), ends_of()])
    client = client_of(live)
    openapi = client.get("/api/v1/openapi.json").json()
    asked = [
        ("/summary", f"summary?view={name}") for name in VIEWS
    ] + [("/windows", "windows"), ("/detector", "detector"), ("/health", "health"),
         ("/reference", "reference"), ("/windows/{epoch}/{window}", "windows/0/0"),
         ("/windows", "windows?last=x"), ("/openapi.json", "openapi.json")]  # fmt: skip
    for path, query in asked:
        answer = client.get(f"/api/v1/{query}")
        schema = described(openapi, path, str(answer.status_code))
        jsonschema.validate(answer.json(), schema, jsonschema.Draft202012Validator)
    assert openapi["info"]["version"] == live.version


@pytest.mark.parametrize("name", setup_names())
def test_every_detector_is_as_the_openapi_document_says(name: str) -> None:
    client = client_of(live_of(detector=shipped_detector(name)))
    schema = described(client.get("/api/v1/openapi.json").json(), "/detector")
    jsonschema.validate(
        client.get("/api/v1/detector").json(), schema, jsonschema.Draft202012Validator
    )


def test_the_openapi_document_names_every_route_of_the_api(client: Client) -> None:
    openapi = client.get("/api/v1/openapi.json").json()
    jsonschema.Draft202012Validator.check_schema({"$defs": openapi["components"]["schemas"]})
    assert openapi["openapi"].startswith("3.1")
    assert openapi["info"]["version"] == "1.2.3"
    (mount,) = (r for r in client.app.routes if isinstance(r, Mount) and r.path == "/api/v1")
    assert set(openapi["paths"]) == {getattr(route, "path", "") for route in mount.routes}


def test_what_the_schemas_do_not_know_is_refused(client: Client) -> None:
    openapi = client.get("/api/v1/openapi.json").json()
    for path, query in (("/summary", "summary"), ("/health", "health"), ("/windows", "windows")):
        told = client.get(f"/api/v1/{query}").json() | {"unknown": 1}
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(told, described(openapi, path), jsonschema.Draft202012Validator)


# --- metrics -------------------------------------------------------------------------------


def samples(client: Client) -> dict[tuple[str, str], float]:
    """Return the value of each sample by its name and its labels in order."""
    answer = client.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return {
        (sample.name, ",".join(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_the_metrics_are_the_numbers_of_the_status() -> None:
    live = full_live()
    found, status = samples(client_of(live)), live.status(0)
    for kind, n in status["accounting"].items():
        assert found["muonscope_words_total", kind] == n
    chambers = [c.label for c in LEGNARO.chambers]
    assert sum(found["muonscope_hits_total", c] for c in chambers) == status["accounting"]["hits"]
    assert found["muonscope_windows_total", ""] == 4
    assert found["muonscope_messages_dropped_total", "malformed"] == 4
    assert found["muonscope_bytes_total", "bytes_rejected"] == 2
    assert found["muonscope_rejects_total", "X"] == 1
    assert found["muonscope_behind", "0,t,messages"] == 3
    assert found["muonscope_viewers", ""] == 0
    assert found["muonscope_lag_seconds", ""] == status["lag_s"]
    assert found["muonscope_age_seconds", ""] == status["age_s"] == 0
    assert found["muonscope_window_latency_seconds", "0.5"] == status["latency_ms"]["p50"] / 1e3
    assert found["muonscope_state", "receiving"] == 1
    assert sum(v for (name, _), v in found.items() if name == "muonscope_state") == 1


def test_there_are_metrics_without_data() -> None:
    found = samples(client_of(live_of()))
    assert found["muonscope_state", "waiting"] == 1
    assert ("muonscope_lag_seconds", "") not in found


def test_labels_of_metrics_hold_whatever_text_there_is() -> None:
    nasty = 'a "quote" \\ and\na line'
    source = SourceStatus(name=nasty, read=1, behind=2)
    live = fed(live_of(), [], Clock(), sources=[source])
    assert samples(client_of(live))["muonscope_behind", f",{nasty},bytes"] == 2


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


# --- security ------------------------------------------------------------------------------

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline';"
        " img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; base-uri 'none';"
        " form-action 'self'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


def assert_secure(answer: httpx.Response) -> None:
    """Check the headers of an answer."""
    assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
    assert answer.headers["cache-control"] in {"no-store", "no-cache"}
    assert "server" not in answer.headers


@pytest.mark.parametrize(
    "path", ["/", "/login", "/metrics", "/nothing", "/static/app.js", "/static/nothing",
             "/layout/overview", "/layout/nothing", "/api/v1/windows?last=x", "/stream?view=x",
             "/api/v1/reset", *(f"/api/v1/{name}" for name in API)],
)  # fmt: skip
def test_every_answer_has_the_headers_of_security(
    client: Client, guarded: Client, path: str
) -> None:
    for asked in (client, guarded):
        assert_secure(asked.get(path))
    assert_secure(client.get(path, headers={"host": "evil.example"}))
    assert_secure(client.post(path, headers={"origin": "http://evil.example"}))


def test_only_files_may_be_kept_by_browsers(client: Client) -> None:
    assert client.get("/static/app.js").headers["cache-control"] == "no-cache"
    for path in ("/", "/api/v1/summary", "/layout/overview"):
        assert client.get(path).headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("host", "status"),
    [("localhost", 200), ("localhost:5006", 200), ("LOCALHOST", 200), ("127.0.0.1:80", 200),
     ("[::1]:5006", 200), ("[::1]", 200), ("evil.example", 421), ("evil.example:5006", 421),
     ("localhost.evil.example", 421), ("", 421), ("127.0.0.1.evil.example", 421),
     ("evil.example@localhost", 421), ("localhost evil", 421)],
)  # fmt: skip
def test_it_answers_only_to_its_own_names(client: Client, host: str, status: int) -> None:
    for path in ("/", "/api/v1/health", "/static/app.js", "/login"):
        assert client.get(path, headers={"host": host}).status_code == status


def test_it_answers_to_other_names_that_are_allowed() -> None:
    client = client_of(access=Access(hosts=("localhost", "daq.lab")))
    assert client.get("/", headers={"host": "daq.lab:5006"}).status_code == 200
    assert client.get("/", headers={"host": "evil.example"}).status_code == 421
    anyone = client_of(access=Access(hosts=None))
    assert anyone.get("/", headers={"host": "whatever"}).status_code == 200


def test_without_the_token_nothing_is_told(guarded: Client) -> None:
    for path in ("/metrics", "/stream", "/layout/overview", "/nothing",
                 *(f"/api/v1/{name}" for name in API)):  # fmt: skip
        answer = guarded.get(path)
        assert answer.status_code == 401, path
        assert answer.json() == {"error": "a token is needed"}
        assert answer.headers["www-authenticate"] == "Bearer"
    page = guarded.get("/")
    assert (page.status_code, page.headers["location"]) == (303, "login")
    assert guarded.post("/api/v1/reset", headers={"x-muonscope": "1"}).status_code == 401
    assert guarded.get("/static/app.js").status_code == guarded.get("/login").status_code == 200
    assert "legnaro" not in guarded.get("/login").text


@pytest.mark.parametrize(
    "path",
    ["//api/v1/health", "/static/../api/v1/health", "/login/../metrics", "/loginx",
     "/static/%2e%2e/metrics", "/login/x"],
)  # fmt: skip
def test_no_other_spelling_of_a_path_goes_round_the_token(guarded: Client, path: str) -> None:
    answer = guarded.get(path)
    assert answer.status_code in {401, 404}
    assert "words" not in answer.text


@pytest.mark.parametrize(
    ("authorization", "status"),
    [(f"Bearer {TOKEN}", 200), (f"bearer {TOKEN}", 200), (f"Bearer {TOKEN}x", 401),
     (f"Bearer {TOKEN[:-1]}", 401), ("Bearer", 401), ("Bearer ", 401), (f"Basic {TOKEN}", 401),
     (TOKEN, 401), ("", 401), ("Bearer \xe9", 401)],
)  # fmt: skip
def test_a_script_shows_the_token_in_a_header(
    guarded: Client, authorization: str, status: int
) -> None:
    headers = {"authorization": authorization.encode("latin-1")}
    assert guarded.get("/api/v1/health", headers=headers).status_code == status


def test_a_browser_logs_in_once(guarded: Client) -> None:
    answer = guarded.post("/login", data={"token": TOKEN})
    assert (answer.status_code, answer.headers["location"]) == (303, "./")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Secure" not in cookie
    assert TOKEN not in cookie
    assert guarded.get("/api/v1/health").status_code == guarded.get("/").status_code == 200
    out = guarded.post("/logout")
    assert out.status_code == 303
    assert guarded.get("/api/v1/health").status_code == 401


def test_the_cookie_goes_over_https_only_where_there_is_https() -> None:
    client = client_of(access=Access(token=TOKEN, hosts=None), base="https://daq.lab")
    assert "Secure" in client.post("/login", data={"token": TOKEN}).headers["set-cookie"]


@pytest.mark.parametrize("token", ["", "x", TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "\xe9"])
def test_a_wrong_token_is_refused(
    guarded: Client, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("muonscope.dashboard.server._WRONG_TOKEN_S", 0.0)
    answer = guarded.post("/login", data={"token": token})
    assert answer.status_code == 403
    assert "That is not the token." in answer.text
    assert "set-cookie" not in answer.headers
    assert "{{" not in answer.text


def test_two_dashboards_on_one_host_do_not_log_each_other_out() -> None:
    one, other = Access(token=TOKEN), Access(token="another token")
    assert one.cookie != other.cookie
    assert one.cookie == Access(token=TOKEN).cookie


@pytest.mark.parametrize("value", ["", "x", TOKEN, Access(token="another token").session])
def test_a_made_up_cookie_is_refused(guarded: Client, value: str) -> None:
    headers = {"cookie": f"{Access(token=TOKEN).cookie}={value}"}
    assert guarded.get("/api/v1/health", headers=headers).status_code == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [({}, 403), ({"x-muonscope": "2"}, 403), ({"x-muonscope": "1"}, 204),
     ({"origin": "http://evil.example"}, 403),
     ({"x-muonscope": "1", "sec-fetch-site": "same-origin"}, 204),
     ({"x-muonscope": "1", "sec-fetch-site": "none"}, 204),
     ({"x-muonscope": "1", "sec-fetch-site": "same-site"}, 403),
     ({"x-muonscope": "1", "sec-fetch-site": "cross-site"}, 403)],
)  # fmt: skip
def test_no_other_site_can_have_a_browser_reset(headers: dict[str, str], status: int) -> None:
    client = client_of()
    assert client.post("/api/v1/reset", headers=headers).status_code == status
    reset = client.get("/api/v1/health").json()["reset_at"]
    assert (reset is not None) == (status == 204)


def test_no_other_site_can_have_a_browser_ask_whether_it_may_send_our_header() -> None:
    asked = {"origin": "http://evil.example", "access-control-request-method": "POST",
             "access-control-request-headers": "x-muonscope"}  # fmt: skip
    answer = client_of().request("OPTIONS", "/api/v1/reset", headers=asked)
    assert answer.status_code == 405
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_no_other_site_can_have_a_browser_log_in(guarded: Client) -> None:
    headers = {"sec-fetch-site": "cross-site"}
    answer = guarded.post("/login", data={"token": TOKEN}, headers=headers)
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("origin", ["null", "http://proxy.example"])
def test_a_browser_that_does_not_say_where_it_comes_from_may_log_in(
    guarded: Client, origin: str
) -> None:
    answer = guarded.post("/login", data={"token": TOKEN}, headers={"origin": origin})
    assert answer.status_code == 303


def test_hostile_names_leave_as_json_only() -> None:
    live = live_of([window(0, run=EVIL), f'{{"schema": "{EVIL}"}}'.encode()])
    live.source = EVIL
    client = client_of(live)
    for path in ("/api/v1/health", "/api/v1/summary", "/api/v1/windows/0/0"):
        answer = client.get(path)
        assert EVIL in answer.text
        assert answer.headers["content-type"] == "application/json"
        assert answer.headers["x-content-type-options"] == "nosniff"
    for path in ("/", "/login"):
        assert EVIL not in client.get(path).text


@pytest.mark.parametrize(
    "path",
    [f"/{EVIL}", f"/layout/{EVIL}", f"/layout/overview?theme={EVIL}", f"/static/{EVIL}",
     f"/api/v1/summary?view={EVIL}", f"/api/v1/windows?last={EVIL}", f"/stream?view={EVIL}"],
)  # fmt: skip
def test_what_was_asked_for_comes_back_as_json_only(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code in {400, 404}
    assert answer.headers["content-type"] == "application/json"


def test_a_hostile_host_comes_back_as_json_only(client: Client) -> None:
    answer = client.get("/", headers={"host": EVIL})
    assert answer.status_code == 421
    assert answer.headers["content-type"] == "application/json"


def test_the_name_of_a_detector_is_escaped_in_the_page() -> None:
    client = client_of(live_of(detector=replace(LEGNARO, name=EVIL)))
    assert "muonscope &lt;script&gt;alert(1)&lt;/script&gt;" in client.get("/").text


# --- behind a proxy ------------------------------------------------------------------------


@pytest.mark.parametrize("token", ["", TOKEN])
def test_behind_a_prefix_everything_is_below_it(token: str) -> None:
    client = client_of(access=Access(token=token, hosts=None), prefix="/muonscope")
    if token:
        page = client.get("/muonscope/")
        assert (page.status_code, page.headers["location"]) == (303, "login")
        assert client.get("/muonscope/api/v1/health").status_code == 401
        client.post("/muonscope/login", data={"token": TOKEN})
    for path in (
        "",
        "metrics",
        "static/app.js",
        "layout/trends",
        "login",
        *(f"api/v1/{name}" for name in API),
    ):
        assert client.get(f"/muonscope/{path}").status_code == 200, path
    for path in ("/", "/api/v1/health", "/static/app.js", "/muonscopex/api/v1/health"):
        assert client.get(path).status_code in {404, 303}, path
    bare = client.get("/muonscope")
    assert bare.status_code in {307, 303}
    assert bare.headers["location"].endswith("/muonscope/")


# --- the stream ----------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["", "/muonscope"])
def test_a_viewer_gets_what_there_is_at_once_and_then_what_changes(prefix: str) -> None:
    clock = Clock()
    live = live_of([window(0)], clock=clock)
    with serving(live, prefix=prefix) as served, served.watching("run") as told:
        first = dict([next(told), next(told)])
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
        assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
        assert answer.headers["cache-control"] == "no-store"


def test_a_reset_reaches_all_viewers() -> None:
    with serving(live_of([window(0)])) as served, served.watching("run") as told:
        assert next(d for name, d in told if name == "view")["windows"] == 1
        answer = httpx.post(served.url + "api/v1/reset", headers={"x-muonscope": "1"})
        assert answer.status_code == 204
        assert next(d for name, d in told if name == "view")["windows"] == 0


def test_the_status_comes_about_once_a_second_without_data() -> None:
    with serving() as served, served.watching() as told:
        names = [next(told)[0] for _ in range(3)]
    assert names == ["status"] * 3


def test_a_broadcast_that_fails_is_told_and_does_not_end_the_others(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_live: Live) -> None:
        raise ZeroDivisionError

    dashboard = _Dashboard(live_of([window(0)]), Access(), 10)
    with monkeypatch.context() as patch:
        patch.setattr(Live, "renew_rows", broken)
        dashboard._renew(["run"])
    assert "a broadcast failed" in caplog.text
    assert dashboard._hub.event("run") is not None
    dashboard._renew(["run", "status"])
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
        asyncio.run(_Stream(Hub(broken), 10)(scope, listening, sent))
