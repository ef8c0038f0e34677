"""A dashboard served for real on a free port, in a thread, as the command serves it."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
import uvicorn

from dashboard.lives import Clock, live_of
from helpers.patience import patience, until
from muonscope.dashboard.live import Live
from muonscope.dashboard.security import Access, PatientProtocol
from muonscope.dashboard.server import DashboardServer, make_app

__all__ = ["Event", "Serving", "events", "serving", "until"]

Event = tuple[str, dict[str, Any]]


def events(response: httpx.Response) -> Iterator[Event]:
    """Yield the events of a stream, their data decoded."""
    name = ""
    for line in response.iter_lines():
        kind, _, value = line.partition(": ")
        if kind == "event":
            name = value
        elif kind == "data":
            yield name, orjson.loads(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """A dashboard that is served."""

    live: Live
    port: int
    prefix: str = ""

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.port}{self.prefix}/"

    def get(self, path: str, **options: Any) -> httpx.Response:
        """Ask for something."""
        return httpx.get(self.url + path, timeout=patience(20.0), **options)

    def status(self) -> dict[str, Any]:
        """Return the status document."""
        told: dict[str, Any] = self.get("api/v1/health").json()
        return told

    @contextmanager
    def watching(self, view: str = "run") -> Iterator[Iterator[Event]]:
        """Give the events that a viewer gets."""
        with httpx.stream(
            "GET", f"{self.url}stream?view={view}", timeout=patience(20.0)
        ) as response:
            assert response.status_code == 200
            yield events(response)

    def connected(self) -> socket.socket:
        """Return a connection on which nothing was sent yet."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=patience(20.0))


@contextmanager
def serving(
    live: Live | None = None, *, access: Access | None = None, prefix: str = "",
    most_viewers: int = 1000, send_buffer: int = 0, archive: str = "", **settings: float,
) -> Iterator[Serving]:  # fmt: skip
    """Serve a dashboard; ``settings`` are those of its connections.

    ``send_buffer`` is what the system may hold for a viewer, bytes.
    """
    live = live or live_of(clock=Clock())
    protocol = type("Protocol", (PatientProtocol,), dict(settings))
    app = make_app(
        live, access or Access(), prefix=prefix, most_viewers=most_viewers, archive=archive
    )
    config = uvicorn.Config(
        app, http=protocol, ws="none", lifespan="on", log_level="error", log_config=None,
        access_log=False, server_header=False, timeout_graceful_shutdown=2,
    )  # fmt: skip
    server = DashboardServer(config, app)
    listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
    if send_buffer:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        until(lambda: server.started, "the server")
        yield Serving(live=live, port=listening.getsockname()[1], prefix=prefix)
    finally:
        server.should_exit = True
        thread.join(patience(20.0))
        assert not thread.is_alive()
