"""Which recordings of a task may be replayed here, and which of them is followed: the live candidates of one run."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import Any

import msgspec

from ..errors import NotStorableError
from . import codec
from .approving import disapproved
from .check import Check, CheckError, copy_of, passes, short
from .concealing import refused_by_secrets
from .effects import Capture, Compare, Effect, Sleep
from .guards import stale
from .model import Reason
from .plan import Candidate, PlanStep, Refusal, Registry, Trajectory, open_snapshot
from .run import Run
from .trust import untrusted

Arguments = tuple[tuple[Any, ...], dict[str, Any]]
NEVER = ("quarantined", "retired")


def admit(run: Run, trajectories: Sequence[Trajectory], registry: Registry) -> tuple[list[Candidate], Refusal | None]:
    """The candidates that may start, preferred first, and why the preferred one that may not does not (D1, D3)."""
    first: Refusal | None = None
    live: list[Candidate] = []
    for trajectory in trajectories:
        refusal = admissible(run, trajectory, registry)
        if refusal is None:
            live += trajectory.candidates
        elif first is None:
            first = refusal
    if len(trajectories) > 1:
        live.sort(key=lambda candidate: (-candidate.seq, candidate.id))
    return live, first


def admissible(run: Run, trajectory: Trajectory, registry: Registry) -> Refusal | None:
    """Everything that can be known before the first effect: why this trajectory cannot be replayed now, or None."""
    standing = trajectory.standing
    if standing.state in NEVER:
        why = standing.reason or "it failed"
        message = f"trajectory {trajectory.id} is {standing.state} ({why}); report_good lifts this, forget deletes it"
        return Refusal(Reason.QUARANTINED, message)
    refusal = trajectory.join(registry) or untrusted(trajectory, run.policy.trust) or registry.paused(trajectory.steps)
    if refusal is None and trajectory.secrets:
        refusal = refused_by_secrets(trajectory, run)
    if refusal is None and (trajectory.body.params or run.params):
        refusal = trajectory.refused_by_params(run.params)
    if refusal is None:
        refusal = _refused_by_steps(run, trajectory)
    return refusal


def _refused_by_steps(run: Run, trajectory: Trajectory) -> Refusal | None:
    for index, step in enumerate(trajectory.steps):
        tool = step.tool
        if run.plain and _needs_await(run, step):
            call = "engine.asession(...)" if run.outside else "await engine.acall(...)"
            message = f"{tool.name} or one of its checks is async; call the engine with: {call}"
            return Refusal(Reason.NEEDS_ACALL, message, index, tool.name)
        missing = next((name for name in step.contexts if not run.has_context(name)), None)
        if missing is not None:
            message = f"{tool.name} takes a {missing}, and no context object is one; give it with set_context(obj)"
            return Refusal(Reason.NOT_REPLAYABLE, message, index, tool.name)
        if tool.effect == "irreversible" and step.pre is None and run.approve is None:
            message = f"{tool.name} is irreversible and has neither a pre-check nor an approval callback"
            return Refusal(Reason.NOT_APPROVED, message, index, tool.name)
        if step.method and tool not in run.objects:
            found = run.object_of(tool)
            if isinstance(found, Refusal):
                return found
            run.objects[tool] = found
    if trajectory.unchecked:
        step = trajectory.unchecked[0]
        if run.policy.strict:
            message = f"{step.tool.name} has no pre-check and is not declared effect='read', and strict=True"
            return Refusal(Reason.NOT_REPLAYABLE, message, tool=step.tool.name)
        for step in trajectory.unchecked:
            run.notify(
                "warning",
                "unchecked",
                f"{step.tool.name} is replayed without a pre-check; add one, or say effect='read' if it only looks",
                step.tool.name,
            )
    return None


def _needs_await(run: Run, step: PlanStep) -> bool:
    return (not step.direct and not run.outside) or any(
        check is not None and (check.capture_async or check.compare_async) for check in (step.pre, step.post)
    )


def arguments_of(run: Run, step: PlanStep) -> Arguments:
    """This run's arguments of a step, its context object first."""
    args, kwargs = (step.args, step.kwargs) if step.args is not None else step.build(run.env)
    if step.method:
        args = (run.objects[step.tool], *args)
    return args, kwargs


def stale_guard(run: Run, step: PlanStep, index: int) -> Refusal | None:
    """Whether a literal of this step was read from an output that no longer holds it (E6)."""
    for guard in step.record.guards:
        there = stale(guard, run.progress.results)
        if there is not None:
            expected = short(codec.decode(guard.data, lenient=True))
            message = (
                f"an argument of {step.record.tool} was read from the output of step {guard.step}, which held "
                f"{expected} when recorded and holds {short(there)} now"
            )
            return Refusal(Reason.STALE_OUTPUT, message, index, step.record.tool, seen=there, expected=expected)
    return None


class Sight(msgspec.Struct):
    """Something captured on the way, and accepted by the followed candidate."""

    place: int
    post: bool
    step: PlanStep
    value: Any
    data: bytes | None


class Walk:
    """The live candidates of one run, judged only as far as needed: one is followed, the others wait."""

    __slots__ = ("_dead", "_judged", "_sights", "_trajectories", "live", "run")

    def __init__(self, run: Run, live: Sequence[Candidate]) -> None:
        self.run = run
        self.live = live
        self._trajectories = list({id(c.trajectory): c.trajectory for c in live}.values())
        self._sights: list[Sight] = []
        self._judged: dict[Candidate, int] = {}
        self._dead: set[Candidate] = set()

    def saw(self, place: int, post: bool, step: PlanStep, value: Any) -> None:
        """Keep what was captured and accepted on the way, for the candidates that have not been judged by it.

        As it is now: a capture may return a live object, which the next tool changes.
        """
        self._sights.append(Sight(place, post, step, copy_of(value), snapshot_bytes(value)))

    def guess(self, place: int, call: bytes, value: Any) -> Candidate | None:
        """A candidate of the same call whose snapshot equals what was captured: the first to be asked."""
        data = snapshot_bytes(value)
        if data is None:
            return None
        for candidate in self._equals(place, False, data):
            if candidate.trajectory.steps[place].call_id == call:
                return candidate
        return None

    def _equals(self, place: int, post: bool, data: bytes) -> Iterator[Candidate]:
        found = [
            candidate
            for trajectory in self._trajectories
            if place < len(trajectory.steps)
            for candidate in trajectory.seen_as(place, post, data)
            if candidate not in self._dead
        ]
        if len(self._trajectories) > 1:
            found.sort(key=lambda candidate: (-candidate.seq, candidate.id))
        return iter(found)

    def _accepts(self, candidate: Candidate, followed: Candidate, place: int) -> Generator[Effect, Any, bool]:
        """Whether a waiting candidate has the same executed calls and accepts all that was captured on the way."""
        if candidate is followed:
            return True
        ids = candidate.trajectory.ids
        if candidate.trajectory is not followed.trajectory and ids[:place] != followed.trajectory.ids[:place]:
            return False
        for index in range(place):
            if stale_guard(self.run, candidate.trajectory.steps[index], index) is not None:
                return False
        at = self._judged.get(candidate, 0)
        for sight in self._sights[at:]:
            found = yield from judge(
                self.run, sight.step, sight.value, candidate, sight.place, sight.post, sight.data, shared=True
            )
            if found is not None:
                return False
        self._judged[candidate] = len(self._sights)
        return True

    def _order(self, place: int, post: bool, sights: dict[bytes, Any]) -> Iterable[Candidate]:
        """Candidates by preference: equal snapshots first, then newest first. New sights are looked up as they come."""
        given: set[Candidate] = set()
        guessed = 0
        for candidate in (None, *self.live):
            values = list(sights.values())
            while guessed < len(values):
                value = values[guessed]
                data = None if isinstance(value, Refusal) else snapshot_bytes(value)
                guessed += 1
                for equal in self._equals(place, post, data) if data is not None else ():
                    if equal not in given:
                        given.add(equal)
                        yield equal
                values = list(sights.values())
            if candidate is not None and candidate not in given and candidate not in self._dead:
                given.add(candidate)
                yield candidate

    def choose(
        self, place: int, followed: Candidate, sights: dict[bytes, Any], *, checked_only: bool = False
    ) -> Generator[Effect, Any, tuple[Candidate, Arguments] | Refusal | None]:
        """The candidate to follow at a place, its pre-check just passed; else the preferred one's refusal, if any.

        `sights` holds what this place has captured so far, by call. With `checked_only` an unchecked step is no reason
        to go on.
        """
        refusal: Refusal | None = None
        budget = self.run.policy.max_lookups
        judged = len(sights)  # the followed one was asked already
        for candidate in self._order(place, False, sights):
            if judged >= budget:
                break
            trajectory = candidate.trajectory
            if len(trajectory.steps) <= place or (checked_only and not any(checks_at(trajectory.steps, place))):
                continue
            if not (yield from self._accepts(candidate, followed, place)):
                self._dead.add(candidate)
                continue
            judged += 1
            step = trajectory.steps[place]
            stale = stale_guard(self.run, step, place)
            if stale is None:
                found = yield from self._try(step, candidate, place, sights)
                if not isinstance(found, Refusal):
                    return candidate, found
                stale = found
            refusal = refusal or stale
            self._dead.add(candidate)
        return refusal

    def _try(
        self, step: PlanStep, candidate: Candidate, place: int, sights: dict[bytes, Any]
    ) -> Generator[Effect, Any, Arguments | Refusal]:
        try:
            arguments = arguments_of(self.run, step)
        except Exception as error:
            return unbuildable(step, place, error)
        no = yield from disapproved(self.run, step, arguments, place)
        if no is not None or step.pre is None:
            return no or arguments
        call = step.call_id
        if call not in sights:
            sights[call] = yield from look(step, step.pre, arguments, place)
        if isinstance(sights[call], Refusal):
            return sights[call]  # type: ignore[no-any-return]
        found = yield from judge(self.run, step, sights[call], candidate, place, False, shared=True)
        if found is not None:
            return found
        self.saw(place, False, step, sights[call])
        keep_refreshed(self.run, step.pre, place, False, sights[call])
        return arguments

    def keep_only(self, followed: Candidate) -> None:
        """Nobody else may take over any more: an optional step was left out, which the others were not asked about."""
        self.live = [followed]
        self._trajectories = []

    def retract(self, place: int, candidate: Candidate) -> None:
        """A candidate was refused after all, by a later check at the same place: what it has seen there is no one's."""
        self._sights = [sight for sight in self._sights if sight.place < place]
        self.bury(candidate)

    def bury(self, candidate: Candidate) -> None:
        """A candidate that said no is not asked again at this place."""
        self._dead.add(candidate)

    def revive(self) -> None:
        """Ask the refused ones again: a check with `wait` looks once more."""
        self._dead.clear()

    def ended(self, place: int, followed: Candidate) -> Generator[Effect, Any, Candidate | None]:
        """A live candidate that ends at this place: the run is its hit."""
        for candidate in self.live:
            if len(candidate.trajectory.steps) == place and candidate not in self._dead:
                if (yield from self._accepts(candidate, followed, place)):
                    return candidate
                self._dead.add(candidate)
        return None

    def after(
        self, place: int, followed: Candidate, step: PlanStep, value: Any, made: int
    ) -> Generator[Effect, Any, Candidate | None]:
        """Another candidate with the same `made` calls, this step among them, whose post-check accepts `value`."""
        data = snapshot_bytes(value)
        for count, candidate in enumerate(self._order(place, True, {step.call_id: value})):
            if count >= self.run.policy.max_lookups:
                break
            if candidate is followed or len(candidate.trajectory.steps) < made:
                continue
            if (yield from self._accepts(candidate, followed, made)) and (
                yield from judge(self.run, step, value, candidate, place, True, data, shared=True)
            ) is None:
                return candidate
            self._dead.add(candidate)
        return None


def checks_at(steps: Sequence[PlanStep], place: int) -> list[Check | None]:
    """The pre-checks that are asked at a place: of the step there, and of those that open a parallel group with it."""
    return [steps[at].pre for at in (place, *steps[place].opens)]


def snapshot_bytes(value: Any) -> bytes | None:
    """The canonical bytes of a captured value, or None where it has none."""
    try:
        return codec.canonical(value)
    except NotStorableError:
        return None


def keep_refreshed(run: Run, check: Check, place: int, post: bool, value: Any) -> None:
    """Keep an accepted snapshot for after the hit, where the check slides (B7)."""
    if check.refresh:
        data = snapshot_bytes(value)
        if data is not None:
            run.progress.refreshed[(place, post)] = data


def look(step: PlanStep, check: Check, arguments: Arguments, place: int) -> Generator[Effect, Any, Any]:
    """Capture once; a capture that raises is a refused check with the exception as its reason (B4)."""
    args, kwargs = arguments
    try:
        if check.capture_async or not step.direct:
            return (yield Capture(check, args, kwargs))
        return check.capture(*args, **kwargs)
    except Exception as error:
        return check_error(step, place, f"its capture raised {error!r}", error)


def judge(
    run: Run,
    step: PlanStep,
    value: Any,
    candidate: Candidate,
    place: int,
    post: bool,
    data: bytes | None = None,
    *,
    shared: bool = False,
) -> Generator[Effect, Any, Refusal | None]:
    """Compare what was captured with one candidate's snapshot; None if it passes.

    `shared` says that the value is needed again afterwards, so that the compare must get a copy.
    """
    check = step.post if post else step.pre
    if check is None:
        return None
    snapshot = open_snapshot(candidate.snapshots(post)[place])
    if shared and not check.exact:
        value = copy_of(value)
    try:
        if check.exact and data is not None:
            answer: Any = data == candidate.data(place, post)
        elif check.compare_async or not step.direct:
            answer = yield Compare(check, value, snapshot)
        else:
            answer = check.compare(value, snapshot)
        passed = passes(check, answer)
        run.hear(check, step.tool.name)
        if passed:
            return None
    except CheckError as error:
        return check_error(step, place, str(error), None)
    except Exception as error:
        return check_error(step, place, f"its compare raised {error!r}", error)
    return refused(step, check, value, snapshot, place, post, answer)


def refused(step: PlanStep, check: Check, value: Any, snapshot: Any, place: int, post: bool, answer: Any) -> Refusal:
    """The refusal of a check that said no, with what was seen and what was expected."""
    seen, expected = check.texts(value, snapshot)
    score = "" if isinstance(answer, bool) else f" (score {short(answer)}, threshold {check.threshold})"
    role = "post-check" if post else "pre-check"
    message = f"the {role} of {step.tool.name} said no{score}: saw {seen}, expected {expected}"
    reason = Reason.POST_CHECK_REFUSED if post else Reason.CHECK_REFUSED
    data = snapshot_bytes(value) if post else None
    return Refusal(reason, message, place, step.tool.name, seen, expected, data=data)


def check_error(step: PlanStep, place: int, what: str, error: BaseException | None) -> Refusal:
    """The refusal of a check that could not decide."""
    message = f"a check of {step.tool.name} could not decide: {what}"
    return Refusal(Reason.CHECK_ERROR, message, place, step.tool.name, error=error)


def unbuildable(step: PlanStep, place: int, error: BaseException) -> Refusal:
    """The refusal of a step whose arguments cannot be made in this run."""
    message = f"the arguments of {step.tool.name} cannot be made in this run: {error!r}"
    return Refusal(Reason.NO_CANDIDATE, message, place, step.tool.name, error=error)


def settle(run: Run, checks: Iterable[Check | None], since: float) -> Generator[Effect, Any, bool]:
    """Sleep before another look, if a check asks for it and the shared deadline is not over (B6)."""
    waiting = [check for check in checks if check is not None and check.wait > 0]
    if not waiting:
        return False
    left = since + max(check.wait for check in waiting) - run.clock()
    if left <= 0:
        return False
    yield Sleep(min(left, min(check.every for check in waiting)))
    return True
