"""The one way in which kernels are compiled: explicit signature, cached, no GIL."""

from collections.abc import Callable
from typing import Any

import numba

__all__ = ["inlined", "kernel", "part", "rare_kernel", "read_only", "tuple_of"]

_KERNEL: dict[str, Any] = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True}
_PART = _KERNEL | {"no_cpython_wrapper": True}


def kernel(signature: Any) -> Callable[[Callable[..., Any]], Any]:
    """Return a decorator that compiles a function for ``signature`` at import.

    The machine code is cached on disk, next to the module or in the user's cache, so
    only the first import after an installation compiles. The plain Python function
    stays at hand as ``.py_func``. Kernels release the GIL.
    """
    decorator: Callable[[Callable[..., Any]], Any] = numba.njit(signature, cache=True, **_KERNEL)
    return decorator


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
