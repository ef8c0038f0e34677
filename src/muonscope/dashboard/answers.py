"""Questions and answers of the API: numbers that are asked for, documents, and refusals."""

import math
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TypeVar

import msgspec
from msgspec import Struct
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from muonscope.dashboard.contract import NOT_JSON, VIEWS, Error, ViewName, encoded
from muonscope.dashboard.limits import MOST_DIGITS, OWN_HEADER
from muonscope.wall_time import seconds_of

__all__ = [
    "asked_number", "asked_of", "asked_switch", "asked_time", "asked_view", "asked_whole",
    "asked_window", "body_parts", "from_our_page",
    "json_answer", "refusal", "refuse",
]  # fmt: skip

_T = TypeVar("_T", bound=str)
_Given = TypeVar("_Given", bound=Struct)
_MOST_SHOWN = 50
"""Letters of a wrong value that are shown."""


def asked_view(name: str) -> ViewName:
    """Return the view of this name, or refuse."""
    return asked_of({"view": name}, "view", VIEWS)


def asked_window(given: Mapping[str, str]) -> tuple[int, int]:
    """Return the epoch and the window that are asked for, or refuse."""
    return asked_whole(given, "epoch"), asked_whole(given, "window")


def asked_whole(given: Mapping[str, str], name: str) -> int:
    """Return a whole number that is asked for, or refuse."""
    text = given.get(name, "")
    if not (text.isascii() and text.isdecimal() and len(text) <= MOST_DIGITS):
        raise HTTPException(400, f"{name}: found {text[:_MOST_SHOWN]!r}, expected a whole number")
    return int(text)


def asked_number(given: Mapping[str, str], name: str, *, default: float, most: float) -> float:
    """Return a positive number of seconds that is asked for, or refuse."""
    text = given.get(name, str(default))
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number <= most:
        found = text[:_MOST_SHOWN]
        raise HTTPException(400, f"{name}: found {found!r}, expected seconds, at most {most:g}")
    return number


def asked_time(given: Mapping[str, str], name: str, *, default: float) -> float:
    """Return a time that is asked for, s since 1970, or refuse."""
    if name not in given:
        return default
    text = given[name][:_MOST_SHOWN]
    try:
        at = seconds_of(text)
    except (ValueError, OverflowError):
        at = math.nan
    if math.isnan(at):
        expected = "a time such as 2026-11-28T09:00:00Z, or seconds since 1970"
        raise HTTPException(400, f"{name}: found {text!r}, expected {expected}")
    return at


def asked_of(given: Mapping[str, str], name: str, expected: Sequence[_T]) -> _T:
    """Return one of some words, by default the first, or refuse."""
    text = given.get(name, expected[0])
    for word in expected:
        if text == word:
            return word
    found, known = text[:_MOST_SHOWN], ", ".join(expected)
    raise HTTPException(400, f"{name}: found {found!r}, expected one of {known}")


def asked_switch(given: Mapping[str, str], name: str, *, default: bool) -> bool:
    """Return whether something is asked for, 1 or 0, or refuse."""
    text = given.get(name, str(int(default)))
    if text not in {"0", "1"}:
        raise HTTPException(400, f"{name}: found {text[:_MOST_SHOWN]!r}, expected 0 or 1")
    return text == "1"


def from_our_page(request: Request) -> None:
    """Refuse a request that a page of another site can have a browser send."""
    if request.headers.get(OWN_HEADER) != "1":
        raise HTTPException(403, f"expected the header {OWN_HEADER}: 1")


async def body_parts(request: Request, most: int) -> AsyncIterator[bytes]:
    """Yield what was posted, part by part; refuse more than ``most`` bytes."""
    taken = 0
    try:
        async for part in request.stream():
            taken += len(part)
            if taken > most:
                raise HTTPException(413, f"expected at most {most} bytes")
            yield part
    except ClientDisconnect as exc:
        raise HTTPException(400, "the request has no end") from exc


async def posted(request: Request, kind: type[_Given], most: int, what: str) -> _Given:
    """Return the document, of at most so many bytes, that our page posts; refuse all else.

    ``what`` is its name for people.
    """
    from_our_page(request)
    data = b"".join([part async for part in body_parts(request, most)])
    try:
        return msgspec.json.decode(data, type=kind)
    except NOT_JSON as exc:
        raise HTTPException(400, f"found no {what}: {exc}") from exc


def json_answer(data: bytes) -> Response:
    """Return an answer of JSON."""
    return Response(data, media_type="application/json")


def refusal(text: str, status: int, headers: Mapping[str, str] | None = None) -> Response:
    """Return the answer to a request that is refused."""
    return Response(encoded(Error(error=text)), status, headers, "application/json")


async def refuse(_request: Request, exc: Exception) -> Response:
    """Answer with what was raised."""
    assert isinstance(exc, HTTPException)
    return refusal(exc.detail, exc.status_code, exc.headers)
