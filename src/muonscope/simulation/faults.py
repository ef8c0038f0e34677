"""Faults of a simulated telescope: named, with a start and an end.

A fault is written ``NAME[:TARGET][:VALUE][@START-END]``, with the times in detector time
since the start of the run: ``noisy:ch0:61:500@20s-40s``. Without ``@`` it lasts for the
whole run, and either time may be left out. Pure.
"""

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from muonscope.detector import Detector
from muonscope.errors import OptionError
from muonscope.units import seconds

__all__ = ["FAULT_KINDS", "Fault", "FaultKind", "parse_fault"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultKind:
    """One kind of fault: what it needs, and the range of its value."""

    name: str
    target: str
    """``channel``, ``chamber``, ``fpga`` or nothing."""
    value: str = ""
    """What the value is called; nothing if there is none."""
    default: float = 0.0
    low: float = 0.0
    high: float = 0.0
    whole: bool = False
    """Whether the value is a whole number."""

    @property
    def form(self) -> str:
        """How it is written."""
        target = {"channel": ":chN:CHANNEL", "chamber": ":chN", "fpga": ":fpgaN", "": ""}
        value = f"[:{self.value}={self.default:g}]" if self.value else ""
        return f"{self.name}{target[self.target]}{value}"


FAULT_KINDS = {
    kind.name: kind
    for kind in (
        # no hits of a channel; more noise of a channel
        FaultKind(name="dead", target="channel"),
        FaultKind(
            name="noisy", target="channel", value="HZ", default=200.0, low=1e-3, high=1e5
        ),
        # no high voltage; only that part of the hits is seen
        FaultKind(name="hv-off", target="chamber"),
        FaultKind(name="low-gain", target="chamber", value="SHARE", default=0.5, high=1.0),
        # the drift velocity in all chambers; hits of a chamber come later
        FaultKind(name="gas", target="", value="UM_PER_NS", default=50.0, low=20.0, high=100.0),
        FaultKind(
            name="shift", target="chamber", value="NS", default=20.0, low=-10_000.0, high=10_000.0
        ),
        FaultKind(name="dead-scintillator", target=""),
        # an FPGA that writes nothing, or whose orbit counter is ahead
        FaultKind(name="silent", target="fpga"),
        FaultKind(
            name="desync", target="fpga", value="ORBITS", default=100.0, low=-1e6, high=1e6,
            whole=True,
        ),
        # groups of words that come twice; words of which one to three bits flip
        FaultKind(name="duplicate", target="", value="SHARE", default=0.01, low=1e-9, high=1.0),
        FaultKind(name="corrupt", target="", value="SHARE", default=0.01, low=1e-9, high=1.0),
        # so many times the noise on all channels
        FaultKind(name="burst", target="", value="FACTOR", default=10.0, low=1.0, high=100.0),
    )
}  # fmt: skip
"""The kinds of faults by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault, checked against its detector."""

    kind: str
    chamber: int | None = None
    cell: int | None = None
    """Number of the cell among all cells of the detector."""
    fpga: int | None = None
    value: float = 0.0
    start_s: float = 0.0
    end_s: float = float("inf")
    spec: str = ""
    """As it was written."""

    def active(self, ns: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
        """Tell for times since the start of the run, ns, whether the fault is there."""
        return (ns >= self.start_s * 1e9) & (ns < self.end_s * 1e9)

    def overlap_s(self, start_s: float, end_s: float) -> tuple[float, float]:
        """Return the part of an interval in which the fault is there; may be empty."""
        first = max(start_s, self.start_s)
        return first, max(first, min(end_s, self.end_s))


def parse_fault(spec: str, detector: Detector) -> Fault:
    """Return the fault that ``spec`` names.

    Raises
    ------
    OptionError
        If there is no such fault, chamber, channel or FPGA, or a value or time makes no
        sense; the message says what there is.

    Examples
    --------
    >>> from muonscope.detector import shipped_detector
    >>> fault = parse_fault("noisy:ch0:61@20s-40s", shipped_detector())
    >>> fault.kind, fault.cell, fault.value, fault.start_s, fault.end_s
    ('noisy', 61, 200.0, 20.0, 40.0)
    """
    what, at, when = spec.partition("@")
    name, *parts = what.split(":")
    if name not in FAULT_KINDS:
        allowed = ", ".join(f"{kind.form}" for kind in FAULT_KINDS.values())
        raise OptionError(f"fault {spec!r}: unknown {name!r}; there are {allowed}")
    kind = FAULT_KINDS[name]
    chamber, cell, fpga = None, None, None
    if kind.target in {"chamber", "channel"}:
        chamber = _number(spec, kind, parts, "ch", range(detector.n_chambers))
    if kind.target == "channel":
        assert chamber is not None
        cell = _cell(spec, kind, parts, detector, chamber)
    if kind.target == "fpga":
        fpga = _number(spec, kind, parts, "fpga", detector.fpgas)
    value = _value(spec, kind, parts)
    start_s, end_s = _interval(spec, when) if at else (0.0, float("inf"))
    return Fault(
        kind=name, chamber=chamber, cell=cell, fpga=fpga, value=value,
        start_s=start_s, end_s=end_s, spec=spec,
    )  # fmt: skip


def _number(
    spec: str, kind: FaultKind, parts: list[str], prefix: str, there: range | tuple[int, ...]
) -> int:
    text = parts.pop(0) if parts else ""
    match = re.fullmatch(rf"{prefix}([0-9]{{1,4}})", text)
    if not match or int(match[1]) not in there:
        allowed = ", ".join(f"{prefix}{n}" for n in there)
        raise OptionError(
            f"fault {spec!r}: found {text!r} in {kind.form}, expected one of {allowed}"
        )
    return int(match[1])


def _cell(spec: str, kind: FaultKind, parts: list[str], detector: Detector, chamber: int) -> int:
    text = parts.pop(0) if parts else ""
    first, last = (
        detector.chambers[chamber].first_channel,
        detector.chambers[chamber].last_channel,
    )
    if not re.fullmatch(r"[0-9]{1,4}", text) or not first <= int(text) <= last:
        raise OptionError(
            f"fault {spec!r}: found {text!r} in {kind.form}, expected a channel of chamber"
            f" {chamber}: {first} .. {last}"
        )
    return detector.first_cell(chamber) + int(text) - first


def _value(spec: str, kind: FaultKind, parts: list[str]) -> float:
    if len(parts) > (1 if kind.value else 0):
        raise OptionError(f"fault {spec!r}: found too much, expected {kind.form}")
    if not parts:
        return kind.default
    if not re.fullmatch(r"-?([0-9]+\.?[0-9]*|\.[0-9]+)(e-?[0-9]+)?", parts[0]) or not (
        kind.low <= float(parts[0]) <= kind.high
    ):
        raise _bad_value(spec, kind, parts[0])
    value = float(parts[0])
    if kind.whole and not value.is_integer():
        raise _bad_value(spec, kind, parts[0])
    return value


def _bad_value(spec: str, kind: FaultKind, text: str) -> OptionError:
    what = "a whole number" if kind.whole else "a number"
    return OptionError(
        f"fault {spec!r}: found {kind.value} {text!r}, expected {what}"
        f" {kind.low:g} .. {kind.high:g}"
    )


def _interval(spec: str, text: str) -> tuple[float, float]:
    start, dash, end = text.partition("-")
    if not dash:
        raise OptionError(f"fault {spec!r}: found @{text}, expected @START-END, such as @20s-40s")
    start_s = seconds(start, f"fault {spec!r}", zero=True) if start else 0.0
    end_s = seconds(end, f"fault {spec!r}", zero=True) if end else float("inf")
    if end_s <= start_s:
        raise OptionError(f"fault {spec!r}: ends at {end_s:g} s, before it begins at {start_s:g} s")
    return start_s, end_s
