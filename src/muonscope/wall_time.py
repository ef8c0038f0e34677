"""Times of the wall clock as text, the same wherever they are written or read."""

from datetime import UTC, datetime

from muonscope.errors import OptionError
from muonscope.units import seconds

__all__ = ["iso", "seconds_of", "since"]


def iso(at: float) -> str:
    """Return a time, s since 1970, as text in UTC, to the millisecond.

    Examples
    --------
    >>> iso(1_700_000_000.25)
    '2023-11-14T22:13:20.250Z'
    """
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def seconds_of(text: str) -> float:
    """Return a time given as text, s since 1970; without a zone it is in UTC.

    Raises
    ------
    ValueError
        If it is neither a time as ISO 8601 has it, nor a number of seconds since 1970.

    Examples
    --------
    >>> seconds_of("2023-11-14T22:13:20.250Z"), seconds_of("1700000000")
    (1700000000.25, 1700000000.0)
    """
    try:
        return float(text)
    except ValueError:
        at = datetime.fromisoformat(text)
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def since(text: str | float, now: float, option: str) -> float:
    """Return the moment that ``text`` means, s since 1970: a time, or how long ago it was.

    Raises
    ------
    OptionError
        If it is neither; the message names ``option``.

    Examples
    --------
    >>> since("2h", 1_700_000_000.0, "--since"), since("2023-11-14", 0.0, "--since")
    (1699992800.0, 1699920000.0)
    """
    try:
        return now - seconds(text, option)
    except OptionError as exc:
        try:
            at = datetime.fromisoformat(str(text))
        except ValueError:
            raise OptionError(f"{exc}, or a time such as 2026-11-30T08:00") from None
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
