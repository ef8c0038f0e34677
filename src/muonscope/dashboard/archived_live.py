"""Archived runs as a dashboard shows them: all of their time, and the verdicts as they were."""

import time
from collections.abc import Mapping
from typing import Any

from muonscope._version import __version__
from muonscope.archiving.recorded_judge import RecordedJudge
from muonscope.dashboard.live import Live, LiveOptions
from muonscope.dashboard.verdicts import LiveJudge
from muonscope.intake.archived import ArchivedResults
from muonscope.quality.judge import Judge
from muonscope.results.store import ResultStore, View
from muonscope.units import ORBIT_S

__all__ = ["archived_live"]


def archived_live(
    found: ArchivedResults, source: str, *, config: Mapping[str, Any],
    reference: View | None = None,
) -> Live:  # fmt: skip
    """Return the state of a dashboard of archived runs, without windows yet."""
    runs = {run.name: run for run in found.runs}
    first = found.runs[0]
    length_s = max(run.length_s for run in found.runs)
    store = ResultStore(found.described, blocks=first.blocks, history_s=max(7200.0, length_s))
    options = LiveOptions(
        source=source, version=__version__, config=config,
        window_s=first.about.window_orbits * ORBIT_S,
    )  # fmt: skip

    def judge(run: str, _day: object) -> Judge:
        return RecordedJudge(runs[run]) if run else Judge(found.described)

    return Live(store, options, clock=time.time, reference=reference, watcher=LiveJudge(judge))
