"""Arguments at the moment of the call: encoded at once, so that later mutation changes nothing.

What has no canonical form is recognised by identity: a context object, a param's value, an earlier output.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum
from itertools import islice
from typing import Any

from ...errors import NotStorableError, TooLargeError
from .. import codec
from ..model.records import Ctx, Expr, Lit, Node, Par, Ref, Sec
from ..model.secret import Secret
from ..redaction.redactor import Veil
from .params import Params, express

_SCALARS = frozenset({str, int, bool, float, type(None), bytes, complex})
_ONLY_TEXT = frozenset({str})
_MAX_DEPTH = 64
_MAX_LOOKS = 100_000
_A_REFUSAL = 100  # what it costs, in looks, to meet a part that cannot be stored


class Coded:
    """A value that was encoded when the call was made."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data


class Branch:
    """A container with something in it that is known by identity."""

    __slots__ = ("items", "kind")

    def __init__(self, kind: str, items: list[Any]) -> None:
        self.kind = kind
        self.items = items


class Opaque:
    """A value without a canonical form that nothing explains: its step cannot be replayed."""

    __slots__ = ("message", "path")

    def __init__(self, message: str, path: str) -> None:
        self.message = message
        self.path = path


class Known:
    """What a run can recognise by identity. It keeps the objects alive, so that an id stays theirs.

    `veil` knows the run's secrets.
    """

    __slots__ = ("_kept", "_marks", "veil")

    def __init__(self, veil: Veil | None = None) -> None:
        self.veil = Veil() if veil is None else veil
        self._marks: dict[int, tuple[Expr, bytes | None]] = {}
        self._kept: list[Any] = []

    def __bool__(self) -> bool:
        return bool(self._marks)

    def add(self, value: Any, mark: Expr, data: bytes | None = None) -> None:
        """Recognise `value` as `mark` from now on; with `data` only while it still encodes to the same bytes."""
        if has_identity(value):
            self._marks[id(value)] = (mark, data)
            self._kept.append(value)

    def find(self, value: Any) -> Expr | None:
        """The mark of this very object, if it is what it was."""
        found = self._marks.get(id(value))
        if found is None:
            return None
        mark, data = found
        if data is not None:
            try:
                if codec.encode(value) != data:  # mutated since: it is no longer the earlier output
                    return None
            except NotStorableError:
                return None
        return mark

    def may_hold(self, value: Any, depth: int = 0) -> bool:
        """Whether a part of a value may be known. Plain lists, tuples and dicts of plain leaves cannot hold any."""
        kind = type(value)
        if kind is dict:
            if not _ONLY_TEXT.issuperset(map(type, value)):
                return True
            value = value.values()
        elif (kind is not list and kind is not tuple) or depth > _MAX_DEPTH:
            return True
        if _SCALARS.issuperset(map(type, value)):
            return False
        marks = self._marks
        for part in value:
            if type(part) not in _SCALARS and (id(part) in marks or self.may_hold(part, depth + 1)):
                return True
        return False

    def secret(self, value: Secret[Any], path: str, tool: str = "") -> Sec:
        """The mark of a Secret; one that the run was not given is known by its place from now on."""
        return Sec(self.veil.name_of(value, path) or self.veil.adopt(tool, path, value), True)


def has_identity(value: Any) -> bool:
    """Whether being the same object says anything: not for scalars, enum members, empty containers and classes."""
    if type(value) in _SCALARS or isinstance(value, Enum | type):
        return False
    if type(value) in (list, tuple, dict, set, frozenset):
        return len(value) > 0
    return True


def freeze(value: Any, known: Known, path: str, looks: Iterator[int] | None = None) -> Any:
    """What `value` is now: a scalar as it is, an expression for a known object, else Coded, Branch or Opaque.

    `looks` bounds how many parts are looked into, which may share parts, or contain themselves.
    """
    if type(value) in _SCALARS:
        return value
    if known:
        mark = known.find(value)
        if mark is not None:
            return mark
    if isinstance(value, Secret):
        return known.secret(value, path)
    try:
        frozen: Any = Coded(codec.encode(value))
    except NotStorableError as error:
        frozen = Opaque(str(error), f"{path}{getattr(error, 'path', '')}")
        if isinstance(error, TooLargeError) or " contains itself" in str(error):
            return frozen
        if looks is not None:
            next(islice(looks, _A_REFUSAL, _A_REFUSAL), None)
    if isinstance(frozen, Opaque) or (known and known.may_hold(value)):
        branch = _branch(value, known, path, iter(range(_MAX_LOOKS)) if looks is None else looks)
        if branch is not None:
            return branch
    return frozen


def _branch(value: Any, known: Known, path: str, looks: Iterator[int]) -> Branch | None:
    if next(looks, None) is None or path.count("[") + path.count(".") > _MAX_DEPTH:
        return None
    try:
        unfolded = codec.unfold(value)
    except NotStorableError:
        return None
    if unfolded is None:
        return None
    kind, children = unfolded
    items = [
        freeze(child, known, path + codec.child_path(kind, index, children), looks)
        for index, child in enumerate(children)
    ]
    if any(isinstance(item, Ref | Branch | Opaque) or is_mark(item) for item in items):
        return Branch(kind, items)
    return None


def is_mark(frozen: Any) -> bool:
    """Whether this is an expression that was decided by identity."""
    return isinstance(frozen, Expr)


def thaw(frozen: Any, params: Params, argument: str | None) -> Expr:
    """The expression of a frozen value, params bound in it. Opaque values must have been refused before."""
    if is_mark(frozen):
        mark: Expr = frozen
        return mark
    if isinstance(frozen, Branch):
        return Node(frozen.kind, tuple(thaw(item, params, None) for item in frozen.items))
    if isinstance(frozen, Coded):
        if not params:
            return Lit(frozen.data)
        return express(codec.decode(frozen.data, lenient=True), params, argument)
    return express(frozen, params, argument)


def opaque_in(frozen: Any) -> Opaque | None:
    """The first opaque value in a frozen one, if any."""
    if isinstance(frozen, Opaque):
        return frozen
    if isinstance(frozen, Branch):
        for item in frozen.items:
            found = opaque_in(item)
            if found is not None:
                return found
    return None


def known_of(params: Params, context: Sequence[Any], veil: Veil | None = None) -> Known:
    """What a run recognises from its start: its context objects and the params without a canonical form.

    Context objects are found again by the names of their classes; two of one name could be taken for each other.
    """
    known = Known(veil)
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
    if isinstance(frozen, Branch):
        return [step for item in frozen.items for step in references_in(item)]
    return []


def shown(frozen: Any) -> Any:
    """A frozen value for people and callbacks: as it was when the call was made, marks as expressions."""
    if isinstance(frozen, Coded):
        return codec.decode(frozen.data, lenient=True)
    return frozen
