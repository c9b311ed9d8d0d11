"""Secrets and what is stored: taken out of a recording, and asked for before a replay."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from .. import codec
from ..binding.freeze import Branch, Coded, Opaque, opaque_in, shown
from ..binding.params import literal_leaves
from ..model.reason import Reason
from ..model.records import Expr, Sec
from ..model.secret import MASK
from ..model.text import retold
from ..plan.step import Refusal
from ..plan.trajectory import Trajectory
from ..redaction.redactor import SCALARS, Veil
from ..run.recorder import Problem, Recorder, Recording, Step
from ..run.run import Run

_KEPT_BACK = "not kept: it holds the value of a secret"
_WHOLE = "pass the secret as a whole argument, or declare the argument with secret=[...]"
_WITHIN = f"within a longer value; {_WHOLE}"
_NAMELESS = "that the call gave no name to, so a replay could not be given it; use secrets={...} or secret=[...]"


def meet_context(veil: Veil, context: Iterable[Any]) -> None:
    """Know the Secrets that the context objects hold as attributes."""
    for value in context:
        held = getattr(value, "__dict__", None)
        if type(held) is dict:
            veil.meet_secrets(held)


def conceal(recorder: Recorder, scope: str, context: Iterable[Any]) -> None:
    """Take every secret that the run knows by now out of its steps; note what cannot be replayed without it."""
    veil = recorder.known.veil
    meet_context(veil, context)
    if not veil:
        return
    try:
        _conceal_steps(recorder, veil)
    except Exception as error:  # trouble of ours costs the recording and nothing else (G4)
        recorder.problem(Reason.OPAQUE_ARGUMENT, f"secrets could not be taken out of the recording: {retold(error)}")
    if veil.holds(scope):
        recorder.problem(Reason.OPAQUE_ARGUMENT, "the engine's scope holds the value of a secret")
    recorder.problems[:] = [_hidden(problem, veil) for problem in recorder.problems]
    recorder.quarantine[:] = [_hidden(problem, veil) for problem in recorder.quarantine]


def _conceal_steps(recorder: Recorder, veil: Veil) -> None:
    for step in recorder.planned():
        if step.record is None:
            _conceal_arguments(recorder, step, veil)
        elif any(veil.holds(leaf) for _, expr in step.record.arguments for leaf in literal_leaves(expr)):
            recorder.problem(Reason.OPAQUE_ARGUMENT, _held(step, "an argument"), step.tool.name)
        _conceal_output(step, veil)
        for data in (step.pre, step.post):
            if data is not None and veil.holds(codec.decode(data, lenient=True)):
                message = f"{_held(step, 'the snapshot of a check')}; let the capture leave it out"
                recorder.problem(Reason.CAPTURE_FAILED, message, step.tool.name)


def _hidden(problem: Problem, veil: Veil) -> Problem:
    return msgspec.structs.replace(problem, message=veil.hide(problem.message))


def _held(step: Step, what: str) -> str:
    return f"{what} of {step.tool.name} holds the value of a secret"


def _conceal_arguments(recorder: Recorder, step: Step, veil: Veil) -> None:
    concealed: list[tuple[str, Any]] = []
    for name, frozen in step.arguments:
        made = _without(frozen, veil, name)
        opaque = opaque_in(made)
        named = name not in step.tool.order and veil.holds(name)
        if named or (opaque is not None and opaque_in(frozen) is None):
            what = f"argument {veil.hide(name)!r}" + (" (its name)" if named else "")
            whole = not named and veil.hide(str(shown(frozen))) == MASK
            message = f"{_held(step, what)} {_NAMELESS if whole else _WITHIN}"
            recorder.problem(Reason.OPAQUE_ARGUMENT, message, step.tool.name)
        concealed.append((name, made))
    step.arguments = concealed


def _without(frozen: Any, veil: Veil, argument: str) -> Any:
    """A frozen value with secrets in place of their values, Opaque where one is a part of something."""
    if isinstance(frozen, Expr | Opaque):
        return frozen
    if isinstance(frozen, Branch):
        return Branch(frozen.kind, [_without(item, veil, "") for item in frozen.items])
    value = shown(frozen)
    name = veil.name_of(value, argument)
    if name is not None:
        return Sec(name)
    if not veil.holds(value):
        return frozen
    unfolded = codec.unfold(value)
    if unfolded is None:
        return Opaque(_KEPT_BACK, argument)
    return Branch(unfolded[0], [_without(_frozen(child), veil, "") for child in unfolded[1]])


def _frozen(child: Any) -> Any:
    return child if type(child) in SCALARS else Coded(codec.encode(child))


def _conceal_output(step: Step, veil: Veil) -> None:
    data = step.output_data
    if data is not None and veil.holds(codec.decode(data, lenient=True)):
        step.output, step.note = b"", _KEPT_BACK
    step.note = veil.hide(step.note)


def sealed_without(recording: Recording, recorder: Recorder, used_by: Iterable[Any]) -> Recording | Problem:
    """A finished recording with its groups of equal secrets; a Problem if a secret is in it or in its key after all.

    `used_by` are the call's own arguments: their digest is the key, so they must not hold what was unknown then.
    """
    veil = recorder.known.veil
    if any(map(veil.holds_late, used_by)):
        return Problem(
            Reason.NO_KEY,
            "the task holds the value of a secret that was not known when it began; give it with secrets={...}",
        )
    body, row = recording.body, recording.row
    parts = [(step.arguments, [guard.data for guard in step.guards]) for step in body.steps]
    if veil.spilled_in(msgspec.msgpack.encode((parts, row.pre, row.post, row.outputs, row.notes, row.keywords))):
        return Problem(Reason.OPAQUE_ARGUMENT, f"the recording holds the value of a secret; {_WHOLE}")
    return recording


def refused_by_secrets(trajectory: Trajectory, run: Run) -> Refusal | None:
    """Why this run's secrets do not fit a recording: one is missing, or those that were equal differ."""
    veil, params = run.veil, run.params
    lacking = [found for found in trajectory.secrets if found[2] not in veil.given]
    run.lacking |= {name for _, _, name in lacking}
    for index, tool, name in lacking[:1]:
        where = (
            f"it is given as a plain param; wrap it: params={{{name!r}: Secret(...)}}"
            if name in params.values
            else (f"give it with secrets={{{name!r}: ...}}, or as a Secret where it was given then")
        )
        message = f"{tool} was recorded with the secret {name!r}, and this run has none of that name; {where}"
        return Refusal(Reason.SECRET_MISSING, message, index, tool)
    for group in trajectory.head.equal_secrets:
        if len({veil.likeness(name, params) for name in group}) > 1:
            return Refusal(
                Reason.PARAM_AMBIGUOUS,
                f"the secrets {', '.join(group)} had equal values when this was recorded, so which one a step meant "
                "cannot be told now that they differ",
            )
    return None


def fit_to_keep(refreshed: Iterable[bytes], veil: Veil, context: Iterable[Any]) -> bool:
    """Whether snapshots that a hit would keep hold no secret."""
    meet_context(veil, context)
    return not veil or not any(veil.holds(codec.decode(data, lenient=True)) for data in refreshed)
