"""Params: the values that differ from run to run, and where they stand in other values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from ..errors import InvalidTypeError, InvalidValueError, NotStorableError
from . import codec
from .model import Expr, Lit, Node, Par, Tpl

SHORT_TEXT = 3
SMALL_INT = 100
_PLAIN_LEAVES = (str, int, float, bool, type(None), bytes)


def small(value: Any) -> bool:
    """Whether a value is so common that equality says little: bools, None, ints below 100, texts under three characters."""
    if value is None or isinstance(value, bool):
        return True
    if isinstance(value, int):
        return value < SMALL_INT
    return isinstance(value, str) and len(value) < SHORT_TEXT


def token(text: str) -> str:
    """A pattern for `text` where it stands alone: bounded by anything but letters, digits and underscore."""
    return rf"(?<!\w){re.escape(text)}(?!\w)"


def holds_token(text: str, part: str) -> bool:
    """Whether `part` stands in `text` as a token."""
    return part in text and re.search(token(part), text) is not None


class Params:
    """The params of one run, prepared for being looked for: canonical bytes, texts, and opaque values by identity."""

    __slots__ = ("_pattern", "_patterns", "by_bytes", "canonical", "opaque", "texts", "values")

    def __init__(self, values: Mapping[str, Any] | None) -> None:
        if values is None:
            values = {}
        if not isinstance(values, Mapping):
            raise InvalidTypeError(f"params must be a mapping of names to values, got {values!r}; as in params={{'name': 'John'}}")
        for name in values:
            if not isinstance(name, str):
                raise InvalidTypeError(f"a param's name must be a string, got {name!r}")
            if not name:
                raise InvalidValueError("a param's name is empty")
        self.values: dict[str, Any] = dict(values)
        self.canonical: dict[str, bytes] = {}
        self.opaque: dict[int, str] = {}
        self.texts: dict[str, str] = {}
        for name in sorted(self.values):
            value = self.values[name]
            try:
                self.canonical[name] = codec.canonical(value)
            except NotStorableError:
                self.opaque[id(value)] = name
                continue
            if isinstance(value, str):
                self.texts[name] = value
            elif type(value) is int:
                self.texts[name] = str(value)
        self.by_bytes: dict[bytes, list[str]] = {}
        for name, data in self.canonical.items():
            self.by_bytes.setdefault(data, []).append(name)
        self._patterns: dict[bool, re.Pattern[str] | None] = {}

    def __bool__(self) -> bool:
        return bool(self.values)

    def equal_groups(self) -> tuple[tuple[str, ...], ...]:
        """Groups of params with equal values: which of them a step meant cannot be told."""
        return tuple(tuple(names) for names in self.by_bytes.values() if len(names) > 1)

    def fingerprint(self, name: str) -> bytes:
        """A digest of one param's value; of its type only, where it has no canonical form."""
        data = self.canonical.get(name)
        if data is None:
            kind = type(self.values[name])
            data = f"opaque:{kind.__module__}:{kind.__qualname__}".encode()
        return codec.digest(data)

    def whole(self, value: Any, argument: str | None, *, all_sizes: bool = False) -> str | None:
        """The param whose value this is, exactly. Small values only where the argument bears the param's name."""
        if not self.canonical:
            return None
        try:
            names = self.by_bytes.get(codec.canonical(value))
        except NotStorableError:
            return None
        if not names:
            return None
        if argument in names:
            return argument
        return names[0] if all_sizes or not small(value) else None

    def split(self, text: str, *, all_sizes: bool = False) -> tuple[str, ...] | None:
        """`text` as literal, name, literal, ..., literal where params stand in it as tokens; None if none does."""
        pattern = self._pattern_of(all_sizes)
        if pattern is None:
            return None
        parts: list[str] = []
        at = 0
        by_text = {self.texts[name]: name for name in reversed(sorted(self.texts))}
        for match in pattern.finditer(text):
            parts += [text[at : match.start()], by_text[match.group()]]
            at = match.end()
        if not parts:
            return None
        return (*parts, text[at:])

    def _pattern_of(self, all_sizes: bool) -> re.Pattern[str] | None:
        if all_sizes not in self._patterns:
            texts = {
                text for name, text in self.texts.items() if text and (all_sizes or not small(self.values[name]))
            }
            longest_first = sorted(texts, key=lambda text: (-len(text), text))
            joined = "|".join(token(text) for text in longest_first)
            self._patterns[all_sizes] = re.compile(joined) if joined else None
        return self._patterns[all_sizes]

    def hidden_in(self, value: Any) -> Iterable[str]:
        """The params whose value is in a literal leaf in a way that cannot be bound: in a word, in other case, too small."""
        try:
            data = codec.canonical(value)
        except NotStorableError:
            return
        text = _text(value)
        folded = text.casefold() if text is not None else None
        for name, param in self.values.items():
            if self.canonical.get(name) == data or (folded is not None and any(
                (part in folded if isinstance(value, str | bytes) else part == folded) for part in _needles(param)
            )):
                yield name


def _needles(param: Any) -> Iterable[str]:
    """The texts in which a param's value could be hiding; leaves of container params too."""
    children = codec.unfold(param)
    if children is not None:
        for child in children[1]:
            yield from _needles(child)
    elif param is not None and not isinstance(param, bool):
        text = _text(param)
        if text:
            yield text.casefold()


def _text(leaf: Any) -> str | None:
    if isinstance(leaf, str):
        return leaf
    if leaf is None or isinstance(leaf, bool):
        return None
    if isinstance(leaf, bytes):
        return leaf.decode("utf-8", "replace")
    if isinstance(leaf, _PLAIN_LEAVES) or codec.immutable(leaf):
        return str(leaf)
    return None


def express(value: Any, params: Params, argument: str | None, *, all_sizes: bool = False) -> Expr:
    """A storable value as an expression: params bound whole, as tokens in texts, and inside containers (E1, E3, E5).

    `all_sizes` also binds small values, which a task key may do: a wrong match of keys is caught by the guards.
    """
    if not params.canonical:
        return Lit(codec.encode(value))
    name = params.whole(value, argument, all_sizes=all_sizes)
    if name is not None:
        return Par(name)
    if type(value) is str:
        parts = params.split(value, all_sizes=all_sizes)
        if parts is not None and (all_sizes or any(parts[::2])) and _writable(parts):
            return Tpl(parts)
        return Lit(codec.encode(value))
    unfolded = codec.unfold(value)
    if unfolded is not None:
        kind, children = unfolded
        items = tuple(express(child, params, None, all_sizes=all_sizes) for child in children)
        if any(not isinstance(item, Lit) for item in items):
            return Node(kind, items)
    return Lit(codec.encode(value))


def _writable(parts: tuple[str, ...]) -> bool:
    try:
        "".join(parts).encode()
    except UnicodeEncodeError:  # a lone surrogate: kept as a literal, which the codec can write
        return False
    return True


def used_in(expr: Expr) -> Iterable[str]:
    """The names of the params that an expression uses."""
    if isinstance(expr, Par):
        yield expr.name
    elif isinstance(expr, Tpl):
        yield from expr.parts[1::2]
    elif isinstance(expr, Node):
        for item in expr.items:
            yield from used_in(item)


def literal_leaves(expr: Expr) -> Iterable[Any]:
    """Every literal leaf of an expression, and the literal parts of its templates."""
    if isinstance(expr, Lit):
        yield from leaves(codec.decode(expr.data, lenient=True))
    elif isinstance(expr, Tpl):
        yield from (part for part in expr.parts[::2] if part)
    elif isinstance(expr, Node):
        for item in expr.items:
            yield from literal_leaves(item)


def leaves(value: Any) -> Iterable[Any]:
    """The leaves of a value, containers walked."""
    unfolded = codec.unfold(value)
    if unfolded is None:
        yield value
    else:
        for child in unfolded[1]:
            yield from leaves(child)
