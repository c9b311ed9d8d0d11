"""Arguments, encoded when the call is made so that mutation has no effect.

A value without a canonical form is recognized by identity: a context object, a param's value or an earlier output.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum
from itertools import islice
from typing import Any

from ....errors import NotStorableError, TooLargeError
from ... import codec
from ...codec.walk import MAX_VISITS, SCALARS
from ...model.records import Ctx, Expr, ForeignSecret, Lit, Node, Par, Ref, Sec
from ...model.secret import as_secret, foreign_kind
from ...redaction.redactor import Redactor
from ..outputs.parts import OutputParts
from ..params.search import Params, to_expression
from ..params.values import plain_text

_ONLY_TEXT = frozenset({str})
_MAX_DEPTH = 64
_PLAIN_CONTAINERS = frozenset({list, tuple, dict})
_MAX_EMPTY = 8  # bytes that no empty container exceeds, which is small and no evidence
_REFUSAL_COST = 100  # visits that a part counts for if it cannot be stored


class Encoded:
    """A value that was encoded when the call was made."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data


class Container:
    """A container with a part that is known by identity."""

    __slots__ = ("items", "kind")

    def __init__(self, kind: str, items: list[Any]) -> None:
        self.kind = kind
        self.items = items


class Unencodable:
    """A value without a canonical form that is not known by identity.

    A step with such an argument cannot be replayed.
    """

    __slots__ = ("message", "path")

    def __init__(self, message: str, path: str) -> None:
        self.message = message
        self.path = path


class KnownObjects:
    """The objects that a run can recognize by identity.

    It keeps references to the objects, so that their ids are not reused. `redactor` knows the run's secrets.
    """

    __slots__ = ("_by_text", "_expressions", "_kept_alive", "_parts", "redactor")

    def __init__(self, redactor: Redactor | None = None) -> None:
        self.redactor = Redactor() if redactor is None else redactor
        self._expressions: dict[int, tuple[Expr, bytes | None]] = {}
        self._kept_alive: list[Any] = []
        self._by_text: dict[tuple[type, str], Expr] = {}
        self._parts = OutputParts()

    def __bool__(self) -> bool:
        return bool(self._expressions)

    def add(self, value: Any, expression: Expr, data: bytes | None = None) -> None:
        """Recognize `value` as `expression` from now on.

        With `data`, the value is recognized only while it encodes to these bytes.
        """
        if has_identity(value):
            self._expressions[id(value)] = (expression, data)
            self._kept_alive.append(value)
            if isinstance(expression, Ref):
                self._parts.add(value, expression, data)

    def add_text(self, value: str, expression: Expr) -> None:
        """Recognize an instance of a subclass of str by its class and its text."""
        self.add(value, expression)
        self._by_text[type(value), plain_text(value)] = expression

    def find(self, value: Any) -> Expr | None:
        """Return the expression of this object; None if it is unknown or was mutated."""
        found = self._expressions.get(id(value))
        if found is None:
            if self._by_text and issubclass(type(value), str):
                return self._by_text.get((type(value), plain_text(value)))
            return self._parts.find(value) if has_identity(value) else None
        expression, data = found
        if data is not None:
            try:
                if codec.encode(value) != data:  # It was mutated: it is not the earlier output any more.
                    return None
            except NotStorableError:
                return None
        return expression

    def may_contain(self, value: Any, depth: int = 0) -> bool:
        """Return whether a part of a value may be known.

        Lists, tuples and dicts are searched. Any other container counts as one that may contain a known object.
        """
        kind = type(value)
        if kind is dict:
            if not _ONLY_TEXT.issuperset(map(type, value)):
                return True
            value = value.values()
        elif (kind is not list and kind is not tuple) or depth > _MAX_DEPTH:
            return True
        if SCALARS.issuperset(map(type, value)):
            return False
        expressions = self._expressions
        for part in value:
            if type(part) in SCALARS:
                continue
            if id(part) in expressions or self._parts.may_be_part(part) or self.may_contain(part, depth + 1):
                return True
        return False

    def secret_expression(self, value: Any, path: str, tool: str = "") -> Sec:
        """Return the expression of a Secret, or of a secret of pydantic.

        One that the run was not given gets the name of its position in the arguments.
        """
        name = self.redactor.name_of(value, path) or self.redactor.add_from_argument(tool, path, value)
        kind = foreign_kind(value)
        return ForeignSecret(name, True, kind) if kind else Sec(name, True)


def has_identity(value: Any) -> bool:
    """Return whether the identity of a value distinguishes it from equal values.

    It does not for scalars, enum members, classes, and empty containers that cannot change.
    """
    if type(value) in SCALARS or issubclass(type(value), Enum | type):
        return False
    if type(value) in (tuple, frozenset):
        return len(value) > 0
    return True


def freeze(value: Any, known: KnownObjects, path: str, budget: Iterator[int] | None = None) -> Any:
    """Return the frozen form of `value`, which later mutation does not change.

    A scalar stays as it is, and a known object becomes its expression. Anything else becomes Encoded, Container or
    Unencodable. `budget` bounds the number of parts that are visited, because parts may be shared or contain
    themselves.
    """
    if type(value) in SCALARS:
        return value
    if known:
        expression = known.find(value)
        if expression is not None:
            return expression
    if as_secret(value) is not None:
        return known.secret_expression(value, path)
    try:
        frozen: Any = Encoded(codec.encode(value))
    except NotStorableError as error:
        frozen = Unencodable(str(error), f"{path}{getattr(error, 'path', '')}")
        if isinstance(error, TooLargeError) or " contains itself" in str(error):
            return frozen
        if budget is not None:
            next(islice(budget, _REFUSAL_COST, _REFUSAL_COST), None)
    if isinstance(frozen, Unencodable) or (known and known.may_contain(value)):
        container = _freeze_container(value, known, path, iter(range(MAX_VISITS)) if budget is None else budget)
        if container is not None:
            return container
    return frozen


def _freeze_container(value: Any, known: KnownObjects, path: str, budget: Iterator[int]) -> Container | None:
    if next(budget, None) is None or path.count("[") + path.count(".") > _MAX_DEPTH:
        return None
    try:
        unfolded = codec.unfold(value)
    except NotStorableError:
        return None
    if unfolded is None:
        return None
    kind, children = unfolded
    items = [
        freeze(child, known, path + codec.child_path(kind, index, children), budget)
        for index, child in enumerate(children)
    ]
    if any(isinstance(item, Ref | Container | Unencodable) or is_expression(item) for item in items):
        return Container(kind, items)
    return None


def is_expression(frozen: Any) -> bool:
    """Return whether a frozen value is an expression, which identity determined."""
    return isinstance(frozen, Expr)


def frozen_to_expression(
    frozen: Any, params: Params, argument: str | None, vouched: frozenset[str] = frozenset()
) -> Expr:
    """Return the expression of a frozen value, with params bound in it.

    `vouched` are the params that the caller binds to this argument. The caller must have rejected Unencodable values
    before.
    """
    if is_expression(frozen):
        expression: Expr = frozen
        return expression
    if isinstance(frozen, Container):
        return Node(frozen.kind, tuple(frozen_to_expression(item, params, None, vouched) for item in frozen.items))
    if isinstance(frozen, Encoded):
        if not params:
            return Lit(frozen.data)
        key = (frozen.data, argument, vouched)
        found = params.expressions.get(key)
        if found is None:  # It is kept, as the recording and the history of runs need it, and a walk costs much.
            found = params.expressions[key] = _encoded_to_expression(frozen.data, params, argument, vouched)
        return found
    return to_expression(frozen, params, argument, vouched=vouched)


def _encoded_to_expression(data: bytes, params: Params, argument: str | None, vouched: frozenset[str]) -> Expr:
    names = params.names_by_bytes.get(data) if len(data) > _MAX_EMPTY else None
    if names and type(params.values[names[0]]) in _PLAIN_CONTAINERS:  # Canonical bytes decode to a value that has them.
        return Par(argument if argument in names else names[0])
    return to_expression(codec.decode(data, lenient=True), params, argument, vouched=vouched)


def find_unencodable(frozen: Any) -> Unencodable | None:
    """Return the first Unencodable in a frozen value, if any."""
    if isinstance(frozen, Unencodable):
        return frozen
    if isinstance(frozen, Container):
        for item in frozen.items:
            found = find_unencodable(item)
            if found is not None:
                return found
    return None


def known_objects_of(params: Params, context: Sequence[Any], redactor: Redactor | None = None) -> KnownObjects:
    """Return what a run recognizes from its start.

    These are its context objects, and the params that the codec cannot write as they are. Context objects are found
    again by the names of their classes; those that share a name are left out, because they could be confused.
    """
    known = KnownObjects(redactor)
    names = [type(value).__qualname__ for value in context]
    for name, value in zip(names, context, strict=True):
        if names.count(name) == 1:
            known.add(value, Ctx(name))
    for name in params.opaque:
        if name not in params.secret:
            known.add(params.values[name], Par(name))
    for name in params.subclassed:
        if name not in params.secret:
            known.add_text(params.values[name], Par(name))
    return known


def references_in(frozen: Any) -> list[int]:
    """Return the steps whose outputs a frozen value contains."""
    if isinstance(frozen, Ref):
        return [frozen.step]
    if isinstance(frozen, Container):
        return [step for item in frozen.items for step in references_in(item)]
    return []


def display_value(frozen: Any) -> Any:
    """Return a frozen value for display and callbacks.

    The value is as it was when the call was made; known objects appear as expressions.
    """
    if isinstance(frozen, Encoded):
        return codec.decode(frozen.data, lenient=True)
    return frozen
