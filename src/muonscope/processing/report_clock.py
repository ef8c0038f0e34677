"""Times of a report as text: by the wall clock of a time zone, which is named."""

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from muonscope.errors import OptionError

__all__ = ["Clock", "zone_named"]


def zone_named(name: str) -> tzinfo | None:
    """Return a time zone; None, that of this machine, if it has no name.

    Raises
    ------
    OptionError
        If there is no such zone.
    """
    if not name:
        return None
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as exc:
        raise OptionError(f"--timezone: found {name!r}, expected such as Europe/Rome") from exc


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """Tells times of a period, s since 1970, as people of a zone do."""

    zone: tzinfo | None
    """None: that of this machine, with its summer time."""
    since: float
    until: float

    def local(self, at: float) -> datetime:
        """Return a time in the zone."""
        utc = datetime.fromtimestamp(at, UTC)
        return utc.astimezone(self.zone)

    def text(self, at: float) -> str:
        """Return day and time: ``30 Nov 23:41:05``; with the zone where the clock was changed."""
        told = self.local(at)
        return f"{told:%d %b %H:%M:%S}{f' {told:%Z}' if self.changes else ''}"

    def hour(self, at: float) -> str:
        """Return the time in hours and minutes."""
        return f"{self.local(at):%H:%M}"

    @property
    def changes(self) -> bool:
        """Whether the offset from UTC changes in the period."""
        begin, end = self.local(self.since), self.local(self.until)
        return begin.utcoffset() != end.utcoffset()

    @property
    def period(self) -> str:
        """The period, in the zone and in UTC."""
        told = " to ".join(f"{self.local(at):%Y-%m-%d %H:%M %Z}" for at in (self.since, self.until))
        utc = (datetime.fromtimestamp(at, UTC) for at in (self.since, self.until))
        return f"{told} ({' to '.join(f'{at:%Y-%m-%d %H:%M}' for at in utc)} UTC)"
