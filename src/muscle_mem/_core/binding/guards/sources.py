"""Which outputs hold the value of a literal, as the guards of its step say."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from ....errors import DecodeError
from ... import codec
from ...model.records import Guard
from ..texts.figures import Figure, scalar_figures
from ..texts.leaf_texts import text_of
from ..texts.needles import Needles
from ..texts.tokens import contains_token

_WORD = re.compile(r"\w+")
_DECIMAL = re.compile(r"-?(?:0|[1-9]\d{0,39})(?:\.\d{1,40})?")


class Sources(NamedTuple):
    """The steps whose outputs hold a value.

    They have it as a `whole` leaf, `inside` a longer text, or they have a leaf that is one of the `parts` of the value.
    """

    whole: Sequence[int]
    inside: Sequence[int]
    parts: Sequence[int]


class Matches(NamedTuple):
    """The guards that say something about a value.

    They hold the value, its figure in another spelling, a line with it, or a part of it, which comes with its text.
    """

    equal: Sequence[Guard] = ()
    figures: Sequence[Guard] = ()
    lines: Sequence[Guard] = ()
    parts: Sequence[tuple[Guard, str]] = ()


class GuardSources:
    """The guards of one step, by the values that they hold."""

    def __init__(self, guards: Sequence[Guard]) -> None:
        self._equal: dict[Any, list[Guard]] = {}
        self._figures: dict[str, list[Guard]] = {}
        self._by_text: dict[str, list[Guard]] = {}
        self._by_word: dict[str, list[Guard]] = {}
        for guard in guards:
            if guard.kind not in ("", "figure"):
                continue
            value = _decoded(guard.data)
            text = text_of(value)
            if text is None:
                continue
            if guard.kind:
                self._figures.setdefault(text, []).append(guard)
                continue
            self._equal.setdefault(value_key(value), []).append(guard)
            self._by_text.setdefault(text, []).append(guard)
            words = _WORD.findall(text) if guard.around else ()
            for word in words if len(words) > 1 else ():
                self._by_word.setdefault(word, []).append(guard)
        self._needles = Needles(self._by_text)
        self._found: dict[tuple[type, str], Matches] = {}

    def find(self, value: Any, *, is_field: bool = False) -> Sources:
        """Return the steps whose outputs hold a value.

        `is_field` says that a figure in another spelling was the whole of its leaf.
        """
        found = self.matching(value)
        whole = [guard.step for guard in found.equal if not guard.around]
        inside = [guard.step for guard in (*found.equal, *found.lines) if guard.around]
        (whole if is_field else inside).extend(guard.step for guard in found.figures)
        return Sources(whole, inside, [guard.step for guard, _ in found.parts])

    def matching(self, value: Any) -> Matches:
        """Return the guards that say something about a value."""
        text = text_of(value)
        if text is None or not (self._by_text or self._figures):
            return Matches()
        found = self._found.get((type(value), text))
        if found is None:
            found = self._found[type(value), text] = self._matching(value, text)
        return found

    def _matching(self, value: Any, text: str) -> Matches:
        equal = self._equal.get(value_key(value), ())
        if any(not guard.around for guard in equal):
            return Matches(equal)
        figures = figures_of(value) if self._figures else ()
        is_one = len(figures) == 1 and _is_all(figures[0], value)
        same = [(guard, held) for figure in figures for held in figure.values for guard in self._figures.get(held, ())]
        if equal:
            return Matches(equal, [guard for guard, _ in same] if is_one else ())
        held_in = dict.fromkeys(self._needles.found_in(text))
        parts = [(guard, held) for held in held_in if _is_in(held, text) for guard in self._by_text[held]]
        if is_one:
            return Matches((), [guard for guard, _ in same], self._by_word.get(text, ()), parts)
        return Matches((), (), self._by_word.get(text, ()), parts + same)


def value_key(value: Any) -> Any:
    """Return what equal values share, whether they are numbers or their decimal texts."""
    text = text_of(value)
    if text is not None and _DECIMAL.fullmatch(text):
        return Decimal(text)
    return text


def figures_of(value: Any) -> Sequence[Figure]:
    """Return the figures of a leaf, as `scalar_figures` does; cached for texts."""
    return _figures_in(value) if type(value) is str else scalar_figures(value)


@functools.lru_cache(maxsize=1024)
def _figures_in(text: str) -> tuple[Figure, ...]:
    return tuple(scalar_figures(text))


def _is_in(part: str, text: str) -> bool:
    return len(part) < len(text) and part in text and contains_token(text, part)


def _is_all(figure: Figure, value: Any) -> bool:
    """Return whether a value is one figure and nothing else."""
    return not isinstance(value, str) or figure.end - figure.start == len(value.strip())


@functools.lru_cache(maxsize=4096)
def _decoded(data: bytes) -> Any:
    """Return what a guard holds, or None. Do not change it."""
    try:
        return codec.decode(data, lenient=True)
    except DecodeError:
        return None
