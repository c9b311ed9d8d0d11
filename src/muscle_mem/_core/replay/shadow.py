"""A shadow run: the agent did the task, and what a replay would have done is held against it; nothing runs twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Sequence
from typing import Any

from .. import codec
from ..model.outcome import Shadow
from ..plan.parallel import arranged, call_id, inverse, order_of, sorted_body
from ..plan.trajectory import Candidate, Trajectory
from ..record.seal import records_of
from ..run.effects import Effect
from ..run.recorder import Step
from ..run.run import Run
from .judge import judge


def held_against(run: Run, live: Sequence[Candidate]) -> Generator[Effect, Any, Shadow | None]:
    """Whether the candidate that a replay would have followed made the calls that the agent made; None without one.

    Calls of tools declared `read` may come in another order. The recorded checks judge what the agent's own calls
    captured; one that says no would have stopped the replay there, which is no agreement either.
    """
    steps = run.recorder.planned()
    if not live or not steps:
        return None
    try:
        made, ids = _sorted(run, steps)
    except Exception:  # trouble of ours with what the agent did: it is told when the run is learned (G4)
        return None
    followed = _followed(live, ids[0], made[0])
    shadow = yield from _held(run, followed, ids, made)
    if (
        _difference(followed, sorted_plan(followed.trajectory), ids, made) < 0
    ):  # the same calls: a replay goes over to a row whose checks accept them
        rows = [candidate for candidate in live if candidate.trajectory is followed.trajectory]
        for other in rows[: run.policy.max_lookups]:
            if shadow.agreed:
                break
            again = yield from _held(run, other, ids, made)
            shadow = again if again.agreed else shadow
    return shadow


def _held(run: Run, followed: Candidate, ids: Sequence[bytes], made: Sequence[Step]) -> Generator[Effect, Any, Shadow]:
    trajectory = followed.trajectory
    plan = sorted_plan(trajectory)
    accepted = refused = 0
    stopped = -1
    for place, step in _matched(plan, ids, made):
        planned = trajectory.steps[place]
        if planned.pre is None or step.pre is None:
            continue
        value = codec.decode(step.pre, lenient=True)
        if (yield from judge(run, planned, value, followed, place, False, data=step.pre)) is None:
            accepted += 1
        else:
            refused += 1
            stopped = place if stopped < 0 else min(stopped, place)
    differs = _difference(followed, plan, ids, made)
    if differs >= 0:
        message = f"the agent did something else at step {differs}"
    else:
        message = "a check would have stopped the replay" if stopped >= 0 else "the same calls, each check accepted"
    step_index = differs if differs >= 0 else stopped
    return Shadow(trajectory.id, step_index < 0, step_index, message, accepted, refused)


def _sorted(run: Run, steps: list[Step]) -> tuple[list[Step], list[bytes]]:
    """The agent's calls, those of a parallel group sorted by content, as they are in a plan however they began."""
    recorder = run.recorder
    records = records_of(recorder, steps, recorder.shapes(steps))
    order = order_of(records)
    return [steps[at] for at in inverse(order)], [call_id(record) for record in arranged(records, order)]


def sorted_plan(trajectory: Trajectory) -> list[tuple[int, bytes]]:
    """(place, call) of the planned steps, sorted in the same way."""
    body = trajectory.body
    places = inverse(body.order) if body.order else range(len(body.steps))
    return list(zip(places, map(call_id, sorted_body(body).steps), strict=True))


def _followed(live: Sequence[Candidate], first: bytes, step: Step) -> Candidate:
    for candidate in live:
        place, call = sorted_plan(candidate.trajectory)[0]
        if call == first and candidate.data(place, False) == step.pre:
            return candidate
    return live[0]


def _matched(plan: Sequence[tuple[int, bytes]], ids: Sequence[bytes], made: Sequence[Step]) -> list[tuple[int, Step]]:
    """Pairs of a planned place and the agent's step of the same call, each used once."""
    left = list(range(len(ids)))
    pairs: list[tuple[int, Step]] = []
    for place, wanted in plan:
        found = next((index for index in left if ids[index] == wanted), None)
        if found is not None:
            left.remove(found)
            pairs.append((place, made[found]))
    return pairs


def _difference(
    followed: Candidate, plan: Sequence[tuple[int, bytes]], ids: Sequence[bytes], made: Sequence[Step]
) -> int:
    """The first planned step that the agent did not make in its turn; -1 if all came, reads in whatever order."""
    trajectory = followed.trajectory
    reads = [step.tool.reads_only for step in trajectory.steps]
    acts = [(place, call) for place, call in plan if not reads[place]]
    done = [call for call, step in zip(ids, made, strict=True) if not step.tool.reads_only]
    for (place, call), other in zip(acts, done, strict=False):
        if call != other:
            return place
    if len(acts) != len(done):
        return acts[len(done)][0] if len(acts) > len(done) else len(trajectory.ids)
    looked = Counter(call for call, step in zip(ids, made, strict=True) if step.tool.reads_only)
    for place, call in plan:
        if reads[place]:
            if not looked[call]:
                return place
            looked[call] -= 1
    return -1 if not +looked else len(trajectory.ids)
