"""An index of the places at which a recording has a value (L3).

The places are in its outputs and arguments.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from typing import Any, NamedTuple

from ... import codec
from ...model.flow import ARGUMENT, OUTPUT, Source
from ...redaction.traces import decimal_text
from ..outputs.paths import Fields, may_be_json, parsed_json
from ..outputs.tree import OutputTree
from ..texts.conversions import CONVERT, DATE_TEXT, DATE_TIME_TEXT, NUMBER_TEXT

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

    def add_output(self, step: int, output: Any) -> None:
        """Add the output of a step."""
        self.add(len(self._origins), output)
        self._origins.append(Source(OUTPUT, step))

    def add_argument(self, step: int, name: str, value: Any) -> None:
        """Add an argument of a step."""
        self.add(len(self._origins), value)
        self._origins.append(Source(ARGUMENT, step, name))

    def _parsed(self, text: str) -> Any:
        return parsed_json(text) if may_be_json(text) else None  # A flow reads tables as texts.

    def _put_other(self, child: Any, node: int, slot: int) -> None:
        if type(child) is codec.Record:
            fields = codec.fields_of(child) or {}
            child = Fields(list(fields), list(fields.values()))
        super()._put_other(child, node, slot)

    def origin(self, node: int) -> Source:
        """Return the source that the whole output or argument around a container is."""
        return self._origins[self.step_of(node)]

    def places(self, value: Any) -> Iterator[Found]:
        """Yield where a leaf stands as it is."""
        if type(value) is str:
            yield from self._text_places(self._numbers_of_text(value), "")
        elif type(value) is int or type(value) is float:
            yield from self._number_places(value, "", value)
        elif not issubclass(type(value), Enum):
            text = str(value)
            for other, node, slot in self.others:
                if other == text and self._converts(node, slot, "", value):
                    yield Found(node, slot, "")

    def converted_places(self, value: Any) -> Iterator[Found]:
        """Yield the places from which a conversion leads to a leaf."""
        if type(value) is str:
            yield from self._places_of_text(value)
        elif type(value) is int or type(value) is float:
            yield from self._places_of_number(value)
        elif type(value) is datetime.date:
            for _, node, slot in self.others:
                if self._converts(node, slot, "date", value):
                    yield Found(node, slot, "date")

    def _places_of_text(self, text: str) -> Iterator[Found]:
        if len(text) <= 40 and NUMBER_TEXT.fullmatch(text):
            yield from self._number_places(CONVERT["number"](text), "text", text)
        if len(text) <= _LONGEST_FOLDED:
            folded = text.strip().casefold()
            for number, seen in enumerate(self.texts):
                if len(seen) <= _LONGEST_FOLDED and seen != text and seen.strip().casefold() == folded:
                    convert = next((name for name in ("strip", "lower", "upper") if CONVERT[name](seen) == text), "")
                    yield from self._text_places((number,) if convert else (), convert)
        if DATE_TEXT.fullmatch(text):
            for number, seen in enumerate(self.texts):
                if seen.startswith(text) and DATE_TIME_TEXT.fullmatch(seen):
                    yield from self._text_places((number,), "date")

    def _places_of_number(self, value: float) -> Iterator[Found]:
        try:
            wanted = CONVERT["text"](value)
        except ValueError:
            return
        for number, seen in enumerate(self.texts):
            if seen.startswith(wanted) and len(seen) <= 40 and NUMBER_TEXT.fullmatch(seen):
                found = CONVERT["number"](seen)
                if type(found) is type(value) and found == value:
                    yield from self._text_places((number,), "number")

    def _number_places(self, number: Any, convert: str, wanted: Any) -> Iterator[Found]:
        for node, slot in self.numbers.get(number, ()):
            if self._converts(node, slot, convert, wanted):
                yield Found(node, slot, convert)

    def _converts(self, node: int, slot: int, convert: str, wanted: Any) -> bool:
        try:
            found = CONVERT[convert](self.child(node, slot))
        except ValueError:
            return False
        return type(found) is type(wanted) and bool(found == wanted)

    def _text_places(self, numbers: Iterable[int], convert: str) -> Iterator[Found]:
        for number in numbers:
            place = self.text_places[number]
            for node, slot in self.key_places.get(place, (place,)):
                yield Found(node, slot, convert)

    def _numbers_of_text(self, text: str) -> Sequence[int]:
        if not self._by_text:
            found = self._by_text
            for number, seen in enumerate(self.texts):
                if seen in found:
                    found[seen].append(number)
                else:
                    found[seen] = [number]
        return self._by_text.get(text, ())

    def texts_with(self, value: Any) -> Iterator[tuple[int, str, str]]:
        """Yield the number of each longer text with a value in it once.

        Yield with it the value's text and the conversion from it.
        """
        text = value if type(value) is str else decimal_text(value) if type(value) is int else ""
        if not text or (len(text) < 3 and type(value) is str):
            return
        for number, seen in enumerate(self.texts):
            if len(seen) > len(text) and text in seen and seen.count(text) == 1:
                yield number, text, "" if type(value) is str else "number"
