"""Constants of the clock and of the drift cell: value, unit, source.

The LHC-like machine clock counts bunch crossings (BX) of 25 ns; 3564 of them make an
orbit of 89.1 us. The TDC divides a BX into 30 (some read-outs 32) ticks. Sources are
the assignment behind the original pipeline and Mmiglio/miniDT unless said otherwise.
"""

import math
import re

from muonscope.errors import OptionError

__all__ = [
    "BX_NS",
    "BX_PER_ORBIT",
    "CELL_HEIGHT_MM",
    "CELL_WIDTH_MM",
    "DRIFT_DELAY_NS",
    "DRIFT_LENGTH_MM",
    "ORBITS_PER_COUNTER",
    "ORBIT_NS",
    "ORBIT_S",
    "WIRE_MM",
    "orbits_in",
    "seconds",
]

BX_NS = 25.0
"""Length of one bunch crossing, ns."""

BX_PER_ORBIT = 3564
"""Bunch crossings in one orbit; a valid BX is 0 .. 3563."""

ORBIT_NS = BX_NS * BX_PER_ORBIT
"""Length of one orbit, ns (89,100)."""

ORBIT_S = ORBIT_NS * 1e-9
"""Length of one orbit, s (89.1e-6)."""

ORBITS_PER_COUNTER = 2**32
"""The orbit counter has 32 bits and wraps after 4.43 days."""

CELL_WIDTH_MM = 42.0
"""Pitch of the wires in a layer, mm."""

WIRE_MM = 700.0
"""Length of the wires of a chamber, mm."""

CELL_HEIGHT_MM = 13.0
"""Pitch of the layers in a chamber, mm."""

DRIFT_DELAY_NS = (5.5, 24.0)
"""Delay of the drift relation at 0 and what comes to it at 45 deg, ns; see ``Cell`` of
:mod:`muonscope.simulation.profiles`: a fit to GARFIELD."""

DRIFT_LENGTH_MM = (0.5, 1.5)
"""Its length in the same way, mm."""

_SECONDS = {
    "": 1.0, "us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86_400.0,
}  # fmt: skip
_LENGTH_OF_TIME = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)\s*([a-z]*)")


def orbits_in(seconds: float) -> int:
    """Return ``seconds`` as the nearest whole number of orbits, at least 1.

    Raises
    ------
    OptionError
        If ``seconds`` is not a positive, finite number, or longer than the orbit
        counter counts (382,682 s).

    Examples
    --------
    >>> orbits_in(1.0)
    11223
    """
    if not (math.isfinite(seconds) and seconds > 0):
        raise OptionError(f"a length of time must be positive and finite, found {seconds!r} s")
    orbits = max(1, round(seconds / ORBIT_S))
    if orbits > ORBITS_PER_COUNTER:
        raise OptionError(
            f"{seconds:g} s is longer than the 32-bit orbit counter runs"
            f" ({ORBITS_PER_COUNTER * ORBIT_S:.0f} s)"
        )
    return orbits


def seconds(length: str | float, option: str, *, zero: bool = False) -> float:
    """Return a length of time such as ``500ms``, ``1s``, ``2.5 min`` or ``3`` in seconds.

    A number is in seconds already. ``zero`` says whether nothing is a length, too.

    Raises
    ------
    OptionError
        If it is no length; the message names ``option``.

    Examples
    --------
    >>> seconds("500ms", "--window")
    0.5
    """
    text = length if isinstance(length, str) else repr(length)
    match = _LENGTH_OF_TIME.fullmatch(text.strip())
    if not match or match[2] not in _SECONDS or (float(match[1]) == 0 and not zero):
        units = ", ".join(unit for unit in _SECONDS if unit)
        raise OptionError(
            f"{option}: found {text!r}, expected a {'' if zero else 'positive '}number with a"
            f" unit ({units}), such as 500ms"
        )
    return float(match[1]) * _SECONDS[match[2]]
