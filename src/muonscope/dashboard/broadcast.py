"""The broadcast: views and the status go out to all viewers when there is something new."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Sequence
from itertools import combinations

from msgspec import Struct
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from muonscope.dashboard.answers import asked_switch, asked_view
from muonscope.dashboard.contract import VIEWS, encoded
from muonscope.dashboard.documents import DETAILS
from muonscope.dashboard.hub import GZIP_HEADER, Hub
from muonscope.dashboard.limits import STATUS_S
from muonscope.dashboard.live import Live

__all__ = ["Broadcast", "Stream"]

_WITHOUT = " without "
"""Follows the name of a view of which details are left out."""

_LEAST_S = 0.1
"""Views go out at most ten times a second, whatever comes."""


def _kind(view: str, without: Sequence[str]) -> str:
    """Return the kind of the events of a view without some details."""
    return view + _WITHOUT * bool(without) + " ".join(without)


_KINDS = [
    _kind(view, without)
    for view in VIEWS
    for n in range(len(DETAILS) + 1)
    for without in combinations(DETAILS, n)
]


class Broadcast:
    """Sends out what a dashboard shows, while its app lives."""

    def __init__(self, live: Live) -> None:
        """Broadcast ``live``."""
        self._live = live
        self.hub = Hub(self.encode)

    @contextlib.asynccontextmanager
    async def lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        """Broadcast until the app ends."""
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            self._live.on_change(lambda: None)
            task.cancel()
            self.hub.close()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _run(self) -> None:
        loop, changed, shown = asyncio.get_running_loop(), asyncio.Event(), self._live.changes
        told = self._live.problems_version

        def wake() -> None:
            loop.call_soon_threadsafe(changed.set)

        self._live.on_change(wake)
        status_at = loop.time()
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), max(0.0, status_at - loop.time()))
            changed.clear()
            due: list[str] = []
            if self._live.changes != shown:
                shown = self._live.changes
                due += _KINDS
            if self._live.problems_version != told:
                told = self._live.problems_version
                due.append("problems")
            if loop.time() >= status_at:
                status_at = loop.time() + STATUS_S
                due.append("status")
            if due:
                self.renew(due)
                await asyncio.sleep(_LEAST_S)

    def renew(self, due: list[str]) -> None:
        """Send out what is ``due``: views by their names, ``problems``, or ``status``."""
        try:
            if "run" in due:
                self._live.renew_rows()
            self.hub.renew(*due)
        except Exception:  # whatever it is, the next round may go better: no page may freeze
            logging.getLogger(__name__).exception("a broadcast failed")

    def encode(self, kind: str) -> bytes | None:
        """Return the event of a view, of ``problems`` or ``status``; None while there is none."""
        if kind == "status":
            return _event("status", self._live.status(self.hub.viewers))
        if kind == "problems":
            return _event("problems", self._live.problems())
        view, _, without = kind.partition(_WITHOUT)
        document = self._live.view(asked_view(view), without=without.split())
        return _event("view", document) if document else None


class Stream:
    """The endpoint that never ends: events to one viewer, for as long as it listens."""

    def __init__(self, hub: Hub, most_viewers: int) -> None:
        """Send what ``hub`` has, to at most so many viewers."""
        self._hub, self._most = hub, most_viewers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one viewer."""
        request = Request(scope)
        view = asked_view(request.query_params.get("view", "recent"))
        asked = request.query_params
        without = [name for name in DETAILS if not asked_switch(asked, name, default=True)]
        if request.method != "GET":
            raise HTTPException(405, "expected GET")
        if self._hub.viewers >= self._most:
            raise HTTPException(503, f"{self._most} viewers are connected already")
        packed = "gzip" in request.headers.get("accept-encoding", "")
        headers = [(b"content-type", b"text/event-stream"), (b"x-accel-buffering", b"no")]
        if packed:
            headers.append((b"content-encoding", b"gzip"))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        sending = asyncio.create_task(self._send_all(_kind(view, without), send, packed=packed))
        leaving = asyncio.create_task(_until_left(receive))
        try:
            done, _ = await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sending.cancel()
            leaving.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)
        if sending in done:
            sending.result()  # or what went wrong would not be told

    async def _send_all(self, view: str, send: Send, *, packed: bool) -> None:
        if packed:
            await send({"type": "http.response.body", "body": GZIP_HEADER, "more_body": True})
        sent = self._hub.events("status", "problems", view, packed=packed)
        async with contextlib.aclosing(sent) as events:
            async for data in events:
                await send({"type": "http.response.body", "body": data, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def _until_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _event(name: str, document: Struct) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + encoded(document) + b"\n\n"
