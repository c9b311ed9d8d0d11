"""What the gateway needs of an engine: tools of a server, and its runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, cast

from .._core.model.handover import Handover, Planned
from .._core.model.reason import Reason
from .._core.plan.trust import TRUSTS
from .._core.replay.explain import bound_plan
from .._runtime.external_tools import declare_external
from .._runtime.learned_tasks import LearnedTask, learned_tasks
from .._runtime.options import CallOptions, ToolOptions
from .hosted import HasRuntime
from .pending import Pending, pending_recording
from .session import Session


def declare_tool(
    engine: HasRuntime,
    name: str,
    schema: Mapping[str, Any] | None,
    checks: tuple[Any, Any],
    options: ToolOptions,
) -> None:
    """Register a tool of a server, or register it again after a change.

    Raises InvalidTypeError or InvalidValueError if the options do not fit its schema.
    """
    tools = engine._runtime.tools
    before = tools.external_schemas.get(name)
    tools.external_schemas[name] = schema
    try:
        declare_external(engine._runtime, name, checks, cast("Mapping[str, Any]", options))
    except Exception:
        tools.external_schemas[name] = before
        raise


def begin_beside(session: Session, calls: Iterable[Any]) -> None:
    """Take calls that begin while others are outstanding, as calls of the same turn.

    `session.next()` hands them out. Raises what `session.said` raises.
    """
    with session._stepping("said"):
        session._work(session._accept_beside(calls))


def prevent_learning(session: Session, reason: Reason, why: str) -> None:
    """Say why a run is not learned. The run goes on."""
    if session._run.mode != "off":
        session._run.recorder.add_problem(reason, session._run.redact(why))


def redacted(session: Session, text: str) -> str:
    """Return a text without the secrets of a run."""
    return session._run.redact(text)


def remaining(session: Session, handover: Handover) -> tuple[Planned, ...]:
    """Return the steps that a replay left out, with this run's params."""
    candidate = session._run.progress.candidate
    steps = () if candidate is None else bound_plan(session._run, candidate.trajectory)
    count = len(handover.remaining)
    bound = steps[len(steps) - count :]
    is_same = [step.tool for step in bound] == [step.tool for step in handover.remaining]
    return bound if is_same else handover.remaining


def pending(
    engine: HasRuntime,
    task: str,
    offered: Iterable[str],
    *,
    params: Mapping[str, Any],
    secrets: Mapping[str, Any],
    approve: Callable[..., Any] | None,
) -> Pending | None:
    """Return the recording of a task that only waits for an approval, or None."""
    options = CallOptions(params=params, secrets=secrets, approve=approve)
    return pending_recording(engine._runtime, (task,), options, offered)


def never_learns(engine: HasRuntime) -> bool:
    """Return whether the mode keeps the engine from learning."""
    return engine._runtime.effective_mode(None) in ("frozen", "off", "replay")


def needs_review(engine: HasRuntime, name: str) -> bool:
    """Return whether recordings with a tool wait for a person's review."""
    tool = engine._runtime.tools.external_tool_named(name)
    return tool is not None and tool.trust == TRUSTS.index("manual")


def tasks(engine: HasRuntime, words: tuple[str, ...], limit: int) -> list[LearnedTask]:
    """Return tasks of the engine's scope with all words, the newest first."""
    return learned_tasks(engine._runtime, words, limit)


def store_url(engine: HasRuntime) -> str:
    """Return the URL of an engine's store, without a password."""
    return engine._runtime.library.store.url
