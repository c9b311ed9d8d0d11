"""Registration of tools: validation, fingerprints, known classes and wrappers."""

from __future__ import annotations

import functools
import inspect
from typing import Any

from .._core import codec
from .._core.model.reason import EFFECTS
from .._core.plan.trust import TRUSTS
from .._core.tools.capture_arguments import validate_capture_arguments
from .._core.tools.check import Check, validated_check
from .._core.tools.fingerprint import fingerprint
from .._core.tools.tool import ExternalTool, Tool, ToolSpec, signature_of
from .._core.tools.validation import (
    validate_argument_names,
    validate_async_capture,
    validate_declared_once,
    validate_tool_function,
    validated_answers,
    validated_choice,
    validated_failed,
    validated_flows,
    validated_inject,
    validated_name,
    validated_names,
    validated_outputs,
    validated_picture,
    validated_refuses,
    validated_trusted,
    validated_undo,
    validated_version,
)
from .options import ToolOptions
from .runtime import Runtime
from .source import find_source
from .tool_wrapper import wrap

CHECK_ROLES = ("pre_check", "post_check")


def make_tool(
    runtime: Runtime, fn: Any, checks: tuple[Any, Any], options: ToolOptions, *, method: bool | None
) -> tuple[Tool, Any]:
    """Return a tool and the wrapper that replaces its function.

    `checks` are its pre- and post-check. `method` says whether its first argument is a context object; None detects it.
    Raises InvalidTypeError or InvalidValueError for what can never be a tool.
    """
    static = isinstance(fn, staticmethod)
    inner = fn.__func__ if static else fn
    in_class = _in_class(inner) and not static
    is_method = method if method is not None and not static else in_class and _first_parameter(inner) == "self"
    tool = Tool(inner, _tool_spec(inner, checks, options, method=is_method))
    tool.may_be_method = in_class and not tool.method and method is None and bool(tool.positional)
    _register_annotations(tool)
    tool.wrapper = wrap(runtime, tool)
    return tool, staticmethod(tool.wrapper) if static else tool.wrapper


def make_external_tool(fn: Any, checks: tuple[Any, Any], options: ToolOptions) -> Tool:
    """Return a tool whose calls a framework makes; `fn` stands for its function.

    Raises InvalidTypeError or InvalidValueError.
    """
    tool = ExternalTool(fn, _tool_spec(fn, checks, options, method=False, takes_async_captures=True))
    tool.may_share_name = False
    _register_annotations(tool)
    tool.wrapper = fn
    return tool


def _tool_spec(
    fn: Any, checks: tuple[Any, Any], options: ToolOptions, *, method: bool, takes_async_captures: bool = False
) -> ToolSpec:
    """Return the validated options of a tool, with its fingerprints."""
    ignore = validated_names("ignore", options.get("ignore", ()))
    secret = validated_names("secret", options.get("secret", ()))
    any_names = validated_names("any", options.get("any", ()))
    sink = validated_names("sink", options.get("sink", ()))
    aliases = validated_names("aliases", options.get("aliases", ()))
    const = validated_names("const", options.get("const", ()))
    flows = validated_flows(options.get("flows"))
    inject = validated_inject(options.get("inject"))
    undo = validated_undo(options.get("undo"))
    validate_tool_function(fn)
    signature = signature_of(fn)
    pre, post = (
        _attached_check(role, check, None if takes_async_captures else fn)
        for role, check in zip(CHECK_ROLES, checks, strict=True)
    )
    effect, trust = options.get("effect"), options.get("trust")
    if effect is not None:
        validated_choice("effect", effect, EFFECTS)
    validate_argument_names(
        fn, signature, ignore=[*ignore, *inject], secret=secret, any=any_names, flows=[*flows], const=const, sink=sink
    )
    validate_declared_once(fn, flows=flows, const=const, others={"ignore": ignore, "inject": inject, "secret": secret})
    pre = pre.for_signature(signature) if pre else None
    post = post.for_signature(signature) if post else None
    for role, check in zip(CHECK_ROLES, (pre, post), strict=True):
        if check is not None:
            validate_capture_arguments(role, check.capture, fn, signature)
    version = validated_version(options.get("version"))
    return ToolSpec(
        name=validated_name("name", options.get("name")),
        aliases=aliases,
        method=method,
        fingerprint=fingerprint(fn, find_source) if version is None else f"v:{version}",
        pre=pre,
        post=post,
        check_fingerprints=(pre.identify(find_source) if pre else "", post.identify(find_source) if post else ""),
        effect=effect,
        ignore=ignore,
        inject=inject,
        secret=secret,
        trust=0 if trust is None else TRUSTS.index(validated_choice("trust", trust, TRUSTS)),
        undo=undo,
        optional=bool(options.get("optional", False)),
        identify=_fingerprint_of,
        any=any_names,
        failed=validated_failed(options.get("failed")),
        refuses=validated_refuses(options.get("refuses", ())),
        answers_any=validated_answers(options.get("answers")),
        flows=flows,
        const=const,
        outputs=validated_outputs(options.get("outputs")),
        trusted=validated_trusted(options.get("trusted", True)),
        sink=sink,
        picture=validated_picture(options.get("picture")),
    )


def _fingerprint_of(fn: object) -> str:
    return fingerprint(fn, find_source)


def _attached_check(role: str, check: Any, fn: Any) -> Check | None:
    """Return a check that may be attached to a tool.

    `fn` is None for a tool that takes async captures.
    """
    found = validated_check(role, check)
    if found is not None and found.capture_async and fn is not None:
        validate_async_capture(role, fn)
    return found


def _in_class(fn: Any) -> bool:
    if inspect.ismethod(fn) or isinstance(fn, functools.partial) or not inspect.isfunction(fn):
        return False
    owner = fn.__qualname__.rpartition(".")[0]
    return bool(owner) and not owner.endswith("<locals>")


def _first_parameter(fn: Any) -> str:
    try:
        return next(iter(inspect.signature(fn).parameters), "")
    except (TypeError, ValueError):
        return ""


def _register_annotations(tool: Tool) -> None:
    """Make the classes in the annotations of a tool known to the decoder."""
    functions = [tool.fn]
    for check in (tool.pre, tool.post):
        if check is not None:
            functions.append(check.capture)
            if not check.is_equality:
                functions.append(check.compare)
    for function in functions:
        for annotation in _annotations(function):
            codec.add_known_classes(annotation)


def _annotations(function: Any) -> list[Any]:
    found = getattr(function, "__annotations__", None) or {}
    try:
        found = {**found, **inspect.get_annotations(function, eval_str=True)}
    except Exception:  # Classes whose names cannot be evaluated here stay unknown.
        pass
    return list(found.values())
