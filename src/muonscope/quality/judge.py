"""The judge: a fold over the windows of a run, in their order, that gives verdicts."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np

from muonscope.detector import Detector
from muonscope.quality.cells import CellDead, CellRate, CellScale, CellTrains
from muonscope.quality.check import Check, Quiet, Setting
from muonscope.quality.efficiency import CellEfficiency, ChamberEfficiency
from muonscope.quality.other_checks import ChamberCells, DriftBox, FpgaPauses, Integrity
from muonscope.quality.profile import CheckSettings, Profile, default_profile, profile_for
from muonscope.quality.rates import (
    ChamberRate,
    ChambersTogether,
    FpgaSilent,
    ScintillatorInTime,
    ScintillatorRate,
    SynchronousNoise,
    TelescopeRate,
)
from muonscope.quality.reference import Reference, ReferenceBuilder, flat_reference
from muonscope.quality.seen import Seen, layout_of
from muonscope.quality.track_checks import (
    ChamberPlace,
    ChamberTime,
    DriftVelocity,
    TrackConstants,
    TrackRate,
    TrackResidual,
)
from muonscope.quality.verdict import Change, State, Verdict
from muonscope.results.message import ByteAccounting
from muonscope.results.read_message import Remainder, WindowResult
from muonscope.results.run_time import RunTime
from muonscope.units import ORBIT_S

__all__ = ["AUTO_S", "Judge", "Judged"]

AUTO_S = 600.0
"""So much calm time of a run may become its reference."""

_GAP_S = 10.0
"""A longer time without a window is told."""

_IN_ORDER = (
    FpgaSilent, FpgaPauses, ChamberRate, TelescopeRate, ChambersTogether, ScintillatorRate,
    ScintillatorInTime, SynchronousNoise, DriftVelocity, ChamberTime, ChamberPlace, TrackRate,
    DriftBox, TrackResidual, CellDead, CellRate, CellTrains, ChamberEfficiency, CellEfficiency,
    Integrity,
)  # fmt: skip
"""What says that a whole part is bad comes before what looks at its pieces."""


_OF_CELLS = {CellDead, CellRate, CellTrains, ChamberEfficiency, CellEfficiency}
_OF_CONSTANTS = {DriftVelocity, ChamberTime, ChamberPlace}


class Judged:
    """Verdicts as they are: by check and target."""

    def __init__(self) -> None:
        """Begin without any."""
        self.verdicts: dict[tuple[str, str], Verdict] = {}
        self.unjudged: list[str] = []
        """Checks that need a reference, where there is none."""

    @property
    def state(self) -> State:
        """The state of the telescope in one word."""
        states = [v.state for v in self.verdicts.values() if not v.known]
        return max(states, default=State.NOT_ENOUGH)

    @property
    def problems(self) -> list[Verdict]:
        """What is bad or doubtful, the worst first; known problems come last."""
        found = [v for v in self.verdicts.values() if v.state > State.NOT_ENOUGH]
        return sorted(found, key=lambda v: (bool(v.known), -v.state, v.since_s, v.check, v.target))

    @property
    def reason(self) -> str:
        """The first reason for the state, in one line."""
        if problems := [v for v in self.problems if not v.known]:
            more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
            return problems[0].text + more
        waiting = [v for v in self.verdicts.values() if v.state == State.NOT_ENOUGH]
        if waiting:
            return f"too little has come yet to judge {waiting[0].check} of {waiting[0].target}"
        if not self.verdicts:
            return "no window has come yet"
        if self.unjudged:
            return f"nothing is wrong; without a reference {len(self.unjudged)} checks do not judge"
        return "nothing is wrong"


class Judge:
    """Judges the windows of one run of a detector."""

    def __init__(
        self, detector: Detector, *, profiles: Sequence[Profile] = (),
        reference: Reference | None = None, auto: bool = False, today: date | None = None,
    ) -> None:  # fmt: skip
        """Begin before the first window.

        Parameters
        ----------
        detector
            The telescope.
        profiles
            Thresholds; the first that is for the conditions of the run counts.
        reference
            Rates of a run that is known to be good.
        auto
            Whether the first ten calm minutes become the reference, if none is given.
        today
            Known problems that have expired by then count.
        """
        self.detector, self._profiles = detector, profiles or (default_profile(),)
        self.reference, self._today = reference, today or date.min
        self.judged = Judged()
        self.profile = self._profiles[-1]
        self.windows = 0
        self._time, self._checks = RunTime(), list[Check]()
        self._builder = ReferenceBuilder(detector) if auto and reference is None else None
        self._states: dict[str, np.ndarray] = {}
        self._next = -1, -1

    def go_on_at(self, run_s: float) -> None:
        """Say, before the first window, how long the run was when it was stopped."""
        self._time.end_orbit = round(run_s / ORBIT_S)

    @property
    def run_s(self) -> float:
        """Time in the run at which the newest window ends, s."""
        return self._time.end_s

    def take(self, window: WindowResult, at: float | None = None) -> list[Change]:
        """Judge the next window; return the verdicts that are other ones than before.

        ``at`` is the wall-clock time that it is of, s since 1970.
        """
        end_s = self._time.end_s
        begin_s = self._time.place(window) * ORBIT_S
        seen = self._seen(window)
        if not self._checks:
            self.profile = profile_for(self._profiles, window.conditions)
            self._make_checks(seen)
        changes = self._gap(end_s, begin_s, window, at) if self.windows else []
        self.windows += 1
        quiet = Quiet.of(layout_of(self.detector), self._hot(seen))
        if (
            window.epoch,
            window.first_orbit,
        ) != self._next:  # it may begin in mid-window, FPGA by FPGA
            quiet.lanes[:] = quiet.chambers[:] = True
        self._next = window.epoch, window.last_orbit + 1
        for check in self._checks:
            if check.needs_tracks and seen.tracks is None:
                continue
            check.step(seen, quiet)
            changes += self._compare(check, window.place, at)
        self._learn(seen)
        return changes

    def end(self, remainder: Remainder, at: float | None = None) -> list[Change]:
        """Judge what belongs to no window of the run."""
        account = remainder.bytes
        verdict = self._known(_bytes_verdict(account, self._time.end_s, at))
        before = self.judged.verdicts.get(("bytes", "source"))
        self.judged.verdicts["bytes", "source"] = verdict
        state = before.state if before else State.GOOD
        if verdict.state == state:
            return []
        return [Change(verdict=verdict, before=state, place=(-1, -1))]

    def _seen(self, window: WindowResult) -> Seen:
        """Return what a window tells, as far as the reference tells it, too."""
        comparable = self.reference is None or self.reference.tells_all
        return Seen.of_summary(window.summary, tells_all=comparable and window.version > 1)

    def _hot(self, seen: Seen) -> np.ndarray:
        cells = next((c for c in self._checks if isinstance(c, CellRate)), None)
        return cells.excess(seen) if cells else np.zeros(self.detector.n_chambers)

    def _make_checks(self, seen: Seen) -> None:
        reference = self.reference or flat_reference(self.detector)
        self._checks, self._states = [], {}
        self.judged.unjudged = []
        make = _maker(reference, seen.window_s)
        for kind in _IN_ORDER:
            settings = self.profile.checks[kind.name]
            if not settings.enabled or (kind.needs_tracks and seen.tracks is None):
                continue
            known = reference.tracks is not None if kind.needs_tracks else reference.whole
            if kind.needs_reference and not known:
                self.judged.unjudged.append(kind.name)
                continue
            check = make(kind, settings)
            if not check.targets:
                continue
            self._checks.append(check)
            if kind is CellDead and self.profile.checks[ChamberCells.name].enabled:
                of_chambers = self.profile.checks[ChamberCells.name]
                self._checks.append(make(ChamberCells, of_chambers, check))
        names = {check.name for check in self._checks} | {"data", "bytes"}
        kept = {k: v for k, v in self.judged.verdicts.items() if k[0] in names}
        self.judged.verdicts = kept

    def _compare(self, check: Check, place: tuple[int, int], at: float | None) -> list[Change]:
        states = check.states()
        before = self._states.get(check.name)
        if before is not None and (before == states).all():
            return []
        turned = np.arange(len(states)) if before is None else np.flatnonzero(before != states)
        self._states[check.name] = states.copy()
        changes = []
        for i in turned.tolist():
            earlier = self.judged.verdicts.get((check.name, check.targets[i]))
            was = State(int(before[i])) if before is not None else State.GOOD
            if before is None and earlier:  # the check was made anew, with a reference
                was = earlier.state
            verdict = self._verdict(check, i, at)
            self.judged.verdicts[check.name, verdict.target] = verdict
            if verdict.state != was and {verdict.state, was} - {State.GOOD, State.NOT_ENOUGH}:
                changes.append(Change(verdict=verdict, before=was, place=place))
        return changes

    def _verdict(self, check: Check, target: int, at: float | None) -> Verdict:
        found = check.found(target)
        return self._known(
            Verdict(
                check=check.name, target=check.targets[target], state=found.state,
                text=found.text, value=found.value, expected=found.expected, unit=found.unit,
                span_s=found.span_s, score=found.score, since_s=self._time.end_s, since_at=at,
            )
        )  # fmt: skip

    def _known(self, verdict: Verdict) -> Verdict:
        for known in self.profile.known:
            if verdict.state > State.NOT_ENOUGH and known.explains(verdict, self._today):
                return replace(verdict, known=f"{known.why} (until {known.until})")
        return verdict

    def _gap(
        self, end_s: float, begin_s: float, window: WindowResult, at: float | None
    ) -> list[Change]:
        """Tell of a time without data, which is over with this window."""
        if begin_s - end_s <= _GAP_S:
            return []
        text = f"no window from {end_s:,.0f} s to {begin_s:,.0f} s in the run"
        gone = Verdict(
            check="data", target="telescope", state=State.NO_DATA, text=text,
            value=begin_s - end_s, unit="s", since_s=end_s, since_at=None,
        )  # fmt: skip
        back = Verdict(
            check="data", target="telescope", state=State.GOOD, text=f"data again, after {text}",
            since_s=begin_s, since_at=at,
        )  # fmt: skip
        self.judged.verdicts["data", "telescope"] = back
        return [
            Change(verdict=gone, before=State.GOOD, place=window.place),
            Change(verdict=back, before=State.NO_DATA, place=window.place),
        ]

    def _learn(self, seen: Seen) -> None:
        """Gather calm time, until there is enough of it for a reference."""
        builder = self._builder
        if builder is None:
            return
        if self.judged.state > State.WARN:
            self._builder = ReferenceBuilder(self.detector)
            return
        builder.add(seen)
        if builder.live_s >= AUTO_S and (made := builder.build("the run's first calm minutes")):
            self.reference, self._builder = made, None
            self._make_checks(seen)


def _maker(reference: Reference, window_s: float) -> Callable[..., Check]:
    """Return what makes checks, which share what they know of cells, and of constants."""
    scale = CellScale(reference)
    constants = TrackConstants(reference) if reference.tracks else None

    def make(kind: Any, settings: CheckSettings, *more: Any) -> Check:
        setting = Setting(settings=settings, reference=reference, window_s=window_s)
        if kind in _OF_CELLS:
            more = (scale,)
        elif kind in _OF_CONSTANTS:
            more = (constants,)
        check: Check = kind(setting, *more)
        return check

    return make


def _bytes_verdict(account: ByteAccounting, since_s: float, at: float | None) -> Verdict:
    rejected, every = account.bytes_rejected, max(1, account.bytes_in)
    state = State.BAD if rejected > 1e-3 * every else State.WARN if account.rejects else State.GOOD
    codes = ", ".join(f"{name} {n:,}" for name, n in account.rejects.items())
    text = f"{rejected:,} of {account.bytes_in:,} bytes could not be decoded"
    return Verdict(
        check="bytes", target="source", state=state, text=f"{text}: {codes}" if codes else text,
        value=rejected, unit="bytes", score=rejected / every / 1e-3, since_s=since_s, since_at=at,
    )  # fmt: skip
