"""The verdict of the user's success callback, and the steps that it gets."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import msgspec

from ..binding.tasks.freeze import display_value
from ..codec.copies import copy_for_onlooker
from ..model.handover import Executed
from ..model.outcome import TextRedactor
from ..model.text import long_repr
from ..plan.step import PlanStep
from ..run.effects import Effect, RunCallback
from ..run.recorder import RecordedStep
from ..run.run import Run
from ..tools.callbacks import select_arguments


def success_verdict(run: Run, value: Any) -> Generator[Effect, Any, tuple[bool, str]]:
    """Return whether the success callback accepted the run, and how it answered."""
    function = run.success
    assert function is not None
    try:
        answer = yield RunCallback(function, success_arguments(run, function, value))
        if answer is not NotImplemented and bool(answer):
            return True, "accepted it"
        return False, f"refused it (returned {long_repr(answer)})"
    except Exception as error:
        return False, f"raised {long_repr(error)}"


def success_arguments(run: Run, function: Any, value: Any) -> tuple[Any, ...]:
    """Return the positional arguments of a success callback.

    They are those of task, params, steps and value that it names; otherwise all four, or the value alone.
    """
    given = {
        "task": lambda: run.task,
        "params": lambda: shown_params(run),
        "steps": lambda: [shown_step(run, step) for step in executed_steps(run)],
        "value": lambda: copy_for_onlooker(value, run.context),
    }
    return select_arguments(function, given, "value")


def shown_params(run: Run) -> dict[str, Any]:
    """Return the run's params for a callback, which may change what it gets."""
    shown: dict[str, Any] = copy_for_onlooker(dict(run.params.values), run.context)
    return shown


def shown_step(run: Run, step: Executed) -> Executed:
    """Return a step for a callback, which may change what it gets."""
    args, kwargs, result, arguments = copy_for_onlooker(
        (step.args, step.kwargs, step.result, step.arguments), run.context
    )
    return msgspec.structs.replace(step, args=args, kwargs=kwargs, result=result, arguments=arguments)


def text_redactor(run: Run) -> TextRedactor:
    """Return the function that removes the run's secrets from texts."""
    return run.redactor.redact if run.has_secrets else str


def executed_step(
    run: Run,
    step: PlanStep,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    result: Any,
    error: BaseException | None = None,
) -> Executed:
    """Return a replayed step in the form that users, callbacks and agents get."""
    tool = step.tool
    args = args[1:] if step.method else args
    declared = tool.effect is not None
    return Executed(
        tool.name,
        args,
        dict(kwargs),
        result,
        error,
        tool.effect or "write",
        declared,
        dict(tool.name_arguments(args, kwargs)),
        text_redactor(run),
    )


def executed_steps(run: Run) -> list[Executed]:
    """Return the steps of this run, replayed or new, for a success callback."""
    progress = run.progress
    recorder = run.recorder
    replayed = [
        executed_step(run, step, args, kwargs, result)
        for (step, args, kwargs), result in zip(progress.entered_calls, progress.live_results, strict=True)
    ]
    own = [step for step in recorder.steps if not (step.is_dropped or step.is_absorbed)]
    return replayed + [_recorded_step(run, step) for step in own]


def _recorded_step(run: Run, step: RecordedStep) -> Executed:
    """Return a call of the agent in the form that a success callback gets."""
    tool = step.tool
    arguments = {name: display_value(frozen) for name, frozen in step.arguments}
    declared = tool.effect is not None
    return Executed(
        tool.name, (), arguments, step.result, None, tool.effect or "write", declared, arguments, text_redactor(run)
    )
