"""Parts of recorded values and steps as `python_source` writes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ...errors import DecodeError
from .. import codec
from ..codec.mappings import is_mapping_kind
from ..model.flow import Name, Slot
from ..model.records import Expr, Guard, Par, StepRecord, Tpl
from ..plan.parallel import group_spans
from .layout import on_one_line
from .literals import Imports, UnwritableError, literal_source, quoted


def field_of(value: Any, item: Any) -> tuple[str, Any]:
    """Return the source of one part of a way, and the value there."""
    if isinstance(item, Slot) and isinstance(value, tuple) and item.index < len(value):
        return f"[{item.index}]", value[item.index]
    if isinstance(item, Name) and isinstance(value, dict) and item.name in value:
        return f"[{quoted(item.name)}]", value[item.name]
    fields = {} if isinstance(value, dict) else codec.fields_of(value) or {}
    if isinstance(item, Name) and item.name in fields and item.name.isidentifier():
        return f".{item.name}", fields[item.name]
    raise UnwritableError("cannot write a part of an element of a list")


def child_of(value: Any, index: int, imports: Imports) -> tuple[str, Any]:
    """Return the source of one step of a path, and the value there.

    Raises UnwritableError.
    """
    unfolded = codec.unfold(value)
    if unfolded is None and isinstance(value, codec.Record):
        names = list(value.__record__[3])
        if index < len(names) and names[index].isidentifier():
            return f".{names[index]}", value.__record__[3][names[index]]
    if unfolded is None or index >= len(unfolded[1]):
        raise UnwritableError("cannot write a part of an output: the newest recording does not have it")
    kind, children = unfolded
    if kind in ("list", "tuple"):
        return f"[{index}]", children[index]
    if is_mapping_kind(kind) and index % 2:
        return f"[{on_one_line(literal_source(codec.encode(children[index - 1]), imports))}]", children[index]
    path = codec.child_path(kind, index, children)
    if not path.startswith(".") or not path[1:].isidentifier():
        raise UnwritableError(f"cannot write a path to an item of a {kind.partition(chr(0))[0]}")
    return path, children[index]


def decoded(data: bytes) -> Any:
    """Return a stored value. Raises UnwritableError."""
    try:
        return codec.decode(data, lenient=True)
    except DecodeError as error:
        raise UnwritableError(f"cannot decode the value: {error}") from error


def distinctive_guards(guards: Sequence[Guard]) -> Iterator[Guard]:
    """Yield the guards that are not implied by others.

    A guard for a part of a text is implied by a guard for the whole text.
    """
    whole = {(guard.step, guard.path) for guard in guards if not guard.around}
    for guard in guards:
        if not guard.around or (guard.step, guard.path) not in whole:
            yield guard


def all_spans(steps: Sequence[StepRecord]) -> Iterator[tuple[int, int]]:
    """Yield the spans of parallel groups, and each other step as a span."""
    done = 0
    for start, stop in group_spans(steps):
        yield from ((at, at + 1) for at in range(done, start))
        yield start, stop
        done = stop
    yield from ((at, at + 1) for at in range(done, len(steps)))


def params_of(expr: Expr) -> set[str]:
    """Return the names of the params in an expression."""
    if isinstance(expr, Par):
        return {expr.name}
    if isinstance(expr, Tpl):
        return set(expr.parts[1::2])
    return set().union(*(params_of(item) for item in getattr(expr, "items", ())), set())
