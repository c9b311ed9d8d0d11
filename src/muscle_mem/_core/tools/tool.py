"""Tools: functions with stored names, fingerprints, checks and effects."""

from __future__ import annotations

import inspect
import weakref
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from ..model.declared_flow import DeclaredEach, DeclaredFlow
from ..model.secret import Secret
from .check import Check
from .closures import captures_state
from .fingerprint import is_async, made_in_function, may_be_async, stored_name

NamedArguments = list[tuple[str, Any]]


class ToolSpec(msgspec.Struct, frozen=True, kw_only=True):
    """The validated options of a tool.

    `pre` and `post` are its checks, `trust` is the index of its level of trust, and `effect` is None if undeclared.
    `identify` returns the fingerprint of any callable.
    `failed` says whether a result is a failure (False: never, None: undeclared). `refuses` are the exceptions of a call
    that did nothing. `answers_any` means that no answer in its results stops a replay.
    `flows` are the declared sources of arguments, also those that run over a list, `const` the arguments that are
    declared constant, and `outputs` the fields of the output that may be sources, None if all may.
    that did nothing. `answers_any` means that no answer in its results stops a replay. `trusted` is False for a tool
    that returns texts of others, and `sink` names the arguments that decide where something goes.
    """

    name: str | None = None
    aliases: tuple[str, ...] = ()
    method: bool = False
    fingerprint: str = ""
    pre: Check | None = None
    post: Check | None = None
    check_fingerprints: tuple[str, str] = ("", "")
    effect: str | None = None
    ignore: tuple[str, ...] = ()
    inject: dict[str, Any] = {}
    secret: tuple[str, ...] = ()
    trust: int = 0
    undo: Any = None
    optional: bool = False
    any: tuple[str, ...] = ()
    identify: Callable[[object], str] = stored_name
    failed: Any = None
    refuses: tuple[type[BaseException], ...] = ()
    answers_any: bool = False
    flows: dict[str, DeclaredFlow | DeclaredEach] = {}
    const: tuple[str, ...] = ()
    outputs: tuple[str, ...] | None = None
    trusted: bool = True
    sink: tuple[str, ...] = ()
    picture: Any = None


def takes_mask(picture: Callable[..., Any]) -> bool:
    """Return whether a function that takes pictures has a parameter `mask`."""
    signature = signature_of(picture)
    return signature is not None and "mask" in signature.parameters


class Tool:
    """One registered tool.

    Two tools are never equal; the registry finds the tool of a stored step. `fn` is the user's function, `name` the
    stored name, and `method` says whether the first argument is an object of the run's context. `effect` is None if it
    was not declared, which counts as a write. `may_be_async` says that a plain function wraps an async one, and
    `was_awaited` that a call of it returned a coroutine. `max_plain_arguments` is how many positional arguments can be
    recorded as they are, if they are plain. `conversions` are made by `typed_arguments`. `picture` takes a picture for
    people after a call, `masks_picture` says that it gets the names of secret arguments.
    """

    checks_itself = False  # Whether a call checks the steps within itself, as that of an engine does.
    is_external = False  # Whether only a framework or a server can make its calls.
    __slots__ = (
        "_secret",
        "_variadics",
        "aliases",
        "answers_any",
        "any",
        "check_fingerprints",
        "const",
        "conversions",
        "each",
        "effect",
        "failed",
        "fingerprint",
        "flows",
        "fn",
        "identify",
        "ignore",
        "inject",
        "instance",
        "is_async",
        "masks_picture",
        "max_plain_arguments",
        "may_be_async",
        "may_be_method",
        "may_share_name",
        "method",
        "name",
        "names_in_classes",
        "optional",
        "outputs",
        "parameter_order",
        "picture",
        "positional",
        "post",
        "pre",
        "refuses",
        "signature",
        "sink",
        "trust",
        "trusted",
        "undo",
        "was_awaited",
        "wrapper",
    )

    def __init__(self, fn: Callable[..., Any], spec: ToolSpec) -> None:
        self.fn = fn
        self.name = spec.name or stored_name(fn)
        self.aliases = spec.aliases
        self.any = frozenset(spec.any)
        self.method = spec.method
        self.fingerprint = spec.fingerprint
        self.pre = spec.pre
        self.post = spec.post
        self.check_fingerprints = spec.check_fingerprints
        self.effect = spec.effect
        self.trust = spec.trust
        self.undo = spec.undo
        self.optional = spec.optional
        self.identify = spec.identify
        self.failed = spec.failed
        self.refuses = spec.refuses
        self.answers_any = spec.answers_any
        self.flows = {name: flow for name, flow in spec.flows.items() if isinstance(flow, DeclaredFlow)}
        self.each = {name: flow for name, flow in spec.flows.items() if isinstance(flow, DeclaredEach)}
        self.const = frozenset(spec.const)
        self.outputs = spec.outputs
        self.trusted = spec.trusted
        self.sink = frozenset(spec.sink)
        self.picture = spec.picture
        self.masks_picture = spec.picture is not None and takes_mask(spec.picture)
        self.inject = spec.inject
        self.ignore = frozenset(spec.ignore) | frozenset(spec.inject)
        self.is_async = is_async(fn)
        self.may_be_async = not self.is_async and may_be_async(fn)
        self.was_awaited = False
        self.may_share_name = made_in_function(fn) or captures_state(fn)
        self.instance = ""
        self.names_in_classes: weakref.WeakKeyDictionary[type, Any] = weakref.WeakKeyDictionary()
        self.wrapper: Any = None
        self.conversions: Any = None
        self.may_be_method = False
        self.signature = signature_of(fn)
        self.secret = frozenset(spec.secret) | _secrets_by_default(self.signature)

    @property
    def secret(self) -> frozenset[str]:
        """The arguments whose values are never stored."""
        return self._secret

    @secret.setter
    def secret(self, names: frozenset[str]) -> None:
        self._secret = names
        self._read_signature()

    def mark_as_method(self) -> None:
        """Treat the first argument as an object of the run's context from now on."""
        self.method = True
        self._read_signature()

    def _read_signature(self) -> None:
        parameters = list(self.signature.parameters.values()) if self.signature else []
        if self.method and parameters:
            parameters = parameters[1:]
        kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        self.positional = tuple(p.name for p in parameters if p.kind in kinds)
        self.parameter_order = {p.name: index for index, p in enumerate(parameters)}
        self.max_plain_arguments = -1 if self.method or self.ignore or self._secret else len(self.positional)
        self._variadics = tuple(
            next((p.name for p in parameters if p.kind is kind), "")
            for kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        )

    @property
    def variadics(self) -> tuple[str, str]:
        """The names of `*args` and `**kwargs`; empty where there is none."""
        return self._variadics[0], self._variadics[1]

    @property
    def named_parameters(self) -> list[str]:
        """The parameters that take one argument each, without the object of a method."""
        return [name for name in self.parameter_order if name not in self._variadics]

    def __repr__(self) -> str:
        return f"<tool {self.name}>"

    @property
    def identity(self) -> tuple[str, str, str]:
        """The identity that stored steps refer to; a tool registered again has the same."""
        return self.name, self.fingerprint, self.instance

    def is_secret(self, name: str) -> bool:
        """Return whether an argument is secret, by its name from `name_arguments`.

        Arguments in *args and **kwargs are secret if those names are.
        """
        return self._is_among(name, self.secret)

    def is_sink(self, name: str) -> bool:
        """Return whether an argument decides where something goes, by its name as above."""
        return bool(self.sink) and self._is_among(name, self.sink)

    def _is_among(self, name: str, names: frozenset[str]) -> bool:
        """Return whether an argument is declared by its name, or by that of its variadic."""
        if name in names:
            return True
        variadic = (
            self._variadics[0]
            if name.startswith("*")
            else self._variadics[1]
            if name not in self.parameter_order
            else ""
        )
        return variadic in names

    def omitted_secrets(self, named: NamedArguments) -> list[Any]:
        """Return the defaults of secret arguments that a call leaves out."""
        given = {name for name, _ in named}
        parameters = self.signature.parameters if self.signature else {}
        omitted = [parameters[name].default for name in self.secret - given if name in parameters]
        return [value for value in omitted if value is not inspect.Parameter.empty]

    @property
    def is_read_only(self) -> bool:
        """Return whether the tool is declared to have no effect."""
        return self.effect == "read"

    def unprovided_arguments(self) -> list[str]:
        """Return the ignored arguments without a default or a value in `inject`.

        Steps with such arguments cannot be replayed.
        """
        parameters = self.signature.parameters if self.signature else {}
        return [
            name
            for name in sorted(self.ignore)
            if name not in self.inject and name in parameters and parameters[name].default is inspect.Parameter.empty
        ]

    def name_arguments(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> NamedArguments:
        """Return a call's arguments as (name, value) in the order of the signature.

        It does not matter which of them were passed by name.
        """
        names = self.positional
        count = len(names)
        found = [(names[i] if i < count else f"*{i - count}", value) for i, value in enumerate(args)]
        if kwargs:
            last = len(self.parameter_order)
            found += sorted(kwargs.items(), key=lambda item: (self.parameter_order.get(item[0], last), item[0]))
        return found

    def accepts(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> bool:
        """Return whether the arguments fit the signature."""
        if self.signature is None:
            return True
        try:
            self.signature.bind(*args, **kwargs)
        except TypeError:
            return False
        return True

    def is_method_of(self, value: Any) -> bool:
        """Return whether this method tool is in the class of `value` or a base class."""
        attribute = getattr(self.fn, "__name__", "")
        for owner in type(value).__mro__:
            entry = owner.__dict__.get(attribute)
            while entry is not None and not isinstance(entry, staticmethod):
                if entry is self.wrapper or entry is self.fn:
                    return True
                entry = getattr(entry, "__wrapped__", None)
        # It may have another name, as private methods do, or be inside a property or a decorator.
        return any(self.is_wrapped_in(entry) for owner in type(value).__mro__ for entry in owner.__dict__.values())

    def is_wrapped_in(self, entry: Any, depth: int = 3) -> bool:
        """Return whether an attribute of a class is the tool, or holds it.

        Args:
            entry: The attribute.
            depth: How many wrappers are searched.
        """
        if entry is self.wrapper:
            return True
        if not depth or isinstance(entry, staticmethod | classmethod | type):
            return False
        parts = [getattr(entry, name, None) for name in ("__wrapped__", "fget", "func")]
        for cell in getattr(entry, "__closure__", None) or ():
            try:
                parts.append(cell.cell_contents)
            except ValueError:  # The cell is still empty.
                pass
        return any(self.is_wrapped_in(part, depth - 1) for part in parts if part is not None and callable(part))


class ExternalTool(Tool):
    """A tool whose calls a framework or a server makes."""

    __slots__ = ()
    is_external = True


def _secrets_by_default(signature: inspect.Signature | None) -> set[str]:
    parameters = signature.parameters.values() if signature else ()
    return {parameter.name for parameter in parameters if isinstance(parameter.default, Secret)}


def signature_of(fn: Any) -> inspect.Signature | None:
    """Return the signature, or None if Python has none, as for some builtins."""
    try:
        return inspect.signature(fn)
    except (TypeError, ValueError):
        return None


def defaults_of(tool: Tool) -> tuple[Any, ...]:
    """Return the defaults of the parameters of a tool."""
    if tool.signature is None:
        return ()
    defaults = (parameter.default for parameter in tool.signature.parameters.values())
    return tuple(default for default in defaults if default is not inspect.Parameter.empty)
