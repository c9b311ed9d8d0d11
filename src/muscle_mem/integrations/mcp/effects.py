"""What a tool of the server is: its effect, and where that comes from."""

from __future__ import annotations

from typing import Any

import msgspec

from .rules import Rules, ToolRules
from .secret_names import secret_arguments
from .tool_list import ServerTool

NO_RULES = ToolRules()


class Effect(msgspec.Struct, frozen=True):
    """An effect, and in words where it comes from."""

    name: str
    origin: str


def effect_of(tool: ServerTool, rules: ToolRules, *, trusts_annotations: bool) -> Effect:
    """Return the effect of a tool.

    Without a rule, annotations decide. One that is missing means destructive, as the protocol says, and one that
    contradicts another does not loosen anything.
    """
    if rules.effect is not None:
        return Effect(rules.effect, "rules")
    given = tool.annotations
    reads, destroys, repeats = (given.get(f"{name}Hint") for name in ("readOnly", "destructive", "idempotent"))
    loosened = "irreversible"
    if reads is True and destroys is not True:
        loosened = "read"
    elif reads is not True and destroys is False:
        loosened = "idempotent" if repeats is True else "write"
    if loosened != "irreversible":
        if trusts_annotations:
            return Effect(loosened, "annotations")
        return Effect("irreversible", "annotations are not trusted")
    return Effect("irreversible", "annotations" if destroys is True else "no annotation says otherwise")


def rules_for(rules: Rules, tool: ServerTool) -> ToolRules:
    """Return the rules of a tool."""
    return rules.tools.get(tool.name, NO_RULES)


def is_approved_by_rules(rules: Rules, rule: ToolRules) -> bool:
    """Return whether recordings with a tool need no person."""
    return (rule.trust or rules.trust) == "auto"


def tool_options(tool: ServerTool, rules: Rules, effect: Effect, failed: Any) -> dict[str, Any]:
    """Return the options of a tool of the engine."""
    rule = rules_for(rules, tool)
    options: dict[str, Any] = {
        "effect": effect.name,
        "version": tool.version,
        "secret": sorted({*rule.secret, *secret_arguments(tool.schema)}),
        "aliases": rule.aliases,
        "sink": rule.sink,
        "const": rule.const,
        "any": rule.any,
        "trusted": rule.trusted if rule.trusted is not None else tool.annotations.get("openWorldHint") is not True,
    }
    if effect.name != "read" and not is_approved_by_rules(rules, rule):
        options["trust"] = "manual"
    if failed is not None:
        options["failed"] = failed
    return options
