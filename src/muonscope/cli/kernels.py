"""Loading the compiled kernels, with a word to the user the first time it takes long."""

import subprocess
import sys
import threading

__all__ = ["load_kernels"]

_PATIENCE_S = 1.2
_SLOWEST = "muonscope.counting._windowing"
_OTHERS = ("muonscope.counting._counting", "muonscope.words._text", "muonscope.words._objects")


def load_kernels() -> None:
    """Import what is compiled; say on stderr when that takes a while.

    Where the kernels are not in the cache, half of the work is done meanwhile by another
    process, on another core: one process compiles one kernel at a time.
    """
    helpers: list[subprocess.Popen[bytes]] = []

    def announce() -> None:
        text = "muonscope: compiling the kernels for this machine (once per installation) ..."
        print(text, file=sys.stderr, flush=True)  # noqa: T201
        command = [sys.executable, "-P", "-c", "import " + ", ".join(_OTHERS)]
        quiet = subprocess.DEVNULL
        helpers.append(
            subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet)  # noqa: S603
        )

    notice = threading.Timer(_PATIENCE_S, announce)
    notice.daemon = True
    notice.start()
    try:
        __import__(_SLOWEST)
    finally:
        notice.cancel()
    for helper in helpers:
        helper.wait()
    for module in _OTHERS:
        __import__(module)
