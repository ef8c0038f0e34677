"""Writing to files of the system: all or an error that says why."""

import errno
from io import RawIOBase

__all__ = ["why", "write_all"]


def write_all(file: RawIOBase, data: bytes) -> None:
    """Write ``data`` whole to an unbuffered file, which may take it in parts.

    Raises
    ------
    OSError
        If the disk is full or fails.
    """
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) or 0 :]


def why(exc: OSError) -> str:
    """Return the reason of an error for people."""
    return "the disk is full" if exc.errno == errno.ENOSPC else exc.strerror or str(exc)
