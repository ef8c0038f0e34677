"""A comparison as one HTML page: findings, plots over each other and maps, without scripts."""

from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

import numpy as np
import numpy.typing as npt

from muonscope._version import __version__
from muonscope.processing.svg_plots import BLUE, GREY, Steps, cell_map, step_overlay
from muonscope.quality.compared import Shape, families_of, has_tracks, shapes_by_name, shapes_of
from muonscope.quality.comparison import Comparison, Finding
from muonscope.quality.side import Side

__all__ = ["chance_text", "compare_page", "size_text"]

Array = npt.NDArray[Any]

_MOST_ROWS, _MOST_WORST = 100, 4
"""Findings in a table, and histograms that are drawn again at the top."""

_SCALED = {
    "live": "The reference is scaled by live time.",
    "entries": "The reference is scaled by the number of hits.",
    "none": "Counts are as they are.",
}

_STYLE = """
body { font-family: sans-serif; color: #1c2430; margin: 1.5rem auto; max-width: 72rem;
  padding: 0 1rem; line-height: 1.4 }
h1 { font-size: 1.4rem } h2 { font-size: 1.15rem; margin-top: 2rem }
.verdict { font-size: 1.1rem; border-left: .4rem solid #0072b2; padding-left: .8rem }
.verdict.differs { border-color: #d55e00 }
table { border-collapse: collapse; font-size: .9rem; width: 100% }
th, td { text-align: left; padding: .25rem .6rem; border-bottom: 1px solid #e3e7ec }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums }
.plots { display: grid; grid-template-columns: repeat(auto-fill, minmax(24rem, 1fr)); gap: 1rem }
svg { width: 100%; height: auto; break-inside: avoid }
.small { color: #4d5866; font-size: .85rem }
@media print { body { max-width: none; margin: 0 } h2 { break-after: avoid }
  .plots { grid-template-columns: 1fr 1fr } tr { break-inside: avoid } }
"""


def compare_page(found: Comparison, run: Side, reference: Side) -> str:
    """Return the page of a comparison of ``run`` with ``reference``."""
    differs = " differs" if found.differing else ""
    title = escape(f"{found.run} and {found.reference}")
    worst = list(_worst(found, run, reference))
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width'>",
        f"<title>{title}</title><style>{_STYLE}</style></head><body><h1>{title}</h1>",
        f"<p class='verdict{differs}'>{escape(found.sentence)}</p>",
        _facts(found, run, reference),
        _table("What differs", found.differing),
        _table("Significant, but negligible", found.negligible),
        *(["<h2>Worst histograms</h2>", _plots(worst)] if worst else []),
        "<h2>Cells: rate by that of the reference</h2>",
        _plots(_maps(found)),
        "<h2>Histograms</h2>",
        f"<p class='small'>{escape(_key(found))}</p>",
        _plots(_histograms(found, run, reference)),
        f"<p class='small'>muonscope {escape(__version__)}</p></body></html>",
    ]
    return "\n".join(part for part in parts if part)


def _key(found: Comparison) -> str:
    return (
        f"{_SCALED[found.scale]} Blue: {found.run}; grey, filled: {found.reference}. Bars are"
        " statistical errors; the ratio is drawn from 0 to 2, and what is above is an arrow."
    )


def _facts(found: Comparison, run: Side, reference: Side) -> str:
    rows = [
        ("", "run", "reference"),
        ("name", found.run, found.reference),
        ("windows", f"{run.windows:,}", f"{reference.windows:,}"),
        ("live time", f"{found.live_s:,.3f} s", f"{found.reference_live_s:,.3f} s"),
        ("hits", f"{run.summary.total_hits:,}", f"{reference.summary.total_hits:,}"),
    ]
    cells = "".join(
        "<tr>" + "".join(f"<td>{escape(text)}</td>" for text in row) + "</tr>" for row in rows
    )
    told = (
        f"Detector {found.detector.name}. {_SCALED[found.scale]} Of two equal runs,"
        f" {found.level:.2g} would be told to differ by chance; ratios within"
        f" {found.least_size:.2g} of 1, and histograms of which less than"
        f" {found.least_size / 2:.2g} lies elsewhere, are negligible."
    )
    notes = "".join(f"<li>{escape(note)}</li>" for note in found.notes)
    listed = f"<ul class='small'>{notes}</ul>" if notes else ""
    return f"<table>{cells}</table><p class='small'>{escape(told)}</p>{listed}"


def _table(title: str, findings: Sequence[Finding]) -> str:
    if not findings:
        return ""
    rows = "".join(
        f"<tr><td>{escape(f.what)}</td><td>{escape(f.target)}</td><td>{escape(f.text)}</td>"
        f"<td class='n'>{size_text(f)}</td><td class='n'>{chance_text(f)}</td></tr>"
        for f in findings[:_MOST_ROWS]
    )
    more = len(findings) - _MOST_ROWS
    left_out = f"<p class='small'>and {more:,} more</p>" if more > 0 else ""
    return (
        f"<h2>{title}: {len(findings):,}</h2><table><thead><tr><th>what</th><th>target</th>"
        "<th>found</th><th class='n'>size</th><th class='n'>corrected p</th></tr></thead>"
        f"<tbody>{rows}</tbody></table>{left_out}"
    )


def size_text(finding: Finding) -> str:
    """Return the size of a finding for people: ``-43%``, ``8.1% moved``, ``new``."""
    if finding.is_histogram:
        return f"{finding.size:.1%} moved"
    if np.isinf(finding.size):
        return "new"
    return f"{finding.size:+.1%}" if abs(finding.size) < 10 else f"{finding.size + 1:,.0f} times"


def chance_text(finding: Finding) -> str:
    """Return a corrected probability for people; those that have no digits left are bounded."""
    p = finding.p_corrected
    return f"{p:.0e}" if p > 0 else "<1e-300"


def _plots(svgs: Iterator[str] | Sequence[str]) -> str:
    return f"<div class='plots'>{''.join(svgs)}</div>"


def _worst(found: Comparison, run: Side, reference: Side) -> Iterator[str]:
    tells_all = run.tells_all and reference.tells_all
    mine, other = (shapes_of(s.summary, tells_all=tells_all) for s in (run, reference))
    shapes = shapes_by_name(found.detector)
    histograms = [f for f in found.differing if f.is_histogram]
    for finding in histograms[:_MOST_WORST]:
        shape = shapes[finding.what]
        row = shape.targets.index(finding.target)
        yield _overlay(found, shape, row, (mine[shape.name], other[shape.name]))


def _histograms(found: Comparison, run: Side, reference: Side) -> Iterator[str]:
    """Yield every histogram that both sides have, chamber by chamber in each kind."""
    tells_all = run.tells_all and reference.tells_all
    mine, other = (shapes_of(s.summary, tells_all=tells_all) for s in (run, reference))
    tracked = has_tracks(run.summary) and has_tracks(reference.summary)
    for name, shape in shapes_by_name(found.detector).items():
        if not shape.tracks or tracked:
            for row in range(len(shape.targets)):
                yield _overlay(found, shape, row, (mine[name], other[name]))


def _overlay(found: Comparison, shape: Shape, row: int, counts: tuple[Array, Array]) -> str:
    one, other = (c[row, 1:-1] if shape.flow else c[row] for c in counts)
    width = np.diff(shape.edges)
    by = 1 / width * width[0]  # bins of other widths are drawn as density of the first
    title = f"{shape.name.replace('_', ' ')}, {shape.subjects[row]}"
    series = (
        Steps(label="run", counts=one * by, errors=np.sqrt(one) * by, colour=BLUE),
        Steps(
            label="reference", counts=other * by * found.scaling,
            errors=np.sqrt(other) * by * found.scaling, colour=GREY, filled=True,
        ),
    )  # fmt: skip
    return step_overlay(
        shape.edges, series, title=title, x_label=shape.label, ratio_label="ratio",
        y_label=f"entries per {width[0]:g}{_unit(shape.label)}",
    )  # fmt: skip


def _title(chamber: int, label: str) -> str:
    name = f"chamber {chamber}"
    return name if label == name else f"{name}: {label}"


def _unit(label: str) -> str:
    """Return the unit in the brackets of an axis title, none where it is a number."""
    unit = label.partition("[")[2].rstrip("]")
    return f" {unit}" if unit != "1" else ""


def _maps(found: Comparison) -> Iterator[str]:
    """Yield a map of each chamber: occupied milliseconds by those of the reference."""
    cells = found.detector.cells()
    names = families_of(found.detector)["cell_rate"].targets
    by_target = {f.target: f for f in found.findings if f.what == "cell_rate"}
    differing = {f.target for f in found.differing if f.what == "cell_rate"}
    for chamber, of in enumerate(found.detector.chambers):
        mine = np.flatnonzero(cells.chamber == chamber)
        shape = int(cells.layer[mine].max()), int(cells.wire[mine].max())
        ratios, marked = np.full(shape, np.nan), np.zeros(shape, np.bool_)
        texts = [[""] * shape[1] for _ in range(shape[0])]
        for cell in mine.tolist():
            layer, wire = int(cells.layer[cell]) - 1, int(cells.wire[cell]) - 1
            finding = by_target.get(names[cell])
            texts[layer][wire] = finding.text if finding else f"cell {names[cell]}: not compared"
            ratios[layer, wire] = finding.ratio if finding else np.nan
            marked[layer, wire] = names[cell] in differing
        yield cell_map(ratios, marked, texts, title=_title(chamber, of.label))
