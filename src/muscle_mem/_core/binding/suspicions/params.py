"""Literals that may be a param in another form, or made of a part (E1, E3, E3a)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from enum import Enum
from itertools import chain
from typing import Any

from ... import codec
from ...model.records import StepRecord, Suspicion
from ...redaction.traces import SHORT_TEXT, decimal_text, decimal_texts, fold_text, text_forms
from ..params.parts import child_parts
from ..params.search import Params
from ..params.values import canonical_or_none, plain_text
from ..params.words import ParamWords, may_hold_number
from ..texts.figures import number_text
from ..texts.needles import Needles
from ..texts.pieces import Piece, literal_pieces
from ..texts.spelled import unquoted
from ..texts.tokens import word_positions
from .kinds import CONVERTED, FOLDED, INSIDE, JOINED, PARAM, PART, SAME

"""The forms of a `param` suspicion: the value itself, its text or number, its text as a word of a longer one, inside of
a word, or in another case, Unicode form or quoting."""

_TEXTS_AND_NUMBERS = frozenset({str, int, float})
_NUMBERS = (int, float, Decimal)
_MAY_HOLD_NUMBER = re.compile(r"\d|inf|nan")
_SHORT_NUMBER = re.compile(r"[0-9]{1,2}")
_SEPARATOR = "\0"
_ONLY_DICT = frozenset({dict})
_SIMPLE = frozenset({str, int, float, bool, type(None)})


class ParamSearch:
    """The search for a run's params in the literals of its recording.

    What is expensive is made when it is needed.
    """

    def __init__(self, params: Params, task: Iterable[Any]) -> None:
        self._params = params
        self._names = [name for name in params.plain_names() if name in params.canonical or name in params.opaque]
        self._task = task
        self._forms: dict[str, tuple[str, ...]] | None = None
        self._has_numbers = False
        self._needles = Needles(())
        self._raw: dict[str, str] = {}
        self._leaves: dict[str, list[Any]] = {}
        self._words: ParamWords | None = None

    def suspicions(self, leaf: int, piece: Piece, defaults: Sequence[Any]) -> Iterator[Suspicion]:
        """Yield the suspicions of one literal.

        `defaults` are those of the tool's parameters.
        """
        value = piece.value
        if not self._names:
            return
        found = self._whole(value)
        for name, form in sorted(found.items()):
            yield Suspicion(leaf, PARAM, (name,), form)
        others = [name for name in self._names if name not in found]
        if not others or not self._has_words(value, defaults):
            return
        texts = _texts_of(value)
        if self._words is None or (self._words.lacks_numbers and any(map(may_hold_number, texts))):
            leaves = {name: self._leaves_of(name) for name in self._names}
            self._words = ParamWords(leaves, self._task, with_numbers=any(map(may_hold_number, texts)))
        made_of: set[str] = set()
        for text in texts:
            made_of |= self._words.names_in(text, is_part=piece.is_part)
        for name in sorted(made_of.intersection(others)):
            yield Suspicion(leaf, PART, (name,))

    def names_in(self, text: str) -> set[str]:
        """Return the params whose value is somewhere in a text."""
        return set(self._whole(text))

    def _whole(self, value: Any) -> dict[str, str]:
        """Return the params that a literal equals or contains, with their form there."""
        found: dict[str, str] = {}
        texts = _folded_forms(value)
        texts += [fold_text(plain) for text in _texts_of(value) if (plain := unquoted(text)) != text]
        by_form = self._prepared(with_numbers=any(map(_MAY_HOLD_NUMBER.search, texts)))
        if issubclass(type(value), _NUMBERS) or value is None:
            matches = [text for text in texts if text in by_form]
        else:
            matches = [
                needle
                for text in texts
                for needle in self._needles.found_in(text)
                if not _SHORT_NUMBER.fullmatch(needle) or _stands_alone(text, needle)
            ]
        data = canonical_or_none(value) if matches or not texts else None
        for needle in matches:
            for name in by_form[needle]:
                found.setdefault(name, self._form_of(name, value, data, needle))
        if data is not None:
            found.update((name, SAME) for name in self._params.names_by_bytes.get(data, ()))
        return found

    def _form_of(self, name: str, value: Any, data: bytes | None, needle: str) -> str:
        if data is not None and self._params.canonical.get(name) == data:
            return SAME
        raw = self._raw.get(name, needle)
        if not issubclass(type(value), str) or value == raw:
            return CONVERTED
        if any(True for _ in word_positions(value, raw)):
            return JOINED
        return INSIDE if raw in value else FOLDED

    def _prepared(self, *, with_numbers: bool) -> dict[str, tuple[str, ...]]:
        """Return the names of the params by the folded texts of their leaves.

        Those of numbers are added for the first literal that may hold one.
        """
        if self._forms is None or (with_numbers and not self._has_numbers):
            self._forms, self._has_numbers = {}, with_numbers
            for name in self._names:
                leaves = self._leaves_of(name)
                if len(leaves) == 1 and type(leaves[0]) in (str, int, float):
                    self._raw[name] = str(leaves[0]) if type(leaves[0]) is not int else decimal_text(leaves[0])
                forms = _all_forms(leaves, with_numbers)
                again = forms.intersection(self._forms) if self._forms else ()
                self._forms.update({form: (*self._forms[form], name) for form in again})
                self._forms.update(dict.fromkeys(forms.difference(again) if again else forms, (name,)))
            self._needles = Needles(self._forms)
        return self._forms

    def _leaves_of(self, name: str) -> list[Any]:
        if name not in self._leaves:
            self._leaves[name] = leaves_of(plain_text(self._params.values[name]))
        return self._leaves[name]

    def _has_words(self, value: Any, defaults: Sequence[Any]) -> bool:
        """Return whether a literal is worth a search for parts.

        A bool and a default of the tool are not.
        """
        if value is None or issubclass(type(value), bool):
            return False
        return not any(type(default) is type(value) and default == value for default in defaults)


def params_in_name(params: Params, names: Iterable[str]) -> set[str]:
    """Return the params whose value is in the name of an argument."""
    search = ParamSearch(params, ())
    return {param for name in names for param in search.names_in(name)}


def params_with_keys_in(params: Params, records: Iterable[StepRecord]) -> set[str]:
    """Return the params of which a key stands in a literal.

    Other keys would need another literal.
    """
    by_key: dict[str, set[str]] = {}
    for name in params.canonical:
        for key in keys_of(params.values[name]):
            if len(key) >= SHORT_TEXT:
                by_key.setdefault(fold_text(key), set()).add(name)
    if not by_key:
        return set()
    needles = Needles(by_key)
    texts = (text for record in records for piece in literal_pieces(record) for text in _folded_forms(piece.value))
    return {name for text in texts for key in needles.found_in(text) for name in by_key[key]}


def keys_of(value: Any) -> set[str]:
    """Return the texts that are keys of the dicts in a param."""
    found: set[str] = set()
    waiting = [value]
    while waiting:
        this = waiting.pop()
        if _are_rows(this):
            found.update(key for key in set(chain.from_iterable(this)) if type(key) is str)
            continue
        if issubclass(type(this), dict):
            found.update(key for key in this if type(key) is str)
        waiting += [child for _, child in child_parts(this) or () if type(child) not in _SIMPLE]
    return found


def _are_rows(value: Any) -> bool:
    """Return whether a value is a list of dicts of plain values."""
    if type(value) is not list or not _ONLY_DICT.issuperset(map(type, value)):
        return False
    return _SIMPLE.issuperset(map(type, chain.from_iterable(map(dict.values, value))))


def leaves_of(value: Any) -> list[Any]:
    """Return the leaves of a param, without the keys of dicts."""
    found: list[Any] = []
    waiting = [value]
    for _ in range(codec.MAX_NODES):  # A param without a canonical form may contain itself.
        if not waiting:
            break
        this = waiting.pop()
        kind = type(this)
        children: Any = this
        if issubclass(kind, dict):
            children = this.values()
        elif kind is not list and kind is not tuple:
            parts = child_parts(this)
            children = None if parts is None else [child for _, child in parts]
        if children is None:
            found.append(this)
        elif _SIMPLE.issuperset(map(type, children)):
            found.extend(children)
        elif _are_rows(this):
            found.extend(chain.from_iterable(map(dict.values, reversed(this))))  # as the last one waits on top
        else:
            for child in children:
                (found if type(child) in _SIMPLE else waiting).append(child)
    return found


def _all_forms(leaves: Sequence[Any], with_numbers: bool) -> set[str]:
    """Return the folded texts of leaves; of ints and floats on demand.

    Plain texts are folded together, which is faster than one by one.
    """
    kinds = set(map(type, leaves))
    texts = [leaf for leaf in leaves if type(leaf) is str] if str in kinds else []
    joined = _SEPARATOR.join(texts)
    found = set(fold_text(joined).split(_SEPARATOR)) if texts else set()
    if with_numbers and int in kinds:
        found.update(decimal_texts([leaf for leaf in leaves if type(leaf) is int]))
    if with_numbers and float in kinds:
        floats = [leaf for leaf in leaves if type(leaf) is float]
        found.update(map(str, floats))
        found.update(decimal_texts(list(map(int, filter(float.is_integer, floats)))))
    if not kinds <= _TEXTS_AND_NUMBERS:
        for leaf in [leaf for leaf in leaves if type(leaf) not in _TEXTS_AND_NUMBERS]:
            found.update(_folded_forms(leaf))
    if joined.count(_SEPARATOR) >= len(texts) > 0:  # one of them has such a character itself
        found.update(map(fold_text, texts))
    return found


def _folded_forms(value: Any) -> list[str]:
    forms = text_forms(value)
    if issubclass(type(value), Decimal):
        number = number_text(value)
        forms += [number] if number is not None else []
    return forms


def _stands_alone(text: str, number: str) -> bool:
    """Return whether a short number is in a text as a whole number.

    There may be zeros before it.
    """
    return re.search(rf"(?<![0-9]){'0*'}{number}(?![0-9])", text) is not None


def _texts_of(value: Any) -> list[str]:
    if issubclass(type(value), str):
        return [str(value)]
    if issubclass(type(value), bytes | bytearray):
        return [bytes(value).decode("utf-8", "replace")]
    if issubclass(type(value), Enum):
        return [value.name or "", *_texts_of(value.value)]
    return text_forms(value)
