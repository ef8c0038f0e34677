"""Checks of rates: of FPGAs, the telescope, chambers, and what they see together."""

from typing import Any

import numpy as np
import numpy.typing as npt

from muonscope.quality.check import CountCheck, Measured, Quiet, Setting
from muonscope.quality.common import chamber_mode
from muonscope.quality.seen import Seen
from muonscope.quality.verdict import State

__all__ = [
    "ChamberRate",
    "ChambersTogether",
    "FpgaSilent",
    "ScintillatorInTime",
    "ScintillatorRate",
    "SynchronousNoise",
    "TelescopeRate",
]

Array = npt.NDArray[Any]

_FIRST_WORD_S = 5.0
"""So long may pass before an FPGA says its first word."""

_SILENT_S = 0.5
"""Shorter silence is none: FPGAs do not begin and end in the same millisecond."""

_ENOUGH = 5.0
"""Expected words of an FPGA: if none has come, the rest of it is not judged."""

_THIN = 0.2
"""Part of the expected words: one window alone with fewer is one in which a run begins or ends."""


class FpgaSilent(CountCheck):
    """Words of each FPGA; without a reference its own rate so far is expected."""

    name, unit = "fpga_silent", "words"

    def prepare(self) -> None:
        """Name the targets."""
        self.targets = tuple(f"fpga{fpga}" for fpga in self.layout.lanes)
        self.subjects = tuple(f"FPGA {fpga}" for fpga in self.layout.lanes)
        n = len(self.targets)
        self._own, self._spoke = np.zeros(n), np.zeros(n, np.bool_)
        self._ending = False
        self._mute, self._thin, self._passing = (np.zeros(n, np.bool_) for _ in range(3))

    def measure(self, seen: Seen, quiet: Quiet) -> Measured:
        """Return the counts of a window."""
        self._spoke |= seen.lane_words > 0
        known = self.reference.lane_hz if self.reference.whole else self._own
        if not self.reference.whole:
            more = seen.lane_words / max(seen.live_s, 1e-9)
            self._own = np.where(self._own > 0, self._own + 0.01 * (more - self._own), more)
        e = known * seen.live_s
        patience = self._test.limit / _FIRST_WORD_S * seen.live_s
        e = np.where(self._spoke, e, np.minimum(np.where(e > 0, e, patience), patience))
        n = seen.lane_words
        e = np.where(n == 0, np.minimum(e, self._test.limit / _SILENT_S * seen.live_s), e)
        self._mute = (n == 0) & (e > _ENOUGH)
        thin = (n > 0) & (n < _THIN * e)
        self._passing, self._thin = thin & ~self._thin, thin
        ending = n.sum() < _THIN * e.sum()
        none = np.full(len(e), not seen.tells_all or (ending and not self._ending))
        self._ending = ending
        return Measured(np.where(n > 0, np.maximum(n, e), 0), e, np.ones(len(e)), none)

    def inhibit(self, quiet: Quiet) -> None:
        """Add what is bad to ``quiet``."""
        quiet.lanes |= (self._test.states() == State.BAD) | self._mute | self._passing


class TelescopeRate(CountCheck):
    """Orbits with hits, of all chambers that are not bad by themselves."""

    name, unit = "telescope_rate", "chamber orbits with hits"
    needs_reference = True
    targets, subjects = ("telescope",), ("telescope",)

    def prepare(self) -> None:
        """Name nothing more."""

    def measure(self, seen: Seen, quiet: Quiet) -> Measured:
        """Return the counts of a window."""
        counts = ~quiet.chambers
        n = (seen.chamber_orbits - quiet.hot)[counts].sum()
        e = (self.reference.chamber_hz * seen.chamber_live_s)[counts].sum()
        frozen = np.array([not counts.any() or not self.reference.whole])
        return Measured(np.array([n]), np.array([e]), np.array([self.reference.total_phi]), frozen)

    def inhibit(self, quiet: Quiet) -> None:
        """Add what is bad to ``quiet``."""
        quiet.telescope = bool(self._test.states()[0] == State.BAD)


class ChamberRate(CountCheck):
    """Orbits with hits of each chamber beside the others."""

    name, unit = "chamber_rate", "orbits with hits"

    def prepare(self) -> None:
        """Name the targets."""
        self.targets = tuple(f"ch{c}" for c in range(self.layout.n_chambers))
        self.subjects = tuple(f"chamber {c}" for c in range(self.layout.n_chambers))
        self._bad = np.zeros(self.layout.n_chambers, np.bool_)

    def measure(self, seen: Seen, quiet: Quiet) -> Measured:
        """Return the counts of a window."""
        silent = quiet.lanes[self.layout.lane_of_chamber]
        e = self.reference.chamber_hz * seen.chamber_live_s
        n = seen.chamber_orbits - quiet.hot
        usable = ~silent & ~self._bad & (e > 0)
        ratio = np.where(e > 0, n / np.where(e > 0, e, 1.0), 1.0)
        e = e * chamber_mode(ratio, usable)
        return Measured(n, e, self.reference.chamber_phi, silent)

    def inhibit(self, quiet: Quiet) -> None:
        """Add what is bad to ``quiet``."""
        self._bad = self._test.states() == State.BAD
        quiet.chambers |= self._bad | quiet.lanes[self.layout.lane_of_chamber]


class SynchronousNoise(CountCheck):
    """Orbits with more than 100 hits in a chamber (CMS, DT noise monitor)."""

    name, unit = "synchronous_noise", "orbits with more than 100 hits"

    def __init__(self, setting: Setting) -> None:
        """Begin without a window."""
        self._least_hz = setting.settings.numbers["least_hz"]
        super().__init__(setting)

    def prepare(self) -> None:
        """Name the targets."""
        self.targets = tuple(f"ch{c}" for c in range(self.layout.n_chambers))
        self.subjects = tuple(f"chamber {c}" for c in range(self.layout.n_chambers))

    def measure(self, seen: Seen, quiet: Quiet) -> Measured:
        """Return the counts of a window."""
        e = np.maximum(self.reference.synchronous_hz, self._least_hz) * seen.chamber_live_s
        frozen = quiet.lanes[self.layout.lane_of_chamber] | (not seen.tells_all)
        return Measured(seen.synchronous, e, np.ones(len(e)), frozen)


class ScintillatorRate(CountCheck):
    """Orbits with a scintillator hit."""

    name, unit = "scintillator", "orbits with the scintillator"
    needs_reference = True
    targets, subjects = ("scintillator",), ("scintillator",)

    def prepare(self) -> None:
        """Name nothing more."""

    def measure(self, seen: Seen, quiet: Quiet) -> Measured:
        """Return the counts of a window."""
        lane = self.layout.scintillator_lane
        live = seen.lane_live_s[lane] if lane >= 0 else 0.0
        e = np.array([self.reference.scintillator_hz * live])
        frozen = np.array([lane < 0 or bool(quiet.lanes[lane]) or not e[0]])
        return Measured(seen.scint_orbits[-1:], e, np.ones(1), frozen)


class ScintillatorInTime(CountCheck):
    """Scintillator orbits in which each chamber has a hit, too."""

    name, unit = "scintillator_in_time", "orbits with the scintillator and the chamber"
    needs_reference = True

    def prepare(self) -> None:
        """Name the targets."""
        self.targets = tuple(f"ch{c}" for c in range(self.layout.n_chambers))
        self.subjects = tuple(f"chamber {c}" for c in range(self.layout.n_chambers))

    def measure(self, seen: Seen, quiet: Quiet) -> Measured:
        """Return the counts of a window."""
        e = self.reference.coincidence * seen.scint_orbits[-1]
        frozen = quiet.chambers | (not seen.tells_all) | (not self.reference.whole)
        return Measured(seen.scint_orbits[:-1], e, np.ones(len(e)), frozen)


class ChambersTogether(CountCheck):
    """Orbits in which chambers of different FPGAs both have three hits or more."""

    name, unit = "chambers_together", "orbits with three hits in both"
    needs_reference = True

    def prepare(self) -> None:
        """Name the targets."""
        lane, lanes = self.layout.lane_of_chamber, self.layout.lanes
        n = self.layout.n_chambers
        self._pairs = [(a, b) for a in range(n) for b in range(a + 1, n) if lane[a] != lane[b]]
        self._a, self._b = (np.array([p[i] for p in self._pairs], np.int64) for i in (0, 1))
        self.targets = tuple(f"ch{a}-ch{b}" for a, b in self._pairs)
        self.subjects = tuple(
            f"chambers {a} and {b} (FPGAs {lanes[lane[a]]} and {lanes[lane[b]]})"
            for a, b in self._pairs
        )

    def measure(self, seen: Seen, quiet: Quiet) -> Measured:
        """Return the counts of a window."""
        single, usual = np.diag(seen.together), np.diag(self.reference.together_hz) * seen.live_s
        ratio = np.where(usual > 0, single / np.where(usual > 0, usual, 1.0), 0.0)
        a, b = self._a, self._b
        common = np.minimum(1.0, np.sqrt(ratio[a] * ratio[b]))  # more in one is noise
        e = self.reference.together_hz[a, b] * seen.live_s * common
        frozen = quiet.chambers[a] | quiet.chambers[b] | quiet.telescope | (not seen.tells_all)
        return Measured(seen.together[a, b], e, np.full(len(e), 1.5), frozen)
