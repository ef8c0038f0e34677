"""Times of the wall clock as text, the same wherever they are written or read."""

from datetime import UTC, datetime

__all__ = ["iso", "seconds_of"]


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
