"""A simulation as whole arrays, for tests."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from muonscope.detector import Detector, shipped_detector
from muonscope.simulation.faults import parse_fault
from muonscope.simulation.options import Simulation
from muonscope.simulation.profiles import PROFILES, Profile
from muonscope.simulation.signals import Origin
from muonscope.simulation.telescope import MuonTruth, simulate
from muonscope.words.layout import Fields, Words, unpack

__all__ = ["Run", "simulated_run"]


@dataclass(frozen=True)
class Run:
    """All of a simulation."""

    detector: Detector
    words: Words
    fields: Fields
    seconds: npt.NDArray[np.float64]
    address: npt.NDArray[np.int64]
    origin: npt.NDArray[np.int8]
    side: npt.NDArray[np.int8]
    drift_mm: npt.NDArray[np.float32]
    muon: npt.NDArray[np.int64]
    muons: MuonTruth
    length_s: float

    @property
    def is_hit(self) -> npt.NDArray[np.bool_]:
        """Which words are hits of cells of this run."""
        of_cells: npt.NDArray[np.bool_] = self.address < self.detector.n_cells
        mine: npt.NDArray[np.bool_] = of_cells & (self.origin != Origin.STALE)
        return mine

    @property
    def ticks(self) -> npt.NDArray[np.int64]:
        """Time of hit words since orbit 0, ticks."""
        per_bx = self.detector.readout.ticks_per_bx
        bx = self.fields.orbit * 3564 + self.fields.bx
        return bx * per_bx + self.fields.tdc.astype(np.int64)

    def hz(self, rows: npt.NDArray[np.bool_]) -> float:
        """Return a rate."""
        return float(rows.sum()) / self.length_s


def simulated_run(
    profile: str | Profile = "quiet",
    seconds: float = 10.0,
    *,
    faults: tuple[str, ...] = (),
    detector: Detector | None = None,
    **options: Any,
) -> Run:
    """Return a run, by default of the quiet telescope."""
    profile = PROFILES[profile] if isinstance(profile, str) else profile
    detector = detector or shipped_detector(profile.detector)
    simulation = Simulation(
        detector=detector,
        profile=profile,
        seconds=seconds,
        faults=tuple(parse_fault(spec, detector) for spec in faults),
        **options,
    )
    batches = list(simulate(simulation))
    streams = [batch.stream for batch in batches]
    stream = type(streams[0]).joined(streams)
    marks = stream.whole_marks
    readout = detector.readout
    return Run(
        detector=detector,
        words=stream.words,
        fields=unpack(stream.words, readout.version, readout.hit_head),
        seconds=np.concatenate([batch.seconds for batch in batches]),
        address=marks["address"].astype(np.int64),
        origin=marks["origin"],
        side=marks["side"],
        drift_mm=marks["drift_mm"],
        muon=stream.muon,
        muons=MuonTruth.joined([batch.muons for batch in batches]),
        length_s=seconds,
    )


def with_daq(profile: str, **changes: Any) -> Profile:
    """Return a profile with another DAQ."""
    return replace(PROFILES[profile], daq=replace(PROFILES[profile].daq, **changes))
