"""Params: the values that differ from run to run, and where they stand in other values."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ...errors import InvalidTypeError, InvalidValueError, NotStorableError
from .. import codec
from ..codec.walk import stored_leaves
from ..model.records import Expr, Lit, Node, Par, Tpl
from ..redaction.traces import SHORT_TEXT, contains_any, decimal_text, is_small, text_forms

_WORD = re.compile(r"[^\W_]+")
_JOINERS = "_\u200c\u200d"


def token_positions(text: str, part: str) -> Iterator[int]:
    """Where `part` stands in `text` as a token: bounded by anything but letters, digits and underscore."""
    at = text.find(part) if part else -1
    while at >= 0:
        end = at + len(part)
        joined_before = at > 0 and (_is_word_char(text[at - 1]) or unicodedata.category(part[0])[0] == "M")
        if not joined_before and not (end < len(text) and _is_word_char(text[end])):
            yield at
        at = text.find(part, at + 1)


def _is_word_char(char: str) -> bool:
    """Letters, digits and underscore, and what is drawn onto a letter or joins two: accents, vowel signs, joiners."""
    return char.isalnum() or char in _JOINERS or unicodedata.category(char)[0] == "M"


def contains_token(text: str, part: str) -> bool:
    """Whether `part` stands in `text` as a token."""
    return next(token_positions(text, part), None) is not None


class Params:
    """The params of one run, prepared for being looked for: canonical bytes, texts, and opaque values by identity.

    Secret ones are given under the same names to the run's redactor, and nothing here looks at their values.
    """

    __slots__ = ("_text_forms", "_words", "canonical", "names_by_bytes", "opaque", "secret", "texts", "values")

    def __init__(self, values: Mapping[str, Any] | None) -> None:
        if values is None:
            values = {}
        if not isinstance(values, Mapping):
            raise InvalidTypeError(f"params must be a mapping of names to values, got {values!r}")
        for name in values:
            if not isinstance(name, str):
                raise InvalidTypeError(f"a param's name must be a string, got {name!r}")
            if not name:
                raise InvalidValueError("a param's name is empty")
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
        """Take a param for a secret: it is bound, guarded and compared as such, and not as a param."""
        self.secret.add(name)
        self.texts.pop(name, None)
        data = self.canonical.pop(name, None)
        if data is not None:
            self.names_by_bytes[data].remove(name)

    def plain_names(self) -> list[str]:
        """The names of the params that are not secrets."""
        return sorted(self.values.keys() - self.secret)

    def equal_groups(self) -> tuple[tuple[str, ...], ...]:
        """Groups of params with equal values: which of them a step meant cannot be determined."""
        groups: dict[Any, list[str]] = {}
        for name in self.plain_names():
            groups.setdefault(self.equality_key(name), []).append(name)
        return tuple(tuple(names) for names in groups.values() if len(names) > 1)

    def equality_key(self, name: str) -> Any:
        """What equal values have in common: canonical bytes, or being the same object."""
        return self.canonical.get(name) or id(self.values[name])

    def ambiguous(self) -> set[str]:
        """The params whose text is another's too, though the values differ: "5" and 5, "john" and "JOHN"."""
        groups: dict[str, list[str]] = {}
        for name, value in self.values.items():
            if name in self.canonical and isinstance(value, str | int | float | bytes):
                groups.setdefault(text_forms(value)[0], []).append(name)
        found = {
            name for names in groups.values() if len({self.canonical[name] for name in names}) > 1 for name in names
        }
        for name, value in self.values.items():
            if codec.unfold(value) is not None:  # a part of one may be another: which was meant cannot be determined
                parts = {
                    text_forms(leaf)[0] for leaf in stored_leaves(value) if not is_small(leaf) and text_forms(leaf)
                }
                found.update(other for text, names in groups.items() if text in parts for other in (*names, name))
        return found

    def type_name(self, name: str) -> str:
        """The type of one param's value; empty where the value has no canonical form."""
        kind = type(self.values[name])
        return f"{kind.__module__}:{kind.__qualname__}" if name in self.canonical else ""

    def changed_names(self) -> set[str]:
        """The params whose values were changed since the run began."""
        return {name for name, data in self.canonical.items() if _bytes_of(self.values[name]) != data}

    def digest_of(self, name: str) -> bytes:
        """A digest of one param's value; of what can be seen of it, where it has no canonical form."""
        return codec.digest(self.canonical.get(name) or repr(_visible_structure(self.values[name], 0)).encode())

    def match_whole(self, value: Any, argument: str | None, *, all_sizes: bool = False) -> str | None:
        """The param whose value this is, exactly. Small values only where the argument bears the param's name."""
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
        """`text` as literal, name, literal, ..., literal where params stand in it as tokens; None if none does.

        The longest value wins. None, too, if two of them overlap, since either may be meant.
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
        """The params whose value is in a literal leaf in a way that cannot be bound: in a word, in other case."""
        data = _bytes_of(value)
        if data is None:
            return
        for name in self.values:
            if self.canonical.get(name) == data or contains_any(value, self._text_forms_of(name)):
                yield name

    def composed_in(self, value: Any) -> Iterable[str]:
        """The params of whose words a whole literal leaf is made: a first name, a part of an address, a date as 2/1."""
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
    """Whether one of these words is long enough to say something."""
    return any(len(word) >= SHORT_TEXT for word in words)


def _bytes_of(value: Any) -> bytes | None:
    try:
        return codec.canonical(value)
    except NotStorableError:
        return None


def _visible_structure(value: Any, depth: int) -> Any:
    """What can be seen of a value without a canonical form: its storable parts, and the types of the others."""
    data = _bytes_of(value)
    if data is not None:
        return data
    kind = f"{type(value).__module__}:{type(value).__qualname__}"
    unfolded = codec.unfold(value) if depth < codec.MAX_DEPTH else None
    return kind, [_visible_structure(child, depth + 1) for child in unfolded[1]] if unfolded else None


def to_expression(value: Any, params: Params, argument: str | None, *, all_sizes: bool = False) -> Expr:
    """A storable value as an expression: params bound whole, as tokens in texts, and inside containers (E1, E3, E5).

    `all_sizes` also binds small values, which a task key may do: a wrong match of keys is caught by the guards.
    """
    if not params.canonical:
        return Lit(codec.encode(value))
    name = params.match_whole(value, argument, all_sizes=all_sizes)
    if name is not None:
        return Par(name)
    if type(value) is str:
        parts = params.match_in_text(value, all_sizes=all_sizes)
        if parts is not None and (all_sizes or any(parts[::2])) and _is_encodable(parts):
            return Tpl(parts)
        return Lit(codec.encode(value))
    unfolded = codec.unfold(value)
    if unfolded is not None:
        kind, children = unfolded
        items = tuple(to_expression(child, params, None, all_sizes=all_sizes) for child in children)
        if any(not isinstance(item, Lit) for item in items):
            return Node(kind, items)
    return Lit(codec.encode(value))


def _is_encodable(parts: tuple[str, ...]) -> bool:
    try:
        "".join(parts).encode()
    except UnicodeEncodeError:  # a lone surrogate: kept as a literal, which the codec can write
        return False
    return True


def params_used_in(expr: Expr) -> Iterable[str]:
    """The names of the params that an expression uses."""
    if isinstance(expr, Par):
        yield expr.name
    elif isinstance(expr, Tpl):
        yield from expr.parts[1::2]
    elif isinstance(expr, Node):
        for item in expr.items:
            yield from params_used_in(item)


def literal_leaves(expr: Expr) -> Iterable[Any]:
    """Every literal leaf of an expression, and the literal parts of its templates."""
    if isinstance(expr, Lit):
        yield from stored_leaves(codec.decode(expr.data, lenient=True))
    elif isinstance(expr, Tpl):
        yield from (part for part in expr.parts[::2] if part)
    elif isinstance(expr, Node):
        for item in expr.items:
            yield from literal_leaves(item)


def untemplated_leaves(expr: Expr) -> Iterable[Any]:
    """The same without the literal parts of templates."""
    if isinstance(expr, Node):
        for item in expr.items:
            yield from untemplated_leaves(item)
    elif not isinstance(expr, Tpl):
        yield from literal_leaves(expr)
