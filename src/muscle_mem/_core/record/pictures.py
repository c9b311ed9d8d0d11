"""Pictures of steps, for people. They are neither compared nor digested."""

from __future__ import annotations

from typing import Any

from ..model.secret import as_secret
from ..model.text import long_repr
from ..redaction.secret_leaves import secrets_in
from ..run.recorder import RecordedStep
from ..run.run import Run


def take_picture(run: Run, step: RecordedStep, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Keep the picture that the tool of a step takes after its call. Never raises.

    A call that was given a secret has none, unless the tool's function takes the names of such arguments as `mask`.
    """
    tool, shrink = step.tool, run.policy.shrink_picture
    if shrink is None or tool.picture is None:
        return
    try:
        given = args[1:] if tool.method else args
        named = [*zip((*tool.positional, *("*" for _ in given)), given, strict=False), *kwargs.items()]
        secret = tuple(name for name, value in named if _holds_secret(run, step, name, value))
        if tool.masks_picture:
            kwargs = {**kwargs, "mask": secret}
        elif secret:
            return
        step.picture = shrink(tool.picture(*args, **kwargs))
    except Exception as error:  # A picture must not affect the agent.
        run.notify("warning", "picture", f"picture= of {tool.name!r} failed: {long_repr(error)}", tool.name)


def _holds_secret(run: Run, step: RecordedStep, name: str, value: Any) -> bool:
    return (
        step.tool.is_secret(name)
        or as_secret(value) is not None
        or bool(secrets_in(value, name))
        or (run.has_secrets and run.redactor.contains_secret(value))
    )
