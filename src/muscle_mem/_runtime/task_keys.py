"""Task keys, derived from a call's arguments or given by the user.

They never contain secrets.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from .._core.binding.params.search import NO_PARAMS, Params
from .._core.binding.tasks.freeze import KnownObjects, known_objects_of
from .._core.binding.tasks.key import (
    NoKeyError,
    masked_parts,
    normalize_arguments,
    normalize_tags,
    part_digests,
    task_key,
)
from .._core.codec.walk import SCALARS
from .._core.model.reason import Reason
from .._core.model.text import long_repr, safe_repr
from .._core.plan.step import Refusal
from .._core.redaction.redactor import Redactor, redactor_for
from .._core.run.run import Policy, Run
from .._core.tools.callbacks import select_arguments
from ..errors import InvalidTypeError
from .agent import Agent
from .options import CallOptions
from .validation import task_label


class PreparedTask(NamedTuple):
    """The key and the text of a call, and the reason if it has no key.

    The tags are redacted. `scope` is None unless a function makes it.
    """

    key: bytes | None
    text: str
    refusal: Refusal | None
    redactor: Redactor | None
    tags: tuple[str, ...]
    scope: str | None


PROMPT = "prompt"
Parts = Mapping[str, Any]
"""What a framework adds to a task: the agent, its instructions, the history, and so on."""


class KeyMaker:
    """The deriver of one engine's task keys.

    Attributes:
        custom: The engine's `key=` function.
        fixed_scope: The engine's scope, or None if it is a function.
        is_plain: Whether neither the key nor the scope is made by a function of the user's.
    """

    def __init__(self, policy: Policy, custom: Callable[..., str] | None, scope: str | Callable[..., str] = "") -> None:
        self._policy = policy
        self.custom = custom
        self._make_scope = None if isinstance(scope, str) else scope
        self.fixed_scope = scope if isinstance(scope, str) else None
        self.is_plain = custom is None and self._make_scope is None

    def prepare(
        self,
        agent: Agent | None,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        options: CallOptions,
        params: Params,
        objects: tuple[Any, ...],
        parts: Parts | None = None,
    ) -> PreparedTask:
        """Return the key of a call, and what is known with it.

        Raises InvalidTypeError or InvalidValueError for invalid options.
        """
        key = options.key
        text = task_label(args, kwargs, key)
        tags = normalize_tags(options.tags) if options.tags else ()
        redactor = _call_redactor(agent, args, kwargs, params, options.secrets)
        shown_tags = tuple(map(redactor.redact, tags)) if redactor else tags
        known = known_objects_of(params, objects, redactor)
        made: str | None = None
        try:
            made = self._call_scope(objects, args, kwargs)
        except NoKeyError as error:
            return PreparedTask(None, text, self._refuse(error, known), redactor, shown_tags, "")
        scope = self.fixed_scope if made is None else made
        task_id, refusal = self._try_derive(agent, args, kwargs, params, tags, key, known, scope or "", parts)
        return PreparedTask(task_id, text, refusal, redactor, shown_tags, made)

    def validate(self, options: CallOptions) -> None:
        """Raise an error for invalid params, tags, secrets or key of a call.

        It is InvalidTypeError or InvalidValueError.
        """
        params = NO_PARAMS if options.params is None else Params(options.params)
        normalize_tags(options.tags)
        if options.secrets is not None:
            redactor_for([], params, options.secrets)
        _ensure_key(options.key)

    def derive(
        self,
        agent: Agent | None,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        params: Params,
        tags: tuple[str, ...],
        key: Any,
        known: KnownObjects,
        scope: str,
        parts: Parts | None = None,
    ) -> bytes:
        """Return the key of a call.

        Raises NoKeyError for arguments without a canonical form, and InvalidTypeError for an invalid key.
        """
        _ensure_key(key)
        custom = key if key is not None or self.custom is None else self._call_custom(args, kwargs)
        if custom is not None:
            return task_key(((), {}), params, scope=scope, tags=tags, custom=custom, known=known)
        if parts is not None:
            masked = masked_parts(parts, params, known)
            return task_key((args, kwargs), params, scope=scope, tags=tags, known=known, parts=masked)
        if agent is None:
            return task_key((args, kwargs), params, scope=scope, tags=tags, known=known)
        bound = normalize_arguments(agent.signature, args, kwargs)
        return task_key(bound, params, scope=scope, tags=tags, known=known, name_of=agent.argument_name)

    def _call_custom(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
        assert self.custom is not None
        try:
            key = self.custom(*args, **kwargs)
        except Exception as error:
            raise NoKeyError("key", f"Engine(key=...) raised {long_repr(error)}") from error
        if not isinstance(key, str):
            raise NoKeyError("key", f"Engine(key=...) returned {safe_repr(key)}, expected a string")
        return key

    def _call_scope(self, objects: tuple[Any, ...], args: tuple[Any, ...], kwargs: dict[str, Any]) -> str | None:
        """Return the scope that the user's function makes of a call.

        The result is None without such a function.
        """
        make = self._make_scope
        if make is None:
            return None
        given: dict[str, Callable[[], Any]] = {
            "context": lambda: objects,
            "args": lambda: args,
            "kwargs": lambda: dict(kwargs),
        }
        try:
            scope = make(*select_arguments(make, given, "context"))
        except Exception as error:
            raise NoKeyError("scope", f"Engine(scope=...) raised {long_repr(error)}") from error
        if type(scope) is not str:
            raise NoKeyError("scope", f"Engine(scope=...) returned {safe_repr(scope)}, expected a string")
        return scope

    def _try_derive(
        self,
        agent: Agent | None,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        params: Params,
        tags: tuple[str, ...],
        key: Any,
        known: KnownObjects,
        scope: str,
        parts: Parts | None = None,
    ) -> tuple[bytes | None, Refusal | None]:
        """Return the key of a task, or why it has none; raise if the engine is strict."""
        try:
            return self.derive(agent, args, kwargs, params, tags, key, known, scope, parts), None
        except NoKeyError as error:
            return None, self._refuse(error, known)

    def _refuse(self, error: NoKeyError, known: KnownObjects) -> Refusal:
        """Return why a task has no key; raise if the engine is strict."""
        if error.argument == "scope":
            message = f"the task has no scope ({error}), so the run is not looked up or stored. Return a string."
        else:
            message = (
                f"the task's {error.argument} has no canonical form ({error}), so the run is not looked up or stored. "
                "Pass it in params= or context=, or pass key='...'."
            )
        message = known.redactor.redact(message)
        if self._policy.strict:
            raise InvalidTypeError(message) from (None if known.redactor else error)
        self._policy.notify("warning", Reason.NO_KEY.value, message, error.argument)
        return Refusal(Reason.NO_KEY, message)


def _ensure_key(key: Any) -> None:
    if key is not None and not isinstance(key, str):
        raise InvalidTypeError(f"key= is invalid: expected a string, got {key!r}. Pass a function to Engine(key=...).")


def digests_of(run: Run) -> dict[str, bytes]:
    """Return a digest of each part of the key of a run in a framework."""
    if not run.parts or run.has_custom_key:
        return {}
    known = known_objects_of(run.params, run.context, run.initial_redactor)
    own: dict[str, Any] = dict(run.parts)
    prompt = own.get(PROMPT)
    text = prompt[0] if type(prompt) is list else prompt
    if run.kwargs or len(run.args) != 1 or run.args[0] != text:
        own["task"] = [*run.args, run.kwargs]
    try:
        return part_digests(masked_parts(own, run.params, known))
    except NoKeyError:
        return {}


def _call_redactor(
    agent: Agent | None, args: tuple[Any, ...], kwargs: dict[str, Any], params: Params, secrets: Any
) -> Redactor | None:
    """Return the redactor of a call's secrets; None if it has no possible secret.

    Raises InvalidTypeError or InvalidValueError for invalid secrets.
    """
    places = agent.positional_names if agent is not None else ()
    candidates: list[tuple[str, Any]] = []
    for index, value in enumerate(args):
        if type(value) not in SCALARS:
            candidates.append((places[index] if index < len(places) else f"argument {index + 1}", value))
    candidates += [(name, value) for name, value in kwargs.items() if type(value) not in SCALARS]
    if secrets is None and not candidates and not params.opaque:
        return None
    return redactor_for(candidates, params, secrets)
