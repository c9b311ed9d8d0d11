"""Lines, paragraphs and durations as the demo prints them."""

from __future__ import annotations

import textwrap

from rich.console import Console
from rich.text import Text

WIDTH = 100


def print_line(console: Console, text: str, style: str = "") -> None:
    """Print one line of plain text, without markup."""
    console.print(Text(text, style=style), soft_wrap=True)


def print_paragraph(console: Console, text: str, indent: str = "", style: str = "") -> None:
    """Print a text as lines of at most WIDTH columns."""
    for line in textwrap.wrap(text, min(WIDTH, console.width), initial_indent=indent, subsequent_indent=indent):
        print_line(console, line, style)


def seconds_text(seconds: float) -> str:
    """Return a duration: 0 s, 240 ms, 3.2 s, 5 min 3 s."""
    if not seconds:
        return "0 s"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s".replace(".0 s", " s")
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"
