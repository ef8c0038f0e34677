"""The documents of archived runs: what there is, what each run is, and what people say of it."""

from msgspec import Struct

from muonscope.archiving.notes import Note

__all__ = ["NewNote", "NewSignature", "RunDetail", "RunRow", "Runs"]


class RunRow(Struct, frozen=True, kw_only=True):
    """An archived run in short."""

    run: str
    key: str
    """Its name as it stands in paths, below ``runs/`` and ``run/``."""
    detector: str
    conditions: dict[str, str]
    begun_at: str
    last_at: str
    """When its first and its newest window came."""
    ended: bool
    windows: int
    live_s: float
    hits: int
    good: float | None
    """Part of its windows after which the telescope was judged to be good."""
    worst: str
    """The worst state of the telescope."""
    signed_by: str
    """Who signed last which windows are good; empty if nobody did."""
    notes: int


class Runs(Struct, frozen=True, kw_only=True):
    """The runs of an archive, the newest first."""

    archive: str
    runs: list[RunRow]
    damaged: list[str]
    """What cannot be read, in words."""


class RunChange(Struct, frozen=True, kw_only=True):
    """A verdict that changed."""

    epoch: int
    window: int
    run_s: float
    at: str | None
    check: str
    target: str
    before: str
    state: str
    text: str
    known: str


class GoodRange(Struct, frozen=True, kw_only=True):
    """Good windows that follow one another."""

    epoch: int
    first: int
    last: int


class RunSignature(Struct, frozen=True, kw_only=True):
    """Which windows are good, as proposed, or as somebody signed it."""

    who: str
    """Empty in a proposal."""
    at: str | None
    note: str
    windows: int
    good: list[GoodRange]


class RunDetail(Struct, frozen=True, kw_only=True):
    """An archived run."""

    row: RunRow
    states: dict[str, int]
    """Windows by the state of the telescope."""
    changes: list[RunChange]
    notes: list[Note]
    proposal: RunSignature
    signatures: list[RunSignature]
    """The newest last."""


class NewNote(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A note to be added to a run."""

    who: str
    text: str
    epoch: int | None = None
    window: int | None = None
    check: str = ""
    target: str = ""
    plot: str = ""
    view: str = ""


class NewSignature(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A signature to be added to a run."""

    who: str
    note: str = ""
    also: list[str] = []
    """Windows that are good all the same, such as ``955-1200``."""
    but: list[str] = []
    """Windows that are not."""
