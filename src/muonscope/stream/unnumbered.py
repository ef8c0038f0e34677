"""Messages without numbers, of several partitions, in the order of detector time.

Each partition is a stream of its own, and they are read abreast
(:mod:`muonscope.stream.abreast`). Producers gather messages before they send them, so a
partition that was read to its end may still get something that goes before what others
have given: for a moment nothing is released that came last.
"""

import numpy as np

from muonscope.detector import Readout
from muonscope.stream.abreast import Abreast, Released
from muonscope.stream.messages import Part
from muonscope.stream.ordering import Front, Release

__all__ = ["PATIENCE_S", "Unnumbered"]

PATIENCE_S = 1.0
"""How long a partition that was read is waited for, s: five times a usual linger."""

MAX_PENDING_BYTES = 256 << 20
"""What may wait altogether; past it all of it is released, in the order that is known."""


class Unnumbered:
    """Takes parts without numbers, those of each partition in order; gives them in one order."""

    def __init__(
        self, readout: Readout, partitions: int, saved: "dict[str, object] | None"
    ) -> None:
        """Go on where :meth:`snapshot` was taken, if it was."""
        self._readout, self._saved = readout, saved
        self._partitions = partitions
        self._abreast: Abreast[Part] | None = None
        self._rest: dict[int, tuple[Part, int]] = {}
        """Of a part that was released in part: the messages left, words before them."""
        self._there: dict[int, int] = {}
        self._began_s = 0.0
        self.pending_bytes = [0] * partitions
        """Bytes that wait, by partition."""

    def push(self, part: Part, front: Front, now_s: float, first_stream: int) -> None:
        """Take the next part of a partition.

        ``first_stream`` is the number of the stream of partition 0; it counts when the first
        part comes.
        """
        if self._abreast is None:
            self._abreast = Abreast(self._readout, self._partitions, first_stream)
            if self._saved:
                self._abreast.restore(self._saved)
            self._there, self._began_s = dict(front.ends), now_s
        self.pending_bytes[part.partition] += part.size
        was_there = part.end <= self._there.get(part.partition, 0)
        seen_s = self._began_s if was_there else now_s
        times_ms = np.full(len(part.words), part.time_ms)
        if part.table is not None:
            times_ms = np.repeat(part.table[:, 1], np.diff(part.table[:, 2], prepend=0))
        self._abreast.push(part.partition, part.words, part, seen_s, times_ms)

    def release(self, front: Front, now_s: float) -> list[Release]:
        """Return what is in order by now."""
        if self._abreast is None:
            return []
        if sum(self.pending_bytes) > MAX_PENDING_BYTES:
            return self._given(self._abreast.flush(), out_of_order=True)
        unread = [p for p in range(self._partitions) if not front.caught_up(p)]
        return self._given(self._abreast.release(unread, (), now_s - PATIENCE_S))

    def flush(self) -> list[Release]:
        """Return all that waits: nothing more comes."""
        return self._given(self._abreast.flush() if self._abreast else None)

    def snapshot(self) -> "dict[str, object] | None":
        """Return, as plain JSON values, where the partitions stand; None before the first part."""
        return self._abreast.snapshot() if self._abreast else self._saved

    def _given(
        self, released: Released[Part] | None, *, out_of_order: bool = False
    ) -> list[Release]:
        if released is None:
            return []
        parts: list[Part] = []
        begun: list[tuple[int, int, int]] = []
        for taken in released.taken:
            p = taken.item.partition
            rest, before = self._rest.pop(p, (taken.item, 0))
            whole: Part | None = rest
            if not taken.whole:
                whole, rest = rest.first(taken.words - before)
                before += len(whole.words) if whole else 0
                self._rest[p] = rest, before
                begun.append((p, rest.begin, taken.words - before))
            if whole:
                self.pending_bytes[p] -= whole.size
                parts.append(whole)
        return [
            Release(
                released.words,
                tuple(parts),
                streams=released.streams if self._partitions > 1 else None,
                begun=tuple(begun),
                out_of_order=out_of_order,
            )
        ]
