"""The dashboard's server: an ASGI app that broadcasts, and answers scripts.

Reading changes nothing; the only request that does is the reset of the run view. All
answers of the API are those of docs/reference/dashboard-api.md, which ``openapi.json``
describes for machines.
"""

import asyncio
import contextlib
import logging
import math
from collections.abc import AsyncIterator, Mapping
from html import escape
from importlib import resources
from socket import socket
from typing import Any
from urllib.parse import parse_qs

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send

from muonscope.dashboard.assets import answer, assets
from muonscope.dashboard.documents import VIEWS, ViewName, detector_document, encoded, view_document
from muonscope.dashboard.figures import Look, layout
from muonscope.dashboard.hub import Hub
from muonscope.dashboard.live import Live
from muonscope.dashboard.metrics import CONTENT_TYPE, metrics
from muonscope.dashboard.security import Access, Gate

__all__ = ["DashboardServer", "make_app"]

_LEAST_S = 0.1
"""Views go out at most ten times a second, whatever comes."""
_STATUS_S = 1.0
_MOST_LOGIN_BYTES = 4096
_LONGEST_S = 62 * 86_400.0
_WRONG_TOKEN_S = 0.5


def make_app(
    live: Live, access: Access, *, prefix: str = "", most_viewers: int = 1_000
) -> Starlette:
    """Return the app; ``prefix`` is the path it answers under, such as ``/muonscope``.

    Its ``state.let_go()`` ends the streams to all viewers, to be called before it stops.
    """
    return _Dashboard(live, access, most_viewers).app(prefix)


class DashboardServer(uvicorn.Server):
    """Lets the viewers go when it ends, before it waits for requests to be answered."""

    def __init__(self, config: uvicorn.Config, app: Starlette) -> None:
        """Serve ``app``, which ``config`` has, too."""
        super().__init__(config)
        self._app = app

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """End."""
        self._app.state.let_go()
        await super().shutdown(sockets)


class _Dashboard:
    def __init__(self, live: Live, access: Access, most_viewers: int) -> None:
        self._live, self._access, self._most_viewers = live, access, most_viewers
        self._hub = Hub(self._encode)
        self._one_history = asyncio.Semaphore()

    def app(self, prefix: str) -> Starlette:
        routes = [
            Route("/", self._page),
            Route("/login", self._login, methods=["GET", "POST"]),
            Route("/logout", self._logout, methods=["POST"]),
            Route("/static/{name:path}", self._static),
            Route("/layout/{page}", self._layout),
            Route("/stream", _Stream(self._hub, self._most_viewers)),
            Route("/metrics", self._metrics),
            Mount(
                "/api/v1",
                routes=[
                    Route("/summary", self._summary),
                    Route("/windows", self._windows),
                    Route("/windows/{epoch}/{window}", self._message),
                    Route("/detector", self._detector),
                    Route("/health", self._health),
                    Route("/reference", self._reference),
                    Route("/openapi.json", self._openapi),
                    Route("/reset", self._reset, methods=["POST"]),
                ],
            ),
        ]
        app = Starlette(
            routes=[Mount(prefix, routes=routes)] if prefix else routes,
            middleware=[Middleware(Gate, access=self._access, prefix=prefix)],
            exception_handlers={HTTPException: _problem},
            lifespan=self._lifespan,
        )
        app.state.let_go = self._hub.close
        return app

    # ---- broadcasting

    @contextlib.asynccontextmanager
    async def _lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        task = asyncio.create_task(self._broadcast())
        try:
            yield
        finally:
            self._live.on_change(lambda: None)
            task.cancel()
            self._hub.close()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _broadcast(self) -> None:
        loop, changed, shown = asyncio.get_running_loop(), asyncio.Event(), self._live.changes

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
                due += VIEWS
            if loop.time() >= status_at:
                status_at = loop.time() + _STATUS_S
                due.append("status")
            if due:
                self._renew(due)
                await asyncio.sleep(_LEAST_S)

    def _renew(self, due: list[str]) -> None:
        try:
            if "run" in due:
                self._live.renew_rows()
            self._hub.renew(*due)
        except Exception:  # whatever it is, the next round may go better: no page may freeze
            logging.getLogger(__name__).exception("a broadcast failed")

    def _encode(self, kind: str) -> bytes | None:
        if kind == "status":
            return _event("status", self._live.status(self._hub.viewers))
        document = self._live.view(_view(kind))
        return _event("view", document) if document else None

    # ---- the page

    async def _page(self, _request: Request) -> Response:
        asset = assets()["index.html"]
        title = f"muonscope {self._live.detector.name}"
        data = _filled(asset.data, title=title, version=self._live.version)
        return Response(data, media_type=asset.type)

    async def _static(self, request: Request) -> Response:
        asset = assets().get(request.path_params["name"])
        if asset is None:
            raise HTTPException(404, "no such file")
        return answer(request, asset)

    def _layout(self, request: Request) -> Response:
        try:
            look = Look.parse(request.query_params)
            data = layout(request.path_params["page"], look, self._live.detector)
        except ValueError as exc:
            raise HTTPException(404, f"no such layout: {exc}") from exc
        return _json(data)

    async def _login(self, request: Request) -> Response:
        if request.method == "GET" or not self._access.token:
            return self._login_page("")
        data = await _body(request)
        token = parse_qs(data.decode("utf-8", "replace")).get("token", [""])[0].strip()
        if not self._access.knows(token):
            await asyncio.sleep(_WRONG_TOKEN_S)
            return self._login_page("That is not the token.", 403)
        response = RedirectResponse("./", 303)
        response.set_cookie(
            self._access.cookie, self._access.session, httponly=True, samesite="strict",
            secure=request.url.scheme == "https",
        )  # fmt: skip
        return response

    def _login_page(self, problem: str, status: int = 200) -> Response:
        asset = assets()["login.html"]
        data = _filled(asset.data, problem=problem, version=self._live.version)
        return Response(data, status, media_type=asset.type)

    async def _logout(self, _request: Request) -> Response:
        response = RedirectResponse("./", 303)
        response.delete_cookie(self._access.cookie)
        return response

    # ---- the API; plain functions run in threads, beside the broadcast

    def _summary(self, request: Request) -> Response:
        name = _view(request.query_params.get("view", "run"))
        if "epoch" not in request.query_params and "window" not in request.query_params:
            document = self._live.view(name)
            if document is None:
                raise HTTPException(404, "no window has come yet")
            return _json(encoded(document))
        if name == "run":
            raise HTTPException(400, "view: found run, expected window or recent for the past")
        place = _place(request.query_params)
        document = self._live.view_at(name, place)
        if document is None:
            raise HTTPException(404, f"window {place[1]} of epoch {place[0]} is not kept")
        return _json(encoded(document))

    async def _windows(self, request: Request) -> Response:
        text = request.query_params.get("last", "1800")
        try:
            last = float(text)
        except ValueError:
            last = math.nan
        if not 0 < last <= _LONGEST_S:
            most = f"at most {_LONGEST_S:.0f}"
            raise HTTPException(400, f"last: found {text[:50]!r}, expected seconds, {most}")
        async with self._one_history:  # it takes its time: one after the other, beside the rest
            return _json(await run_in_threadpool(lambda: encoded(self._live.windows(last))))

    def _message(self, request: Request) -> Response:
        place = _place(request.path_params)
        data = self._live.message(place)
        if data is None:
            raise HTTPException(404, f"window {place[1]} of epoch {place[0]} is not kept")
        return _json(data)

    def _detector(self, _request: Request) -> Response:
        return _json(encoded(detector_document(self._live.detector)))

    def _health(self, _request: Request) -> Response:
        return _json(encoded(self._live.status(self._hub.viewers)))

    def _reference(self, _request: Request) -> Response:
        if self._live.reference is None:
            raise HTTPException(404, "no --reference was given")
        return _json(encoded(view_document(self._live.reference)))

    def _metrics(self, _request: Request) -> Response:
        live = self._live
        data = metrics(live.status(self._hub.viewers), live.detector, live.hits_per_chamber())
        return Response(data, headers={"content-type": CONTENT_TYPE})

    async def _openapi(self, _request: Request) -> Response:
        text = resources.files("muonscope.dashboard").joinpath("openapi.json").read_bytes()
        return _json(text.replace(b"{{version}}", self._live.version.encode()))

    def _reset(self, request: Request) -> Response:
        if request.headers.get("x-muonscope") != "1":
            raise HTTPException(403, "expected the header X-Muonscope: 1")
        self._live.reset()
        return Response(status_code=204)


class _Stream:
    """The endpoint that never ends: events to one viewer, for as long as it listens."""

    def __init__(self, hub: Hub, most_viewers: int) -> None:
        self._hub, self._most = hub, most_viewers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        view = _view(request.query_params.get("view", "recent"))
        if request.method != "GET":
            raise HTTPException(405, "expected GET")
        if self._hub.viewers >= self._most:
            raise HTTPException(503, f"{self._most} viewers are connected already")
        headers = [(b"content-type", b"text/event-stream"), (b"x-accel-buffering", b"no")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        sending = asyncio.create_task(self._send_all(view, send))
        leaving = asyncio.create_task(_until_left(receive))
        try:
            done, _ = await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            sending.cancel()
            leaving.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)
        if sending in done:
            sending.result()  # or what went wrong would not be told

    async def _send_all(self, view: ViewName, send: Send) -> None:
        async with contextlib.aclosing(self._hub.events("status", view)) as events:
            async for data in events:
                await send({"type": "http.response.body", "body": data, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def _until_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _event(name: str, document: dict[str, Any]) -> bytes:
    return b"event: " + name.encode() + b"\ndata: " + encoded(document) + b"\n\n"


async def _body(request: Request) -> bytes:
    """Return what was posted, which must be short."""
    data = b""
    try:
        async for part in request.stream():
            data += part
            if len(data) > _MOST_LOGIN_BYTES:
                raise HTTPException(413, f"expected at most {_MOST_LOGIN_BYTES} bytes")
    except ClientDisconnect as exc:
        raise HTTPException(400, "the request has no end") from exc
    return data


def _view(name: str) -> ViewName:
    for view in VIEWS:
        if name == view:
            return view
    raise HTTPException(400, f"view: found {name[:50]!r}, expected one of {', '.join(VIEWS)}")


def _place(given: Mapping[str, str]) -> tuple[int, int]:
    """Return the epoch and the window that are asked for."""
    return _whole(given, "epoch"), _whole(given, "window")


def _whole(given: Mapping[str, str], name: str) -> int:
    text = given.get(name, "")
    if not (text.isascii() and text.isdecimal() and len(text) < 16):
        raise HTTPException(400, f"{name}: found {text[:50]!r}, expected a whole number")
    return int(text)


def _json(data: bytes) -> Response:
    return Response(data, media_type="application/json")


async def _problem(_request: Request, exc: Exception) -> Response:
    assert isinstance(exc, HTTPException)
    body = encoded({"error": exc.detail})
    return Response(body, exc.status_code, dict(exc.headers or {}), "application/json")


def _filled(page: bytes, **values: str) -> bytes:
    """Return a page with its placeholders replaced by text."""
    for name, value in values.items():
        page = page.replace(b"{{%s}}" % name.encode(), escape(value).encode())
    return page
