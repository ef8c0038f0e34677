"""Processes that a test started and left running, which the next tests would have beside them."""

import os
from collections.abc import Iterable
from pathlib import Path

__all__ = ["children", "named"]

_PROC = Path("/proc")
_SHARED = ("multiprocessing.resource_tracker", "multiprocessing.forkserver")
"""What Python starts once for all of a process."""


def children(parents: Iterable[int] = ()) -> set[int]:
    """Return the running children of this process and of ``parents``; none without /proc."""
    found: set[int] = set()
    for parent in {os.getpid(), *parents}:
        for listed in (_PROC / str(parent) / "task").glob("*/children"):
            try:
                found |= {int(pid) for pid in listed.read_text("utf-8").split()}
            except OSError:  # the thread has ended
                continue
    return {pid for pid in found if _runs(pid)}


def named(pid: int) -> str:
    """Return the command line of a process; empty if it is gone, or only waits to be reaped."""
    try:
        return (_PROC / str(pid) / "cmdline").read_text("utf-8").replace("\0", " ").strip()
    except OSError:
        return ""


def _runs(pid: int) -> bool:
    command = named(pid)
    return bool(command) and not any(name in command for name in _SHARED)
