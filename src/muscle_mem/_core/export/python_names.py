"""Unique names in generated source, for params, tools, objects and outputs."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable
from typing import Final

from ..model.records import Par, Part
from .literals import RESERVED, UnwritableError, quoted
from .trusted_names import is_special, names_module

_VERBS: Final = re.compile(r"^(find|get|read|load|fetch|look_up|list|make|create|open|search)_(?=\w)")


class Names:
    """Unique identifiers: each meaning gets the plain one if it is free."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._given: dict[tuple[str, str], str] = {}
        self._used = {*taken, *RESERVED, "int", "str", *keyword.kwlist}

    def of(self, kind: str, meant: str, wish: str = "") -> str:
        """Return the identifier of a meaning; the same one at each call."""
        found = self._given.get((kind, meant))
        if found is None:
            found = self._given[kind, meant] = self._free(identifier(wish or meant))
        return found

    def of_kind(self, kind: str) -> list[str]:
        """Return the identifiers of a kind, in the order of their first use."""
        return [name for (of, _), name in self._given.items() if of == kind]

    def all(self) -> list[str]:
        """Return all identifiers."""
        return list(self._given.values())

    def _free(self, wish: str) -> str:
        name, count = wish, 1
        while name in self._used:
            count += 1
            name = f"{wish}_{count}" if wish not in keyword.kwlist or count > 2 else f"{wish}_"
        self._used.add(name)
        return name


def identifier(text: str) -> str:
    """Return an identifier that resembles a text, at most 60 characters long."""
    name = re.sub(r"\W+", "_", text).strip("_")[:60].strip("_")
    if not name.isidentifier():
        name = f"_{name}" if name else "value"
    return name if name.isidentifier() else "value"


def snake(name: str) -> str:
    """Return a name in snake case: `LoginPage` becomes `login_page`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def output_name(tool: str) -> str:
    """Return a name for a tool's output: `order` for `find_order`."""
    last = snake(tool.rpartition(".")[2])
    thing = _VERBS.sub("", last)
    return thing if thing != last else f"{last}_result"


def tool_parts(tool: str, *, is_method: bool = False) -> list[str]:
    """Return the parts of a stored name that lead to the tool.

    Raises UnwritableError for a name that Python cannot call, or that leads into another module.
    """
    parts = tool.rpartition("<locals>.")[2].split(".")
    if not all(part.isidentifier() and not keyword.iskeyword(part) for part in parts):
        raise UnwritableError(
            f"cannot write a call of the tool {tool!r}: expected an identifier. Pass name= to engine.tool"
        )
    if any(map(is_special, parts)) or (len(parts) > 1 and not is_method and names_module(parts[0])):
        raise UnwritableError(
            f"cannot write a call of the tool {tool!r}: expected a name in your own module, got one that leads "
            "into another module. Pass name= to engine.tool"
        )
    return parts


def part_source(name: str, expr: Par) -> str:
    """Return the source of a param, or of the part of it that an expression means.

    Raises UnwritableError for a part that Python cannot read.
    """
    if not isinstance(expr, Part):
        return name
    for part in expr.path:
        if isinstance(part, str) and part.startswith("."):
            field = part[1:]
            if not field.isidentifier() or keyword.iskeyword(field) or is_special(field):
                raise UnwritableError(f"cannot write the part {part!r} of the param {expr.name!r}")
            name += part
        else:
            name += f"[{quoted(part) if isinstance(part, str) else repr(part)}]"
    if expr.form not in ("", "number", "text"):
        raise UnwritableError(f"cannot write the form {expr.form!r} of the param {expr.name!r}")
    return {"number": f"int({name})", "text": f"str({name})"}.get(expr.form, name)


def function_name(task: str) -> str:
    """Return a name for the function of a task."""
    words = re.sub(r"[^a-z0-9]+", "_", task.casefold())[:40].strip("_")
    name = words if words.isidentifier() else f"do_{words}".rstrip("_")
    return name + "_" if keyword.iskeyword(name) or name in RESERVED else name
