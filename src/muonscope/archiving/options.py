"""The options of ``muonscope runs``."""

from dataclasses import MISSING, dataclass
from typing import Any

from muonscope.options import option

__all__ = [
    "NoteOptions", "ProposeOptions", "RebuildOptions", "RunsOptions", "ShowGoodOptions",
    "ShowRunOptions", "SignOptions", "ThinOptions",
]  # fmt: skip


def _archive() -> Any:
    return option(MISSING, metavar="ARCHIVE", help="Folder that --archive has made.")


def _run() -> Any:
    return option(MISSING, metavar="RUN", help="Name of the run.")


def _json() -> bool:
    value: bool = option(False, "--json", help="Machine-readable.")
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class RunsOptions:
    """The options of the list of runs, as they were written."""

    archive: str = _archive()
    since: str | float = option(
        "", "--since", metavar="TIME", help="Only with windows since then: 7d, or 2026-11-30."
    )
    detector: str = option("", "--detector", metavar="NAME", help="Only of this one, or its hash.")
    where: tuple[str, ...] = option(
        (), "--where", metavar="NAME=VALUE", help="Only with this condition; repeatable."
    )
    worst: str = option(
        "", "--worst", metavar="STATE", help="Only as bad as this or worse: warn, bad, no data."
    )
    json: bool = _json()


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowRunOptions:
    """The options of showing a run, as they were written."""

    archive: str = _archive()
    run: str = _run()
    json: bool = _json()


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteOptions:
    """The options of a note, as they were written."""

    archive: str = _archive()
    run: str = _run()
    text: str = option(MISSING, metavar="TEXT", help="What to remember.")
    who: str = option("", "--who", metavar="NAME", help="Who writes; default: the user's name.")
    window: str = option("", "--window", metavar="[EPOCH/]N", help="The window that it is on.")
    check: str = option("", "--check", metavar="NAME", help="The check that it is on.")
    target: str = option("", "--target", metavar="NAME", help="Its target, such as ch0:61.")


@dataclass(frozen=True, slots=True, kw_only=True)
class RebuildOptions:
    """The options of rebuilding, as they were written."""

    archive: str = _archive()


@dataclass(frozen=True, slots=True, kw_only=True)
class ThinOptions:
    """The options of thinning, as they were written."""

    archive: str = _archive()
    older: str | float = option(
        "90d", "--older", metavar="TIME", help="Hours whose windows came longer ago than this."
    )
    to: str = option("minutes", "--to", metavar="GRAIN", help="minutes or hours.")
    yes: bool = option(False, "--yes", help="Do it; without it, only say what would be dropped.")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposeOptions:
    """The options of a proposal of good windows, as they were written."""

    archive: str = _archive()
    run: str = _run()
    json: bool = _json()


@dataclass(frozen=True, slots=True, kw_only=True)
class SignOptions:
    """The options of signing which windows are good, as they were written."""

    archive: str = _archive()
    run: str = _run()
    who: str = option("", "--who", metavar="NAME", help="Who signs.")
    note: str = option("", "--note", metavar="TEXT", help="Why it differs from the proposal.")
    also: tuple[str, ...] = option(
        (), "--also", metavar="WINDOWS", help="Good all the same: 955-1200, 1/20-30; repeatable."
    )
    but: tuple[str, ...] = option(
        (), "--but", metavar="WINDOWS", help="Not good all the same; repeatable."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowGoodOptions:
    """The options of showing what was signed, as they were written."""

    archive: str = _archive()
    run: str = option("", "--run", metavar="NAME", help="Only this run.")
    to: str = option("", "--to", metavar="FILE", help="Write good.json: {RUN: [[first, last]]}.")
    quality: str = option(
        "", "--quality", metavar="FILE", help="Write what was judged, and what was bad and why."
    )
    force: bool = option(False, "--force", help="Overwrite the files.")
