"""Suspicions: what one recording cannot know of its literals (E8, E9, E11).

A literal that nothing explains and no output guards may still have been made of something that is different in another
run: computed from a param, or made up for this day or this run. It is stored with that suspicion, which a second
recording confirms or removes. Nothing here looks at secrets: their texts were taken out before.
"""

from __future__ import annotations

import datetime
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from typing import Any, NamedTuple

from ....errors import NotStorableError
from ... import codec
from ...model.records import Expr, ParamTrace, StepRecord, Suspicion, Witness
from ..outputs.index import OutputIndex
from ..params.search import Params
from ..texts.figures import Figure, is_calendar_word, months_of, rank, readings, scalar_figures
from ..texts.pieces import Piece
from .days_away import DaysAway
from .kinds import COMPUTED, DAY, IRREVERSIBLE, MADE_UP, MONTH, RANDOM, YEAR, trace_digest
from .params import ParamSearch

SMALL_NUMBER = 100
_YEARS = range(1900, 2101)
_UUID = re.compile(r"(?i)(?<![0-9a-f])[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}(?![0-9a-f])")
_RUN = re.compile(r"[A-Za-z0-9]{16,}")
_HEX = re.compile(r"[0-9a-fA-F]{16,}")
_CHANGES = 3
_YEAR_MONTH = re.compile(r"(?<!\d)(\d{4})[-/.](0[1-9]|1[0-2])(?![-/.]?\d)|(?<!\d)(0[1-9]|1[0-2])[-/.](\d{4})(?!\d)")
_DAY_SECONDS = 86_400
_MAX_TEXTS = 20_000  # texts that a made-up value is looked for in


class StepFacts(NamedTuple):
    """What is known of a recorded step beside its arguments.

    `matters` says that its literals can do harm: it is not `read`, or its output is used. `defaults` are the defaults
    of its tool's parameters.
    """

    matters: bool
    is_irreversible: bool
    defaults: tuple[Any, ...]


class Surroundings(NamedTuple):
    """Sources of a literal apart from the params: the task, and the moment.

    They are the task's own words and the moment of the recording. `task` are the leaves of the task with its params
    masked. `fixed_task` are those that are equal in every run of the key: none where `key=` replaced the arguments.
    `now` is in seconds since the epoch.
    """

    task: tuple[Any, ...]
    now: float
    fixed_task: tuple[Any, ...] = ()


def witness(key: bytes, params: Params, day: str, process: str) -> Witness:
    """Return under which circumstances a recording is made.

    Params are kept as digests that only this key shares.
    """
    traces = tuple(
        ParamTrace(name, trace_digest(key, params, name), rank(params.values[name])) for name in params.plain_names()
    )
    return Witness(traces, day, process)


def infer_suspicions(
    records: Sequence[StepRecord],
    facts: Sequence[StepFacts],
    outputs: OutputIndex,
    params: Params,
    surroundings: Surroundings,
) -> tuple[tuple[Suspicion, ...], ...]:
    """Return the suspicions of each step's literals.

    Return an empty tuple where there are none at all.
    """
    search = _Search(params, surroundings, outputs)
    found = tuple(
        tuple(search.suspicions(record, fact, index))
        for index, (record, fact) in enumerate(zip(records, facts, strict=True))
    )
    return found if any(found) else ()


def answer_suspicions(
    expr: Expr, count: int, outputs: OutputIndex, params: Params, surroundings: Surroundings
) -> tuple[Suspicion, ...]:
    """Return the suspicions of the literals in a run's answer.

    What stands in one of the `count` outputs is not suspected: the answer is given back only if these are as they were.
    """
    texts = list(itertools.islice(outputs.texts_before(frozenset(range(count))), _MAX_TEXTS))
    known = frozenset(itertools.chain(texts, figure_values(texts)))
    record = StepRecord("", "", (("answer", expr),))
    search = _Search(params, surroundings, outputs)
    return tuple(search.suspicions(record, StepFacts(True, False, ()), count, known))


class _Search:
    """The search for suspicions in one recording.

    What is expensive is made when it is first needed.
    """

    def __init__(self, params: Params, surroundings: Surroundings, outputs: OutputIndex) -> None:
        self._params = params
        self._surroundings = surroundings
        self._outputs = outputs
        self._names = params.plain_names()
        self._ordered = tuple(name for name in self._names if rank(params.values[name]) is not None)
        self._counted = tuple(name for name in self._names if name in self._ordered or _has_figures(params, name))
        self._task_values = frozenset(figure_values(surroundings.task))
        self._params_in = ParamSearch(params, surroundings.fixed_task)
        self._known_texts: list[str] | None = None
        self._today = datetime.datetime.fromtimestamp(surroundings.now).date()
        self._days = DaysAway(self._today, self._texts, outputs)

    def suspicions(
        self, record: StepRecord, fact: StepFacts, index: int, known: frozenset[str] = frozenset()
    ) -> Iterator[Suspicion]:
        """Yield the suspicions of one step's literals.

        `known` are texts and readings of figures that count like those of the step's guards.
        """
        pieces = self._outputs.pieces.of(record)
        if self._names:
            for leaf, piece in enumerate(pieces):
                yield from self._params_in.suspicions(leaf, piece, fact.defaults)
        if not fact.matters:
            return
        guarded = guarded_values(record) | known
        for leaf, piece in enumerate(pieces):
            if is_guarded(piece, guarded):
                continue
            names, form = self._computed_from(piece, fact, guarded)
            if names:
                yield Suspicion(leaf, COMPUTED, names, form, is_narrow=is_narrow(piece.value))
            for form in self._made_up(piece, fact, index, guarded):
                yield Suspicion(leaf, MADE_UP, form=form)

    def _computed_from(self, piece: Piece, fact: StepFacts, guarded: frozenset[str]) -> tuple[tuple[str, ...], str]:
        """Return the params that a literal could have been computed from.

        Return with them the kind of figure it is.
        """
        if not self._names:
            return (), ""
        if fact.is_irreversible and not _is_default(piece.value, fact.defaults):
            return tuple(self._names), IRREVERSIBLE
        if not self._counted or _is_default(piece.value, fact.defaults):
            return (), ""
        if isinstance(piece.value, bool) or (isinstance(piece.value, str) and is_calendar_word(piece.value)):
            if isinstance(piece.value, str) and piece.value in self._surroundings.task:
                return (), ""
            return self._ordered, "choice"
        kinds = {figure.kind for figure in self._open_figures(piece, guarded)}
        if "number" in kinds:
            return self._counted, "number"
        return (self._ordered, "date") if kinds else ((), "")

    def _open_figures(self, piece: Piece, guarded: frozenset[str]) -> Iterator[Figure]:
        """Yield the figures of a literal that neither the task nor an output explains."""
        text = piece.value if isinstance(piece.value, str) else ""
        for figure in self._outputs.figures.of(piece.value):
            before = text[figure.start - 1 : figure.start] if figure.start else ""
            if figure.kind == "number" and (before.isalpha() or before in ("#", "_")) and before:
                continue
            values = frozenset(figure.values)
            if not values & self._task_values and not values & guarded:
                yield figure

    def _made_up(self, piece: Piece, fact: StepFacts, index: int, guarded: frozenset[str]) -> Iterator[str]:
        """Yield the forms in which a literal may have been made up for this run."""
        if isinstance(piece.value, bool | Enum) or _is_default(piece.value, fact.defaults):
            return
        text = _text_of(piece.value)
        if text is not None and any(not self._is_known_text(part, index) for part in random_parts(text)):
            yield RANDOM
        for form, values in (*self._calendar_values(piece.value), *self._days_away(piece, index)):
            if not values & guarded and not values & self._known_values(index):
                yield form
                return

    def _calendar_values(self, value: Any) -> Iterator[tuple[str, frozenset[str]]]:
        """Yield what in a value is near to today.

        It is a day, a month or a year, with its canonical readings.
        """
        if isinstance(value, datetime.date | str):
            for figure in self._outputs.figures.of(value):
                days = [day for day in figure.values if figure.kind == "date" and self._is_near(day)]
                if days:
                    yield DAY, frozenset(days)
        number = value if type(value) in (int, float) else None
        text = value if isinstance(value, str) else ""
        if text:
            whole = readings(text.strip())
            number = float(whole[0]) if whole else None
            for match in _YEAR_MONTH.finditer(text):
                year, month = (match[1], match[2]) if match[1] else (match[4], match[3])
                if abs(int(year) - self._today.year) <= 1:
                    yield MONTH, frozenset((f"{year}-{month}",))
            for month_number in months_of(text) if len(text) > 4 else ():
                yield MONTH, frozenset((f"--{month_number:02}",))
            for match in re.finditer(r"(?<![\d.,:/-])(?:19|20)\d\d(?![\d:/-]|[.,]\d)", text):
                if abs(int(match[0]) - self._today.year) <= 1:
                    yield YEAR, frozenset((match[0],))
        if number is not None and number == number:
            if number == int(number if abs(number) < 1e18 else 0) and abs(number - self._today.year) <= 1:
                yield YEAR, frozenset((str(int(number)),))
            for unit in (1, 1e3, 1e6, 1e9):
                if abs(number / unit - self._surroundings.now) <= _DAY_SECONDS:
                    yield DAY, frozenset((str(value),))

    def _days_away(self, piece: Piece, index: int) -> Iterator[tuple[str, frozenset[str]]]:
        """Yield the numbers of a literal that are the days from today to a known date.

        Tomorrow the agent counts others.
        """
        numbers = [
            figure.values[0]
            for figure in self._outputs.figures.of(piece.value)
            if figure.kind == "number" and len(figure.values[0]) <= 5 and figure.values[0].lstrip("-").isdecimal()
        ]
        for number in numbers:
            if abs(int(number)) > 1 and self._days.has(int(number), index):
                yield DAY, frozenset((number,))

    def _is_near(self, day: str) -> bool:
        if day.startswith("--"):
            return True
        return abs((datetime.date.fromisoformat(day) - self._today).days) <= 366

    def _texts(self) -> list[str]:
        """Return the texts of task and params."""
        if self._known_texts is None:
            leaves = [*self._surroundings.task]
            leaves += self._params.leaves()
            self._known_texts = [text.lower() for leaf in leaves if (text := _text_of(leaf)) is not None]
        return self._known_texts

    def _is_known_text(self, part: str, index: int) -> bool:
        folded = part.lower()
        if any(folded in text for text in self._texts()):
            return True
        return any(folded in text.lower() for text in self._output_texts(index))

    def _output_texts(self, index: int) -> Iterator[str]:
        """Return the texts of the outputs before a step, up to a bound."""
        yield from itertools.islice(self._outputs.texts_before(frozenset(range(index))), _MAX_TEXTS)

    def _known_values(self, index: int) -> frozenset[str]:
        """Return the canonical readings of the dates, months and years known so far.

        They are those in task, params and the outputs before a step.
        """
        found: set[str] = set()
        for text in (*self._texts(), *self._output_texts(index)):
            found.update(match[0] for match in re.finditer(r"(?<!\d)\d{4}(?!\d)", text))
            for figure in self._outputs.figures.of(text):
                found.update(figure.values)
                if figure.kind == "date":
                    found.update(value for day in figure.values for value in (day[:7], f"--{day[-5:-3]}", day[:4]))
            found.update(f"--{month:02}" for month in months_of(text))
            found.update(f"{m[1] or m[4]}-{m[2] or m[3]}" for m in _YEAR_MONTH.finditer(text))
        return frozenset(found)


def random_parts(text: str) -> Iterator[str]:
    """Yield what in a text looks like a random value.

    It is a UUID, or a long run of mixed letters and digits.
    """
    for match in _UUID.finditer(text):
        yield match[0]
    rest = _UUID.sub(" ", text)
    for match in _RUN.finditer(rest):
        run = match[0]
        is_hex = _HEX.fullmatch(run) is not None and not run.isalpha() and not run.isdigit()
        changes = sum(one.isdigit() != two.isdigit() for one, two in itertools.pairwise(run))
        if is_hex or changes >= _CHANGES:
            yield run


def _has_figures(params: Params, name: str) -> bool:
    """Return whether numbers can be computed from a param.

    It is a container, or a value that holds a number.
    """
    value = params.values[name]
    if name not in params.canonical:
        return True  # an object: nothing is known of what it holds
    return codec.unfold(value) is not None


def figure_values(leaves: Iterable[Any]) -> Iterator[str]:
    """Yield the canonical readings of the figures in these leaves."""
    for leaf in leaves:
        for figure in scalar_figures(leaf):
            yield from figure.values


def guarded_values(record: StepRecord) -> frozenset[str]:
    """Return the canonical readings and the digests of what the step's guards hold."""
    found: set[str] = set()
    for guard in record.guards:
        if guard.kind not in ("", "figure"):
            continue
        value = codec.decode(guard.data, lenient=True)
        found.add(guard.data.hex())
        if isinstance(value, str):
            found.add(value)
            figures = (figure for figure in scalar_figures(value) if not _is_in_word(figure, value))
            found.update(reading for figure in figures for reading in figure.values)
        else:
            found.update(figure_values([value]))
    return frozenset(found)


def _is_in_word(figure: Figure, text: str) -> bool:
    """Return whether a figure is joined to letters, as in a code.

    It explains no number then.
    """
    before, after = text[figure.start - 1 : figure.start] if figure.start else "", text[figure.end : figure.end + 1]
    return before.isalpha() or after.isalpha()


def is_guarded(piece: Piece, guarded: frozenset[str]) -> bool:
    """Return whether a whole literal stands in an output that guards it."""
    if not guarded:
        return False
    if isinstance(piece.value, str) and piece.value in guarded:
        return True
    try:
        return codec.canonical(piece.value).hex() in guarded
    except NotStorableError:
        return False


def _is_default(value: Any, defaults: Sequence[Any]) -> bool:
    try:
        data = codec.canonical(value)
        return any(codec.canonical(default) == data for default in defaults)
    except NotStorableError:
        return False


def is_narrow(value: Any) -> bool:
    """Return whether a literal has few possible values.

    Two recordings agree in it easily.
    """
    if isinstance(value, bool):
        return True
    if isinstance(value, int | float):
        return abs(value) < SMALL_NUMBER or value in _YEARS
    if isinstance(value, str):
        return len(value.split()) <= 1
    return False


def _text_of(leaf: Any) -> str | None:
    if isinstance(leaf, str):
        return str(leaf)
    if isinstance(leaf, bytes | bytearray):
        return bytes(leaf).decode("utf-8", "replace")
    if leaf is None or isinstance(leaf, bool | Enum):
        return None
    try:
        return str(leaf) if codec.is_immutable(leaf) and codec.unfold(leaf) is None else None
    except Exception:  # a value whose own methods raise has no text
        return None
