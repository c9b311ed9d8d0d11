"""Recorded arguments bound by name to the signature of the live tool."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from .. import codec
from ..binding.references.resolve import Constant, Resolver, make_resolver
from ..model.records import Ign, Lit, StepRecord
from ..tools.capture_arguments import hides_own_signature
from ..tools.tool import Tool

Builders = list[tuple[bool, str, Resolver]]
"""(by name?, name, resolver) of each argument that is given."""


def signature_mismatch(record: StepRecord, tool: Tool, keywords: Sequence[str]) -> str:
    """Return why recorded arguments do not fit the signature, or "" if they do.

    `keywords` are the arguments that were passed by name. Only a tool with `version=` can have another signature than
    when it was recorded: the fingerprint of any other tool covers the signature.
    """
    if tool.signature is None or not tool.fingerprint.startswith("v:"):
        return ""
    named = tool.named_parameters
    takes_more, takes_names = tool.variadics
    for name, _ in record.arguments:
        if name.startswith("*"):
            if not takes_more:
                return "it has no *args any more"
        elif name not in named and not (takes_names and name in keywords):
            return f"it has no parameter {name!r} any more"
    if hides_own_signature(tool.fn):
        return ""
    given = {name for name, _ in record.arguments}
    lacking = [name for name in named if name not in given and _is_required(tool, name)]
    return f"it requires the parameter {lacking[0]!r} now" if lacking else ""


def _is_required(tool: Tool, name: str) -> bool:
    assert tool.signature is not None
    return tool.signature.parameters[name].default is inspect.Parameter.empty and name not in tool.inject


def constant_arguments(record: StepRecord, tool: Tool) -> tuple[Any, ...] | None:
    """Return the arguments of a step that passes only immutable literals.

    They go to the first parameters of its tool.

    Return None for any other step, whose arguments need `argument_builders`.
    """
    if len(record.arguments) > len(tool.positional):
        return None
    values: list[Any] = []
    for (name, expr), parameter in zip(record.arguments, tool.positional, strict=False):
        if name != parameter or type(expr) is not Lit:
            return None
        value = codec.decode(expr.data)
        if not codec.is_immutable(value):
            return None
        values.append(value)
    return tuple(values)


def argument_builders(record: StepRecord, tool: Tool, keywords: Sequence[str]) -> Builders:
    """Return how each argument of a step is built and passed to the live tool.

    Each goes to the parameter that has its name, wherever that stands now. It is passed as it was recorded, by position
    or by name, as far as the signature allows. Behind a parameter that is not given by position, all others are passed
    by name, in the order of `keywords`.
    """
    made = {name: make_resolver(expr, tool, name) for name, expr in record.arguments}
    waiting = {name: make for name, make in made.items() if make is not None}
    if tool.signature is not None and tool.fingerprint.startswith("v:"):
        _inject_new(waiting, tool)
    more = [name for name in waiting if name.startswith("*")]
    last = max(
        (at for at, name in enumerate(tool.positional) if name in waiting and _is_by_position(tool, name)), default=-1
    )
    found: Builders = []
    is_behind_gap = False
    for at, name in enumerate(tool.positional):
        make = waiting.pop(name, None)
        must = bool(more) or at <= last
        if make is None and must:
            make = _default_of(tool, name)
        if make is None:
            is_behind_gap = True
        elif must or not (is_behind_gap or name in keywords):
            found.append((False, name, make))
        else:
            is_behind_gap = True
            found.append((True, name, make))
    found += [(False, name, waiting.pop(name)) for name in more]
    by_name = [builder for builder in found if builder[0]] + [(True, name, make) for name, make in waiting.items()]
    order = {name: at for at, name in enumerate(keywords)}
    by_name.sort(key=lambda builder: order.get(builder[1], len(order)))
    return [builder for builder in found if not builder[0]] + by_name


def _inject_new(waiting: dict[str, Resolver], tool: Tool) -> None:
    """Add the injected values of required parameters that were not recorded."""
    assert tool.signature is not None
    for name in tool.inject:
        parameter = tool.signature.parameters.get(name)
        if parameter is not None and name not in waiting and parameter.default is parameter.empty:
            make = make_resolver(Ign(), tool, name)
            if make is not None:
                waiting[name] = make


def _is_by_position(tool: Tool, name: str) -> bool:
    assert tool.signature is not None
    return tool.signature.parameters[name].kind is inspect.Parameter.POSITIONAL_ONLY


def _default_of(tool: Tool, name: str) -> Resolver | None:
    assert tool.signature is not None
    default = tool.signature.parameters[name].default
    return None if default is inspect.Parameter.empty else Constant(default)
