"""Loading the compiled kernels, with a word to the user the first time it takes long."""

import sys
import threading

__all__ = ["load_kernels"]

_PATIENCE_S = 2.0


def load_kernels() -> None:
    """Import what is compiled; say on stderr when that takes a while."""
    notice = threading.Timer(
        _PATIENCE_S,
        lambda: print(  # noqa: T201
            "muonscope: compiling the kernels for this machine (once per installation) ...",
            file=sys.stderr,
            flush=True,
        ),
    )
    notice.daemon = True
    notice.start()
    try:
        import muonscope.counting.counter
        import muonscope.words._objects
        import muonscope.words._text  # noqa: F401
    finally:
        notice.cancel()
