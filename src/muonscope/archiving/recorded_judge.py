"""The verdicts of an archived run, told again as its windows come: nothing is judged anew."""

from muonscope.archiving.archived_run import ArchivedRun
from muonscope.archiving.run_file import ChangeRecord, read_reference
from muonscope.quality.judge import Judge
from muonscope.quality.verdict import Change, State, Verdict
from muonscope.results.read_message import Remainder, WindowResult

__all__ = ["RecordedJudge"]


class RecordedJudge(Judge):
    """Says of each window what was said of it when it was archived."""

    def __init__(self, run: ArchivedRun) -> None:
        """Begin before the first window.

        Raises
        ------
        FormatError
            If a part of the run, or its reference, is damaged.
        """
        super().__init__(run.detector, reference=read_reference(run.folder.reference, run.detector))
        self._orbits = run.about.window_orbits
        changes = [change for change in run.changes if change.epoch >= 0]
        self._coming = changes[::-1]
        self._at_end = [change for change in run.changes if change.epoch < 0]

    def take(self, window: WindowResult, at: float | None = None) -> list[Change]:
        """Return the verdicts that had changed by the end of a window, or of some windows."""
        self._time.place(window)
        self.windows += 1
        last = window.epoch, window.last_orbit // self._orbits
        due = []
        while self._coming and (self._coming[-1].epoch, self._coming[-1].window) <= last:
            due.append(self._coming.pop())
        if not self.judged.verdicts:
            self._begin_good(window, at)
        return [self._applied(change) for change in due]

    def end(self, remainder: Remainder, at: float | None = None) -> list[Change]:  # noqa: ARG002
        """Return the verdicts that changed with the end of the run."""
        due, self._at_end = self._at_end, []
        return [self._applied(change) for change in due]

    def _begin_good(self, window: WindowResult, at: float | None) -> None:
        """Begin with what is good: there is a record only of what changed."""
        begin_s = self._time.end_s - window.summary.live_s
        chambers = [("chamber_rate", f"ch{c}") for c in range(self.detector.n_chambers)]
        for check, target in [("data", "telescope"), *chambers]:
            self.judged.verdicts[check, target] = Verdict(
                check=check, target=target, state=State.GOOD, text="no change was recorded",
                since_s=begin_s, since_at=at,
            )  # fmt: skip

    def _applied(self, record: ChangeRecord) -> Change:
        verdict = Verdict(
            check=record.check, target=record.target, state=record.after, text=record.text,
            value=record.value, expected=record.expected, unit=record.unit, span_s=record.span_s,
            score=record.score, since_s=record.run_s, since_at=record.at, known=record.known,
        )  # fmt: skip
        self.judged.verdicts[record.check, record.target] = verdict
        return Change(
            verdict=verdict, before=State.named(record.before),
            place=(record.epoch, record.window),
        )  # fmt: skip
