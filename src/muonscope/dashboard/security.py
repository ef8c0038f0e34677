"""Who may look: hosts, the token, the headers of every answer, and limits on connections.

Without a token the dashboard answers only to the names of this machine, so that no other
site can have a browser read it under a name of its own. A token is compared in constant
time, from a cookie after one login or from an ``Authorization: Bearer`` header.
"""

import hashlib
import hmac
from asyncio import TimerHandle, Transport
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from muonscope.dashboard.answers import refusal

__all__ = ["LOOPBACK", "Access", "Gate", "PatientProtocol", "is_loopback"]

_HEADERS = {
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
    "permissions-policy": "camera=(), microphone=(), geolocation=()",
}
_OPEN = ("/login", "/static/")
"""Paths that need no token."""

LOOPBACK = ("127.0.0.1", "localhost", "::1")
"""Names of this machine that only it can reach."""


def is_loopback(host: str) -> bool:
    """Tell whether only this machine can reach ``host``.

    Examples
    --------
    >>> is_loopback("127.0.0.2"), is_loopback("0.0.0.0"), is_loopback("127.example")
    (True, False, False)
    """
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Who may look."""

    token: str = ""
    """What must be known; empty: nothing."""
    hosts: tuple[str, ...] | None = LOOPBACK
    """Names under which it answers, without ports; None: any."""

    @property
    def cookie(self) -> str:
        """Name of the cookie: its own for each token, for cookies know no port."""
        told = hmac.new(self.token.encode(), b"muonscope cookie", hashlib.sha256)
        return f"muonscope_{told.hexdigest()[:8]}"

    @property
    def session(self) -> str:
        """What the cookie of who knows the token holds."""
        return hmac.new(self.token.encode(), b"muonscope session", hashlib.sha256).hexdigest()

    def knows(self, token: str) -> bool:
        """Tell whether ``token`` is the right one."""
        return hmac.compare_digest(token.encode(), self.token.encode())

    def admits(self, connection: HTTPConnection) -> bool:
        """Tell whether a request may see more than the login page."""
        if not self.token:
            return True
        kind, _, token = connection.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            return self.knows(token.strip())
        cookie = connection.cookies.get(self.cookie, "")
        return hmac.compare_digest(cookie.encode(), self.session.encode())

    def answers_to(self, headers: Headers) -> bool:
        """Tell whether a request names a host that is ours."""
        name = headers.get("host", "")
        bare = name[1:].partition("]")[0] if name.startswith("[") else name.partition(":")[0]
        return self.hosts is None or bare.lower() in self.hosts


class Gate:
    """Lets requests through to the app, or answers itself; adds headers to every answer."""

    def __init__(self, app: ASGIApp, access: Access, prefix: str) -> None:
        """Stand before ``app``, which answers under the path ``prefix``."""
        self._app, self._access, self._prefix = app, access, prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("cache-control", "no-store")
            await send(message)

        answer = self._refusal(HTTPConnection(scope))
        await (answer or self._app)(scope, receive, send_with_headers)

    def _refusal(self, connection: HTTPConnection) -> Response | None:
        if not self._access.answers_to(connection.headers):
            name = connection.headers.get("host", "")[:100]
            return refusal(f"this dashboard does not answer to {name!r}; see --allow-host", 421)
        if connection.scope["method"] == "POST" and not _same_site(connection.headers):
            return refusal("a request of another site is refused", 403)
        path = connection.scope["path"].removeprefix(self._prefix)
        if not path or path.startswith(_OPEN) or self._access.admits(connection):
            return None
        if path == "/" and connection.scope["method"] == "GET":
            return RedirectResponse("login", 303)
        return refusal("a token is needed", 401, {"www-authenticate": "Bearer"})


def _same_site(headers: Headers) -> bool:
    """Tell whether a browser says that its request comes from a page of ours.

    Over plain HTTP, except to this machine, browsers do not say. A login changes nothing
    without the token, and what changes something asks for a header that no other site can
    have them send. Origin is not looked at: without a referrer it is ``null``, and behind
    a proxy it names the proxy.
    """
    return headers.get("sec-fetch-site", "none") in {"same-origin", "none"}


class PatientProtocol(H11Protocol):
    """HTTP/1.1 that closes connections which send or take too little, or are too many.

    A request must be there as a whole in time, or go on coming, and an answer must be taken
    in time: what waits for either is cut off, the viewer that went to sleep as well as the
    attacker.

    ``cycle``, ``flow``, ``loop``, ``connections`` and ``transport`` are no public names of
    uvicorn, nor is the class: pyproject.toml binds its minor version.
    """

    patience_s = 15.0
    taking_s = 30.0
    """A viewer that takes nothing of what was sent for so long is let go."""
    least_bytes = 64 << 10
    """A request that is longer goes on coming if so much of it comes in ``patience_s``."""
    most_connections = 4_000

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Take a connection, unless there are too many."""
        super().connection_made(transport)
        self._seen: Any = None
        self._received = 0
        self._watch: TimerHandle | None = None
        self._taking: TimerHandle | None = None
        if len(self.connections) > self.most_connections:
            transport.abort()
            return
        self._look_later()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a connection."""
        for timer in (self._watch, self._taking):
            if timer:
                timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take a part of a request."""
        self._received += len(data)
        super().data_received(data)

    def pause_writing(self) -> None:
        """Give the viewer some time to take what was sent."""
        super().pause_writing()
        self._taking = self.loop.call_later(self.taking_s, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on: the viewer has taken what was sent."""
        super().resume_writing()
        if self._taking:
            self._taking.cancel()

    def _look_later(self) -> None:
        self._watch = self.loop.call_later(self.patience_s, self._look)

    def _look(self) -> None:
        """Close the connection if since the last look no request has begun, come on or ended."""
        if self.cycle is self._seen and self._is_stuck():
            self.transport.abort()
            return
        self._seen, self._received = self.cycle, 0
        self._look_later()

    def _is_stuck(self) -> bool:
        """Tell whether it is the other side that makes no progress with a request."""
        cycle: Any = self.cycle  # None before the first request
        if cycle is None or cycle.response_complete:
            return True
        slow = self._received < self.least_bytes and not self.flow.read_paused
        return bool(cycle.more_body and slow)
