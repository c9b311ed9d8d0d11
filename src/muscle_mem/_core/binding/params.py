"""Params: the values that differ from run to run, and how to find them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ...errors import InvalidTypeError, InvalidValueError, NotStorableError
from .. import codec
from ..codec.walk import stored_leaves
from ..model.records import Expr, Lit, Node, Par, Tpl
from ..model.text import safe_repr
from ..redaction.traces import SHORT_TEXT, contains_any, decimal_text, is_small, text_forms

_WORD = re.compile(r"[^\W_]+")
_JOINERS = "_\u200c\u200d"


def token_positions(text: str, part: str) -> Iterator[int]:
    """Yield the positions where `part` occurs in `text` as a token.

    A token is bounded by anything but letters, digits and underscores.
    """
    at = text.find(part) if part else -1
    while at >= 0:
        end = at + len(part)
        joined_before = at > 0 and (_is_word_char(text[at - 1]) or unicodedata.category(part[0])[0] == "M")
        if not joined_before and not (end < len(text) and _is_word_char(text[end])):
            yield at
        at = text.find(part, at + 1)


def _is_word_char(char: str) -> bool:
    """Return whether a character belongs to a word.

    These are letters, digits and underscores, and characters that modify or join letters: accents, vowel signs,
    joiners.
    """
    return char.isalnum() or char in _JOINERS or unicodedata.category(char)[0] == "M"


def contains_token(text: str, part: str) -> bool:
    """Return whether `part` occurs in `text` as a token."""
    return next(token_positions(text, part), None) is not None


class Params:
    """The params of one run, prepared for searches by bytes, text and identity.

    Secret params are registered under the same names with the run's redactor; their values are not searched here.
    """

    __slots__ = ("_text_forms", "_words", "canonical", "names_by_bytes", "opaque", "secret", "texts", "values")

    def __init__(self, values: Mapping[str, Any] | None) -> None:
        if values is None:
            values = {}
        if not isinstance(values, Mapping):
            raise InvalidTypeError(f"invalid params=: expected a mapping of names to values, got {safe_repr(values)}")
        for name in values:
            if not isinstance(name, str):
                raise InvalidTypeError(f"invalid params=: expected names that are strings, got {safe_repr(name)}")
            if not name:
                raise InvalidValueError("invalid params=: expected names that are not empty, got ''")
        self.values: dict[str, Any] = dict(values)
        self.canonical: dict[str, bytes] = {}
        self.opaque: list[str] = []
        self.secret: set[str] = set()
        self.texts: dict[str, str] = {}
        for name in sorted(self.values):
            value = self.values[name]
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
        self._text_forms: dict[str, frozenset[str]] = {}
        self._words: dict[str, list[set[str]]] = {}

    def __bool__(self) -> bool:
        return bool(self.values)

    def mark_secret(self, name: str) -> None:
        """Treat a param as a secret from now on: it is not bound or compared as a param."""
        self.secret.add(name)
        self.texts.pop(name, None)
        data = self.canonical.pop(name, None)
        if data is not None:
            self.names_by_bytes[data].remove(name)

    def plain_names(self) -> list[str]:
        """Return the names of the params that are not secrets."""
        return sorted(self.values.keys() - self.secret)

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

    def ambiguous(self) -> set[str]:
        """Return the params whose text equals another's although the values differ.

        Examples are "5" and 5, or "john" and "JOHN".
        """
        groups: dict[str, list[str]] = {}
        for name, value in self.values.items():
            if name in self.canonical and issubclass(type(value), str | int | float | bytes):
                groups.setdefault(text_forms(value)[0], []).append(name)
        found = {
            name for names in groups.values() if len({self.canonical[name] for name in names}) > 1 for name in names
        }
        for name, value in self.values.items():
            if codec.unfold(value) is not None:  # A part may equal another param: which is meant cannot be known.
                parts = {
                    text_forms(leaf)[0] for leaf in stored_leaves(value) if not is_small(leaf) and text_forms(leaf)
                }
                found.update(other for text, names in groups.items() if text in parts for other in (*names, name))
        return found

    def type_name(self, name: str) -> str:
        """Return the type name of a param's value; empty without a canonical form."""
        kind = type(self.values[name])
        return f"{kind.__module__}:{kind.__qualname__}" if name in self.canonical else ""

    def changed_names(self) -> set[str]:
        """Return the params whose values were changed since the run began."""
        return {name for name, data in self.canonical.items() if _bytes_of(self.values[name]) != data}

    def digest_of(self, name: str) -> bytes:
        """Return a digest of a param's value.

        Without a canonical form, it is the digest of the value's storable parts and the types of the others.
        """
        return codec.digest(self.canonical.get(name) or repr(_visible_structure(self.values[name], 0)).encode())

    def match_whole(self, value: Any, argument: str | None, *, all_sizes: bool = False) -> str | None:
        """Return the param whose value equals `value` exactly.

        A small value matches only if `argument` is the param's name, or with `all_sizes`.
        """
        if not self.canonical:
            return None
        try:
            names = self.names_by_bytes.get(codec.canonical(value))
        except NotStorableError:
            return None
        if not names:
            return None
        if argument in names:
            return argument
        return names[0] if all_sizes or not is_small(value) else None

    def match_in_text(self, text: str, *, all_sizes: bool = False) -> tuple[str, ...] | None:
        """Return `text` as literal, name, literal, ..., literal; None without a match.

        The names are the params that occur in the text as tokens. The longest value wins. The result is also None if
        two occurrences overlap, because either may be meant.
        """
        names = {
            self.texts[name]: name
            for name in sorted(self.texts, reverse=True)
            if all_sizes or not is_small(self.values[name])
        }
        found: list[tuple[int, int, str]] = []
        for part in sorted(names, key=lambda part: (-len(part), part)):
            for start in token_positions(text, part):
                end = start + len(part)
                overlapping = [(s, e) for s, e, _ in found if start < e and s < end]
                if not overlapping:
                    found.append((start, end, names[part]))
                elif not all_sizes and not any(s <= start and end <= e for s, e in overlapping):
                    return None
        if not found:
            return None
        parts: list[str] = []
        at = 0
        for start, end, name in sorted(found):
            parts += [text[at:start], name]
            at = end
        return (*parts, text[at:])

    def embedded_in(self, value: Any) -> Iterable[str]:
        """Yield the params whose value is in a literal leaf and cannot be bound.

        For example, the value is part of a word, or has another letter case.
        """
        data = _bytes_of(value)
        if data is None:
            return
        for name in self.values:
            if self.canonical.get(name) == data or contains_any(value, self._text_forms_of(name)):
                yield name

    def composed_in(self, value: Any) -> Iterable[str]:
        """Yield the params whose words make up a whole literal leaf.

        Examples are a first name, a part of an address or a date written as 2/1.
        """
        if is_small(value):
            return
        found = [
            words for words in (set(_WORD.findall(text)) for text in text_forms(value)) if _has_distinctive_word(words)
        ]
        if not found:
            return
        for name in self.values:
            if name not in self._words:
                self._words[name] = [set(_WORD.findall(text)) for text in self._text_forms_of(name)]
            if any(words <= of_param for words in found for of_param in self._words[name]):
                yield name

    def _text_forms_of(self, name: str) -> frozenset[str]:
        if name not in self._text_forms:
            param = self.values[name]
            self._text_forms[name] = frozenset(text for leaf in stored_leaves(param) for text in text_forms(leaf))
        return self._text_forms[name]


def _has_distinctive_word(words: Iterable[str]) -> bool:
    """Return whether one of these words is long enough to be distinctive."""
    return any(len(word) >= SHORT_TEXT for word in words)


def _bytes_of(value: Any) -> bytes | None:
    try:
        return codec.canonical(value)
    except NotStorableError:
        return None


def _visible_structure(value: Any, depth: int) -> Any:
    """Return the readable structure of a value without a canonical form.

    It consists of the storable parts and the types of the others.
    """
    data = _bytes_of(value)
    if data is not None:
        return data
    kind = f"{type(value).__module__}:{type(value).__qualname__}"
    unfolded = codec.unfold(value) if depth < codec.MAX_DEPTH else None
    return kind, [_visible_structure(child, depth + 1) for child in unfolded[1]] if unfolded else None


def to_expression(value: Any, params: Params, argument: str | None, *, all_sizes: bool = False) -> Expr:
    """Return the expression of a storable value.

    Params are bound as whole values, as tokens in texts and inside containers. `all_sizes` also binds small values. A
    task key may do that, because the guards detect a wrong match.
    """
    if not params.canonical:
        return Lit(codec.encode(value))
    name = params.match_whole(value, argument, all_sizes=all_sizes)
    if name is not None:
        return Par(name)
    if type(value) is str:
        parts = params.match_in_text(value, all_sizes=all_sizes)
        if parts is not None and (all_sizes or any(parts[::2])) and is_encodable(parts):
            return Tpl(parts)
        return Lit(codec.encode(value))
    unfolded = codec.unfold(value)
    if unfolded is not None:
        kind, children = unfolded
        items = tuple(to_expression(child, params, None, all_sizes=all_sizes) for child in children)
        if any(not isinstance(item, Lit) for item in items):
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


def untemplated_leaves(expr: Expr) -> Iterable[Any]:
    """Yield the literal leaves of an expression, without the parts of templates."""
    if isinstance(expr, Node):
        for item in expr.items:
            yield from untemplated_leaves(item)
    elif not isinstance(expr, Tpl):
        yield from literal_leaves(expr)
