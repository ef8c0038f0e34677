"""What all members of a group have in common, such as the pressure: taken out of their rates."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["CommonMode", "chamber_mode"]

Array = npt.NDArray[Any]

_MANY = 8
"""Members of a group that tell its median, the one that is looked at among them."""

_FEW = 3.0
"""Below this number of expected counts a member a group tells nothing."""

_MEMORY_S = 10.0


class CommonMode:
    """The median, over a group, of counts by what was expected, over the last ten seconds.

    Shape of all arrays: (n,). Where a group has fewer than eight members, or too little was
    expected of them, it is not known.
    """

    def __init__(self, group: Array, unknown: float = 1.0) -> None:
        """Take the number of the group of each member, and the factor where it is not known."""
        self._group, self._unknown = group, unknown
        sizes = np.bincount(group)
        self._rows = np.full((len(sizes), int(sizes.max(initial=0))), -1)
        for g in range(len(sizes)):
            members = np.flatnonzero(group == g)
            self._rows[g, : len(members)] = members
        self._n, self._e = np.zeros(len(group)), np.zeros(len(group))

    def factor(self, n: Array, e: Array, span_s: float, left_out: Array) -> Array:
        """Take a window's counts; return the factor of each member's group.

        Those ``left_out`` do not count, and keep what they had.
        """
        decay = math.exp(-span_s / _MEMORY_S)
        self._n = np.where(left_out, self._n, self._n * decay + n)
        self._e = np.where(left_out, self._e, self._e * decay + e)
        usable = ~left_out & (self._e > 0)
        ratio = np.where(usable, self._n / np.where(usable, self._e, 1.0), math.inf)
        rows = np.where(self._rows >= 0, ratio[self._rows], math.inf)
        order = np.sort(rows, axis=1)
        members = np.isfinite(order).sum(axis=1)
        low, high = np.maximum(members - 1, 0) // 2, members // 2
        at = np.arange(len(order))
        high = np.minimum(high, order.shape[1] - 1)
        usual = np.where(self._rows >= 0, np.where(usable, self._e, 0.0)[self._rows], 0.0)
        known = (members >= _MANY) & (usual.sum(axis=1) >= _FEW * members)
        median = np.where(known, (order[at, low] + order[at, high]) / 2, self._unknown)
        factor: Array = median[self._group]
        return factor


def chamber_mode(ratio: Array, usable: Array) -> Array:
    """Return for each chamber the median ratio of the others that are ``usable``.

    It is 1 where these are fewer than two.
    """
    known = sorted((r, c) for c, r in enumerate(ratio.tolist()) if usable[c])
    factor = np.ones(len(ratio))
    for c in range(len(ratio)):
        others = [r for r, other in known if other != c]
        if (n := len(others)) >= 2:
            factor[c] = (others[(n - 1) // 2] + others[n // 2]) / 2
    return factor
