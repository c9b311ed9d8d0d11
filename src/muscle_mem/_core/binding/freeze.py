"""Arguments at the moment of the call: encoded immediately, so that later mutation changes nothing.

What has no canonical form is recognised by identity: a context object, a param's value, an earlier output.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum
from itertools import islice
from typing import Any

from ...errors import NotStorableError, TooLargeError
from .. import codec
from ..codec.walk import MAX_VISITS, SCALARS
from ..model.records import Ctx, Expr, Lit, Node, Par, Ref, Sec
from ..model.secret import Secret
from ..redaction.redactor import Redactor
from .params import Params, to_expression

_ONLY_TEXT = frozenset({str})
_MAX_DEPTH = 64
_REFUSAL_COST = 100  # what it costs, in looks, to meet a part that cannot be stored


class Encoded:
    """A value that was encoded when the call was made."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data


class Container:
    """A container with something in it that is known by identity."""

    __slots__ = ("items", "kind")

    def __init__(self, kind: str, items: list[Any]) -> None:
        self.kind = kind
        self.items = items


class Unencodable:
    """A value without a canonical form that nothing explains: its step cannot be replayed."""

    __slots__ = ("message", "path")

    def __init__(self, message: str, path: str) -> None:
        self.message = message
        self.path = path


class KnownObjects:
    """What a run can recognise by identity. It keeps the objects alive, so that an id stays theirs.

    `redactor` knows the run's secrets.
    """

    __slots__ = ("_expressions", "_kept_alive", "redactor")

    def __init__(self, redactor: Redactor | None = None) -> None:
        self.redactor = Redactor() if redactor is None else redactor
        self._expressions: dict[int, tuple[Expr, bytes | None]] = {}
        self._kept_alive: list[Any] = []

    def __bool__(self) -> bool:
        return bool(self._expressions)

    def add(self, value: Any, expression: Expr, data: bytes | None = None) -> None:
        """Recognise `value` as `expression` from now on; with `data` only while it still encodes to the same bytes."""
        if has_identity(value):
            self._expressions[id(value)] = (expression, data)
            self._kept_alive.append(value)

    def find(self, value: Any) -> Expr | None:
        """The mark of this very object, if it is what it was."""
        found = self._expressions.get(id(value))
        if found is None:
            return None
        expression, data = found
        if data is not None:
            try:
                if codec.encode(value) != data:  # mutated since: it is no longer the earlier output
                    return None
            except NotStorableError:
                return None
        return expression

    def may_contain(self, value: Any, depth: int = 0) -> bool:
        """Whether a part of a value may be known. Plain lists, tuples and dicts of plain leaves cannot hold any."""
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
            if type(part) not in SCALARS and (id(part) in expressions or self.may_contain(part, depth + 1)):
                return True
        return False

    def secret_expression(self, value: Secret[Any], path: str, tool: str = "") -> Sec:
        """The mark of a Secret; one that the run was not given is known by its place from now on."""
        return Sec(self.redactor.name_of(value, path) or self.redactor.add_from_argument(tool, path, value), True)


def has_identity(value: Any) -> bool:
    """Whether being the same object says anything: not for scalars, enum members, empty containers and classes."""
    if type(value) in SCALARS or isinstance(value, Enum | type):
        return False
    if type(value) in (list, tuple, dict, set, frozenset):
        return len(value) > 0
    return True


def freeze(value: Any, known: KnownObjects, path: str, budget: Iterator[int] | None = None) -> Any:
    """What `value` is now: a scalar as it is, an expression for a known object, else Coded, Branch or Opaque.

    `budget` bounds how many parts are looked into, which may share parts, or contain themselves.
    """
    if type(value) in SCALARS:
        return value
    if known:
        expression = known.find(value)
        if expression is not None:
            return expression
    if isinstance(value, Secret):
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
    """Whether this is an expression that was decided by identity."""
    return isinstance(frozen, Expr)


def frozen_to_expression(frozen: Any, params: Params, argument: str | None) -> Expr:
    """The expression of a frozen value, params bound in it. Opaque values must have been refused before."""
    if is_expression(frozen):
        expression: Expr = frozen
        return expression
    if isinstance(frozen, Container):
        return Node(frozen.kind, tuple(frozen_to_expression(item, params, None) for item in frozen.items))
    if isinstance(frozen, Encoded):
        if not params:
            return Lit(frozen.data)
        return to_expression(codec.decode(frozen.data, lenient=True), params, argument)
    return to_expression(frozen, params, argument)


def find_unencodable(frozen: Any) -> Unencodable | None:
    """The first opaque value in a frozen one, if any."""
    if isinstance(frozen, Unencodable):
        return frozen
    if isinstance(frozen, Container):
        for item in frozen.items:
            found = find_unencodable(item)
            if found is not None:
                return found
    return None


def known_objects_of(params: Params, context: Sequence[Any], redactor: Redactor | None = None) -> KnownObjects:
    """What a run recognises from its start: its context objects and the params without a canonical form.

    Context objects are found again by the names of their classes; two of one name could be taken for each other.
    """
    known = KnownObjects(redactor)
    names = [type(value).__qualname__ for value in context]
    for name, value in zip(names, context, strict=True):
        if names.count(name) == 1:
            known.add(value, Ctx(name))
    for name in params.opaque:
        if name in params.secret:
            continue
        known.add(params.values[name], Par(name))
    return known


def references_in(frozen: Any) -> list[int]:
    """The steps whose outputs a frozen value holds."""
    if isinstance(frozen, Ref):
        return [frozen.step]
    if isinstance(frozen, Container):
        return [step for item in frozen.items for step in references_in(item)]
    return []


def display_value(frozen: Any) -> Any:
    """A frozen value for people and callbacks: as it was when the call was made, marks as expressions."""
    if isinstance(frozen, Encoded):
        return codec.decode(frozen.data, lenient=True)
    return frozen
