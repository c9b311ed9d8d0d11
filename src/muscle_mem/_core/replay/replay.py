"""Replay of one candidate, with each step checked before its call.

Checks see the live environment. A call that can be made immediately is made here; what must be awaited, or belongs to
another driver, is yielded. Nothing of the package runs between a pre-check that passes and its tool. The loop holds
what most steps need; all else is in `pre_check` and `post_check`.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from ..model.failed_calls import CallNotMadeError
from ..model.reason import Reason
from ..model.text import long_repr
from ..plan.candidate_set import CandidateSet
from ..plan.ready_trajectory import Candidate
from ..plan.step import Refusal
from ..run.effects import Effect, Invoke, Pause
from ..run.run import Progress, Run
from ..tools.typed_arguments import typed_arguments
from .inline_check import check_inline, check_inline_shared
from .post_check import judge_after, settle_post_check
from .pre_check import continue_with_longer, decide, settle_pre_check
from .selection import Selection


def replay(run: Run, live: CandidateSet) -> Generator[Effect, Any, Candidate | Refusal]:
    """Replay the preferred candidate; switch to another only where D2 allows it.

    Returns the candidate that finished, or the refusal that stopped it; `run.progress` holds the executed calls. A
    progress that has calls already is continued.
    """
    progress = run.progress
    calls, results = progress.calls, progress.results
    outside = run.is_stepped
    by_driver = run.is_watched
    selection = Selection(run, live) if live.has_several else None
    followed = progress.candidate = live.candidates[0]
    steps, pres, posts = followed.replay_plan()
    position = len(results)
    while True:
        step = steps[position]
        found: Any = None
        if step is None:
            if selection is None or position == live.longest:
                return followed
            found = yield from continue_with_longer(run, selection, position, followed)
        elif step.is_inline:
            args, kwargs = step.args, step.kwargs
            if step.method:
                args = (run.context_objects[step.tool], *args)
            if step.pre is not None:
                if selection is None:
                    found = check_inline(step.pre, args, kwargs, pres[position])
                else:
                    found = check_inline_shared(selection, followed, position, False, args, kwargs)
                if found is not None:
                    found = yield from settle_pre_check(run, selection, position, followed, (args, kwargs), found)
        else:
            found = yield from decide(run, selection, position, followed)
        if found is not None:
            if type(found) is not tuple:
                return found  # type: ignore[no-any-return]  # A Candidate or a Refusal.
            followed, (args, kwargs) = found
            progress.candidate = followed
            steps, pres, posts = followed.replay_plan()
            position = len(results)  # An optional step may have been skipped.
            step = steps[position]
        if outside:
            from .turn import make_turn

            found = yield from make_turn(run, selection, position, followed, (args, kwargs))
            if isinstance(found, Refusal):
                return found
            followed = progress.candidate = found
            steps, pres, posts = followed.replay_plan()
            position = len(results)
            yield Pause()
            continue
        calls.append((step, args, kwargs))
        try:
            if by_driver or not step.is_sync:
                given = typed_arguments(step.tool, args, kwargs) if step.is_said else (args, kwargs)
                output = yield Invoke(step.tool, *given)
            elif kwargs:
                output = step.fn(*args, **kwargs)
            else:
                output = step.fn(*args)  # Without keywords no dictionary has to be made.
        except Exception as error:
            results.append(None)
            return tool_raised(progress, position, error)
        results.append(output)
        if step.may_check_after:
            looks = step.looks
            if (
                looks is not None
                and looks.is_quick
                and ((type(output) is str and output == looks.usual) or looks.are_seen(results))
            ):
                found = None
            elif looks is None and step.is_inline:
                if selection is None:
                    found = check_inline(step.post, args, kwargs, posts[position])
                else:
                    found = check_inline_shared(selection, followed, position, True, args, kwargs)
                if found is not None:
                    found = yield from settle_post_check(run, selection, position, followed, found)
            else:
                found = yield from judge_after(run, selection, position, followed)
            if isinstance(found, Refusal):
                return found
            if found is not None:
                followed = progress.candidate = found
                steps, pres, posts = followed.replay_plan()
        position += 1


def tool_raised(progress: Progress, position: int, error: BaseException) -> Refusal:
    """Return why the replay stops at a call that raised; the call counts as executed."""
    progress.errors = {**(progress.errors or {}), position: error}
    tool = progress.calls[position][0].tool
    seen = long_repr(error)
    harmless = isinstance(error, (CallNotMadeError, *tool.refuses))
    message = f"{tool.name!r} raised {seen}"
    return Refusal(Reason.TOOL_RAISED, message, position, tool.name, seen=seen, error=error, did_nothing=harmless)
