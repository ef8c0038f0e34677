"""The documents of verdicts, as pages and scripts get them."""

from typing import Annotated, Literal, get_args

from msgspec import Meta, Struct

__all__ = [
    "VERDICTS", "Acknowledged", "Acknowledgement", "Band", "ChamberVerdict", "Happening",
    "HappeningKind", "Happenings", "Problem", "Problems", "Turn", "Verdict", "VerdictChange",
    "VerdictState", "Verdicts",
]  # fmt: skip

VerdictState = Literal["GOOD", "NOT ENOUGH YET", "WARN", "BAD", "NO DATA"]
VERDICTS: tuple[VerdictState, ...] = get_args(VerdictState)

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


_Text = Annotated[str, Meta(min_length=1, max_length=300)]


class Acknowledgement(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody has seen a problem; an acknowledgement that is sent."""

    check: _Text
    target: _Text
    name: Annotated[str, Meta(min_length=1, max_length=80, description="Who has seen it.")]
    note: Annotated[str, Meta(max_length=500, description="What is done about it.")] = ""


class Acknowledged(Struct, frozen=True, kw_only=True):
    """Who has seen a problem, and what is done about it."""

    name: str
    note: str
    at: Annotated[str, Meta(description="By the wall clock.")]


class Problem(Verdict, frozen=True, kw_only=True):
    """A verdict that is not good."""

    acknowledged: Annotated[
        Acknowledged | None, Meta(description="Null until somebody has seen it, or it got worse.")
    ]


class Band(Struct, frozen=True, kw_only=True):
    """A rate that is expected, Hz, with its limits for an average over ten seconds."""

    low: float
    usual: float
    high: float


class ChamberVerdict(Struct, frozen=True, kw_only=True):
    """A chamber at a glance."""

    state: Annotated[
        VerdictState, Meta(description="The worst of the chamber, its cells and its FPGA.")
    ]
    problems: Annotated[Count, Meta(description="Those that are not known.")]
    dead: Annotated[Count, Meta(description="Dead cells.")]
    noisy: Annotated[Count, Meta(description="Cells with more hits than expected.")]
    band: Annotated[Band | None, Meta(description="Of its hits; null without a reference.")]


class Turn(Struct, frozen=True, kw_only=True):
    """A moment in which a verdict became another one."""

    check: Annotated[str, Meta(description="Empty for the telescope as a whole.")]
    target: str
    state: VerdictState
    since_s: Annotated[float, Meta(description="Time in the run, s.")]
    since_at: Annotated[str | None, Meta(description="The same by the wall clock.")]


class Problems(Struct, frozen=True, kw_only=True):
    """What is wrong with the run, and since when."""

    run: str
    state: VerdictState
    reason: Annotated[str, Meta(description="The first reason, for people.")]
    profile: Annotated[str, Meta(description="Name of the thresholds.")]
    reference: Annotated[str | None, Meta(description="What the run is compared with.")]
    not_judged: Annotated[list[str], Meta(description="Checks that need a reference.")]
    problems: Annotated[list[Problem], Meta(description="The worst first; known ones last.")]
    more: Annotated[Count, Meta(description="Problems that the list does not have room for.")]
    chambers: list[ChamberVerdict]
    total: Annotated[Band | None, Meta(description="Of the hits of all chambers.")]
    turns: Annotated[list[Turn], Meta(description="The last 400, oldest first.")]


HappeningKind = Literal["run", "epoch", "hole", "reset", "note", "end", "seen", "verdict"]


class Happening(Struct, frozen=True, kw_only=True):
    """Something that happened."""

    at: Annotated[str, Meta(description="By the wall clock.")]
    run: str
    run_s: Annotated[float | None, Meta(description="Time in the run, s; null if not known.")]
    kind: HappeningKind
    text: Annotated[str, Meta(description="What it was, for people.")]


class Happenings(Struct, frozen=True, kw_only=True):
    """What happened to the runs that were shown."""

    events: Annotated[list[Happening], Meta(description="Oldest first.")]
