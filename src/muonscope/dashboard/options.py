"""The options of a dashboard: what ``muonscope dashboard`` and ``muonscope.serve`` take."""

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

__all__ = ["DashboardOptions", "DemoOptions"]


def _host() -> str:
    value: str = option("127.0.0.1", "--host", metavar="ADDRESS", help="Address to listen on.")
    return value


def _port() -> int:
    value: int = option(
        5006, "--port", metavar="PORT", bounds=(0, 65535), help="0: any that is free."
    )
    return value


def _open() -> bool:
    value: bool = option(False, "--open", help="Open it in a browser.")
    return value


def _token_file() -> str:
    value: str = option(
        "", "--token-file", metavar="FILE", help="Admit only those who know the token in it."
    )
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class DashboardOptions:
    """The options of a dashboard, as they were written."""

    sources: tuple[str, ...] = sources_option(
        "Words, as for process; or results: .jsonl, folder, kafka://."
    )
    detector: str = detector_option()
    host: str = _host()
    port: int = _port()
    open: bool = _open()
    run: str = option(
        "", "--run", metavar="NAME", help="The only run to show; for words: its name."
    )
    condition: tuple[str, ...] = condition_option()
    window: str | float = option(
        "1s", "--window", metavar="TIME", help="For words: length of a window."
    )
    speed: float | None = option(
        None, "--speed", metavar="X", help="Speed relative to detector time (1 = real time)."
    )
    without: tuple[str, ...] = without_option()
    follow: bool = option(False, "--follow", help="Keep reading as files grow.")
    allow_duplicates: bool = allow_duplicates_option()
    history: str | float = option(
        "2h", "--history", metavar="TIME", help="How long full detail is kept."
    )
    reference: str = option(
        "", "--reference", metavar="SOURCE", help="A run to compare with: words or results."
    )
    profile: str = profile_option()
    archive: str = archive_option()
    alarms: str = option(
        "", "--alarms", metavar="FILE", help="Send alarms: who is told of what, as TOML."
    )
    token_file: str = _token_file()
    insecure_open: bool = option(False, "--insecure-open", help="Admit everybody who can reach it.")
    allow_host: tuple[str, ...] = option(
        (), "--allow-host", metavar="NAME", help="Answer under this host name, too; repeatable."
    )
    prefix: str = option(
        "", "--prefix", metavar="PATH", help="Path that a proxy passes on, as /muonscope."
    )
    kafka_config: str = kafka_config_option()
    no_wait: bool = no_wait_option()


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """The options of the demonstration, as they were written."""

    host: str = _host()
    port: int = _port()
    open: bool = _open()
    token_file: str = _token_file()
    calm: bool = option(False, "--calm", help="Let nothing go wrong.")
