"""Which run is looked at: always the newest one, or the only one that is asked for."""

import math
from collections import OrderedDict

__all__ = ["RunChoice"]

_MOST_LEFT = 1_000


class RunChoice:
    """Follows the runs that messages are of.

    A message of another run begins a new one, unless it was published before what came of
    the present run. Runs that were left are not returned to.
    """

    def __init__(self, only: str = "") -> None:
        """Look at the run ``only``, or where it is empty, at the newest."""
        self.run = ""
        self._only, self._left = only, OrderedDict[str, None]()
        self._published_s = -math.inf

    def takes(self, run: str, published_s: float, *, begun: bool) -> bool:
        """Tell whether a message of ``run`` is looked at; then ``self.run`` is its run.

        ``published_s`` is when it was published; ``begun`` says that something came of the
        present run.
        """
        if (self._only and run != self._only) or run in self._left:
            return False
        if run != self.run and begun:
            if published_s < self._published_s:
                return False
            self._left[self.run] = None
            if len(self._left) > _MOST_LEFT:
                self._left.popitem(last=False)
        self.run = run
        self._published_s = max(self._published_s, published_s)
        return True
