"""Preparation of a pre-check: arguments, approval and capture of the step."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from ..binding.guards.check import guard_value, stale_value, value_at
from ..binding.outputs.elements import ECHO_KINDS
from ..binding.outputs.figure_digest import figures_digest, fits_figures
from ..binding.references.declared_flows import FlowError
from ..binding.references.resolve import references_in
from ..model.flow import Unclear
from ..model.reason import Reason
from ..model.records import Guard
from ..model.text import long_repr, safe_repr
from ..plan.derived import Sources
from ..plan.snapshots import bounded_snapshot
from ..plan.step import PlanStep, Refusal
from ..run.effects import Effect
from ..run.run import Run
from .approval import approval_refusal
from .judge import Arguments, capture

Captures = dict[object, Any]
"""What was captured at a position, or the refusal if a capture raised, by a key of what the capture sees."""

Prepared = tuple[Arguments, Any]
"""A step's arguments in this run, and what its pre-check captured; None without a pre-check."""


def prepare_check(
    run: Run, step: PlanStep, position: int, captures: Captures, key: object = None
) -> Generator[Effect, Any, Prepared | Refusal]:
    """Bind a step, ask for its approval and capture for its pre-check.

    A capture that `captures` holds by `key` is used again. The default of `key` is the step's capture key.
    """
    stop = step.trajectory.stop
    if stop is not None and stop.step == position:
        return stop
    if run.progress.lost is not None:
        lost = rejoined_refusal(run, step, position)
        if lost is not None:
            return lost
    stale = stale_reference(run, step, position)
    if stale is not None:
        return stale
    try:
        arguments = bind_arguments(run, step)
    except Exception as error:
        return cannot_bind(run, step, position, error)
    if step.tool.effect == "irreversible":
        refusal = yield from approval_refusal(run, step, arguments, position)
        if refusal is not None:
            return refusal
    if step.pre is None:
        return arguments, None
    if key is None:
        key = step.capture_key(False)
    if key not in captures:
        captures[key] = yield from capture(step, step.pre, arguments, position)
    value = captures[key]
    return value if type(value) is Refusal else (arguments, value)


def rejoined_refusal(run: Run, step: PlanStep, position: int) -> Refusal | None:
    """Return why a step cannot be made after a return to the replay (I15).

    Its arguments depend on an output that this run does not have, or it is irreversible and no approval can be asked.
    """
    tool = step.tool.name
    missing = needed_outputs(step) & (run.progress.lost or frozenset())
    if missing:
        message = (
            f"an argument of {tool!r} depends on the output of step {min(missing)}, which was not made in this run"
        )
        return Refusal(Reason.STALE_OUTPUT, message, position, tool)
    if step.tool.effect == "irreversible" and run.approve is None:
        message = f"{tool!r} is irreversible, and the agent has made other calls than were recorded. Pass approve=."
        return Refusal(Reason.NOT_APPROVED, message, position, tool)
    return None


def needed_outputs(step: PlanStep) -> set[int]:
    """Return the steps whose outputs the arguments of a step depend on."""
    needed = {guard.step for guard in step.guards}
    for sources in step.sources:
        needed.update(source for source, _ in sources.pairs[: sources.length] if source >= 0)
    for expr in step.expressions:
        needed |= references_in(expr)
    return needed


def bind_arguments(run: Run, step: PlanStep) -> Arguments:
    """Return the arguments of a step in this run, its context object first."""
    args, kwargs = (step.args, step.kwargs) if step.args is not None else step.build_arguments(run.env)
    if step.method:
        args = (run.context_objects[step.tool], *args)
    return args, kwargs


def stale_reference(run: Run, step: PlanStep, position: int) -> Refusal | None:
    """Return the refusal of a step whose argument left the output it came from (E6)."""
    for guard in step.guards:
        there = stale_value(guard, run.progress.results, run.params.values)
        if there is not None and guard.kind not in ECHO_KINDS:
            expected = guard_value(guard)
            message = (
                f"an argument of {step.tool.name!r} is stale: expected {expected} in the output of step {guard.step}, "
                f"got {safe_repr(there)}"
            )
            snapshots = bounded_snapshot(value_at(guard, run.progress.results)), guard.data
            return Refusal(
                Reason.STALE_OUTPUT,
                message,
                position,
                step.tool.name,
                seen=there,
                expected=expected,
                snapshots=snapshots,
            )
        if there is not None and run.policy.generalize != "at_once":
            return _lost_echo(run, step, position, guard, there)
    if step.sources and run.policy.generalize != "at_once":
        return _changed_figures(run, step, position)
    return None


def _lost_echo(run: Run, step: PlanStep, position: int, guard: Guard, there: str) -> Refusal:
    """Return the refusal of a step whose param differs from an output now.

    When recorded, the value may have been either.
    """
    expected = guard_value(guard)
    calls = run.progress.calls[guard.step : guard.step + 1]
    source = calls[0][0].tool.name if calls else "not made"
    message = (
        f"an argument of {step.tool.name!r} is {expected} or from the output of step {guard.step} ({source}): they "
        f"agreed when recorded, and the output has {there} now; another recording decides, or give Param(bind=)"
    )
    return Refusal(Reason.UNCONFIRMED, message, position, step.tool.name, seen=there, expected=expected)


def _changed_figures(run: Run, step: PlanStep, position: int) -> Refusal | None:
    """Return the refusal of a step whose numbers may depend on changed figures (E10).

    Such figures differ from the recorded ones.
    """
    changed = -1
    for sources in step.sources:
        changed = _changed_source(run, sources)
        if changed < 0:
            return None
    progress = run.progress
    message = (
        f"a number or date of {step.tool.name} may have been computed from the output of step {changed} "
        f"({progress.calls[changed][0].tool.name}), which holds other numbers than when recorded; a second recording "
        "with the same value confirms it, or let a tool return it"
    )
    return Refusal(Reason.UNCONFIRMED, message, position, step.tool.name)


def _changed_source(run: Run, sources: Sources) -> int:
    """Return the first step whose output has other figures than these; -1 if none has."""
    progress, pairs = run.progress, sources.pairs
    if progress.figures is None:
        progress.figures = {}, {}
    digests, fitting = progress.figures
    known = fitting.get(id(pairs))
    start = known[1] if known is not None and known[0] is pairs else 0
    for at in range(start, sources.length):
        source, digest = pairs[at]
        if source < 0:
            if not _has_traits(run, pairs[at], pairs[at - 1] if at else None):
                return ~source
            continue
        if source not in digests:
            digests[source] = figures_digest(progress.results[source], run.policy.wall_clock())
        if not fits_figures(digests[source], digest):
            return source
    if sources.length > start:  # Steps of a row share the first pairs.
        fitting[id(pairs)] = pairs, sources.length
    return -1


def _has_traits(run: Run, pair: tuple[int, bytes], before: tuple[int, bytes] | None) -> bool:
    """Return whether an output has the traits that recordings share.

    It has if its figures are the recorded ones.
    """
    source, accepted = ~pair[0], pair[1]
    digests = run.progress.figures[0] if run.progress.figures is not None else {}
    if before is not None and before[0] == source and digests.get(source) == before[1]:
        return True
    from ..binding.outputs.traits import has_traits, traits_digest  # Loaded with the first recordings that differ.

    if ~source not in digests:
        digests[~source] = traits_digest(run.progress.results[source], run.policy.wall_clock())
    return has_traits(digests[~source] or b"", accepted)


def _unclear(run: Run, step: PlanStep, position: int, error: Unclear) -> Refusal:
    """Return the refusal of a step whose sources do not agree in this run (L5)."""
    from ..binding.references.source_text import source_text

    tools = [planned.tool.name for planned, _, _ in run.progress.calls]
    votes = "; ".join(f"{source_text(source, tools)} is {value}" for source, value in error.votes)
    message = f"an argument of {step.tool.name!r} has no clear source in this run: {votes}"
    return Refusal(Reason.FLOW_UNCLEAR, message, position, step.tool.name, seen=votes)


def cannot_bind(run: Run, step: PlanStep, position: int, error: BaseException) -> Refusal:
    """Return the refusal of a step whose arguments cannot be built."""
    if isinstance(error, Unclear):
        return _unclear(run, step, position, error)
    if isinstance(error, FlowError):
        tool = step.tool.name
        return Refusal(Reason.FLOW_UNCLEAR, str(error), position, tool, seen=error.seen, expected=error.expected)
    message = f"arguments of {step.tool.name!r} cannot be built in this run: {long_repr(error)}"
    return Refusal(Reason.NO_CANDIDATE, message, position, step.tool.name, error=error)
