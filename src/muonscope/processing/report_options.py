"""The options of ``muonscope report``."""

from dataclasses import MISSING, dataclass

from muonscope.options import force_option, option

__all__ = ["ReportOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportOptions:
    """The options of a morning report, as they were written."""

    archive: str = option(MISSING, metavar="ARCHIVE", help="Folder that --archive has made.")
    to: str = option("", "--to", metavar="FILE", help="Write a page: .html, .pdf, or - for HTML.")
    since: str | float = option(
        "24h", "--since", metavar="TIME", help="Report from then on: 24h, or 2026-11-30T18:00."
    )
    until: str | float = option(
        "", "--until", metavar="TIME", help="Report until then; default: now."
    )
    run: tuple[str, ...] = option(
        (), "--run", metavar="NAME", help="Only this run; repeatable. Default: all."
    )
    timezone: str = option(
        "", "--timezone", metavar="ZONE", help="Such as Europe/Rome; default: this machine's."
    )
    text: bool = option(False, "--text", help="Print plain text, as for mail.")
    json: bool = option(False, "--json", help="Machine-readable.")
    fail_on: str = option("", "--fail-on", metavar="STATE", help="warn or bad: exit with 7 then.")
    force: bool = force_option()
