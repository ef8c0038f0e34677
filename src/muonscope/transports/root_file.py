"""Files of ROOT, by uproot: an extra that few need."""

from typing import Any

from muonscope.errors import OptionError

__all__ = ["uproot"]


def uproot() -> Any:
    """Return the module ``uproot``.

    Raises
    ------
    OptionError
        If it is not installed.
    """
    try:
        import uproot as module
    except ImportError as exc:
        raise OptionError("--to .root needs uproot: pip install 'muonscope[root]'") from exc
    return module
