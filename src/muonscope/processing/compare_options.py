"""The options of comparing: what ``muonscope compare`` and ``muonscope.compare`` take."""

from dataclasses import MISSING, dataclass

from muonscope.options import (
    allow_duplicates_option,
    detector_option,
    force_option,
    kafka_config_option,
    no_wait_option,
    option,
    without_option,
)

__all__ = ["CompareOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CompareOptions:
    """The options of comparing, as they were written."""

    source: str = option(MISSING, metavar="RUN", help="Words, results, or an archived run.")
    reference: str = option(MISSING, metavar="REFERENCE", help="A good run; auto: an archived one.")
    detector: str = detector_option("Shipped name or TOML file; default: as in results.")
    run: str = option("", "--run", metavar="NAME", help="The run: its name, or which to take.")
    reference_run: str = option(
        "", "--reference-run", metavar="NAME", help="The same of REFERENCE."
    )
    window: str | float = option(
        "1s", "--window", metavar="TIME", help="For words: length of a window."
    )
    without: tuple[str, ...] = without_option()
    scale: str = option(
        "live", "--scale", metavar="WHAT", help="Counts per live time, entries, or none."
    )
    level: float = option(
        0.01, "--level", metavar="P", help="Chance of calling equal runs different."
    )
    least_size: float = option(
        0.05, "--least-size", metavar="SIZE", help="Smaller differences are negligible."
    )
    to: str = option("", "--to", metavar="FILE", help="Also write a page with plots: .html.")
    fail_on: str = option("", "--fail-on", metavar="WHAT", help="differs: exit with 7 then.")
    json: bool = option(False, "--json", help="Machine-readable.")
    allow_duplicates: bool = allow_duplicates_option()
    force: bool = force_option()
    kafka_config: str = kafka_config_option()
    no_wait: bool = no_wait_option()
