"""Detector descriptions from TOML text: parsed, validated, named by their key.

Pure: takes text, gives a :class:`Detector` or a :class:`DetectorError` that names the
key, what stands there, and what was expected. The shipped setups are package data.
"""

import re
import tomllib
from collections.abc import Callable, Collection, Iterable
from importlib import resources
from typing import Any

from muonscope.detector.model import Chamber, Detector, Readout, SpecialChannel
from muonscope.errors import DetectorError

__all__ = ["parse_detector", "setup_names", "setup_text", "shipped_detector"]

_CHANNELS = 512
_PINS = 240
_LAYERS = 4
_KNOTS = 64
_FPGAS = {1: 16, 2: 8}
_HEADS = {1: 4, 2: 8}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def setup_names() -> list[str]:
    """Return the names of the shipped detectors, sorted, the default first."""
    folder = resources.files("muonscope.detector").joinpath("setups")
    names = sorted(f.name[:-5] for f in folder.iterdir() if f.name.endswith(".toml"))
    return ["legnaro", *(name for name in names if name != "legnaro")]


def setup_text(name: str) -> str:
    """Return the TOML text of a shipped detector.

    Raises
    ------
    DetectorError
        If there is no such setup; the message lists those that are.
    """
    if name not in setup_names():
        raise DetectorError(f"no detector named {name!r}; shipped are: {', '.join(setup_names())}")
    return (resources.files("muonscope.detector") / "setups" / f"{name}.toml").read_text("utf-8")


def shipped_detector(name: str = "legnaro") -> Detector:
    """Return a shipped detector by name.

    Examples
    --------
    >>> shipped_detector().n_cells
    256
    """
    return parse_detector(setup_text(name), where=f"setup {name}")


def parse_detector(text: str, *, where: str = "detector") -> Detector:
    """Parse and validate a detector description.

    Parameters
    ----------
    text
        TOML.
    where
        What to call the text in error messages: a file name, say.

    Raises
    ------
    DetectorError
        If the text is no TOML, or a key is missing, unknown, of the wrong type, out of
        range, or gives one channel two meanings or two chambers one label.
    """
    try:
        raw = tomllib.loads(text)
    except (ValueError, RecursionError) as exc:  # also numbers of 5000 digits, deep nesting
        raise DetectorError(f"{where}: not valid TOML: {exc}") from exc
    top = _Table(raw, where, "")
    readout = _readout(top.table("words"))
    chambers = tuple(
        _chamber(table, number, readout) for number, table in enumerate(top.tables("chamber"))
    )
    if not chambers:
        raise DetectorError(f"{where}: chamber: none found, expected at least one [[chamber]]")
    scintillators = tuple(_special(t, readout) for t in top.tables("scintillator"))
    triggers = tuple(_special(t, readout) for t in top.tables("firmware_trigger"))
    name = top.text("name")
    if not _NAME.fullmatch(name):
        raise top.wrong("name", name, "letters, digits, - and _, at most 64")
    detector = Detector(
        name=name,
        description=top.text("description", ""),
        readout=readout,
        chambers=chambers,
        scintillators=scintillators,
        firmware_triggers=triggers,
        drift_velocity_um_per_ns=top.number("drift_velocity_um_per_ns", 53.85, low=1, high=1000),
        rt_corrections_um=top.numbers(
            "rt_corrections_um",
            f"a list of 2 .. {_KNOTS} numbers -5000 .. 5000",
            lengths=range(2, _KNOTS + 1),
            most=5_000,
        ),
        inferred=top.texts("inferred"),
    )
    top.finish()
    _check_overlaps(detector, where)
    _check_labels(detector, where)
    return detector


def _readout(table: "_Table") -> Readout:
    version = table.integer("version", low=1, high=2)
    readout = Readout(
        version=version,
        hit_head=table.integer("hit_head", low=0, high=_HEADS[version] - 1),
        ticks_per_bx=table.integer("ticks_per_bx", 30, allowed=(30, 32)),
        text_channel_base=table.integer(
            "text_channel_base", 0 if version == 2 else 1, allowed=(0, 1)
        ),
        text_tdc_base=table.integer("text_tdc_base", 1 if version == 2 else 0, allowed=(0, 1)),
        pins=table.pins("pins"),
    )
    table.finish()
    return readout


def _chamber(table: "_Table", number: int, readout: Readout) -> Chamber:
    first, last = table.channel_range("channels")
    chamber = Chamber(
        label=table.text("label", f"chamber {number}"),
        fpga=table.integer("fpga", low=0, high=_FPGAS[readout.version] - 1),
        first_channel=first,
        last_channel=last,
        view=table.choice("view", ("phi", "theta")),
        z_mm=table.number("z_mm"),
        offset_mm=table.number("offset_mm", 0.0),
        tilt_rad=table.number("tilt_rad", 0.0, low=-1.6, high=1.6),
        drift_offset_ns=table.number("drift_offset_ns", 0.0, low=-100_000, high=100_000),
        recabled=table.recabled("recabled", first, last),
        layer_times_ns=table.numbers(
            "layer_times_ns",
            f"a list of {_LAYERS} numbers -100000 .. 100000",
            lengths=(_LAYERS,),
            most=100_000,
        ),
    )
    table.finish()
    return chamber


def _special(table: "_Table", readout: Readout) -> SpecialChannel:
    channel = table.integer("channel", low=0, high=_CHANNELS - 1)
    fpga = table.integer("fpga", -1, low=0, high=_FPGAS[readout.version] - 1)
    special = SpecialChannel(
        label=table.text("label", f"channel {channel}"),
        fpga=None if fpga < 0 else fpga,
        channel=channel,
    )
    table.finish()
    return special


def _check_overlaps(detector: Detector, where: str) -> None:
    owner: dict[tuple[int, int], str] = {}

    def claim(fpga: int, channel: int, key: str) -> None:
        taken = owner.setdefault((fpga, channel), key)
        if taken != key:
            raise DetectorError(
                f"{where}: {key}: FPGA {fpga} channel {channel} already belongs to {taken}"
            )

    for number, chamber in enumerate(detector.chambers):
        for channel in range(chamber.first_channel, chamber.last_channel + 1):
            claim(chamber.fpga, channel, f"chamber[{number}]")
    for kind, specials in (
        ("scintillator", detector.scintillators),
        ("firmware_trigger", detector.firmware_triggers),
    ):
        for index, fpga, channel in detector.special_addresses(specials):
            claim(fpga, channel, f"{kind}[{index}]")


def _check_labels(detector: Detector, where: str) -> None:
    owner: dict[str, int] = {}
    for number, chamber in enumerate(detector.chambers):
        first = owner.setdefault(chamber.label, number)
        if first != number:
            raise DetectorError(
                f"{where}: chamber[{number}].label: {chamber.label!r} is that of chamber[{first}]"
            )


_REQUIRED: Any = object()


def _shown(value: object) -> str:
    try:
        return repr(value)
    except ValueError:  # a hexadecimal number that is too long to print in decimal
        return f"a very long {type(value).__name__}"


class _Table:
    """A TOML table that remembers its path and which keys were asked for."""

    def __init__(self, raw: dict[str, Any], where: str, path: str) -> None:
        self._raw, self._where, self._path = raw, where, path
        self._asked: set[str] = set()

    def wrong(self, key: str, found: object, expected: str) -> DetectorError:
        return DetectorError(
            f"{self._where}: {self._path}{key}: found {_shown(found)}, expected {expected}"
        )

    def finish(self) -> None:
        unknown = sorted(set(self._raw) - self._asked)
        if unknown:
            raise DetectorError(
                f"{self._where}: {self._path}{unknown[0]}: unknown key;"
                f" known here: {', '.join(sorted(self._asked))}"
            )

    def table(self, key: str) -> "_Table":
        return _Table(
            self._get(key, _REQUIRED, dict, "a table"), self._where, f"{self._path}{key}."
        )

    def tables(self, key: str) -> list["_Table"]:
        found = self._get(key, [], list, f"an array of tables [[{key}]]")
        if not all(isinstance(item, dict) for item in found):
            raise self.wrong(key, found, f"an array of tables [[{key}]]")
        return [
            _Table(item, self._where, f"{self._path}{key}[{i}].") for i, item in enumerate(found)
        ]

    def text(self, key: str, default: Any = _REQUIRED) -> str:
        return str(self._get(key, default, str, "a string"))

    def texts(self, key: str) -> tuple[str, ...]:
        found = self._get(key, [], list, "a list of strings")
        if not all(isinstance(item, str) for item in found):
            raise self.wrong(key, found, "a list of strings")
        return tuple(found)

    def choice(self, key: str, allowed: Iterable[str]) -> str:
        found = self.text(key)
        if found not in allowed:
            raise self.wrong(key, found, "one of " + ", ".join(map(repr, allowed)))
        return found

    def integer(
        self,
        key: str,
        default: Any = _REQUIRED,
        *,
        low: int = 0,
        high: int = 0,
        allowed: tuple[int, ...] = (),
    ) -> int:
        expected = (
            "one of " + ", ".join(map(str, allowed)) if allowed else f"an integer {low} .. {high}"
        )
        return int(
            self._get(
                key, default, int, expected, lambda v: v in allowed if allowed else low <= v <= high
            )
        )

    def number(
        self, key: str, default: Any = _REQUIRED, *, low: float = -1e6, high: float = 1e6
    ) -> float:
        expected = f"a number {low:g} .. {high:g}"
        return float(self._get(key, default, (int, float), expected, lambda v: low <= v <= high))

    def pins(self, key: str) -> tuple[int, ...]:
        expected = f"a list of different integers 0 .. {_PINS - 1}"
        found = self._get(key, [], list, expected)
        whole = all(type(pin) is int and 0 <= pin < _PINS for pin in found)
        if not whole or len(set(found)) != len(found):
            raise self.wrong(key, found, expected)
        return tuple(found)

    def numbers(
        self, key: str, expected: str, *, lengths: Collection[int], most: float
    ) -> tuple[float, ...]:
        """Return a list of numbers, up to ``most`` on either side of zero; none: empty."""
        found = self._get(key, [], list, expected)
        numbers = all(type(value) in {int, float} and abs(value) <= most for value in found)
        if (found and len(found) not in lengths) or not numbers:
            raise self.wrong(key, found, expected)
        return tuple(map(float, found))

    def recabled(self, key: str, first: int, last: int) -> tuple[tuple[int, int], ...]:
        expected = f"a table CHANNEL = CHANNEL of the same channels {first} .. {last} on both sides"
        found = self._get(key, {}, dict, expected)
        names = {str(channel): channel for channel in range(first, last + 1)}
        if not found.keys() <= names.keys() or {*map(type, found.values())} - {int}:
            raise self.wrong(key, found, expected)
        pairs = sorted((names[name], cell) for name, cell in found.items())
        if sorted(cell for _, cell in pairs) != [channel for channel, _ in pairs]:
            raise self.wrong(key, found, expected)
        return tuple(pairs)

    def channel_range(self, key: str) -> tuple[int, int]:
        expected = f"[first, last] with 0 <= first <= last <= {_CHANNELS - 1}"
        found = self._get(key, _REQUIRED, list, expected)
        if len(found) != 2 or any(type(v) is not int for v in found):
            raise self.wrong(key, found, expected)
        first, last = found
        if not 0 <= first <= last < _CHANNELS:
            raise self.wrong(key, found, expected)
        return first, last

    def _get(
        self,
        key: str,
        default: Any,
        kind: type | tuple[type, ...],
        expected: str,
        accept: Callable[[Any], bool] = lambda _: True,
    ) -> Any:
        self._asked.add(key)
        if key not in self._raw:
            if default is _REQUIRED:
                raise DetectorError(
                    f"{self._where}: {self._path}{key}: missing, expected {expected}"
                )
            return default
        found = self._raw[key]
        if not isinstance(found, kind) or isinstance(found, bool) or not accept(found):
            raise self.wrong(key, found, expected)
        return found
