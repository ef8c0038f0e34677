"""The options of judging: what ``muonscope judge`` and ``muonscope.judge`` take."""

from dataclasses import dataclass

from muonscope.options import (
    allow_duplicates_option,
    archive_option,
    condition_option,
    detector_option,
    kafka_config_option,
    no_wait_option,
    option,
    profile_option,
    sources_option,
    without_option,
)

__all__ = ["JudgeOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeOptions:
    """The options of judging, as they were written."""

    sources: tuple[str, ...] = sources_option(
        "Words, as for process; or results: .jsonl, folder, kafka://."
    )
    detector: str = detector_option()
    run: str = option("", "--run", metavar="NAME", help="The only run to judge.")
    condition: tuple[str, ...] = condition_option()
    window: str | float = option(
        "1s", "--window", metavar="TIME", help="For words: length of a window."
    )
    without: tuple[str, ...] = without_option()
    reference: str = option(
        "auto", "--reference", metavar="SOURCE",
        help="A good run; auto: the first ten calm minutes; none.",
    )  # fmt: skip
    profile: str = profile_option()
    archive: str = archive_option()
    compare: str = option(
        "", "--compare", metavar="FILE", help="Tell what another profile would have said."
    )
    fail_on: str = option(
        "", "--fail-on", metavar="STATE", help="Exit with 7 on warn (or worse), or on bad."
    )
    json: bool = option(False, "--json", help="Machine-readable.")
    allow_duplicates: bool = allow_duplicates_option()
    kafka_config: str = kafka_config_option()
    no_wait: bool = no_wait_option()
