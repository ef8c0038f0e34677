"""The API of archived runs, below ``api/v1/runs``: reading, notes, and signatures.

An archive is opened for each request, so that it is as it is on the disk; opening looks only for
what has changed.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from muonscope.archiving.archive import Archive, run_row
from muonscope.archiving.archived_run import ArchivedRun
from muonscope.archiving.good_windows import Signature, proposal, sign, signatures
from muonscope.archiving.notes import Note, add_note, read_notes
from muonscope.dashboard.answers import json_answer, posted
from muonscope.dashboard.contract import encoded
from muonscope.dashboard.runs_contract import (
    GoodRange,
    NewNote,
    NewSignature,
    RunChange,
    RunDetail,
    RunRow,
    Runs,
    RunSignature,
)
from muonscope.errors import OptionError, SourceNotFoundError
from muonscope.results.good_list import epochs_of
from muonscope.wall_time import iso

__all__ = ["RunsApi"]

_MOST_BYTES = 16_384


class RunsApi:
    """The endpoints of an archive."""

    def __init__(self, path: str, clock: Callable[[], float] = time.time) -> None:
        """Answer with what the archive at ``path`` has."""
        self._path, self._clock = Path(path), clock

    def routes(self) -> list[BaseRoute]:
        """Return where each endpoint is."""
        return [
            Route("/runs", self._runs),
            Route("/runs/{run}", self._run),
            Route("/runs/{run}/notes", self._note, methods=["POST"]),
            Route("/runs/{run}/signatures", self._sign, methods=["POST"]),
        ]

    def _runs(self, _request: Request) -> Response:
        try:
            with Archive(self._path) as archive:
                found = list(archive.each(_row))
                damaged = archive.damaged
        except SourceNotFoundError:  # nothing has been archived yet
            found, damaged = [], []
        found.sort(key=lambda row: row.last_at, reverse=True)
        return json_answer(encoded(Runs(archive=str(self._path), runs=found, damaged=damaged)))

    def _run(self, request: Request) -> Response:
        return json_answer(encoded(self._of(request, _detail)))

    async def _note(self, request: Request) -> Response:
        given = await posted(request, NewNote, _MOST_BYTES, "note")
        told = {name: getattr(given, name) for name in NewNote.__struct_fields__}
        note = Note(at=round(self._clock(), 3), **told)
        await run_in_threadpool(self._of, request, lambda run: add_note(run.folder, note))
        return Response(status_code=204)

    async def _sign(self, request: Request) -> Response:
        given = await posted(request, NewSignature, _MOST_BYTES, "signature")

        def signed(run: ArchivedRun) -> None:
            sign(
                run, given.who, round(self._clock(), 3), note=given.note, also=given.also,
                but=given.but,
            )  # fmt: skip

        await run_in_threadpool(self._of, request, signed)
        return Response(status_code=204)

    def _of(self, request: Request, work: Callable[[ArchivedRun], Any]) -> Any:
        """Return what ``work`` makes of the run that is asked for."""
        try:
            with Archive(self._path) as archive:
                return work(archive[unquote(request.path_params["run"])])
        except SourceNotFoundError as exc:
            raise HTTPException(404, str(exc)) from exc
        except OptionError as exc:
            raise HTTPException(400, str(exc)) from exc


def _row(run: ArchivedRun) -> RunRow:
    row, signed = run_row(run), signatures(run)
    return RunRow(
        run=row["run"], key=run.folder.path.name, detector=row["detector"],
        conditions=dict(row["conditions"]),
        begun_at=iso(row["begun_at"] / 1e3), last_at=iso(row["last_at"] / 1e3),
        ended=row["ended"], windows=row["windows"], live_s=round(row["live_s"], 3),
        hits=row["hits"], good=None if row["good"] is None else round(row["good"], 5),
        worst=row["worst"], signed_by=signed[-1].who if signed else "",
        notes=len(read_notes(run.folder)),
    )  # fmt: skip


def _detail(run: ArchivedRun) -> RunDetail:
    return RunDetail(
        row=_row(run),
        states={state.label: n for state, n in sorted(run.states.items())},
        changes=[
            RunChange(
                epoch=c.epoch, window=c.window, run_s=round(c.run_s, 3), check=c.check,
                target=c.target, before=c.before, state=c.state, text=c.text, known=c.known,
                at=None if c.at is None else iso(c.at),
            )
            for c in run.changes
        ],
        notes=read_notes(run.folder),
        proposal=_signature(proposal(run)),
        signatures=[_signature(one) for one in signatures(run)],
    )  # fmt: skip


def _signature(found: Signature) -> RunSignature:
    good = found.good_list
    return RunSignature(
        who=found.who, at=None if found.at is None else iso(found.at), note=found.note,
        windows=found.good_windows,
        good=[
            GoodRange(epoch=epoch, first=first, last=last)
            for epoch in epochs_of(good, found.run)
            for first, last in good.of(found.run, epoch)
        ],
    )  # fmt: skip
