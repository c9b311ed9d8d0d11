"""Results of steps that a replay checks for failures and new answers (C5a, E12).

A new answer is one that no recording had. The checks are joined once for each trajectory, from all recordings of its
calls. A step is looked at only if its recorded outputs hold an answer, or could hold an error.
"""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...errors import DecodeError
from .. import codec
from ..binding.outputs.answers import OTHER, SAMPLES
from ..binding.outputs.failures import failure_marks, failure_of, new_marks
from ..codec.walk import SCALARS
from ..model.records import Row
from .places import Place, Unseen
from .recorded_answers import answers_nothing, guarded_paths, output_data, used_items

if TYPE_CHECKING:
    from ..tools.tool import Tool
    from .ready_trajectory import ReadyTrajectory
    from .step import PlanStep

MANY_COMBINATIONS = 4
"""The number of recorded combinations from which on a combination is known if each two answers in it are."""

MAX_ANSWERS = 64
"""The number of answers in a combination of which each two are looked for."""

MAX_SAMPLE = 1_024
"""Bytes of a recorded output that a result is compared with as a whole."""

MAX_SAMPLES = 4
MAX_LOOKED_AT = 50
_PLAIN = frozenset({str, int, float, bool, type(None), dict, list})

Answered = tuple[tuple[int, Place], ...]
Combination = tuple[Hashable, ...]
"""The answers of one recording at the places where recordings differ."""

Page = tuple[Any, ...]
"""The snapshots of one recording, before and after its steps."""

_ON_PAGE = ((), "page")
_NO_COMBINATIONS: Mapping[Combination, frozenset[Page]] = {}
Outputs = list[dict[bytes, Any] | None]
"""The distinct outputs of each step by their bytes; None if one of them is not known."""


class Looks:
    """What a replay looks at after one step.

    `is_quick` says that nothing but these looks is due after the step, `is_judged` that its result may be a failure.
    `marks` are the marks of failure that recordings had; None if they are not known. `settled` are the steps whose
    answers are decided here: the next step acts. `is_early` says that those of this step are decided later; until then
    another recording may be followed. `samples` are recorded results that pass as they are, and `usual` is a text among
    them, for the loop of the replay. `varying` are all steps so far whose recordings differ in an answer, and
    `combinations` the answers that each recording had there, with the snapshots of these recordings. `has_pages` says
    that these differ. `is_last` says that nothing is done after those, and `has_rivals` that other
    recordings go on with another tool from here.
    """

    __slots__ = (
        "combinations",
        "has_pages",
        "has_rivals",
        "is_early",
        "is_judged",
        "is_last",
        "is_quick",
        "marks",
        "place",
        "samples",
        "settled",
        "tool",
        "usual",
        "varying",
    )

    def __init__(self, tool: Any, is_judged: bool, marks: frozenset[str] | None, place: Place | None) -> None:
        self.tool = tool
        self.is_judged = is_judged
        self.marks = marks
        self.place = place
        self.is_quick = False
        self.is_early = False
        self.is_last = False
        self.samples: tuple[Any, ...] = ()
        self.usual: str | None = None
        self.settled: Answered = ()
        self.varying: Answered = ()
        self.combinations = _NO_COMBINATIONS
        self.has_pages = False
        self.has_rivals = False

    def are_seen(self, results: Sequence[Any]) -> bool:
        """Return whether recordings had the answers that are decided here.

        The newest result must not be a failure either.
        """
        try:
            for sample in self.samples:
                if type(results[-1]) is type(sample) and results[-1] == sample:
                    return True
            if self.has_rivals or (self.is_judged and self.has_failed(results[-1])):
                return False
            for at, place in self.settled:
                for _ in self.unseen_in(place, results[at]):
                    return False
            if self.is_early and self.place is not None:
                for _ in self.place.unseen(results[-1]):
                    return False
            return not self.varying or (not self.has_pages and self.is_combination(results))
        except Exception:  # A `failed=` raised; `failure_refusal` says so.
            return False

    def unseen_in(self, place: Place, output: Any) -> Iterator[Unseen]:
        """Yield the answers in an output that no recording had."""
        return place.unseen_at_end(output) if self.is_last else place.unseen(output)

    def is_combination(self, results: Sequence[Any], page: Page | None = None) -> bool:
        """Return whether a recording had all the answers so far together.

        With a `page`, it must have been a recording with these snapshots.
        """
        if not self.varying:
            return True
        pages = self.combinations.get(self._combination_in(results), ())
        return bool(pages) if page is None or not self.has_pages else page in pages

    def is_mixture(self, results: Sequence[Any], page: Page | None = None) -> bool:
        """Return whether recordings had these answers, in many combinations.

        One more combination then proves nothing, if each two of its answers were there together.
        """
        if len(self.combinations) < MANY_COMBINATIONS:
            return False
        recorded = [(frozenset(_answers_in(made)), pages) for made, pages in self.combinations.items()]
        wanted = list(_answers_in(self._combination_in(results)))
        if page is not None and self.has_pages:
            recorded = [(known | {_ON_PAGE} if page in pages else known, pages) for known, pages in recorded]
            wanted.append(_ON_PAGE)
        if len(wanted) > MAX_ANSWERS:
            return False
        return all(
            any(one in known and two in known for known, _ in recorded)
            for one, two in itertools.combinations_with_replacement(wanted, 2)
        )

    def _combination_in(self, results: Sequence[Any]) -> Combination:
        return tuple(place.signature(results[at]) for at, place in self.varying)

    def has_failed(self, output: Any) -> bool:
        """Return whether a result is a failure where the recorded ones were not (C5a).

        Raises what a tool's `failed=` raises.
        """
        if failure_of(self.tool, output):
            return True
        if self.marks is None or (type(output) in SCALARS and type(output) is not str):
            return False
        marks = failure_marks(output)
        return bool(marks) and bool(new_marks(marks, self.marks))


def prepare_looks(trajectory: ReadyTrajectory) -> None:
    """Join the recorded answers of a trajectory's calls, and mark its steps."""
    trajectory.has_looks = True
    try:
        found = _join(trajectory)
    except Exception:  # A value whose methods raise costs the looks, not the run.
        found = [Looks(step.tool, step.tool.failed is not False, None, None) for step in trajectory.steps]
    is_settled = any(looks is not None and looks.settled for looks in found)
    if is_settled and len(trajectory.company) > len(trajectory.siblings):
        from .company import rival_ends  # Loaded with the first key that has several ways.

        for made in rival_ends(trajectory):
            looks = found[made - 1]
            if looks is not None and looks.settled:
                looks.has_rivals = True
    for step, looks in zip(trajectory.steps, found, strict=True):
        needed = looks is not None and (looks.is_judged or looks.settled or looks.is_early)
        step.set_looks(looks if needed else None)


def _join(trajectory: ReadyTrajectory) -> list[Looks | None]:
    steps = trajectory.steps
    rows = [candidate.row for candidate in trajectory.same_calls()]
    read: dict[bytes, Any] = {}
    outputs: Outputs = [_outputs_at(rows, position, read) for position in range(len(steps))]
    found = _all_looks(trajectory, outputs)
    lists = _lists_left(steps, outputs, found)
    ends, later = _settling_steps(steps), _later_tools(steps)
    for position, looks in enumerate(found):
        if looks is not None and looks.place is not None:
            end = ends[position]
            settling = found[end]
            if settling is None:
                settling = found[end] = Looks(steps[end].tool, False, None, None)
            settling.settled += ((position, looks.place),)
            looks.is_early = end != position
            settling.is_last = later[end] is None or later[end] is steps[position].tool
    _join_combinations(found, rows, outputs, lists)
    for position, looks in enumerate(found):
        if looks is None or not looks.samples:
            continue
        decides_itself = len(looks.settled) == 1 and looks.settled[0][0] == position
        if looks.tool.failed is not None or looks.varying or looks.is_early or not decides_itself:
            looks.samples, looks.usual = (), None
    return found


def _all_looks(trajectory: ReadyTrajectory, outputs: Outputs) -> list[Looks | None]:
    """Return the looks at each step; equal results of a tool are read once."""
    guarded = guarded_paths(trajectory.steps)
    known: dict[tuple[Any, ...], Looks | None] = {}
    found: list[Looks | None] = []
    for position, step in enumerate(trajectory.steps):
        values = outputs[position] or {}
        # What later steps use of a list is known by its step.
        key = (step.tool, position if position in guarded else -1, *values)
        same = known.get(key)
        if same is not None:
            looks = Looks(same.tool, same.is_judged, same.marks, same.place)
            looks.samples, looks.usual = same.samples, same.usual
            found.append(looks)
            continue
        if key not in known:
            made = known[key] = _looks_at(step.tool, outputs[position], guarded.get(position, ()))
            if made is not None:
                made.samples = _samples(values)
                made.usual = next((sample for sample in made.samples if type(sample) is str), None)
        found.append(known[key])
    return found


def samples_of(outputs: Iterable[Any]) -> tuple[Any, ...]:
    """Return distinct small results, which are known as a whole if they come again."""
    found: list[Any] = []
    for value in itertools.islice(outputs, MAX_LOOKED_AT):
        is_small = type(value) in _PLAIN and len(repr(value)) <= MAX_SAMPLE
        if is_small and not any(type(one) is type(value) and one == value for one in found):
            found.append(value)
    return tuple(found[:MAX_SAMPLES])


def _samples(outputs: Mapping[bytes, Any]) -> tuple[Any, ...]:
    """Return small recorded outputs, which are known as a whole if they come again."""
    small = (value for data, value in outputs.items() if len(data) <= MAX_SAMPLE and type(value) in _PLAIN)
    return tuple(itertools.islice(small, MAX_SAMPLES))


def _outputs_at(rows: Iterable[Row], position: int, read: dict[bytes, Any]) -> dict[bytes, Any] | None:
    """Return the outputs of one step.

    `read` are those of all steps that were read already.
    """
    found: dict[bytes, Any] = {}
    for row in rows:
        data = output_data(row, position)
        if data is None:
            return None
        if data and data not in found:
            if data not in read:
                try:
                    read[data] = codec.decode(data, lenient=True)
                except DecodeError:
                    return None
            found[data] = read[data]
    return found


def _looks_at(tool: Tool, outputs: Mapping[bytes, Any] | None, used: Iterable[tuple[int, ...]]) -> Looks | None:
    code = getattr(tool.fn, "__code__", None)
    if code is not None and answers_nothing(code):
        return None
    if not outputs:  # Not looked into when recorded: only what declares itself a failure is seen.
        return None if tool.failed is False else Looks(tool, True, None, None)
    values = list(outputs.values())
    marks: frozenset[str] | None = None
    is_opaque = any(type(value) is bytes and value == SAMPLES[OTHER] for value in values)
    if tool.failed is None and not is_opaque:  # An object of an unknown type may have had any field.
        marks = frozenset().union(*map(failure_marks, values))
    place: Place | None = None
    if not tool.answers_any:
        place = Place()
        uses = used_items(used, values[0])
        for value in values:
            place.add(value, uses)
    return Looks(tool, tool.failed is not False, marks, place)


def _settling_steps(steps: Sequence[PlanStep]) -> list[int]:
    """Return for each step the last one before a dependent step that acts."""
    count = len(steps)
    if any(step.group_stop for step in steps):
        return [_settled_at(steps, position) for position in range(count)]
    ends = list(range(count))
    for position in range(count - 1, 0, -1):
        if steps[position].tool.is_read_only:
            ends[position - 1] = ends[position]
    return ends


def _settled_at(steps: Sequence[PlanStep], position: int) -> int:
    stop = steps[position].group_stop
    while position + 1 < len(steps):
        following = steps[position + 1]
        is_together = position + 1 < stop and following.is_opening_member
        if not following.tool.is_read_only and not is_together:
            break
        position += 1
    return position


def _later_tools(steps: Sequence[PlanStep]) -> list[Tool | str | None]:
    """Return for each step the tool of all later ones.

    Its calls may only look at something else. None means that no step is later, and "" that a later one is declared to
    act or calls another tool.
    """
    found: list[Tool | str | None] = [None] * len(steps)
    for at in range(len(steps) - 2, -1, -1):
        tool, rest = steps[at + 1].tool, found[at + 1]
        found[at] = tool if tool.effect is None and (rest is None or rest is tool) else ""
    return found


def _lists_left(steps: Sequence[PlanStep], outputs: Outputs, found: Sequence[Looks | None]) -> Mapping[int, Answered]:
    """Return by their calls the lists that only some recordings used up.

    Small numbers that later calls returned count as answers then.
    """
    if not any(step.expressions for step in steps):
        return {}
    from .lists_left import count_numbers, lists_left  # Loaded with the first trajectory that reads from outputs.

    lists, first = lists_left(steps, outputs)
    if first >= 0:
        count_numbers(found, outputs, first + 1)
    return lists


def _join_combinations(
    found: Sequence[Looks | None], rows: Sequence[Row], outputs: Outputs, lists: Mapping[int, Answered]
) -> None:
    """Note for each step the answers that each recording had up to there.

    Only places where recordings differ count. `lists` are further ones, by their step.
    """
    varying: Answered = ()
    has_pages = len({page_of(row) for row in rows}) > 1
    settled: dict[int, bool] = {}
    for position, looks in enumerate(found):
        if looks is None:
            continue
        place = looks.place
        if place is not None:
            name = id(place)  # Equal results share a place.
            if name not in settled:
                settled[name] = place.settle_varying()
            if settled[name]:
                varying += ((position, place),)
        varying += lists.get(position, ())
        looks.varying = varying
        if varying:
            made: dict[Combination, set[Page]] = {}
            for row in rows:
                combination = _combination(row, varying, outputs)
                if combination is not None:
                    made.setdefault(combination, set()).add(page_of(row))
            looks.combinations = {combination: frozenset(pages) for combination, pages in made.items()}
            looks.has_pages = has_pages and len(made) > 1


def page_of(row: Row) -> Page:
    """Return the snapshots of a recording."""
    return row.pre, row.post


def _answers_in(combination: Hashable, place: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], Hashable]]:
    """Yield each single answer of a combination, with its place in it."""
    if type(combination) is tuple:
        for at, part in enumerate(combination):
            yield from _answers_in(part, (*place, at))
    else:
        yield place, combination


def _combination(row: Row, varying: Answered, outputs: Outputs) -> Combination | None:
    signatures = []
    for at, place in varying:
        known, data = outputs[at], output_data(row, at)
        if known is None or not data:
            return None
        signatures.append(place.signature(known[data]))
    return tuple(signatures)


def brings_answers(trajectory: ReadyTrajectory, row: Row) -> bool:
    """Return whether a new recording has answers that none had before.

    `row` is in the order of the trajectory's steps.
    """
    if not trajectory.has_looks:
        prepare_looks(trajectory)
    data = [output_data(row, position) for position in range(len(trajectory.steps))]
    results = [codec.decode(each, lenient=True) if each else None for each in data]
    for step in trajectory.steps:
        if step.looks is None:
            continue
        looks = step.looks
        if any(data[at] and next(looks.unseen_in(place, results[at]), None) for at, place in looks.settled):
            return True
        page = page_of(row)
        if not step.looks.is_combination(results, page) and not step.looks.is_mixture(results, page):
            return True
    return False
