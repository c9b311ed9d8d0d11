"""Secrets in recordings: removed before storage, required for a replay."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from .. import codec
from ..binding.params.search import literal_leaves
from ..binding.references.masking import literal_values
from ..binding.tasks.freeze import Container, Encoded, Unencodable, display_value, find_unencodable
from ..codec.walk import SCALARS, visible_leaves
from ..model.reason import Reason
from ..model.records import Expr, Sec
from ..model.secret import MASK
from ..model.text import long_repr
from ..redaction.derived import DerivedForms
from ..redaction.redactor import Redactor
from ..run.recorder import Problem, RecordedStep, Recorder, Recording
from .derived import add_read_secrets, derived_problem, forms_of

_WITHHELD = "not stored: it contains the value of a secret"
_WHOLE = "Pass the secret as a whole argument, or declare the argument in secret=[...]."
_WITHIN = f"within a longer value. {_WHOLE}"
_NAMELESS = "that has no name, so it cannot be passed to a replay. Use secrets={...} or secret=[...]."


def add_context_secrets(redactor: Redactor, context: Iterable[Any]) -> None:
    """Register the Secrets that are attributes of context objects."""
    for value in context:
        try:
            own = getattr(value, "__dict__", None)
        except Exception:  # A proxy of the user's may raise on any access.
            continue
        if type(own) is dict:
            redactor.add_secrets_in(own)


def redact_recording(recorder: Recorder, scope: str, context: Iterable[Any]) -> None:
    """Remove all known secrets from the steps; note steps that need them in clear."""
    redactor = recorder.known.redactor
    add_context_secrets(redactor, context)
    if recorder.secrets_read:
        add_read_secrets(recorder)
    if not redactor:
        return
    try:
        _redact_steps(recorder, redactor)
    except Exception as error:  # An internal error must not affect the run.
        recorder.add_problem(
            Reason.OPAQUE_ARGUMENT, f"removal of secrets from the recording failed: {long_repr(error)}"
        )
    if redactor.contains_secret(scope):
        recorder.add_problem(Reason.OPAQUE_ARGUMENT, "scope= contains the value of a secret. Remove it.")
    recorder.problems[:] = [_redact_problem(problem, redactor) for problem in recorder.problems]
    recorder.quarantine[:] = [_redact_problem(problem, redactor) for problem in recorder.quarantine]


def _redact_steps(recorder: Recorder, redactor: Redactor) -> None:
    forms = forms_of(redactor)
    for step in recorder.planned_steps():
        if step.record is None:
            _redact_arguments(recorder, step, redactor)
        elif any(redactor.contains_secret(leaf) for _, expr in step.record.arguments for leaf in literal_leaves(expr)):
            recorder.add_problem(Reason.OPAQUE_ARGUMENT, _secret_message(step, "an argument"), step.tool.name)
        _redact_output(step, redactor, forms)
        for data in (step.pre, step.post):
            if data is not None and any(map(redactor.contains_secret, literal_values(data))):
                message = f"{_secret_message(step, 'a snapshot')}. Omit the secret in the capture."
                recorder.add_problem(Reason.CAPTURE_FAILED, message, step.tool.name)


def _redact_problem(problem: Problem, redactor: Redactor) -> Problem:
    return msgspec.structs.replace(problem, message=redactor.redact(problem.message))


def _secret_message(step: RecordedStep, what: str) -> str:
    return f"{what} of {step.tool.name!r} contains the value of a secret"


def _redact_arguments(recorder: Recorder, step: RecordedStep, redactor: Redactor) -> None:
    redacted: list[tuple[str, Any]] = []
    for name, frozen in step.arguments:
        replaced = _replace_secrets(frozen, redactor, name)
        opaque = find_unencodable(replaced)
        named = name not in step.tool.parameter_order and redactor.contains_secret(name)
        if named or (opaque is not None and find_unencodable(frozen) is None):
            what = f"argument {redactor.redact(name)!r}" + (" (its name)" if named else "")
            whole = not named and redactor.redact(str(display_value(frozen))) == MASK
            message = f"{_secret_message(step, what)} {_NAMELESS if whole else _WITHIN}"
            recorder.add_problem(Reason.OPAQUE_ARGUMENT, message, step.tool.name)
        redacted.append((name, replaced))
    step.frozen_args = redacted


def _replace_secrets(frozen: Any, redactor: Redactor, argument: str) -> Any:
    """Return a frozen value with marks for secrets, Unencodable where one is a part."""
    if isinstance(frozen, Expr | Unencodable):
        return frozen
    if isinstance(frozen, Container):
        return Container(frozen.kind, [_replace_secrets(item, redactor, "") for item in frozen.items])
    value = display_value(frozen)
    name = redactor.name_of(value, argument)
    if name is not None:
        return Sec(name)
    if not redactor.contains_secret(value):
        return frozen
    unfolded = codec.unfold(value)
    if unfolded is None:
        return Unencodable(_WITHHELD, argument)
    return Container(unfolded[0], [_replace_secrets(_freeze_child(child), redactor, "") for child in unfolded[1]])


def _freeze_child(child: Any) -> Any:
    return child if type(child) in SCALARS else Encoded(codec.encode(child))


def _redact_output(step: RecordedStep, redactor: Redactor, forms: DerivedForms) -> None:
    data = step.output_data
    if data is not None and _holds_secret(data, redactor, forms):
        step.note = _WITHHELD
    step.note = redactor.redact(step.note)


def _holds_secret(data: bytes, redactor: Redactor, forms: DerivedForms) -> bool:
    """Return whether stored bytes contain a secret or a text derived from one."""
    return any(
        redactor.contains_secret(value) or any(map(forms.find, visible_leaves(value))) for value in literal_values(data)
    )


def holds_secret(data: bytes, recorder: Recorder) -> bool:
    """Return whether the bytes of a value contain a secret, or one's derived form."""
    read = [secret for secret, _ in recorder.secrets_read.values()]
    redactor = recorder.known.redactor
    return bool(redactor or read) and _holds_secret(data, redactor, forms_of(redactor, read))


def check_for_leaks(recording: Recording, recorder: Recorder, key_inputs: Sequence[Any]) -> Recording | Problem:
    """Return a finished recording, or a Problem if it or its key contains a secret.

    `key_inputs` are the values that the key was derived from. They must not contain a secret that was unknown then.
    """
    redactor = recorder.known.redactor
    if any(map(redactor.contains_late_secret, key_inputs)):
        return Problem(
            Reason.NO_KEY,
            "the task contains the value of a secret that was unknown at its start. Pass the secret in secrets={...}.",
        )
    if recorder.secrets_read:
        problem = derived_problem(recording, recorder, recorder.planned_steps(), key_inputs)
        if problem is not None:
            return problem
    body, row = recording.body, recording.row
    parts = [(step.arguments, [guard.data for guard in step.guards]) for step in body.steps]
    kept = (row.pre, row.post, row.chances, row.outputs, row.notes, row.keywords, row.answers, row.final)
    if redactor.leaked_into(msgspec.msgpack.encode((parts, kept))):
        return Problem(Reason.OPAQUE_ARGUMENT, f"the recording contains the value of a secret. {_WHOLE}")
    if not recorder.secrets_read:
        return derived_problem(recording, recorder, recorder.planned_steps(), key_inputs) or recording
    return recording


def may_store(refreshed: Iterable[bytes], redactor: Redactor, context: Iterable[Any]) -> bool:
    """Return whether the refreshed snapshots of a hit contain no secret."""
    add_context_secrets(redactor, context)
    if not redactor:
        return True
    forms = forms_of(redactor)
    return not any(_holds_secret(data, redactor, forms) for data in refreshed)
