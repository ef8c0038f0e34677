"""The native engine: this machine, reading and counting in threads of their own.

The stages are joined by bounded queues, and the kernels release the GIL, so reading,
counting and publishing overlap; the order of items, and so every result, is that of one
thread.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from muonscope.engines.prefetch import prefetch
from muonscope.intake.batch import Checkpoint, WordBatch

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from muonscope.counting.counter import Counter
    from muonscope.counting.window_spec import Note
    from muonscope.counting.window_table import WindowTable

__all__ = ["Step", "count"]


@dataclass(frozen=True, slots=True)
class Step:
    """The consequences of one batch."""

    windows: "WindowTable"
    """Windows that it closed."""
    batch: WordBatch | None
    """The batch, with the last of the steps that it led to."""
    words_in: int
    """Words counted so far, this batch included."""
    orbit: int | None
    """Where the clock stands."""
    epochs: int
    """Epochs begun so far."""
    waiting: "npt.NDArray[np.int64]"
    """Words per :class:`Timeless` that no window has got yet, of FPGAs without a clock."""
    notes: "list[Note]"
    snapshot: "dict[str, npt.NDArray[Any]] | None"
    """The counter's state after this batch, if it was wanted."""


def count(batches: Iterable[WordBatch], counter: "Counter") -> Iterator[Step]:
    """Count ``batches`` with ``counter``; the caller finishes the counter."""

    def steps() -> Iterator[Step]:
        closed = False
        for batch in prefetch(batches):
            held_back = None
            for windows in counter.push_in_parts(batch.words, batch.streams):
                if held_back is not None:
                    yield step(held_back, None, None)
                held_back = windows
                closed = closed or len(windows) > 0
            assert held_back is not None
            wanted = closed if batch.checkpoint is Checkpoint.IF_CLOSED else batch.checkpoint
            closed = closed and not wanted
            yield step(held_back, batch, counter.snapshot() if wanted else None)

    def step(
        windows: "WindowTable",
        batch: WordBatch | None,
        snapshot: "dict[str, npt.NDArray[Any]] | None",
    ) -> Step:
        return Step(
            windows=windows,
            batch=batch,
            words_in=counter.words_in,
            orbit=counter.orbit,
            epochs=counter.epochs,
            waiting=counter.windower.remainder,
            notes=counter.notes(),
            snapshot=snapshot,
        )

    return prefetch(steps())
