"""A reference as a file: what a run's verdicts compare with, for the next one, and after a stop."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import msgspec
import numpy as np

from muonscope.detector import Detector
from muonscope.errors import FormatError
from muonscope.quality.reference import Reference, flat_reference
from muonscope.quality.track_reference import TrackReference

__all__ = ["parse_reference", "reference_bytes"]

_FORMAT = "muonscope.reference/1"
_APART = {"detector", "tracks"}


def reference_bytes(reference: Reference) -> bytes:
    """Return a reference as JSON."""
    told = _values(reference)
    tracks = reference.tracks and _values(reference.tracks)
    detector = {"name": reference.detector.name, "hash": reference.detector.fingerprint}
    return msgspec.json.encode(
        {"format": _FORMAT, "detector": detector, "reference": told, "tracks": tracks}
    )


def parse_reference(data: bytes, detector: Detector, where: str) -> Reference:
    """Return the reference that :func:`reference_bytes` gave as ``data``.

    Raises
    ------
    FormatError
        If it is damaged, or of another detector.
    """
    try:
        found = msgspec.json.decode(data)
        if found["format"] != _FORMAT or found["detector"]["hash"] != detector.fingerprint:
            raise FormatError(
                f"{where}: found a reference of detector {found['detector']['hash']},"
                f" expected {detector.fingerprint}"
            )
        tracks = found["tracks"] and TrackReference(**_made(TrackReference, found["tracks"]))
        told = _made(Reference, found["reference"])
        made = Reference(detector=detector, tracks=tracks, **told)
    except (KeyError, TypeError, ValueError, msgspec.MsgspecError) as exc:
        raise FormatError(f"{where}: is no reference: {exc}") from exc
    flat = flat_reference(detector)
    for name in told:
        here, there = np.shape(getattr(made, name)), np.shape(getattr(flat, name))
        if here != there:
            raise FormatError(f"{where}: {name}: found shape {here}, expected {there}")
    return made


def _values(some: Any) -> dict[str, Any]:
    told = {f.name: getattr(some, f.name) for f in fields(some) if f.name not in _APART}
    return {
        name: value.tolist() if isinstance(value, np.ndarray | np.generic) else value
        for name, value in told.items()
    }


def _made(kind: type, told: Mapping[str, Any]) -> dict[str, Any]:
    return {
        f.name: np.array(told[f.name]) if isinstance(told[f.name], list) else told[f.name]
        for f in fields(kind)
        if f.name in told
    }
