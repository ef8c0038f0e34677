"""Profiles of simulated telescopes and their surroundings: frozen presets by name.

Pure values. The figures and where they come from are in ``docs/explanation/simulation.md``;
the sources named below are AS (assignment of the original pipeline), GARFIELD (the drift
of the CMS cell, CMSSW ``DTTime2DriftParametrization``), SND (licia-mozzina), GP
(GiuliaPaggi), LR and HM (slides of 2019 on the 2+2 stand), CO (a published batch of 10,000
orbits at Legnaro). Lengths are mm, times ns unless the name says s or Hz.
"""

from dataclasses import dataclass, field, replace

from muonscope.errors import OptionError
from muonscope.units import DRIFT_DELAY_NS, DRIFT_LENGTH_MM, WIRE_MM

__all__ = [
    "LINEAR_CELL",
    "PROFILES",
    "REALISTIC_CELL",
    "Cell",
    "Daq",
    "HotCell",
    "MuonFlux",
    "Noise",
    "Profile",
    "ScintillatorPair",
    "Secondaries",
    "Trains",
    "Weather",
    "profile_named",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class MuonFlux:
    """The muons that come."""

    per_m2_s: float = 140.0
    """Muons through a horizontal square metre and second: closes the budget of rates at
    the surface and underground (GP against SND)."""
    partner_share: float = 0.005
    """Part of the muons that bring another one along, parallel and at the same time."""
    partner_mm: float = 300.0
    """How far it is away at most, in x and in y."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """How a drift cell answers.

    The drift time of a track at the distance r from the wire, with the angle a to the
    vertical in the measured plane, is ``r / v - d (1 - exp(-r / l))`` with ``d = delay_ns +
    delay_slope_ns (|a| / 45 deg)^2.2`` and ``l = length_mm + length_slope_mm (|a| / 45
    deg)^1.6``: a fit to GARFIELD, good to 0.2, 0.6, 1.7 and 4 ns at 0, 15, 30 and 45 deg.
    Steeper angles are taken as 45 deg, and no drift is longer than that of a vertical
    track at the edge of the gas.
    """

    velocity_um_per_ns: float = 54.2
    """Drift velocity v."""
    half_width_mm: float = 20.35
    """Half the width of the gas that a track must touch; makes the box as wide as measured."""
    gas_height_mm: float = 11.5
    """Height of the gas: a slanted track crosses a second cell of the layer in it."""
    half_length_mm: float = WIRE_MM / 2
    """Half the length of the wires."""
    delay_ns: float = DRIFT_DELAY_NS[0]
    delay_slope_ns: float = DRIFT_DELAY_NS[1]
    length_mm: float = DRIFT_LENGTH_MM[0]
    length_slope_mm: float = DRIFT_LENGTH_MM[1]
    smear_ns: float = 4.0
    """Standard deviation of the drift time: 4 for a good chamber, 6 as at Legnaro."""
    signal_mm_per_ns: float = 244.0
    """Speed of the signal along the wire."""
    efficiency: float = 0.995
    """Part of the tracks within reach of the wire that give a hit."""
    corner_efficiency: float = 0.2
    """The same for tracks that touch but a corner of the gas, most of them in the cell next
    door: with all of them the time box would end in a horn, which recorded ones do not."""
    dead_time_ns: float = 80.0
    """A channel gives nothing for so long after a hit (LR)."""


REALISTIC_CELL = Cell()
"""The cell as GARFIELD has it."""

LINEAR_CELL = Cell(
    velocity_um_per_ns=53.85, half_width_mm=21.0, gas_height_mm=0.0, delay_ns=0.0,
    delay_slope_ns=0.0,
)  # fmt: skip
"""Drift time proportional to the distance, 390 ns at the wall, one cell a layer: for exact
tests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Secondaries:
    """Secondary hits that a muon brings along in a chamber."""

    delta_share: float = 0.03
    """Part of the hits that come early, by a delta ray: uniform from 0 to the drift time."""
    afterpulse_share: float = 0.0425
    """Part of the hits that are followed by another one of the same cell; that one too.
    After the dead time 4.1 % of the hits have a second one (LR)."""
    afterpulse_ns: float = 190.0
    """Where the broad maximum of the times in between lies."""
    afterpulse_width_ns: float = 70.0
    shower_share: float = 0.044
    """Part of the muons through all chambers that shower in all of them. Half of these have
    more than ten hits in a chamber: 2.2 % (HM)."""
    half_shower_share: float = 0.024
    """The same for the lower or the upper half of the chambers, alone (HM: 3.4 % with the
    others)."""
    shower_hits: float = 10.0
    """Mean number of additional hits per chamber in a shower; its size is exponential."""
    shower_ns: float = 25.0
    """Mean of their drift times, which are exponential, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HotCell:
    """A cell with much more noise than the others."""

    chamber: int
    pin: int
    """Channel, counted from the first of the chamber."""
    hz: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """Hits without a muon."""

    hz: float = 3.6
    """Of each channel: the rate underground, 3.3 to 4.1 Hz (SND)."""
    spread: float = 0.15
    """Standard deviation of the logarithm of a channel's rate."""
    hot_share: float = 0.02
    """Part of the channels that are warm, the same ones in all runs of a profile."""
    hot_hz: float = 20.0
    chamber_hz: tuple[float, ...] = ()
    """More for each channel of chambers 0, 1, ..."""
    hot_cells: tuple[HotCell, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Trains:
    """Trains of pulses of one wire.

    Recorded hits of a cell scatter by up to 115 times Poisson's variance in windows of a second,
    one cell in ten by 12 or more, while occupied milliseconds scatter by 0.95 to 2.1 times; so
    pulses of a train follow each other within a millisecond.
    """

    share: float = 0.0
    """Part of the noise hits that begin a train, in the median cell."""
    spread: float = 2.2
    """Standard deviation of the logarithm of that part among cells."""
    pulses: float = 15.0
    """Mean number of pulses that follow the first."""
    gap_us: float = 25.0
    """Mean time between them, us."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """Pressure and temperature that wander, and what follows from them.

    The flux of muons falls with the pressure (barometric effect). Noise and drift velocity
    follow the density of the gas; how much is an assumption of plausible size.
    """

    pressure_hpa: float = 0.0
    """Standard deviation of the pressure."""
    temperature_k: float = 0.0
    """Standard deviation of the temperature."""
    flux_per_hpa: float = -0.0015
    noise_per_density: float = -2.0
    """Relative change of the noise by that of the density."""
    velocity_per_density: float = -0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class ScintillatorPair:
    """Two square planes, one below and one above the chambers, in coincidence."""

    side_mm: float = 489.0
    below_mm: float = 70.0
    """Distance of the lower plane from the lowest chamber."""
    above_mm: float = 80.0
    """Distance of the upper plane from the highest chamber."""
    jitter_ns: float = 5.0
    delay_ns: float = 95.0
    """Of the coincidence after the muon; the detector's drift offsets are to undo it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Daq:
    """How signals become a stream of words."""

    start_orbit: int = 0
    """What the orbit counter begins with."""
    stale_words: int = 0
    """Words of another run that stand at the start."""
    stale_orbit: int = 0
    """What the counter stood at, about, when those were written."""
    jitter_bx: int = 16
    """How far hits of one orbit are out of order."""
    trigger_share: tuple[float, ...] = ()
    """Part of the muons with three layers in a macrocell for which the FPGA writes ancillary
    words, by FPGA in ascending order."""
    trigger_lead_s: tuple[float, ...] = ()
    """How far ancillary words run ahead of the hits, by FPGA."""
    trigger_word_share: float = 0.0
    """Part of those with four layers that also give a firmware trigger among the hits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A site: its muons and its telescope."""

    name: str
    description: str
    detector: str
    """The shipped detector that it belongs to."""
    muons: MuonFlux = field(default_factory=MuonFlux)
    cell: Cell = REALISTIC_CELL
    secondaries: Secondaries = field(default_factory=Secondaries)
    noise: Noise = field(default_factory=Noise)
    trains: Trains = field(default_factory=Trains)
    weather: Weather = field(default_factory=Weather)
    scintillator: ScintillatorPair = field(default_factory=ScintillatorPair)
    daq: Daq = field(default_factory=Daq)


_LEGNARO_DAQ = Daq(
    start_orbit=616_953,  # the counter of the recorded sample, and what it was before
    stale_words=328,
    stale_orbit=3_387_200_947,
    trigger_share=(0.42, 0.17),
    trigger_lead_s=(12.33, 10.2),
    trigger_word_share=0.25,
)

_LEGNARO = Profile(
    name="legnaro",
    description="the stream data set of the original pipeline, hot cells and all",
    detector="legnaro",
    cell=replace(REALISTIC_CELL, smear_ns=6.0),
    noise=Noise(
        hz=2.9,
        chamber_hz=(0.0, 6.3),
        hot_cells=(HotCell(chamber=0, pin=61, hz=240.0), HotCell(chamber=2, pin=0, hz=85.0)),
    ),
    scintillator=ScintillatorPair(jitter_ns=8.0),
    daq=_LEGNARO_DAQ,
)

_BOLOGNA = Profile(
    name="bologna",
    description="two chambers between big scintillator planes",
    detector="bologna2",
    secondaries=Secondaries(shower_share=0.045, half_shower_share=0.0),
    noise=Noise(hz=3.35),
    scintillator=ScintillatorPair(side_mm=1230.0, below_mm=240.0, above_mm=240.0, delay_ns=223.0),
)

_QUIET = Profile(
    name="quiet",
    description="a telescope without hot cells, showers or another run's words",
    detector="legnaro",
    secondaries=Secondaries(shower_share=0.0, half_shower_share=0.0),
    noise=Noise(hot_share=0.0),
    daq=replace(_LEGNARO_DAQ, stale_words=0),
)

_TRAINS = replace(
    _LEGNARO,
    name="trains",
    description="Legnaro with trains of pulses, and a pressure and temperature that wander",
    trains=Trains(share=0.002),
    weather=Weather(pressure_hpa=8.0, temperature_k=2.0),
)

_DATA000 = replace(
    _LEGNARO,
    name="data000",
    description="Legnaro with the shares of hits of the file data_000000: 17, 36, 25 and 22 %",
    noise=Noise(
        hz=2.9,
        chamber_hz=(0.0, 8.6, 2.3, 2.3),
        hot_cells=(HotCell(chamber=2, pin=0, hz=85.0),),
    ),
)

PROFILES = {profile.name: profile for profile in (_LEGNARO, _BOLOGNA, _QUIET, _TRAINS, _DATA000)}
"""The profiles by name, the default first."""


def profile_named(name: str) -> Profile:
    """Return a profile.

    Raises
    ------
    OptionError
        If there is none of that name; the message lists those that there are.
    """
    if name not in PROFILES:
        raise OptionError(f"profile: found {name!r}, expected one of {', '.join(PROFILES)}")
    return PROFILES[name]
