"""What is known of an argument's leaf and of its sources (L6 to L8)."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Any

from ...model.flow import ARGUMENT, OUTPUT, Between, Element, Name, NthKey, Parsed, Slot, Source, may_act
from ..suspicions.id_shapes import has_id_shape
from ..suspicions.literals import SMALL_NUMBER, random_parts
from ..texts.field_names import is_same_name, words_of
from ..texts.leaf_texts import text_of
from .leaf_sizes import FEWEST_BITS, bits_of
from .levels import Facts

HARMLESS = ("read", "idempotent")
_WORDS = re.compile(r"\w+")
_NAMES = re.compile(r"[^\W\d_]+")
_NUMBER_WORDS = frozenset(("id", "is", "no", "nr", "num", "number"))


def facts_of(
    values: Sequence[Any],
    names: Sequence[str],
    sources: Sequence[Source],
    effect: str | None,
    effects: Sequence[str | None],
) -> Facts:
    """Return what is known of a leaf with these values and sources.

    `names` lead to the leaf, `effect` is that of its step, and `effects` are those of all steps.
    """
    fixed = [source for source in sources if is_fixed_way(source)]
    is_id_like = all(map(has_id_shape, values))
    bits = min(map(bits_of, values))
    return Facts(
        can_act=any(map(may_act, sources)),
        is_id_like=is_id_like,
        is_random=is_id_like and all(map(_is_random, values)),
        bits=bits,
        is_small=bits < FEWEST_BITS,
        is_number_from_100=all(type(value) is int and abs(value) >= SMALL_NUMBER for value in values),
        by_fixed_way=bool(fixed),
        has_source_name=any(_bears_name(names, source) for source in fixed or filter(may_act, sources)),
        made_by_non_read=any(is_made(source, effects) for source in fixed),
        used_by_harmless=effect in HARMLESS,
    )


def may_be_inferred(facts: Facts) -> bool:
    """Return whether a leaf is not too small, or one of the exceptions of L6 applies."""
    by_number = facts.is_number_from_100 and facts.by_fixed_way and facts.made_by_non_read
    return not facts.is_small or by_number or facts.has_source_name


def is_fixed_way(source: Source) -> bool:
    """Return whether keys, fields and tuple positions alone lead to a value.

    The text of the first content block of an MCP result counts as a field.
    """
    path = source.path
    return all(
        isinstance(item, Name | Slot | Parsed) or (item == Element(0) and _is_content(path[at + 1 :]))
        for at, item in enumerate(path)
    )


def _is_content(rest: Sequence[Any]) -> bool:
    return len(rest) >= 2 and rest[0] == Name("text") and isinstance(rest[1], Parsed)


def is_made(source: Source, effects: Sequence[str | None]) -> bool:
    """Return whether a source is the output of a tool that is not `read`."""
    return source.origin == OUTPUT and effects[source.step] != "read"


def _is_random(value: Any) -> bool:
    text = text_of(value)
    return text is not None and any(True for _ in random_parts(text))


def _bears_name(names: Sequence[str], source: Source) -> bool:
    name = source_name(source)
    return bool(name) and any(is_same_name(own, name) or _is_same_thing(own, name) for own in names[-1:])


def _is_same_thing(one: str, two: str) -> bool:
    """Return whether one name is that of a thing and the other that of its id."""
    first, second = words_of(one), words_of(two)
    return bool(first and second) and (first == (*second, "id") or second == (*first, "id"))


def source_name(source: Source) -> str:
    """Return the name under which a value stands at its source.

    It is empty if there is none.
    """
    for item in reversed(source.path):
        if isinstance(item, Between):
            return _last_name(item.before)
        if isinstance(item, Name):
            return item.name
        if isinstance(item, NthKey | Slot):
            return ""
    return "" if source.origin == OUTPUT else source.name


def _last_name(words: str) -> str:
    """Return the name before a value in a text: `order` for "Order no. "."""
    found = _NAMES.findall(words)
    while found and found[-1].lower() in _NUMBER_WORDS:
        found.pop()
    return found[-1] if found else ""


def is_in_task(value: Any, words: Collection[str]) -> bool:
    """Return whether a value stands in a task of these casefolded words."""
    text = text_of(value)
    if text is None or not words:
        return False
    folded = text.casefold()
    pieces = _WORDS.findall(folded)
    return folded in words or all(part in words for part in folded.split()) or all(part in words for part in pieces)


def is_from_agent(sources: Sequence[Source]) -> bool:
    """Return whether an argument had a value before an output did."""
    outputs = [source.step for source in sources if source.origin == OUTPUT]
    arguments = [source.step for source in sources if source.origin == ARGUMENT]
    return bool(arguments) and (not outputs or min(arguments) <= min(outputs))
