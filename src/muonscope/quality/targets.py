"""The targets of verdicts: which chambers they are, or belong to."""

from muonscope.detector import Detector

__all__ = ["chambers_of"]


def chambers_of(target: str, detector: Detector) -> set[int]:
    """Return the chambers that a target is, is a part of, or that it feeds.

    Examples
    --------
    >>> from muonscope.detector import shipped_detector
    >>> legnaro = shipped_detector("legnaro")
    >>> [sorted(chambers_of(t, legnaro)) for t in ("ch2:61", "ch0-ch2", "fpga1", "late")]
    [[2], [0, 2], [2, 3], []]
    """
    if target.startswith("fpga"):
        return {c for c, ch in enumerate(detector.chambers) if target == f"fpga{ch.fpga}"}
    parts = target.partition(":")[0].split("-")
    return {int(part[2:]) for part in parts if part.startswith("ch") and part[2:].isdecimal()}
