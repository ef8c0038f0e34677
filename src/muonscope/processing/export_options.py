"""The options of ``muonscope export``."""

from dataclasses import dataclass

from muonscope.options import (
    allow_duplicates_option,
    condition_option,
    detector_option,
    force_option,
    kafka_config_option,
    no_wait_option,
    option,
    sources_option,
    without_option,
)

__all__ = ["ExportOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions:
    """The options of export, as they were written."""

    sources: tuple[str, ...] = sources_option(
        "Words, as for process; or results: .jsonl, folder, kafka://."
    )
    to: str = option("", "--to", metavar="FILE", help="A .root, .json or .parquet file.")
    detector: str = detector_option()
    run: str = option("", "--run", metavar="NAME", help="The run: its name, or which to take.")
    condition: tuple[str, ...] = condition_option()
    window: str | float = option(
        "1s", "--window", metavar="TIME", help="For words: length of a window."
    )
    without: tuple[str, ...] = without_option()
    allow_duplicates: bool = allow_duplicates_option()
    force: bool = force_option()
    kafka_config: str = kafka_config_option()
    no_wait: bool = no_wait_option()
