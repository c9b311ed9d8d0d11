"""Params: the values that differ from run to run, and how to find them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ....errors import InvalidTypeError, InvalidValueError, NotStorableError
from ... import codec
from ...codec.walk import leaves_of, stored_leaves
from ...model.param import Param
from ...model.records import Expr, Leafwise, Lit, Node, Par, ParamPath, Part, PartOf, Tpl
from ...model.text import safe_repr
from ...redaction.traces import SMALL_INT, decimal_text, is_small, text_forms
from ..texts.needles import Needles
from ..texts.tokens import token_positions, word_positions
from .forms import leafwise
from .leaf_index import LeafIndex
from .parts import field_name
from .relations import parts_of_others
from .values import canonical_or_none, is_number, plain_text, size_of, visible_structure

_HASHED = frozenset({str, int, bool, type(None), bytes})  # equal and of one type: equal canonical bytes
_NOBODY: frozenset[str] = frozenset()


class Params:
    """The params of one run, prepared for searches by bytes, text and identity.

    `vouched` has for each name the arguments (tool.argument) that get the param whatever its size. With `is_learned`,
    the params were read in a text, and no caller has named them. Secret params are
    registered under the same names with the run's redactor; their values are not searched here.
    """

    __slots__ = (
        "_by_value",
        "_finders",
        "_index",
        "_kinds",
        "canonical",
        "expressions",
        "is_learned",
        "names_by_bytes",
        "opaque",
        "secret",
        "subclassed",
        "texts",
        "values",
        "vouched",
    )

    def __init__(self, values: Mapping[str, Any] | None, *, is_learned: bool = False) -> None:
        self.is_learned = is_learned
        self.vouched: dict[str, frozenset[str]] = {}
        self.values = self._validated(values)
        self.canonical: dict[str, bytes] = {}
        self.opaque: list[str] = []
        self.subclassed: list[str] = []
        self.secret: set[str] = set()
        self.texts: dict[str, str] = {}
        for name in sorted(self.values):
            value = plain_text(self.values[name])
            if value is not self.values[name]:
                self.subclassed.append(name)
            try:
                self.canonical[name] = codec.canonical(value)
            except NotStorableError:
                self.opaque.append(name)
                continue
            if type(value) is str:
                self.texts[name] = value
            elif type(value) is int:
                self.texts[name] = decimal_text(value)
        self.names_by_bytes: dict[bytes, list[str]] = {}
        for name, data in self.canonical.items():
            self.names_by_bytes.setdefault(data, []).append(name)
        self._forget_derived()

    def _validated(self, values: Mapping[str, Any] | None) -> dict[str, Any]:
        """Return the values by name, those that are wrapped in a Param taken out of it."""
        if values is None:
            return {}
        if not isinstance(values, Mapping):
            raise InvalidTypeError(f"invalid params=: expected a mapping of names to values, got {safe_repr(values)}")
        for name in values:
            if not isinstance(name, str):
                raise InvalidTypeError(f"invalid params=: expected names that are strings, got {safe_repr(name)}")
            if not name:
                raise InvalidValueError("invalid params=: expected names that are not empty, got ''")
        found = dict(values)
        for name, value in found.items():
            if type(value) is Param:
                found[name] = value.value
                self.vouched[name] = frozenset(value.bind)
        return found

    def _forget_derived(self) -> None:
        self._index: LeafIndex | None = None
        self._finders: dict[bool, tuple[Needles, dict[str, str]]] = {}
        self._by_value: dict[Any, list[str]] = {}
        self._kinds: dict[type, set[int]] = {}
        self.expressions: dict[Any, Expr] = {}  # of encoded arguments
        for names in self.names_by_bytes.values():
            for name in names:
                value = plain_text(self.values[name])
                self._kinds.setdefault(type(value), set()).add(size_of(value))
                if type(value) in _HASHED:
                    self._by_value[type(value), value] = names

    def __bool__(self) -> bool:
        return bool(self.values)

    def mark_secret(self, name: str) -> None:
        """Treat a param as a secret from now on: it is not bound or compared as a param."""
        self.secret.add(name)
        self.texts.pop(name, None)
        data = self.canonical.pop(name, None)
        if data is not None:
            self.names_by_bytes[data].remove(name)
        self._forget_derived()

    def plain_names(self) -> list[str]:
        """Return the names of the params that are not secrets."""
        return sorted(self.values.keys() - self.secret)

    def leaves(self) -> list[Any]:
        """Return the leaves of the params that are not secrets, as they are now."""
        return [leaf for name in self.plain_names() for leaf in leaves_of(self.values[name])]

    def vouched_for(self, tool: str, argument: str) -> frozenset[str]:
        """Return the params that the caller binds to an argument of a tool.

        Their size does not matter.
        """
        if not self.vouched:
            return _NOBODY
        places = (f"{tool}.{argument}", f"{tool.rpartition('.')[2]}.{argument}")
        return frozenset(name for name, bind in self.vouched.items() if not bind.isdisjoint(places))

    def equal_groups(self) -> tuple[tuple[str, ...], ...]:
        """Return the groups of params with equal values.

        Which param of a group a step uses cannot be determined.
        """
        groups: dict[Any, list[str]] = {}
        for name in self.plain_names():
            groups.setdefault(self.equality_key(name), []).append(name)
        return tuple(tuple(names) for names in groups.values() if len(names) > 1)

    def equality_key(self, name: str) -> Any:
        """Return a key that equal values share: canonical bytes, or the identity."""
        return self.canonical.get(name) or id(self.values[name])

    def ambiguous(self) -> tuple[set[str], list[PartOf]]:
        """Return the params that may be confused, and those that are parts (E2).

        Both are relative to other params. The texts of the first are equal although the values differ, such as "5" and
        5, or "john" and "JOHN".
        """
        groups: dict[str, list[str]] = {}
        scalars: dict[str, Any] = {}
        containers: dict[str, Any] = {}
        for name in self.canonical:
            value = plain_text(self.values[name])
            if issubclass(type(value), str | int | float | bytes):
                groups.setdefault(text_forms(value)[0], []).append(name)
            (containers if codec.unfold(value) is not None else scalars)[name] = value
        found = {
            name for names in groups.values() if len({self.canonical[name] for name in names}) > 1 for name in names
        }
        if len(self.canonical) < 2:
            return found, []
        relations, unclear = parts_of_others(scalars, containers, self.leaf_index.find)
        return found | unclear, relations

    @property
    def leaf_index(self) -> LeafIndex:
        """The leaves of the params that are containers."""
        if self._index is None:
            self._index = LeafIndex({name: self.values[name] for name in self.canonical}, self.canonical)
        return self._index

    def leafwise(self, exprs: Iterable[Expr], with_keys: Iterable[str]) -> tuple[Leafwise, ...]:
        """Return the conditions of the params whose parts these expressions use.

        Some other params have conditions too.
        """
        used: dict[str, set[ParamPath]] = {}
        for expr in exprs:
            _note_paths(expr, used)
        return leafwise(self.values, used, with_keys)

    def type_name(self, name: str) -> str:
        """Return the type name of a param's value; empty without a canonical form."""
        kind = type(plain_text(self.values[name]))
        return f"{kind.__module__}:{kind.__qualname__}" if name in self.canonical else ""

    def changed_names(self) -> set[str]:
        """Return the params whose values were changed since the run began."""
        values = self.values
        return {name for name, data in self.canonical.items() if canonical_or_none(plain_text(values[name])) != data}

    def digest_of(self, name: str) -> bytes:
        """Return a digest of a param's value.

        Without a canonical form, it is the digest of the value's storable parts and the types of the others.
        """
        return codec.digest(self.canonical.get(name) or repr(visible_structure(self.values[name], 0)).encode())

    def match_whole(
        self, value: Any, argument: str | None, *, all_sizes: bool = False, vouched: frozenset[str] = _NOBODY
    ) -> str | None:
        """Return the param whose value equals `value` exactly.

        A small value matches only if `argument` is the param's name, if it is vouched for, or with `all_sizes`.
        """
        kind = type(value)
        sizes = self._kinds.get(kind)
        if sizes is None:
            return None
        if kind in _HASHED:
            names = self._by_value.get((kind, value))
        elif size_of(value) not in sizes:
            return None
        else:
            data = canonical_or_none(value)
            names = None if data is None else self.names_by_bytes.get(data)
        if not names:
            return None
        if argument in names:
            return argument
        if all_sizes or not is_small(value):
            return names[0]
        return next((name for name in names if name in vouched), None)

    def match_in_text(
        self, text: str, *, all_sizes: bool = False, vouched: frozenset[str] = _NOBODY
    ) -> tuple[str, ...] | None:
        """Return `text` as literal, name, literal, ..., literal; None without a match.

        The names are the params that occur in the text as tokens. The longest value wins. The result is also None if
        two occurrences overlap, because either may be meant. With `all_sizes`, as for a task key, and for params that
        are vouched for, joined tokens count too, and in a script without spaces a param counts wherever it stands.
        """
        needles, names = self._finder(all_sizes)
        parts = set(needles.found_in(text))
        named: dict[str, str] = {}
        if vouched:
            named = {self.texts[name]: name for name in sorted(vouched, reverse=True) if self.texts.get(name)}
            names = {**names, **named}
            parts.update(part for part in named if part in text)
        positions = word_positions if all_sizes else token_positions
        found: list[tuple[int, int, str]] = []
        for part in sorted(parts, key=lambda part: (-len(part), part)):
            for start in (word_positions if part in named else positions)(text, part):
                end = start + len(part)
                overlapping = [(s, e) for s, e, _ in found if start < e and s < end]
                if not overlapping:
                    found.append((start, end, names[part]))
                elif not all_sizes and not any(s <= start and end <= e for s, e in overlapping):
                    return None
        if not found:
            return None
        pieces: list[str] = []
        at = 0
        for start, end, name in sorted(found):
            pieces += [text[at:start], name]
            at = end
        return (*pieces, text[at:])

    def _finder(self, all_sizes: bool) -> tuple[Needles, dict[str, str]]:
        """Return the texts of the params that are searched for in texts, and their names."""
        found = self._finders.get(all_sizes)
        if found is None:
            names = {
                self.texts[name]: name
                for name in sorted(self.texts, reverse=True)
                if all_sizes or not is_small(plain_text(self.values[name]))
            }
            names.pop("", None)
            found = self._finders[all_sizes] = Needles(names), names
        return found

    def match_part(self, value: Any, argument: str | None, vouched: frozenset[str]) -> Part | None:
        """Return the expression of a leaf that is a part of a param.

        The number that a text param spells counts as one.
        """
        if type(value) is int and (value >= SMALL_INT or vouched):
            names = self._by_value.get((str, decimal_text(value)), ())
            name = next((name for name in names if value >= SMALL_INT or name in vouched), None)
            if name is not None:
                return Part(name, form="number")
        if not self.leaf_index:
            return None
        for other, form in _spellings(value):
            found = self.leaf_index.find(other)
            if found is not None and (not is_small(other) or found[0] in vouched or field_name(found[1]) == argument):
                return Part(*found, form) if _is_encodable_path(found[1]) else None
        return None


def _spellings(value: Any) -> Iterable[tuple[Any, str]]:
    """Yield a leaf itself, and the value whose decimal text or number it is.

    Each comes with the form to convert it.
    """
    yield value, ""
    if type(value) is str and is_number(value) and int(value) >= SMALL_INT:
        yield int(value), "text"
    elif type(value) is int and value >= SMALL_INT:
        yield decimal_text(value), "number"


def _is_encodable_path(path: ParamPath) -> bool:
    return is_encodable(tuple(part for part in path if isinstance(part, str)))


def _note_paths(expr: Expr, used: dict[str, set[ParamPath]]) -> None:
    if isinstance(expr, Par):
        used.setdefault(expr.name, set()).add(expr.path if isinstance(expr, Part) else ())
    elif isinstance(expr, Tpl):
        for name in expr.parts[1::2]:
            used.setdefault(name, set()).add(())
    elif isinstance(expr, Node):
        for item in expr.items:
            _note_paths(item, used)


NO_PARAMS = Params(None)
"""The params of a run without any."""


def to_expression(
    value: Any,
    params: Params,
    argument: str | None,
    *,
    all_sizes: bool = False,
    vouched: frozenset[str] = _NOBODY,
) -> Expr:
    """Return the expression of a storable value.

    Params are bound as whole values, as tokens in texts and inside containers. `all_sizes` is for a task key: it also
    binds small values and joined tokens, because the guards and suspicions detect a wrong match. `vouched` are the
    params that the caller binds to this argument.
    """
    if not params.canonical:
        return Lit(codec.encode(value))
    name = params.match_whole(value, argument, all_sizes=all_sizes, vouched=vouched)
    if name is not None:
        return Par(name)
    part = None if all_sizes else params.match_part(value, argument, vouched)
    if part is not None:
        return part
    if type(value) is str:
        parts = params.match_in_text(value, all_sizes=all_sizes, vouched=vouched)
        if parts is not None and (all_sizes or any(parts[::2]) or is_number(value)) and is_encodable(parts):
            return Tpl(parts)
    unfolded = codec.unfold(value)
    if unfolded is None:
        return Lit(codec.encode(value))
    kind, children = unfolded
    items = tuple(to_expression(child, params, None, all_sizes=all_sizes, vouched=vouched) for child in children)
    if any(type(item) is not Lit for item in items):
        return Node(kind, items)
    return Lit(codec.encode(value))


def is_encodable(parts: tuple[str, ...]) -> bool:
    try:
        "".join(parts).encode()
    except UnicodeEncodeError:  # The codec can write a lone surrogate in a literal, but not in a template.
        return False
    return True


def params_used_in(expr: Expr) -> Iterable[str]:
    """Yield the names of the params that an expression uses."""
    if isinstance(expr, Par):
        yield expr.name
    elif isinstance(expr, Tpl):
        yield from expr.parts[1::2]
    elif isinstance(expr, Node):
        for item in expr.items:
            yield from params_used_in(item)


def literal_leaves(expr: Expr) -> Iterable[Any]:
    """Yield the literal leaves of an expression, and the literals of its templates."""
    if isinstance(expr, Lit):
        yield from stored_leaves(codec.decode(expr.data, lenient=True))
    elif isinstance(expr, Tpl):
        yield from (part for part in expr.parts[::2] if part)
    elif isinstance(expr, Node):
        for item in expr.items:
            yield from literal_leaves(item)
