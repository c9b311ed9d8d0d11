"""Turns this project's plain docstrings into what autodoc reads: `name: text` becomes a parameter."""

from __future__ import annotations

import inspect
import re
from typing import Any

STARTS = re.compile(r"^(\w+(?:, \w+)*): (\S.*)$")
STARRED = re.compile(r"^( +)\*args, \*\*(\w+):")  # napoleon escapes the stars of one name only
PLURAL = re.compile(r"`([^`]+)`(\w)")  # as in `Check`s, which reStructuredText does not know


def parameters_of(documented: Any) -> set[str]:
    try:
        return set(inspect.signature(documented).parameters)
    except (TypeError, ValueError):
        return set()


def fields(lines: list[str], names: set[str]) -> list[str]:
    """The lines with each paragraph line `name: text` of a known parameter as a field, its continuation indented."""
    made: list[str] = []
    inside = False
    for line in lines:
        found = STARTS.match(line)
        if found and all(name in names for name in found.group(1).split(", ")):
            if not inside and made and made[-1]:
                made.append("")
            made.append(f":param {found.group(1)}: {found.group(2)}")
            inside = True
        elif inside and line.strip():
            made.append("   " + line.strip())
        else:
            inside = False
            made.append(line)
    return made


def process(_app: Any, _what: str, _name: str, documented: Any, _options: Any, lines: list[str]) -> None:
    plain = [PLURAL.sub(r"`\1`\\ \2", line) for line in lines]
    lines[:] = fields(plain, parameters_of(documented))


def escape_stars(_app: Any, _what: str, _name: str, _documented: Any, _options: Any, lines: list[str]) -> None:
    lines[:] = [STARRED.sub(r"\1\\*args, \\*\\*\2:", line) for line in lines]


def setup(app: Any) -> dict[str, bool]:
    app.connect("autodoc-process-docstring", escape_stars, priority=400)  # before napoleon, which has 500
    app.connect("autodoc-process-docstring", process)
    return {"parallel_read_safe": True}
