"""Files and objects by name and size, and what opens them: for readers on other machines."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

from muonscope.errors import OptionError, SourceError, SourceNotFoundError
from muonscope.simulation.options import SCHEME
from muonscope.transports.files import find_files
from muonscope.transports.objects import is_object_url, list_objects

__all__ = ["named_files"]


def named_files(
    sources: Sequence[str],
) -> tuple[list[tuple[str, int]], Callable[[str], BinaryIO]]:
    """Return the (name, bytes) of all files that ``sources`` name, in order, and an opener.

    The opener can be sent to another process.

    Raises
    ------
    OptionError
        If a source is neither files nor objects.
    SourceError
        If nothing is there, or it cannot be looked at.
    """
    if all(map(is_object_url, sources)):
        return [found for url in sources for found in list_objects(url)], open_object
    if any(is_object_url(source) or source.startswith(SCHEME) for source in sources):
        raise OptionError("expected files, or objects, alone: found " + " ".join(sources))
    try:
        files = [(str(path.resolve()), path.stat().st_size) for path in find_files(sources)]
    except OSError as exc:
        raise SourceError(f"{exc.filename}: cannot be read: {exc.strerror or exc}") from exc
    if not files:
        raise SourceNotFoundError(f"{' '.join(sources)}: no file is there")
    return files, open_file


def open_file(name: str) -> BinaryIO:
    """Open a file."""
    return Path(name).open("rb")


def open_object(url: str) -> BinaryIO:
    """Open an object, with the credentials that the machine has."""
    import fsspec

    opened: BinaryIO = fsspec.open(url, "rb").open()
    return opened
