"""What a check is, and the one kind that most are: counts against what is expected of them.

A check takes windows in their order and keeps a state for each of its targets. Which parts of the
telescope are known to be bad already is told with each window: a dead FPGA is one problem, and
not one for each of its cells.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from muonscope.quality.profile import CheckSettings
from muonscope.quality.reference import Reference
from muonscope.quality.seen import Layout, Seen, layout_of
from muonscope.quality.sequential import SequentialTest, threshold
from muonscope.quality.verdict import State

__all__ = ["Check", "CountCheck", "Found", "Measured", "Quiet", "Setting"]

Array = npt.NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What a check is made for."""

    settings: CheckSettings
    reference: Reference
    window_s: float

    @property
    def layout(self) -> Layout:
        """The parts of the telescope."""
        return layout_of(self.reference.detector)

    def limit(self, targets: int) -> float:
        """Return the score of an alarm."""
        tests = targets * max(1, len(self.settings.rules))
        return threshold(tests, self.window_s, self.settings.budget)


@dataclass(slots=True)
class Quiet:
    """Parts of which nothing is to be said, for that all of them is bad is known already."""

    lanes: Array
    chambers: Array
    hot: Array
    """Shape (n_chambers,): orbits that only hot cells have, which are known."""
    moved: Array
    """Shape (n_chambers,): chambers whose constants are known to have changed, or their view's."""
    telescope: bool = False

    @classmethod
    def of(cls, layout: Layout, hot: Array) -> "Quiet":
        """Return nothing but hot cells."""
        lanes, chambers = len(layout.lanes), layout.n_chambers
        none = np.zeros(chambers, np.bool_)
        return cls(np.zeros(lanes, np.bool_), none, hot, none.copy())


class Found(NamedTuple):
    """What a check says of a target."""

    state: State
    text: str = ""
    value: float = 0.0
    expected: float = 0.0
    unit: str = ""
    span_s: float = 0.0
    score: float = 0.0


class Check(ABC):
    """A question that is asked of every window."""

    name = ""
    needs_reference = False
    """Whether likeness does not tell enough where there is no reference."""
    needs_tracks = False
    """Whether it looks at tracks, which not all windows tell."""
    targets: tuple[str, ...] = ()

    @abstractmethod
    def step(self, seen: Seen, quiet: Quiet) -> None:
        """Take a window; where a part is found to be bad, add it to ``quiet``."""

    @abstractmethod
    def states(self) -> Array:
        """Return the state of each target."""

    @abstractmethod
    def found(self, target: int) -> Found:
        """Return what there is to say of a target."""


class Measured(NamedTuple):
    """Counts of a window, what was expected, and which targets are left as they are."""

    n: Array
    e: Array
    phi: Array
    frozen: Array


class CountCheck(Check):
    """A check of counts against what is expected of them."""

    unit = ""
    subjects: tuple[str, ...] = ()
    """What the targets are, for people."""

    def __init__(self, setting: Setting) -> None:
        """Begin without a window."""
        self.reference, self.layout = setting.reference, setting.layout
        self.prepare()
        settings = setting.settings
        rules = settings.rules if self.reference.whole else settings.alone
        self._test = SequentialTest(rules, len(self.targets), setting.limit(len(self.targets)))
        self.span_s = 0.0

    @abstractmethod
    def prepare(self) -> None:
        """Name the targets, and look up what does not change."""

    @abstractmethod
    def measure(self, seen: Seen, quiet: Quiet) -> Measured:
        """Return the counts of a window; all arrays of shape (targets,)."""

    def inhibit(self, quiet: Quiet) -> None:
        """Add to ``quiet`` what this check finds to be bad."""

    def step(self, seen: Seen, quiet: Quiet) -> None:
        """Take a window."""
        n, e, phi, frozen = self.measure(seen, quiet)
        self._test.step(n, e, phi, seen.live_s, frozen)
        self.inhibit(quiet)

    def states(self) -> Array:
        """Return the state of each target."""
        return self._test.states()

    def found(self, target: int) -> Found:
        """Return what there is to say of a target."""
        test = self._test
        state = State(int(self.states()[target]))
        if state == State.NOT_ENOUGH:
            part = test.informed[target] / test.limit
            return Found(state, f"{self.subjects[target]}: {part:.0%} of what a verdict needs")
        if state == State.GOOD:
            return Found(state, f"{self.subjects[target]}: as many {self.unit} as expected")
        i = test.rule_of(target)
        n, e, span = (x[i, target] for x in (test.counted, test.expected, test.span_s))
        score = float(test.score[i, target] / test.limit)
        text = (
            f"{self.subjects[target]}: {n:,.0f} {self.unit} in {span:,.1f} s,"
            f" expected {e:,.1f} (taken for {test.rules[i].ratio:g} times that)"
        )
        return Found(state, text, float(n), float(e), self.unit, float(span), score)
