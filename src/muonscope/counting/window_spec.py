"""The lengths that the windower is given, and the notes that it gives.

They stand apart from :mod:`muonscope.counting.windows` because many need them who count
nothing, and need not wait for its kernels.
"""

from dataclasses import dataclass
from enum import IntEnum

from muonscope.errors import OptionError
from muonscope.units import orbits_in

__all__ = ["GAP_S", "Note", "NoteKind", "WindowSpec"]

GAP_S = 3600.0
"""A jump ahead by more than this starts a new epoch."""

_PANE_ORBITS = 16_384


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowSpec:
    """How detector time is cut. Lengths are in seconds and are rounded to whole orbits."""

    window_s: float = 1.0
    """Length of a window, s; at most an hour."""

    lateness_s: float = 0.1
    """How far the words of one FPGA may step back, s."""

    idle_s: float = 5.0
    """How far an FPGA may stay behind the fastest before nothing waits for it, s."""

    def __post_init__(self) -> None:
        """Refuse lengths that make no sense."""
        for name in ("window_s", "lateness_s", "idle_s"):
            orbits_in(getattr(self, name))
        if self.window_s > GAP_S:
            raise OptionError(f"window: found {self.window_s:g} s, expected at most {GAP_S:g} s")
        if self.idle_s < self.lateness_s:
            raise OptionError(
                f"idle time-out: found {self.idle_s:g} s,"
                f" expected at least the lateness, {self.lateness_s:g} s"
            )

    @property
    def window_orbits(self) -> int:
        """Orbits in a window."""
        return orbits_in(self.window_s)

    @property
    def panes(self) -> int:
        """Panes in a window."""
        return -(-self.window_orbits // _PANE_ORBITS)

    @property
    def pane_orbits(self) -> int:
        """Orbits in a pane (the last one of a window may have fewer)."""
        return -(-self.window_orbits // self.panes)


class NoteKind(IntEnum):
    """The kind of a note."""

    EPOCH = 1
    """A lane begins a new epoch."""
    HOLE = 2
    """A lane jumps ahead in its epoch."""
    LONE = 3
    """A word's orbit is supported by no other word."""
    LATE = 4
    """A word came after its window closed."""
    BACK = 6
    """A lane had been taken too far ahead by bad words, and is set back."""
    FULL = 5
    """The pool of words was full: the oldest pane was closed before its time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """Something that the windower noticed; the first 64 of each call are kept."""

    kind: NoteKind
    word: int
    """Number of the word, from 0, at which it was decided."""
    lane: int
    """FPGA."""
    before: int
    """Orbit at which the lane's clock stood."""
    after: int
    """Orbit of the word."""
