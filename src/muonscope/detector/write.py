"""Detector descriptions as TOML text, which reads back as the same detector."""

import json

from muonscope.detector.model import Chamber, Detector, SpecialChannel

__all__ = ["detector_toml"]


def detector_toml(detector: Detector, comments: tuple[str, ...] = ()) -> str:
    """Return the description of ``detector``; ``comments`` come first.

    Examples
    --------
    >>> from muonscope.detector import parse_detector, shipped_detector
    >>> parse_detector(detector_toml(shipped_detector())) == shipped_detector()
    True
    """
    readout = detector.readout
    lines = [f"# {comment}" for comment in comments]
    lines += [
        f"name = {_text(detector.name)}",
        f"description = {_text(detector.description)}",
        "inferred = [",
        *(f"  {_text(told)}," for told in detector.inferred),
        "]",
        f"drift_velocity_um_per_ns = {_number(detector.drift_velocity_um_per_ns)}",
        *_numbers("rt_corrections_um", detector.rt_corrections_um),
        "",
        "[words]",
        f"version = {readout.version}",
        f"hit_head = {readout.hit_head}",
        f"ticks_per_bx = {readout.ticks_per_bx}",
        f"text_channel_base = {readout.text_channel_base}",
        f"text_tdc_base = {readout.text_tdc_base}",
    ]
    if readout.pins:
        lines.append(f"pins = [{', '.join(map(str, readout.pins))}]")
    for chamber in detector.chambers:
        lines += ["", "[[chamber]]", *_chamber(chamber)]
    for kind, channels in (
        ("scintillator", detector.scintillators),
        ("firmware_trigger", detector.firmware_triggers),
    ):
        for channel in channels:
            lines += ["", f"[[{kind}]]", *_special(channel)]
    return "\n".join(lines) + "\n"


def _chamber(chamber: Chamber) -> list[str]:
    recabled = ", ".join(f"{channel} = {cell}" for channel, cell in chamber.recabled)
    return [
        f"label = {_text(chamber.label)}",
        f"fpga = {chamber.fpga}",
        f"channels = [{chamber.first_channel}, {chamber.last_channel}]",
        f"view = {_text(chamber.view)}",
        *(
            f"{name} = {_number(getattr(chamber, name))}"
            for name in ("z_mm", "offset_mm", "tilt_rad", "drift_offset_ns")
        ),
        *([f"recabled = {{ {recabled} }}"] if recabled else []),
        *_numbers("layer_times_ns", chamber.layer_times_ns),
    ]


def _numbers(name: str, values: tuple[float, ...]) -> list[str]:
    return [f"{name} = [{', '.join(map(_number, values))}]"] if values else []


def _special(special: SpecialChannel) -> list[str]:
    fpga = [] if special.fpga is None else [f"fpga = {special.fpga}"]
    return [f"label = {_text(special.label)}", *fpga, f"channel = {special.channel}"]


def _text(text: str) -> str:
    """Return a basic string of TOML, whose escapes are those of JSON."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _number(value: float) -> str:
    """Return the shortest text that reads back as the same number, a float in TOML."""
    return repr(float(value))
