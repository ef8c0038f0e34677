"""A client that asks an app without a network."""

import asyncio
from typing import Any

import httpx
from starlette.applications import Starlette

from dashboard.lives import live_of, window
from muonscope.dashboard.live import Live
from muonscope.dashboard.security import Access
from muonscope.dashboard.server import make_app

__all__ = ["Client", "client_of"]


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
