"""Recorded arguments as source text, and descriptions of their sources."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import msgspec

from .._core import codec
from .._core.binding.guards.check import guard_value
from .._core.binding.params.search import literal_leaves
from .._core.binding.references.masking import is_masked, unpack_mask
from .._core.binding.references.resolve import param_text
from .._core.binding.texts.tokens import contains_token
from .._core.codec.mappings import is_mapping_kind
from .._core.model.records import Body, Ctx, Expr, Guard, Ign, Lit, Node, Par, Ref, Row, Sec, StepRecord, Tpl
from ..errors import DecodeError, MuscleMemError
from .text import decoded, printable, undecodable, value_text

LIMIT = 120


class Outputs:
    """Outputs of one observation, which turn stored paths into readable ones.

    A stored path consists of the numbers of children; the output of the step has their names.
    """

    def __init__(self, row: Row | None, steps: Sequence[StepRecord]) -> None:
        self._row = row
        self._steps = steps

    def place(self, step: int, path: Sequence[int]) -> str:
        """Return a path such as `['order_id']` or `.name[2]`; `[#3]` for an unknown child."""
        text = ""
        value, error = self._output(step)
        for index in path:
            unfolded = None if error else _unfold(value)
            if unfolded is None or index >= len(unfolded[1]):
                error = error or "lost"
                text += f"[#{index}]"
                continue
            kind, children = unfolded
            text += _child_path(kind, index, children)
            value = children[index]
        return text

    def described(self, step: int, path: Sequence[int]) -> str:
        """Return text such as `output of step 1 (find_order) at ['id']`."""
        name = f" ({self._steps[step].tool})" if 0 <= step < len(self._steps) else ""
        return f"output of step {step}{name}" + (f" at {self.place(step, path)}" if path else "")

    def _output(self, step: int) -> tuple[Any, str]:
        outputs = self._row.outputs if self._row is not None else ()
        return decoded(outputs[step]) if 0 <= step < len(outputs) and outputs[step] else (None, "not kept")


def _unfold(value: object) -> tuple[str, Sequence[object]] | None:
    """Return the children of a value like `codec.unfold`, also for unknown classes."""
    try:
        unfolded = codec.unfold(value)
    except MuscleMemError:
        return None
    if unfolded is None and isinstance(value, codec.Record):
        _, name, _, attributes = value.__record__
        return "\0".join(("record", name, *attributes)), tuple(attributes.values())
    return unfolded


def _child_path(kind: str, index: int, children: Sequence[object]) -> str:
    try:
        return codec.child_path(kind, index, children)
    except Exception:  # The kind comes from the store and may be invalid.
        return f"[#{index}]"


class Piece(NamedTuple):
    """Part of an argument's source text; `kind` says where its value comes from.

    It is one of "constant", "param", "template", "output", "context", "injected" and "secret", or empty for the
    punctuation between them.
    """

    kind: str
    text: str


def expression(expr: Expr, outputs: Outputs, limit: int | None = LIMIT) -> str:
    """Return an argument as source text.

    Examples: `'Login'`, `name`, `f'Dear {name},'`, `output[2]['id']`, `<Page>`, `<injected>`.
    """
    return "".join(piece.text for piece in pieces(expr, outputs, limit))


def pieces(expr: Expr, outputs: Outputs, limit: int | None = LIMIT) -> list[Piece]:
    """Return an argument as source text, in pieces by where the values come from."""
    if isinstance(expr, Lit):
        return [Piece("constant", printable(value_text(expr.data), limit))]
    if isinstance(expr, Par):
        return [Piece("param", printable(param_text(expr)))]
    if isinstance(expr, Tpl):
        return [Piece("template", printable(_template(expr.parts)))]
    if isinstance(expr, Ref):
        return [Piece("output", printable(f"output[{expr.step}]{outputs.place(expr.step, expr.path)}"))]
    if isinstance(expr, Ctx):
        return [Piece("context", printable(f"<{expr.name}>"))]
    if isinstance(expr, Ign):
        return [Piece("injected", "<injected>")]
    if isinstance(expr, Sec):
        return [Piece("secret", printable(f"<secret {expr.name}>"))]
    return list(_merged(_container(expr, [pieces(item, outputs, limit) for item in expr.items])))


def _merged(found: Iterable[Piece]) -> Iterator[Piece]:
    """Yield pieces without empty ones, with neighbors of one kind joined."""
    for kind, group in groupby(found, key=lambda piece: piece.kind):
        text = "".join(piece.text for piece in group)
        if text:
            yield Piece(kind, text)


def snapshot_text(data: bytes, limit: int | None = None) -> str:
    """Return a stored snapshot as source text, with the names of the params in it."""
    if not is_masked(data):
        return printable(value_text(data), limit)
    try:
        found = expression(unpack_mask(data), Outputs(None, ()), None)
    except DecodeError:
        return undecodable(data)
    return printable(found, limit)


def _template(parts: Sequence[str]) -> str:
    braced = [part.replace("{", "{{").replace("}", "}}") for part in parts]
    return "f" + repr("".join(p if i % 2 == 0 else "{" + parts[i] + "}" for i, p in enumerate(braced)))


def _container(expr: Node, items: Sequence[list[Piece]]) -> Iterator[Piece]:
    label, _, rest = expr.kind.partition("\0")
    if label == "list":
        yield from _listed("[", items, "]")
    elif label == "tuple":
        yield from _listed("(", items, ",)" if len(items) == 1 else ")")
    elif is_mapping_kind(expr.kind) and len(items) % 2 == 0:
        pairs = [[*key, Piece("", ": "), *value] for key, value in zip(items[::2], items[1::2], strict=True)]
        name = printable("" if label == "dict" else f"{label}({rest}{', ' if rest else ''}")
        yield from _listed(name + "{", pairs, "}" if label == "dict" else "})")
    elif label == "set":
        yield from _listed("{", items, "}")
    else:
        yield from _record(expr, label, rest, items)


def _record(expr: Node, label: str, rest: str, items: Sequence[list[Piece]]) -> Iterator[Piece]:
    name = printable(rest.partition("\0")[0].rpartition(":")[2] or label)
    if not rest:
        yield from _listed(name + "([", items, "])")
        return
    names = [_child_path(expr.kind, index, items).removeprefix(".") for index in range(len(items))]
    named = [[Piece("", printable(f"{field}=")), *item] for field, item in zip(names, items, strict=True)]
    yield from _listed(name + "(", named, ")")


def _listed(begin: str, items: Sequence[list[Piece]], end: str) -> Iterator[Piece]:
    yield Piece("", begin)
    for index, item in enumerate(items):
        if index:
            yield Piece("", ", ")
        yield from item
    yield Piece("", end)


class Source(msgspec.Struct, frozen=True):
    """Source of the argument or part at `place`: a code in `kind`, and a description."""

    place: str
    kind: str
    description: str
    guards: tuple[Guard, ...] = ()


def sources(name: str, expr: Expr, step: StepRecord, body: Body, outputs: Outputs) -> Iterator[Source]:
    """Yield the sources of an argument and its parts.

    Literals are left out unless they are guarded or cannot be decoded.
    """
    if isinstance(expr, Par):
        yield Source(name, "param", f"param {param_text(expr)}" + _param_description(expr.name, body))
    elif isinstance(expr, Tpl):
        names = list(dict.fromkeys(expr.parts[1::2]))
        about = "".join(_param_description(one, body) for one in names)
        yield Source(name, "template", f"template with param{'s' * (len(names) > 1)} {', '.join(names)}{about}")
    elif isinstance(expr, Ref):
        yield Source(name, "output", outputs.described(expr.step, expr.path))
    elif isinstance(expr, Ctx):
        yield Source(name, "context", f"context object of class {expr.name}")
    elif isinstance(expr, Ign):
        yield Source(name, "injected", "not stored; injected at replay, or the tool's default")
    elif isinstance(expr, Sec):
        yield Source(name, "secret", f"secret {expr.name}, never stored; passed again to each replay")
    elif isinstance(expr, Lit):
        yield from _literal(name, expr, step, outputs)
    else:
        for index, item in enumerate(expr.items):
            yield from sources(_part(name, expr, index, outputs), item, step, body, outputs)


def _part(name: str, expr: Node, index: int, outputs: Outputs) -> str:
    if is_mapping_kind(expr.kind):
        key = expression(expr.items[index - index % 2], outputs, 60)
        return f"{name}[{key}]" if index % 2 else f"{name}[key {key}]"
    return name + _child_path(expr.kind, index, expr.items)


def _param_description(name: str, body: Body) -> str:
    return ", only for the recorded value" if any(name == one for one, _ in body.fixed) else ""


def _literal(name: str, expr: Lit, step: StepRecord, outputs: Outputs) -> Iterator[Source]:
    _, error = decoded(expr.data)
    if error:
        yield Source(name, "unreadable", f"literal cannot be decoded: {error}")
        return
    guards = tuple(guard for guard in step.guards if _guards(guard, expr))
    if guards:
        yield Source(
            name, "guarded", "literal, guarded: " + "; ".join(guard_text(one, outputs) for one in guards), guards
        )


def guard_text(guard: Guard, outputs: Outputs) -> str:
    """Return the condition of a guard.

    Example: `output of step 1 (find_order) at ['id'] must be 4711`.
    """
    wanted = guard_value(guard) if guard.kind else value_text(guard.data)
    return f"{outputs.described(guard.step, guard.path)} must be {printable(wanted, 60)}"


def _guards(guard: Guard, expr: Expr) -> bool:
    """Return whether a guard refers to a value in this argument or in its text."""
    if guard.kind not in ("", "figure"):
        return False
    wanted, error = decoded(guard.data)
    text = str(wanted) if isinstance(wanted, str | int) and not error else None
    try:
        for leaf in literal_leaves(expr):
            if codec.canonical(leaf) == guard.data:
                return True
            if text and isinstance(leaf, str) and contains_token(leaf, text):
                return True
    except (MuscleMemError, ValueError):
        pass
    return False
