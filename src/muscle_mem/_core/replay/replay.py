"""Replaying: follow one candidate step by step, each checked against the live environment before it is done.

Where a call may be made at once, the line makes it; only what must be awaited, or belongs to another driver, is
yielded. Nothing of ours runs between the verdict of a pre-check and its tool.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

from ..model.reason import Reason
from ..model.text import retold
from ..plan.candidate_set import Company
from ..plan.step import PlanStep, Refusal
from ..plan.trajectory import Candidate, Fresh
from ..run.effects import Effect, Invoke, Pause
from ..run.run import Run
from ..tools.check import Check, CheckError, copy_of, passes
from .approval import disapproved
from .judge import (
    Arguments,
    arguments_of,
    check_error,
    judge,
    keep_refreshed,
    look,
    refused,
    settle,
    stale_guard,
    unbuildable,
)
from .parallel_group import due_posts, with_rest
from .selection import PLAIN, Sights, Walk, checks_at

Chosen = tuple[Candidate, Arguments]
Asked = tuple[Refusal, Any]  # why a check did not pass, and what it saw; the refusal again if it saw nothing


def replay(run: Run, live: Company) -> Generator[Effect, Any, Candidate | Refusal]:
    """Replay the preferred candidate, going over to another only where the rules allow it (D2).

    Returns the candidate that came to its own end, or the refusal that stopped it; `run.progress` tells what was
    executed.
    """
    progress = run.progress
    calls, results = progress.calls, progress.results
    objects = run.objects
    outside = run.outside
    through = outside or run.watched
    walk = Walk(run, live) if len(live.candidates) > 1 else None
    followed = progress.candidate = live.candidates[0]
    steps, pres, posts = followed.plan()
    place = 0
    while True:
        step = steps[place]
        found: Any = None
        if step is None:
            if walk is None or place == live.longest:
                return followed
            found = yield from _end(run, walk, place, followed)
        elif step.simple:
            args, kwargs = step.args, step.kwargs
            if step.method:
                args = (objects[step.tool], *args)
            pre = step.pre
            if pre is not None:
                asked = _ask(run, walk, followed, step, pre, args, kwargs, pres[place], place, False)
                if walk is not None and not place and followed is not progress.candidate:
                    followed = progress.candidate
                    steps, pres, posts = followed.plan()
                    step = steps[place]
                if asked is not None:
                    at_once = walk is None and not pre.wait
                    found = asked[0] if at_once else (yield from decide(run, walk, place, followed, asked))
        else:
            found = yield from decide(run, walk, place, followed)
        if found is not None:
            if step is not None and step.tool.optional and isinstance(found, Refusal):
                found = yield from _skip(run, walk, place, followed, found)
                place = len(results)
            if type(found) is not tuple:
                return found  # type: ignore[no-any-return]  # a Candidate or a Refusal
            followed, (args, kwargs) = found
            progress.candidate = followed
            steps, pres, posts = followed.plan()
            step = steps[place]
        calls.append((step, args, kwargs))
        try:
            if through or not step.direct:
                result = yield Invoke(step.tool, args, kwargs)
            elif kwargs:
                result = step.fn(*args, **kwargs)
            else:
                result = step.fn(*args)  # the same, without a dictionary made for nothing
        except Exception as error:
            results.append(None)
            progress.error = error
            message = f"{step.tool.name} raised {retold(error)}"
            return Refusal(Reason.TOOL_RAISED, message, place, step.tool.name, seen=retold(error), error=error)
        results.append(result)
        if step.after:
            found = None
            if not step.simple:
                found = yield from _after(run, walk, place, followed)
            elif step.post is not None:
                asked = _ask(run, walk, followed, step, step.post, args, kwargs, posts[place], place, True)
                if asked is not None:
                    found = yield from _judge_after(run, walk, place, followed, place + 1, asked)
            if isinstance(found, Refusal):
                return found
            if found is not None:
                followed = progress.candidate = found
                steps, pres, posts = followed.plan()
        place += 1
        if outside:
            yield Pause()


def _ask(
    run: Run,
    walk: Walk | None,
    followed: Candidate,
    step: PlanStep,
    check: Check,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    snapshot: Any,
    place: int,
    post: bool,
) -> Asked | None:
    """Capture and compare at once, where nothing can be awaited or kept; None if it passes.

    At the start the candidate whose snapshot equals what is seen is asked, and is then the one to follow (D3).
    """
    try:
        seen = check.capture(*args, **kwargs) if kwargs else check.capture(*args)
    except Exception as error:
        refusal = check_error(step, place, f"its capture raised {retold(error)}", error)
        return refusal, refusal
    given = seen
    if walk is not None:
        if not place and not post:
            guessed = walk.guess(place, step.call_id, seen)
            if guessed is not None and guessed.trajectory.steps[place].simple:
                followed = run.progress.candidate = guessed
                snapshot = guessed.snapshots(False)[place]
        if not check.exact and type(seen) not in PLAIN:
            given = copy_of(seen)
    if type(snapshot) is Fresh:
        snapshot = snapshot.open()
    try:
        answer = check.compare(given, snapshot)
        if answer is not True:
            passed = passes(check, answer)
            run.hear(check, step.tool.name)
            if not passed:
                return refused(step, check, seen, snapshot, place, post, answer), seen
    except CheckError as error:
        return check_error(step, place, str(error), None), seen
    except Exception as error:
        return check_error(step, place, f"its compare raised {retold(error)}", error), seen
    if walk is not None:
        if type(seen) in PLAIN:  # as `saw` does, at once
            walk.sights.append((place, post, followed, seen, None))
        else:
            walk.saw(place, post, followed, seen)
    return None


def decide(
    run: Run, walk: Walk | None, place: int, followed: Candidate, asked: Asked | None = None
) -> Generator[Effect, Any, Chosen | Candidate | Refusal]:
    """Who is followed at this place, its pre-check passed; or the end of the run, good or not.

    `asked` is what the followed candidate said, if it was asked before.
    """
    if followed.trajectory.steps[place].joined:
        assert run.progress.ready is not None  # by whoever opened the group
        return followed, run.progress.ready[place]
    since = run.clock()
    while True:
        sights: Sights = {}
        found: Chosen | Refusal | None
        if asked is None:
            found = yield from _prefer(run, walk, place, followed, sights)
        else:
            found, sights[followed.trajectory.steps[place].sight(False)] = asked
            asked = None
            if walk is not None:
                walk.bury(followed)
        refusal = found if isinstance(found, Refusal) else None
        if refusal is not None and walk is not None:
            found = yield from walk.choose(place, followed, sights)
        if isinstance(found, tuple):
            if found[0].trajectory.steps[place].opens:
                found = yield from with_rest(run, walk, place, followed, found, sights)
            if isinstance(found, tuple):
                return found
            refusal = refusal or found
        assert refusal is not None
        if walk is not None:
            ended = yield from walk.ended(place, followed)
            if ended is not None:
                return ended
        hopeless = refusal.reason in (Reason.STALE_OUTPUT, Reason.NOT_APPROVED)
        if hopeless or not (yield from settle(run, _checks_at(walk, place, followed), since)):
            return refusal
        if walk is not None:
            walk.revive()


def _skip(
    run: Run, walk: Walk | None, place: int, followed: Candidate, refusal: Refusal
) -> Generator[Effect, Any, Chosen | Candidate | Refusal]:
    """Leave an optional step out if its check said no and the next one's says yes: a pop-up that does not show."""
    trajectory = followed.trajectory
    after = place + 1
    if refusal.reason is not Reason.CHECK_REFUSED or after >= len(trajectory.steps) or place in trajectory.needed:
        return refusal
    if trajectory.steps[place].stop:  # a member of a parallel group
        return refusal
    following = trajectory.steps[after]
    if following.pre is None:
        return refusal
    progress = run.progress
    progress.calls.append((trajectory.steps[place], (), {}))
    progress.results.append(None)
    progress.skipped |= {place}
    if walk is not None:
        walk.keep_only(followed)
    found = yield from decide(run, walk, after, followed)
    if isinstance(found, tuple):
        return found
    progress.calls.pop()
    progress.results.pop()
    progress.skipped -= {place}
    return refusal


def _checks_at(walk: Walk | None, place: int, followed: Candidate) -> Sequence[Check]:
    return checks_at(followed.trajectory.steps, place) if walk is None else walk.checks(place)


def _prefer(
    run: Run, walk: Walk | None, place: int, followed: Candidate, sights: Sights
) -> Generator[Effect, Any, Chosen | Refusal]:
    """Ask the followed candidate; at the start, rather the one whose snapshot equals what is seen (D3)."""
    step = followed.trajectory.steps[place]
    stale = stale_guard(run, step, place)
    if stale is not None:
        return stale
    try:
        arguments = arguments_of(run, step)
    except Exception as error:
        return unbuildable(step, place, error)
    no = None if step.simple else (yield from disapproved(run, step, arguments, place))
    if no is not None or step.pre is None:
        return no or (followed, arguments)
    value = yield from look(step, step.pre, arguments, place)
    sights[step.sight(False)] = value
    if isinstance(value, Refusal):
        return value
    asked = followed
    if walk is not None and place == 0:
        asked = walk.guess(place, step.call_id, value) or followed
    shared = walk is not None or step.pre.refresh
    found = yield from judge(run, step, value, asked, place, False, shared=shared)
    if found is not None:
        if walk is not None:
            walk.bury(asked)
        return found
    _keep(run, walk, place, False, asked, value)
    return asked, arguments


def _keep(run: Run, walk: Walk | None, place: int, post: bool, followed: Candidate, value: Any) -> None:
    step = followed.trajectory.steps[place]
    check = step.post if post else step.pre
    if walk is not None:
        walk.saw(place, post, followed, value)
    if check is not None:
        keep_refreshed(run, check, place, post, value)


def _end(run: Run, walk: Walk, place: int, followed: Candidate) -> Generator[Effect, Any, Chosen | Candidate | Refusal]:
    """The followed candidate has ended: a hit, unless a longer one's next pre-check passes."""
    sights: Sights = {}
    found: Chosen | Refusal | None = yield from walk.choose(place, followed, sights, checked_only=True)
    if isinstance(found, tuple) and found[0].trajectory.steps[place].opens:
        found = yield from with_rest(run, walk, place, followed, found, sights)
    return found if isinstance(found, tuple) else followed


def _after(
    run: Run, walk: Walk | None, place: int, followed: Candidate
) -> Generator[Effect, Any, Candidate | Refusal | None]:
    """Judge the post-checks that are due when the step at `place` has been made: its own, or those of its group."""
    made = place + 1
    step = followed.trajectory.steps[place]
    if not step.stop:
        return (yield from _judge_after(run, walk, place, followed, made))
    progress = run.progress
    if step.post is not None:
        progress.unjudged += (place,)
    while due := due_posts(run, followed, made):
        found = yield from _judge_after(run, walk, due[0], followed, made)
        if isinstance(found, Refusal):
            return found
        followed = found or followed
        progress.unjudged = tuple(at for at in progress.unjudged if at != due[0])
    return followed


def _judge_after(
    run: Run, walk: Walk | None, place: int, followed: Candidate, made: int, asked: Asked | None = None
) -> Generator[Effect, Any, Candidate | Refusal | None]:
    """Judge one post-check; None or another candidate if it passes. `asked` is what the followed one said already."""
    step = followed.trajectory.steps[place]
    check = step.post
    assert check is not None
    _, args, kwargs = run.progress.calls[place]
    since = run.clock()
    while True:
        found: Refusal | None
        if asked is None:
            value = yield from look(step, check, (args, kwargs), place)
            found = value if isinstance(value, Refusal) else None
            if found is None:
                shared = walk is not None or check.refresh
                found = yield from judge(run, step, value, followed, place, True, shared=shared)
                if found is None:
                    _keep(run, walk, place, True, followed, value)
                    return None
        else:
            found, value = asked
            asked = None
        if walk is not None and value is not found:
            other = yield from walk.after(place, followed, step, value, made)
            if other is not None:
                _keep(run, walk, place, True, other, value)
                return other
        if not (yield from settle(run, [check], since)):
            return found
        if walk is not None:
            walk.revive()
