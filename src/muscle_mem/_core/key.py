"""The task key: which task a call is, as 32 bytes that are the same on every machine."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from ..errors import InvalidTypeError, NotStorableError
from . import codec
from .freezing import Known, freeze, opaque_in, thaw
from .model import Expr
from .params import Params, express

Arguments = tuple[tuple[Any, ...], dict[str, Any]]


class KeyParts(msgspec.Struct, frozen=True, array_like=True):
    """What a key is the digest of."""

    version: int
    scope: str
    tags: tuple[str, ...]
    custom: str | None
    positional: tuple[Expr, ...]
    named: tuple[tuple[str, Expr], ...]


def normal_tags(tags: str | Iterable[str] | None) -> tuple[str, ...]:
    """Tags without order or repetition; a single string is one tag. Raises InvalidTypeError for anything but strings."""
    if tags is None:
        return ()
    if isinstance(tags, str):
        return (tags,)
    try:
        found = list(tags)
    except TypeError:
        raise InvalidTypeError(f"tags must be a string or strings, got {tags!r}; as in tags=['invoices']") from None
    for tag in found:
        if not isinstance(tag, str):
            raise InvalidTypeError(f"a tag must be a string, got {tag!r}")
    return tuple(sorted({str(tag) for tag in found}))


def bind_task(signature: inspect.Signature | None, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Arguments:
    """The agent's arguments in one spelling: by position as far as possible, those equal to their defaults left out.

    Without a signature, or where the arguments do not fit it, they are taken as they are.
    """
    if signature is None:
        return args, dict(kwargs)
    try:
        bound = signature.bind(*args, **kwargs)
    except TypeError:
        return args, dict(kwargs)
    positional: list[Any] = []
    named: dict[str, Any] = {}
    gap = False
    for name, parameter in signature.parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            named.update(bound.arguments.get(name, {}))
            continue
        if parameter.kind is parameter.VAR_POSITIONAL:
            rest = bound.arguments.get(name, ())
            if rest and gap:  # a default before *args was given as such: the places must stay told apart
                return args, dict(kwargs)
            positional += rest
            continue
        if name not in bound.arguments or _is_default(bound.arguments[name], parameter.default):
            gap = True
            continue
        if parameter.kind is parameter.KEYWORD_ONLY or (gap and parameter.kind is not parameter.POSITIONAL_ONLY):
            named[name] = bound.arguments[name]
        elif gap:
            return args, dict(kwargs)
        else:
            positional.append(bound.arguments[name])
    return tuple(positional), named


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
    """An argument of the task has no canonical form. Stays inside; carries the argument's name and what it is."""

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
    known: Known | None = None,
    name_of: Callable[[int], str] = lambda index: f"argument {index + 1}",
) -> bytes:
    """The 32-byte key of a task: the digest of its arguments with params masked, tags and scope.

    `custom` replaces the arguments. `known` recognises context objects and opaque params. Raises NoKeyError.
    """
    positional: tuple[Expr, ...] = ()
    named: tuple[tuple[str, Expr], ...] = ()
    if custom is None:
        args, kwargs = arguments
        known = known if known is not None else Known()
        positional = tuple(_mask(value, params, known, name_of(index)) for index, value in enumerate(args))
        named = tuple((name, _mask(kwargs[name], params, known, name)) for name in sorted(kwargs))
    parts = KeyParts(1, scope, tags, custom, positional, named)
    try:
        return codec.digest(msgspec.msgpack.encode(parts))
    except UnicodeEncodeError:  # lone surrogates in a scope, tag or key: the codec writes what msgpack cannot
        texts = codec.canonical([scope, list(tags), custom])
        return codec.digest(texts + msgspec.msgpack.encode(KeyParts(1, "", (), None, positional, named)))


def _mask(value: Any, params: Params, known: Known, argument: str) -> Expr:
    frozen = freeze(value, known, argument)
    opaque = opaque_in(frozen)
    if opaque is not None:
        raise NoKeyError(argument, opaque.message)
    if hasattr(frozen, "data") and not isinstance(frozen, Expr):
        # the order in which a dict was filled is no part of a task
        return express(codec.decode(codec.canonical(value), lenient=True), params, argument, all_sizes=True)
    if isinstance(frozen, Expr) or hasattr(frozen, "items"):
        return thaw(frozen, params, argument)
    return express(frozen, params, argument, all_sizes=True)
