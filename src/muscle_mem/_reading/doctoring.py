"""Findings of `muscle-mem doctor`, page by page."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from .._core.model.reason import Reason
from ..errors import StoreError
from ..store import QUARANTINED, Damaged, Store, Stored
from ..store.verifying import is_inspecting
from .check_lint import Answers, collect_answers, lint
from .examining import Finding, examine
from .loading import holds_flows
from .text import count

FAILED_WRITE = Reason.FAILED_WRITE.value


class Report(msgspec.Struct):
    """Findings of a store: problems are errors in it, notices are not."""

    url: str
    trajectories: int = 0
    observations: int = 0
    flows: int = 0
    damaged: int = 0
    problems: list[Finding] = msgspec.field(default_factory=list)
    notices: list[Finding] = msgspec.field(default_factory=list)
    classes: dict[str, int] = msgspec.field(default_factory=dict)
    answers: Answers = msgspec.field(default_factory=Answers)

    def add(self, found: Iterable[Finding]) -> None:
        """Add findings to the problems or to the notices."""
        for one in found:
            (self.problems if one.problem else self.notices).append(one)

    def add_page(self, stored: Iterable[Stored], damaged: Sequence[Damaged]) -> None:
        """Examine a page of the store."""
        self.damaged += len(damaged)
        self.add([_damaged(row) for row in damaged])
        for trajectory in stored:
            if holds_flows(trajectory):
                self.flows += 1
            else:
                self.trajectories += 1
                self.observations += len(trajectory.observations)
            self.add(_standing(trajectory))
            self.add(examine(trajectory, self.classes))
            collect_answers(trajectory, self.answers)

    def add_storage(self, source: Store) -> None:
        """Examine the storage, if the store supports that."""
        if not is_inspecting(source):
            return
        try:
            self.add([Finding(trouble.kind, trouble.id, trouble.what) for trouble in source.inspect()])
        except StoreError as error:
            self.add([Finding("file", "", f"the integrity check failed: {error}")])

    def conclude(self) -> None:
        """Add what only all examined pages together show."""
        self.add(lint(self.answers))
        self.add(_unknown(name, number) for name, number in sorted(self.classes.items()))


def _damaged(found: Damaged) -> Finding:
    return Finding("damaged", found.id, found.what)


def _standing(stored: Stored) -> Iterator[Finding]:
    standing = stored.standing
    if standing.state == QUARANTINED and standing.reason.startswith(FAILED_WRITE):
        advice = "the result of that step is unknown. Look, then run `muscle-mem report-good` or `muscle-mem forget`"
        yield Finding("unresolved", stored.sealed.id, f"{standing.reason}; {advice}", problem=False)
    elif standing.state == QUARANTINED:
        held = (
            "; only `muscle-mem report-good` lifts it"
            if standing.held or holds_flows(stored)
            else "; a good agent run of the same calls lifts it"
        )
        yield Finding("quarantined", stored.sealed.id, (standing.reason or "no reason") + held, problem=False)


def _unknown(name: str, number: int) -> Finding:
    where = count(number, "trajectory", "trajectories")
    what = f"{name} is not defined here, in {where}; a replay needs the program that defines it"
    return Finding("unknown_class", "", what, problem=False)
