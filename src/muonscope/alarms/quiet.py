"""Quiet times: times of day in which only pages go out. Pure: the time is an argument."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from muonscope.errors import OptionError

__all__ = ["Quiet", "quiet_of", "zone_of"]

_SPAN = re.compile(r"([0-9]{2}):([0-9]{2})-([0-9]{2}):([0-9]{2})")
_DAY_MIN = 24 * 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiet:
    """Times of day, every day."""

    spans: tuple[tuple[int, int], ...] = ()
    """Begin and end, minutes since midnight, 0 .. 1440; an end before the begin is tomorrow's."""
    zone: tzinfo | None = None
    """None: as the clock of the machine shows it."""

    def at(self, now: float) -> bool:
        """Tell whether ``now``, s since 1970, is a quiet time.

        The time of day is as the clock shows it: one that summer time leaves out does not come,
        and one that comes twice is quiet twice.
        """
        if not self.spans:
            return False
        local = datetime.fromtimestamp(now, UTC).astimezone(self.zone)
        minute = 60 * local.hour + local.minute
        return any(
            begin <= minute < end if begin < end else minute >= begin or minute < end
            for begin, end in self.spans
        )


def quiet_of(spans: list[str], zone: tzinfo | None, where: str) -> Quiet:
    """Return the times that are written like ``22:00-07:00``.

    Raises
    ------
    OptionError
        If one is no such time; the message begins with ``where``.
    """
    return Quiet(spans=tuple(_span(text, where) for text in spans), zone=zone)


def _span(text: str, where: str) -> tuple[int, int]:
    match = _SPAN.fullmatch(text)
    if match:
        hours, minutes = map(int, match.group(1, 3)), map(int, match.group(2, 4))
        (begin, end), parts = (60 * h + m for h, m in zip(hours, minutes, strict=True)), match
        if max(int(parts[2]), int(parts[4])) < 60 and max(begin, end) <= _DAY_MIN and begin != end:
            return begin % _DAY_MIN, end
    raise OptionError(f"{where}: found {text!r}, expected two times of day such as 22:00-07:00")


def zone_of(name: str, where: str) -> tzinfo | None:
    """Return a time zone such as ``Europe/Rome``; None, that of the machine, for no name.

    Raises
    ------
    OptionError
        If this machine knows no such zone.
    """
    if not name:
        return None
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, LookupError) as exc:  # a folder, a path that leads away, no zone
        raise OptionError(
            f"{where}: found {name!r}, expected a time zone that this machine knows, such as"
            " Europe/Rome"
        ) from exc
