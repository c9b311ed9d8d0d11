"""Output of the commands: strict JSON, or tables.

Tables are never cut outside a terminal.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import click

from .._reading.text import ID_WIDTH, printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

ENDLESS = 1_000_000
FOLDED = 10
Cell = tuple[str, str]
"""Cell of a table: its text, already printable, and a style."""


def print_json(value: Any) -> None:
    """Print one strict JSON document in UTF-8, without NaN."""
    click.echo(_json_bytes(value, indent=2))


def print_json_line(value: Any) -> None:
    """Print one strict JSON document in one line."""
    click.echo(_json_bytes(value, indent=None))
    sys.stdout.flush()


def _json_bytes(value: Any, indent: int | None) -> bytes:
    """Return JSON in UTF-8, whatever the encoding of the terminal.

    Characters that are not printable are escaped: they could control a terminal, or have no form in UTF-8.
    """
    made = json.dumps(_strict(value), ensure_ascii=False, allow_nan=False, indent=indent)
    if not made.isascii():
        made = "".join(map(_json_character, made))
    return made.encode("utf-8")


def _json_character(character: str) -> str:
    return character if character.isprintable() or character.isascii() else json.dumps(character)[1:-1]


def _strict(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _strict(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_strict(item) for item in value]
    return value


def is_terminal() -> bool:
    """Return whether stdout is a terminal."""
    return sys.stdout.isatty()


def id_text(id: str) -> str:
    """Return an id as text, shortened if stdout is a terminal."""
    return printable(id)[:ID_WIDTH] if is_terminal() else printable(id)


def console() -> Console:
    """Return the console for tables; outside a terminal it has no width limit."""
    from rich.console import Console

    plain: dict[str, Any] = {} if is_terminal() else {"width": ENDLESS, "height": 100}
    return Console(file=sys.stdout, markup=False, emoji=False, highlight=False, **plain)


def text(content: str, style: str = "") -> Text:
    """Return text for rich that is never parsed as markup."""
    from rich.text import Text

    return Text(content, style=style)


def print_table(
    out: Console,
    columns: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    *,
    right: Sequence[str] = (),
    fold: Sequence[str] = (),
) -> None:
    """Print a table. Columns in `right` are right-aligned; those in `fold` may wrap.

    Outside a terminal, no cell is cut. In a narrow terminal, lines are longer than the terminal, so that ids stay
    complete.
    """
    from rich.cells import cell_len

    texts = [columns, *([cell for cell, _ in row] for row in rows)]
    widths = [max(cell_len(line[place]) for line in texts) for place in range(len(columns))]
    if is_terminal():
        needed = sum(2 + (FOLDED if name in fold else width) for name, width in zip(columns, widths, strict=True))
        _print_rich(out, columns, rows, right, fold, needed)
        return
    for line in texts:
        spaces = [" " * (width - cell_len(cell)) for cell, width in zip(line, widths, strict=True)]
        parts = [
            space + cell if name in right else cell + space
            for name, cell, space in zip(columns, line, spaces, strict=True)
        ]
        print("  ".join(parts).rstrip())


def _print_rich(
    out: Console,
    columns: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    right: Sequence[str],
    fold: Sequence[str],
    needed: int,
) -> None:
    from rich.table import Table

    made = Table(box=None, pad_edge=False, padding=(0, 1), header_style="bold")
    for name in columns:
        side: Literal["left", "right"] = "right" if name in right else "left"
        made.add_column(name, justify=side, no_wrap=name not in fold, overflow="fold")
    for row in rows:
        made.add_row(*(text(content, style) for content, style in row))
    out.width = max(out.width, needed)
    out.print(made)


STATE_STYLES = {"trusted": "green", "fresh": "", "quarantined": "yellow", "retired": "dim"}


def print_pairs(out: Console, pairs: Iterable[tuple[str, str]]) -> None:
    """Print names and values, one pair per line, with aligned values."""
    shown = list(pairs)
    width = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        line = text(f"{name:<{width}}  ", "bold")
        line.append(value, style="not bold")
        out.print(line, soft_wrap=True)
