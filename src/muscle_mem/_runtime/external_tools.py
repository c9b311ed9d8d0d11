"""Tools whose calls a framework or a server makes.

Rules may be given before a tool is seen. An adapter adds the schema of its arguments, which is its fingerprint.
"""

from __future__ import annotations

import inspect
import keyword
from collections.abc import Mapping
from typing import Any, NoReturn, cast

import msgspec

from .._core import codec
from .._core.tools.check import Check
from .._core.tools.tool import Tool
from .._core.tools.validation import validated_name
from ..errors import InvalidTypeError, MuscleMemError, NotReadyError
from .options import TOOL_OPTIONS, ToolOptions
from .registration import make_external_tool
from .runtime import Runtime

ANNOTATIONS = frozenset({"title", "description", "examples", "$comment", "$schema", "$id", "deprecated"})
"""Keywords of a JSON schema that say nothing about the arguments."""

NAMED_SCHEMAS = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})


class Offer(msgspec.Struct, frozen=True):
    """What is known of a tool at first sight; see `ToolOffer` of the adapters."""

    name: str
    schema: Mapping[str, Any] | None = None
    read_only: bool | None = None
    destructive: bool | None = None
    idempotent: bool | None = None


class ExternalCall:
    """The function of an external tool. Only the framework can make the call."""

    def __init__(self, name: str, schema: Mapping[str, Any] | None) -> None:
        self.__name__ = self.__qualname__ = name
        self.__signature__ = signature_of_schema(schema)

    def __call__(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        raise NotReadyError(
            f"{self.__name__!r} is an external tool, and cannot be called here. Run the task where the framework or "
            "server makes its calls: in a session, in an adapter or through the gateway."
        )


def declare_external(runtime: Runtime, name: str, checks: tuple[Any, Any], options: Mapping[str, Any]) -> Tool:
    """Register the rules of an external tool; see `Engine.external_tool`."""
    known = TOOL_OPTIONS - {"name"}
    unknown = set(options) - known
    if unknown:
        raise InvalidTypeError(
            f"external_tool() got an unknown option {min(unknown)!r}. Use: {', '.join(sorted(known))}."
        )
    if validated_name("name", name) is None:
        raise InvalidTypeError("external_tool() failed: expected the name of the tool, got None. Pass it first.")
    seen = runtime.tools.external_schemas.get(name)
    tool = _make(name, checks, cast(ToolOptions, dict(options)), seen)
    runtime.tools.external_rules[name] = checks, dict(options)
    runtime.tools.add(tool)
    return tool


def see_external(runtime: Runtime, offer: Offer) -> Tool:
    """Register a tool that a framework offers, with the rules that were given for it.

    A tool that was seen with the same schema is not registered again.
    """
    schemas = runtime.tools.external_schemas
    known = runtime.tools.external_tool_named(offer.name)
    is_new = offer.name not in schemas
    if known is not None and not is_new and (offer.schema is None or schemas[offer.name] == offer.schema):
        return known
    rules = runtime.tools.external_rules.get(offer.name)
    checks, options = ((None, None), {}) if rules is None else rules
    options = dict(options)
    if options.get("effect") is None and (rules is not None or not runtime.policy.strict):
        options["effect"] = effect_of(offer)
    schema = offer.schema if offer.schema is not None else schemas.get(offer.name)
    try:
        tool = _make(offer.name, checks, cast(ToolOptions, options), schema)
    except MuscleMemError as error:
        message = f"the rules of {offer.name!r} do not fit its schema: {error}"
        runtime.reporter.notice("warning", "external_tool", message, offer.name)
        tool = _make(offer.name, checks, cast(ToolOptions, options), schema, has_signature=False)
    schemas[offer.name] = schema
    runtime.tools.add(tool)
    return tool


def _make(
    name: str,
    checks: tuple[Check | None, Check | None],
    options: ToolOptions,
    schema: Mapping[str, Any] | None,
    *,
    has_signature: bool = True,
) -> Tool:
    version = options.get("version")
    given: ToolOptions = {**options, "name": name, "version": schema_version(schema) if version is None else version}
    return make_external_tool(ExternalCall(name, schema if has_signature else None), checks, given)


def effect_of(offer: Offer) -> str | None:
    """Return the effect that the annotations of a tool say; None if they say none."""
    if offer.read_only:
        return "read"
    if offer.destructive:
        return "irreversible"
    if offer.idempotent:
        return "idempotent"
    return "write" if offer.destructive is False else None


def schema_version(schema: Mapping[str, Any] | None) -> str:
    """Return the version of a tool whose arguments have this schema.

    Titles, descriptions and examples do not count.
    """
    if schema is None:
        return "schema:none"
    data = msgspec.json.encode(_plain_schema(schema), order="deterministic")
    return f"schema:{codec.digest(data)[:16].hex()}"


def _plain_schema(schema: Any, *, is_named: bool = False) -> Any:
    if isinstance(schema, Mapping):
        return {
            str(name): _plain_schema(value, is_named=not is_named and name in NAMED_SCHEMAS)
            for name, value in schema.items()
            if is_named or name not in ANNOTATIONS
        }
    if isinstance(schema, list | tuple):
        return [_plain_schema(item) for item in schema]
    return schema if isinstance(schema, str | int | float | bool | None) else repr(schema)


def signature_of_schema(schema: Mapping[str, Any] | None) -> inspect.Signature:
    """Return the signature of a tool whose arguments have a JSON schema: all by name.

    Names that are not identifiers, and more names if the schema allows them, are taken by the last parameter.
    """
    properties = schema.get("properties") if isinstance(schema, Mapping) else None
    properties = {str(name): value for name, value in properties.items()} if isinstance(properties, Mapping) else {}
    required = schema.get("required") if isinstance(schema, Mapping) else None
    required = set(required) if isinstance(required, list | tuple) else set()
    names = [
        name for name in properties if isinstance(name, str) and name.isidentifier() and not keyword.iskeyword(name)
    ]
    kind = inspect.Parameter.KEYWORD_ONLY
    parameters = [
        inspect.Parameter(name, kind)
        if name in required
        else inspect.Parameter(name, kind, default=_default(properties[name]))
        for name in names
    ]
    is_closed = schema is not None and schema.get("additionalProperties") is False
    if not is_closed or len(names) < len(properties):
        rest = "arguments"
        while rest in names:
            rest += "_"
        parameters.append(inspect.Parameter(rest, inspect.Parameter.VAR_KEYWORD))
    return inspect.Signature(parameters)


def _default(schema: Any) -> Any:
    return schema.get("default") if isinstance(schema, Mapping) else None
