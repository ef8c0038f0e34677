"""Comparison of a run with a reference run: what differs, how surely, and by how much.

Counts are compared by exact intervals of ratios of rates, see
:mod:`~muonscope.quality.ratio_intervals`, histograms by the G-test of their shapes, see
:mod:`~muonscope.quality.histogram_test`. Counts of a telescope scatter more than Poisson's:
muons give hits to many cells, hits come in trains. By how much is taken from the windows
of the reference, about its own rates (of both runs, where it has too few): the sum of
(n - e)^2 / e by its degrees of freedom is the dispersion phi, increased as Student's
distribution demands, and never below 1. This assumes that windows do not depend on one another
and that the rates of a run do not drift; a slow drift, as with the pressure, is told as a
difference, and its size says how small it is.

Families share the level in equal parts (Bonferroni), and Holm's correction is made within each, so
that two runs of a telescope that does not change are told to differ, in anything at all, with at
most the probability ``level``. At 10^7 hits everything differs significantly by 0.5 %: what is
significant but smaller than ``least_size`` is negligible.
"""

from collections.abc import Iterator

import numpy as np

from muonscope.errors import FormatError, OptionError
from muonscope.quality.compared import has_tracks
from muonscope.quality.comparison import SCALES, Comparison
from muonscope.quality.count_findings import ComparedCounts, compared_counts
from muonscope.quality.ordering import ordered
from muonscope.quality.pair import Pair
from muonscope.quality.shape_findings import ComparedShapes, compared_shapes
from muonscope.quality.side import Side

__all__ = ["LEAST_SIZE", "LEVEL", "compare"]

LEVEL, LEAST_SIZE = 0.01, 0.05
"""Defaults: one pair of a hundred differs by chance; pressure changes rates by less than 5 %."""


def compare(
    run: Side, reference: Side, *, scale: str = "live", level: float = LEVEL,
    least_size: float = LEAST_SIZE,
) -> Comparison:  # fmt: skip
    """Return how ``run`` differs from ``reference``, worst first.

    Parameters
    ----------
    run, reference
        Their counts; with those of windows (:class:`~muonscope.quality.side.SideBuilder`) their
        scatter is measured, else a usual one is assumed.
    scale
        ``live``: rates are compared, by the live time of each FPGA. ``entries``: counts per hit of
        the run. ``none``: counts as they are. Shares and efficiencies are never scaled.
    level
        Probability that anything is told to differ by chance, above 0, at most 0.5.
    least_size
        Least difference of a ratio from 1 that matters, 0 or more. The total-variation distance
        of histograms matters from half of it on: their bins then differ by it in the mean.

    Raises
    ------
    FormatError
        If the two are of different detectors.
    OptionError
        If an option is out of its range.
    """
    _check(run, reference, scale, level, least_size)
    pair = Pair(
        run=run, reference=reference, scale=scale, level=level, least_size=least_size
    )  # fmt: skip
    counts = compared_counts(pair)
    families: list[ComparedCounts | ComparedShapes] = [*counts, *compared_shapes(pair)]
    shares = max(1, sum(bool(family.usable.any()) for family in families))
    findings = [found for family in families for found in family.findings(pair, shares)]
    return Comparison(
        run=run.name, reference=reference.name, detector=run.summary.detector, scale=scale,
        level=level, least_size=least_size, live_s=run.summary.live_s,
        reference_live_s=reference.summary.live_s, scaling=pair.scaling,
        findings=ordered(findings), notes=tuple(_untested(pair, counts)),
    )  # fmt: skip


def _check(run: Side, reference: Side, scale: str, level: float, least_size: float) -> None:
    one, other = run.summary.detector, reference.summary.detector
    if one.fingerprint != other.fingerprint:
        raise FormatError(
            f"{run.name} is of the detector {one.name} ({one.fingerprint[:12]}),"
            f" {reference.name} of {other.name} ({other.fingerprint[:12]}); expected the same"
        )
    if scale not in SCALES:
        raise OptionError(f"--scale: found {scale!r}, expected {', '.join(SCALES)}")
    if not 0 < level <= 0.5:
        raise OptionError(f"--level: found {level:g}, expected a number above 0, at most 0.5")
    if not 0 <= least_size < np.inf:
        raise OptionError(f"--least-size: found {least_size:g}, expected 0 or more")


def _untested(pair: Pair, counts: list[ComparedCounts]) -> Iterator[str]:
    """Yield what was not compared, and why."""
    if not pair.tells_all:
        old = [s.name for s in (pair.run, pair.reference) if not s.tells_all]
        yield f"FPGAs, trains, chambers together: results of version 1 in {' and '.join(old)}"
    sides = (pair.run, pair.reference)
    if without := [s.name for s in sides if not has_tracks(s.summary)]:
        yield f"tracks: none were looked for in {' and '.join(dict.fromkeys(without))}"
    for some in counts:
        one_only = (some.run.exposure > 0) != (some.reference.exposure > 0)
        if one_only.any() and not some.family.name.startswith("cell_"):
            names = (some.family.targets[i] for i in np.flatnonzero(one_only).tolist())
            yield f"{some.family.name} of {', '.join(names)}: was not alive in one of the two"
