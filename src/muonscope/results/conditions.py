"""The conditions of a run, which people name: the gas, the high voltage, who was on shift."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from muonscope.counting.told import short
from muonscope.errors import FormatError, OptionError

__all__ = ["CONDITIONS_SCHEMA", "parse_conditions", "read_conditions"]

_MOST, _MOST_TEXT = 32, 100
_NAME = r"[a-z][a-z0-9_-]{0,39}"
_FORM = f"NAME=VALUE, NAME of small letters, digits, - and _, VALUE of at most {_MOST_TEXT} letters"

CONDITIONS_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "description": "What people named of the run, such as its gas.",
    "maxProperties": _MOST,
    "propertyNames": {"pattern": f"^{_NAME}$"},
    "additionalProperties": {"type": "string", "maxLength": _MOST_TEXT},
}


def parse_conditions(texts: Iterable[str]) -> dict[str, str]:
    """Return the conditions that ``texts`` name, sorted by name.

    Raises
    ------
    OptionError
        If one is no ``NAME=VALUE``, is given twice, or there are more than 32.

    Examples
    --------
    >>> parse_conditions(["hv=3600", "gas=ArCO2 85/15"])
    {'gas': 'ArCO2 85/15', 'hv': '3600'}
    """
    found: dict[str, str] = {}
    for text in texts:
        name, _, value = text.partition("=")
        if not (re.fullmatch(_NAME, name) and _is_value(value)):
            raise OptionError(f"--condition: found {short(text)}, expected {_FORM}")
        if name in found:
            raise OptionError(f"--condition: {name} is given twice, expected once")
        found[name] = value
    if len(found) > _MOST:
        raise OptionError(f"--condition: found {len(found)}, expected at most {_MOST}")
    return dict(sorted(found.items()))


def read_conditions(value: object) -> dict[str, str]:
    """Return the conditions that a message tells.

    Raises
    ------
    FormatError
        If they are none.
    """
    if not isinstance(value, dict) or len(value) > _MOST:
        raise FormatError(f"conditions: found {short(value)}, expected at most {_MOST} texts")
    for name, text in value.items():
        if not (re.fullmatch(_NAME, name) and isinstance(text, str) and _is_value(text)):
            raise FormatError(f"conditions: found {short({name: text})}, expected {_FORM}")
    return value


def _is_value(text: str) -> bool:
    return 0 < len(text) <= _MOST_TEXT and text.isprintable()
