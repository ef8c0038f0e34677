"""The one way in which kernels are compiled: explicit signature, cached, no GIL."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FunctionType
from typing import Any

import numba

__all__ = [
    "PlainFirst", "inlined", "kernel", "part", "plain_first", "rare_kernel", "read_only",
    "tuple_of",
]  # fmt: skip

_config: Any = numba.config
_KERNEL: dict[str, Any] = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True}
_PART = _KERNEL | {"no_cpython_wrapper": True}


def kernel(signature: Any) -> Callable[[Callable[..., Any]], Any]:
    """Return a decorator that compiles a function for ``signature`` at import.

    The machine code is cached on disk, next to the module or in the user's cache, so
    only the first import after an installation compiles. The plain Python function
    stays at hand as ``.py_func``. Kernels release the GIL. Within :func:`plain_first`
    nothing is compiled yet.
    """

    def decorate(function: Callable[..., Any]) -> Any:
        if _collected is None or _config.DISABLE_JIT:
            return _compiled(function, signature)
        _collected.append(PlainFirst(function, signature))
        return _collected[-1]

    return decorate


def _compiled(function: Callable[..., Any], signature: Any) -> Any:
    return numba.njit(signature, cache=True, **_KERNEL)(function)


class PlainFirst:
    """A kernel that is plain Python until it is compiled: some hundred times slower."""

    def __init__(self, function: Callable[..., Any], signature: Any) -> None:
        """Take what to run; nothing is compiled here."""
        self._function, self._signature = function, signature
        self._plain: Callable[..., Any] | None = None
        self._fast: Callable[..., Any] | None = None

    def __call__(self, *args: Any) -> Any:
        """Run it, in whichever form there is."""
        if self._fast is not None:
            return self._fast(*args)
        if self._plain is None:
            self._plain = _in_plain_python(self._function)
        return self._plain(*args)

    @property
    def cached(self) -> bool:
        """Whether the cache has machine code of it, from after the last change of its file."""
        stats = numba.njit(self._function, cache=True, **_KERNEL).stats
        source = Path(self._function.__code__.co_filename)
        changed = source.stat().st_mtime
        indexes = f"{source.stem}.{self._function.__qualname__}-*.nbi"
        found = Path(stats.cache_path).glob(indexes)
        return any(index.stat().st_mtime >= changed for index in found)

    def compile(self) -> None:
        """Compile it, or load it from the cache; from the next call on it is machine code."""
        self._fast = _compiled(self._function, self._signature)


_collected: list[PlainFirst] | None = None


@contextmanager
def plain_first() -> Iterator[list[PlainFirst]]:
    """Let the kernels of all modules that are imported within be plain Python for now.

    Yields the list of them; whoever asked has to have them compiled. Not for two threads
    at once.
    """
    global _collected  # noqa: PLW0603
    kernels: list[PlainFirst] = []
    _collected = kernels
    try:
        yield kernels
    finally:
        _collected = None


def _in_plain_python(function: Any) -> Callable[..., Any]:
    """Return ``function`` with whatever parts it calls as plain Python."""
    names = dict(function.__globals__)
    for name, item in function.__globals__.items():
        inner = getattr(item, "py_func", None)
        if inner is not None:
            names[name] = FunctionType(inner.__code__, names, name, inner.__defaults__)
    return FunctionType(function.__code__, names, function.__name__, function.__defaults__)


def rare_kernel(function: Callable[..., Any]) -> Any:
    """Decorate a kernel that few runs need: it is compiled, and cached, when it is called."""
    return numba.njit(function, cache=True, **_KERNEL)


def part(function: Callable[..., Any]) -> Any:
    """Decorate a function that only kernels call: compiled with them, for their types.

    It is cached as a part of each kernel, and cannot be called from Python but as
    ``.py_func``.
    """
    return numba.njit(function, **_PART)


def inlined(function: Callable[..., Any]) -> Any:
    """Decorate a part that stands in one place: it is compiled there, not by itself.

    That saves a tenth of the time of compiling where most parts are such.
    """
    return numba.njit(function, inline="always", **_PART)


def read_only(item: Any, dimensions: int = 1) -> Any:
    """Return the type of a contiguous input array of ``item``, writable or not."""
    return numba.types.Array(item, dimensions, "C", readonly=True)


def tuple_of(item: Any, length: int) -> Any:
    """Return the type of a tuple of ``length`` values of type ``item``."""
    make: Callable[..., Any] = numba.types.UniTuple
    return make(item, length)
