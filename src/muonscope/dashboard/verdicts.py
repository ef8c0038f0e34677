"""The verdicts of a running dashboard: the windows of each run, judged as they are shown."""

from collections import deque
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import NamedTuple, Protocol

from muonscope.alarms.engine import AlarmCounts, Alarms, Judged
from muonscope.dashboard import verdict_contract as contract
from muonscope.dashboard.alarming import KeptAcknowledgements
from muonscope.dashboard.keeping import Keeper
from muonscope.dashboard.problems import Acknowledgements, Turns, label, problems_document
from muonscope.quality.fields import verdict_fields
from muonscope.quality.judge import Judge
from muonscope.quality.reference import ReferenceBuilder
from muonscope.quality.seen import Seen
from muonscope.quality.verdict import Change, State, Verdict
from muonscope.results.read_message import Remainder, WindowResult
from muonscope.units import ORBIT_S

__all__ = ["Learner", "LiveJudge", "Outcome", "Watcher"]

_MOST_CHANGES = 1_000


class Outcome(NamedTuple):
    """The verdict in short."""

    word: contract.VerdictState
    reason: str
    """The first one."""
    problems: int
    """That nobody knew of before."""


class Watcher(Protocol):
    """Something that looks at each result that is shown."""

    @property
    def outcome(self) -> Outcome:
        """What it has found so far."""

    def take(self, result: WindowResult | Remainder, at: float) -> None:
        """Look at a result that came at ``at``, s since 1970."""

    def write(self) -> None:
        """Do what takes longer than others should wait; in the same thread as ``take``."""

    def close(self) -> None:
        """Let go: nothing more comes."""

    def end(self, *, failed: bool) -> None:
        """Take note that nothing more comes, and whether more was expected."""


class Learner:
    """Gathers what is shown for a reference."""

    outcome = Outcome("NOT ENOUGH YET", "nothing is judged", 0)

    def __init__(self, builder: ReferenceBuilder) -> None:
        """Take what gathers."""
        self._builder = builder

    def take(self, result: WindowResult | Remainder, at: float) -> None:  # noqa: ARG002
        """Gather a window."""
        if isinstance(result, WindowResult):
            self._builder.add(Seen.of(result))

    def write(self) -> None:
        """Do nothing more."""

    def close(self) -> None:
        """Hold nothing."""

    def end(self, *, failed: bool) -> None:
        """Do nothing: what is gathered is asked for."""


class LiveJudge:
    """Judges the run that is shown; of another run it begins anew.

    Windows are judged in their order: one that comes after a later one is not.
    """

    def __init__(
        self, new: Callable[[str, date], Judge], alarms: Alarms | None = None,
        keeper: Keeper | None = None,
    ) -> None:  # fmt: skip
        """Take what makes the judge of a run, given its name and the day.

        ``alarms`` are sent, and ``keeper`` archives what is judged.
        """
        self._keeper = keeper
        self._new, self._judge = new, new("", datetime.now(UTC).date())
        self._run, self._place = "", (-1, -1)
        self._changes: deque[Change] = deque(maxlen=_MOST_CHANGES)
        self._state = self._judge.judged.state
        self._alarms, self._turns = alarms, Turns()
        self._seen = KeptAcknowledgements(alarms) if alarms else Acknowledgements()
        self._version = 0

    @property
    def version(self) -> int:
        """Another number whenever the problems are others."""
        return self._version + self._seen.version

    def take(self, result: WindowResult | Remainder, at: float) -> None:
        """Judge a result of the run that is shown."""
        if result.run != self._run:
            self._begin(result.run, at)
        changes: list[Change] = []
        if isinstance(result, Remainder):
            changes = self._judge.end(result, at)
            self._follow(changes, at)
            if self._alarms:
                self._alarms.concluded(self._run, self._judge.judged.verdicts)
        elif result.place > self._place:
            self._place = result.place
            reference = self._judge.reference
            changes = self._judge.take(result, at)
            self._follow(changes, at)
            if self._alarms:
                self._alarms.judged(self._judged(result, changes, at))
            self._version += self._judge.reference is not reference
        if self._keeper:
            self._keeper.note(result, at, self._judge, changes)

    def write(self) -> None:
        """Archive what was judged."""
        if self._keeper:
            self._keeper.write()

    def close(self) -> None:
        """Let the archive go."""
        if self._keeper:
            self._keeper.close()

    def _judged(self, window: WindowResult, changes: list[Change], at: float) -> Judged:
        return Judged(
            run=self._run, changes=changes, verdicts=self._judge.judged.verdicts, at=at,
            length_s=window.summary.live_orbits * ORBIT_S,
        )  # fmt: skip

    def end(self, *, failed: bool) -> None:
        """Take note that nothing more comes, and whether more was expected."""
        if self._alarms:
            self._alarms.rest(self._run, self._judge.judged.verdicts, failed=failed)

    @property
    def alarm_counts(self) -> AlarmCounts | None:
        """Numbers of the alarms; None where none are sent."""
        return self._alarms.counts() if self._alarms else None

    def _begin(self, run: str, at: float) -> None:
        self._run, self._place = run, (-1, -1)
        self._judge = self._new(run, datetime.fromtimestamp(at, UTC).date())
        self._changes.clear()
        self._seen.forget()
        self._turns.forget()
        self._state = self._judge.judged.state
        self._turns.follow([], self._state, 0.0, at)
        self._version += 1

    def _follow(self, changes: list[Change], at: float) -> None:
        judged = self._judge.judged
        if not changes and judged.state == self._state:
            return
        self._state = judged.state
        self._changes += changes
        self._seen.follow(changes)
        self._turns.follow(changes, judged.state, self._judge.run_s, at)
        self._version += 1

    def acknowledge(self, given: contract.Acknowledgement, at: float) -> bool:
        """Take note that somebody has seen a problem; return False if there is no such one."""
        verdict = self._judge.judged.verdicts.get((given.check, given.target))
        if verdict is None or verdict.state <= State.NOT_ENOUGH:
            return False
        self._seen.note(verdict, given, at)
        self._version += 1
        return True

    @property
    def outcome(self) -> Outcome:
        """What it has found so far."""
        judged = self._judge.judged
        counted = sum(1 for verdict in judged.problems if verdict.counts)
        return Outcome(label(judged.state), judged.reason, counted)

    @property
    def turns(self) -> Turns:
        """The moments in which verdicts turned."""
        return self._turns

    def problems(self) -> contract.Problems:
        """Return what is wrong, and since when."""
        return problems_document(self._run, self._judge, self._seen, self._turns)

    def document(self) -> contract.Verdicts:
        """Return all that is judged."""
        judge = self._judge
        return contract.Verdicts(
            run=self._run, state=label(judge.judged.state), reason=judge.judged.reason,
            profile=judge.profile.name,
            reference=judge.reference.name if judge.reference else None,
            not_judged=list(judge.judged.unjudged),
            verdicts=[_document(v) for v in judge.judged.verdicts.values()],
            changes=[
                contract.VerdictChange(
                    before=label(change.before), epoch=max(0, change.place[0]),
                    window=max(0, change.place[1]), verdict=_document(change.verdict),
                )
                for change in self._changes
            ],
        )  # fmt: skip


def _document(verdict: Verdict) -> contract.Verdict:
    return contract.Verdict(**verdict_fields(verdict))
