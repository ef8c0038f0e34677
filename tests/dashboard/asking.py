"""A client that asks an app without a network."""

import asyncio
from typing import Any

import httpx
from starlette.applications import Starlette

from dashboard.lives import live_of, window
from muonscope.dashboard.live import Live
from muonscope.dashboard.security import Access
from muonscope.dashboard.server import make_app

__all__ = ["API", "TOKEN", "Client", "assert_secure", "client_of"]

API = ("summary", "windows", "windows/0/3", "detector", "health", "openapi.json")
"""What can be read below ``api/v1``, where there are five windows."""

TOKEN = "a token of some length"

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
}


class Client:
    """Asks an app; keeps cookies as a browser does, and follows nothing."""

    def __init__(self, app: Starlette, base: str) -> None:
        """Ask ``app`` under the URL ``base``."""
        self.app, self._base = app, base
        self._cookies = httpx.Cookies()

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Return the answer; what is raised in the app is raised here."""

        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app)
            async with httpx.AsyncClient(
                transport=transport, base_url=self._base, cookies=self._cookies
            ) as client:
                answer = await client.request(method, path, **options)
            self._cookies = client.cookies
            return answer

        return asyncio.run(ask())

    def get(self, path: str, **options: Any) -> httpx.Response:
        """Ask for something."""
        return self.request("GET", path, **options)

    def post(self, path: str, **options: Any) -> httpx.Response:
        """Send something."""
        return self.request("POST", path, **options)


def client_of(
    live: Live | None = None, access: Access | None = None, *,
    base: str = "http://localhost", **options: Any,
) -> Client:  # fmt: skip
    """Return a client of an app; by default one that has five windows."""
    live = live or live_of([window(n) for n in range(5)], version="1.2.3")
    return Client(make_app(live, access or Access(), **options), base)


def assert_secure(answer: httpx.Response) -> None:
    """Check the headers of an answer."""
    assert {name: answer.headers.get(name) for name in _HEADERS} == _HEADERS
    assert answer.headers["cache-control"] in {"no-store", "no-cache"}
    assert "server" not in answer.headers
