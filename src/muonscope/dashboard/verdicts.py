"""The verdicts of a running dashboard: the windows of each run, judged as they are shown."""

from collections import deque
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Protocol, cast

from muonscope.dashboard import verdict_contract as contract
from muonscope.quality.fields import verdict_fields
from muonscope.quality.judge import Judge
from muonscope.quality.reference import ReferenceBuilder
from muonscope.quality.seen import Seen
from muonscope.quality.verdict import Change, State, Verdict
from muonscope.results.read_message import Remainder, WindowResult

__all__ = ["Learner", "LiveJudge", "Watcher"]

_MOST_CHANGES = 1_000


class Watcher(Protocol):
    """Something that looks at each result that is shown."""

    @property
    def word(self) -> tuple[str, str]:
        """The state in one word, and its first reason."""

    def take(self, result: WindowResult | Remainder, at: float) -> None:
        """Look at a result that came at ``at``, s since 1970."""


class Learner:
    """Gathers what is shown for a reference."""

    word = ("NOT ENOUGH YET", "nothing is judged")

    def __init__(self, builder: ReferenceBuilder) -> None:
        """Take what gathers."""
        self._builder = builder

    def take(self, result: WindowResult | Remainder, at: float) -> None:  # noqa: ARG002
        """Gather a window."""
        if isinstance(result, WindowResult):
            self._builder.add(Seen.of(result))


class LiveJudge:
    """Judges the run that is shown; of another run it begins anew.

    Windows are judged in their order: one that comes after a later one is not.
    """

    def __init__(self, new: Callable[[date], Judge]) -> None:
        """Take what makes the judge of a run, given the day."""
        self._new, self._judge = new, new(datetime.now(UTC).date())
        self._run, self._place = "", (-1, -1)
        self._changes: deque[Change] = deque(maxlen=_MOST_CHANGES)

    def take(self, result: WindowResult | Remainder, at: float) -> None:
        """Judge a result of the run that is shown."""
        if result.run != self._run:
            self._run, self._place = result.run, (-1, -1)
            self._judge = self._new(datetime.fromtimestamp(at, UTC).date())
            self._changes.clear()
        if isinstance(result, Remainder):
            self._changes += self._judge.end(result, at)
        elif result.place > self._place:
            self._place = result.place
            self._changes += self._judge.take(result, at)

    @property
    def word(self) -> tuple[str, str]:
        """The state in one word, and its first reason."""
        judged = self._judge.judged
        return judged.state.label, judged.reason

    def document(self) -> contract.Verdicts:
        """Return all that is judged."""
        judge = self._judge
        return contract.Verdicts(
            run=self._run, state=_label(judge.judged.state), reason=judge.judged.reason,
            profile=judge.profile.name,
            reference=judge.reference.name if judge.reference else None,
            not_judged=list(judge.judged.unjudged),
            verdicts=[_document(v) for v in judge.judged.verdicts.values()],
            changes=[
                contract.VerdictChange(
                    before=_label(change.before), epoch=max(0, change.place[0]),
                    window=max(0, change.place[1]), verdict=_document(change.verdict),
                )
                for change in self._changes
            ],
        )  # fmt: skip


def _label(state: State) -> contract.VerdictState:
    return cast("contract.VerdictState", state.label)


def _document(verdict: Verdict) -> contract.Verdict:
    return contract.Verdict(**verdict_fields(verdict))
