"""An index of the places at which a recording has a value (L3).

The places are in its outputs and arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from enum import Enum
from typing import Any, NamedTuple

from .. import codec
from ..model.flow import ARGUMENT, OUTPUT, Source
from ..redaction.traces import decimal_text
from .conversions import CONVERT, DATE_TEXT, NUMBER_TEXT
from .output_tree import OutputTree
from .paths import Fields

MAX_PLACES = 48
"""Places in one output. A value that has more is not searched for."""

_LONGEST_FOLDED = 200


class Found(NamedTuple):
    """A place of a value: a child of a container, and the conversion from there."""

    node: int
    slot: int
    convert: str


class FlowIndex(OutputTree):
    """The outputs of one recording, and the arguments of its calls."""

    def __init__(self) -> None:
        super().__init__()
        self._origins: list[Source] = []
        self._by_text: dict[str, list[int]] = {}
        self._folded: dict[str, list[int]] | None = None
        self._numeric: dict[int | float, list[int]] | None = None
        self._dates: dict[str, list[int]] | None = None

    def add_output(self, step: int, output: Any) -> None:
        """Add the output of a step."""
        self.add(len(self._origins), output)
        self._origins.append(Source(OUTPUT, step))

    def add_argument(self, step: int, name: str, value: Any) -> None:
        """Add an argument of a step."""
        self.add(len(self._origins), value)
        self._origins.append(Source(ARGUMENT, step, name))

    def _put_other(self, child: Any, node: int, slot: int) -> None:
        if type(child) is codec.Record:
            fields = codec.fields_of(child) or {}
            child = Fields(list(fields), list(fields.values()))
        super()._put_other(child, node, slot)

    def origin(self, node: int) -> Source:
        """Return the source that the whole output or argument around a container is."""
        return self._origins[self.step_of(node)]

    def places(self, value: Any) -> Iterator[Found]:
        """Yield where a leaf stands, also where a conversion leads to it.

        Leaves that are equal come first.
        """
        if issubclass(type(value), Enum):
            return
        if type(value) is str:
            yield from self._places_of_text(value)
        elif type(value) is int or type(value) is float:
            yield from self._places_of_number(value)
        else:
            text = str(value)
            yield from (Found(node, slot, "") for other, node, slot in self.others if other == text)
            yield from (
                Found(node, slot, "date") for _, node, slot in self.others if self._converts(node, slot, "date", value)
            )

    def places_of_whole(self, value: Any) -> Iterator[Found]:
        """Yield where a leaf stands as it is."""
        for found in self.places(value):
            if found.convert:
                return
            yield found

    def _places_of_text(self, text: str) -> Iterator[Found]:
        yield from self._text_places(self._numbers_of_text(text), "")
        if NUMBER_TEXT.fullmatch(text):
            for number in (float(text),) if "." in text else (int(text),):
                yield from self._number_places(number, "text", text)
        if len(text) > _LONGEST_FOLDED:
            return
        for number in self._folded_texts().get(text.strip().casefold(), ()):
            seen = self.texts[number]
            if seen != text:
                convert = next((name for name in ("strip", "lower", "upper") if CONVERT[name](seen) == text), "")
                if convert:
                    yield from self._text_places((number,), convert)
        if DATE_TEXT.fullmatch(text):
            yield from self._text_places(self._dated_texts().get(text, ()), "date")

    def _places_of_number(self, value: float) -> Iterator[Found]:
        if value != value:
            return
        yield from self._number_places(value, "", value)
        if self._numeric is None:
            self._numeric = {}
            for number, text in enumerate(self.texts):
                if text[-1:].isdigit() and len(text) <= 40 and NUMBER_TEXT.fullmatch(text):
                    self._numeric.setdefault(CONVERT["number"](text), []).append(number)
        for number in self._numeric.get(value, ()):
            if type(CONVERT["number"](self.texts[number])) is type(value):
                yield from self._text_places((number,), "number")

    def _number_places(self, number: Any, convert: str, wanted: Any) -> Iterator[Found]:
        for node, slot in self.numbers.get(number, ()):
            if not issubclass(type(self.child(node, slot)), Decimal) and self._converts(node, slot, convert, wanted):
                yield Found(node, slot, convert)

    def _converts(self, node: int, slot: int, convert: str, wanted: Any) -> bool:
        try:
            found = CONVERT[convert](self.child(node, slot))
        except ValueError:
            return False
        return type(found) is type(wanted) and bool(found == wanted)

    def _text_places(self, numbers: Any, convert: str) -> Iterator[Found]:
        for number in numbers:
            place = self.text_places[number]
            for node, slot in self.key_places.get(place, (place,)):
                yield Found(node, slot, convert)

    def _numbers_of_text(self, text: str) -> list[int]:
        if not self._by_text:
            _group(self.texts, self._by_text, lambda seen: seen)
        return self._by_text.get(text, [])

    def _folded_texts(self) -> dict[str, list[int]]:
        if self._folded is None:
            self._folded = _group(self.texts, {}, _folded)
        return self._folded

    def _dated_texts(self) -> dict[str, list[int]]:
        if self._dates is None:
            self._dates = {}
            for number, seen in enumerate(self.texts):
                if 10 < len(seen) < 40 and seen[4:5] == "-" and seen[10] in "T ":
                    try:
                        self._dates.setdefault(CONVERT["date"](seen), []).append(number)
                    except ValueError:
                        continue
        return self._dates

    def texts_with(self, value: Any) -> Iterator[tuple[int, str, str]]:
        """Yield the number of each longer text with a value in it once.

        Yield with it the value's text and the conversion from it.
        """
        text = value if type(value) is str else decimal_text(value) if type(value) is int else ""
        if len(text) < 3:
            return
        for number, seen in enumerate(self.texts):
            if len(seen) > len(text) and text in seen and seen.count(text) == 1:
                yield number, text, "" if type(value) is str else "number"


def _folded(text: str) -> str:
    return text.strip().casefold() if len(text) <= _LONGEST_FOLDED else ""


def _group(texts: list[str], found: dict[str, list[int]], key: Callable[[str], str]) -> dict[str, list[int]]:
    for number, text in enumerate(texts):
        found.setdefault(key(text), []).append(number)
    return found
