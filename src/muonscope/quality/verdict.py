"""Verdicts: what a check says of a target, since when, and what to do."""

from dataclasses import dataclass
from enum import IntEnum

__all__ = ["Change", "State", "Verdict"]


class State(IntEnum):
    """How something is; the greatest of several is that of all together."""

    GOOD = 0
    NOT_ENOUGH = 1
    """Even the worst that may come could not be told from chance yet."""
    WARN = 2
    BAD = 3
    NO_DATA = 4

    @property
    def label(self) -> str:
        """The state as people read it."""
        return self.name.replace("NOT_ENOUGH", "NOT ENOUGH YET").replace("_", " ")

    @classmethod
    def named(cls, text: str) -> "State":
        """Return the state with this label.

        Raises
        ------
        KeyError
            If there is none.
        """
        return {state.label: state for state in cls}[text]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a check says of a target."""

    check: str
    """Name of the check, as profiles name it."""
    target: str
    """``telescope``, ``fpga1``, ``ch0``, ``ch0-ch2``, ``ch0:61`` (a TDC channel)."""
    state: State
    text: str
    """One line: what was measured, what expected, and the limit."""
    value: float = 0.0
    """What was measured, in ``unit``, over ``span_s``."""
    expected: float = 0.0
    unit: str = ""
    span_s: float = 0.0
    score: float = 0.0
    """In parts of the alarm threshold."""
    since_s: float = 0.0
    """Time in the run at which the window ends that changed it, s."""
    since_at: float | None = None
    """The same by the wall clock, s since 1970; None where it is not known."""
    known: str = ""
    """Why it does not count, where it is a known problem."""

    @property
    def counts(self) -> bool:
        """Whether it is a problem that nobody knew of."""
        return self.state in {State.WARN, State.BAD} and not self.known


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A verdict that is another one than before."""

    verdict: Verdict
    before: State
    place: tuple[int, int]
    """Epoch and window after which it changed."""
