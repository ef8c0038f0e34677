"""The files and objects that are read, by address and size: for readers on other machines."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from muonscope.intake.file_facts import END_BYTES
from muonscope.intake.looking import Looker, Once, tell_some
from muonscope.intake.survey import arrange
from muonscope.transports.listing import listed_files

__all__ = ["ChosenFile", "chosen_files"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChosenFile:
    """A file or object that is read."""

    name: str
    """Its address, by which it is opened."""
    size: int
    """Raw bytes."""
    after: int = 0
    """Words at its beginning that are read from another one."""
    stream: int = 0
    """Number of its stream; streams run side by side."""


def chosen_files(
    sources: Sequence[str], once: Once | None
) -> tuple[list[ChosenFile], Callable[[str], BinaryIO]]:
    """Return the files that are read of ``sources``, in order, and an opener.

    The opener can be sent to another process. Without ``once`` all are read.

    Raises
    ------
    OptionError
        If a source is neither files nor objects.
    SourceError
        If nothing is there, or it cannot be looked at.
    """
    source, (address, opener) = listed_files(sources)
    ends = source.ends(END_BYTES if once else 0)
    sizes = {end.name: end.size for end in ends}
    streams: tuple[tuple[str, ...], ...] = (tuple(sizes),)
    after: dict[str, int] = {}
    if once and len(ends) > 1:
        looker = Looker(source.open, once.readout)
        found = arrange(looker.facts(ends), looker.words)
        tell_some(found.events, once.tell)
        streams, after = found.streams, dict(found.after)
    chosen = [
        ChosenFile(name=address(name), size=sizes[name], after=after.get(name, 0), stream=number)
        for number, names in enumerate(streams)
        for name in names
    ]
    return chosen, opener
