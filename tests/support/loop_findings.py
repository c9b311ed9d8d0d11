"""What comes of programs that go through lists, after one, two and three recordings."""

from __future__ import annotations

import dataclasses
import random
from collections import Counter
from collections.abc import Iterable

from loop_programs import Calls, Program, Trial

READS = ("list_items", "look")
INVISIBLE = {"first_n", "only_one", "filter_by_number", "judgement", "judged_text", "stops_early"}
"""Families in which nothing that the recordings hold says why an element was left out."""

LENGTHS = (1, 2, 3, 4, 5, 6, 8)


@dataclasses.dataclass
class ListFindings:
    """The counts after a number of recordings, by family, and a line for each wrong write."""

    counts: Counter[str] = dataclasses.field(default_factory=Counter)
    families: dict[str, Counter[str]] = dataclasses.field(default_factory=dict)
    wrong: list[str] = dataclasses.field(default_factory=list)

    def add(self, family: str, names: Iterable[str]) -> None:
        """Count a run of a family under these names."""
        for name in names:
            self.counts[name] += 1
            self.families.setdefault(family, Counter())[name] += 1

    def share(self, part: str, whole: str = "runs", family: str = "") -> float:
        """Return a share in per cent."""
        counts = self.families.get(family, Counter()) if family else self.counts
        return 100 * counts[part] / counts[whole] if counts[whole] else 0.0


def lengths_of(program: Program, most: int) -> list[int]:
    """Return the lengths of the recorded lists: each differs from the one before, and one of the first two is 3."""
    made = random.Random(f"lengths {program.seed}")
    found: list[int] = []
    while len(found) < most:
        count = made.choice(LENGTHS)
        if len(found) == 1 and max(found[0], count) < 3:
            count = made.choice((3, 4, 5))
        if not found or count != found[-1]:
            found.append(count)
    return found


def findings(programs: Iterable[Program], most: int = 3) -> dict[int, ListFindings]:
    """Return what comes of programs after one to `most` recordings: one more run in a world with another list."""
    by_number = {number: ListFindings() for number in range(1, most + 1)}
    for program in programs:
        trial = Trial(program)
        lengths = lengths_of(program, most)
        made = random.Random(f"next {program.seed}")
        walks: list[tuple[int, ...]] = []
        for number in range(1, most + 1):
            count = lengths[number - 1]
            walks.append(picks(program, trial, trial.alone(number, count), number, count))
            trial.run(number, count, "record")
            turn, longest = 100 + number, max(lengths[:number])
            near = [one for one in (1, 2, 3, 4, 5, 6, 7, 9, 12) if one != count and one <= 3 * longest]
            following = made.choice((0, 40)) if program.family.name == "empty_or_long" else made.choice(near)
            _add(by_number[number], trial, turn, following, walks, lengths[:number])
        trial.engine.close()
    return by_number


def picks(program: Program, trial: Trial, calls: Calls, turn: int, count: int) -> tuple[int, ...]:
    """Return the elements that an agent went to, in order."""
    from loop_programs import World

    numbers = World(program, turn, count).number
    given = [dict(arguments).get(program.argument) for name, arguments in calls if name not in ("list_items", "report")]
    return tuple(dict.fromkeys(numbers[one] for one in given if one in numbers))


def _add(
    found: ListFindings, trial: Trial, turn: int, count: int, walks: list[tuple[int, ...]], lengths: list[int]
) -> None:
    program = trial.program
    due = trial.alone(turn, count)
    outcome = trial.run(turn, count, "frozen")
    replayed = [call for call in _without(trial.log, trial.by_agent) if call[0] != "list_items"]
    names = ["runs", outcome.status]
    names += ["acted"] if replayed or outcome else []
    wrong = _wrong(trial, due, hit=bool(outcome))
    if wrong:
        name = "by chance" if is_by_chance(program, walks, lengths) else "wrong"
        names.append(name)
        if name == "wrong":
            found.wrong.append(f"{program.family.name} {program.seed} {lengths} then {count}: {wrong[0]}")
    found.add(program.family.name, names)


def is_by_chance(program: Program, walks: list[tuple[int, ...]], lengths: list[int]) -> bool:
    """Return whether no recording could show why an agent leaves out elements.

    Either no recording left any out, or they left out the same ones.
    """
    if program.family.name not in INVISIBLE:
        return False
    is_whole = all(walk == tuple(range(length)) for walk, length in zip(walks, lengths, strict=True))
    return (
        is_whole
        or () in walks
        or any(walks.count(walk) > 1 for walk in walks)
        or len({walk[:1] for walk in walks}) < len(walks)
    )


def _without(calls: Calls, others: Calls) -> Calls:
    left = list(others)
    found = []
    for call in calls:
        if call in left:
            left.remove(call)
        else:
            found.append(call)
    return found


def _wrong(trial: Trial, due: Calls, *, hit: bool) -> list[str]:
    """Return the writes that the agent would not have made, or made once only, and those that a hit lacks."""
    once = trial.program.effect == "idempotent"
    done = [call for call in trial.log if call[0] not in READS]
    if once:  # A restarted agent makes such a call again.
        done = list(dict.fromkeys(call for call in done if call[0] == "act")) + [one for one in done if one[0] != "act"]
        due = list(dict.fromkeys(call for call in due if call[0] == "act")) + [one for one in due if one[0] != "act"]
    wanted = Counter(call for call in due if call[0] not in READS)
    more = [f"wrote {call}" for call in (Counter(done) - wanted).elements()]
    return more + ([f"lacks {call}" for call in (wanted - Counter(done)).elements()] if hit else [])
