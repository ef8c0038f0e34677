"""What may come at a dashboard, from the network and from its results: it lives on."""

import resource
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import httpx
import pytest

from dashboard.lives import LINES, Clock, fed, live_of, window
from dashboard.serving import Serving, serving, until
from helpers.command import Command
from helpers.patience import patience
from helpers.window_messages import moved
from muonscope.dashboard.security import Access
from muonscope.results.read_message import MAX_MESSAGE_BYTES

IDLE = 1500
"""Connections that do nothing."""


@contextmanager
def files_for(connections: int) -> Iterator[None]:
    """Let this process have both ends of so many connections open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if 2 * connections + 200 > hard:
        pytest.skip(f"at most {hard} files may be open")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2 * connections + 200), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def is_closed(connection: socket.socket, within_s: float) -> bool:
    """Tell whether the other side closes a connection in time; what it sends is dropped."""
    within_s = patience(within_s)
    connection.settimeout(within_s)
    end = time.monotonic() + within_s
    try:
        while connection.recv(65536):
            if time.monotonic() > end:
                return False
    except TimeoutError:
        return False
    except OSError:
        return True
    return True


def still_serves(served: Serving) -> bool:
    """Tell whether a viewer and a script get what they ask for."""
    with served.watching("run") as told:
        return next(told)[0] == "status" and served.get("api/v1/detector").status_code == 200


# --- connections ---------------------------------------------------------------------------


def test_idle_connections_do_not_stop_a_viewer() -> None:
    live = live_of([window(0)])
    with files_for(IDLE), serving(live, patience_s=60.0) as served, ExitStack() as stack:
        for _ in range(IDLE):
            stack.enter_context(served.connected())
        with served.watching("run") as told:
            assert {next(told)[0] for _ in range(3)} == {"status", "problems", "view"}
            begin = time.monotonic()
            fed(live, [window(1)], Clock())
            assert next(d for name, d in told if name == "view")["windows"] == 2
            assert time.monotonic() - begin < patience(1.0)


def test_idle_connections_are_closed_after_a_while() -> None:
    with serving(patience_s=0.3) as served, ExitStack() as stack:
        idle = [stack.enter_context(served.connected()) for _ in range(100)]
        assert all(is_closed(connection, 2.0) for connection in idle)
        assert still_serves(served)


def test_no_more_connections_than_there_may_be_are_taken() -> None:
    with serving(most_connections=20) as served, ExitStack() as stack:
        held = [stack.enter_context(served.connected()) for _ in range(20)]
        time.sleep(0.1)
        assert is_closed(stack.enter_context(served.connected()), 2.0)
        for connection in held:
            connection.close()
        until(lambda: answers(served), "an answer once there is room")


def answers(served: Serving) -> bool:
    """Tell whether a request is answered."""
    try:
        return served.get("api/v1/health").status_code == 200
    except httpx.HTTPError:
        return False


HEALTH = b"GET /api/v1/health HTTP/1.1\r\nhost: localhost\r\n"


@pytest.mark.parametrize(
    "data",
    [b"", b"G", b"GET /api/v1/health HTTP/1.1", HEALTH, HEALTH + b"x-half: ",
     HEALTH + b"content-length: 100\r\n\r\nabc",
     HEALTH.replace(b"GET /api/v1/health", b"POST /login") + b"content-length: 4000\r\n\r\ntoken=",
     HEALTH.replace(b"GET /api/v1/health", b"POST /login")
     + b"transfer-encoding: chunked\r\n\r\n5\r\ntoken\r\n",
     HEALTH + b"\r\n" + HEALTH],
)  # fmt: skip
def test_half_a_request_is_closed_in_time(hasty: Serving, data: bytes) -> None:
    with hasty.connected() as connection:
        connection.sendall(data)
        assert is_closed(connection, 2.0)
    assert still_serves(hasty)


def test_headers_that_come_slowly_are_closed_in_time(hasty: Serving) -> None:
    begin = time.monotonic()
    with hasty.connected() as connection, suppress(ConnectionError):
        while time.monotonic() - begin < patience(5.0):
            connection.sendall(b"E")
            time.sleep(0.02)
    assert time.monotonic() - begin < patience(2.0)


def test_a_viewer_outlives_the_patience_for_requests(hasty: Serving) -> None:
    begin = time.monotonic()
    with hasty.watching("run") as told:
        for _name, _document in told:
            if time.monotonic() - begin > 0.8:
                break
        assert next(told)


@pytest.fixture(scope="module")
def hasty() -> Iterator[Serving]:
    """A dashboard that has no patience."""
    with serving(live_of([window(0)]), patience_s=0.3) as served:
        yield served


GARBAGE = (
    b"\x00" * 1000, b"\xff" * 1000, b"\r\n\r\n\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n",
    b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"a" * 500,
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
    b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nhost: localhost\r\n\r\n",
    HEALTH + b"x: " + b"a" * 100_000 + b"\r\n\r\n", HEALTH + b"a: b\r\n" * 20_000 + b"\r\n",
    b"GET / HTTP/1.1\r\nhost: localhost\r\ncontent-length: -1\r\n\r\n",
    b"POST / HTTP/1.1\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST /login HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n",
    b"GET / HTTP/1.1\nhost: localhost\n\n" * 50, b"GET http://localhost/ HTTP/1.1\r\n\r\n",
    b"GET /\xff\xfe HTTP/1.1\r\nhost: localhost\r\n\r\n",
    b"GET /%ff%fe HTTP/1.1\r\nhost: localhost\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nhost: localhost\r\n\r\n",
    b"CONNECT a:1 HTTP/1.1\r\nhost: localhost\r\n\r\n",
    HEALTH + b"upgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-key: eA==\r\n\r\n",
    b"GET /stream?view=run HTTP/1.0\r\nhost: localhost\r\n\r\n",
)  # fmt: skip


@pytest.mark.parametrize("data", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_is_answered_with_an_error_or_closed(
    hasty: Serving, data: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    with hasty.connected() as connection:
        connection.settimeout(patience(2.0))
        try:
            connection.sendall(data)
            answer = connection.recv(65536)
        except OSError:
            answer = b""
    assert b" 500 " not in answer[:20]
    assert still_serves(hasty)
    assert "Traceback" not in capfd.readouterr().err


def test_who_leaves_in_the_middle_of_a_request_leaves_no_traceback(
    hasty: Serving, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    for path in (b"/login", b"/api/v1/reset"):
        with hasty.connected() as connection:
            connection.sendall(b"POST " + path + b" HTTP/1.1\r\nhost: localhost\r\n")
            connection.sendall(b"content-length: 100\r\n\r\ntoken=")
            time.sleep(0.05)
    with hasty.connected() as connection:
        connection.sendall(b"GET /stream HTTP/1.1\r\nhost: localhost\r\n\r\n")
        connection.recv(100)
    until(lambda: hasty.status()["viewers"] == 0, "the viewer to leave")
    assert "Traceback" not in capfd.readouterr().err
    assert [record for record in caplog.records if record.exc_info] == []


def test_a_login_that_is_not_sent_to_its_end_leaves_no_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    access = Access(token="a token of some length", hosts=None)
    with serving(access=access, patience_s=1.5) as served:
        for wait in (0.05, 20.0):
            with served.connected() as connection:
                connection.sendall(
                    b"POST /login HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nt"
                )
                assert is_closed(connection, wait) == (wait > 1)
        assert served.get("login").status_code == 200
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []


# --- viewers -------------------------------------------------------------------------------


def test_a_viewer_that_reads_nothing_is_let_go_and_slows_nobody() -> None:
    live, clock = live_of([window(0)]), Clock()
    with serving(live, taking_s=0.5, send_buffer=8192) as served, served.connected() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.sendall(b"GET /stream?view=run HTTP/1.1\r\nhost: localhost\r\n\r\n")
        with served.watching("run") as told:
            until(lambda: served.status()["viewers"] == 2, "both viewers")
            longest, end, n = 0.0, time.monotonic() + patience(15.0), 0
            while served.status()["viewers"] == 2 and time.monotonic() < end:
                n += 1
                begin = time.monotonic()
                fed(live, [window(n)], clock)
                while next(told)[1].get("window") != n:
                    pass
                longest = max(longest, time.monotonic() - begin)
            assert served.status()["viewers"] == 1
            assert longest < patience(1.0)


def test_many_viewers_get_the_same_bytes() -> None:
    live = live_of([window(0)])
    with serving(live) as served, ExitStack() as stack:
        viewers = [stack.enter_context(served.connected()) for _ in range(100)]
        for viewer in viewers:
            viewer.sendall(b"GET /stream?view=run HTTP/1.1\r\nhost: localhost\r\n\r\n")
        until(lambda: served.status()["viewers"] == 100, "all viewers")
        fed(live, [window(1)], Clock())
        found = [read_until(viewer, b'"windows":2,') for viewer in viewers]
    views = {text[text.rindex(b"event: view") :] for text in found}
    assert len(views) == 1


def read_until(viewer: socket.socket, what: bytes) -> bytes:
    """Return all that comes up to the end of the event that has ``what`` in it."""
    text = b""
    while what not in text or not text.rstrip(b"\r\n").endswith(b"}"):
        text += viewer.recv(65536)
    return text.rpartition(b"\n\n")[0]


# --- results -------------------------------------------------------------------------------


def test_a_flood_of_windows_is_counted_whole_and_shown_as_it_can_be() -> None:
    live, clock, flood = live_of(), Clock(), 2000
    lines = [moved(LINES[n % len(LINES)], n) for n in range(flood)]
    with serving(live) as served, served.watching("run") as told:
        feed = threading.Thread(target=lambda: [fed(live, [line], clock) for line in lines])
        begin = time.monotonic()
        feed.start()
        views, seen = 0, 0
        while seen < flood:
            name, document = next(told)
            if name == "view":
                views, seen = views + 1, document["windows"]
        took = time.monotonic() - begin
        feed.join()
        assert 1 <= views <= 2 + took / 0.1
        assert served.status()["windows"] == flood
        columns = served.get("api/v1/windows?last=1e6").json()["columns"]
        assert sum(columns["hits"]) == document["hits"]


BROKEN = (
    b"", b"garbage", b"[1]", b"{}", b"\x00" * 100, b"[" * 5000, b"[" * 1000 + b"]" * 1000,
    b'{"schema": "<script>alert(1)</script>"}', window(0)[:500],
    window(0).replace(b'"hits":', b'"hits":-'), b'{"a":' * 1020 + b"1" + b"}" * 1020,
    b"x" * (MAX_MESSAGE_BYTES + 1), b'{"schema": "' + b"y" * (MAX_MESSAGE_BYTES - 100) + b'"}',
    window(0).replace(b'"run":"r"', b'"run":"' + b"z" * 5000 + b'"'),
    window(0).replace(b'"bin_counts":[', b'"bin_counts":[99999999999999999999,', 1),
)  # fmt: skip


def test_broken_results_are_counted_and_shown_and_the_stream_lives_on() -> None:
    live = live_of([window(0)])
    with serving(live) as served, served.watching("run") as told:
        fed(live, BROKEN, Clock())
        fed(live, [window(1)], Clock())
        assert next(d for name, d in told if name == "view" and d["windows"] == 2)
        status = served.status()
        assert status["malformed"] == len(BROKEN)
        assert len(status["examples"]) == len(BROKEN)
        assert all(text.startswith("malformed result: ") for text in status["examples"])
        assert max(map(len, status["examples"])) < 310
        assert status["state"] == "receiving"


# --- two of them ---------------------------------------------------------------------------


def test_two_dashboards_on_one_port_are_one_too_many(command: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = command("dashboard", "sim:legnaro", "--port", port)
    assert done.code == 5
    (line,) = done.err.strip().splitlines()
    assert line.startswith(f"muonscope: error: 127.0.0.1:{port}: cannot be listened on: ")
    assert line.endswith("choose another --port")
