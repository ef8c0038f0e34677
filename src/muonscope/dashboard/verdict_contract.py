"""The documents of verdicts, as pages and scripts get them."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

__all__ = ["Verdict", "VerdictChange", "VerdictState", "Verdicts"]

VerdictState = Literal["GOOD", "NOT ENOUGH YET", "WARN", "BAD", "NO DATA"]

Count = Annotated[int, Meta(ge=0)]


class Verdict(Struct, frozen=True, kw_only=True):
    """What a check says of a target."""

    check: str
    target: Annotated[str, Meta(description="telescope, fpga1, ch0, ch0-ch2, or ch0:61 (channel).")]
    state: VerdictState
    text: Annotated[str, Meta(description="What was measured, what expected, and the limit.")]
    value: float
    expected: float
    unit: str
    span_s: Annotated[float, Meta(description="Time that the value is of, s.")]
    score: Annotated[float, Meta(description="In parts of the threshold of an alarm.")]
    since_s: Annotated[float, Meta(description="Time in the run when it changed, s.")]
    since_at: Annotated[str | None, Meta(description="The same by the wall clock.")]
    known: Annotated[str | None, Meta(description="Why it does not count, where it is known.")]
    advice: Annotated[str, Meta(description="What to do.")]


class VerdictChange(Struct, frozen=True, kw_only=True):
    """A verdict that was another one than before."""

    before: VerdictState
    epoch: Count
    window: Annotated[Count, Meta(description="The window after which it changed.")]
    verdict: Verdict


class Verdicts(Struct, frozen=True, kw_only=True):
    """How good the run is."""

    run: str
    state: VerdictState
    reason: Annotated[str, Meta(description="The first reason, for people.")]
    profile: Annotated[str, Meta(description="Name of the thresholds.")]
    reference: Annotated[str | None, Meta(description="What the run is compared with.")]
    not_judged: Annotated[list[str], Meta(description="Checks that need a reference.")]
    verdicts: list[Verdict]
    changes: Annotated[list[VerdictChange], Meta(description="The last 1,000, oldest first.")]
