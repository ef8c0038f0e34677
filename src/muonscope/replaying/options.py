"""The options of replaying, converting and simulating, as commands and Python take them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from muonscope.errors import OptionError
from muonscope.options import (
    allow_duplicates_option,
    detector_option,
    force_option,
    kafka_config_option,
    made,
    no_wait_option,
    option,
    partitions_option,
    replication_option,
    sources_of,
    sources_option,
)

__all__ = [
    "CalibrateOptions", "ConvertOptions", "ReplayOptions", "SimulateOptions", "TracksOptions",
    "asked_in_python",
]  # fmt: skip

_DEFAULT_HZ = 1000.0
_Options = TypeVar("_Options")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayOptions:
    """The options of a replay, as they were written."""

    sources: tuple[str, ...] = sources_option()
    to: str = option("", "--to", metavar="URL", help="kafka://host:port/topic.  [required]")
    detector: str = detector_option()
    rate: float | None = option(None, "--rate", metavar="HZ", help="Words a second; default: 1000.")
    speed: float | None = option(
        None, "--speed", metavar="X", help="Speed relative to detector time (1 = real time)."
    )
    max: bool = option(False, "--max", help="As fast as possible.")
    encoding: str = option("block", "--encoding", metavar="NAME", help="block or json.")
    loop: bool = option(False, "--loop", help="Start again at the end; orbits continue.")
    keep_orbits: bool = option(
        False, "--keep-orbits", help="With --loop: repeat orbits as they are."
    )
    allow_duplicates: bool = allow_duplicates_option()
    state: str = option(
        "", "--state", metavar="DIR", help="Go on exactly where a replay was killed."
    )
    kafka_config: str = kafka_config_option()
    partitions: int | None = partitions_option()
    replication: int = replication_option()
    no_wait: bool = no_wait_option()

    @property
    def words_a_second(self) -> float | None:
        """The rate to send at; None where the detector's time, or nothing, says."""
        if self.max or self.speed is not None:
            return None
        return self.rate or _DEFAULT_HZ


@dataclass(frozen=True, slots=True, kw_only=True)
class ConvertOptions:
    """The options of a conversion, as they were written."""

    source: str = option("", help="File, folder, glob, URL or -.", metavar="SOURCE")
    dest: str = option("", help="File, kafka://, or -.", metavar="DEST")
    format: str = option(
        "", "--format", "-f", metavar="FORMAT",
        help="csv, json, dat, block or parquet; default: by the ending of DEST.",
    )  # fmt: skip
    detector: str = detector_option()
    good: str = option(
        "", "--good", metavar="FILE", help="Only words of windows in this good-run list."
    )
    run: str = option("", "--run", metavar="NAME", help="With --good: the run in the list.")
    window: str | float = option(
        "1s", "--window", metavar="TIME", help="With --good: length of its windows."
    )
    allow_duplicates: bool = allow_duplicates_option()
    force: bool = force_option()
    kafka_config: str = kafka_config_option()
    partitions: int | None = partitions_option()


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulateOptions:
    """The options of a simulation that is written, as they were written."""

    dest: str = option("", help="", metavar="DEST")
    profile: str = option(
        "legnaro", "--profile", metavar="NAME", help="legnaro, bologna, quiet, ..."
    )
    detector: str = detector_option("Default: the profile's.")
    seconds: str = option(
        "", "--seconds", metavar="TIME",
        help="Detector time; default: 60s, paced: no end.",
    )  # fmt: skip
    words: str = option("", "--words", metavar="N", help="End after exactly N words.")
    seed: str = option("1", "--seed", metavar="N", help="The same seed gives the same words.")
    rate_scale: str = option("1", "--rate-scale", metavar="X", help="Factor on all rates.")
    fault: tuple[str, ...] = option(
        (), "--fault", metavar="SPEC", help="NAME[:TARGET][:VALUE][@START-END]; repeatable."
    )
    cabling: tuple[str, ...] = option(
        (), "--cabling", metavar="SPEC", help="Exchanged cables, such as ch0=ch3; repeatable."
    )
    start_orbit: str = option("", "--start-orbit", metavar="N", help="First orbit.")
    truth: str = option(
        "", "--truth", metavar="FILE", help="Write what really happened, as .parquet."
    )
    format: str = option("", "--format", "-f", metavar="FORMAT", help="As convert, and dat129.")
    realtime: bool = option(False, "--realtime", help="Write at the pace of a DAQ.")
    speed: float | None = option(None, "--speed", metavar="X", help="The same, X times as fast.")
    force: bool = force_option()
    kafka_config: str = kafka_config_option()
    partitions: int | None = partitions_option()

    @property
    def pace(self) -> float | None:
        """Speed relative to detector time; None: as fast as possible."""
        return 1.0 if self.realtime and self.speed is None else self.speed

    @property
    def given(self) -> Mapping[str, Sequence[str]]:
        """What to simulate, by the names that options have in ``sim:`` URLs, too."""
        told = {
            "seconds": (self.seconds,), "words": (self.words,), "seed": (self.seed,),
            "rate-scale": (self.rate_scale,), "fault": self.fault,
            "cabling": self.cabling, "start-orbit": (self.start_orbit,),
        }  # fmt: skip
        return {name: values for name, values in told.items() if values and values != ("",)}


@dataclass(frozen=True, slots=True, kw_only=True)
class TracksOptions:
    """The options of reconstruction, as they were written."""

    sources: tuple[str, ...] = sources_option()
    to: str = option(
        "-", "--to", metavar="DEST", help="A .parquet, .root or .jsonl file, or - for lines."
    )
    truth: str = option(
        "", "--truth", metavar="FILE", help="Truth of a simulated file: adds its muon to each row."
    )
    detector: str = detector_option()
    allow_duplicates: bool = allow_duplicates_option()
    force: bool = force_option()
    kafka_config: str = kafka_config_option()


@dataclass(frozen=True, slots=True, kw_only=True)
class CalibrateOptions:
    """The options of calibration, as they were written."""

    sources: tuple[str, ...] = sources_option()
    to: str = option("", "--to", metavar="FILE", help="A detector file, .toml, with the constants.")
    detector: str = detector_option()
    allow_duplicates: bool = allow_duplicates_option()
    force: bool = force_option()
    kafka_config: str = kafka_config_option()


def asked_in_python(
    kind: type[_Options], source: Any, options: Mapping[str, Any], *, what: str
) -> _Options:
    """Return the options of a function that returns ``what`` a command would write.

    Raises
    ------
    OptionError
        If there is no such option, or it is one of the command alone.
    """
    for name in ("to", "force"):
        if name in options:
            raise OptionError(f"{name}: is for the command; the {what} are returned")
    return made(kind, {"sources": sources_of(source), **options})
