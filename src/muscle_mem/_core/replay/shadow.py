"""Shadow runs: the agent's calls are compared with those of a replay.

Nothing runs twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Mapping, Sequence
from typing import Any

from .. import codec
from ..binding.references.masking import is_masked
from ..binding.tasks.freeze import display_value
from ..model.outcome import Shadow
from ..plan.answers import prepare_looks
from ..plan.general_trajectory import GeneralTrajectory
from ..plan.parallel import call_id, canonical_order, invert, reorder_steps, sorted_body
from ..plan.ready_trajectory import Candidate, ReadyTrajectory
from ..record.compare_flows import as_made
from ..record.seal import step_records
from ..run.bound import masked_form
from ..run.effects import Effect
from ..run.recorder import RecordedStep
from ..run.run import Run
from .answers import is_given
from .eligibility import own_refusal
from .judge import evaluate


def compare_shadow(run: Run, live: Sequence[Candidate]) -> Generator[Effect, Any, Shadow | None]:
    """Compare the agent's calls with the candidate that a replay would follow.

    Returns None without a candidate or calls. Calls of tools declared `read` may be in another order. The recorded
    checks judge what the agent's own calls captured; if one fails, the runs do not agree, since the replay would
    have stopped.
    """
    steps = run.recorder.planned_steps()
    if not live or not steps:
        return None
    try:
        made, ids = _sorted_calls(run, steps)
    except Exception:  # An internal error is reported when the run is learned (G4).
        return None
    plain = [candidate for candidate in live if not isinstance(candidate.trajectory, GeneralTrajectory)]
    shadow = (yield from _compare_plain(run, plain, ids, made)) if plain else None
    if shadow is None or not shadow.agreed:
        general = yield from _compare_general(run, live[0].trajectory, ids, made)
        shadow = general if general is not None and (shadow is None or general.agreed) else shadow
    return shadow


def _compare_general(
    run: Run, trajectory: ReadyTrajectory, ids: Sequence[bytes], made: Sequence[RecordedStep]
) -> Generator[Effect, Any, Shadow | None]:
    """Compare the agent's calls with what several recordings prove (L9)."""
    general = trajectory.learning.of(trajectory) if trajectory.learning is not None else None
    if general is None or general.stop is not None or own_refusal(run, general) is not None:
        return None
    literal = as_made(run, general)
    if literal is None:
        return None
    shadow = None
    for candidate in general.candidates[: run.policy.max_lookups]:
        shadow = yield from _compare_candidate(run, candidate.with_trajectory(literal), ids, made)
        if shadow.agreed:
            break
    return shadow


def _compare_plain(
    run: Run, live: Sequence[Candidate], ids: Sequence[bytes], made: Sequence[RecordedStep]
) -> Generator[Effect, Any, Shadow]:
    """Compare the agent's calls with the recording that a replay would follow."""
    followed = _choose_candidate(run, live, ids[0], made[0])
    shadow = yield from _compare_candidate(run, followed, ids, made)
    if _first_difference(followed, sorted_plan(followed.trajectory), ids, made) < 0:
        # The calls are the same: a replay would switch to an observation whose checks pass.
        rows = [candidate for candidate in live if candidate.trajectory is followed.trajectory]
        for other in rows[: run.policy.max_lookups]:
            if shadow.agreed:
                break
            again = yield from _compare_candidate(run, other, ids, made)
            shadow = again if again.agreed else shadow
    return shadow


def _compare_candidate(
    run: Run, followed: Candidate, ids: Sequence[bytes], made: Sequence[RecordedStep]
) -> Generator[Effect, Any, Shadow]:
    """Compare the agent's calls with one candidate."""
    trajectory = followed.trajectory
    plan = sorted_plan(trajectory)
    accepted = refused = 0
    stopped = -1
    for position, step in _match_calls(plan, ids, made):
        planned = trajectory.steps[position]
        if planned.pre is None or step.pre is None:
            continue
        value = codec.decode(step.pre, lenient=True)
        if (yield from evaluate(run, planned, value, followed, position, False, data=step.pre)) is None:
            accepted += 1
        else:
            refused += 1
            stopped = position if stopped < 0 else min(stopped, position)
    unseen = _first_unseen_answer(run, trajectory, dict(_match_calls(plan, ids, made)))
    if unseen >= 0:
        refused += 1
        stopped = unseen if stopped < 0 else min(stopped, unseen)
    differs = _first_difference(followed, plan, ids, made)
    if differs >= 0:
        message = f"the agent's calls differ from the recording at step {differs}"
    else:
        message = (
            "a check or an answer would have stopped the replay"
            if stopped >= 0
            else "the same calls, and all checks pass"
        )
    step_index = differs if differs >= 0 else stopped
    return Shadow(trajectory.id, step_index < 0, step_index, message, accepted, refused)


def _first_unseen_answer(run: Run, trajectory: ReadyTrajectory, made: Mapping[int, RecordedStep]) -> int:
    """Return the step before which an answer would have stopped a replay.

    It is -1 if none would.
    """
    if not trajectory.has_looks:
        prepare_looks(trajectory)
    given = list(run.params.values.items())
    for position, planned in enumerate(trajectory.steps):
        step = made.get(position)
        given += [(name, display_value(frozen)) for name, frozen in step.arguments] if step is not None else ()
        for at, place in planned.looks.settled if planned.looks is not None else ():
            if at in made and any(not is_given(found, given) for found in place.unseen(made[at].result)):
                return position + 1
    return -1


def _sorted_calls(run: Run, steps: list[RecordedStep]) -> tuple[list[RecordedStep], list[bytes]]:
    """Return the agent's calls and their ids, parallel groups sorted as in a plan."""
    recorder = run.recorder
    records = step_records(recorder, steps, recorder.placements(steps))
    order = canonical_order(records)
    return [steps[at] for at in invert(order)], [call_id(record) for record in reorder_steps(records, order)]


def sorted_plan(trajectory: ReadyTrajectory) -> list[tuple[int, bytes]]:
    """Return (position, call id) of the planned steps, sorted in the same way."""
    body = trajectory.body
    positions = invert(body.order) if body.order else range(len(body.steps))
    return list(zip(positions, map(call_id, sorted_body(body).steps), strict=True))


def _choose_candidate(run: Run, live: Sequence[Candidate], first: bytes, step: RecordedStep) -> Candidate:
    """Return the candidate that a replay would follow after the agent's first call."""
    for candidate in live:
        position, call = sorted_plan(candidate.trajectory)[0]
        stored = candidate.stored_snapshot(position, False)
        if call == first and (stored == step.pre or _is_masked_form(run, candidate, position, stored, step.pre)):
            return candidate
    return live[0]


def _is_masked_form(run: Run, candidate: Candidate, position: int, stored: bytes | None, data: bytes | None) -> bool:
    """Return whether a snapshot is a recorded one with this run's params in it."""
    if data is None or not is_masked(stored):
        return False
    return masked_form(run, [candidate.trajectory], position, False, data) == stored


def _match_calls(
    plan: Sequence[tuple[int, bytes]], ids: Sequence[bytes], made: Sequence[RecordedStep]
) -> list[tuple[int, RecordedStep]]:
    """Return pairs of a planned position and the agent's step of the same call."""
    left = list(range(len(ids)))
    pairs: list[tuple[int, RecordedStep]] = []
    for position, wanted in plan:
        found = next((index for index in left if ids[index] == wanted), None)
        if found is not None:
            left.remove(found)
            pairs.append((position, made[found]))
    return pairs


def _first_difference(
    followed: Candidate, plan: Sequence[tuple[int, bytes]], ids: Sequence[bytes], made: Sequence[RecordedStep]
) -> int:
    """Return the first planned step that the agent did not make in its turn.

    Returns -1 if the calls are the same, those of tools declared `read` in any order.
    """
    trajectory = followed.trajectory
    reads = [step.tool.is_read_only for step in trajectory.steps]
    acts = [(position, call) for position, call in plan if not reads[position]]
    done = [call for call, step in zip(ids, made, strict=True) if not step.tool.is_read_only]
    for (position, call), other in zip(acts, done, strict=False):
        if call != other:
            return position
    if len(acts) != len(done):
        return acts[len(done)][0] if len(acts) > len(done) else len(trajectory.comparison_ids)
    looked = Counter(call for call, step in zip(ids, made, strict=True) if step.tool.is_read_only)
    for position, call in plan:
        if reads[position]:
            if not looked[call]:
                return position
            looked[call] -= 1
    return -1 if not +looked else len(trajectory.comparison_ids)
