"""Alarms of a dashboard: verdicts go to them, and acknowledgements are kept with them."""

from collections.abc import Iterable
from dataclasses import replace

from muonscope.alarms.config import read_alarms
from muonscope.alarms.engine import Alarms
from muonscope.dashboard import verdict_contract as contract
from muonscope.events import Tell
from muonscope.quality.verdict import Change, Verdict
from muonscope.wall_time import iso

__all__ = ["KeptAcknowledgements", "alarms_of"]

_WINDOWS = 3


def alarms_of(file: str, detector: str, url: str, tell: Tell, *, window_s: float) -> Alarms | None:
    """Return the alarms that ``--alarms`` names; None if it names none.

    A window that takes ``window_s``, s by the wall clock, is waited for three times as long.

    Raises
    ------
    OptionError
        If the file makes no sense, or a receiver cannot be used.
    StateError
        If their state cannot be used.
    """
    if not file:
        return None
    config = read_alarms(file)
    config = replace(config, no_data_s=max(config.no_data_s, _WINDOWS * window_s))
    return Alarms(config, detector, tell, link=url)


class KeptAcknowledgements:
    """Acknowledgements in the store of the alarms: they outlive the dashboard."""

    def __init__(self, alarms: Alarms) -> None:
        """Take the alarms, which end them."""
        self._alarms = alarms

    @property
    def version(self) -> int:
        """Another number whenever they are others, also by a command beside the dashboard."""
        return self._alarms.version

    def note(self, verdict: Verdict, given: contract.Acknowledgement, now: float) -> None:
        """Take note that somebody has seen a problem."""
        self._alarms.acknowledge(verdict, given.name, given.note, now)

    def follow(self, changes: Iterable[Change]) -> None:
        """Do nothing: the alarms get the same changes."""

    def forget(self) -> None:
        """Do nothing: what is still wrong in the next run has been seen."""

    def of(self, verdict: Verdict) -> contract.Acknowledged | None:
        """Return who has seen a problem."""
        found = self._alarms.acknowledged(verdict)
        if found is None:
            return None
        return contract.Acknowledged(name=found.who, note=found.note, at=iso(found.at))
