"""The choice among the candidates of a run, and its changes (D2, D3)."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from typing import Any

from ..plan.candidate_set import CandidateSet
from ..plan.ready_trajectory import Candidate, ReadyTrajectory
from ..plan.step import PlanStep, Refusal
from ..run.bound import masked_form
from ..run.effects import Effect
from ..run.run import Run
from ..tools.check import Check, safe_copy
from .answers import accepts_answers, has_pages
from .batch_compare import BatchResults
from .judge import Arguments, evaluate, keep_refreshed, snapshot_bytes
from .prepare import Captures, prepare_check, stale_reference

SCALAR_TYPES = frozenset({str, int, bool, float, bytes, type(None)})


Capture = tuple[int, bool, Candidate, Any, bytes | None]
"""An accepted capture: its position, whether it is of a post-check, the candidate that accepted it, the value, and its
bytes if it is mutable. Each hit keeps many of them and rarely reads one, hence a plain tuple."""


class Selection:
    """The candidates of one run: one is followed, the others are judged on demand."""

    __slots__ = (
        "_batch_results",
        "_candidate_set",
        "_evaluated",
        "_ignores_answers",
        "_rejected",
        "captures",
        "detours",
        "longest",
        "remaining",
        "run",
        "trajectories",
    )

    def __init__(self, run: Run, candidate_set: CandidateSet) -> None:
        self.run = run
        self.remaining = candidate_set.candidates
        self.trajectories = candidate_set.trajectories
        self.longest = candidate_set.longest
        self.detours = candidate_set.detours
        self._candidate_set: CandidateSet | None = candidate_set
        self.captures: list[Capture] = []
        self._evaluated: dict[Candidate, int] = {}
        self._rejected: set[Candidate] = set()
        self._batch_results = BatchResults()
        self._ignores_answers = False

    def remember_capture(self, position: int, post: bool, by: Candidate, value: Any) -> None:
        """Keep an accepted capture for the candidates that were not judged by it.

        A capture may return a live object that the next tool changes, so a copy is kept.
        """
        if type(value) in SCALAR_TYPES:  # An immutable value is encoded on demand.
            self.captures.append((position, post, by, value, None))
        else:
            self.captures.append((position, post, by, safe_copy(value), snapshot_bytes(value)))

    def best_guess(self, position: int, call: bytes, value: Any) -> Candidate | None:
        """Return a candidate of the same call whose snapshot equals the captured value."""
        data = snapshot_bytes(value)
        if data is None or self._candidate_set is None:
            return None
        for candidate in self._with_equal_snapshot(position, False, data):
            if candidate.trajectory.steps[position].call_id == call:
                return candidate
        return None

    def _with_equal_snapshot(self, position: int, post: bool, data: bytes) -> Iterator[Candidate]:
        """Return the candidates with this very snapshot that were not rejected."""
        known = self._candidate_set
        if known is None:
            return
        if (position, post) in known.masked:
            masked = masked_form(self.run, known.trajectories, position, post, data)
            for candidate in known.with_snapshot(position, post, masked) if masked != data else ():
                if candidate not in self._rejected:
                    yield candidate
        for candidate in known.with_snapshot(position, post, data):
            if candidate not in self._rejected:
                yield candidate

    def _accepts_captures(
        self, candidate: Candidate, followed: Candidate, position: int
    ) -> Generator[Effect, Any, bool]:
        """Return whether a waiting candidate has the same calls and accepts all captures."""
        if candidate is followed:
            return True
        ids = candidate.trajectory.comparison_ids
        if (
            candidate.trajectory is not followed.trajectory
            and ids[:position] != followed.trajectory.comparison_ids[:position]
        ):
            return False
        if not self._knows_answers(candidate, followed, position):
            return False
        for index in range(position):
            if stale_reference(self.run, candidate.trajectory.steps[index], index) is not None:
                return False
        at = self._evaluated.get(candidate, 0)
        for number in range(at, len(self.captures)):
            position, post, by, value, data = self.captures[number]
            if candidate.has_same_snapshot(by, position, post):
                continue  # The snapshots are equal, so the verdict is known.
            if data is None:
                data = snapshot_bytes(value)
                self.captures[number] = (position, post, by, value, data)
            step = by.trajectory.steps[position]
            known = self._batch_results.result_for(
                self.run, step, value, position, post, candidate, self._not_rejected()
            )
            found = yield from evaluate(
                self.run, step, value, candidate, position, post, data, shared=True, known_answer=known
            )
            if found is not None:
                return False
        self._evaluated[candidate] = len(self.captures)
        return True

    def _by_preference(
        self, position: int, post: bool, captures: Captures, *, with_detours: bool = True
    ) -> Iterable[Candidate]:
        """Yield the candidates with equal snapshots first, then the preferred first.

        Without `with_detours`, those that went around this position are left out, unless their snapshot is equal.

        Captures that are added to `captures` meanwhile are looked up as well. Under a check for equality, candidates
        with another snapshot are left out: they cannot pass.
        """
        given: set[Candidate] = set()
        seen: dict[object, bytes | None] = {}
        waiting = iter(self.remaining)
        candidate: Candidate | None = None
        while True:
            while len(seen) < len(captures):
                call, value = next((call, value) for call, value in captures.items() if call not in seen)
                data = seen[call] = None if type(value) is Refusal else snapshot_bytes(value)
                for equal in self._with_equal_snapshot(position, post, data) if data is not None else ():
                    if equal not in given:
                        given.add(equal)
                        yield equal
            if candidate is None and self._all_decided(position, post, seen):
                return
            candidate = next(waiting, None)
            if candidate is None:
                return
            if (
                candidate in given
                or candidate in self._rejected
                or (not with_detours and candidate in self.detours and candidate.row.refused_at == position)
                or _is_decided(candidate.trajectory, position, post, seen)
            ):
                continue
            yield candidate

    def _all_decided(self, position: int, post: bool, seen: Mapping[object, bytes | None]) -> bool:
        """Return whether only candidates with equal snapshots can pass."""
        if self._candidate_set is None:
            return all(_is_decided(trajectory, position, post, seen) for trajectory in self.trajectories)
        capture_keys, exact = self._candidate_set.capture_keys(position, post)
        return exact and all(seen.get(key) is not None for key in capture_keys)

    def choose(
        self,
        position: int,
        followed: Candidate,
        captures: Captures,
        *,
        checked_only: bool = False,
        with_detours: bool = True,
    ) -> Generator[Effect, Any, tuple[Candidate, Arguments] | Refusal | None]:
        """Return the candidate to follow at a position, its pre-check passed.

        Without one, return the refusal of the preferred candidate, if any. `captures` holds what was captured at this
        position so far. With `checked_only`, candidates without a pre-check here are left out.
        """
        refusal: Refusal | None = None
        if position >= self.longest:
            return None
        budget = self.run.policy.max_lookups
        judged = len(captures)  # The followed candidate was checked before.
        for candidate in self._by_preference(position, False, captures, with_detours=with_detours):
            if judged >= budget:
                break
            trajectory = candidate.trajectory
            if len(trajectory.steps) <= position or (checked_only and not checks_at(trajectory.steps, position)):
                continue
            if not (yield from self._accepts_captures(candidate, followed, position)):
                self._rejected.add(candidate)
                continue
            judged += 1
            found = yield from self._try_candidate(candidate, position, captures, refusal is not None)
            if not isinstance(found, Refusal):
                return candidate, found
            refusal = refusal or found
            self._rejected.add(candidate)
        return refusal

    def _try_candidate(
        self, candidate: Candidate, position: int, captures: Captures, without_details: bool
    ) -> Generator[Effect, Any, Arguments | Refusal]:
        """Evaluate the pre-check of a candidate that is not followed."""
        step = candidate.trajectory.steps[position]
        prepared = yield from prepare_check(self.run, step, position, captures)
        if isinstance(prepared, Refusal):
            return prepared
        arguments, value = prepared
        if step.pre is None:
            return arguments
        known = self._batch_results.result_for(self.run, step, value, position, False, candidate, self._not_rejected())
        found = yield from evaluate(
            self.run,
            step,
            value,
            candidate,
            position,
            False,
            shared=True,
            known_answer=known,
            without_details=without_details,
        )
        if found is not None:
            return found
        self.remember_capture(position, False, candidate, value)
        keep_refreshed(self.run, step.pre, position, False, value)
        return arguments

    def refused_at(self, position: int, followed: Candidate) -> tuple[Candidate, ...]:
        """Return the candidates that might have continued at a position.

        None of them passed there. The preferred one is the first.
        """
        calls = followed.trajectory.comparison_ids[:position]
        return tuple(
            candidate
            for candidate in self.remaining
            if len(candidate.trajectory.steps) > position
            and (candidate is followed or candidate.trajectory.comparison_ids[:position] == calls)
        )

    def keep_only(self, followed: Candidate) -> None:
        """Exclude the other candidates; they were not checked at a skipped step."""
        self.remaining = [followed]
        self.trajectories = [followed.trajectory]
        self.longest = len(followed.trajectory.steps)
        self._candidate_set = None

    def follow_general(self, general: CandidateSet) -> None:
        """Continue with the observations of a generalized trajectory.

        Its calls are those that were executed, so what was captured so far is kept.
        """
        self.remaining = general.candidates
        self.trajectories = general.trajectories
        self.longest = general.longest
        self.detours = general.detours
        self._candidate_set = general
        self._evaluated = {}
        self._rejected = set()
        self._batch_results = BatchResults()

    def retract(self, position: int, candidate: Candidate) -> None:
        """Reject a candidate that passed here, and drop its captures of this position."""
        self.captures = [captured for captured in self.captures if captured[0] < position]
        self.reject(candidate)

    def reject(self, candidate: Candidate) -> None:
        """Exclude a candidate that failed from further checks at this position."""
        self._rejected.add(candidate)

    def reset_rejected(self) -> None:
        """Allow rejected candidates again, before a check with `wait` is repeated."""
        self._rejected.clear()

    def completed_at(self, position: int, followed: Candidate) -> Generator[Effect, Any, Candidate | None]:
        """Return a candidate that ends at this position; the run is its hit."""
        if position != self.longest and self._candidate_set is not None and position not in self._candidate_set.lengths:
            return None
        for candidate in self.remaining:
            if len(candidate.trajectory.steps) == position and candidate not in self._rejected:
                if (yield from self._accepts_captures(candidate, followed, position)):
                    return candidate
                self._rejected.add(candidate)
        return None

    def accepting_post_check(
        self, position: int, followed: Candidate, step: PlanStep, value: Any, made: int
    ) -> Generator[Effect, Any, Candidate | None]:
        """Return another candidate with the same `made` calls whose post-check passes."""
        data = snapshot_bytes(value)
        for count, candidate in enumerate(self._by_preference(position, True, {step.capture_key(True): value})):
            if count >= self.run.policy.max_lookups:
                break
            if candidate is followed or len(candidate.trajectory.steps) < made:
                continue
            if (yield from self._accepts_captures(candidate, followed, made)):
                known = self._batch_results.result_for(
                    self.run, step, value, position, True, candidate, self._not_rejected()
                )
                if (
                    yield from evaluate(
                        self.run, step, value, candidate, position, True, data, shared=True, known_answer=known
                    )
                ) is None:
                    return candidate
            self._rejected.add(candidate)
        return None

    def accepting_call(
        self, position: int, followed: Candidate, step: PlanStep, value: Any
    ) -> Generator[Effect, Any, Candidate | None]:
        """Return another candidate that makes the same call here.

        Its pre-check passes now.
        """
        self.captures = [captured for captured in self.captures if captured[0] < position]
        self._evaluated = {judged: min(count, len(self.captures)) for judged, count in self._evaluated.items()}
        for count, candidate in enumerate(self._by_preference(position, False, {step.capture_key(False): value})):
            if count >= self.run.policy.max_lookups:
                break
            steps = candidate.trajectory.steps
            if candidate is followed or len(steps) <= position or steps[position].call_id != step.call_id:
                continue
            if not (yield from self._accepts_captures(candidate, followed, position)):
                continue
            if (yield from evaluate(self.run, step, value, candidate, position, False, shared=True)) is None:
                return candidate
        return None

    def others_after(
        self, made: int, followed: Candidate, with_own: bool = False
    ) -> Generator[Effect, Any, list[Candidate]]:
        """Return candidates that begin with the `made` calls and continue otherwise.

        There is one for each trajectory. Those with the calls of the followed one are among them only `with_own`.
        """
        found: dict[object, Candidate] = {}
        self._ignores_answers = True  # The caller asks for them.
        try:
            for candidate in self.remaining[: self.run.policy.max_lookups]:
                trajectory = candidate.trajectory
                is_own = trajectory in followed.trajectory.siblings
                one: object = candidate if is_own else trajectory
                if (is_own and not with_own) or candidate is followed or one in found or trajectory.length < made:
                    continue
                if candidate not in self._rejected and (yield from self._accepts_captures(candidate, followed, made)):
                    found[one] = candidate
        finally:
            self._ignores_answers = False
        return list(found.values())

    def _knows_answers(self, candidate: Candidate, followed: Candidate, made: int) -> bool:
        if self._ignores_answers or (candidate.trajectory is followed.trajectory and not has_pages(candidate, made)):
            return True
        return accepts_answers(self.run, candidate, made)

    def checks_at(self, position: int) -> Sequence[Check]:
        """Return the pre-checks of all candidates at a position."""
        if self._candidate_set is not None:
            return self._candidate_set.checks_at(position)
        plans = [trajectory.steps for trajectory in self.trajectories if position < len(trajectory.steps)]
        return [check for steps in plans for check in checks_at(steps, position)]

    def _not_rejected(self) -> Iterator[Candidate]:
        """Return the remaining candidates that may still pass here."""
        return (candidate for candidate in self.remaining if candidate not in self._rejected)


def _is_decided(trajectory: ReadyTrajectory, position: int, post: bool, seen: Mapping[object, bytes | None]) -> bool:
    """Return whether the candidates of a trajectory cannot pass here.

    It has ended, or its check compares for equality and candidates with equal snapshots were checked before.
    """
    if position >= len(trajectory.steps):
        return True
    step = trajectory.steps[position]
    check = step.post if post else step.pre
    if check is None or not check.is_equality or (position, post) in trajectory.masked:
        return False
    return seen.get(step.capture_key(post)) is not None


def checks_at(steps: Sequence[PlanStep], position: int) -> list[Check]:
    """Return the pre-checks of a step and of the members that open its group."""
    return [check for at in (position, *steps[position].opening_members) if (check := steps[at].pre) is not None]
