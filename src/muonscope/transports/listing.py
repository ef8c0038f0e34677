"""Files and objects that can be opened by their names on other machines, too."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

from muonscope.errors import OptionError, SourceNotFoundError
from muonscope.simulation.options import SCHEME
from muonscope.transports.base import FileSet
from muonscope.transports.files import FileSource, find_files
from muonscope.transports.objects import ObjectSource, is_object_url

__all__ = ["Opening", "listed_files"]

Opening = tuple[Callable[[str], str], Callable[[str], BinaryIO]]
"""A function that gives the address of a file by its name, and one that opens an address.

The second can be sent to another process.
"""


def listed_files(sources: Sequence[str]) -> tuple[FileSet, Opening]:
    """Return all files that ``sources`` name, and how they are opened elsewhere.

    Raises
    ------
    OptionError
        If a source is neither files nor objects.
    SourceError
        If nothing is there, or it cannot be looked at.
    """
    if all(map(is_object_url, sources)):
        objects = ObjectSource(sources)
        return objects, (objects.url, open_object)
    if any(is_object_url(source) or source.startswith(SCHEME) for source in sources):
        raise OptionError("expected files, or objects, alone: found " + " ".join(sources))
    files = [path.resolve() for path in find_files(sources)]
    if not files:
        raise SourceNotFoundError(f"{' '.join(sources)}: no file is there")
    return FileSource(files), (str, open_file)


def open_file(name: str) -> BinaryIO:
    """Open a file."""
    return Path(name).open("rb")


def open_object(url: str) -> BinaryIO:
    """Open an object, with the credentials that the machine has."""
    import fsspec

    opened: BinaryIO = fsspec.open(url, "rb").open()
    return opened
