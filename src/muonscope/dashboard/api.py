"""The API below ``api/v1``: documents for scripts, and what changes or computes something.

All answers are those of docs/reference/dashboard-api.md, which ``openapi.py`` describes for
machines. Plain functions run in threads, beside the broadcast.
"""

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator, Callable, Iterator

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from muonscope.dashboard.answers import (
    asked_number,
    asked_of,
    asked_time,
    asked_view,
    asked_whole,
    asked_window,
    body_parts,
    from_our_page,
    json_answer,
    posted,
)
from muonscope.dashboard.contract import ChannelWindows, View, Windows, encoded
from muonscope.dashboard.documents import detector_document, view_document
from muonscope.dashboard.hub import Hub
from muonscope.dashboard.limits import (
    CHANNEL_LAST_S,
    CHANNEL_MOST_S,
    DEFAULT_LAST_S,
    LONGEST_LAST_S,
    MOST_REFERENCE_BYTES,
    RESULTS_TYPE,
    VIEW_TYPE,
)
from muonscope.dashboard.live import Live
from muonscope.dashboard.openapi import openapi
from muonscope.dashboard.reference_summary import ResultSum, read_view
from muonscope.dashboard.tabular import FORMATS, table_answer
from muonscope.dashboard.verdict_contract import Acknowledgement
from muonscope.errors import FormatError
from muonscope.results.history import MOST_SHOWN

__all__ = ["Api"]

_MOST_ACKNOWLEDGEMENT_BYTES = 8192

_MOST_EXPORTED = 100_000
"""Rows of a file: more than the history ever has."""

_MOST_SUMS = 4
"""References that are added up at a time."""

_MOST_BYTES = {RESULTS_TYPE: MOST_REFERENCE_BYTES, VIEW_TYPE: 16 << 20}
"""The longest files that are read, by their content type; a view is read as a whole."""


class Api:
    """The endpoints of the API."""

    def __init__(self, live: Live, hub: Hub) -> None:
        """Answer with what ``live`` has; ``hub`` knows the viewers."""
        self._live, self._hub = live, hub
        self._one_history = asyncio.Semaphore()
        self._one_sum = asyncio.Semaphore()
        self._sums = 0

    def routes(self) -> list[BaseRoute]:
        """Return where each endpoint is."""
        return [
            Route("/summary", self._summary),
            Route("/windows", self._windows),
            Route("/windows/{epoch}/{window}", self._message),
            Route("/channels/{chamber}/{channel}", self._channel),
            Route("/events", self._happenings),
            Route("/detector", self._detector),
            Route("/health", self._health),
            Route("/verdicts", self._verdicts),
            Route("/problems", self._problems),
            Route("/acknowledgements", self._acknowledge, methods=["POST"]),
            Route("/reference", self._reference),
            Route("/reference-summary", self._reference_summary, methods=["POST"]),
            Route("/openapi.json", self._openapi),
            Route("/reset", self._reset, methods=["POST"]),
        ]

    def _summary(self, request: Request) -> Response:
        name = asked_view(request.query_params.get("view", "run"))
        if "epoch" not in request.query_params and "window" not in request.query_params:
            document = self._live.view(name)
            if document is None:
                raise HTTPException(404, "no window has come yet")
            return json_answer(encoded(document))
        if name == "run":
            raise HTTPException(400, "view: found run, expected window or recent for the past")
        place = asked_window(request.query_params)
        document = self._live.view_at(name, place)
        if document is None:
            raise HTTPException(404, self._live.missing(place))
        return json_answer(encoded(document))

    async def _windows(self, request: Request) -> Response:
        asked = request.query_params
        form = asked_of(asked, "format", FORMATS)
        most = MOST_SHOWN if form == "json" else _MOST_EXPORTED
        if "from" in asked or "to" in asked:
            if "last" in asked:
                raise HTTPException(400, "last: found beside from or to, expected one of both")
            begin = asked_time(asked, "from", default=-math.inf)
            end = asked_time(asked, "to", default=math.inf)
            return await self._table(
                lambda: self._live.windows_between(begin, end, most), form, "windows"
            )
        last = asked_number(asked, "last", default=DEFAULT_LAST_S, most=LONGEST_LAST_S)
        return await self._table(lambda: self._live.windows(last, most), form, "windows")

    async def _channel(self, request: Request) -> Response:
        chamber, channel = (asked_whole(request.path_params, n) for n in ("chamber", "channel"))
        asked = request.query_params
        form = asked_of(asked, "format", FORMATS)
        last = asked_number(asked, "last", default=CHANNEL_LAST_S, most=CHANNEL_MOST_S)
        try:
            return await self._table(
                lambda: self._live.channel(chamber, channel, last), form,
                f"channel-{chamber}-{channel}",
            )  # fmt: skip
        except KeyError as exc:
            raise HTTPException(
                404, f"chamber {chamber} has no cell on channel {channel}; see api/v1/detector"
            ) from exc

    async def _table(
        self, asked: Callable[[], Windows | ChannelWindows], form: str, name: str
    ) -> Response:
        """Answer with columns: it takes its time, so one after the other, beside the rest."""

        def answer() -> Response:
            told = asked()
            if form == "json":
                return json_answer(encoded(told))
            about = {"run": told.run, "detector": self._live.detector.name}
            return table_answer(told.columns, form, name, about)

        async with self._one_history:
            return await run_in_threadpool(answer)

    def _happenings(self, request: Request) -> Response:
        last = asked_number(request.query_params, "last", default=86_400, most=LONGEST_LAST_S)
        return json_answer(encoded(self._live.happenings(last)))

    def _message(self, request: Request) -> Response:
        place = asked_window(request.path_params)
        data = self._live.message(place)
        if data is None:
            raise HTTPException(404, self._live.missing(place))
        return json_answer(data)

    def _detector(self, _request: Request) -> Response:
        return json_answer(encoded(detector_document(self._live.detector)))

    def _health(self, _request: Request) -> Response:
        return json_answer(encoded(self._live.status(self._hub.viewers)))

    def _verdicts(self, _request: Request) -> Response:
        return json_answer(encoded(self._live.verdicts()))

    def _problems(self, _request: Request) -> Response:
        return json_answer(encoded(self._live.problems()))

    async def _acknowledge(self, request: Request) -> Response:
        given = await posted(
            request, Acknowledgement, _MOST_ACKNOWLEDGEMENT_BYTES, "acknowledgement"
        )
        if not await run_in_threadpool(self._live.acknowledge, given):
            where = f"{given.check} of {given.target}"
            raise HTTPException(404, f"{where}: there is no such problem, or it is over")
        return Response(status_code=204)

    def _reference(self, _request: Request) -> Response:
        if self._live.reference is None:
            raise HTTPException(404, "no --reference was given")
        return json_answer(encoded(view_document(self._live.reference)))

    async def _openapi(self, _request: Request) -> Response:
        return json_answer(openapi(self._live.options.version))

    def _reset(self, request: Request) -> Response:
        from_our_page(request)
        self._live.reset()
        return Response(status_code=204)

    # ---- a reference from a file

    async def _reference_summary(self, request: Request) -> Response:
        from_our_page(request)
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in _MOST_BYTES:
            expected = f"{RESULTS_TYPE} (results) or {VIEW_TYPE} (a view document)"
            raise HTTPException(415, f"content-type: found {kind[:50]!r}, expected {expected}")
        with self._counted():
            parts = body_parts(request, _MOST_BYTES[kind])
            try:
                view = await (self._summed(parts) if kind == RESULTS_TYPE else self._read(parts))
            except FormatError as exc:
                async for _ in parts:  # who is still sending would not hear the answer
                    pass
                raise HTTPException(400, str(exc)) from exc
            return json_answer(encoded(view))

    @contextlib.contextmanager
    def _counted(self) -> Iterator[None]:
        if self._sums >= _MOST_SUMS:
            raise HTTPException(503, f"{_MOST_SUMS} references are being added up already")
        self._sums += 1
        try:
            yield
        finally:
            self._sums -= 1

    async def _summed(self, parts: AsyncIterator[bytes]) -> View:
        total = ResultSum(self._live.detector)
        async for part in parts:
            async with self._one_sum:  # not more than one thread beside the broadcast
                await run_in_threadpool(total.feed, part)
        return await run_in_threadpool(total.view)

    async def _read(self, parts: AsyncIterator[bytes]) -> View:
        data = b"".join([part async for part in parts])
        return await run_in_threadpool(read_view, data, self._live.detector)
