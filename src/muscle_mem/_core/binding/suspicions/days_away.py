"""How many days the dates that a run knows are from today (E9)."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from ..outputs.index import OutputIndex

_MAX_DATES = 400
_MAX_DISTANCES = 40  # of more, a number is one by chance
_LONG = 2_000  # characters; a longer text counts if there is a digit among the first ones
_MAY_BE_DATE = re.compile(r"\d[-./]\d|\d\.? ?[A-Za-z]{3}|[a-z]{3}\.? \d")


class DaysAway:
    """The days between today and the dates that a recording knows.

    They stand in the texts of the task, of its params and of the outputs.

    They are worked out when a number is looked for.
    """

    def __init__(self, today: datetime.date, texts: Callable[[], Iterable[str]], outputs: OutputIndex) -> None:
        self._today = today
        self._texts = texts
        self._outputs = outputs
        self._by_step: dict[int, set[int]] | None = None

    def has(self, number: int, step: int) -> bool:
        """Return whether a date known before a step is so many days from today."""
        if self._by_step is None:
            self._by_step = self._found()
        known = {abs(days) for at, found in self._by_step.items() if at < step for days in found}
        return abs(number) in known and len(known) <= _MAX_DISTANCES

    def _found(self) -> dict[int, set[int]]:
        found: dict[int, set[int]] = {}
        for step, text in dict.fromkeys(islice(self._dated_texts(), _MAX_DATES)):
            for figure in self._outputs.figures.of(text):
                days = [day for day in figure.values if figure.kind == "date" and len(day) == 10]
                found.setdefault(step, set()).update(
                    (datetime.date.fromisoformat(day) - self._today).days for day in days
                )
        return found

    def _dated_texts(self) -> Iterator[tuple[int, str]]:
        """Yield the texts that may hold a date, each with its step."""
        yield from ((-1, text) for text in filter(_MAY_BE_DATE.search, self._texts()))
        outputs = self._outputs
        for step, texts, _ in outputs.leaves_by_step():
            dated = filter(_MAY_BE_DATE.search, texts)
            yield from ((step, text) for text in dated if len(text) <= _LONG or any(map(str.isdigit, text[:_LONG])))
        yield from ((outputs.step_of(node), text) for text, node, _ in outputs.others if _MAY_BE_DATE.search(text))
