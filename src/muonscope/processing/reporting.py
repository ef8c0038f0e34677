"""Making a morning report: from an archive to a page, to plain text, to plain fields."""

from collections.abc import Callable
from typing import Any

from muonscope.archiving.archive import Archive
from muonscope.errors import OptionError, VerdictError
from muonscope.processing.report import MorningReport
from muonscope.processing.report_clock import Clock, zone_named
from muonscope.processing.report_gathering import morning_report
from muonscope.processing.report_options import ReportOptions
from muonscope.processing.report_page import report_page
from muonscope.quality.verdict import State
from muonscope.transports.new_file import writing
from muonscope.wall_time import since

__all__ = ["report_with"]

_FAIL_ON = {"": State.NO_DATA + 1, "warn": State.WARN, "bad": State.BAD}
_ENDINGS = (".html", ".htm", ".pdf")


def report_with(
    options: ReportOptions, now: float, show: Callable[[MorningReport, Clock], None]
) -> None:
    """Make a report, write its page if one is asked for, and ``show`` it.

    Raises
    ------
    OptionError
        If an option makes no sense, or a PDF is asked for that cannot be made here.
    SourceNotFoundError
        If there is no such archive, or no such run.
    SinkError
        If the page cannot be written.
    VerdictError
        If something was as bad as ``fail_on`` says.
    """
    if options.fail_on not in _FAIL_ON:
        raise OptionError(f"--fail-on: found {options.fail_on!r}, expected warn or bad")
    if options.text and options.json:
        raise OptionError("--text and --json exclude each other")
    if options.to not in {"", "-"} and not options.to.lower().endswith(_ENDINGS):
        raise OptionError(f"--to: found {options.to!r}, expected a name in .html or .pdf, or -")
    until = since(options.until, now, "--until") if options.until else now
    begin = since(options.since, until, "--since")
    if not begin < until:
        raise OptionError(f"--since: found {options.since!r}, expected a time before --until")
    clock = Clock(zone=zone_named(options.timezone), since=begin, until=until)
    render = _pdf() if options.to.lower().endswith(".pdf") else None
    with Archive(options.archive) as archive:
        report = morning_report(archive, begin, until, options.run)
    if options.to:
        page = report_page(report, clock)
        data = render(page) if render else page.encode()
        with writing(options.to, force=options.force) as file:
            file.write(data)
    show(report, clock)
    if report.worst >= _FAIL_ON[options.fail_on]:
        worst = next(p for p in report.problems if p.worst == report.worst and not p.known)
        raise VerdictError(f"{worst.worst.label}: {worst.text}")


def _pdf() -> Callable[[str], bytes]:
    """Return what makes a PDF of a page.

    Raises
    ------
    OptionError
        If weasyprint is not installed, or a library of the system that it needs.
    """
    try:
        from weasyprint import HTML
    except ImportError as exc:
        raise OptionError(
            "--to .pdf needs weasyprint: pip install 'muonscope[pdf]'; or print the .html"
        ) from exc
    except OSError as exc:
        raise OptionError(
            f"--to .pdf needs Pango ({exc}): install libpango-1.0-0 and libpangoft2-1.0-0 (Debian),"
            " pango (Fedora, Homebrew); or print the .html"
        ) from exc

    def render(page: str) -> bytes:
        made: Any = HTML(string=page, url_fetcher=_nothing).write_pdf()
        return bytes(made)

    return render


def _nothing(url: str, *_: Any, **__: Any) -> Any:
    """Fetch nothing: all of a page is in it."""
    raise ValueError(f"{url}: is not fetched")
