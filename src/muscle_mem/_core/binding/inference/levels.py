"""What an inferred argument may do, by the evidence for it (L6 to L8)."""

from __future__ import annotations

from typing import Literal, NamedTuple

Level = Literal["acts", "probation", "none"]
_MOST = 8
_FILTERED = 5  # values that show that an element was not chosen for a word


class Facts(NamedTuple):
    """What is known of an argument's leaf and its sources.

    The number of values that agreed is counted apart.

    `can_act` says that one of the sources may act. `is_id_like` and `is_random` (a UUID or a longer random text) hold
    for all values, `bits` is the least of their sizes, `is_small` says that these are too few to be searched for, and
    `is_number_from_100` that the values are whole numbers from 100. `by_fixed_way` says that keys, fields and tuple
    positions alone lead to the value, `has_source_name` that the argument bears the name of its source, and
    `made_by_non_read` that the source is the output of a tool that is not `read`. `used_by_harmless` says that the
    argument's own step is `read` or `idempotent`. `in_task` and `is_param` say that a value stands in the task or may
    be a param. `may_be_filtered` says that the first or last element may have been chosen for a word, and
    `is_twin_blocked` that another call of the same tool could be the source.
    """

    can_act: bool = False
    is_id_like: bool = False
    is_random: bool = False
    bits: int = 0
    is_small: bool = True
    is_number_from_100: bool = False
    by_fixed_way: bool = False
    has_source_name: bool = False
    made_by_non_read: bool = False
    used_by_harmless: bool = False
    in_task: bool = False
    is_param: bool = False
    may_be_filtered: bool = False
    is_twin_blocked: bool = False


def level(
    facts: Facts,
    values: int,
    *,
    declared: bool = False,
    irreversible: bool = False,
    is_checked: bool = False,
    extra: int = 0,
) -> Level:
    """Return what an inferred leaf may do.

    Args:
        facts: What is known of the leaf.
        values: The number of different values for which the expression agreed.
        declared: Whether the flow was declared.
        irreversible: Whether the leaf's step is irreversible.
        is_checked: Whether the step has a pre-check or an approval.
        extra: How many more values the engine asks for.
    """
    if declared:
        return "acts"
    if not facts.can_act or facts.is_twin_blocked:
        return "none"
    found = _small_level(facts, values - extra) if facts.is_small else _level(facts, values - extra)
    if found == "none" and extra and values:  # More values are asked for to act, not to be on probation.
        found = "none" if level(facts, values) == "none" else "probation"
    if found == "acts" and facts.may_be_filtered and values - extra < _FILTERED:
        return "probation"
    if irreversible and found == "acts" and not (is_checked and values - extra >= 3):
        return "probation"
    return found


def _level(facts: Facts, values: int) -> Level:
    if values >= 3:
        return "acts"
    if values == 2:
        by_name = facts.by_fixed_way and facts.has_source_name
        return "acts" if facts.is_id_like or by_name else "probation"
    if values == 1 and facts.by_fixed_way and facts.is_id_like and not facts.in_task and not facts.is_param:
        return "probation" if facts.made_by_non_read or facts.used_by_harmless else "none"
    return "none"


def _small_level(facts: Facts, values: int) -> Level:
    """Return the level of a value that is too small to be searched for."""
    if facts.is_number_from_100 and facts.by_fixed_way and facts.made_by_non_read and values >= 2:
        return "acts" if facts.has_source_name or values >= 3 else "none"
    if not facts.has_source_name or values < 2:
        return "none"
    return "acts" if values >= 3 else "probation"


def missing(
    facts: Facts,
    values: int,
    *,
    declared: bool = False,
    irreversible: bool = False,
    is_checked: bool = False,
    extra: int = 0,
) -> str:
    """Return what is missing for the next level; empty if the leaf acts.

    The arguments are those of `level`.
    """
    now = level(facts, values, declared=declared, irreversible=irreversible, is_checked=is_checked, extra=extra)
    if now == "acts":
        return ""
    if not facts.can_act:
        return "a source that may act: a key, a field, the first or last element, or an element found by a field"
    if facts.is_twin_blocked:
        return "arguments that distinguish the calls of the tool that could be the source"
    checks = "a pre-check or an approval"
    if irreversible and level(facts, values, irreversible=True, is_checked=True, extra=extra) not in (now, "none"):
        return checks
    for more in range(1, _MOST + extra):
        wanted = "one more value" if more == 1 else f"{more} more values"
        if level(facts, values + more, irreversible=irreversible, is_checked=is_checked, extra=extra) != now:
            return wanted
        if irreversible and level(facts, values + more, irreversible=True, is_checked=True, extra=extra) != now:
            return f"{wanted}, and {checks}"
    return "an argument that has the name of its source, or a declared flow"
