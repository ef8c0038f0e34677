"""Who is let in, from where and how, and what every answer forbids a browser."""

from dataclasses import replace

import pytest

from dashboard.asking import API, TOKEN, Client, assert_secure, client_of
from dashboard.lives import LEGNARO, live_of, window
from muonscope.dashboard.security import Access

EVIL = "<script>alert(1)</script>"


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


@pytest.fixture
def delays(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Delays of the server, s, which pass at once."""
    noted: list[float] = []

    async def sleep(s: float) -> None:
        noted.append(s)

    monkeypatch.setattr("muonscope.dashboard.server.asyncio.sleep", sleep)
    return noted


def test_a_browser_logs_in_once(guarded: Client, delays: list[float]) -> None:
    answer = guarded.post("/login", data={"token": TOKEN})
    assert delays == []
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
def test_a_wrong_token_is_refused(guarded: Client, token: str, delays: list[float]) -> None:
    answer = guarded.post("/login", data={"token": token})
    assert answer.status_code == 403
    assert delays == [0.5]
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
    live = live_of([window(0, run=EVIL), f'{{"schema": "{EVIL}"}}'.encode()], source=EVIL)
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
