"""The words of params, and which of them a literal may be made of (E3a)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import compress, filterfalse
from typing import Any

from ...redaction.traces import SHORT_TEXT, decimal_text, decimal_texts, text_forms
from ..texts.function_words import ADDRESS_WORDS, FUNCTION_WORDS
from ..texts.needles import Needles
from ..texts.spelled import squeezed, unquoted, with_spelled_out_letters, without_accents

MANY_WORDS = 8
"""Of a param of more words, only those with a capital, a digit or an @ count."""

_EDGE = "\0"
_LONG_WORD = 4  # letters; a word of fewer counts inside of another word at its begin or end only
_DIGITS = 4
_LONG = 10**_DIGITS
_USUAL = frozenset({str, int, float, bool, type(None)})
_PLAIN_WORDS = FUNCTION_WORDS | ADDRESS_WORDS
_WORD = re.compile(r"[^\W_]+")
_SPACES = {code: " " for code in range(128) if not chr(code).isalnum()}
_LAST_PART = re.compile(r"\.([^\W_]{1,5})(?![\w.@-])")
_ADDRESS = re.compile(r"[\w.+-]*@[\w.-]*")
_NUMBER_GROUPS = re.compile(r"\d(?:[\s./()_-]?\d)+")


class ParamWords:
    """The words of the params of one run, and of its task.

    The task's words explain a literal. Without numbers, those of long params are left out, which only a text with
    digits can be made of.
    """

    def __init__(self, leaves: Mapping[str, Sequence[Any]], task: Iterable[Any], *, with_numbers: bool = True) -> None:
        self.lacks_numbers = False
        self._with_numbers = with_numbers
        self._by_word: dict[str, frozenset[str]] = {}
        self._digits: dict[str, set[str]] | None = None
        self._joined: list[tuple[str, str]] = []
        self._by_any_word: dict[str, frozenset[str]] = {}
        self._spelled: list[tuple[str, str]] = []
        self._long: list[tuple[str, str]] = []
        self._raw: list[tuple[str, str]] = []
        self._short: dict[str, set[str]] = {}
        self._initials: dict[str, set[str]] = {}
        self._task = {word for text in task if isinstance(text, str) for word in _words(text)}
        for name, values in leaves.items():
            self._add(name, values)
        self._needles = Needles(filter(str.isalnum, _at_least(_LONG_WORD, self._by_word)))
        self._edges = ""
        self._orders: tuple[list[str], list[str]] | None = None

    def _add(self, name: str, leaves: Sequence[Any]) -> None:
        texts, words = self._texts_and_words(leaves)
        joined = "\0".join(texts)
        is_long = len(words) > MANY_WORDS
        if len(texts) == 1:
            self._raw.append((joined, name))
        unique = dict.fromkeys(words)
        for word in filter(str.istitle, unique):
            if len(word) == SHORT_TEXT - 1:
                self._short.setdefault(word.lower(), set()).add(name)
        if is_long:
            lower = list(filter(str.islower, unique))
            counted = [*filterfalse(str.islower, unique), *filterfalse(str.isalpha, lower)]
            if "@" in joined:
                counted += [word for address in _ADDRESS.findall(joined) for word in _WORD.findall(address)]
            words = counted if joined.isascii() else [word for word in counted if not _is_caseless(word)]
        last_parts = set(map(without_accents, _LAST_PART.findall(joined))) if "." in joined else set()
        for form in (without_accents, with_spelled_out_letters):
            folded = form("\n".join(words)).split("\n") if words else []
            self._add_words(name, folded, last_parts)
            if not is_long:
                self._spelled += [(whole, name) for text in texts if (whole := squeezed(form(text)))]
                self._add_initials(name, folded)
                self._add_initials(name, [word for text in texts for word in form(text).split()])
            elif len(texts) == 1:
                self._long.append((squeezed(form(joined)), name))
            if joined.isascii():
                break
        self._joined.append((joined, name))

    def _texts_and_words(self, leaves: Sequence[Any]) -> tuple[list[str], list[str]]:
        if len(leaves) <= MANY_WORDS:
            texts = [text for leaf in leaves for text in _plain_texts(leaf)]
        else:
            texts = _texts(leaves, with_numbers=self._with_numbers)
        words = _words_in("\0".join(texts))
        if not self._with_numbers and len(leaves) > MANY_WORDS:
            if len(texts) > 1 and len(words) > MANY_WORDS:
                self.lacks_numbers = True
            else:  # Whether it is long, or of one text, is seen with the numbers only.
                texts = _texts(leaves)
                words = _words_in("\0".join(texts))
        return texts, words

    @property
    def _by_digits(self) -> dict[str, set[str]]:
        """The params by the digits of their numbers, four at a time."""
        if self._digits is None:
            self._digits = {}
            for joined, name in self._joined:
                for group in _NUMBER_GROUPS.findall(joined):
                    digits = group if group.isdigit() else squeezed(group)
                    for at in range(len(digits) - _DIGITS + 1):
                        self._digits.setdefault(digits[at : at + _DIGITS], set()).add(name)
        return self._digits

    def _ordered(self) -> tuple[list[str], list[str]]:
        """Return the words in order, and the reversed words in order."""
        if self._orders is None:
            self._orders = sorted(self._by_word), sorted(word[::-1] for word in self._by_word)
        return self._orders

    def _add_words(self, name: str, words: Iterable[str], last_parts: set[str]) -> None:
        only = frozenset((name,))
        new = set(words)
        distinctive = set(_at_least(SHORT_TEXT, list(new)))
        distinctive.update([word for word in new - distinctive if not word.isascii()])
        distinctive -= _PLAIN_WORDS
        distinctive -= last_parts
        self._by_any_word = _with_names(self._by_any_word, new, only)
        self._by_word = _with_names(self._by_word, distinctive, only)

    def _add_initials(self, name: str, words: Sequence[str]) -> None:
        letters = [word[0] for word in words if word[0].isalpha()]
        if len(letters) > 1:
            self._initials.setdefault("".join(letters), set()).add(name)
        for letter in letters[:1] + letters[-1:]:
            self._initials.setdefault(letter, set()).add(name)

    def names_in(self, text: str, *, is_part: bool = False) -> set[str]:
        """Return the params that a text may be made of a part of.

        `is_part` is set for a piece of a template.
        """
        found: set[str] = set()
        plain = unquoted(text)
        words = _WORD.findall(plain.lower())
        for word in words if self._short else ():
            if word in self._short and word not in self._task and word not in FUNCTION_WORDS:
                found |= self._short[word]
        if not is_part and len(text) > 1 and not (words and self._task.issuperset(words)):
            find = str.__contains__ if len(text) >= SHORT_TEXT and words else _has_edge
            found.update(name for raw, name in self._raw if find(raw, text))
        for form in (without_accents, with_spelled_out_letters):
            folded = form(plain)
            words = _WORD.findall(folded)
            found.update(self._names_of_words(words))
            if words and not self._task.issuperset(words):
                found.update(self._names_of_whole("".join(words), is_part))
            if plain.isascii():
                break
        for group in _NUMBER_GROUPS.findall(plain):
            digits = squeezed(group)
            if digits in self._task:
                continue
            for at in range(len(digits) - _DIGITS + 1):
                found.update(self._by_digits.get(digits[at : at + _DIGITS], ()))
        return found

    def _names_of_words(self, words: Sequence[str]) -> Iterator[str]:
        """Yield the params that share a word with a text.

        A word may be hidden in a longer one.
        """
        for word in words:
            if not _is_distinctive(word) or word in self._task:
                continue
            yield from self._by_word.get(word, ())
            for inner in self._needles.found_in(word):
                yield from self._by_word[inner]
            if len(word) > SHORT_TEXT:
                for edge in (word[:SHORT_TEXT], word[-SHORT_TEXT:]):
                    yield from self._by_word.get(edge, ())
            if word not in FUNCTION_WORDS:
                yield from self._beginning_with(word)
                if len(word) >= _LONG_WORD:
                    yield from self._ending_with(word)

    def _names_of_whole(self, whole: str, is_part: bool) -> Iterator[str]:
        """Yield the params of which a whole literal is a part.

        It may be part of a word, its begin or end, or the initials.
        """
        length = len(whole)
        if is_part and (whole in FUNCTION_WORDS or (length < 2 and whole.isalpha())):
            return
        yield from self._by_any_word.get(whole, ())
        yield from self._initials.get(whole, ())
        back = whole[::-1]
        for spelled, name in self._spelled:
            if length > len(spelled):
                continue
            if _is_distinctive(whole):
                if whole in spelled or (length == len(spelled) and back == spelled):
                    yield name
            elif length > 1 and (spelled.startswith(whole) or spelled.endswith(whole)):
                yield name
        for spelled, name in self._long if length > 1 else ():
            if spelled.startswith((whole, back)) or spelled.endswith((whole, back)):
                yield name
        if length > 1:
            yield from self._beginning_with(whole)
            yield from self._ending_with(whole)

    def _beginning_with(self, start: str) -> Iterator[str]:
        """Yield the params of the first word that begins with a text."""
        if self._has_edge(_EDGE + start):
            words = self._ordered()[0]
            yield from self._by_word[words[_first_from(words, start)]]

    def _ending_with(self, end: str) -> Iterator[str]:
        """Yield the params of the word that ends with a text.

        It is the first such word if all are read backward.
        """
        if self._has_edge(end + _EDGE):
            words = self._ordered()[1]
            yield from self._by_word[words[_first_from(words, end[::-1])][::-1]]

    def _has_edge(self, text: str) -> bool:
        """Return whether a word begins or ends so.

        Most searches end here, without sorting the words.
        """
        if not self._edges:
            self._edges = _EDGE.join(("", *self._by_word, ""))
        return text in self._edges


def _words(text: str) -> list[str]:
    return _WORD.findall(without_accents(text))


def _words_in(text: str) -> list[str]:
    """Return the words of a text.

    Those of ASCII are split off, which is faster than a search for a pattern.
    """
    return text.translate(_SPACES).split() if text.isascii() else _WORD.findall(text)


def _first_from(words: Sequence[str], start: str) -> int:
    """Return the position of the first of sorted words that is not less than `start`."""
    low, high = 0, len(words)
    while low < high:
        middle = (low + high) // 2
        if words[middle] < start:
            low = middle + 1
        else:
            high = middle
    return low


def _has_edge(text: str, part: str) -> bool:
    return text.startswith(part) or text.endswith(part)


def _is_distinctive(word: str) -> bool:
    return len(word) >= SHORT_TEXT or not word.isascii()


def _is_caseless(word: str) -> bool:
    """Return whether a word consists of letters without capitals.

    Those of most scripts have none.
    """
    return word.isalpha() and word.lower() == word.upper()


def _with_names(
    by_word: dict[str, frozenset[str]], words: set[str], names: frozenset[str]
) -> dict[str, frozenset[str]]:
    """Return names by word with further ones for some words."""
    found = dict.fromkeys(words, names)
    for word in words.intersection(by_word) if by_word else ():
        found[word] |= by_word[word]
    if not by_word:
        return found
    by_word.update(found)
    return by_word


def may_hold_number(text: str) -> bool:
    """Return whether a text may hold a digit in some spelling."""
    return not text.isascii() or any(map(str.isdigit, text))


def _at_least(length: int, words: Collection[str]) -> Iterator[str]:
    """Return the words of at least so many characters."""
    return compress(words, map(length.__le__, map(len, words)))


def _texts(leaves: Sequence[Any], *, with_numbers: bool = True) -> list[str]:
    """Return the texts of many leaves.

    Those of floats and short numbers are searched as wholes.
    """
    texts = [leaf for leaf in leaves if type(leaf) is str]
    if with_numbers:
        texts += decimal_texts([leaf for leaf in leaves if type(leaf) is int and leaf >= _LONG])
    if not _USUAL.issuperset(map(type, leaves)):
        for leaf in [leaf for leaf in leaves if type(leaf) not in _USUAL]:
            texts += _plain_texts(leaf)
    return texts


def _plain_texts(leaf: Any) -> list[str]:
    kind = type(leaf)
    if kind is str:
        return [leaf]
    if kind is int:
        return [decimal_text(leaf)]
    if kind is float:
        return float_forms(leaf)
    return [] if leaf is None or kind is bool else text_forms(leaf)


def float_forms(value: float) -> list[str]:
    """Return the texts of a float: its own, and that of an int if it is whole."""
    return [str(value), decimal_text(int(value))] if value.is_integer() else [str(value)]
