"""The order of findings: worst first, and the whole before its parts.

A chamber that has lost half of its gain differs in each of its cells, in what it sees together with
others, and in its histograms. These follow from the chamber, and come after it.
"""

from collections.abc import Iterable, Iterator

from muonscope.quality.comparison import Difference, Finding

__all__ = ["ordered"]

_MORE = 1.5
"""A cell that differs by so many times as much as its chamber is a finding of its own."""


def ordered(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings by class, sure size in tenths, the whole before its parts, and chance."""
    rows = sorted(findings, key=lambda found: found.order)
    by_key = {(f.what, f.target): f for f in rows if f.difference == Difference.DIFFERS}
    ranks: dict[tuple[str, str], float] = {}
    for found in rows:
        rank = found.rank
        for key in _wholes(found):
            if (whole := by_key.get(key)) and _follows(found, whole):
                rank = min(rank, ranks[key])
                break
        ranks[found.what, found.target] = rank
    return tuple(
        sorted(
            rows,
            key=lambda f: (f.difference, -round(ranks[f.what, f.target], 1), f.order, f.p),
        )
    )


def _wholes(found: Finding) -> Iterator[tuple[str, str]]:
    """Yield what may be the reason of a finding, the nearest first."""
    chambers = found.target.partition(":")[0].split("-")
    if found.what in {"cell_trains", "cell_scintillator"}:
        yield "cell_rate", found.target
    if found.what != "chamber_rate" and found.target.startswith("ch"):
        for chamber in chambers:
            yield "chamber_rate", chamber
    if found.what != "telescope_rate" and found.target.startswith(("ch", "telescope")):
        yield "telescope_rate", "telescope"


def _follows(found: Finding, whole: Finding) -> bool:
    """Tell whether ``found`` is what is to be expected of a part of ``whole``."""
    if not found.is_histogram and (found.ratio > 1) != (whole.ratio > 1):
        return found.efficiencies is not None
    if whole.what == "cell_rate" or found.what not in {"cell_rate", "chamber_rate"}:
        return True
    return found.rank <= _MORE * whole.rank
