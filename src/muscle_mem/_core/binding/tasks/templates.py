"""Templates of task texts: what several have in common, with holes (L14).

A text is read in one way only: every number, date, mail address and id is a slot, and so is each run of capitalized
words that begins no sentence. All else is constant. Texts are lined up slot by slot if all else is equal. A slot with
equal values in all texts is constant as well; one that differs in all of them is a hole.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from ..texts.turning_words import language_of, turns_meaning

MAX_CHARACTERS = 2_000
"""The longest text that is read; a longer one has no template."""

MAX_SLOTS = 40
MAX_WORDS = 4
MAX_HOLES = 8

NAME = "name"
NUMBERS = ("number", "decimal")

_TOKEN = re.compile(
    r"[^\W_][\w.+-]*@[\w-]+(?:\.[\w-]+)+"  # a mail address
    r"|\w+(?:[-./:_,]\w+|['\u2019](?!s\b)\w+)*"
    r"|\s+|.",
    re.DOTALL,
)
_SHAPES = (
    ("mail", re.compile(r"[^\W_][\w.+-]*@[\w-]+(?:\.[\w-]+)+")),
    ("date", re.compile(r"\d{4}-\d\d-\d\d")),
    ("day", re.compile(r"\d{1,2}\.\d{1,2}\.\d{4}")),
    ("number", re.compile(r"0|[1-9][0-9]{0,17}")),
    ("decimal", re.compile(r"(?:0|[1-9][0-9]{0,14})\.[0-9]{1,6}")),
    ("id", re.compile(r"(?=[\w-]*[0-9])[A-Za-z0-9]+(?:[-_][A-Za-z0-9]+)*")),
)
_SENTENCE_ENDS = frozenset(".!?:;\n\r\"'“”„«»()[]{}-\u2013\u2014*#>|")  # What follows may be capitalized for its place.


class Slot(NamedTuple):
    """A place of a text whose value may differ from task to task."""

    shape: str
    text: str

    @property
    def words(self) -> list[str]:
        """The words of the value."""
        return self.text.split(" ")


class Reading(NamedTuple):
    """A text as it was read: constants around slots; there is one constant more."""

    constants: tuple[str, ...]
    slots: tuple[Slot, ...]

    @property
    def skeleton(self) -> tuple[str, ...]:
        """The constants and the shapes of the slots, which texts that line up share."""
        mixed = [part for pair in zip(self.constants, self.slots, strict=False) for part in (pair[0], pair[1].shape)]
        return (*mixed, self.constants[-1])


class Hole(NamedTuple):
    """A hole of a template, with the constant words around it in its slot.

    `most` is the number of words that a fill may have: that of the recorded texts, or two.
    """

    name: str
    shape: str
    slot: int
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    most: int = 2


class Template(NamedTuple):
    """What several texts have in common.

    `fixed` are the values of slots other than holes, by the number of the slot.
    """

    constants: tuple[str, ...]
    shapes: tuple[str, ...]
    fixed: tuple[tuple[int, str], ...]
    holes: tuple[Hole, ...]
    language: str

    def __str__(self) -> str:
        fixed, holes = dict(self.fixed), {hole.slot: hole for hole in self.holes}
        text = self.constants[0]
        for at, constant in enumerate(self.constants[1:]):
            hole = holes.get(at)
            inside = fixed[at] if hole is None else " ".join((*hole.before, "{" + hole.name + "}", *hole.after))
            text += inside + constant
        return text

    def constant_words(self) -> frozenset[str]:
        """Return the words of the template beside its fills, in lower case."""
        fixed = [value for _, value in self.fixed]
        around = [word for hole in self.holes for word in (*hole.before, *hole.after)]
        return frozenset(word.casefold() for text in (*self.constants, *fixed, *around) for word in _words(text))


def read_text(text: str) -> Reading | None:
    """Return a text with its slots; None if it is too long or has none, or too many."""
    if len(text) > MAX_CHARACTERS:
        return None
    tokens = _TOKEN.findall(text)
    if "".join(tokens) != text:
        return None
    constants: list[str] = [""]
    slots: list[Slot] = []
    begins = True
    for token in tokens:
        shape = _shape_of(token)
        if shape == NAME and begins:
            shape = ""
        if shape == NAME and slots and slots[-1].shape == NAME and constants[-1] == " ":
            constants.pop()
            slots[-1] = Slot(NAME, f"{slots[-1].text} {token}")
            constants.append("")
        elif shape:
            slots.append(Slot(shape, token))
            constants.append("")
        else:
            constants[-1] += token
        if not token.isspace() or "\n" in token:
            begins = token[-1] in _SENTENCE_ENDS or "\n" in token
        if len(slots) > MAX_SLOTS:
            return None
    return Reading(tuple(constants), tuple(slots)) if slots else None


def _shape_of(token: str) -> str:
    for shape, pattern in _SHAPES:
        if pattern.fullmatch(token):
            return shape
    first = token[0]
    is_name = first.isupper() and all(char.isalpha() or char in "-'\u2019" for char in token)
    return NAME if is_name else ""


def line_up(readings: Sequence[Reading]) -> Template | str:
    """Return the template of two or more texts, or why they have none."""
    first = readings[0]
    if any(reading.skeleton != first.skeleton for reading in readings):
        return "the texts differ in more than numbers, dates, mail addresses, ids and capitalized words"
    fixed: list[tuple[int, str]] = []
    holes: list[Hole] = []
    for at, slot in enumerate(first.slots):
        values = [reading.slots[at].text for reading in readings]
        if len(set(values)) == 1:
            fixed.append((at, slot.text))
            continue
        if len(set(values)) < len(values):
            return f"{values[0]!r} is the same in some of the texts only"
        words = [reading.slots[at].words for reading in readings]
        before, after = _common_words(words) if slot.shape == NAME else ([], [])
        most = max(2, max(map(len, words)) - len(before) - len(after))
        holes.append(Hole(f"{slot.shape}_{len(holes) + 1}", slot.shape, at, tuple(before), tuple(after), most))
    if not holes or len(holes) > MAX_HOLES:
        return "the texts are equal" if not holes else f"the texts differ in more than {MAX_HOLES} places"
    template = Template(
        first.constants, tuple(slot.shape for slot in first.slots), tuple(fixed), tuple(holes), _language(first, fixed)
    )
    if not template.language:
        return "the language of the texts has no list of words that turn the meaning"
    for reading in readings:
        filled = fill(template, reading)
        if isinstance(filled, str):
            return filled
    return template


def _language(reading: Reading, fixed: Sequence[tuple[int, str]]) -> str:
    constants = [word for text in (*reading.constants, *(value for _, value in fixed)) for word in _words(text)]
    return language_of(constants)


def _words(text: str) -> list[str]:
    return [token for token in _TOKEN.findall(text) if token[0].isalnum()]


def _common_words(values: Sequence[Sequence[str]]) -> tuple[list[str], list[str]]:
    """Return the words that all values begin with, and those that all end with.

    At least one word is left between them.
    """
    shortest = min(map(len, values)) - 1
    begin = 0
    while begin < shortest and len({value[begin] for value in values}) == 1:
        begin += 1
    end = 0
    while begin + end < shortest and len({value[-1 - end] for value in values}) == 1:
        end += 1
    first = values[0]
    return list(first[:begin]), list(first[len(first) - end :])


def fill(template: Template, reading: Reading) -> Mapping[str, str] | str:
    """Return what a text has in the holes of a template, or why it does not fit."""
    shapes = tuple(slot.shape for slot in reading.slots)
    if reading.constants != template.constants or shapes != template.shapes:
        return "the text has other words than the template"
    for at, value in template.fixed:
        if reading.slots[at].text != value:
            return f"the template has {value!r} where the text has {reading.slots[at].text!r}"
    fills: dict[str, str] = {}
    for hole in template.holes:
        words = reading.slots[hole.slot].words
        stop = len(words) - len(hole.after)
        if tuple(words[: len(hole.before)]) != hole.before or tuple(words[stop:]) != hole.after:
            return f"the template has other words around {hole.name} than the text"
        value = " ".join(words[len(hole.before) : stop])
        if not value:
            return f"{hole.name} is empty"
        if len(value.split(" ")) > hole.most:
            return f"{value!r} has more words than in the recorded texts"
        fills[hole.name] = value
    return _unfit(template, fills) or fills


def _unfit(template: Template, fills: Mapping[str, str]) -> str:
    """Return why fills may mean something else than those of the other texts, if so."""
    folded = [value.casefold() for value in fills.values()]
    for at, value in enumerate(fills.values()):
        if len(value.split(" ")) > MAX_WORDS:
            return f"{value!r} has more than {MAX_WORDS} words"
        if turns_meaning(value, template.language):
            return f"{value!r} may turn the meaning of the text"
        own = _with_parts(folded[at])
        if any(own & _with_parts(other) for other in folded[:at]):
            return f"{value!r} is in the text twice"
        if own & template.constant_words():
            return f"{value!r} is also a constant word of the text"
    return ""


def _with_parts(value: str) -> set[str]:
    return {value, *value.split(" ")}
