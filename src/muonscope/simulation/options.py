"""The options of a simulation, checked, and their form as a URL. Pure."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any
from urllib.parse import parse_qsl

from muonscope.detector import Detector, shipped_detector
from muonscope.errors import OptionError
from muonscope.simulation.cabling import channel_of_cells
from muonscope.simulation.faults import Fault, parse_fault
from muonscope.simulation.profiles import PROFILES, Profile, profile_named
from muonscope.units import ORBITS_PER_COUNTER, seconds

__all__ = ["SCHEME", "Simulation", "detector_of", "simulation_of", "split_url"]

SCHEME = "sim:"
"""How the URL of a simulation begins."""

RATE_SCALES = (1e-3, 1e4)
"""Least and greatest scale of all rates."""

SECONDS = "60"
"""How long a simulation is if nothing else is said, s."""

_KEYS = ("seconds", "words", "seed", "rate-scale", "fault", "cabling", "start-orbit")

_SEVERAL = {"fault", "cabling"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """A simulation to be made, checked."""

    detector: Detector
    profile: Profile
    seconds: float = math.inf
    """Detector time, greater than 0; infinite without an end."""
    words: int | None = None
    """End after exactly so many words, if that comes first."""
    seed: int = 1
    """0 or more."""
    rate_scale: float = 1.0
    """Times the profile's rates of muons and noise, 0.001 .. 10,000."""
    faults: tuple[Fault, ...] = ()
    cabling: tuple[str, ...] = ()
    """Cables that are exchanged, see :mod:`muonscope.simulation.cabling`."""
    start_orbit: int | None = None
    """Orbit counter at the start, 0 .. 2^32 - 1; default: that of the profile."""

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        channel_of_cells(self.cabling, self.detector)
        low, high = RATE_SCALES
        last = ORBITS_PER_COUNTER - 1
        self._check("seconds", Real, lambda value: value > 0, "a number greater than 0")
        self._check("words", Integral, lambda value: value > 0, "1 or more", optional=True)
        self._check("seed", Integral, lambda value: 0 <= value < 2**64, "0 .. 2^64 - 1")
        self._check("rate_scale", Real, lambda value: low <= value <= high, f"{low:g} .. {high:g}")
        self._check(
            "start_orbit", Integral, lambda value: 0 <= value <= last, f"0 .. {last}", optional=True
        )

    def _check(
        self,
        name: str,
        kind: type,
        good: Callable[[Any], bool],
        allowed: str,
        *,
        optional: bool = False,
    ) -> None:
        value = getattr(self, name)
        if optional and value is None:
            return
        if not isinstance(value, kind) or isinstance(value, bool) or not good(value):
            text = repr(value) if isinstance(value, str) else str(value)
            raise OptionError(f"{name.replace('_', ' ')}: found {text}, expected {allowed}")
        plain: Callable[[Any], float] = float if kind is Real else int
        object.__setattr__(self, name, plain(value))

    @property
    def first_orbit(self) -> int:
        """What the orbit counter begins with."""
        return self.profile.daq.start_orbit if self.start_orbit is None else self.start_orbit


def split_url(url: str) -> tuple[str, dict[str, list[str]]]:
    """Return the profile's name and the options of ``sim:PROFILE?KEY=VALUE&...``.

    Raises
    ------
    OptionError
        If a key is unknown; the message lists those that there are.

    Examples
    --------
    >>> split_url("sim:quiet?seconds=5&fault=dead:ch0:1&fault=gas")
    ('quiet', {'seconds': ['5'], 'fault': ['dead:ch0:1', 'gas']})
    """
    path, _, query = url.removeprefix(SCHEME).partition("?")
    options: dict[str, list[str]] = {}
    for key, value in parse_qsl(query, keep_blank_values=True):
        name = key.replace("_", "-")
        if name not in _KEYS:
            raise OptionError(f"{url}: unknown option {key!r}; there are {', '.join(_KEYS)}")
        options.setdefault(name, []).append(value)
    for name, values in options.items():
        if len(values) > 1 and name not in _SEVERAL:
            raise OptionError(f"{url}: {name} is given {len(values)} times, expected once")
    return path.strip("/") or next(iter(PROFILES)), options


def detector_of(profile: str) -> Detector:
    """Return the shipped detector that a profile belongs to.

    Raises
    ------
    OptionError
        If there is no such profile.
    """
    return shipped_detector(profile_named(profile).detector)


def simulation_of(
    profile: str, options: Mapping[str, Sequence[str]], detector: Detector
) -> Simulation:
    """Return the simulation that options, as they were written, ask for.

    Raises
    ------
    OptionError
        If one makes no sense.
    """
    given = {name: values[-1] for name, values in options.items()}
    endless = "words" in given
    length = given.get("seconds", "inf" if endless else SECONDS)
    return Simulation(
        detector=detector,
        profile=profile_named(profile),
        seconds=math.inf if length == "inf" else seconds(length, "seconds"),
        words=_whole("words", given["words"]) if "words" in given else None,
        seed=_whole("seed", given.get("seed", "1")),
        rate_scale=_number("rate scale", given.get("rate-scale", "1")),
        faults=tuple(parse_fault(spec, detector) for spec in options.get("fault", ())),
        cabling=tuple(options.get("cabling", ())),
        start_orbit=_whole("start orbit", given["start-orbit"]) if "start-orbit" in given else None,
    )


def _whole(name: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 25):
        raise OptionError(f"{name}: found {text!r}, expected a whole number")
    return int(text)


def _number(name: str, text: str) -> float:
    if not re.fullmatch(r"-?([0-9]+\.?[0-9]*|\.[0-9]+)(e[-+]?[0-9]+)?", text):
        raise OptionError(f"{name}: found {text!r}, expected a number")
    return float(text)
