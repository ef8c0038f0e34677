"""The options of commands that have no counterpart in Python."""

from dataclasses import dataclass

from muonscope.options import (
    allow_duplicates_option,
    detector_option,
    kafka_config_option,
    no_wait_option,
    option,
    sources_option,
)

__all__ = ["CheckOptions", "InspectOptions", "ListOptions", "ShowOptions", "TopicsOptions"]


def _json() -> bool:
    value: bool = option(False, "--json", help="Machine-readable.")
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class InspectOptions:
    """The options of an inspection."""

    sources: tuple[str, ...] = sources_option()
    detector: str = detector_option("Default: the shipped one that fits best.")
    allow_duplicates: bool = allow_duplicates_option()
    json: bool = _json()
    kafka_config: str = kafka_config_option()


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicsOptions:
    """The options of a look at topics."""

    url: str = option("", help="kafka://host:port; with /topic, that one.", metavar="URL")
    json: bool = _json()
    kafka_config: str = kafka_config_option()
    no_wait: bool = no_wait_option()


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOptions:
    """No options."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowOptions:
    """The options of showing a detector."""

    name: str = option("", help="Name of a shipped detector.", metavar="NAME")


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckOptions:
    """The options of checking a detector."""

    file: str = option("", help="TOML file.", metavar="FILE")
