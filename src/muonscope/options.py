"""Options that are written once: a field of a dataclass, with its flag and its help.

The command line makes its flags from the fields, and Python takes the same dataclass; both
have the same defaults and the same names.
"""

import os
from collections.abc import Sequence
from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, TypeVar

from muonscope.errors import OptionError

__all__ = [
    "Option",
    "allow_duplicates_option",
    "archive_option",
    "condition_option",
    "detector_option",
    "force_option",
    "kafka_config_option",
    "made",
    "no_wait_option",
    "option",
    "option_of",
    "partitions_option",
    "profile_option",
    "replication_option",
    "sources_of",
    "sources_option",
    "without_option",
]

_Options = TypeVar("_Options")
_KEY = "option"


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """The flag of an option, and what people read of it."""

    flags: tuple[str, ...]
    """As ``--detector`` and ``-d``; none for an argument that stands alone."""
    help: str
    """Text for people; an argument without one is told by the command's own text."""
    metavar: str = ""
    shows_default: bool = True
    bounds: tuple[int, int] | None = None
    """Least and greatest value of a whole number."""


def option(
    default: Any,
    *flags: str,
    help: str,  # noqa: A002 as everybody calls it
    metavar: str = "",
    shows_default: bool = True,
    bounds: tuple[int, int] | None = None,
) -> Any:
    """Return a field of a dataclass that is an option."""
    told = Option(
        flags=flags, help=help, metavar=metavar, shows_default=shows_default, bounds=bounds
    )
    return field(default=default, metadata={_KEY: told})


def option_of(item: "Field[Any]") -> Option | None:
    """Return what was told of a field; None if it is no option."""
    told: Option | None = item.metadata.get(_KEY)
    return told


def made(kind: type[_Options], given: dict[str, Any]) -> _Options:
    """Return the options ``kind`` from values by name; a path counts as its text.

    Raises
    ------
    OptionError
        If there is no such option, or one that is needed is missing.
    """
    known = {item.name: item for item in fields(kind) if item.init}  # type: ignore[arg-type]
    for name in given:
        if name not in known:
            raise OptionError(f"{name}: no such option; there are {', '.join(known)}")
    for name, item in known.items():
        if name not in given and item.default is MISSING and item.default_factory is MISSING:
            raise OptionError(f"{name}: is missing")
    return kind(**{n: os.fspath(v) if isinstance(v, os.PathLike) else v for n, v in given.items()})


def sources_of(source: Any) -> tuple[str, ...]:
    """Return one source, or several, as a tuple of texts."""
    if isinstance(source, Sequence) and not isinstance(source, (str, bytes)):
        return tuple(map(str, source))
    return (str(source),)


def sources_option(help: str = "File, folder, glob, s3://, kafka://, sim: or -.") -> Any:  # noqa: A002
    """Return the argument that names sources."""
    return option(MISSING, help=help, metavar="SOURCE...")


def detector_option(help: str = "Shipped name or TOML file; default: legnaro.") -> Any:  # noqa: A002
    """Return the option that names the detector."""
    return option("", "--detector", "-d", metavar="NAME|FILE", help=help)


def allow_duplicates_option() -> Any:
    """Return the option that reads words as often as files hold them."""
    return option(False, "--allow-duplicates", help="Also read files whose words others hold.")


def archive_option() -> Any:
    """Return the option that names the archive to write to."""
    return option("", "--archive", metavar="DIR", help="Archive windows and verdicts there.")


def condition_option() -> Any:
    """Return the option that names conditions of the run."""
    return option(
        (), "--condition", metavar="NAME=VALUE",
        help="Condition of the run, such as gas=ArCO2; repeatable.",
    )  # fmt: skip


def force_option() -> Any:
    """Return the option that lets a destination be overwritten."""
    return option(False, "--force", help="Overwrite DEST.")


def kafka_config_option() -> Any:
    """Return the option that names the client settings of Kafka."""
    return option(
        "", "--kafka-config", metavar="FILE", help="Kafka client settings, name = value a line."
    )


def partitions_option() -> Any:
    """Return the option for the partitions of a new topic."""
    return option(
        None, "--partitions", metavar="N", help="Partitions of a newly created topic.",
    )  # fmt: skip


def profile_option() -> Any:
    """Return the option that names the thresholds of verdicts."""
    return option("", "--profile", metavar="FILE", help="Thresholds and known problems, as TOML.")


def replication_option() -> Any:
    """Return the option for the replicas of a new topic."""
    return option(1, "--replication", metavar="N", help="Replicas of a newly created topic.")


def no_wait_option() -> Any:
    """Return the option that does not wait for brokers."""
    return option(False, "--no-wait", help="Fail at once if no broker answers.")


def without_option() -> Any:
    """Return the option that names what is not counted."""
    return option(
        (),
        "--without",
        metavar="WHAT",
        help="Leave out: tracking (most of the work).",
    )
