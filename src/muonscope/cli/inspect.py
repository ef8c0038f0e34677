"""The ``inspect`` command."""

from collections import Counter
from collections.abc import Iterator

import orjson
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from muonscope import kernels
from muonscope.cli.options import InspectOptions
from muonscope.cli.say import tell
from muonscope.counting.doubts import nothing_decoded
from muonscope.errors import FormatError
from muonscope.inspection import inspect_sources
from muonscope.inspection_report import Report
from muonscope.intake.opening import load_detector
from muonscope.stopping import Stop
from muonscope.transports.kafka.options import kafka_options
from muonscope.units import ORBIT_S
from muonscope.wording import describe, event_of

__all__ = ["inspect_command"]

_ROWS = 12


def inspect_command(options: InspectOptions) -> None:
    """Print what is in the sources, as a page or as JSON.

    Raises
    ------
    OptionError
        If an option makes no sense.
    FormatError
        If nothing could be decoded; the report is printed all the same.
    """
    kafka = kafka_options(options.kafka_config, stop=Stop(), tell=tell)
    kernels.load(kernels.needed_to_count(options.sources), tell=tell)
    detector = load_detector(options.detector) if options.detector else None
    report = inspect_sources(
        options.sources, detector, kafka, tell=tell, allow_duplicates=options.allow_duplicates
    )
    if options.json:
        text = orjson.dumps(report.as_json(), option=orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS)
        print(text.decode())  # noqa: T201
    else:
        _print(report)
    if report.errors:
        raise report.errors[0]
    if report.rejects.total and not report.total.accounting.words_in:
        raise FormatError(nothing_decoded(report.rejects))


def _print(report: Report) -> None:
    console = Console()
    for stream in report.streams[:_ROWS]:
        packed = f" in {stream['compression']}" if stream["compression"] else ""
        console.print(
            f"[bold]{escape(stream['name'])}[/]: {stream['format']}{packed}"
            f" ({stream['confidence']:.0%} sure: {escape(stream['reason'])}),"
            f" {stream['bytes']:,} bytes",
            highlight=False,
        )
    if len(report.streams) > _ROWS:
        console.print(f"... and {len(report.streams) - _ROWS} more")
    console.print(f"detector {report.detector.name} ({report.chosen})", highlight=False)
    console.print(*_words(report), _chambers(report))
    if report.epochs:
        console.print(_epochs(report))
    odd = list(_odd_lines(report))
    console.print(Text("everything odd" if odd else "nothing odd", style="bold"))
    for line in odd:
        console.print(Text(f"  {line}"), soft_wrap=True)


def _words(report: Report) -> Iterator[Table]:
    heads = Table("words", *(f"HEAD {h}" for h in report.words_by_head), collapse_padding=True)
    words = report.total.accounting.words_in
    heads.add_row(f"{words:,}", *(f"{n:,}" for n in report.words_by_head.values()))
    fpgas = Table(*(f"FPGA {fpga}" for fpga in report.words_by_fpga), collapse_padding=True)
    fpgas.add_row(*(f"{n:,}" for n in report.words_by_fpga.values()))
    account = report.total.accounting.as_dict()
    kinds = Table(*(name for name in account if name != "words_in"), collapse_padding=True)
    kinds.add_row(*(f"{n:,}" for name, n in account.items() if name != "words_in"))
    yield from (heads, fpgas, kinds)


def _chambers(report: Report) -> Table:
    table = Table("chamber", "hits", "Hz", "with scintillator")
    live, total = report.live_s, report.total
    for chamber, hits, scint in zip(
        report.detector.chambers,
        total.hits_per_chamber.tolist(),
        total.scint_hits_per_chamber.tolist(),
        strict=True,
    ):
        rate = f"{hits / live:,.1f}" if live else ""
        table.add_row(Text(chamber.label), f"{hits:,}", rate, f"{scint:,}")
    words = report.total.scintillator_words
    table.add_row("scintillator", f"{words:,}", f"{words / live:,.2f}" if live else "", "")
    return table


def _epochs(report: Report) -> Table:
    table = Table(
        "epoch", "first orbit", "last orbit", "from [s]", "live [s]", "holes [s]", "hits",
        collapse_padding=True,
    )  # fmt: skip
    for epoch in report.epochs[:_ROWS]:
        table.add_row(
            str(epoch.number), f"{epoch.first_orbit:,}", f"{epoch.last_orbit:,}",
            f"{epoch.first_orbit * ORBIT_S:,.3f}", f"{epoch.live_s:,.3f}",
            f"{epoch.hole_s:,.3f}", f"{epoch.hits:,}",
        )  # fmt: skip
    if len(report.epochs) > _ROWS:
        table.caption = f"and {len(report.epochs) - _ROWS} more"
    return table


def _odd_lines(report: Report) -> Iterator[str]:
    yield from map(str, report.errors)
    yield from map(describe, report.doubts)
    if report.fits_better:
        yield (
            f"these words fit {report.fits_better} better: channels fire together as its chambers"
            f" lie; use --detector {report.fits_better}"
        )
    low = Counter(c.chamber for c in report.odd_channels if c.kind in {"silent", "weak"})
    whole = [n for n, c in enumerate(report.detector.chambers) if low[n] == c.n_channels]
    for n in whole:
        chamber = report.detector.chambers[n]
        yield (
            f"silent chamber: chamber {n}, FPGA {chamber.fpga} channels"
            f" {chamber.first_channel}-{chamber.last_channel}:"
            f" {report.total.hits_per_chamber[n]:,} hits in all"
        )
    for c in report.odd_channels:
        if c.chamber in whole:
            continue
        yield (
            f"{c.kind} channel: chamber {c.chamber}, FPGA {c.fpga} channel {c.channel}"
            f" (layer {c.layer}, wire {c.wire}): {c.rate_hz:.2f} Hz,"
            f" median of its layer {c.layer_median_hz:.2f} Hz"
        )
    for odd in report.odd_words:
        where = ", ".join(f"{n:,}" for n in odd.first)
        detail = "; ".join(f"{name}: {n:,}" for name, n in odd.detail.items())
        yield f"{odd.kind}: {odd.count:,}, first at word {where}" + (
            f" ({detail})" if detail else ""
        )
    yield from (describe(event_of(note)) for note in report.notes if note.before > 0)
    if report.rejects.total:
        for code, n in sorted(report.rejects.count.items()):
            yield f"rejected, {code.name.lower().replace('_', ' ')}: {n:,} times"
        yield from (f"  {reject}" for reject in report.rejects.examples[:10])
