"""A verdict as plain fields, the same for the command line and the dashboard's API."""

from typing import Any

from muonscope.quality.advice import ADVICE
from muonscope.quality.verdict import Verdict
from muonscope.wall_time import iso

__all__ = ["verdict_fields"]


def verdict_fields(verdict: Verdict) -> dict[str, Any]:
    """Return what ``verdict`` says, by name, with what to do about it."""
    at = verdict.since_at
    return {
        "check": verdict.check, "target": verdict.target, "state": verdict.state.label,
        "text": verdict.text, "value": float(verdict.value), "expected": float(verdict.expected),
        "unit": verdict.unit, "span_s": round(verdict.span_s, 6),
        "score": round(verdict.score, 3), "since_s": round(verdict.since_s, 6),
        "since_at": None if at is None else iso(at),
        "known": verdict.known or None, "advice": ADVICE[verdict.check],
    }  # fmt: skip
