"""A shadow run: the agent did the task, and what a replay would have done is held against it; nothing runs twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Sequence
from typing import Any

from . import codec
from .candidates import judge
from .effects import Effect
from .model import Shadow
from .plan import Candidate, call_id
from .recorder import Step, record_of
from .run import Run


def held_against(run: Run, live: Sequence[Candidate]) -> Generator[Effect, Any, Shadow | None]:
    """Whether the candidate that a replay would have followed made the calls that the agent made; None without one.

    Calls of tools declared `read` may come in another order. The recorded checks judge what the agent's own calls
    captured; one that says no would have stopped the replay there, which is no agreement either.
    """
    made = [step for step in run.recorder.steps if not step.dropped]
    if not live or not made:
        return None
    ids = [call_id(record_of(step, run.params)) for step in made]
    followed = _followed(live, ids[0], made[0])
    trajectory = followed.trajectory
    accepted = refused = 0
    stopped = -1
    for place, step in _matched(trajectory.ids, ids, made):
        planned = trajectory.steps[place]
        if planned.pre is None or step.pre is None:
            continue
        value = codec.decode(step.pre, lenient=True)
        if (yield from judge(run, planned, value, followed, place, False, data=step.pre)) is None:
            accepted += 1
        else:
            refused += 1
            stopped = place if stopped < 0 else min(stopped, place)
    differs = _difference(followed, ids, made)
    if differs >= 0:
        message = f"the agent did something else at step {differs}"
    else:
        message = "a check would have stopped the replay" if stopped >= 0 else "the same calls, each check accepted"
    step_index = differs if differs >= 0 else stopped
    return Shadow(trajectory.id, step_index < 0, step_index, message, accepted, refused)


def _followed(live: Sequence[Candidate], first: bytes, step: Step) -> Candidate:
    for candidate in live:
        if candidate.trajectory.ids[0] == first and candidate.data(0, False) == step.pre:
            return candidate
    return live[0]


def _matched(planned: Sequence[bytes], ids: Sequence[bytes], made: Sequence[Step]) -> list[tuple[int, Step]]:
    """Pairs of a planned place and the agent's step of the same call, each used once."""
    left = list(range(len(ids)))
    pairs: list[tuple[int, Step]] = []
    for place, wanted in enumerate(planned):
        found = next((index for index in left if ids[index] == wanted), None)
        if found is not None:
            left.remove(found)
            pairs.append((place, made[found]))
    return pairs


def _difference(followed: Candidate, ids: Sequence[bytes], made: Sequence[Step]) -> int:
    """The first planned step that the agent did not make in its turn; -1 if all came, reads in whatever order."""
    trajectory = followed.trajectory
    reads = [step.tool.reads_only for step in trajectory.steps]
    acts = [(place, call) for place, call in enumerate(trajectory.ids) if not reads[place]]
    done = [call for call, step in zip(ids, made, strict=True) if not step.tool.reads_only]
    for (place, call), other in zip(acts, done, strict=False):
        if call != other:
            return place
    if len(acts) != len(done):
        return acts[len(done)][0] if len(acts) > len(done) else len(trajectory.ids)
    looked = Counter(call for call, step in zip(ids, made, strict=True) if step.tool.reads_only)
    for place, call in enumerate(trajectory.ids):
        if reads[place]:
            if not looked[call]:
                return place
            looked[call] -= 1
    return -1 if not +looked else len(trajectory.ids)
