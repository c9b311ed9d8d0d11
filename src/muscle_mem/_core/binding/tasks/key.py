"""The task key: 32 bytes that identify a task, equal on every machine."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec

from ....errors import InvalidTypeError, NotStorableError
from ... import codec
from ...model.records import Expr, Node, Par, Tpl
from ...model.text import safe_repr
from ...redaction.redactor import Redactor
from ..params.search import Params, is_encodable, to_expression
from .freeze import Container, Encoded, KnownObjects, find_unencodable, freeze
from .values import task_value

PART_MARK = "\0"
"""What the names of parts begin with in a key, and no name of an argument does."""

Arguments = tuple[tuple[Any, ...], dict[str, Any]]


class KeyParts(msgspec.Struct, frozen=True, array_like=True):
    """The data whose digest is the task key."""

    version: int
    scope: str
    tags: tuple[str, ...]
    custom: str | None
    positional: tuple[Expr, ...]
    named: tuple[tuple[str, Expr], ...]


def normalize_tags(tags: str | Iterable[str] | None) -> tuple[str, ...]:
    """Return tags sorted and without repetition; a single string is one tag.

    Raises InvalidTypeError for a tag that is not a string.
    """
    if tags is None:
        return ()
    if isinstance(tags, str):
        return (tags,)
    try:
        found = list(tags)
    except TypeError:
        raise InvalidTypeError(
            f"invalid tags=: expected strings, got {safe_repr(tags)}. Pass for example tags=['invoices']"
        ) from None
    for tag in found:
        if not isinstance(tag, str):
            raise InvalidTypeError(
                f"invalid tags=: expected strings, got {safe_repr(tag)}. Convert each tag with str()"
            )
    return tuple(sorted({str(tag) for tag in found}))


def normalize_arguments(
    signature: inspect.Signature | None, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> Arguments:
    """Return the agent's arguments in normal form.

    Arguments are passed by position where possible, and those equal to their defaults are left out. Without a
    signature, or if the arguments do not fit it, they are returned unchanged.
    """
    if signature is None or (not kwargs and _is_normal_form(signature, len(args))):
        return args, dict(kwargs)
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError:
        return args, dict(kwargs)
    places, rest, named = _classify_arguments(signature, bound)
    last = max((i for i, (_, _, wanted) in enumerate(places) if wanted == "place"), default=-1)
    fixed = len(places) if rest else last + 1
    positional = [value for _, value, _ in places[:fixed]]
    gap = False
    for name, value, wanted in places[fixed:]:
        if not wanted:
            gap = True
        elif gap:
            named[name] = value
        else:
            positional.append(value)
    return (*positional, *rest), named


def _is_normal_form(signature: inspect.Signature, count: int) -> bool:
    """Return whether `count` positional arguments are in normal form.

    They are if none of their parameters has a default, which could be left out.
    """
    parameters = tuple(signature.parameters.values())[:count]
    places = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return len(parameters) == count and all(
        parameter.default is inspect.Parameter.empty and parameter.kind in places for parameter in parameters
    )


def _classify_arguments(
    signature: inspect.Signature, bound: inspect.BoundArguments
) -> tuple[list[tuple[str, Any, str]], tuple[Any, ...], dict[str, Any]]:
    """Return the positional parameters, the values of *args and the arguments by name.

    A positional parameter is (name, value, kind). The kind is "" for a default, "place" for a parameter that cannot be
    passed by name, and "name" for any other.
    """
    places: list[tuple[str, Any, str]] = []
    rest: tuple[Any, ...] = ()
    named: dict[str, Any] = {}
    for name, parameter in signature.parameters.items():
        value = bound.arguments.get(name, parameter.default)
        given = name in bound.arguments and not _is_default(value, parameter.default)
        if parameter.kind is parameter.VAR_POSITIONAL:
            rest = bound.arguments.get(name, ())
        elif parameter.kind is parameter.VAR_KEYWORD:
            named.update(bound.arguments.get(name, {}))
        elif parameter.kind is not parameter.KEYWORD_ONLY:
            kind = "place" if parameter.kind is parameter.POSITIONAL_ONLY else "name"
            places.append((name, value, kind if given else ""))
        elif given:
            named[name] = value
    return places, rest, named


def _is_default(value: Any, default: Any) -> bool:
    if default is inspect.Parameter.empty:
        return False
    if value is default:
        return True
    try:
        return codec.canonical(value) == codec.canonical(default)
    except NotStorableError:
        return False


class NoKeyError(Exception):
    """Internal error: an argument of the task has no canonical form.

    `argument` is the name of the argument.
    """

    def __init__(self, argument: str, message: str) -> None:
        super().__init__(message)
        self.argument = argument


def task_key(
    arguments: Arguments,
    params: Params,
    *,
    scope: str = "",
    tags: tuple[str, ...] = (),
    custom: str | None = None,
    known: KnownObjects | None = None,
    name_of: Callable[[int], str] = lambda index: f"argument {index + 1}",
    parts: Sequence[tuple[str, Expr]] = (),
) -> bytes:
    """Return the key of a task: the digest of its masked arguments, tags and scope.

    `parts` are what a framework adds to the arguments, as `masked_parts` returns them. `custom` replaces the arguments
    and the parts. `known` recognizes context objects, opaque params and secrets; the key contains
    only their names. Raises NoKeyError.
    """
    positional: tuple[Expr, ...] = ()
    named: tuple[tuple[str, Expr], ...] = ()
    known = known if known is not None else KnownObjects()
    mask = known.redactor.mask
    if custom is None:
        args, kwargs = arguments
        positional = tuple(_mask_argument(value, params, known, name_of(index)) for index, value in enumerate(args))
        named = tuple((mask(name), _mask_argument(kwargs[name], params, known, name)) for name in sorted(kwargs))
        named += tuple((f"{PART_MARK}{name}", expr) for name, expr in parts)
    if known.redactor:
        tags, custom = tuple(sorted(map(mask, tags))), mask(custom)
    key = KeyParts(1, scope, tags, custom, positional, named)
    try:
        return codec.digest(msgspec.msgpack.encode(key))
    except UnicodeEncodeError:  # The codec can write lone surrogates in a scope, tag, key or name; msgpack cannot.
        return codec.digest(codec.canonical(msgspec.to_builtins(key, builtin_types=(bytes,))))


def masked_parts(parts: Mapping[str, Any], params: Params, known: KnownObjects) -> list[tuple[str, Expr]]:
    """Return what a framework adds to a task, with params and secrets masked.

    Raises NoKeyError.
    """
    return [(name, _mask_argument(parts[name], params, known, name)) for name in sorted(parts)]


def part_digests(exprs: Iterable[tuple[str, Expr]]) -> dict[str, bytes]:
    """Return a digest of each part, by which the parts of several tasks are compared."""
    return {name: codec.digest(msgspec.msgpack.encode(expr))[:16] for name, expr in exprs}


def masked_task(args: tuple[Any, ...], kwargs: Mapping[str, Any], params: Params, known: KnownObjects) -> list[Expr]:
    """Return the agent's arguments with params and secrets masked.

    Those without a canonical form are left out.
    """
    found: list[Expr] = []
    for value in (*args, *kwargs.values()):
        try:
            found.append(_mask_argument(value, params, known, ""))
        except NoKeyError:
            continue
    return found


def masked_text(text: str, params: Params, redactor: Redactor) -> tuple[str, ...]:
    """Return a task's text with its params masked, and secrets as their names.

    The result is literal, name, literal, ..., literal. Nothing is returned for a text that UTF-8 cannot hold.
    """
    if not is_encodable((text,)):
        return ()
    masked = redactor.redact(redactor.mask(text))  # The text may contain the repr of a secret, or a cut one.
    expr = to_expression(masked, params, None, all_sizes=True)
    if isinstance(expr, Tpl):
        return expr.parts
    return ("", expr.name, "") if isinstance(expr, Par) else (masked,)


def result_digest(data: bytes | None, params: Params, redactor: Redactor) -> bytes:
    """Return a digest of a step's result.

    Params and secrets count in it by their names. It is empty for a result without an encoding.

    Args:
        data: The codec's bytes of the result; None if it has none.
        params: The params of the run.
        redactor: The secrets of the run.
    """
    if data is None:
        return b""
    try:
        value = redactor.mask(codec.decode(data, lenient=True))
        if type(value) is str:
            expr = to_expression(value, params, None, all_sizes=True)
        else:
            plain = codec.decode(codec.canonical(value), lenient=True)
            expr = _sort_unordered(to_expression(plain, params, None, all_sizes=True))
        return codec.digest(msgspec.msgpack.encode(expr))[:16]
    except (NotStorableError, UnicodeEncodeError):
        return b""


def _mask_argument(value: Any, params: Params, known: KnownObjects, argument: str) -> Expr:
    frozen = freeze(task_value(value, known), known, argument)
    opaque = find_unencodable(frozen)
    if opaque is not None:
        raise NoKeyError(argument, opaque.message)
    try:
        return _sort_unordered(_mask_frozen(frozen, params, known.redactor))
    except NotStorableError as error:  # The masked text may exceed the codec's limits.
        raise NoKeyError(argument, str(error)) from error


def _mask_frozen(frozen: Any, params: Params, redactor: Redactor) -> Expr:
    if isinstance(frozen, Container):
        return Node(frozen.kind, tuple(_mask_frozen(item, params, redactor) for item in frozen.items))
    if isinstance(frozen, Encoded):
        value = redactor.mask(codec.decode(frozen.data, lenient=True))
        return to_expression(codec.decode(codec.canonical(value), lenient=True), params, None, all_sizes=True)
    return frozen if isinstance(frozen, Expr) else to_expression(redactor.mask(frozen), params, None, all_sizes=True)


def _sort_unordered(expr: Expr) -> Expr:
    """Return an expression with dicts and sets in a canonical order.

    Neither the order of insertion nor the order that the params' values give them is part of a task.
    """
    if not isinstance(expr, Node):
        return expr
    items = tuple(map(_sort_unordered, expr.items))
    if expr.kind in ("dict", "Counter") or expr.kind.startswith("defaultdict\0"):
        pairs = sorted(zip(items[::2], items[1::2], strict=True), key=msgspec.msgpack.encode)
        items = tuple(item for pair in pairs for item in pair)
    elif expr.kind in ("set", "frozenset"):
        items = tuple(sorted(items, key=msgspec.msgpack.encode))
    return Node(expr.kind, items)
