"""Arguments that are read from the outputs that `flows=` declares (L8)."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ...codec.walk import SCALARS
from ...model.declared_flow import DeclaredFlow
from ...model.flow import OUTPUT, Element, Name, PathItem, Source
from ...model.records import Expr, Ref
from ...model.text import safe_repr
from ...tools.tool import Tool
from ..outputs.paths import (
    CONTAINERS,
    JSON,
    Attributes,
    Fields,
    attributes_of,
    children,
    fields_of,
    has_readable_attributes,
    key_digest,
    opened,
    parsed_json,
    text_of_json,
)

_MAX_SHOWN = 60


class FlowError(LookupError):
    """An output that does not have the value that a declared flow names.

    `seen` shows the output, `expected` the declaration.
    """

    def __init__(self, message: str, seen: str = "", expected: str = "") -> None:
        super().__init__(message)
        self.seen = seen
        self.expected = expected


class Found(NamedTuple):
    """A value in an output, with the path to it as a reference stores it."""

    value: Any
    path: tuple[int, ...]
    keys: tuple[bytes, ...]

    def reference(self, step: int) -> Ref:
        """Return the reference to this place in the output of a step."""
        return Ref(step, self.path, self.keys)


def path_items(flow: DeclaredFlow) -> tuple[PathItem, ...]:
    """Return the path of a declared flow as that of a source."""
    return tuple(Name(item) if isinstance(item, str) else Element(item) for item in flow.path)


def declared_sources(tools: Sequence[Tool], ended: Mapping[int, frozenset[int]]) -> list[dict[str, tuple[Source, ...]]]:
    """Return for each step the declared sources of its arguments, the latest first.

    Args:
        tools: The tool of each step.
        ended: The steps that had ended when each step began.
    """
    return [
        {
            name: tuple(
                Source(OUTPUT, step, path=path_items(flow))
                for step in sorted(ended.get(at, ()), reverse=True)
                if is_tool_of(flow, tools[step])
            )
            for name, flow in tool.flows.items()
        }
        for at, tool in enumerate(tools)
    ]


def is_tool_of(flow: DeclaredFlow, tool: Tool) -> bool:
    """Return whether a declared flow names a tool.

    It may use the stored name, the last parts of that name, or an alias.
    """
    return flow.tool in (tool.name, *tool.aliases) or tool.name.endswith(f".{flow.tool}")


def may_be_source(tool: Tool, path: Sequence[PathItem]) -> bool:
    """Return whether the `outputs=` of a tool allow a place in its output as a source.

    The names on the way to the place count, positions do not. What is below an allowed name is allowed, too.
    """
    if tool.outputs is None:
        return True
    names = [item.name for item in path if isinstance(item, Name)]
    allowed = (name.split(".") for name in tool.outputs)
    return any(names[: len(parts)] == parts for parts in allowed)


def find_value(output: Any, flow: DeclaredFlow) -> Found:
    """Return the value that a declared flow names in an output.

    Raises FlowError if there is none, or more than one, as in a JSON text with equal keys.
    """
    value = output
    path: list[int] = []
    keys: list[bytes] = []
    for item in flow.path:
        value = opened(value)
        if issubclass(type(value), str | bytes | bytearray):
            text = text_of_json(value)
            value = parsed_json(text)
            if isinstance(item, str) and _is_doubled(value, text, item):
                raise FlowError(f"has the field {item!r} more than once")
            path.append(0)
            keys.append(JSON)
        index, key, value = _position(value, item) if isinstance(item, int) else _field(value, item)
        path.append(index)
        keys.append(key)
    if JSON in keys and issubclass(type(value), dict | list):
        value = copy.deepcopy(value)  # The parsed form is shared.
    return Found(value, tuple(path), tuple(keys))


def _position(value: Any, at: int) -> tuple[int, bytes, Any]:
    is_list = issubclass(type(value), CONTAINERS) and not issubclass(type(value), dict)
    if not is_list or not -len(value) <= at < len(value):
        raise FlowError(f"has no item {at}")
    return at, b"", value[at]


def _field(value: Any, name: str) -> tuple[int, bytes, Any]:
    found = next(_fields_called(value, name), None)
    if found is None:
        raise FlowError(f"has no field {name!r}")
    return found


def _fields_called(value: Any, name: str) -> Iterator[tuple[int, bytes, Any]]:
    """Yield the fields with a name, each as in the path of a reference."""
    key = key_digest(name)
    if type(value) is Attributes:
        yield from ((at, key, child) for at, (own, child) in enumerate(value.items()) if own == name)
    elif issubclass(type(value), dict):
        yield from ((at, own, child) for at, (own, child) in enumerate(children(value)) if own == b"v" + key)
    elif type(value) not in SCALARS and type(value) not in (*CONTAINERS, set, frozenset):
        fields = value if type(value) is Fields else fields_of(value)
        if fields is not None:
            named = enumerate(zip(fields.names, fields.values, strict=True))
            yield from ((at, b"", child) for at, (own, child) in named if own == name)
        elif has_readable_attributes(value):
            yield from ((at, key, child) for at, (own, child) in enumerate(attributes_of(value)) if own == name)


def _is_doubled(parsed: Any, text: str, name: str) -> bool:
    """Return whether an object in a JSON text has a key more than once."""
    written = len(re.findall(rf'"{re.escape(name)}"\s*:', text))
    return written > 1 and written > _count_keys(parsed, name)


def _count_keys(value: Any, name: str) -> int:
    if isinstance(value, dict):
        return (name in value) + sum(_count_keys(child, name) for child in value.values())
    return sum(_count_keys(child, name) for child in value) if isinstance(value, list) else 0


def is_declared(expr: Any, flow: DeclaredFlow, tools: Sequence[Tool]) -> bool:
    """Return whether a recorded argument is read from where a flow declares.

    The fields of a class have only their positions in a recording, so their names are not compared.
    """
    if not isinstance(expr, Ref) or not 0 <= expr.step < len(tools) or not is_tool_of(flow, tools[expr.step]):
        return False
    keys = expr.keys or (b"",) * len(expr.path)
    steps = [(index, key) for index, key in zip(expr.path, keys, strict=False) if key != JSON]
    return len(steps) == len(flow.path) and all(map(_is_same_item, steps, flow.path))


def _is_same_item(step: tuple[int, bytes], item: str | int) -> bool:
    index, key = step
    if isinstance(item, int):
        return not key and index == item
    digest = key_digest(item)
    return key in (b"", digest, b"v" + digest)


def argument_text(name: str, expr: Expr, tool: Tool) -> str:
    """Return the source of an argument with a declared flow in a notation for display.

    It is empty for any other argument.
    """
    if not isinstance(expr, Ref) or name not in tool.flows:
        return ""
    return f"output[{expr.step}]" + "".join(f"[{item!r}]" for item in tool.flows[name].path)


def declared_resolver(step: int, tool: Tool, argument: str) -> Callable[[Any], Any]:
    """Return a function that reads an argument from the output of a step in a run.

    The function raises FlowError if the output does not have the value.
    """
    flow = tool.flows[argument]

    def resolve(env: Any) -> Any:
        output = env.results[step]
        try:
            return value_for(output, flow, tool, argument).value
        except FlowError as error:
            seen = safe_repr(output, _MAX_SHOWN)
            message = (
                f"argument {argument!r} of {tool.name!r} is unclear: expected {flow!r}, but the output of step {step} "
                f"{error}, got {seen}"
            )
            raise FlowError(message, seen, repr(flow)) from None

    return resolve


def value_for(output: Any, flow: DeclaredFlow, tool: Tool, argument: str) -> Found:
    """Return the value in an output that an argument gets.

    None counts as missing unless it is the default of the parameter. Raises FlowError.
    """
    found = find_value(output, flow)
    if found.value is None:
        parameter = tool.signature.parameters.get(argument) if tool.signature else None
        if parameter is None or parameter.default is not None:
            raise FlowError("has None there" if flow.path else "is None")
    return found
