"""Which archived run to compare another one with, and why that one."""

from muonscope.archiving.archive import Archive
from muonscope.archiving.archived_run import ArchivedRun
from muonscope.archiving.good_windows import Signature, signatures
from muonscope.errors import SourceNotFoundError

__all__ = ["LEAST_BLOCKS", "chosen_reference"]

LEAST_BLOCKS = 400
"""Blocks of 1 ms with a hit that the median cell of a reference must have, for 5 % of error."""


def chosen_reference(archive: Archive, run: ArchivedRun) -> tuple[ArchivedRun, Signature, str]:
    """Return the newest run that is signed, of the same detector and conditions, and why.

    Its signature says which windows of it are good.

    Raises
    ------
    SourceNotFoundError
        If there is none; the text says of each other run why not.
    FormatError
        If one is damaged.
    """
    reasons = []
    others = [archive[name] for name in archive if name != run.name]
    for other in sorted(others, key=lambda one: one.about.begun_at, reverse=True):
        if reason := _unlike(run, other):
            reasons.append(f"{other.name}: {reason}")
            continue
        signed = signatures(other)
        if not signed or not signed[-1].good_list.ranges:
            reasons.append(f"{other.name}: is not signed as good")
            continue
        blocks = sorted(other.total(good=signed[-1].good_list).arrays["occupied"].tolist())
        if blocks[len(blocks) // 2] < LEAST_BLOCKS:
            reasons.append(f"{other.name}: too few hits in its good windows")
            continue
        same = ", ".join(f"{n}={v}" for n, v in run.about.conditions.items()) or "none named"
        why = (
            f"the newest run signed as good (by {signed[-1].who}) with detector"
            f" {run.about.detector_hash} and the same conditions ({same})"
        )
        return other, signed[-1], why
    told = "; ".join(reasons[:10]) or "there is no other run"
    raise SourceNotFoundError(
        f"{archive.folder.path}: no run to compare {run.name} with: {told}; sign one with"
        " `muonscope good sign`, or name one"
    )


def _unlike(run: ArchivedRun, other: ArchivedRun) -> str:
    """Return in which way another run cannot be compared; empty if it can."""
    mine, others = run.about, other.about
    if mine.detector_hash != others.detector_hash:
        return f"detector {others.detector} ({others.detector_hash})"
    if mine.tracking != others.tracking:
        return "tracks in one of the two only"
    names = sorted(mine.conditions.keys() | others.conditions.keys())
    for name in names:
        if mine.conditions.get(name) != others.conditions.get(name):
            return f"{name} = {others.conditions.get(name, 'not told')}"
    return ""
