"""Checks of tracks: their rate, drift velocity, times and places of chambers, residuals.

Constants are judged by the normal equations of tracks: a window tells ``n`` of a constant with a
weight ``N``, so that a change by ``d`` adds ``(d n - d2 N / 2) / (phi s2)`` to a score, the
logarithm of the likelihood ratio of Gaussian means (CUSUM, Page 1954), where ``s2`` is the
variance of residuals, and ``phi`` how much more the sums of a window scatter in the reference (1.3
to 2.0 in simulation, for hits of a track bend alike). What is found to have changed is known from
then on, and does not tell of other constants.
"""

import math
from abc import abstractmethod
from typing import Any

import numpy as np
import numpy.typing as npt

from muonscope.quality.check import Check, CountCheck, Found, Measured, Quiet, Setting
from muonscope.quality.reference import Reference
from muonscope.quality.seen import Seen
from muonscope.quality.sequential import Rule, SequentialTest
from muonscope.quality.verdict import State
from muonscope.tracking.histograms import RESIDUAL
from muonscope.tracking.layout import layout_of as tracking_of
from muonscope.tracking.normal import KINDS, equations

__all__ = [
    "ChamberPlace", "ChamberTime", "DriftVelocity", "TrackConstants", "TrackRate", "TrackResidual",
]  # fmt: skip

Array = npt.NDArray[Any]

_LEAST = 400
"""Residuals of a chamber without which their width is not judged (CMS, DT resolution test)."""


class TrackRate(CountCheck):
    """Tracks over two chambers or more, of each view that has so many."""

    name, unit = "track_rate", "tracks"
    needs_reference = needs_tracks = True

    def prepare(self) -> None:
        """Name the targets."""
        layout = tracking_of(self.reference.detector)
        self._of = layout.view
        self._views = np.flatnonzero(np.bincount(layout.view) > 1)
        names = [layout.views[v] for v in self._views]
        self.targets, self.subjects = tuple(names), tuple(f"view {name}" for name in names)

    def measure(self, seen: Seen, quiet: Quiet) -> Measured:
        """Return the counts of a window."""
        assert seen.tracks
        assert self.reference.tracks
        e = self.reference.tracks.rate_hz * seen.live_s
        unsure = quiet.chambers | quiet.moved
        frozen = np.array([unsure[self._of == v].any() for v in self._views])
        return Measured(
            seen.tracks.rate[self._views], e[self._views], np.ones(len(frozen)),
            frozen | quiet.telescope,
        )  # fmt: skip


class TrackConstants:
    """What all checks of constants share: what a window tells beside what is known."""

    def __init__(self, reference: Reference) -> None:
        """Begin with what the reference tells."""
        assert reference.tracks
        self.tracks = reference.tracks
        self.known: Array = np.zeros(len(self.tracks.constants))
        """By how much constants are known to differ from the reference."""
        self._seen: Seen | None = None
        self.normal, self._right = np.zeros((0, 0)), np.zeros(0)

    def take(self, seen: Seen) -> None:
        """Take the next window, unless another check has given it already."""
        if seen is self._seen:
            return
        assert seen.tracks
        self._seen = seen
        self.normal, right = equations(seen.tracks.normal)
        self._right = right - self.normal @ self.tracks.constants

    def told(self, which: Array) -> tuple[Array, Array]:
        """Return what the window tells of some constants, and its weight, the others known."""
        weight = np.diag(self.normal)[which]
        lacks = (self._right - self.normal @ self.known)[which]
        return lacks + weight * self.known[which], weight


class _Constants(Check):
    """A check of one kind of constant."""

    needs_reference = needs_tracks = True
    unit, shown, _kind = "", 1.0, ""
    _free = 0
    """How many directions of a view's constants no track tells."""

    def __init__(self, setting: Setting, constants: TrackConstants) -> None:
        """Begin without a window; ``constants`` is that of all these checks."""
        self._constants, self._which = constants, self._find(setting, constants)
        numbers = setting.settings.numbers
        changes = [(sign * numbers[k], s) for k, s in self._limits() for sign in (-1.0, 1.0)]
        self._changes = np.array([change for change, _ in changes])[:, None]
        rules = [Rule(ratio=0.5, state=state) for _, state in changes]
        self._test = SequentialTest(rules, len(self.targets), setting.limit(len(self.targets)))
        self._variance = constants.tracks.variance * constants.tracks.phi[self._which]

    def _find(self, setting: Setting, constants: TrackConstants) -> Array:
        """Return the numbers of the constants that tracks tell of; name the targets."""
        kind, layout = KINDS.index(self._kind), setting.layout
        which = 1 + kind * layout.n_chambers + np.arange(layout.n_chambers)
        chambers = np.flatnonzero(constants.tracks.told[which])
        self.targets = tuple(f"ch{c}" for c in chambers)
        self._chambers = chambers
        self._of = tracking_of(setting.reference.detector).view
        self._views = self._of[chambers]
        return np.asarray(which[chambers])

    def _limits(self) -> list[tuple[str, State]]:
        return [(f"warn_{self.unit}", State.WARN), (f"bad_{self.unit}", State.BAD)]

    def step(self, seen: Seen, quiet: Quiet) -> None:
        """Take a window."""
        self._constants.take(seen)
        n, weight = self._constants.told(self._which)
        frozen = self._frozen(quiet)
        usual = self._usual(n, weight)
        n = n - weight * usual
        grows = (self._changes * n - self._changes**2 * weight / 2) / self._variance
        explained = self._explained(grows, n, weight)
        self._test.step_scores(grows, n, weight, seen.live_s, frozen | explained)
        self._test.informed += np.where(
            frozen, 0.0, np.abs(self._changes).min() ** 2 * weight / 2 / self._variance
        )
        known = usual[0].copy()
        for t in np.flatnonzero(self._test.alarms.any(axis=0)).tolist():
            known[t] = usual[self._test.rule_of(t), t] + self._change(t)
        self._constants.known[self._which] = known
        self._inhibit(quiet)

    def _usual(self, n: Array, weight: Array) -> Array:
        """Return what is usual beside the reference, shape (rules, targets)."""
        return np.zeros(self._test.score.shape)

    def _explained(self, grows: Array, n: Array, weight: Array) -> Array:
        """Tell which targets only seem to have changed, because another one of the view has.

        A chamber that is late makes the others early. So as long as one alarms the others are not
        judged, and until then the one that explains most by itself is: the others begin anew.
        """
        alarms = np.asarray(self._test.alarms.any(axis=0))
        crossing = np.asarray((self._test.score + grows).max(axis=0) >= self._test.limit)
        counted, expected = self._test.counted + n, self._test.expected + weight
        explains = (counted**2 / np.maximum(expected, 1e-12)).max(axis=0)
        explained = np.zeros(len(alarms), np.bool_)
        for view in np.unique(self._views[alarms | crossing]):
            mine = np.flatnonzero(self._views == view)
            first = mine[np.argmax(np.where(alarms[mine], np.inf, explains[mine]))]
            explained[mine] = mine != first
        self._test.score[:, explained] = 0.0
        return explained

    def _inhibit(self, quiet: Quiet) -> None:
        """Let what follows from a constant that has changed be that one problem."""
        views = self._views[self._test.alarms.any(axis=0)]
        quiet.moved |= np.isin(self._of, views)

    def _frozen(self, quiet: Quiet) -> Array:
        frozen: Array = quiet.chambers[self._chambers] | quiet.telescope
        return frozen

    def _change(self, target: int) -> float:
        """Return by how much a constant has changed since the score left 0."""
        i = self._test.rule_of(target)
        n, weight = self._test.counted[i, target], self._test.expected[i, target]
        return float(n / max(weight, 1e-12))

    def states(self) -> Array:
        """Return the state of each target."""
        return self._test.states()

    def found(self, target: int) -> Found:
        """Return what there is to say of a target."""
        state, text = State(int(self.states()[target])), self._text(target)
        if state == State.NOT_ENOUGH:
            part = self._test.informed[target] / self._test.limit
            return Found(state, f"{text}: {part:.0%} of what a verdict needs")
        if state == State.GOOD:
            return Found(state, f"{text}: as in the reference")
        i, change = self._test.rule_of(target), self._change(target)
        span, limit = float(self._test.span_s[i, target]), abs(float(self._changes[i, 0]))
        score = float(self._test.score[i, target] / self._test.limit)
        told = f"{text}: {self._told(change, limit / 2)}, by {span:,.1f} s of tracks"
        return Found(state, told, change * self.shown, 0.0, self.unit, span, score)

    @abstractmethod
    def _told(self, change: float, least: float) -> str:
        """Return a change, and how much less is expected, in words."""

    def _text(self, target: int) -> str:
        """Name the chamber; where others would explain it as well, say so."""
        chamber = int(self._chambers[target])
        view = np.flatnonzero(self._of == self._of[chamber]).tolist()
        if len(view) - self._free > 1:
            return f"chamber {chamber} beside the others of its view"
        return f"one of chambers {', '.join(map(str, view))}; if it is chamber {chamber}"


class DriftVelocity(_Constants):
    """The drift velocity: beside what it was lately, and beside the reference.

    The weather changes it by a percent within hours, a gas bottle within minutes. So what a
    person is told of is a change beside the mean of the last ten minutes, and a large one beside
    the reference.
    """

    name, unit, shown = "drift_velocity", "%", 100.0
    _LATELY_S, _FIRST_S = 600.0, 60.0

    def __init__(self, setting: Setting, constants: TrackConstants) -> None:
        """Begin without a window."""
        super().__init__(setting, constants)
        self._sums, self._since_s = np.zeros(2), 0.0
        self._window_s, self._mute = setting.window_s, False

    def _find(self, setting: Setting, constants: TrackConstants) -> Array:
        self.targets = ("telescope",) if constants.tracks.told[0] else ()
        self._views = np.zeros(len(self.targets), np.int64)
        return self._views

    def _limits(self) -> list[tuple[str, State]]:
        return [("warn_part", State.WARN), ("bad_part", State.BAD)]

    def _frozen(self, quiet: Quiet) -> Array:
        self._mute = quiet.telescope or bool(quiet.chambers.all())
        return np.array([self._mute or self._since_s < self._FIRST_S])

    def _usual(self, n: Array, weight: Array) -> Array:
        """Return what it was lately for small changes, 0 for large ones."""
        if not self._mute and not self._test.alarms.any():
            kept = math.exp(-self._window_s / self._LATELY_S)
            self._sums = kept * self._sums + (n[0], weight[0])
            self._since_s += self._window_s
        lately = self._sums[0] / max(self._sums[1], 1e-12)
        small = np.abs(self._changes) == np.abs(self._changes).min()
        return np.where(small, lately, 0.0)

    def _inhibit(self, quiet: Quiet) -> None:
        quiet.moved |= self._test.alarms.any()

    def _text(self, target: int) -> str:
        return "drift velocity"

    def _told(self, change: float, least: float) -> str:
        return f"changed by {change:+.1%}, expected less than {least:.1%}"


class ChamberTime(_Constants):
    """How late each chamber is against the others of its view."""

    name, unit, _kind, _free = "chamber_time", "ns", "late", 1

    def _told(self, change: float, least: float) -> str:
        way = "later" if change > 0 else "earlier"
        return f"{abs(change):.1f} ns {way} than in the reference, expected less than {least:g} ns"


class ChamberPlace(_Constants):
    """Where each chamber is beside the others of its view."""

    name, unit, _kind, _free = "chamber_place", "mm", "offset", 2

    def _frozen(self, quiet: Quiet) -> Array:
        frozen: Array = super()._frozen(quiet) | quiet.moved[self._chambers]
        return frozen

    def _told(self, change: float, least: float) -> str:
        return f"{change:+.2f} mm from its place in the reference, expected less than {least:g} mm"


class TrackResidual(Check):
    """Mean and width of the residuals of each chamber, of 400 hits or more."""

    name, needs_tracks = "track_residual", True
    _BACK = 0.9
    """A state is left only well below its limit."""

    def __init__(self, setting: Setting) -> None:
        """Begin without a window."""
        numbers, layout = setting.settings.numbers, setting.layout
        self._limits = [
            (State[k.upper()], numbers[f"{k}_mm"], numbers[f"{k}_mean_mm"]) for k in ("warn", "bad")
        ]
        self._chambers = tracking_of(setting.reference.detector).beside_others
        self.targets = tuple(f"ch{c}" for c in self._chambers)
        self._sums = np.zeros((layout.n_chambers, RESIDUAL.bins + 2), np.int64)
        self._states = np.full(len(self.targets), int(State.NOT_ENOUGH))
        self._found = np.zeros((len(self.targets), 3))
        """Mean and width, mm, and number."""

    def step(self, seen: Seen, quiet: Quiet) -> None:
        """Take a window."""
        assert seen.tracks
        usable = ~(quiet.chambers | quiet.moved)
        self._sums[usable] += seen.tracks.residual[usable]
        full = self._sums.sum(axis=1) >= _LEAST
        for target, chamber in enumerate(self._chambers.tolist()):
            if full[chamber]:
                mean, width = _mean_and_width(self._sums[chamber])
                self._found[target] = mean, width, self._sums[chamber].sum()
                self._states[target] = self._judged(target)
                self._sums[chamber] = 0

    def _judged(self, target: int) -> int:
        mean, width, _ = self._found[target]
        state = State.GOOD
        for worse, most_width, most_mean in self._limits:
            part = self._BACK if self._states[target] >= worse else 1.0
            if width > part * most_width or abs(mean) > part * most_mean:
                state = worse
        return int(state)

    def states(self) -> Array:
        """Return the state of each target."""
        return self._states.copy()

    def found(self, target: int) -> Found:
        """Return what there is to say of a target."""
        state, chamber = State(int(self._states[target])), self._chambers[target]
        if state == State.NOT_ENOUGH:
            return Found(state, f"chamber {chamber}: fewer than {_LEAST} hits of tracks")
        mean, width, n = self._found[target].tolist()
        _, most_width, most_mean = self._limits[0]
        text = (
            f"chamber {chamber}: residuals of {n:,.0f} hits of tracks lie {mean:+.2f} mm off,"
            f" 68 % within {width:.2f} mm, expected {most_mean:g} and {most_width:g} mm at most"
        )
        return Found(state, text, width, most_width, "mm", 0.0, width / most_width)


def _mean_and_width(counts: Array) -> tuple[float, float]:
    """Return the mean of residuals, and the half-width that holds 68 % around it, mm."""
    edges = RESIDUAL.low + RESIDUAL.width * np.arange(-1, RESIDUAL.bins + 2)
    centres = (edges[1:] + edges[:-1]) / 2
    mean = float((counts * centres).sum() / counts.sum())
    whole = np.append(0, np.cumsum(counts)) / counts.sum()
    halves = np.arange(0.0, -RESIDUAL.low, RESIDUAL.width / 10)
    inside = np.interp(mean + halves, edges, whole) - np.interp(mean - halves, edges, whole)
    return mean, float(halves[min(int(np.searchsorted(inside, 0.68)), len(halves) - 1)])
