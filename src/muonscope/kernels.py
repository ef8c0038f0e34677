"""The kernels that a command needs, loaded before it begins.

This is the table of all kernels. Where the cache lacks some, two processes compile side by
side, because one process compiles one kernel at a time; another command that starts
meanwhile takes its share, too. Each kernel has a lock: whoever holds it compiles, the
others go on to the next one. So all that is left is taken by whoever has time, and a
process that ends, however it does, leaves its kernel to the others.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from enum import Enum
from importlib import import_module
from typing import Self

from muonscope._jit import Kernel
from muonscope.events import Event, EventKind, Tell, ignore
from muonscope.simulation.options import SCHEME
from muonscope.stopping import Stop

__all__ = [
    "Purpose", "compile_unclaimed", "kernels_of", "load", "needed_to_count", "needed_to_read",
    "needed_to_write", "plain_first",
]  # fmt: skip

_TEXT = ("csv", "json")
_LOOK_S = 0.5


class Purpose(Enum):
    """A purpose of kernels: the modules that hold them, the slowest to compile first."""

    COUNTING = (
        "muonscope.counting._windowing",
        "muonscope.counting._counting",
        "muonscope.counting._lanes",
    )
    PARSING = (
        "muonscope.words._parse_csv", "muonscope.words._parse_json", "muonscope.words._realign",
    )  # fmt: skip
    WRITING = ("muonscope.words._write_text",)
    SIMULATION = ("muonscope.simulation._writing", "muonscope.simulation._crossing")
    TRACKING = (
        "muonscope.tracking._tracks", "muonscope.tracking._segments", "muonscope.counting._hits",
    )  # fmt: skip


def needed_to_read(sources: Iterable[str]) -> frozenset[Purpose]:
    """Return what it takes to get the words of ``sources``; simulations give no text."""
    simulated = any(source.startswith(SCHEME) for source in sources)
    return frozenset({Purpose.SIMULATION if simulated else Purpose.PARSING})


def needed_to_count(sources: Iterable[str]) -> frozenset[Purpose]:
    """Return what it takes to count the words of ``sources``."""
    return needed_to_read(sources) | {Purpose.COUNTING}


def needed_to_write(name: str) -> frozenset[Purpose]:
    """Return what it takes to write words in the format ``name``: text is read again, to check."""
    return frozenset({Purpose.WRITING, Purpose.PARSING} if name in _TEXT else ())


def kernels_of(modules: Iterable[str]) -> list[Kernel]:
    """Return the kernels of modules, but for those that few runs need."""
    found = [item for name in modules for item in vars(import_module(name)).values()]
    return [item for item in found if isinstance(item, Kernel) and not item.rare]


def load(purposes: Iterable[Purpose], *, tell: Tell = ignore) -> None:
    """Make machine code of all kernels for ``purposes``; ``tell`` if they must be compiled.

    Raises
    ------
    KeyboardInterrupt
        After the kernels are there, if Ctrl-C came meanwhile; at once if it came twice.
    """
    modules = _modules(purposes)
    with _interrupt_kept():
        missing = _not_cached(kernels_of(modules))
        if missing:
            _compile(missing, modules, tell)
        troubles = [kernel.trouble for kernel in missing if kernel.trouble]
        if troubles:
            tell(Event(kind=EventKind.COMPILED_IN_VAIN, detail=str(troubles[0])))


def plain_first(purposes: Iterable[Purpose], *, tell: Tell = ignore) -> None:
    """Let the kernels for ``purposes`` run as plain Python until they are compiled.

    That is fast enough for what writes some ten thousand words a second, too slow for
    reading text. Kernels that the cache has are loaded at once. The others are compiled by
    other processes, all but one core being theirs, because compiling in this one would stop
    it for seconds.
    """
    modules = _modules(purposes)
    missing = _not_cached(kernels_of(modules))
    if not missing:
        return
    for kernel in missing:
        kernel.be_plain()
    kept = missing[0].folder is not None
    tell(Event(kind=EventKind.COMPILING_BESIDE, numbers={"kept": kept}))
    cores = os.cpu_count() or 1
    helpers = [_helper(modules) for _ in range(min(len(missing), max(1, cores - 1)) if kept else 0)]
    threading.Thread(target=_load_after, args=(helpers, missing), daemon=True).start()


def compile_unclaimed(modules: Iterable[str]) -> None:
    """Compile the kernels of modules that no other process has begun, into the cache."""
    for kernel in kernels_of(modules):
        kernel.load(patience_s=0)


def _modules(purposes: Iterable[Purpose]) -> list[str]:
    """Return the modules of ``purposes``, in the order of the table."""
    asked = set(purposes)
    return [module for purpose in Purpose if purpose in asked for module in purpose.value]


def _not_cached(kernels: Iterable[Kernel]) -> list[Kernel]:
    """Load what the cache has; return the others."""
    return [kernel for kernel in kernels if not kernel.load_cached()]


def _load_after(helpers: Iterable[subprocess.Popen[bytes]], kernels: Iterable[Kernel]) -> None:
    """Load each kernel once ``helpers`` have compiled it; compile what they have not."""
    helpers, left = list(helpers), list(kernels)
    while any(helper.poll() is None for helper in helpers):
        left = [kernel for kernel in left if not kernel.load_cached()]
        time.sleep(_LOOK_S)
    for kernel in left:
        kernel.load()


def _compile(missing: Sequence[Kernel], modules: Sequence[str], tell: Tell) -> None:
    """Compile the kernels, sharing the work with a process beside and any other command."""
    with _Sharing(modules, tell, alone=len(missing) == 1) as sharing:
        left = list(missing)
        while left:
            taken = [kernel for kernel in left if kernel.load(patience_s=0, begin=sharing.begin)]
            if not taken:  # others are at all that is left
                sharing.wait()
                left[0].load(begin=sharing.begin)
            left = [kernel for kernel in left if not kernel.loaded]


class _Sharing:
    """Tells once what people wait for, and starts the process beside when there is work for it."""

    def __init__(self, modules: Sequence[str], tell: Tell, *, alone: bool) -> None:
        self._modules, self._tell, self._alone = modules, tell, alone
        self._told: EventKind | None = None
        self._helper: subprocess.Popen[bytes] | None = None

    def begin(self, kernel: Kernel) -> None:
        """Note that this process begins to compile."""
        kept = kernel.folder is not None
        self._tell_once(EventKind.COMPILING if kept else EventKind.COMPILING_UNKEPT)
        if kept and not self._alone and self._helper is None:
            self._helper = _helper(self._modules)

    def wait(self) -> None:
        """Note that only other processes compile."""
        if self._told is None:
            self._tell_once(EventKind.COMPILED_ELSEWHERE)

    def _tell_once(self, kind: EventKind) -> None:
        if self._told is not kind:
            self._told = kind
            self._tell(Event(kind=kind))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End the process beside: nothing is left for it to do."""
        if self._helper:
            self._helper.kill()
            self._helper.wait()


def _helper(modules: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start a process that compiles what is unclaimed of ``modules``.

    It has the priority of this one: somebody may wait for what it has begun.
    """
    code = f"from muonscope.kernels import *; compile_unclaimed({list(modules)!r})"
    quiet = subprocess.DEVNULL
    return subprocess.Popen(  # noqa: S603
        [sys.executable, "-P", "-c", code], stdin=quiet, stdout=quiet, stderr=quiet
    )


@contextmanager
def _interrupt_kept() -> Iterator[None]:
    """Let Ctrl-C interrupt afterwards: inside the compiler it can be lost."""
    beside = threading.current_thread() is not threading.main_thread()
    if beside or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield  # it ends in order
        return
    stop = Stop()
    with stop.listening((signal.SIGINT,)):
        yield
    if stop:
        raise KeyboardInterrupt
