"""Loading the compiled kernels, with a word to the user the first time it takes long."""

import gc
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from muonscope.say import say
from muonscope.simulation.options import SCHEME
from muonscope.stopping import Stop

if TYPE_CHECKING:
    from muonscope._jit import PlainFirst

__all__ = [
    "PROCESSING", "SIMULATION", "begin_plain", "kernels_for", "load_kernels", "set_pace",
    "simulated",
]  # fmt: skip

_PATIENCE_S = 1.2

_COMPILING = "compiling the kernels for this machine (once per installation)"

_NICE = 5

_SWITCH_S = 1e-4
"""How long a thread may keep the others waiting, s: the default of 5 ms is a whole batch."""

_GARBAGE = (100_000, 50, 100)
"""When to look for garbage: the default, after 700 objects, takes half of the time of a
stream of JSON messages."""

_COUNTING = ("muonscope.counting._windowing", "muonscope.counting._counting")
"""What any module that counts brings, the slowest first."""

PROCESSING = (*_COUNTING, "muonscope.words._parse_csv", "muonscope.words._parse_json")
"""What processing needs, the slowest first."""

SIMULATION = ("muonscope.simulation._crossing", "muonscope.simulation._writing")
"""What a simulation needs."""


def kernels_for(sources: Sequence[str]) -> tuple[str, ...]:
    """Return what processing ``sources`` needs."""
    return _COUNTING + SIMULATION if simulated(sources) else PROCESSING  # no text is read then


def simulated(sources: Sequence[str]) -> bool:
    """Tell whether ``sources`` are simulations."""
    return any(source.startswith(SCHEME) for source in sources)


def set_pace() -> None:
    """Set the interpreter up for a long run: what is loaded by now stays."""
    sys.setswitchinterval(_SWITCH_S)
    gc.freeze()
    gc.set_threshold(*_GARBAGE)


def load_kernels(modules: Sequence[str], *, tell: Callable[[str], None] = say) -> None:
    """Import what is compiled; ``tell`` the user when that takes a while.

    Where the kernels are not in the cache, half of the work is done meanwhile by another
    process, on another core: one process compiles one kernel at a time.

    Raises
    ------
    KeyboardInterrupt
        After the kernels are there, if Ctrl-C came meanwhile; at once if it came twice.
    """
    slowest, *others = modules
    helpers: list[subprocess.Popen[bytes]] = []

    def announce() -> None:
        tell(f"{_COMPILING} ...")
        helpers.append(_compiled_beside(others))

    notice = threading.Timer(_PATIENCE_S, announce)
    notice.daemon = True
    notice.start()
    with _interrupt_kept():
        try:
            __import__(slowest)
        finally:
            notice.cancel()
        for helper in helpers:
            helper.wait()
        for module in others:
            __import__(module)


def begin_plain(modules: Sequence[str]) -> None:
    """Import what is compiled, without waiting for it.

    Where the kernels are not in the cache, they are plain Python until other processes
    have compiled them: fast enough for what writes some ten thousand words a second, too
    slow for reading text.
    """
    from muonscope._jit import plain_first  # the compiler is not there at once, either

    with plain_first() as kernels:
        for module in modules:
            __import__(module)
    if all(kernel.cached for kernel in kernels):
        _compile(kernels, ())
        return
    say(f"{_COMPILING}; until that is done, plain Python does their work")
    slowest, *others = modules
    helpers = [_compiled_beside([slowest]), _compiled_beside(others)]
    threading.Thread(target=_compile, args=(kernels, helpers), daemon=True).start()


def _compile(kernels: "Sequence[PlainFirst]", helpers: Sequence[subprocess.Popen[bytes]]) -> None:
    """Take the kernels from the cache once ``helpers`` have put them there."""
    for helper in helpers:
        helper.wait()
    for kernel in kernels:
        kernel.compile()


def _compiled_beside(modules: Sequence[str]) -> subprocess.Popen[bytes]:
    """Begin to compile the kernels of ``modules`` into the cache, in another process.

    It gives way to whatever else wants the cores.
    """
    code = f"import os; hasattr(os, 'nice') and os.nice({_NICE}); import {', '.join(modules)}"
    command = [sys.executable, "-P", "-c", code]
    quiet = subprocess.DEVNULL
    return subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet)  # noqa: S603


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
