"""The layout of Python source: one line if it fits, else one part per line.

It matches the layout of common formatters, with trailing commas.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

WIDTH: Final = 88
INDENT: Final = "    "


class Group(NamedTuple):
    """Parts between brackets: a call, a list or a dict.

    `head` precedes the opening bracket. `lone` keeps `(1,)` a tuple.
    """

    head: str
    brackets: str
    parts: Sequence[Source]
    lone: bool = False


class Pair(NamedTuple):
    """A prefix and a value: `name=value` or `key: value`."""

    before: Source
    between: str
    value: Source


Source = str | Group | Pair


def on_one_line(source: Source) -> str:
    """Return the source on one line."""
    if isinstance(source, str):
        return source
    if isinstance(source, Pair):
        return on_one_line(source.before) + source.between + on_one_line(source.value)
    inner = ", ".join(map(on_one_line, source.parts)) + ("," if source.lone else "")
    return f"{source.head}{source.brackets[0]}{inner}{source.brackets[1]}"


def format_lines(source: Source, indent: str, before: str = "", after: str = "") -> list[str]:
    """Return the lines of a source at an indent.

    `before` and `after` are added to the first and the last line.
    """
    one = on_one_line(source)
    fits = len(indent) + len(before) + len(one) + len(after) <= WIDTH
    if fits or isinstance(source, str) or (isinstance(source, Group) and not source.parts):
        return [f"{indent}{before}{one}{after}"]
    if isinstance(source, Pair):
        return format_lines(source.value, indent, before + on_one_line(source.before) + source.between, after)
    inner = indent + INDENT
    together = ", ".join(map(on_one_line, source.parts))
    if source.head and len(inner) + len(together) <= WIDTH:  # The arguments of a call may share one line.
        lines = [inner + together]
    else:
        lines = [line for part in source.parts for line in format_lines(part, inner, "", ",")]
    return [f"{indent}{before}{source.head}{source.brackets[0]}", *lines, f"{indent}{source.brackets[1]}{after}"]
