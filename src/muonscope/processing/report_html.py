"""Pieces of the page of a morning report: tables, and plots with their captions."""

from collections.abc import Iterable, Sequence
from html import escape

__all__ = ["figure", "table", "wide_figure"]


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, right: Sequence[int] = ()) -> str:
    """Return a table of texts, which are escaped; the columns ``right`` are of numbers."""
    kinds = [" class='n'" if i in right else "" for i in range(len(head))]
    body = "".join(_row("td", kinds, row) for row in rows)
    return (
        f"<div class='tables'><table><thead>{_row('th', kinds, head)}</thead>"
        f"<tbody>{body}</tbody></table></div>"
    )


def _row(tag: str, kinds: Sequence[str], texts: Sequence[str]) -> str:
    cells = zip(kinds, texts, strict=True)
    return f"<tr>{''.join(f'<{tag}{kind}>{escape(text)}</{tag}>' for kind, text in cells)}</tr>"


def figure(plot: str, caption: str = "") -> str:
    """Return a plot with its caption, which is escaped."""
    told = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return f"<figure>{plot}{told}</figure>"


def wide_figure(plot: str) -> str:
    """Return a plot as wide as the page."""
    return f"<figure class='wide'>{plot}</figure>"
