"""A morning report as one HTML page: no scripts, nothing fetched, made to be read and printed."""

from collections.abc import Iterator, Sequence
from html import escape

from muonscope._version import __version__
from muonscope.processing.report import MorningReport, RunReport
from muonscope.processing.report_clock import Clock
from muonscope.processing.report_figures import run_figures, telescope_section
from muonscope.processing.report_html import table
from muonscope.processing.report_problems import Problem
from muonscope.processing.report_text import problem_marks, times_text
from muonscope.processing.report_words import TITLES, good_text, length_text
from muonscope.quality.advice import ADVICE
from muonscope.quality.verdict import State

__all__ = ["report_page"]

_MOST_PROBLEMS, _MOST_HOLES, _MOST_FIGURES = 60, 40, 6
_STYLE = """
body { font-family: sans-serif; color: #1c2430; background: #fff; margin: 1.2rem auto;
  max-width: 62rem; padding: 0 1rem; line-height: 1.4 }
h1 { font-size: 1.3rem; margin-bottom: .3rem }
h2 { font-size: 1.1rem; margin: 1.8rem 0 .5rem }
h3 { font-size: 1rem; margin: 0 0 .2rem }
p, ul { margin: .3rem 0 }
.sentence { font-size: 1.2rem; border-left: .4rem solid #009e73; padding: .2rem .8rem }
.sentence.warn { border-left-style: double; border-color: #b58900 }
.sentence.bad { border-left-style: dashed; border-color: #d55e00 }
.small { color: #4d5866; font-size: .85rem }
.problem { border: 1px solid #c9ced6; border-left-width: .4rem; padding: .5rem .8rem;
  margin: .5rem 0; break-inside: avoid }
.problem.bad { border-left-color: #d55e00 } .problem.warn { border-left-color: #f0b400 }
.problem.known { color: #4d5866; border-left-style: dotted }
.state { border: 1px solid currentColor; border-radius: .2rem; padding: 0 .35rem;
  font-size: .8rem; font-weight: bold; white-space: nowrap }
.tables { overflow-x: auto }
table { border-collapse: collapse; font-size: .9rem; width: 100% }
th, td { text-align: left; padding: .25rem .6rem; border-bottom: 1px solid #e3e7ec;
  vertical-align: top }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
.plots { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 22rem), 1fr));
  gap: .8rem }
figure { margin: 0; break-inside: avoid } figure.wide { margin: .8rem 0; overflow-x: auto }
figure.wide svg { min-width: 34rem }
figcaption { color: #4d5866; font-size: .85rem }
svg { width: 100%; height: auto; display: block }
@page { size: A4; margin: 14mm }
@media print { body { max-width: none; margin: 0; padding: 0; font-size: 10pt }
  h2, h3 { break-after: avoid } tr { break-inside: avoid }
  .plots { grid-template-columns: 1fr 1fr } .tables, figure.wide { overflow: visible }
  figure.wide svg { min-width: 0 }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact } }
"""
_CLASS = {State.WARN: "warn", State.BAD: "bad", State.NO_DATA: "bad"}


def report_page(report: MorningReport, clock: Clock) -> str:
    """Return the page of a report, with times by ``clock``."""
    title = escape(f"Morning report: {report.archive}")
    loud = "bad" if not report.runs or report.damaged else _CLASS.get(report.worst, "")
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
        "<meta name='viewport' content='width=device-width, initial-scale=1'>",
        f"<title>{title}</title><style>{_STYLE}</style></head><body><h1>{title}</h1>",
        f"<p class='sentence {loud}'>{escape(report.sentence)}</p>",
        f"<p class='small'>{escape(clock.period)}</p>",
        _list("Cannot be read", report.damaged),
        _list("Waits for you", report.waiting),
        *_problems(report.problems, clock),
        *_runs(report, clock),
        *(part for told in report.telescopes for part in telescope_section(told)),
        *_accounts(report.runs),
        *_notes(report.runs, clock),
        f"<p class='small'>muonscope {escape(__version__)}</p></body></html>",
    ]
    return "\n".join(part for part in parts if part) + "\n"


def _list(title: str, texts: Sequence[str]) -> str:
    if not texts:
        return ""
    items = "".join(f"<li>{escape(text)}</li>" for text in texts)
    return f"<h2>{title}</h2><ul>{items}</ul>"


def _problems(problems: Sequence[Problem], clock: Clock) -> Iterator[str]:
    if not problems:
        return
    yield f"<h2>Problems: {len(problems):,}</h2>"
    yield from (_problem(problem, clock) for problem in problems[:_MOST_PROBLEMS])
    if len(problems) > _MOST_PROBLEMS:
        left = len(problems) - _MOST_PROBLEMS
        yield f"<p class='small'>and {left:,} more: <code>muonscope report --json</code></p>"


def _problem(problem: Problem, clock: Clock) -> str:
    kind = "known" if problem.known else _CLASS[problem.worst]
    head = f"{TITLES[problem.check]}, {problem.place}"
    lines = [times_text(problem, clock), problem.text]
    if problem.known:
        lines.append(f"Known: {problem.known}")
    if problem.follows:
        told = ", ".join(f"{TITLES[p.check]} ({p.target})" for p in problem.follows)
        lines.append(f"With it: {told}")
    rest = "".join(f"<p>{escape(line)}</p>" for line in lines)
    return (
        f"<section class='problem {kind}'><h3><span class='state'>{problem.worst.label}</span>"
        f" {escape(head)} <span class='small'>{escape(', '.join(problem_marks(problem)))}</span>"
        f"</h3>{rest}<p class='small'>{escape(ADVICE[problem.check])}</p></section>"
    )


def _runs(report: MorningReport, clock: Clock) -> Iterator[str]:
    if not report.runs:
        return
    yield "<h2>Runs</h2>"
    head = ("run", "began", "newest window", "alive", "good", "at worst", "signed")
    yield table(head, (_run_row(run, clock) for run in report.runs), right=(3,))
    yield _holes(report, clock)
    for run in report.runs[-_MOST_FIGURES:]:
        yield from run_figures(run, report, clock)
    if len(report.runs) > _MOST_FIGURES:
        yield f"<p class='small'>Drawn are the newest {_MOST_FIGURES} runs.</p>"


def _run_row(run: RunReport, clock: Clock) -> Sequence[str]:
    judged = sum(n for state, n in run.states.items() if state is not State.NOT_ENOUGH)
    conditions = "".join(f" {name}={value}" for name, value in run.conditions.items())
    end = "" if run.ended_at else " (not ended)"
    return (
        f"{run.name}{conditions}", clock.text(run.begun_at), clock.text(run.last_at) + end,
        length_text(run.live_s), good_text(run.states.get(State.GOOD, 0), judged),
        run.worst.label, f"by {run.signed.who}" if run.signed else "no",
    )  # fmt: skip


def _holes(report: MorningReport, clock: Clock) -> str:
    if not report.holes:
        return "<p class='small'>No holes: windows without a pause of more than 10 s.</p>"
    rows = (
        (clock.text(h.begin), clock.text(h.end), length_text(h.seconds),
         f"{'in' if h.within else 'before'} run {h.run}")
        for h in report.holes[:_MOST_HOLES]
    )  # fmt: skip
    more = len(report.holes) - _MOST_HOLES
    left = f"<p class='small'>and {more:,} more</p>" if more > 0 else ""
    made = table(("from", "to", "without data", "where"), rows, right=(2,))
    return f"<h2>Holes: {len(report.holes):,}</h2>{made}{left}"


def _accounts(runs: Sequence[RunReport]) -> Iterator[str]:
    """Yield what each run has told of its source, and of words in no window."""
    rows = []
    for run in runs:
        if run.account:
            bytes_in, rejected = run.account["bytes_in"], run.account["bytes_rejected"]
            codes = ", ".join(f"{name} {n:,}" for name, n in run.account["rejects"].items())
            rows.append((run.name, f"{rejected:,} of {bytes_in:,} bytes rejected", codes))
        if run.outside:
            kinds = ", ".join(f"{name} {n:,}" for name, n in run.outside.items())
            rows.append((run.name, "words in no window", kinds))
    if rows:
        yield "<h2>Accounts</h2>"
        yield table(("run", "what", "of which"), rows)


def _notes(runs: Sequence[RunReport], clock: Clock) -> Iterator[str]:
    rows = []
    for run in runs:
        for note in run.notes:
            on = f"window {note.epoch}/{note.window}" if note.window is not None else ""
            where = " ".join(part for part in (on, note.check, note.target, note.plot) if part)
            rows.append((note.at, (clock.text(note.at), note.who, run.name, where, note.text)))
        if run.signed and run.signed.at is not None:
            told = f"signed {run.signed.good_windows:,} windows as good. {run.signed.note}"
            at = run.signed.at
            rows.append((at, (clock.text(at), run.signed.who, run.name, "", told)))
    if rows:
        yield "<h2>Notes and signatures</h2>"
        yield table(("when", "who", "run", "on", "what"), (row for _, row in sorted(rows)))
