"""How a leaf of an output holds the value of a param (E6).

Of a recorded value that is a param's, and that an earlier output held too, it is unknown which of the two was used. It
may be sent again while both say the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ...model.records import ParamPath
from ...redaction.traces import SHORT_TEXT
from ..params.parts import part_at
from ..params.values import plain_text
from ..texts.figure_places import is_same_value
from ..texts.figures import MAX_TEXT, Figure, scalar_figures
from ..texts.leaf_texts import fold_plain, squeeze, text_of
from ..texts.spelled import unquoted

EQUAL, FIGURE, SPELLED, PART = "equal", "figure", "spelled", "part"
"""How a leaf holds a value.

As it is, as a number or date in any spelling, in other words or inside of a longer text, or
as a part of the value.
"""

MAX_WORDS = 8  # of a text that holds the words of a value in another order
SHORTEST_HIDDEN = 6  # letters and digits of a value that is found inside of a longer word
_WORD = re.compile(r"[^\W_]+")


def words_of(text: str) -> list[str]:
    """Return the words of a text, without differences in case, accents and quoting."""
    return _WORD.findall(fold_plain(unquoted(text[:MAX_TEXT])))


def figure_of(value: Any) -> Figure | None:
    """Return the number or date that a value is as a whole; None if it is not one."""
    found = [figure for figure in scalar_figures(value) if figure.kind != "time"]
    if len(found) != 1:
        return None
    text = value.strip() if type(value) is str else ""
    return found[0] if type(value) is not str or text == value[found[0].start : found[0].end] else None


def relation(leaf: Any, given: Any) -> str:
    """Return how a leaf of an output holds a value; empty if it does not."""
    return next((kind for kind in (EQUAL, FIGURE, SPELLED, PART) if holds(kind, leaf, given)), "")


def holds(kind: str, leaf: Any, given: Any) -> bool:
    """Return whether a leaf of an output holds a value in this way."""
    text, wanted = text_of(leaf), text_of(given)
    if text is None or wanted is None:
        return False
    if kind == EQUAL:
        return text == wanted or _is_equal_number(leaf, given)
    if kind == FIGURE:
        figure = figure_of(given)
        return figure is not None and any(_is_same_figure(figure, other) for other in scalar_figures(leaf))
    if kind == SPELLED:
        return _is_spelled_in(wanted, text)
    return kind == PART and bool(text.strip()) and _is_run(words_of(text), words_of(wanted))


def _is_equal_number(leaf: Any, given: Any) -> bool:
    """Return whether a leaf is the number that a value is, or that it spells."""
    if issubclass(type(leaf), str) and issubclass(type(given), str):
        return False
    one, two = figure_of(leaf), figure_of(given)
    return one is not None and two is not None and one.kind == two.kind == "number" and one.values == two.values


def _is_same_figure(one: Figure, two: Figure) -> bool:
    return one.kind == two.kind and any(is_same_value(one.kind, value, two.values) for value in one.values)


def _is_spelled_in(wanted: str, text: str) -> bool:
    words, others = words_of(wanted), words_of(text)
    if not words:
        return wanted in text
    if _is_run(words, others) or (len(others) <= MAX_WORDS and set(words) <= set(others)):
        return True
    letters = "".join(words)
    if len(letters) < (SHORTEST_HIDDEN if letters.isascii() else SHORT_TEXT - 1):
        return False
    return letters in squeeze(fold_plain(text[:MAX_TEXT]))


def _is_run(words: Sequence[str], text: Sequence[str]) -> bool:
    """Return whether words stand side by side among others."""
    size = len(words)
    if not size:
        return False
    first = words[0]
    return any(text[at] == first and list(text[at : at + size]) == list(words) for at in range(len(text) - size + 1))


def given_value(params: Mapping[str, Any], name: str, path: ParamPath) -> Any:
    """Return this run's value of a param, or of a part of it.

    Raises LookupError without one.
    """
    return plain_text(part_at(plain_text(params[name]), path))
