"""Texts that may have been made of a leaf of an output (E6, E3a).

Examples are "Dear Ann," of a name, a slug, and an address.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from ..outputs.index import OutputIndex
from ..outputs.places import Place
from ..texts.figures import MAX_TEXT
from ..texts.leaf_texts import BREAK, fold_plain, occurrences, text_of

SHORTEST_WORD = 3
LONGEST_LEAF = 8
"""Words of a leaf that guards a text as a whole; in a longer one, words with a capital or a digit."""

_MAX_WORDS = 40
_FEW_SEARCHES = 50
_MAX_LEAVES = 16  # leaves of one output with a word, above which the word says nothing
_FEW_LEAVES = 3
_SHORTEST_HIDDEN = 5
_DIGITS = 4
_WORD = re.compile(r"[^\W_]+")
_SUFFIX = re.compile(r"\.[^\W_]{2,5}$|\.[^\W_]{2,5}(?=[/:?#\s])")
_COMMON = frozenset(
    "the and for with from that this you your our are was were has have had not but all any can will may its his her "
    "their they them she him who what when where how why into onto over under about after before than then there here "
    "out off per via yes please thanks thank dear hello best regards kind sincerely new old one two get set add "
    "www http https com org net html htm php "
    "der die das und für mit von dem den des ein eine einer eines einem einen ist sind war nicht auf aus bei nach zum "
    "zur ihr ihre ihren sie wir uns ich als auch oder aber wie was wer bitte danke hallo sehr geehrte geehrter liebe "
    "lieber grüße freundlichen".split()
)


class Words:
    """The words of some leaves, as words of literals are compared with them.

    A few words are searched for in the texts of the leaves, because a search in C costs less than a set of all words.
    """

    __slots__ = ("_leaves", "_searches", "_text", "_words")

    def __init__(self, leaves: Iterable[Any]) -> None:
        self._leaves: Iterable[Any] = leaves
        self._text: str | None = None
        self._words: frozenset[str] | None = None
        self._searches = 0

    def __contains__(self, word: str) -> bool:
        if self._text is None:
            texts = [leaf if type(leaf) is str else text_of(leaf) or "" for leaf in self._leaves]
            self._text = fold_plain(BREAK.join([text[:MAX_TEXT] for text in texts]))
        self._searches += 1
        if self._words is None and self._searches > _FEW_SEARCHES:
            self._words = frozenset(_WORD.findall(self._text))
        return word in self._words if self._words is not None else _has_word(self._text, word)


def _has_word(text: str, word: str) -> bool:
    if not word.isalnum():
        return False
    at = text.find(word)
    while at >= 0:
        end = at + len(word)
        if not text[at - 1 : at].isalnum() and not text[end : end + 1].isalnum():
            return True
        at = text.find(word, at + 1)
    return False


def words_in(leaf: Any) -> frozenset[str]:
    """Return the folded words of a leaf."""
    return frozenset(_WORD.findall(fold_plain((text_of(leaf) or "")[:MAX_TEXT])))


def leaves_behind(text: str, index: OutputIndex, *known: Words) -> Iterator[tuple[Place, str]]:
    """Yield the leaves that a text may have been made of, with the part that counts.

    The part is empty for the whole leaf. `known` are the words that other sources explain.
    """
    folded = fold_plain(text[:MAX_TEXT])
    for word in _distinctive_words(folded, known):
        is_number = word.isdigit()
        if is_number and (len(word) < _DIGITS or (len(word) == _DIGITS and word[:2] in ("19", "20"))):  # a year
            continue
        found = list(_bounded(index.word_places(word, anywhere=is_number), _MAX_LEAVES, index))
        if not found and len(word) >= _SHORTEST_HIDDEN:
            found = list(_bounded(index.hidden_places(word), _FEW_LEAVES, index))
        for place in found:
            yield from _parts(place, word)
    letters = folded.strip()
    if (
        2 <= len(letters) < _SHORTEST_HIDDEN
        and letters.isalpha()
        and letters not in _COMMON
        and not _is_in(letters, known)
    ):
        for place in _bounded(index.places_at_ends(letters), _FEW_LEAVES, index):
            yield place, ""
    if text.isupper() and text.isalpha() and 2 <= len(text) < _SHORTEST_HIDDEN:
        for place in _bounded(index.places_of_initials(letters), _FEW_LEAVES, index):
            yield place, ""


def _distinctive_words(folded: str, known: Sequence[Words]) -> list[str]:
    without = _SUFFIX.sub(" ", folded)
    words = dict.fromkeys(_WORD.findall(without))
    found = [word for word in words if len(word) >= SHORTEST_WORD and word not in _COMMON and not _is_in(word, known)]
    return found[:_MAX_WORDS]


def _is_in(word: str, known: Sequence[Words]) -> bool:
    return any(word in words for words in known)


def _bounded(places: Iterable[Place], most: int, index: OutputIndex) -> Iterator[Place]:
    """Yield the places in those outputs that hold at most so many."""
    by_step: dict[int, list[Place]] = {}
    for place in places:
        by_step.setdefault(index.step_of(place.node), []).append(place)
    for found in by_step.values():
        if len(found) <= most:
            yield from found


def _parts(place: Place, word: str) -> Iterator[tuple[Place, str]]:
    seen = text_of(place.leaf) or ""
    if len(seen.split()) <= LONGEST_LEAF:
        yield place, ""
        return
    for match in _WORD.finditer(seen[:MAX_TEXT]):
        if fold_plain(match[0]) == word:
            form = match[0]
            if form != form.lower() or any(map(str.isdigit, form)) or "@" in seen[match.start() - 1 : match.end() + 1]:
                if any(True for _ in occurrences(seen, form)):
                    yield place, form
                return


def sides_of(place: Place, part: str) -> tuple[str, str]:
    """Return what stands before and after the first occurrence of a part of a leaf."""
    return next(occurrences(text_of(place.leaf) or "", part))
