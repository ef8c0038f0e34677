"""Lengths of time as people write them."""

import re

from muonscope.errors import OptionError

__all__ = ["seconds"]

_UNITS = {"": 1.0, "us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0}
_FORM = re.compile(r"(\d+\.?\d*|\.\d+)\s*([a-z]*)")


def seconds(text: str, option: str) -> float:
    """Return a length such as ``500ms``, ``1s``, ``2.5 min`` or ``3`` in seconds.

    Raises
    ------
    OptionError
        If it is no length, or zero; the message names ``option``.

    Examples
    --------
    >>> seconds("500ms", "--window")
    0.5
    """
    match = _FORM.fullmatch(text.strip())
    if not match or match[2] not in _UNITS or float(match[1]) == 0:
        units = ", ".join(unit for unit in _UNITS if unit)
        raise OptionError(
            f"{option}: found {text!r}, expected a positive number with a unit ({units}),"
            " such as 500ms"
        )
    return float(match[1]) * _UNITS[match[2]]
