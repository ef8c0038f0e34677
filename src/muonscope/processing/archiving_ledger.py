"""A run that is archived while it is processed: a ledger that tells an archivist, too.

What the state of a run counts on is in the archive before the state is saved; what was archived
after the last state is forgotten when the run goes on, for it is made again. So an archive holds
what the results hold, at whatever moment a run is killed.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from muonscope.archiving.archivist import Archivist, Noted
from muonscope.counting.blocks.tracks import Tracks
from muonscope.errors import StateError
from muonscope.events import Event, EventKind, Tell
from muonscope.processing.plan import Plan
from muonscope.processing.profiles import read_profiles
from muonscope.quality.judge import Judge
from muonscope.results.read_message import Remainder, WindowResult, read_result
from muonscope.transports.base import Ledger, Published, Rejected, State

__all__ = ["ArchivingLedger"]

_POSITION = "archive"
"""Key of the state under which the last window in the archive is kept."""


class ArchivingLedger:
    """A ledger whose windows are judged and archived as well."""

    def __init__(self, ledger: Ledger, plan: Plan, tell: Tell, clock: Callable[[], float]) -> None:
        """Touch nothing yet.

        Raises
        ------
        OptionError
            If the archive cannot be there, or the profile is none.
        """
        self._ledger, self._plan, self._tell, self._clock = ledger, plan, tell, clock
        self._archivist = Archivist(plan.options.archive, plan.detector, tell, clock)
        self._profiles = read_profiles(plan.options.profile)
        self._saved: tuple[int, int] | None = None
        self._last = (-1, -1)
        self._judge: Judge | None = None

    @property
    def keeps_state(self) -> bool:
        """As the ledger."""
        return self._ledger.keeps_state

    @property
    def can_cut_back(self) -> bool:
        """As the ledger."""
        return self._ledger.can_cut_back

    def load(self) -> State | None:
        """Return the state that was committed last, or None.

        Raises
        ------
        StateError
            If it is damaged.
        """
        saved = self._ledger.load()
        if saved is not None and (place := saved[0].get(_POSITION)) is not None:
            try:
                epoch, window = map(int, place)
            except (TypeError, ValueError) as exc:
                raise StateError(f"the saved state is damaged: found {place!r}") from exc
            self._saved = epoch, window
        return saved

    def begin(self, *, fresh: bool) -> None:
        """Open results and archive; forget in both what is made again.

        Raises
        ------
        SinkExistsError
            If the run is ``fresh``, and in the archive already.
        SinkError
            If one of them cannot be written.
        """
        plan = self._plan
        writer = self._archivist.begin(
            plan.name, plan.spec.window_orbits, plan.conditions, fresh=fresh,
            tracking=any(block.name == Tracks.name for block in plan.blocks),
            force=plan.options.force, resumes=self.keeps_state,
        )  # fmt: skip
        if not fresh and self._saved is None:
            self._tell(Event(kind=EventKind.ARCHIVE_LATER, where=plan.name))
        elif not fresh and self._saved:
            writer.cut_after(self._saved)
            self._last = self._saved
        self._ledger.begin(fresh=fresh)
        reference = self._archivist.reference(plan.name)
        self._judge = Judge(
            plan.detector, profiles=self._profiles, reference=reference, auto=reference is None,
            today=datetime.fromtimestamp(self._clock(), UTC).date(),
        )  # fmt: skip
        if not fresh:
            self._judge.go_on_at(self._archivist.length_s(plan.name))

    def publish(self, messages: Sequence[Published]) -> None:
        """Publish messages, judge and archive them.

        Raises
        ------
        SinkError
            If results or archive cannot be written.
        """
        self._ledger.publish(messages)
        plan, judge = self._plan, self._judge
        assert judge
        for message in messages:
            at = self._clock()
            if message.window is None:
                result = read_result(message.data, plan.detector, plan.blocks)
            else:
                result = WindowResult.of(message.window(), plan.name, plan.conditions)
            if isinstance(result, Remainder):
                changes = judge.end(result, at)
            else:
                changes, self._last = judge.take(result, at), result.place
            self._archivist.take(Noted.of(result, at, judge, changes))

    def reject(self, rejected: Sequence[Rejected]) -> None:
        """Give them to the ledger."""
        self._ledger.reject(rejected)

    def commit(self, state: State | None) -> None:
        """Make the archive durable, then commit; seal what cannot be taken back any more.

        Raises
        ------
        SinkError, StateError
            If something cannot be written.
        """
        self._archivist.sync()
        if state is None:  # the run has ended; one that keeps state may go on with more words
            self._archivist.finish()
            self._ledger.commit(None)
            self._archivist.settle(whole=True, last=self._saved if self.keeps_state else None)
            return
        meta, arrays = state
        self._ledger.commit(({**meta, _POSITION: list(self._last)}, arrays))
        self._saved = self._last
        self._archivist.settle()

    def close(self) -> None:
        """Close both."""
        self._archivist.close()
        self._ledger.close()
