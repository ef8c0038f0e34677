"""Which windows have come already, in bounded memory: intervals of their numbers."""

from bisect import bisect_right

__all__ = ["SeenWindows"]

_MOST_INTERVALS = 1_000


class SeenWindows:
    """The windows of each epoch that came, as intervals [begin, end) that do not touch."""

    def __init__(self) -> None:
        """Begin without windows."""
        self._intervals: dict[int, list[tuple[int, int]]] = {}

    def is_new(self, epoch: int, window: int) -> bool:
        """Note a window; tell whether it had not come before."""
        seen = self._intervals.setdefault(epoch, [])
        at = bisect_right(seen, window, key=lambda interval: interval[0])
        if at and window < seen[at - 1][1]:
            return False
        begin, end = window, window + 1
        if at < len(seen) and seen[at][0] == end:
            end = seen.pop(at)[1]
        if at and seen[at - 1][1] == begin:
            begin, at = seen[at - 1][0], at - 1
            seen[at] = (begin, end)
        else:
            seen.insert(at, (begin, end))
        if len(seen) > _MOST_INTERVALS:  # windows of the oldest hole would pass for duplicates
            seen[:2] = [(seen[0][0], seen[1][1])]
        return True

    def __contains__(self, place: tuple[int, int]) -> bool:
        """Tell whether a window, (epoch, window), has come."""
        epoch, window = place
        seen = self._intervals.get(epoch, [])
        at = bisect_right(seen, window, key=lambda interval: interval[0])
        return bool(at) and window < seen[at - 1][1]

    def forget(self, epoch: int) -> None:
        """Forget the windows of an epoch."""
        self._intervals.pop(epoch, None)
