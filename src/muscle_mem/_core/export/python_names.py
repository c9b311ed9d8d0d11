"""The names that a written function uses: for params, tools, objects and outputs, each one once."""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterable
from typing import Final

from .literals import RESERVED, UnwritableError

_VERBS: Final = re.compile(r"^(find|get|read|load|fetch|look_up|list|make|create|open|search)_(?=\w)")


class Names:
    """Give each meaning a unique identifier, the plain one if it is free."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._given: dict[tuple[str, str], str] = {}
        self._used = {*taken, *RESERVED, *keyword.kwlist}

    def of(self, kind: str, meant: str, wish: str = "") -> str:
        """The identifier of something: always the same one."""
        found = self._given.get((kind, meant))
        if found is None:
            found = self._given[kind, meant] = self._free(identifier(wish or meant))
        return found

    def of_kind(self, kind: str) -> list[str]:
        """The identifiers of a kind, in the order in which they were asked for."""
        return [name for (of, _), name in self._given.items() if of == kind]

    def all(self) -> list[str]:
        """All that were given."""
        return list(self._given.values())

    def _free(self, wish: str) -> str:
        name, count = wish, 1
        while name in self._used:
            count += 1
            name = f"{wish}_{count}" if wish not in keyword.kwlist or count > 2 else f"{wish}_"
        self._used.add(name)
        return name


def identifier(text: str) -> str:
    """A name as like the text as Python allows, at most 60 characters."""
    name = re.sub(r"\W+", "_", text).strip("_")[:60].strip("_")
    if not name.isidentifier():
        name = f"_{name}" if name else "value"
    return name if name.isidentifier() else "value"


def snake(name: str) -> str:
    """`LoginPage` as `login_page`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def output_name(tool: str) -> str:
    """What a tool's output may be called: `find_order` gives an `order`."""
    last = snake(tool.rpartition(".")[2])
    thing = _VERBS.sub("", last)
    return thing if thing != last else f"{last}_result"


def tool_parts(tool: str) -> list[str]:
    """The parts of a stored name that lead to the tool. Raises UnwritableError for one that Python cannot call."""
    parts = tool.rpartition("<locals>.")[2].split(".")
    if not all(part.isidentifier() and not keyword.iskeyword(part) for part in parts):
        raise UnwritableError(f"the tool {tool!r} has no name that Python can call; give it one with name=")
    return parts


def function_name(task: str) -> str:
    """What the function of a task is called."""
    words = re.sub(r"[^a-z0-9]+", "_", task.casefold())[:40].strip("_")
    name = words if words.isidentifier() else f"do_{words}".rstrip("_")
    return name + "_" if keyword.iskeyword(name) or name in RESERVED else name
