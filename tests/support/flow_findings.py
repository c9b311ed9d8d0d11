"""What an engine makes of programs with known sources: flows that it found, acted upon, and got wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from flow_programs import FIXED, MAY_ACT, Program
from flow_trials import Call, Leaf, Ran, Trial, leaves
from learned_flows import ACTS
from muscle_mem.store import MemoryStore, copy_store


class Findings:
    """Counts over the runs of programs, each made after the same number of recordings.

    A *flow* is a leaf of an argument that the agent took from somewhere in the run, with a value that no recording
    holds at this place. It is *found* if it acts or is on probation, and was *acted upon* if the replay sent a value
    that no recording holds there.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.kinds: dict[str, Counter[str]] = {}
        self.reasons: Counter[str] = Counter()
        self.wrong: list[str] = []

    def add(self, trial: Trial, recordings: list[list[Call]], ran: Ran) -> None:
        """Count one run that was made after these recordings."""
        program, counts = trial.program, self.counts
        counts["programs"] += 1
        counts[{"hit": "hits", "miss": "misses", "diverged": "handed over"}[ran.outcome.status]] += 1
        self.reasons[str(ran.outcome.reason)] += 1
        acted = self._add_acted(program, recordings, ran)
        self._add_flows(recordings, ran, acted)
        replayed = ran.writes(program, ran.replayed) - ran.writes(program, ran.alone)
        counts["wrong writes"] += replayed.total()
        counts["of them by chance"] += replayed.total() if by_chance(recordings) else 0
        counts["writes again"] += (ran.unwanted(program) - replayed).total()
        counts["writes lacking"] += ran.lacking(program).total()
        self.wrong += [f"{program!r} wrote {call}" for call in ran.unwanted(program)]
        self.wrong += [f"{program!r} did not write {call}" for call in ran.lacking(program)]

    def _add_acted(self, program: Program, recordings: list[list[Call]], ran: Ran) -> set[Leaf]:
        wanted, acted = leaves(ran.alone), set()
        for leaf, value in leaves(ran.replayed).items():
            kind = kind_of(leaf, ran.alone)
            if kind == "param" or not is_new(leaf, value, ran.replayed, recordings):
                continue
            acted.add(leaf)
            right = leaf in wanted and wanted[leaf] == value and type(wanted[leaf]) is type(value)
            for tally in (self.counts, self._of(kind)):
                tally["acted"] += 1
                tally["wrong"] += not right
            if not right:
                self.wrong.append(f"{program!r}: {leaf} was {value!r}, of the agent {wanted.get(leaf)!r}")
        return acted

    def _add_flows(self, recordings: list[list[Call]], ran: Ran, acted: set[Leaf]) -> None:
        learned = {(flow.step, flow.argument, flow.path): flow.status for flow in ran.learned}
        for leaf, value in leaves(ran.alone).items():
            kind = kind_of(leaf, ran.alone)
            if not is_new(leaf, value, ran.alone, recordings) or kind == "param":
                continue
            for tally in (self.counts, self._of(kind)):
                if kind in FIXED:
                    tally["found without a flow"] += leaf in learned
                    continue
                tally["flows"] += 1
                tally["may act"] += kind in MAY_ACT
                tally["found"] += leaf in learned or leaf in acted
                tally["acting"] += learned.get(leaf) == ACTS or leaf in acted

    def _of(self, kind: str) -> Counter[str]:
        return self.kinds.setdefault(kind, Counter())

    def share(self, what: str) -> float:
        """Of all flows, in percent."""
        return 100 * self.counts[what] / max(1, self.counts["flows"])

    @property
    def precision(self) -> float | None:
        """Of the leaves that were acted upon, those with the agent's value, in percent."""
        acted = self.counts["acted"]
        return 100 * (acted - self.counts["wrong"]) / acted if acted else None


def kind_of(leaf: Leaf, calls: list[Call]) -> str:
    """The way by which the agent got a leaf."""
    at, name, path = leaf
    taken = calls[at].sources.get((name, path)) if at < len(calls) else None
    return taken.kind if taken else "constant"


def is_new(leaf: Leaf, value: Any, calls: list[Call], recordings: list[list[Call]]) -> bool:
    """Whether no recording with a call of this tool there holds this value."""
    at = leaf[0]
    comparable = [calls_ for calls_ in recordings if at < len(calls_) and calls_[at].tool == calls[at].tool]
    return all(leaves(calls_).get(leaf) != value for calls_ in comparable)


def by_chance(recordings: list[list[Call]]) -> bool:
    """Whether an agent that judges picked the first element each time, or the last: no recording can show it."""
    sources = [taken for calls in recordings for call in calls for taken in call.sources.values()]
    places = {taken.source for taken in sources if taken.kind == "judgement"}
    return len(recordings) > 1 and places in ({"first"}, {"last"})


def findings(programs: Iterable[Program], most: int, **options: Any) -> dict[int, Findings]:
    """Record each program up to `most` times; after each recording, do its task once over a copy of the store."""
    found = {number: Findings() for number in range(1, most + 1)}
    for program in programs:
        given = {"declared": program.seed % 3 != 0, "handover": program.seed % 2 == 0, **options}
        store, recorded = MemoryStore(), []
        teacher = Trial(program, store=store, **given)
        for number in range(1, most + 1):
            recorded.append(labelled(teacher.run(number - 1, mode="record")))
            copy = MemoryStore()
            copy_store(store, copy)
            trial = Trial(program, store=copy, **given)
            found[number].add(trial, recorded, trial.run(number))
            trial.close()
        teacher.close()
    return found


def labelled(ran: Ran) -> list[Call]:
    """The calls of a recorded run, which are those of the agent alone, with their sources."""
    assert [(call.tool, call.arguments) for call in ran.asked] == [(call.tool, call.arguments) for call in ran.alone]
    return ran.alone


class Uses:
    """What came of one run of each program, in the order in which a user makes them."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []

    def add(self, trial: Trial, recordings: list[list[Call]], ran: Ran) -> None:
        """Count one run that was made after these recordings."""
        counts, program = self.counts, trial.program
        counts["runs"] += 1
        counts[{"hit": "hits", "miss": "misses", "diverged": "handed over"}[ran.outcome.status]] += 1
        counts["calls"] += len(ran.alone)
        counts["avoided"] += len(ran.alone) - min(len(ran.asked), len(ran.alone))
        counts["wrong writes"] += ran.unwanted(program).total()
        counts["writes lacking"] += ran.lacking(program).total()
        if by_chance(recordings):
            counts["of them by chance"] += ran.unwanted(program).total() + ran.lacking(program).total()
        self.wrong += [f"{program!r} wrote {call}" for call in ran.unwanted(program)]
        self.wrong += [f"{program!r} did not write {call}" for call in ran.lacking(program)]

    def share(self, what: str, of: str) -> float:
        return 100 * self.counts[what] / max(1, self.counts[of])


def uses(programs: Iterable[Program], runs: int, **options: Any) -> dict[int, Uses]:
    """Let each program do its task so many times, as a user does; what came of the first runs, the second ones, ..."""
    found = {number: Uses() for number in range(1, runs + 1)}
    for program in programs:
        trial = Trial(program, **{"declared": program.seed % 3 != 0, "handover": program.seed % 2 == 0, **options})
        recorded: list[list[Call]] = []
        for number in range(1, runs + 1):
            ran = trial.run(number - 1)
            found[number].add(trial, recorded, ran)
            recorded += [] if ran.outcome else [ran.alone]
        trial.close()
    return found
