"""Tables of HTML for notebooks, with all texts escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

MOST = 2_000
"""The longest text of a cell, in characters."""

_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"}


def escaped(text: str) -> str:
    """Return a text for HTML, with characters that are not printable as escapes."""
    shown = text if len(text) <= MOST else text[: MOST - 1] + "…"
    return "".join(_ESCAPES.get(one) or (one if one.isprintable() or one == "\n" else repr(one)[1:-1]) for one in shown)


def html_pairs(title: str, pairs: Iterable[tuple[str, str]]) -> str:
    """Return a heading and a table of names and values; empty values are left out."""
    rows = "".join(
        f'<tr><th style="text-align:left">{escaped(name)}</th><td style="text-align:left">{escaped(value)}</td></tr>'
        for name, value in pairs
        if value
    )
    return f"<div><b>{escaped(title)}</b><table>{rows}</table></div>"


def html_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a heading and a table with these columns; empty without rows."""
    body = "".join(
        "<tr>" + "".join(f'<td style="text-align:left">{escaped(cell)}</td>' for cell in row) + "</tr>" for row in rows
    )
    if not body:
        return ""
    head = "".join(f'<th style="text-align:left">{escaped(name)}</th>' for name in columns)
    return f"<div><b>{escaped(title)}</b><table><tr>{head}</tr>{body}</table></div>"
