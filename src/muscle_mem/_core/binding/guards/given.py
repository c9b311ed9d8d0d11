"""Values that a run was given, and did not have to read."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from ...model.lazy import lazy
from ...redaction.traces import decimal_texts
from ..texts.figures import scalar_figures
from ..texts.leaf_texts import BREAK, bytes_of, text_of
from ..texts.tokens import contains_token
from .sources import figures_of

_WORD = re.compile(r"\w+")
_SIGNS_OF_NUMBERS = frozenset("0123456789+-.abcdefinx")
"""The characters that the text of a number is made of: digits, or those of `inf`, `nan` and a hexadecimal number."""

_USUAL = frozenset({str, int, float, bool, type(None)})


class Given:
    """Values that a run was given: in its task, or in its params.

    They are prepared when something is looked for.
    """

    def __init__(self, leaves: Iterable[Any]) -> None:
        self._given = leaves

    @lazy
    def _leaves(self) -> list[Any]:
        return list(self._given)

    @lazy
    def _text(self) -> str:
        others = [text_of(leaf) or "" for leaf in self._others]
        return BREAK.join((*self._texts, *others))

    @lazy
    def _folded(self) -> str:
        return self._text.lower()

    @lazy
    def _words(self) -> frozenset[str]:
        return frozenset((*_WORD.findall(self._text), *_WORD.findall(self._folded)))

    @lazy
    def _numbers(self) -> str:
        return BREAK.join((*decimal_texts([*self._ints]), *map(str, self._floats)))

    @lazy
    def _words_of_numbers(self) -> frozenset[str]:
        return frozenset(_WORD.findall(self._numbers))

    @lazy
    def _texts(self) -> frozenset[str]:
        return frozenset([leaf for leaf in self._leaves if type(leaf) is str])

    @lazy
    def _ints(self) -> frozenset[int]:
        return frozenset([leaf for leaf in self._leaves if type(leaf) is int])

    @lazy
    def _floats(self) -> list[float]:
        return [leaf for leaf in self._leaves if type(leaf) is float]

    @lazy
    def _others(self) -> list[Any]:
        if _USUAL.issuperset(map(type, self._leaves)):
            return []
        return [leaf for leaf in self._leaves if type(leaf) not in _USUAL]

    @lazy
    def _bytes_of_others(self) -> frozenset[bytes | None]:
        return frozenset(map(bytes_of, self._others)) - {None}

    @lazy
    def _figures(self) -> frozenset[str]:
        return frozenset(value for leaf in self._leaves for figure in scalar_figures(leaf) for value in figure.values)

    def holds(self, value: Any) -> bool:
        """Return whether a value stands here, as a token of a text or as a number or date."""
        text = (text_of(value) or "").strip()
        if not text:
            return False
        if self._has_token(text) or self._has_equal(value):
            return True
        # Letters that only look like others stay what they are: other texts are not folded.
        if text.isascii() and self._has_token(text.lower(), is_folded=True):
            return True
        figures = figures_of(value)
        if len(figures) != 1 or (isinstance(value, str) and figures[0].end - figures[0].start != len(text)):
            return False
        return any(held in self._figures for held in figures[0].values)

    def _has_token(self, text: str, *, is_folded: bool = False) -> bool:
        """Return whether a text is a token here; short words stand inside of many others."""
        known = self._folded if is_folded else self._text
        if text in known:  # Most are not, and this costs much less than the words of all values.
            is_part = text not in self._words and _WORD.fullmatch(text)
            if not is_part and contains_token(known, text):
                return True
        if not _SIGNS_OF_NUMBERS.issuperset(text) or text not in self._numbers:
            return False
        is_part = text not in self._words_of_numbers and _WORD.fullmatch(text)
        return not is_part and contains_token(self._numbers, text)

    def _has_equal(self, value: Any) -> bool:
        """Return whether a value of the same type is here that is equal."""
        kind = type(value)
        if kind is str or kind is int:
            return value in (self._texts if kind is str else self._ints)
        if kind is float:
            data = bytes_of(value)
            return any(bytes_of(leaf) == data for leaf in self._floats if leaf == value or leaf != leaf)
        return bytes_of(value) in self._bytes_of_others
