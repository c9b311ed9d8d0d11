"""A search for many texts in one text (E5).

Its cost does not grow with the product of both.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

_FEW = 24  # texts that are searched for one by one, because a search in C is fast
_START = 2
_CHEAP = 20_000  # about twice the parts of texts that are looked up before the first characters are sorted


class Needles:
    """Texts to search for.

    A few are searched for one by one. Many are found by their first characters: for each position of the searched
    text, only the lengths are tried that texts with this start have. Before it pays to sort them so, the parts of a
    short text are looked up.
    """

    __slots__ = ("_by_start", "_looked_up", "texts")

    def __init__(self, texts: Iterable[str]) -> None:
        self.texts = frozenset(texts)
        self._by_start: dict[str, list[int]] | None = None
        self._looked_up = 0

    def found_in(self, text: str) -> Iterator[str]:
        """Yield each of the texts that `text` contains, possibly more than once."""
        if len(self.texts) <= _FEW:
            yield from (needle for needle in self.texts if needle in text)
            return
        if self._by_start is None:
            self._looked_up += len(text) ** 2
            if self._looked_up <= _CHEAP:
                yield from self._parts_of(text)
                return
            self._prepare()
        yield from self._short_in(text)
        by_start, texts = self._by_start or {}, self.texts
        for at in range(len(text) - _START + 1):
            lengths = by_start.get(text[at : at + _START])
            if lengths is not None:
                for length in lengths:
                    piece = text[at : at + length]
                    if piece in texts and len(piece) == length:
                        yield piece

    def _parts_of(self, text: str) -> Iterator[str]:
        """Yield the parts of a short text that are to be found."""
        texts, length = self.texts, len(text)
        yield from self._short_in(text)
        for at in range(length - 1):
            for end in range(at + _START, length + 1):
                piece = text[at:end]
                if piece in texts:
                    yield piece

    def _short_in(self, text: str) -> Iterator[str]:
        """Yield the texts of at most one character."""
        if "" in self.texts:
            yield ""
        yield from (char for char in text if char in self.texts)

    def _prepare(self) -> None:
        by_start: dict[str, set[int]] = {}
        for needle in self.texts:
            if len(needle) >= _START:
                by_start.setdefault(needle[:_START], set()).add(len(needle))
        self._by_start = {start: sorted(lengths) for start, lengths in by_start.items()}
