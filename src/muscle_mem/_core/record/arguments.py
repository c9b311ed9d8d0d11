"""The arguments of a recorded call, kept as they are when the call is made."""

from __future__ import annotations

from typing import Any

from ..binding.tasks.freeze import find_unencodable, freeze, has_identity, references_in
from ..codec.walk import SCALARS
from ..model.reason import Reason
from ..model.records import Ign, Sec
from ..model.secret import as_secret, raw_value, reveal
from ..model.text import long_repr, safe_repr
from ..redaction.secret_leaves import is_empty_value
from ..run.recorder import RecordedStep, Recorder
from ..run.run import Run
from ..tools.overrides import override_fingerprint
from ..tools.tool import NamedArguments, Tool
from .same_call import is_same_call


def store_arguments(
    run: Run, recorder: Recorder, step: RecordedStep, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    """Keep the arguments of a call as they are now.

    Scalars passed by position cannot change and are kept as they are. Otherwise all arguments are frozen.
    """
    tool = step.tool
    if recorder.first_executed:
        _note_repeated(run, recorder, step, args, kwargs)
    plain = not kwargs and len(args) <= tool.max_plain_arguments
    for value in args:
        if type(value) not in SCALARS:
            plain = False
    if plain:
        step.plain_args, step.plain_names = args, tool.positional
    else:
        _freeze_arguments(run, step, args, kwargs)


def _note_repeated(
    run: Run, recorder: Recorder, step: RecordedStep, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> None:
    """Note a first call that the replay had already made."""
    made = recorder.first_executed
    if recorder.is_first_call(step) and any(is_same_call(call, step.tool, args, kwargs, run.env) for call in made):
        recorder.repeated_calls.append(step)


def _freeze_arguments(run: Run, step: RecordedStep, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Freeze the arguments of a call, and note a problem if they cannot be replayed."""
    tool = step.tool
    if tool.method and args:
        if not any(args[0] is value for value in run.context):
            have = "another object" if run.context else "none"
            run.recorder.add_problem(
                Reason.OTHER_INSTANCE,
                f"{tool.name!r} was called on an object outside the context: expected {safe_repr(args[0], 60)} in the "
                f"context, got {have}. Pass it to engine.set_context() or in context=.",
                tool.name,
                step,
            )
        step.override = override_fingerprint(tool, args[0])
        args = args[1:]
    twice = next((name for name in tool.positional[: len(args)] if name in kwargs), None)
    if twice is not None:  # A step keeps one value for each name.
        message = (
            f"arguments of {tool.name!r} cannot be recorded: got {twice!r} by position and in **kwargs. Rename one."
        )
        run.recorder.add_problem(Reason.OPAQUE_ARGUMENT, message, tool.name, step)
    try:
        _freeze_named(run.recorder, step, args, kwargs)
    except Exception as error:  # Methods of an argument may raise, which must not affect the agent.
        message = f"arguments of {tool.name!r} cannot be recorded: {long_repr(error)}"
        run.recorder.add_problem(Reason.OPAQUE_ARGUMENT, message, tool.name, step)


def _freeze_named(recorder: Recorder, step: RecordedStep, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Freeze each named argument of a call as it is now."""
    tool = step.tool
    if kwargs:
        step.keywords = tuple(kwargs)
    found: list[tuple[str, Any]] = []
    step.frozen_args = found
    known = recorder.known
    ignored = tool.ignore
    named = tool.name_arguments(args, kwargs)
    secrets = _declared_secrets(recorder, tool, named) if tool.secret else {}
    for name, value in named:
        if name in ignored:
            found.append((name, Ign()))
            secret = as_secret(value)
            if secret is not None:
                known.redactor.add_value(reveal(secret))
            continue
        frozen = secrets.get(name) or freeze(value, known, name)
        opaque = find_unencodable(frozen)
        if opaque is not None:
            recorder.add_problem(
                Reason.OPAQUE_ARGUMENT,
                f"argument {opaque.path!r} of {tool.name!r} cannot be stored: {opaque.message.partition(';')[0]}. Pass "
                f"it in context= or params=, return it from an earlier tool, declare ignore=[{name!r}] and inject=, or "
                "call muscle_mem.register() for its type.",
                tool.name,
                step,
            )
        found.append((name, frozen))
        if len(recorder.open_calls) > 1:
            _refuse_pending_output(recorder, step, name, frozen)


def _refuse_pending_output(recorder: Recorder, step: RecordedStep, name: str, frozen: Any) -> None:
    """Note a problem if an argument is the output of a call that has not ended.

    The order of the two calls cannot be determined then.
    """
    for index in references_in(frozen):
        source = next((other for other in tuple(recorder.open_calls) if other.index == index), None)
        if source is not None:
            tool = step.tool.name
            recorder.add_problem(
                Reason.OVERLAPPING,
                f"argument {name!r} of {tool!r} is the output of {source.tool.name!r}, whose post-check was being "
                "captured. Start the second call after the first has returned.",
                tool,
                step,
            )


def _declared_secrets(recorder: Recorder, tool: Tool, named: NamedArguments) -> dict[str, Any]:
    """Return the marks of the arguments that the tool declares secret.

    The run knows their values as secrets from now on.
    """
    redactor = recorder.known.redactor
    marks: dict[str, Any] = {}
    for value in tool.omitted_secrets(named):
        if not is_empty_value(value):
            redactor.add_value(raw_value(value))
    for name, value in named:
        if is_empty_value(value) or not tool.is_secret(name):
            continue
        mark = recorder.known.find(value) if has_identity(value) else None
        if mark is not None or name in tool.ignore:
            redactor.add_value(raw_value(value))
            marks[name] = mark
        elif as_secret(value) is not None:
            marks[name] = recorder.known.secret_expression(value, name, tool.name)
        else:
            marks[name] = Sec(redactor.name_of(value, name) or redactor.add_from_argument(tool.name, name, value))
    return marks
