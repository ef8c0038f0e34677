"""The one way in which kernels are declared, and made machine code of when they are loaded.

A declaration costs nothing: numba is imported, and the types of a signature are made, when
a kernel is loaded: by :mod:`muonscope.kernels`, or by its first call. The machine code
comes from numba's cache on disk where it is there. Nothing is remembered here; what is
loaded stands in the :class:`Kernel`.
"""

import fcntl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import update_wrapper
from pathlib import Path
from types import FunctionType
from typing import IO, Any

__all__ = ["Kernel", "inlined", "kernel", "part", "rare_kernel", "read_only", "tuple_of"]

_KERNEL: dict[str, Any] = {"nogil": True, "error_model": "numpy", "no_cfunc_wrapper": True}
_PART = _KERNEL | {"no_cpython_wrapper": True}
_OPTIONS = "__muonscope_part__"
"""Attribute of parts: the options with which they are compiled."""

PATIENCE_S = 120.0
"""How long to wait for a process that compiles the same kernel, s: many times what all of
them take. It may be stopped (Ctrl-Z) or starve, and its lock is held all the same."""

_LOOK_S = 0.02

Signature = Callable[[Any], Any]
"""A function from ``numba.types`` to the types of a kernel."""


def kernel(signature: Signature) -> Callable[[Callable[..., Any]], "Kernel"]:
    """Return a decorator that declares a kernel for ``signature``."""
    return lambda function: Kernel(function, signature)


def rare_kernel(signature: Signature) -> Callable[[Callable[..., Any]], "Kernel"]:
    """Return a decorator for a kernel that few runs need: only its first call loads it."""
    return lambda function: Kernel(function, signature, rare=True)


def part(function: Callable[..., Any]) -> Any:
    """Declare a function that only kernels call: compiled with them, for their types.

    It stays the plain function that it is, and is cached as a part of each kernel. Kernel
    and parts stand in one file, because the cache only watches the kernel's.
    """
    vars(function)[_OPTIONS] = _PART
    return function


def inlined(function: Callable[..., Any]) -> Any:
    """Declare a part that stands in one place: it is compiled there, not by itself.

    That saves a tenth of the time of compiling where most parts are such.
    """
    vars(function)[_OPTIONS] = _PART | {"inline": "always"}
    return function


class Kernel:
    """A function with the types for which it is compiled: machine code, once it is loaded.

    Loaded kernels release the GIL. ``py_func`` is the plain Python function.
    """

    def __init__(
        self, function: Callable[..., Any], signature: Signature, *, rare: bool = False
    ) -> None:
        """Take the function and its types; nothing is compiled here."""
        update_wrapper(self, function)
        self.py_func, self.rare = function, rare
        self._signature = signature
        self._run: Callable[..., Any] = self._load_and_run
        self.trouble = ""
        """Why the cache could not keep what was compiled."""
        self._loaded = False
        self._loading = threading.RLock()
        self._dispatcher: Any = None

    def __call__(self, *args: Any) -> Any:
        """Run it, in whichever form there is; load it where there is none."""
        return self._run(*args)

    @property
    def loaded(self) -> bool:
        """Whether it is machine code (or numba is told to leave it plain Python)."""
        return self._loaded

    @property
    def folder(self) -> Path | None:
        """Folder of the cache; None where none can be written, so that nothing is kept."""
        folder = self._made().stats.cache_path
        return Path(folder) if folder else None

    def be_plain(self) -> None:
        """Run as plain Python, some hundred times slower, until it is loaded."""
        if not self._loaded:
            self._run = self.py_func

    def load_cached(self) -> bool:
        """Load it if the cache has it; tell whether it is loaded."""
        with self._loading:
            if not self._loaded and _disabled():
                self._run, self._loaded = self.py_func, True
            if not self._loaded:
                made = self._made()
                with suppress(_NotCachedError, OSError), _only_cached(made):
                    made.compile(self._types())
                    self._use(made)
            return self._loaded

    def load(
        self, *, patience_s: float = PATIENCE_S, begin: Callable[["Kernel"], None] | None = None
    ) -> bool:
        """Load it; compile it where need be, unless another process is at it.

        Such a process is waited for, but not longer than ``patience_s``: then a patience of
        0 leaves the kernel as it is, and any other compiles it all the same. ``begin`` is
        told when compiling begins. Tells whether the kernel is loaded.
        """
        if self.load_cached():
            return True
        with self._loading, _locked(self._lock_file(), patience_s) as mine:
            if not mine and patience_s == 0:
                return False
            if not self.load_cached():
                if begin:
                    begin(self)
                self._compile()
        return True

    def _load_and_run(self, *args: Any) -> Any:
        self.load()
        return self._run(*args)

    def _compile(self) -> None:
        """Compile it, into the cache if that can be."""
        made = self._made()
        try:
            made.compile(self._types())
        except OSError as exc:
            self.trouble = str(exc)
            if not made.signatures:  # not even the reading of the cache went well
                made = _numba().njit(**_KERNEL)(made.py_func)
                made.compile(self._types())
        self._use(made)

    def _types(self) -> Any:
        return self._signature(_numba().types)

    def _use(self, made: Any) -> None:
        made.disable_compile()  # arguments of other types are errors, not a reason to compile
        self._run, self._loaded = made, True

    def _made(self) -> Any:
        """Return the function as numba takes it, with a cache where one can be written."""
        njit = _numba().njit
        with self._loading:
            if self._dispatcher is None:
                function = _with_parts(self.py_func, {})
                try:
                    self._dispatcher = njit(cache=True, **_KERNEL)(function)
                except RuntimeError:  # "no locator available": no folder is writable
                    self._dispatcher = njit(**_KERNEL)(function)
            return self._dispatcher

    def _lock_file(self) -> Path | None:
        folder, code = self.folder, self.py_func.__code__
        return folder and folder / f"{Path(code.co_filename).stem}.{code.co_name}.lock"


def _with_parts(function: Any, made: dict[Any, Any]) -> Any:
    """Return a copy of ``function`` whose parts are functions of numba.

    ``made`` remembers these, so that a part that several others call is compiled once.
    """
    around = function.__globals__
    parts = {}
    for name in function.__code__.co_names:
        inner = around.get(name)
        options = getattr(inner, _OPTIONS, None)
        if options:
            if inner not in made:
                made[inner] = _numba().njit(**options)(_with_parts(inner, made))
            parts[name] = made[inner]
    return FunctionType(function.__code__, around | parts, function.__name__, function.__defaults__)


def _numba() -> Any:
    """Return numba, which takes a third of a second to import."""
    import numba

    return numba


def _disabled() -> bool:
    """Tell whether NUMBA_DISABLE_JIT is set."""
    return bool(_numba().config.DISABLE_JIT)


class _NotCachedError(Exception):
    """The cache does not have a kernel."""


@contextmanager
def _only_cached(dispatcher: Any) -> Iterator[None]:
    """Have compiling end with :class:`_NotCachedError` where it would really begin.

    numba looks into its cache first, and tells its listeners after that. There is no other
    way to ask it that does not use what is private to it.
    """
    from numba.core import event

    class Refusal(event.Listener):
        def on_start(self, event: Any) -> None:
            if event.data["dispatcher"] is dispatcher:
                raise _NotCachedError

        def on_end(self, event: Any) -> None:
            pass

    with event.install_listener("numba:compile", Refusal()):
        yield


@contextmanager
def _locked(path: Path | None, patience_s: float) -> Iterator[bool]:
    """Hold a lock among processes; give False where another one still has it.

    It vanishes with its process, however that ends. Where there can be no lock, because of
    rights or the kind of the file system, it is taken as held: to compile twice is no harm.
    """
    try:
        file = path.open("ab") if path else None
    except OSError:
        file = None
    if file is None:
        yield True
        return
    with file:
        held = _lock(file, patience_s)
        try:
            yield held
        finally:
            if held:  # at once, also where a process was forked meanwhile
                with suppress(OSError):
                    fcntl.flock(file, fcntl.LOCK_UN)


def _lock(file: IO[bytes], patience_s: float) -> bool:
    """Take the lock of ``file``, or give up."""
    end = time.monotonic() + patience_s
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= end:
                return False
            time.sleep(_LOOK_S)
        except OSError:
            return True
        else:
            return True


def read_only(item: Any, dimensions: int = 1) -> Any:
    """Return the type of a contiguous input array of ``item``, writable or not."""
    return _numba().types.Array(item, dimensions, "C", readonly=True)


def tuple_of(item: Any, length: int) -> Any:
    """Return the type of a tuple of ``length`` values of type ``item``."""
    return _numba().types.UniTuple(item, length)
