"""Params in snapshots: names in what is stored, values in what is compared (B12).

The values are those of this run. A masked snapshot is stored as a `Masked` behind a byte that no encoded value and no
name of a blob begins with. So recordings with different values of a param have equal rows.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, cast

import msgspec

from ....errors import DecodeError, NotStorableError
from ... import codec
from ...model.blobs import decode_message
from ...model.records import Expr, Lit, Masked, Node, Par, Part, StepRecord, Tpl
from ...redaction.traces import decimal_text, is_small
from ...tools.tool import Tool
from ..params.search import Params, literal_leaves, to_expression
from .resolve import Env, make_resolver

MASK_PREFIX = b"\xff"
MAX_NAME_LENGTH = 100
"""The length of the longest text argument that counts as the name of a place."""

_LABEL_MARKS = " \t:=-\"'"

Places = Mapping[str, Sequence[str]]
"""The params that went to each name: that of a param, of an argument, or of a field that a call fills."""


def is_masked(data: bytes | None) -> bool:
    """Return whether stored bytes are those of a masked snapshot."""
    return data is not None and data[:1] == MASK_PREFIX


def unpack_mask(data: bytes) -> Expr:
    """Return the expression of a masked snapshot.

    Raises DecodeError for other bytes.
    """
    expr = decode_message(data[1:], Masked).expr
    _ensure_snapshot(expr)
    return expr


def _ensure_snapshot(expr: Expr) -> None:
    """Raise DecodeError for an expression that is not made of literals and params."""
    if isinstance(expr, Node):
        for item in expr.items:
            _ensure_snapshot(item)
    elif not isinstance(expr, Lit | Par | Tpl) or (isinstance(expr, Tpl) and len(expr.parts) % 2 == 0):
        raise DecodeError(f"invalid snapshot: expected literals and params, got {type(expr).__name__}")


def pack_mask(expr: Expr) -> bytes:
    """Return the bytes in which the expression of a snapshot is stored."""
    return MASK_PREFIX + msgspec.msgpack.encode(Masked(expr))


def literal_values(data: bytes) -> Iterable[Any]:
    """Return the values that a stored snapshot holds in clear.

    Raises DecodeError for bytes of another form.
    """
    return literal_leaves(unpack_mask(data)) if is_masked(data) else (codec.decode(data, lenient=True),)


# -- places


def places_of(records: Sequence[StepRecord], params: Iterable[str]) -> Places:
    """Return under which names the params of recorded calls may stand in a snapshot.

    These are the param's own name, that of the argument that it went to, or of the key in it, and the texts that the
    same call got: `fill("#qty", qty)` fills the field "#qty". The first text of a pair is the name of the second.
    """
    found: dict[str, dict[str, None]] = {name: {name: None} for name in params}
    for record in records:
        used: dict[str, None] = {}
        texts: list[str] = []
        for argument, expr in record.arguments:
            if type(expr) is Lit:
                value = codec.decode(expr.data, lenient=True)
                if type(value) is str and 0 < len(value) <= MAX_NAME_LENGTH:
                    texts.append(value)
                continue
            for leaf in masked_leaves(expr, name=argument.lstrip("*")):
                used[leaf.expr.name] = None
                for name in {leaf.name, argument.lstrip("*")} - {""}:
                    found.setdefault(name, {})[leaf.expr.name] = None
        for text in texts if used else ():
            found.setdefault(text, {}).update(used)
    return {name: tuple(of) for name, of in found.items()}


class MaskedLeaf(msgspec.Struct, frozen=True):
    """One occurrence of a param in an expression: a leaf, or a token in a text.

    `place` leads to it, by keys and fields where there are any. `name` is the key or field that it belongs to, or the
    label before it in a text, in small letters. `around` is what stands around a token in its line.
    """

    place: tuple[Any, ...]
    name: str
    expr: Par
    around: tuple[str, ...] = ()


def masked_leaves(expr: Expr, place: tuple[Any, ...] = (), name: str = "") -> Iterator[MaskedLeaf]:
    """Yield the occurrences of params in an expression, in stored order."""
    if isinstance(expr, Par):
        yield MaskedLeaf(place, name, expr)
    elif isinstance(expr, Tpl):
        for index in range(1, len(expr.parts), 2):
            around = _line_around(expr.parts, index)
            label = around[0].strip(_LABEL_MARKS) if len(expr.parts) > 3 or any(expr.parts[::2]) else ""
            yield MaskedLeaf(place, label.lower() or name, Par(expr.parts[index]), around)
    elif isinstance(expr, Node):
        for index, item in enumerate(expr.items):
            if type(item) is not Lit:
                step, below = _child_place(expr, index)
                yield from masked_leaves(item, (*place, step), below)


def _child_place(expr: Node, index: int) -> tuple[Any, str]:
    """Return what leads to an item, and the name that it stands under."""
    if expr.kind == "dict":
        key = expr.items[index - index % 2]
        data = msgspec.msgpack.encode(key)
        if index % 2 == 0:
            return (data, "key"), ""
        return data, _text_of(key)
    if expr.kind in ("list", "tuple"):
        name = _text_of(expr.items[0]) if index == 1 and len(expr.items) == 2 else ""
        if name:
            return 1, name
        item = expr.items[index]
        is_pair = isinstance(item, Node) and item.kind in ("list", "tuple") and len(item.items) == 2
        return (_text_of(item.items[0]) if is_pair else "") or index, ""  # type: ignore[union-attr]  # A pair is a Node.
    if expr.kind in ("set", "frozenset"):
        return msgspec.msgpack.encode(expr.items[index]), ""
    field = codec.child_path(expr.kind, index, expr.items)[1:]
    return field, field


def _text_of(expr: Expr) -> str:
    """Return the text that an expression is, or an empty one."""
    value = codec.decode(expr.data, lenient=True) if type(expr) is Lit else None
    return value if type(value) is str else ""


def _line_around(parts: Sequence[str], index: int) -> tuple[str, ...]:
    """Return the parts of a template that stand in the line of one of its params."""
    before, after = [parts[index - 1].rpartition("\n")[2]], [parts[index + 1].partition("\n")[0]]
    at = index - 1
    while at > 0 and "\n" not in parts[at]:
        before[:0] = [parts[at - 2].rpartition("\n")[2], parts[at - 1]]
        at -= 2
    at = index + 1
    while at < len(parts) - 1 and "\n" not in parts[at]:
        after += [parts[at + 1], parts[at + 2].partition("\n")[0]]
        at += 2
    return (*before, *after)


def has_names(place: tuple[Any, ...]) -> bool:
    """Return whether a place is named by a key or field, and not by positions only."""
    return any(type(step) is not int for step in place)


# -- values to names


class SnapshotParams:
    """The params of a run, prepared to be found in snapshots.

    Texts of three characters or more are found anywhere, as whole texts and as tokens; other values only under a name
    that `places` has for them, or in a text behind it.
    """

    __slots__ = ("_alone", "_labels", "_needles", "_places", "_searched", "_texts", "_values")

    def __init__(self, params: Params, places: Places) -> None:
        self._values = {name: params.values[name] for name in params.canonical}
        self._places = places
        containers = {name for name, value in self._values.items() if codec.unfold(value) is not None}
        self._labels: dict[str, set[str]] = {}
        for place, names in places.items():
            self._labels.setdefault(place.lower(), set()).update(names)
        self._searched = Params(
            {
                name: value
                for name, value in self._values.items()
                if isinstance(value, str) or type(value) is int or name in containers
            }
        )
        self._alone = {name: Params({name: value}) for name, value in self._values.items()}
        self._needles: list[bytes] | None = None
        self._texts: list[str] | None = None  # None if the parts of params are searched for, too.
        if not containers:
            self._texts = [text for name, text in self._searched.texts.items() if not is_small(self._values[name])]
            self._needles = [text.encode("utf-8", "surrogatepass") for text in (*self._texts, *places)]

    def mask(self, data: bytes, literal_parts: frozenset[int] = frozenset()) -> bytes:
        """Return the stored form of a snapshot's bytes.

        It is the bytes themselves if no param is in them. `literal_parts` are the items of a tuple that stay as they
        are.
        """
        if not self._values or (self._needles is not None and not any(needle in data for needle in self._needles)):
            return data
        try:
            expr = self._expression(codec.decode(data, lenient=True), literal_parts)
        except NotStorableError:  # A part of the snapshot may exceed the codec's limits where the whole does not.
            return data
        return data if expr is None else pack_mask(expr)

    def _expression(self, value: Any, literal_parts: frozenset[int]) -> Expr | None:
        if literal_parts and type(value) is tuple:
            found = [None if at in literal_parts else self._mask(item, "") for at, item in enumerate(value)]
            return _node("tuple", value, found)
        return self._mask(value, "")

    def _mask(self, value: Any, name: str) -> Expr | None:
        """Return the expression of a value, or None if no param is in it."""
        named = self._named(value, name) if name in self._places else None
        if named is not None:
            return named
        if type(value) is str:
            return self._mask_text(value, name)
        unfolded = codec.unfold(value)
        if unfolded is None:
            return None
        kind, children = unfolded
        found = [self._mask(child, _name_of_child(kind, index, children)) for index, child in enumerate(children)]
        return _node(kind, children, found)

    def _mask_text(self, value: str, name: str) -> Expr | None:
        """Return the expression of a text, or None if no param is in it.

        A number in it is a param only behind its label or under its name.
        """
        if self._texts is not None and not any(text in value for text in self._texts):
            return None
        expr = to_expression(value, self._searched, None)
        if isinstance(expr, Tpl):
            fixed = {
                number: codec.encode(self._searched.texts[leaf.expr.name])
                for number, leaf in enumerate(masked_leaves(expr))
                if not isinstance(self._values[leaf.expr.name], str)
                and leaf.expr.name not in self._labels.get(leaf.name, ())
                and leaf.expr.name not in self._places.get(name, ())
            }
            expr = with_literals(expr, fixed)
        # A text that spells a number of a container is a number.
        return None if isinstance(expr, Lit) or (isinstance(expr, Part) and expr.form) else expr

    def _named(self, value: Any, name: str) -> Par | Tpl | None:
        """Return the param that a value is because of the name that it stands under."""
        for param in self._places[name]:
            alone = self._alone.get(param)
            if alone is None:
                continue
            if alone.match_whole(value, param) is not None:
                return Par(param)
            own = self._values[param]
            if type(own) is int and type(value) is str and value == decimal_text(own):
                return Tpl(("", param, ""))
            if type(value) is str or codec.unfold(value) is not None:
                continue
            expr = to_expression(value, alone, name)
            if isinstance(expr, Par | Tpl):
                return expr
        return None


def _node(kind: str, children: Sequence[Any], found: Sequence[Expr | None]) -> Node | None:
    """Return the expression of a container, or None if it has no param in it."""
    if all(item is None for item in found):
        return None
    items = [Lit(codec.encode(child)) if item is None else item for child, item in zip(children, found, strict=True)]
    return Node(kind, _stable_order(kind, tuple(items)))


def _name_of_child(kind: str, index: int, children: Sequence[Any]) -> str:
    if kind == "dict":
        key = children[index - 1] if index % 2 else None
        return key if type(key) is str else ""
    if kind in ("list", "tuple"):
        key = children[0] if index == 1 and len(children) == 2 else None  # A pair of a name and a value.
        return key if type(key) is str else ""
    if kind in ("set", "frozenset"):
        return ""
    return codec.child_path(kind, index, children)[1:]


def _stable_order(kind: str, items: tuple[Expr, ...]) -> tuple[Expr, ...]:
    """Return the items in an order that does not depend on the values of params."""
    if kind in ("set", "frozenset"):
        return tuple(sorted(items, key=msgspec.msgpack.encode))
    if kind == "dict" and any(type(key) is not Lit for key in items[::2]):
        pairs = sorted(zip(items[::2], items[1::2], strict=True), key=msgspec.msgpack.encode)
        return tuple(item for pair in pairs for item in pair)
    return items


# -- names to values


def bind(expr: Expr, values: Mapping[str, Any]) -> Any:
    """Return the value of a masked snapshot with these values of the params.

    Raises an exception if they do not fit: a param is missing, two keys become equal, a class is not known.
    """
    return _bind(expr, Env(values, [], ()))


def _bind(expr: Expr, env: Env) -> Any:
    if isinstance(expr, Lit):
        return codec.decode(expr.data, lenient=True)
    if isinstance(expr, Node):
        return codec.fold(expr.kind, tuple(_bind(item, env) for item in expr.items))
    resolve = make_resolver(expr, cast(Tool, None), "")  # Params do not depend on the tool.
    assert resolve is not None
    return resolve(env)


def with_literals(expr: Expr, values: Mapping[int, bytes]) -> Expr:
    """Return an expression with these occurrences of params as they were recorded.

    The occurrences are given by their numbers.
    """
    return _with_literals(expr, values, itertools.count()) if values else expr


def _with_literals(expr: Expr, values: Mapping[int, bytes], numbers: Iterator[int]) -> Expr:
    if isinstance(expr, Par):
        data = values.get(next(numbers))
        return expr if data is None else Lit(data)
    if isinstance(expr, Tpl):
        return _text_with_literals(expr.parts, values, numbers)
    if isinstance(expr, Node):
        return Node(expr.kind, tuple(_with_literals(item, values, numbers) for item in expr.items))
    return expr


def _text_with_literals(parts: Sequence[str], values: Mapping[int, bytes], numbers: Iterator[int]) -> Expr:
    found = [parts[0]]
    for index in range(1, len(parts), 2):
        data = values.get(next(numbers))
        if data is None:
            found += parts[index : index + 2]
        else:
            found[-1] += codec.decode(data) + parts[index + 1]
    return Tpl(tuple(found)) if len(found) > 1 else Lit(codec.encode(found[0]))
