"""The dashboard's server: an ASGI app that serves the page, its figures, the API and the stream.

Reading changes nothing; the only request that does is the reset of the run view.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from html import escape
from socket import socket
from urllib.parse import parse_qs

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from muonscope.dashboard.answers import body_parts, json_answer, refuse
from muonscope.dashboard.api import Api
from muonscope.dashboard.assets import answer, assets
from muonscope.dashboard.broadcast import Broadcast, Stream
from muonscope.dashboard.figures import Look, layout
from muonscope.dashboard.live import Live
from muonscope.dashboard.metrics import CONTENT_TYPE, metrics
from muonscope.dashboard.run_apps import RunApps
from muonscope.dashboard.runs_api import RunsApi
from muonscope.dashboard.security import Access, Gate
from muonscope.results.store import RECENT_S

__all__ = ["DashboardServer", "make_app"]

_MOST_LOGIN_BYTES = 4096
_LEAST_PACKED_BYTES, _PACKED = 1024, 5
"""Shorter answers are not compressed; how hard it tries. Files of the page are packed once, and the
stream packs for all its viewers."""
_WRONG_TOKEN_S = 0.5
"""Delay of the answer to a wrong token, s: guessing takes its time."""


def make_app(
    live: Live, access: Access, *, prefix: str = "", most_viewers: int = 1_000, archive: str = ""
) -> Starlette:
    """Return the app; ``prefix`` is the path it answers under, such as ``/muonscope``.

    With an ``archive`` it has the page of runs, and a dashboard for each of them. Its
    ``state.let_go()`` ends the streams to all viewers, to be called before it stops.
    """
    gates = [
        Middleware(Gate, access=access, prefix=prefix),
        Middleware(GZipMiddleware, minimum_size=_LEAST_PACKED_BYTES, compresslevel=_PACKED),
    ]
    runs = None
    if archive:
        runs = RunApps(
            archive,
            lambda one: _app_of(one, access, most_viewers=most_viewers, runs_page="../../runs"),
        )
    return _app_of(
        live, access, prefix=prefix, most_viewers=most_viewers, gates=gates, archive=archive,
        runs=runs,
    )  # fmt: skip


def _app_of(
    live: Live, access: Access, *, prefix: str = "", most_viewers: int,
    gates: Sequence[Middleware] = (), archive: str = "", runs: RunApps | None = None,
    runs_page: str = "",
) -> Starlette:  # fmt: skip
    """Return the app of one dashboard; the gates of the first stand before those of its runs."""
    broadcast = Broadcast(live)
    pages = _Pages(live, access, runs_page="runs" if runs else runs_page)
    api = Api(live, broadcast.hub).routes()
    routes: list[BaseRoute] = [
        *pages.routes(broadcast),
        Route("/stream", Stream(broadcast.hub, most_viewers)),
    ]
    if runs:
        api += RunsApi(archive).routes()
        routes.append(Mount("/run/{run}", runs))
    routes.append(Mount("/api/v1", routes=api))

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with broadcast.lifespan(app):
            yield
        if runs:
            await runs.close()

    def let_go() -> None:
        broadcast.hub.close()
        if runs:
            runs.let_go()

    app = Starlette(
        routes=[Mount(prefix, routes=routes)] if prefix else routes, middleware=gates,
        exception_handlers={HTTPException: refuse}, lifespan=lifespan,
    )  # fmt: skip
    app.state.let_go = let_go
    return app


class DashboardServer(uvicorn.Server):
    """Lets the viewers go when it ends, before it waits for requests to be answered."""

    def __init__(
        self,
        config: uvicorn.Config,
        app: Starlette,
        told_to_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        """Serve ``app``, which ``config`` has, too, unless it is told to stop before it can."""
        super().__init__(config)
        self._app, self._told_to_stop = app, told_to_stop

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Begin; a signal that came before this server listened to signals counts, too."""
        await super().startup(sockets)
        self.should_exit = self.should_exit or self._told_to_stop()

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """End."""
        self._app.state.let_go()
        await super().shutdown(sockets)


class _Pages:
    """The page, its files and figures, the login, and the metrics."""

    def __init__(self, live: Live, access: Access, *, runs_page: str) -> None:
        self._live, self._access, self._runs_page = live, access, runs_page

    def routes(self, broadcast: Broadcast) -> list[Route]:
        def metered(_request: Request) -> Response:
            data = metrics(self._live.measured(broadcast.hub.viewers))
            return Response(data, headers={"content-type": CONTENT_TYPE})

        return [
            Route("/", self._page),
            *([Route("/runs", self._runs)] if self._runs_page == "runs" else []),
            Route("/login", self._login, methods=["GET", "POST"]),
            Route("/logout", self._logout, methods=["POST"]),
            Route("/static/{name:path}", self._static),
            Route("/layout/{page}", self._layout),
            Route("/metrics", metered),
        ]

    async def _page(self, _request: Request) -> Response:
        title = f"muonscope {self._live.detector.name}"
        return self._filled(
            "index.html", title=title, recent=f"{RECENT_S:g} s",
            runs=self._runs_page, no_runs="" if self._runs_page else "hidden",
        )  # fmt: skip

    async def _runs(self, _request: Request) -> Response:
        return self._filled("runs.html")

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
        return json_answer(data)

    async def _login(self, request: Request) -> Response:
        if request.method == "GET" or not self._access.token:
            return self._filled("login.html", problem="")
        data = b"".join([part async for part in body_parts(request, _MOST_LOGIN_BYTES)])
        token = parse_qs(data.decode("utf-8", "replace")).get("token", [""])[0].strip()
        if not self._access.knows(token):
            await asyncio.sleep(_WRONG_TOKEN_S)
            return self._filled("login.html", 403, problem="That is not the token.")
        response = RedirectResponse("./", 303)
        response.set_cookie(
            self._access.cookie, self._access.session, httponly=True, samesite="strict",
            secure=request.url.scheme == "https",
        )  # fmt: skip
        return response

    async def _logout(self, _request: Request) -> Response:
        response = RedirectResponse("./", 303)
        response.delete_cookie(self._access.cookie)
        return response

    def _filled(self, name: str, status: int = 200, **values: str) -> Response:
        """Return a page with its placeholders replaced by text."""
        asset = assets()[name]
        page = asset.data
        for key, value in {"version": self._live.options.version, **values}.items():
            page = page.replace(b"{{%s}}" % key.encode(), escape(value).encode())
        return Response(page, status, media_type=asset.type)
