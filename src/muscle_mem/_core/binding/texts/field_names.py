"""Names of arguments and fields, and what they say about the value.

Some say that a value is an id or a place, and some mean the same.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable

_ID_WORDS = frozenset(
    "id ids index indexes indices idx number numbers no nr num key keys ref refs row rows reference pk uid uuid guid "
    "pos position col column".split()
)
YES_AND_NO = frozenset("yes no true false on off ja nein oui non si s\u00ed \u2713 \u2717 \u2714 \u2718".split())
"""Words that are bools in texts; they count in lists as well."""

_LONGEST_FLAG = 32
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_MORE = frozenset("next cursor more truncated partial incomplete continuation remaining".split())
_STATE = frozenset(
    "state status stage phase type kind level priority severity availability available free taken open closed active "
    "enabled done paid result verdict".split()
)
_TOTAL = frozenset("total totals count size length len num number results matches found hits".split())
_QUANTITY = frozenset(
    "amount quantity qty count total sum value price cost fee tax discount balance budget rate ratio score rating "
    "point average mean median percent percentage weight size width height length distance limit threshold minimum "
    "maximum min max day hour minute second week month year duration age star stock".split()
)


@functools.lru_cache(maxsize=4096)
def words_of(name: str) -> tuple[str, ...]:
    """Return the words of a name in lower case, the last one in the singular."""
    words = [word for word in re.split(r"[\W_]+", _CAMEL.sub("_", name).lower()) if word]
    if words and len(words[-1]) > 2 and words[-1].endswith("s") and not words[-1].endswith(("ss", "us", "is")):
        words[-1] = words[-1][:-1]
    return tuple(words)


def is_id_name(name: str) -> bool:
    """Return whether a name is that of an id or a place."""
    words = words_of(name)
    return bool(words) and words[-1] in _ID_WORDS


def is_same_name(one: str, two: str) -> bool:
    """Return whether two names mean the same; `id` and `order_id` count as one."""
    first, second = words_of(one), words_of(two)
    if not first or not second:
        return False
    if first == second:
        return True
    return first[-1] == second[-1] == "id" and 1 in (len(first), len(second))


def says_quantity(name: str) -> bool:
    """Return whether an argument of this name gets a number that counts or measures."""
    words = words_of(name)
    return bool(words) and words[-1] in _QUANTITY


def says_state(name: str) -> bool:
    """Return whether a field of this name holds a word of a closed set."""
    return not _STATE.isdisjoint(words_of(name))


def is_flag(text: str, name: str) -> bool:
    """Return whether a text in a field of this name is a word for a state.

    Yes and no are such words under every name.
    """
    return 0 < len(text) <= _LONGEST_FLAG and (says_state(name) or text.casefold() in YES_AND_NO)


def may_say_yes(texts: Iterable[str]) -> bool:
    """Return whether one of these texts is a yes or a no."""
    return not YES_AND_NO.isdisjoint(map(str.casefold, texts))


def says_more(name: str) -> bool:
    """Return whether a field of this name says that a list goes on elsewhere."""
    return not _MORE.isdisjoint(words_of(name))


def says_total(name: str) -> bool:
    """Return whether a field of this name may hold the length of a list."""
    return not _TOTAL.isdisjoint(words_of(name))
