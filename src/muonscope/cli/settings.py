"""Settings of the whole process for commands that stream for hours."""

import gc
import sys

__all__ = ["set_pace"]

_SWITCH_S = 1e-4
"""How long a thread may keep the others waiting, s: the default of 5 ms is a whole batch."""

_GARBAGE = (100_000, 50, 100)
"""When to look for garbage: the default, after 700 objects, takes half of the time of a
stream of JSON messages."""


def set_pace() -> None:
    """Set the interpreter up for a long run.

    Called once, between the imports of a command and its work: what is imported by now
    stays to the end, and frozen it is never gone through again in search of garbage. What
    the kernels bring comes later, but with these thresholds it is soon old, and the old is
    only looked through after some hundred million new objects.
    """
    sys.setswitchinterval(_SWITCH_S)
    gc.freeze()
    gc.set_threshold(*_GARBAGE)
