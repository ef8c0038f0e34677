"""What is wrong with a run: problems, chambers at a glance, and when verdicts turned."""

import math
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Protocol, cast

from muonscope.dashboard import verdict_contract as contract
from muonscope.dashboard.limits import RATE_S
from muonscope.detector import Detector
from muonscope.quality.fields import verdict_fields
from muonscope.quality.judge import Judge, Judged
from muonscope.quality.reference import Reference
from muonscope.quality.targets import chambers_of
from muonscope.quality.verdict import Change, State, Verdict
from muonscope.wall_time import iso

__all__ = ["Acknowledgements", "Seen", "Turns", "label", "problems_document"]

_MOST_PROBLEMS = 100
_MOST_TURNS = 400

_SIGMAS, _TOLERATED = 3.0, 0.1
"""A band has so many standard deviations on each side, and at least this part of the rate."""

_DEAD = ("cell_dead",)
_NOISY = ("cell_rate", "cell_trains")


class Seen(Protocol):
    """Who has seen which problem; one that clears, or gets worse, has to be seen anew."""

    @property
    def version(self) -> int:
        """Another number whenever they are others, and nobody of this dashboard did it."""

    def note(self, verdict: Verdict, given: contract.Acknowledgement, now: float) -> None:
        """Take note that somebody has seen a problem."""

    def follow(self, changes: Iterable[Change]) -> None:
        """Forget what is over."""

    def forget(self) -> None:
        """Take note that another run begins."""

    def of(self, verdict: Verdict) -> contract.Acknowledged | None:
        """Return who has seen a problem."""


class Acknowledgements:
    """Acknowledgements in memory: they end with the run, and with the dashboard."""

    def __init__(self) -> None:
        """Begin with none."""
        self.version = 0
        self._known: dict[tuple[str, str], tuple[State, contract.Acknowledged]] = {}

    def note(self, verdict: Verdict, given: contract.Acknowledgement, now: float) -> None:
        """Take note that somebody has seen a problem."""
        told = contract.Acknowledged(name=given.name, note=given.note, at=iso(now))
        self._known[verdict.check, verdict.target] = verdict.state, told

    def follow(self, changes: Iterable[Change]) -> None:
        """Forget what is over."""
        for change in changes:
            key = change.verdict.check, change.verdict.target
            if key in self._known and not _easier(change.verdict.state, self._known[key][0]):
                del self._known[key]

    def forget(self) -> None:
        """Forget all: another run begins."""
        self._known.clear()

    def of(self, verdict: Verdict) -> contract.Acknowledged | None:
        """Return who has seen a problem."""
        found = self._known.get((verdict.check, verdict.target))
        return found[1] if found else None


def _easier(now: State, then: State) -> bool:
    return State.NOT_ENOUGH < now <= then


class Turns:
    """The moments in which verdicts turned, those of the telescope as a whole among them."""

    def __init__(self) -> None:
        """Begin with none."""
        self._kept: deque[contract.Turn] = deque(maxlen=_MOST_TURNS)
        self.ever = 0
        """How many there were since the beginning."""
        self._state: State | None = None

    def follow(self, changes: Sequence[Change], state: State, run_s: float, at: float) -> None:
        """Take note of what a window has changed, after which the telescope is in ``state``."""
        for change in changes:
            v = change.verdict
            turn = _turn(v.check, v.target, v.state, v.since_s, v.since_at)
            self._kept.append(turn)
        self.ever += len(changes)
        if state != self._state:
            self._kept.append(_turn("", "telescope", state, run_s, at))
            self._state = state

    def forget(self) -> None:
        """Forget all: another run begins."""
        self._kept.clear()
        self._state = None

    def __iter__(self) -> Iterator[contract.Turn]:
        """Yield them, the oldest first."""
        return iter(self._kept)


def problems_document(run: str, judge: Judge, seen: Seen, turns: Turns) -> contract.Problems:
    """Return what is wrong with ``run``, and since when."""
    judged, reference = judge.judged, judge.reference
    found = judged.problems
    return contract.Problems(
        run=run, state=label(judged.state), reason=judged.reason, profile=judge.profile.name,
        reference=reference.name if reference else None,
        not_judged=list(judged.unjudged),
        problems=[
            contract.Problem(**verdict_fields(v), acknowledged=seen.of(v))
            for v in found[:_MOST_PROBLEMS]
        ],
        more=max(0, len(found) - _MOST_PROBLEMS),
        chambers=_chambers(judge.detector, judged, reference),
        total=_band(reference, judge.detector.n_chambers),
        turns=list(turns),
    )  # fmt: skip


def _chambers(
    detector: Detector, judged: Judged, reference: Reference | None
) -> list[contract.ChamberVerdict]:
    n = detector.n_chambers
    states, counts = [State.NOT_ENOUGH] * n, [[0, 0, 0] for _ in range(n)]
    for verdict in judged.verdicts.values():
        for c in chambers_of(verdict.target, detector):
            if verdict.known:
                continue
            if verdict.target == f"ch{c}" and verdict.state == State.GOOD:
                states[c] = State.GOOD if states[c] == State.NOT_ENOUGH else states[c]
            if verdict.counts:
                states[c] = max(states[c], verdict.state)
                counts[c][0] += 1
                counts[c][1] += verdict.check in _DEAD and verdict.state == State.BAD
                counts[c][2] += verdict.check in _NOISY and verdict.value > verdict.expected
    return [
        contract.ChamberVerdict(
            state=label(state), problems=problems, dead=dead, noisy=noisy,
            band=_band(reference, c),
        )
        for c, (state, (problems, dead, noisy)) in enumerate(zip(states, counts, strict=True))
    ]  # fmt: skip


def _band(reference: Reference | None, i: int) -> contract.Band | None:
    """Return where the rate of hits of a chamber is expected; ``i`` counts as ``hits_hz`` does."""
    if reference is None or not reference.whole:
        return None
    hz, phi = float(reference.hits_hz[i]), float(reference.hits_phi[i])
    half = max(_SIGMAS * math.sqrt(hz * phi / RATE_S), _TOLERATED * hz)
    low, usual, high = (round(x, 3) for x in (max(0.0, hz - half), hz, hz + half))
    return contract.Band(low=low, usual=usual, high=high)


def label(state: State) -> contract.VerdictState:
    """Return a state as documents name it."""
    return cast("contract.VerdictState", state.label)


def _turn(
    check: str, target: str, state: State, since_s: float, since_at: float | None
) -> contract.Turn:
    at = None if since_at is None else iso(since_at)
    return contract.Turn(
        check=check, target=target, state=label(state), since_s=round(since_s, 3), since_at=at
    )
