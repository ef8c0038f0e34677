"""muonscope: live data quality for trigger-less drift-tube muon telescopes.

``open`` a recording, ``summarise`` its words, ``simulate`` a telescope;
``shipped_detector`` and ``Detector`` say what it is. Everything else is in the rooms:
``detector``, ``words``, ``counting``, ``simulation``, ``results``, ``transports``,
``engines``. Names are loaded when first used, so that importing the package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from muonscope.api import Recording, Simulated, simulate, summarise
    from muonscope.api import open_recording as open  # noqa: A004
    from muonscope.counting.summary import Summary
    from muonscope.counting.window_table import WindowSummary, WindowTable
    from muonscope.detector import Detector, shipped_detector
    from muonscope.errors import MuonscopeError

__all__ = [
    "Detector",
    "MuonscopeError",
    "Recording",
    "Simulated",
    "Summary",
    "WindowSummary",
    "WindowTable",
    "__version__",
    "open",
    "shipped_detector",
    "simulate",
    "summarise",
]

__version__ = "0.1.0"

_HOMES = {
    "Detector": ("muonscope.detector", "Detector"),
    "MuonscopeError": ("muonscope.errors", "MuonscopeError"),
    "Recording": ("muonscope.api", "Recording"),
    "Simulated": ("muonscope.api", "Simulated"),
    "Summary": ("muonscope.counting.summary", "Summary"),
    "WindowSummary": ("muonscope.counting.window_table", "WindowSummary"),
    "WindowTable": ("muonscope.counting.window_table", "WindowTable"),
    "open": ("muonscope.api", "open_recording"),
    "shipped_detector": ("muonscope.detector", "shipped_detector"),
    "simulate": ("muonscope.api", "simulate"),
    "summarise": ("muonscope.api", "summarise"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, attribute = _HOMES[name]
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    return sorted(__all__)
