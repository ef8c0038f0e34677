"""When a source of words asks for a snapshot; its clock is an argument."""

from collections.abc import Callable

from muonscope.intake.batch import Checkpoint

__all__ = ["Checkpoints"]

_SLOW_S = 1.0
"""Between two snapshots in any case, s."""
_QUICK_S = 0.1
"""Between two that follow from closed windows, where results should be seen soon, s."""


class Checkpoints:
    """Marks about one batch a second for a snapshot.

    With ``quick`` batches are marked ten times as often for one that is only taken if
    windows have closed: results that are published with the state are seen that soon.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        wanted: bool = True,
        quick: bool = False,
    ) -> None:
        """Begin now; nothing is ever due unless ``wanted``. ``clock`` gives seconds."""
        self.clock, self.wanted, self._quick = clock, wanted, quick
        self._next = clock() + _SLOW_S
        self._next_quick = clock() + _QUICK_S

    def due(self, *, live: bool = True) -> Checkpoint:
        """Return what is due; ``live`` says that nothing much waits to be read."""
        now = self.clock()
        if not self.wanted:
            return Checkpoint.NO
        if now >= self._next:
            self._next, self._next_quick = now + _SLOW_S, now + _QUICK_S
            return Checkpoint.YES
        if self._quick and live and now >= self._next_quick:
            self._next_quick = now + _QUICK_S
            return Checkpoint.IF_CLOSED
        return Checkpoint.NO
