"""Units and currencies: what stands beside a number and says what it counts."""

from __future__ import annotations

import functools
import re

from ...model.pattern import compiled

_UNITS = (
    "euro euros eur usd gbp chf jpy dollar dollars pound pounds yen franken cent cents "
    "kg g mg t lb lbs oz km m cm mm mi ft in inch inches l ml cl gb mb kb tb kwh kw w v a hz ghz mhz px pt "
    "s sec secs second seconds min mins minute minutes h hr hrs hour hours d day days week weeks month months year "
    "years "
    "ms stück stk pcs pieces piece items nights night persons people points percent prozent tage tag stunden stunde "
    "minuten wochen monate jahre"
).split()
_SYMBOLS = "€$£¥₹₽₩%°"
UNIT = rf"(?:[{_SYMBOLS}]|(?:[A-Z]{{3}}|(?i:{'|'.join(sorted(_UNITS, key=len, reverse=True))}))(?![\w]))"
"""A unit or currency, as part of a regular expression."""

_BEHIND = rf"[ \u00a0\u202f]?({UNIT})"
_BEFORE = rf"([{_SYMBOLS}]|(?<![A-Za-z])[A-Z]{{3}})[ \u00a0\u202f]?$"
_NAMES = frozenset("currency unit units uom währung einheit ccy".split())


def units_beside(text: str, start: int, end: int) -> tuple[str, str]:
    """Return the units directly before and behind a number in a text.

    They are empty where there is none.
    """
    before = compiled(_BEFORE).search(text[max(0, start - 5) : start])
    behind = compiled(_BEHIND).match(text, end)
    return before[1] if before else "", behind[1] if behind else ""


@functools.lru_cache(maxsize=4096)
def is_unit_name(name: str) -> bool:
    """Return whether a field of this name holds a currency or unit."""
    return not _NAMES.isdisjoint(re.split(r"[^a-zäöü]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()))
