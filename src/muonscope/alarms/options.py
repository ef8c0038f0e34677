"""The options of the ``alarms`` commands."""

from dataclasses import dataclass

from muonscope.options import option

__all__ = ["AckOptions", "ListAlarmsOptions", "SilenceOptions", "TestOptions"]


def _file() -> str:
    value: str = option("", help="Routes of alarms, as TOML.", metavar="FILE")
    return value


def _who() -> str:
    value: str = option("", "--who", metavar="NAME", help="Default: your login name.")
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class TestOptions:
    """The options of testing routes."""

    file: str = _file()


@dataclass(frozen=True, slots=True, kw_only=True)
class ListAlarmsOptions:
    """The options of listing alarms."""

    file: str = _file()
    json: bool = option(False, "--json", help="Machine-readable.")


@dataclass(frozen=True, slots=True, kw_only=True)
class AckOptions:
    """The options of acknowledging an alarm."""

    file: str = _file()
    check: str = option("", help="As list shows it: cell_dead.", metavar="CHECK")
    target: str = option("", help="As list shows it: ch0:61.", metavar="TARGET")
    detector: str = option(
        "", "--detector", metavar="NAME", help="Of several detectors with such an alarm."
    )
    who: str = _who()
    note: str = option("", "--note", metavar="TEXT", help="What is done about it.")
    until: str = option(
        "", "--until", metavar="TIME", help="For how long, such as 8h; default: until it is over."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SilenceOptions:
    """The options of silencing alarms."""

    file: str = _file()
    match: tuple[str, ...] = option(
        (), "--match", metavar="NAME=PATTERN",
        help="check, target, detector, run or state, such as check=cell*; repeatable.",
    )  # fmt: skip
    until: str = option("", "--until", metavar="TIME", help="For how long, such as 2h.")
    why: str = option("", "--why", metavar="TEXT", help="Why nobody need be told.")
    who: str = _who()
