"""Values that a run was given, and did not have to read."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from ..model.lazy import lazy
from .figures import scalar_figures
from .guard_sources import figures_of
from .leaf_texts import BREAK, bytes_of, text_of
from .tokens import contains_token

_WORD = re.compile(r"\w+")


class Given:
    """Values that a run was given: in its task, or in its params.

    They are prepared when something is looked for.
    """

    def __init__(self, leaves: Iterable[Any]) -> None:
        self._leaves = list(leaves)

    @lazy
    def _text(self) -> str:
        return BREAK.join(text for leaf in self._leaves if (text := text_of(leaf)))

    @lazy
    def _folded(self) -> str:
        return self._text.lower()

    @lazy
    def _words(self) -> frozenset[str]:
        return frozenset((*_WORD.findall(self._text), *_WORD.findall(self._folded)))

    @lazy
    def _values(self) -> frozenset[bytes | None]:
        return frozenset(map(bytes_of, self._leaves)) - {None}

    @lazy
    def _figures(self) -> frozenset[str]:
        return frozenset(value for leaf in self._leaves for figure in scalar_figures(leaf) for value in figure.values)

    def holds(self, value: Any) -> bool:
        """Return whether a value stands here, as a token of a text or as a number or date."""
        text = (text_of(value) or "").strip()
        if not text:
            return False
        if self._has_token(self._text, text) or bytes_of(value) in self._values:
            return True
        # Letters that only look like others stay what they are: other texts are not folded.
        if text.isascii() and self._has_token(self._folded, text.lower()):
            return True
        figures = figures_of(value)
        if len(figures) != 1 or (isinstance(value, str) and figures[0].end - figures[0].start != len(text)):
            return False
        return any(held in self._figures for held in figures[0].values)

    def _has_token(self, known: str, text: str) -> bool:
        """Return whether a text is a token here; short words stand inside of many others."""
        return (text in self._words or not _WORD.fullmatch(text)) and contains_token(known, text)
