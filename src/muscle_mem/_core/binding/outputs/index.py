"""An index of the leaves of a run's outputs.

A value is found by what it is, says or means. The texts of all outputs are joined, so that a value is found by one
search in a long text, without another walk.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from operator import add
from typing import Any

from ...redaction.traces import decimal_text
from ..texts.figure_places import pattern_of
from ..texts.figures import MAX_TEXT, FigureMemo, Kind
from ..texts.leaf_texts import BREAK, fold_plain, is_joined, occurrences, side_text, squeeze, token_edges
from ..texts.pieces import PieceMemo
from .places import Place
from .tree import OutputTree

_MAX_TRIES = 2_000  # occurrences of one text that are looked at
_LONGEST_NAME = 60  # characters of a text whose initials are looked at
_FEW_SEARCHES = 20  # searches for which an index of the pieces costs more than it saves
_MAX_PARTS = 1_000  # parts of a literal that are looked up one by one
_PIECES = re.compile(r"[0-9]+|[A-Za-z]+")
_NO_DIGIT = re.compile(r"[^\d\x00-\x08]+")
_NO_DIGITS = bytes(code for code in range(9, 128) if not chr(code).isdigit())


class OutputIndex(OutputTree):
    """The outputs of one run's steps, in order, with searches over all of them.

    `figures` and `pieces` keep what the searches of one recording share.
    """

    def __init__(self) -> None:
        super().__init__()
        self.figures = FigureMemo()
        self.pieces = PieceMemo()
        self._joined = self._folded = self._squeezed = ""
        self._digits: str | None = None
        self._by_piece: dict[str, list[int]] = {}
        self._without_piece: list[int] = []
        self._sorted_count = self._searches = 0
        self._known: frozenset[str] = frozenset()
        self._starts_of_texts: list[int] = []
        self._by_figure: dict[str, list[int]] | None = None
        self._has_long_texts = False
        self._figure_searches = 0
        self._pieces: frozenset[str] = frozenset()
        self._piece_searches = 0
        self._ints: tuple[str, list[int]] | None = None

    def places_of_text(self, text: str) -> Iterator[Place]:
        """Yield the leaves whose whole text is this."""
        for node, slot in self.json_texts.get(text, ()):
            yield Place(node, slot, self.child(node, slot))
        for number, start in self._occurrences(text) if text in self._known_texts() else ():
            if len(self.texts[number]) == len(text) and start == self._offsets[number]:
                yield from self._text_places_of(number)
        for other, node, slot in self.others:
            if other == text:
                yield Place(node, slot, self.child(node, slot))

    def places_in_texts(self, text: str) -> Iterator[tuple[Place, tuple[str, str]]]:
        """Yield the longer texts that contain this one as a token.

        Yield with each what stands before and after it.
        """
        last = -1
        joined = self._joined_texts()
        for number, start in self._occurrences(text) if self._may_hold(text) else ():
            if number == last or len(self.texts[number]) == len(text):
                continue
            end = start + len(text)
            before, after = joined[max(start - 1, 0) : start], joined[end : end + 1]
            if (before and is_joined(before, text[0])) or (after and is_joined(text[-1], after)):
                continue
            last = number
            around = side_text(before), side_text(after)
            for place in self._text_places_of(number):
                yield place, around
        for other, node, slot in self.others:
            if text in other and other != text:
                found = next(occurrences(other, text), None)
                if found is not None:
                    yield Place(node, slot, self.child(node, slot)), found

    def _may_hold(self, text: str) -> bool:
        """Return whether a text may stand as a token in one of the texts.

        Its words and numbers are those of a text then. Many searches begin with these, so that they cost nothing for
        most texts that stand nowhere.
        """
        self._piece_searches += 1
        if self._piece_searches <= _FEW_SEARCHES or not text.isascii():
            return True
        if not self._pieces:
            self._pieces = frozenset(_PIECES.findall(self._joined_texts()))
        return self._pieces.issuperset(_PIECES.findall(text))

    def places_inside(self, text: str, shortest: int) -> Iterator[Place]:
        """Yield the leaves of at least `shortest` characters in a longer text.

        The text contains them as tokens.
        """
        for number in self._numbers_inside(text, shortest):
            yield from self._text_places_of(number)
        for other, node, slot in self.others:
            if len(other) >= shortest and other in text and other != text:
                yield Place(node, slot, self.child(node, slot))

    def _numbers_inside(self, text: str, shortest: int) -> list[int]:
        """Return the numbers of the texts that a text contains, in order.

        They stand in it as tokens, are shorter, and have at least `shortest` characters. A short text is taken apart,
        and its parts are looked up. A text stands in a long one as whole words and numbers, so its
        longest piece is a piece of the other. Only ASCII texts are found by their pieces: elsewhere the classes of
        characters differ.
        """
        cuts = token_edges(text, _MAX_PARTS)
        if len(cuts) ** 2 <= 2 * _MAX_PARTS:
            known = self._known_texts()
            parts = {
                text[start:end] for at, start in enumerate(cuts) for end in cuts[at + 1 :] if end - start >= shortest
            }
            parts.discard(text)
            return sorted(number for part in parts & known for number in self._numbers_of(part))
        self._searches += 1
        texts = self.texts
        if self._searches > _FEW_SEARCHES and text.isascii():
            by_piece, others = self._texts_by_piece()
            pieces = set(_PIECES.findall(text))
            found: Iterable[int] = sorted(
                {*others, *(number for piece in pieces for number in by_piece.get(piece, ()))}
            )
            found = [number for number in found if texts[number] in text]
        else:
            found = itertools.compress(itertools.count(), map(text.__contains__, texts))
        return [
            number
            for number in found
            if len(texts[number]) >= shortest
            and texts[number] != text
            and any(True for _ in occurrences(text, texts[number]))
        ]

    def _known_texts(self) -> frozenset[str]:
        if not self._known:
            self._known = frozenset(self.texts)
        return self._known

    def _numbers_of(self, text: str) -> Iterator[int]:
        """Yield the numbers of the texts that are equal to a known text."""
        if BREAK in text:
            yield from (number for number, seen in enumerate(self.texts) if seen == text)
            return
        joined = self._joined_texts()
        framed = BREAK + text + BREAK
        number = done = 0
        if joined.startswith(framed[1:]):
            yield 0
        at = joined.find(framed)
        while at >= 0:
            number, done = number + joined.count(BREAK, done, at + 1), at + 1
            yield number
            at = joined.find(framed, at + 1)

    def _texts_by_piece(self) -> tuple[dict[str, list[int]], list[int]]:
        """Return the numbers of texts by their longest piece.

        Those that are not found by a piece come beside them.
        """
        for number, seen in enumerate(self.texts[self._sorted_count :], self._sorted_count):
            pieces = _PIECES.findall(seen) if seen.isascii() else ()
            place = self._by_piece.setdefault(max(pieces, key=len), []) if pieces else self._without_piece
            place.append(number)
        self._sorted_count = len(self.texts)
        return self._by_piece, self._without_piece

    def places_of_number(self, value: float | Decimal) -> Iterator[Place]:
        """Yield the leaves that are this number, of whatever type."""
        for node, slot in self.number_places(value):
            yield Place(node, slot, self.child(node, slot))

    def has_digits(self, digits: str) -> bool:
        """Return whether these digits may stand in a text, with separators between them.

        This costs much less than an expression for each number.
        """
        if self._digits is None:
            joined = self._joined_texts()
            if joined.isascii():
                self._digits = joined.encode().translate(None, _NO_DIGITS).decode()
            else:
                self._digits = _NO_DIGIT.sub("", joined)
        return digits in self._digits

    def places_of_figure(self, kind: Kind, value: str) -> Iterator[Place]:
        """Yield the texts in which a number or date of this value may stand, each once.

        Many numbers are looked up among those of all texts, and no expression is compiled for each of them.
        """
        if kind == "number":
            if not self.has_digits(value.lstrip("-").replace(".", "")):
                return
            self._figure_searches += 1
            if self._figure_searches > _FEW_SEARCHES:
                if self._by_figure is None:
                    self._by_figure = self._texts_by_figure()
                    self._has_long_texts = max(map(len, self.texts), default=0) > MAX_TEXT
                if not self._has_long_texts:
                    for number in self._by_figure.get(value, ()):
                        yield from self._text_places_of(number)
                    return
        pattern = pattern_of(kind, value)
        if pattern is not None:
            yield from self.texts_matching(pattern)

    def _texts_by_figure(self) -> dict[str, list[int]]:
        """Return the numbers of the texts by the readings of the numbers in them."""
        found: dict[str, list[int]] = {}
        for number, text in enumerate(self.texts):
            figures = self.figures.of(text) if len(text) <= MAX_TEXT else ()
            values = (value for figure in figures if figure.kind == "number" for value in figure.values)
            for value in dict.fromkeys(values):
                found.setdefault(value, []).append(number)
        return found

    def texts_matching(self, pattern: re.Pattern[str]) -> Iterator[Place]:
        """Yield the texts in which an expression matches, each once."""
        joined = self._joined_texts()
        last, number, done = -1, 0, 0
        for tries, match in enumerate(pattern.finditer(joined)):
            number, done = number + joined.count(BREAK, done, match.start()), match.start()
            if tries >= _MAX_TRIES:
                return
            if number != last and match.end() < self._offsets[number + 1]:
                last = number
                yield from self._text_places_of(number)

    def word_places(self, word: str, *, anywhere: bool = False) -> Iterator[Place]:
        """Yield the texts with a folded word in them, each once.

        With `anywhere`, words inside of longer ones count too.
        """
        folded = self._folded_texts()
        at = folded.find(word)
        last, tries, number, done = -1, 0, 0, 0
        while at >= 0 and tries < _MAX_TRIES:
            end = at + len(word)
            number, done = number + folded.count(BREAK, done, at), at
            is_word = not (folded[at - 1 : at] if at else "").isalnum() and not folded[end : end + 1].isalnum()
            if number != last and (anywhere or is_word):
                last = number
                yield from self._text_places_of(number)
            at = folded.find(word, end)
            tries += 1
        if anywhere:
            for value in self._ints_with(word):
                yield from (Place(node, slot, self.child(node, slot)) for node, slot in self.numbers[value])

    def _ints_with(self, digits: str) -> Iterator[int]:
        """Yield the different ints whose decimal text contains these digits."""
        if self._ints is None:
            ints = [value for value in self.numbers if isinstance(value, int)]
            self._ints = BREAK.join((*map(decimal_text, ints), "")), ints
        joined, ints = self._ints
        number = done = 0
        at = joined.find(digits)
        while at >= 0:
            number, done = number + joined.count(BREAK, done, at), at
            yield ints[number]
            at = joined.find(digits, joined.find(BREAK, at))

    def hidden_places(self, word: str) -> Iterator[Place]:
        """Yield the texts that contain a folded word once marks are taken out.

        Only their letters and digits remain.
        """
        if not self._squeezed:
            folded = self._folded_texts()
            self._squeezed = squeeze(folded)
        at = self._squeezed.find(word)
        last, tries, number, done = -1, 0, 0, 0
        while at >= 0 and tries < _MAX_TRIES:
            number += self._squeezed.count(BREAK, done, at)
            done = at
            if number != last:
                last = number
                yield from self._text_places_of(number)
            at = self._squeezed.find(word, at + 1)
            tries += 1

    def places_at_ends(self, letters: str) -> Iterator[Place]:
        """Yield the texts that begin or end with these folded letters."""
        folded = self._folded_texts()
        for pattern, shift in ((BREAK + letters, 1), (letters + BREAK, 0)):
            number = done = 0
            at, tries = (0 if folded.startswith(letters) and shift else folded.find(pattern)), 0
            while at >= 0 and tries < _MAX_TRIES:
                start = at + shift if folded.startswith(pattern, at) else at
                number, done = number + folded.count(BREAK, done, start), start
                if folded.find(BREAK, start) - folded.rfind(BREAK, 0, start) - 1 > len(letters):
                    yield from self._text_places_of(number)
                at = folded.find(pattern, at + 1)
                tries += 1

    def places_of_initials(self, letters: str) -> Iterator[Place]:
        """Yield the texts whose words begin with these folded letters."""
        joined = BREAK + self._folded_texts()
        at = joined.find(BREAK + letters[0])
        number = done = 0
        while at >= 0:
            number, done = number + joined.count(BREAK, done, at), at
            text = joined[at + 1 : joined.find(BREAK, at + 1)]
            if len(text) <= _LONGEST_NAME and "".join(word[0] for word in text.split()) == letters:
                yield from self._text_places_of(number)
            at = joined.find(BREAK + letters[0], at + 1)

    def _folded_texts(self) -> str:
        if not self._folded:
            joined = self._joined_texts()
            if joined.isascii():
                self._folded = joined.lower()
            else:
                self._folded = BREAK.join((*(fold_plain(text).replace(BREAK, " ") for text in self.texts), ""))
        return self._folded

    def texts_before(self, steps: frozenset[int]) -> Iterator[str]:
        """Yield the texts of all leaves in the outputs of these steps.

        Equal numbers of different types are one, in the form of the first.
        """
        found = [leaves for leaves in self.leaves_by_step() if leaves[0] in steps]
        for _, texts, _ in found:
            yield from texts
        for number in dict.fromkeys(number for _, _, numbers in found for number in numbers):
            yield decimal_text(number) if isinstance(number, int) else str(number)
        for other, node, _ in self.others:
            if self.step_of(node) in steps:
                yield other

    def _text_places_of(self, number: int) -> Iterator[Place]:
        place = self._text_slots.at(number)
        for node, slot in self.key_places.get(place, (place,)):
            yield Place(node, slot, self.child(node, slot))

    def _joined_texts(self) -> str:
        if not self._joined:
            joined = BREAK.join((*self.texts, ""))
            if joined.count(BREAK) != len(self.texts):
                joined = BREAK.join((*(text.replace(BREAK, " ") for text in self.texts), ""))
            self._joined = joined
        return self._joined

    @property
    def _offsets(self) -> list[int]:
        """Return where each text begins in the joined texts."""
        if not self._starts_of_texts:
            ends = itertools.accumulate(map(len, self.texts), initial=0)
            self._starts_of_texts = list(map(add, ends, itertools.count()))
        return self._starts_of_texts

    def _occurrences(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield the number of each text with an occurrence, and its position.

        The position is that in the joined texts.
        """
        joined = self._joined_texts()
        at = joined.find(text) if text else -1
        tries = number = done = 0
        while at >= 0 and tries < _MAX_TRIES:
            number, done = number + joined.count(BREAK, done, at), at
            if at + len(text) < self._offsets[number + 1]:
                yield number, at
            at = joined.find(text, at + 1)
            tries += 1


def indexed(outputs: Sequence[tuple[Any, bool]]) -> OutputIndex:
    """Return the index of the outputs of all steps.

    Each output comes with whether names in it are hidden.
    """
    index = OutputIndex()
    for step, (output, hides_names) in enumerate(outputs):
        index.add(step, output, hides_names=hides_names)
    return index


def leaves_of(output: Any) -> tuple[Any, ...]:
    """Return the texts and numbers of an output and where they stand.

    The result is equal for outputs that hold the same ones.
    """
    index = indexed([(output, False)])
    return index.texts, index.text_places, index.numbers, index.others


def leaf_values(output: Any) -> Iterator[Any]:
    """Yield the texts, numbers and other leaves of an output."""
    index = indexed([(output, False)])
    yield from (index.child(node, slot) for node, slot in index.text_places)
    yield from index.numbers
    yield from (index.child(node, slot) for _, node, slot in index.others)
