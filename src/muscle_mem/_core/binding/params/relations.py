"""E2: params that are parts of others, and must be so in another run."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from ...model.records import ParamPath, PartOf
from ...redaction.traces import fold_text, is_small, text_forms
from ..texts.needles import Needles
from .parts import PLAIN, child_parts, part_at

_MAX_TEXTS = 64
_MAX_RELATIONS = 16  # of one recording; with more, the params are valid for their own values only
_WORD = re.compile(r"[^\W_]+")


def parts_of_others(
    scalars: Mapping[str, Any], containers: Mapping[str, Any], find: Callable[[Any], tuple[str, ParamPath] | None]
) -> tuple[list[PartOf], set[str]]:
    """Return the scalar params that are parts of others, and unclear ones.

    The place of an unclear one cannot be determined. A part is a token of a text, or a leaf of a container.
    """
    found: list[PartOf] = []
    unclear: set[str] = set()
    texts = {name: text for name, value in scalars.items() if (text := _text(value))}
    by_text: dict[str, list[str]] = {}
    for name, text in texts.items():
        by_text.setdefault(text, []).append(name)
    needles = Needles(by_text)
    for whole, text in texts.items():
        spans = [match.span() for match in _WORD.finditer(text)]
        for part in set(needles.found_in(text)) - {text}:
            for words in _places(text, part, spans):
                found += (PartOf(name, whole, words=words) for name in by_text[part])
    distinctive = Needles(text for text, names in by_text.items() if not any(is_small(scalars[name]) for name in names))
    for whole, value in containers.items():
        for path, leaf in _text_leaves(value):
            folded = fold_text(leaf)
            spans = [match.span() for match in _WORD.finditer(folded)]
            for part in set(distinctive.found_in(folded)) - {folded}:
                for words in _places(folded, part, spans):
                    found += (PartOf(name, whole, path, words) for name in by_text[part])
    if containers:
        leaves = {name: {_text(leaf) for leaf in _leaves(value)} for name, value in containers.items()}
        for name, value in scalars.items():
            if is_small(value) or not texts.get(name):
                continue
            for whole in containers:
                if texts[name] in leaves[whole]:
                    place = find(value)
                    if place is None or place[0] != whole:
                        unclear |= {name, whole}
                    else:
                        found.append(PartOf(name, whole, place[1]))
    if len(found) > _MAX_RELATIONS:
        return [], unclear | {name for one in found for name in (one.name, one.whole)}
    return sorted(found, key=msgspec.msgpack.encode), unclear


def _text_leaves(value: Any) -> list[tuple[ParamPath, str]]:
    """Return the texts in a container with their paths.

    Return none of a container with many leaves.
    """
    found: list[tuple[ParamPath, str]] = []
    waiting: list[tuple[ParamPath, Any]] = [((), value)]
    while waiting:
        path, this = waiting.pop()
        for part, child in child_parts(this) or ():
            if part is None:
                continue
            if type(child) is str:
                found.append(((*path, part), child))
            elif type(child) not in PLAIN:
                waiting.append(((*path, part), child))
        if len(found) + len(waiting) > _MAX_TEXTS:
            return []
    return found


def is_still_part(relation: PartOf, values: Mapping[str, Any]) -> bool:
    """Return whether a param is again the recorded part of the other one."""
    try:
        text = _text(values[relation.name])
        whole = _text(part_at(values[relation.whole], relation.path))
    except LookupError:
        return False
    if not relation.words:
        return text == whole
    start, stop, count = relation.words
    spans = [match.span() for match in _WORD.finditer(whole)]
    if len(spans) != count:
        return False
    own = [match.span() for match in _WORD.finditer(text)]
    return bool(own) and whole[spans[start][0] : spans[stop - 1][1]] == text[own[0][0] : own[-1][1]]


def _places(text: str, part: str, spans: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int, int]]:
    """Yield where whole words of a text are the words of a part.

    A place is the first word, behind the last, and the number of words.
    """
    own = [match.span() for match in _WORD.finditer(part)]
    if not own or len(own) > len(spans):
        return
    core = part[own[0][0] : own[-1][1]]
    for first in range(len(spans) - len(own) + 1):
        last = first + len(own) - 1
        if text[spans[first][0] : spans[last][1]] == core:
            yield first, last + 1, len(spans)


def _text(value: Any) -> str:
    if value is None or issubclass(type(value), bool):
        return ""
    forms = text_forms(value)
    return forms[0] if forms else fold_text(str(value))


def _leaves(value: Any) -> Iterator[Any]:
    waiting = [value]
    while waiting:
        this = waiting.pop()
        children = child_parts(this)
        if children is None:
            yield this
            continue
        waiting += [child for _, child in children]
        if issubclass(type(this), dict):
            waiting += list(this)
