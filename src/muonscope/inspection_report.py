"""The report of an inspection: what was found in a recording, as values."""

from dataclasses import asdict, dataclass, field
from typing import Any

from muonscope.counting.summary import Summary
from muonscope.counting.window_spec import Note
from muonscope.detector import Detector
from muonscope.errors import MuonscopeError
from muonscope.events import Event
from muonscope.units import ORBIT_S
from muonscope.wording import describe
from muonscope.words.rejects import Rejects

__all__ = ["Epoch", "OddChannel", "OddWords", "Report"]

_HOLE_STEPS = 30


@dataclass(slots=True, kw_only=True)
class Epoch:
    """One life of the orbit counter."""

    number: int
    first_orbit: int
    last_orbit: int
    hits: int = 0
    gaps_s: list[float] = field(default_factory=list, repr=False)
    """All times longer than 1 s without any hit."""

    @property
    def span_s(self) -> float:
        """Detector time from first to last hit, s."""
        return (self.last_orbit - self.first_orbit + 1) * ORBIT_S

    @property
    def hole_s(self) -> float:
        """Time without any hit, in holes longer than 1 s and 30 mean steps."""
        step = self.span_s / max(1, self.hits)
        return sum(gap for gap in self.gaps_s if gap > _HOLE_STEPS * step)

    @property
    def live_s(self) -> float:
        """Detector time from first to last hit without holes, s."""
        return self.span_s - self.hole_s


@dataclass(frozen=True, slots=True, kw_only=True)
class OddChannel:
    """A channel that counts too much or too little."""

    kind: str
    """``noisy``, ``silent`` or ``weak``."""
    chamber: int
    fpga: int
    channel: int
    layer: int
    wire: int
    rate_hz: float
    layer_median_hz: float
    """Median of its layer; of all channels where the layer has too few hits."""


@dataclass(slots=True, kw_only=True)
class OddWords:
    """Words that should not be there."""

    kind: str
    count: int = 0
    """A repeated word is looked for within a piece of some megabytes."""
    first: list[int] = field(default_factory=list)
    """Numbers, from 0, of the first such words."""
    detail: dict[str, int] = field(default_factory=dict)
    """How many per HEAD, FPGA and channel."""


@dataclass(slots=True, kw_only=True)
class Report:
    """All that was found."""

    detector: Detector
    chosen: str
    """Why this detector."""
    streams: list[dict[str, Any]]
    """Name, format, confidence, reason, compression and bytes of each stream."""
    words_by_head: dict[int, int]
    words_by_fpga: dict[int, int]
    total: Summary
    epochs: list[Epoch]
    odd_channels: list[OddChannel]
    odd_words: list[OddWords]
    notes: list[Note]
    """Epochs, holes, lone orbits and late words, the first 100."""
    rejects: Rejects
    errors: list[MuonscopeError]
    doubts: list[Event]
    """What makes the counts doubtful, such as many unmapped words."""
    fits_better: str = ""
    """The shipped detector by whose geometry channels fire together, if it is another one."""

    @property
    def live_s(self) -> float:
        """Detector time of all epochs without holes, s."""
        return sum(epoch.live_s for epoch in self.epochs)

    def as_json(self) -> dict[str, Any]:
        """Return everything as plain values."""
        live = self.live_s or float("nan")
        hits = self.total.hits_per_chamber.tolist()
        scintillator = self.total.scintillator_words
        return {
            "detector": self.detector.name,
            "chosen": self.chosen,
            "fits_better": self.fits_better,
            "streams": self.streams,
            "words_by_head": self.words_by_head,
            "words_by_fpga": self.words_by_fpga,
            "accounting": self.total.accounting.as_dict(),
            "live_s": self.live_s,
            "epochs": [_epoch_json(epoch) for epoch in self.epochs],
            "chambers": [
                {"label": c.label, "hits": n, "rate_hz": n / live if self.live_s else None}
                for c, n in zip(self.detector.chambers, hits, strict=True)
            ],
            "scintillator": {
                "words": scintillator,
                "rate_hz": scintillator / live if self.live_s else None,
                "hits_in_its_orbits": int(self.total.scint_hits.sum()),
            },
            "odd_channels": [asdict(c) for c in self.odd_channels],
            "odd_words": [asdict(w) for w in self.odd_words],
            "notes": [asdict(n) | {"kind": n.kind.name} for n in self.notes],
            "rejects": {code.name: n for code, n in sorted(self.rejects.count.items())},
            "reject_examples": [str(reject) for reject in self.rejects.examples],
            "errors": [str(error) for error in self.errors],
            "doubts": [describe(doubt) for doubt in self.doubts],
        }


def _epoch_json(epoch: Epoch) -> dict[str, Any]:
    return {
        "number": epoch.number,
        "first_orbit": epoch.first_orbit,
        "last_orbit": epoch.last_orbit,
        "hits": epoch.hits,
        "hole_s": epoch.hole_s,
        "live_s": epoch.live_s,
    }
