"""Closed panes: the words that the windower hands over, pane by pane."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from muonscope.words.layout import Words

__all__ = ["Panes", "joined_panes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Panes:
    """Closed panes with their words, in the order of closing."""

    epoch: npt.NDArray[np.int64]
    """Shape (n,)."""
    pane: npt.NDArray[np.int64]
    """Shape (n,): number of the pane; window = pane // panes per window."""
    start: npt.NDArray[np.int64]
    """Shape (n,): first orbit."""
    stop: npt.NDArray[np.int64]
    """Shape (n,): first orbit after the pane."""
    ends: npt.NDArray[np.int64]
    """Shape (n,): pane i has ``words[ends[i - 1]:ends[i]]``."""
    words: Words
    """Clock words of all panes."""
    other: npt.NDArray[np.int64]
    """Shape (n, len(Timeless)): counts of words without a usable time."""
    halo_ends: npt.NDArray[np.int64] | None = None
    """Shape (n,): pane i has ``halo[halo_ends[i - 1]:halo_ends[i]]``; None without halo."""
    halo: Words = field(default_factory=lambda: np.empty(0, np.uint64))
    """Clock words of the orbit before each pane and of the one after it."""

    def __len__(self) -> int:
        """Return the number of panes."""
        return len(self.epoch)

    def part(self, begin: int, end: int) -> "Panes":
        """Return panes ``begin`` up to ``end`` with their words."""
        if begin == 0 and end >= len(self):
            return self
        words, ends = _cut(self.words, self.ends, begin, end)
        halo, halo_ends = self.halo, self.halo_ends
        if halo_ends is not None:
            halo, halo_ends = _cut(halo, halo_ends, begin, end)
        return Panes(
            epoch=self.epoch[begin:end],
            pane=self.pane[begin:end],
            start=self.start[begin:end],
            stop=self.stop[begin:end],
            ends=ends,
            words=words,
            other=self.other[begin:end],
            halo_ends=halo_ends,
            halo=halo,
        )


def joined_panes(parts: list[Panes]) -> Panes:
    """Return the panes of several, at least one, in order."""
    if len(parts) == 1:
        return parts[0]
    halo_ends = [part.halo_ends for part in parts if part.halo_ends is not None]
    return Panes(
        epoch=np.concatenate([p.epoch for p in parts]),
        pane=np.concatenate([p.pane for p in parts]),
        start=np.concatenate([p.start for p in parts]),
        stop=np.concatenate([p.stop for p in parts]),
        ends=_shifted([p.ends for p in parts], [p.words for p in parts]),
        words=np.concatenate([p.words for p in parts]),
        other=np.concatenate([p.other for p in parts]),
        halo_ends=_shifted(halo_ends, [p.halo for p in parts]) if halo_ends else None,
        halo=np.concatenate([p.halo for p in parts]),
    )


def _cut(
    words: Words, ends: npt.NDArray[np.int64], begin: int, end: int
) -> tuple[Words, npt.NDArray[np.int64]]:
    first, mine = int(ends[begin - 1]) if begin else 0, ends[begin:end]
    return words[first : int(mine[-1])], mine - first


def _shifted(ends: list[npt.NDArray[np.int64]], words: list[Words]) -> npt.NDArray[np.int64]:
    shifts = np.cumsum([0, *(len(some) for some in words[:-1])])
    return np.concatenate([e + shift for e, shift in zip(ends, shifts, strict=True)])
