"""What is printed: strict JSON for programs, tables for people, and nothing cut where no terminal is."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import click

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

ENDLESS = 1_000_000
Cell = tuple[str, str]
"""A cell of a table: its text, already visible, and a style."""


def print_json(value: Any) -> None:
    """One strict JSON document: no NaN, and no byte beyond ASCII."""
    click.echo(json.dumps(_strict(value), ensure_ascii=True, allow_nan=False, indent=2))


def _strict(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _strict(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(item) for item in value]
    return value


def on_terminal() -> bool:
    """Whether a person reads stdout as it comes."""
    return sys.stdout.isatty()


def console() -> Console:
    """Where tables and scripts go. Without a terminal it is as wide as it takes."""
    from rich.console import Console

    plain: dict[str, Any] = {} if on_terminal() else {"width": ENDLESS, "height": 100}
    return Console(file=sys.stdout, markup=False, emoji=False, highlight=False, **plain)


def text(content: str, style: str = "") -> Text:
    """Text for rich that is never taken for markup."""
    from rich.text import Text

    return Text(content, style=style)


def table(
    columns: Sequence[str], rows: Iterable[Sequence[Cell]], *, right: Sequence[str] = (), fold: Sequence[str] = ()
) -> Table:
    """A table of columns by name; those named `right` hold numbers, and those in `fold` give way to the others."""
    from rich import box
    from rich.table import Table

    made = Table(box=box.SIMPLE_HEAD if on_terminal() else None, pad_edge=False, header_style="bold", show_edge=False)
    for name in columns:
        side: Literal["left", "right"] = "right" if name in right else "left"
        made.add_column(name, justify=side, no_wrap=name not in fold, overflow="fold")
    for row in rows:
        made.add_row(*(text(content, style) for content, style in row))
    return made


STATE_STYLES = {"trusted": "green", "fresh": "", "quarantined": "yellow", "retired": "dim"}


def print_pairs(out: Console, pairs: Iterable[tuple[str, str]]) -> None:
    """Names and values, one pair a line, the values in one column."""
    shown = list(pairs)
    width = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        line = text(f"{name:<{width}}  ", "bold")
        line.append(value, style="not bold")
        out.print(line, soft_wrap=True)
