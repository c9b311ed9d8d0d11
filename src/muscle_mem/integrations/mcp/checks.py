"""Checks of rules: they call a read-only tool of the same server."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any

import msgspec

from ..._core.tools.check import Check
from .results import data_of, output_of, part_of, text_of
from .rules import CheckRule, FailedRule

PLACEHOLDER = re.compile(r"\{(\w+)\}")

CallReadTool = Callable[[str, dict[str, Any]], dict[str, Any]]
"""Calls a tool by its name and arguments, and returns its result. Raises if it is not a tool that only reads."""


class CheckCallError(Exception):
    """A call of a check that failed, or that cannot be made."""


def make_check(rule: CheckRule, call: CallReadTool) -> Check:
    """Return the check of a rule."""

    def capture(**arguments: Any) -> Any:
        result = call(rule.tool, filled(rule.arguments, arguments))
        output = output_of(result)
        if output.get("isError"):
            raise CheckCallError(f"the tool {rule.tool!r} of the check failed: {text_of(output)}")
        try:
            return part_of(output, rule.part)
        except LookupError as error:
            raise CheckCallError(
                f"the result of {rule.tool!r}, of the check, cannot be used: {error.args[0]}"
            ) from None

    named = [rule.tool, rule.arguments, rule.part]
    digest = hashlib.sha256(msgspec.json.encode(named, order="deterministic")).hexdigest()[:32]
    return Check(capture, version=f"mcp:{digest}", wait=rule.wait)


def filled(template: Any, arguments: dict[str, Any]) -> Any:
    """Return arguments of a check with the values of the call in place of their names.

    A text that is a name alone becomes the value with its type. Raises CheckCallError for an argument that the call
    does not have.
    """
    if isinstance(template, dict):
        return {name: filled(part, arguments) for name, part in template.items()}
    if isinstance(template, list):
        return [filled(part, arguments) for part in template]
    if not isinstance(template, str):
        return template
    whole = PLACEHOLDER.fullmatch(template)
    if whole is not None:
        return _value(whole.group(1), arguments)
    return PLACEHOLDER.sub(lambda found: str(_value(found.group(1), arguments)), template)


def _value(name: str, arguments: dict[str, Any]) -> Any:
    if name not in arguments:
        raise CheckCallError(f"the check needs the argument {name!r}, which the call does not have")
    return arguments[name]


def failed_option(rule: FailedRule | bool | None) -> Any:
    """Return what the engine takes as `failed=` of a tool; None for its default."""
    if not isinstance(rule, FailedRule):
        return rule

    def failed(output: dict[str, Any]) -> Any:
        if output.get("isError"):
            return True
        if not _is_failure(rule, output):
            return False
        return "nothing_done" if rule.nothing_done else True

    return failed


def _is_failure(rule: FailedRule, output: dict[str, Any]) -> bool:
    if rule.text and rule.text.casefold() in str(data_of(output)).casefold():
        return True
    try:
        value = part_of(output, rule.part)
    except LookupError:
        return False
    return any(value == other and type(value) is type(other) for other in rule.values)
