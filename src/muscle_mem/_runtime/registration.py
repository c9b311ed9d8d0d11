"""Making tools of what users register: validated, fingerprinted, their types made known, wrapped."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from .._core import codec
from .._core.plan.trust import TRUSTS
from .._core.tools.check import Check, validated_version
from .._core.tools.fingerprint import fingerprint
from .._core.tools.tool import Tool, signature_of, validate_tool
from ..errors import InvalidTypeError
from .runtime import Runtime
from .source import find_source
from .tool_wrapper import wrap
from .validation import validated_choice, validated_name, validated_names


def make_tool(
    runtime: Runtime,
    fn: Any,
    *,
    pre_check: Check | None = None,
    post_check: Check | None = None,
    method: bool | None = None,
    name: str | None = None,
    aliases: Sequence[str] = (),
    version: str | int | None = None,
    effect: str | None = None,
    ignore: Sequence[str] = (),
    inject: Mapping[str, Any] | None = None,
    secret: Sequence[str] = (),
    trust: str | None = None,
    undo: Any = None,
    optional: bool = False,
) -> tuple[Tool, Any]:
    """A tool and its wrapper, which stands in the function's place. Raises for what can never be a tool."""
    static = isinstance(fn, staticmethod)
    inner = fn.__func__ if static else fn
    names, secrets, others = (
        validated_names("ignore", ignore),
        validated_names("secret", secret),
        validated_names("aliases", aliases),
    )
    if inject is not None and not isinstance(inject, Mapping):
        raise InvalidTypeError(f"inject must be a dict by the names of arguments, got {inject!r}")
    if undo is not None and not (isinstance(undo, str) or callable(undo)):
        raise InvalidTypeError(f"undo must be a text or the tool that takes it back, got {undo!r}")
    validate_tool(
        inner, effect=effect, ignore=[*names, *(inject or {})], checks=(pre_check, post_check), secret=secrets
    )
    in_class = _in_class(inner) and not static
    signature = signature_of(inner)
    pre_check = pre_check.for_signature(signature) if pre_check else None
    post_check = post_check.for_signature(signature) if post_check else None
    tool = Tool(
        inner,
        name=validated_name("name", name),
        aliases=others,
        method=method if method is not None and not static else in_class and _first_parameter(inner) == "self",
        fingerprint=fingerprint(inner, find_source) if version is None else f"v:{validated_version(version)}",
        pre=pre_check,
        post=post_check,
        check_fingerprints=(
            pre_check.identify(find_source) if pre_check else "",
            post_check.identify(find_source) if post_check else "",
        ),
        effect=effect,
        ignore=names,
        inject=inject,
        secret=secrets,
        trust=0 if trust is None else TRUSTS.index(validated_choice("trust", trust, TRUSTS)),
        undo=undo,
        optional=bool(optional),
    )
    tool.may_be_method = in_class and not tool.method and method is None and bool(tool.positional)
    _register_annotations(tool)
    wrapper = wrap(runtime, tool)
    tool.wrapper = wrapper
    return tool, staticmethod(wrapper) if static else wrapper


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
    """Classes that the annotations name can be decoded in this process."""
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
    except Exception:  # names that cannot be evaluated here are only not known
        pass
    return list(found.values())
