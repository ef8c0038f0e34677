"""muonscope: live data quality for trigger-less drift-tube muon telescopes.

``open`` a recording, ``summarise`` its words, ``simulate`` a telescope; ``process`` to results,
``replay`` to a topic, ``serve`` a dashboard; look at the runs of an ``archive``.
``shipped_detector`` and ``Detector`` say what a telescope is. Everything else is in the rooms.
Names are loaded when first used, so that importing the package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from muonscope._version import __version__

if TYPE_CHECKING:
    from muonscope.api import Recording, Simulated, simulate, summarise
    from muonscope.api import open_recording as open  # noqa: A004
    from muonscope.archiving.archive import Archive, archive
    from muonscope.archiving.archived_run import ArchivedRun
    from muonscope.counting.summary import Summary
    from muonscope.counting.window_table import WindowSummary, WindowTable
    from muonscope.dashboard.launch import Dashboard, serve
    from muonscope.detector import Detector, shipped_detector
    from muonscope.errors import MuonscopeError
    from muonscope.processing.comparing import compare
    from muonscope.processing.judging import Judgement, judge
    from muonscope.processing.process import process
    from muonscope.processing.reporter import Account
    from muonscope.quality.comparison import Comparison
    from muonscope.replaying.replay import Sent, replay
    from muonscope.stopping import Stop

__all__ = [
    "Account",
    "Archive",
    "ArchivedRun",
    "Comparison",
    "Dashboard",
    "Detector",
    "Judgement",
    "MuonscopeError",
    "Recording",
    "Sent",
    "Simulated",
    "Stop",
    "Summary",
    "WindowSummary",
    "WindowTable",
    "__version__",
    "archive",
    "calibrate",
    "compare",
    "judge",
    "open",
    "process",
    "replay",
    "serve",
    "shipped_detector",
    "simulate",
    "summarise",
    "tracks",
]

_HOMES = {
    "Account": "muonscope.processing.reporter",
    "Archive": "muonscope.archiving.archive",
    "ArchivedRun": "muonscope.archiving.archived_run",
    "Comparison": "muonscope.quality.comparison",
    "Dashboard": "muonscope.dashboard.launch",
    "Detector": "muonscope.detector",
    "Judgement": "muonscope.processing.judging",
    "MuonscopeError": "muonscope.errors",
    "Recording": "muonscope.api",
    "Sent": "muonscope.replaying.replay",
    "Simulated": "muonscope.api",
    "Stop": "muonscope.stopping",
    "Summary": "muonscope.counting.summary",
    "WindowSummary": "muonscope.counting.window_table",
    "WindowTable": "muonscope.counting.window_table",
    "archive": "muonscope.archiving.archive",
    "calibrate": "muonscope.replaying.calibrate",
    "compare": "muonscope.processing.comparing",
    "judge": "muonscope.processing.judging",
    "open": "muonscope.api",
    "process": "muonscope.processing.process",
    "replay": "muonscope.replaying.replay",
    "serve": "muonscope.dashboard.launch",
    "shipped_detector": "muonscope.detector",
    "simulate": "muonscope.api",
    "summarise": "muonscope.api",
    "tracks": "muonscope.replaying.track_files",
}
_OTHER_NAMES = {"open": "open_recording"}
"""Names that a module has under another one."""


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), _OTHER_NAMES.get(name, name))


def __dir__() -> list[str]:
    return sorted(__all__)
