"""The user's agent: its signature, and the memo of its recent tasks."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from .._core.binding.params.search import Params
from .._core.model.text import safe_repr
from .._core.tools.fingerprint import is_async, is_async_generator, is_generator
from .._core.tools.tool import signature_of
from ..errors import InvalidTypeError, InvalidValueError

KEYWORDS = (
    *("tags", "params", "key", "mode", "success", "context", "on_divergence", "approve", "trust", "secrets", "answer"),
)
MAX_MEMOS = 2_000
MAX_MEMO_LENGTH = 4_000
MEMO_TYPES = frozenset({str, int, bool, bytes, type(None)})

MemoTask = tuple[bytes, str, Params]
"""The key of a task, its label and its prepared params, which runs without secrets share."""


def memo_key(args: tuple[Any, ...], kwargs: dict[str, Any], params: Any) -> Any:
    """Return a value that two calls share only if they are spelled alike.

    The value consists of plain arguments and their types. It is None if a value has another type, and so may be opaque,
    secret or changed before the next call.
    """
    if params is None:
        if not kwargs and len(args) == 1 and type(args[0]) is str:
            return args[0]
        kinds = (*map(type, args), *map(type, kwargs.values()))
        return (args, (*kwargs.items(),), kinds) if MEMO_TYPES.issuperset(kinds) else None
    if type(params) is not dict:
        return None
    values = (*args, *kwargs.values(), *params, *params.values())
    kinds = (*map(type, values),)
    return (values, len(args), (*kwargs,), kinds) if MEMO_TYPES.issuperset(kinds) else None


class Agent:
    """An agent and its signature, without `handover`, which the engine passes."""

    __slots__ = ("fn", "is_async", "memo", "parameter_names", "positional_names", "signature", "takes_handover")

    def __init__(self, fn: Callable[..., Any]) -> None:
        if not callable(fn):
            raise InvalidTypeError(f"set_agent() failed: expected a callable, got {fn!r}")
        if is_generator(fn) or is_async_generator(fn):
            message = f"set_agent() failed: expected a plain function, got the generator {safe_repr(fn)}"
            raise InvalidTypeError(message)
        signature = signature_of(fn)
        names = set(signature.parameters) if signature else set()
        taken = sorted(names.intersection(KEYWORDS))
        if taken:
            raise InvalidValueError(
                f"set_agent() failed: parameter {taken[0]!r} of the agent is a keyword of the engine. Rename it. "
                f"The keywords are {', '.join(KEYWORDS)}."
            )
        self.fn = fn
        self.is_async = is_async(fn)
        self.takes_handover = "handover" in names and _takes_handover(fn)
        self.signature = _without_handover(signature)
        self.parameter_names = list(self.signature.parameters) if self.signature else []
        kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        parameters = self.signature.parameters.values() if self.signature else ()
        self.positional_names = tuple(p.name for p in parameters if p.kind in kinds)
        self.memo: dict[Any, MemoTask] = {}

    def recall(self, args: tuple[Any, ...], kwargs: dict[str, Any], params: Any) -> MemoTask | None:
        """Return the remembered task of a call that is spelled alike; it has no secrets."""
        if params is None and not kwargs and len(args) == 1 and type(args[0]) is str:
            return self.memo.get(args[0])
        spelled = memo_key(args, kwargs, params)
        return None if spelled is None else self.memo.get(spelled)

    def remember(self, args: tuple[Any, ...], kwargs: dict[str, Any], params: Any, task: MemoTask) -> None:
        """Keep a task for `recall` if its values are plain and short.

        When the memo is full, it starts over.
        """
        spelled = memo_key(args, kwargs, params)
        _, label, prepared = task
        if spelled is not None and len(label) + sum(map(len, prepared.canonical.values())) <= MAX_MEMO_LENGTH:
            if len(self.memo) >= MAX_MEMOS:
                self.memo.clear()
            self.memo[spelled] = task

    def signature_mismatch(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        """Return why the agent cannot be called with these arguments.

        The text is empty if it can be called, or if that cannot be determined.
        """
        if self.signature is None:
            return ""
        try:
            self.signature.bind(*args, **kwargs)
        except TypeError as error:
            return str(error)
        return ""

    def argument_name(self, index: int) -> str:
        """Return the text that names the argument at a position in a message."""
        return (
            f"argument {self.parameter_names[index]!r}"
            if index < len(self.parameter_names)
            else f"argument {index + 1}"
        )


def _takes_handover(fn: Any) -> bool:
    """Return whether all wrappers pass `handover=` to the function that names it (F1)."""
    while True:
        try:
            parameters = inspect.signature(fn, follow_wrapped=False).parameters
        except (TypeError, ValueError):
            return False
        named = parameters.get("handover")
        if named is not None and named.kind in (named.POSITIONAL_OR_KEYWORD, named.KEYWORD_ONLY):
            return True
        inner = fn.func if isinstance(fn, functools.partial) else getattr(fn, "__wrapped__", None)
        if inner is None and not inspect.isroutine(fn):
            inner = getattr(type(fn).__call__, "__wrapped__", None)
        if inner is None or not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
            return False
        fn = inner


def _without_handover(signature: inspect.Signature | None) -> inspect.Signature | None:
    if signature is None or "handover" not in signature.parameters:
        return signature
    return signature.replace(parameters=[p for p in signature.parameters.values() if p.name != "handover"])
