"""The dashboards of archived runs: one for each that somebody looks at, a few at a time.

Each is the whole dashboard below ``run/NAME/``, with all of the run in it. It appears at once,
and fills while it is looked at.
"""

import asyncio
import contextlib
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from muonscope.dashboard.archived_live import archived_live
from muonscope.dashboard.live import Live
from muonscope.dashboard.result_feeds import ArchivedRuns
from muonscope.errors import MuonscopeError, SourceNotFoundError
from muonscope.intake.archived import ArchivedResults
from muonscope.stopping import Stop

__all__ = ["RunApps"]

_MOST = 3
"""Runs that are held in memory."""


@dataclass(slots=True)
class _Shown:
    """A run that is looked at."""

    app: Starlette
    life: contextlib.AsyncExitStack
    stop: Stop = field(default_factory=Stop)


class RunApps:
    """Answers below the path of a run with the dashboard of that run."""

    def __init__(self, path: str, make: Callable[[Live], Starlette]) -> None:
        """Take the archive, and what makes an app of the state of a dashboard."""
        self._path, self._make = path, make
        self._shown: OrderedDict[str, _Shown] = OrderedDict()
        self._one = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        name = unquote(scope["path_params"]["run"])
        async with self._one:
            shown = self._shown.get(name) or await self._open(name)
            self._shown.move_to_end(name)
            while len(self._shown) > _MOST:
                _, oldest = self._shown.popitem(last=False)
                await _close(oldest)
        await shown.app(scope, receive, send)

    async def close(self) -> None:
        """Let all viewers go."""
        while self._shown:
            _, shown = self._shown.popitem()
            await _close(shown)

    def let_go(self) -> None:
        """End the streams to all viewers."""
        for shown in self._shown.values():
            shown.app.state.let_go()

    async def _open(self, name: str) -> _Shown:
        try:
            found = await run_in_threadpool(ArchivedResults.found, [self._path], name)
        except SourceNotFoundError as exc:
            raise HTTPException(404, str(exc)) from exc
        except MuonscopeError as exc:
            raise HTTPException(500, str(exc)) from exc
        if found is None:
            raise HTTPException(404, f"{self._path}: nothing has been archived yet")
        live = archived_live(found, f"{Path(self._path).name}, run {name}", config={})
        shown = _Shown(self._make(live), contextlib.AsyncExitStack())
        await shown.life.enter_async_context(shown.app.router.lifespan_context(shown.app))
        threading.Thread(target=_fill, args=(live, found, shown.stop), daemon=True).start()
        self._shown[name] = shown
        return shown


def _fill(live: Live, found: ArchivedResults, stop: Stop) -> None:
    """Show all of a run; what goes wrong is said on its page."""
    failed, reason = True, ""
    try:
        reason, failed = ArchivedRuns(found).run(live, stop), False
    except MuonscopeError as exc:
        reason = str(exc)
    except Exception as exc:  # the page must tell of whatever ends its feed
        logging.getLogger(__name__).exception("an archived run cannot be shown")
        reason = f"internal error: {type(exc).__name__}: {exc}"
    live.end(reason, failed=failed)


async def _close(shown: _Shown) -> None:
    shown.stop.set()
    shown.app.state.let_go()
    await shown.life.aclose()
