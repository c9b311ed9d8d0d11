"""Python source laid out as a formatter would: on one line if it fits, else one part a line with trailing commas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

WIDTH: Final = 88
INDENT: Final = "    "


class Group(NamedTuple):
    """Parts between brackets, `head` before the first: a call, a list, a dict. `lone` keeps `(1,)` a tuple."""

    head: str
    brackets: str
    parts: Sequence[Source]
    lone: bool = False


class Pair(NamedTuple):
    """Something before a value: `name=value`, `key: value`."""

    before: Source
    between: str
    value: Source


Source = str | Group | Pair


def on_one_line(source: Source) -> str:
    """The source on one line."""
    if isinstance(source, str):
        return source
    if isinstance(source, Pair):
        return on_one_line(source.before) + source.between + on_one_line(source.value)
    inner = ", ".join(map(on_one_line, source.parts)) + ("," if source.lone else "")
    return f"{source.head}{source.brackets[0]}{inner}{source.brackets[1]}"


def format_lines(source: Source, indent: str, before: str = "", after: str = "") -> list[str]:
    """The lines of a source at an indent, with `before` and `after` on its first and last line."""
    one = on_one_line(source)
    fits = len(indent) + len(before) + len(one) + len(after) <= WIDTH
    if fits or isinstance(source, str) or (isinstance(source, Group) and not source.parts):
        return [f"{indent}{before}{one}{after}"]
    if isinstance(source, Pair):
        return format_lines(source.value, indent, before + on_one_line(source.before) + source.between, after)
    inner = indent + INDENT
    together = ", ".join(map(on_one_line, source.parts))
    if source.head and len(inner) + len(together) <= WIDTH:  # a call's arguments may share the line below
        lines = [inner + together]
    else:
        lines = [line for part in source.parts for line in format_lines(part, inner, "", ",")]
    return [f"{indent}{before}{source.head}{source.brackets[0]}", *lines, f"{indent}{source.brackets[1]}{after}"]
