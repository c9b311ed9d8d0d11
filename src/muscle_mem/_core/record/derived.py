"""Recordings with texts that were derived from a secret (C11a).

A derived text is not the secret, so removing the secret does not remove it: the recording would store it, and the next
replay would send it although the secret has changed since.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from .. import codec
from ..binding.outputs.index import leaf_values
from ..binding.references.masking import literal_values
from ..binding.references.resolve import secrets_used
from ..binding.suspicions.literals import random_parts
from ..binding.texts.pieces import Piece, literal_pieces
from ..codec.walk import stored_leaves, visible_leaves
from ..model.reason import Reason
from ..model.records import StepRecord
from ..model.secret import Secret, reveal
from ..redaction.derived import SHORT_SECRET, DerivedForms, looks_random, text_of
from ..redaction.redactor import Redactor, raw_value
from ..redaction.secret_leaves import literal_text, searchable_leaves
from ..run.recorder import Problem, RecordedStep, Recorder, Recording

_WAY_OUT = "Pass the secret to the tool, and derive the value there."


def add_read_secrets(recorder: Recorder) -> None:
    """Add the values of secrets that the run read to those that are not stored.

    The run was not given them, so they have no name. Short ones are left out: they occur in other texts by chance.
    """
    redactor = recorder.known.redactor
    for secret, _ in list(recorder.secrets_read.values()):
        value = reveal(secret)
        if redactor.name_of(secret) is None and _is_long(value):
            redactor.add_value(value)


def _is_long(value: Any) -> bool:
    texts = [literal_text(leaf) for leaf in searchable_leaves(value)]
    return bool(texts) and all(len(text) >= SHORT_SECRET for text in texts)


def forms_of(redactor: Redactor, read: Iterable[Secret[Any]] = ()) -> DerivedForms:
    """Return the derived forms of all secrets of a run."""
    found = list(redactor.raw_values)
    for secret in read:
        found += map(raw_value, searchable_leaves(reveal(secret)))
    return DerivedForms(filter(None, found))


def derived_problem(
    recording: Recording, recorder: Recorder, steps: Sequence[RecordedStep], key_inputs: Iterable[Any]
) -> Problem | None:
    """Return why a recording contains a text that was derived from a secret, or None."""
    read = list(recorder.secrets_read.values())
    redactor = recorder.known.redactor
    if not redactor and not read:
        return None
    search = _Search(recorder, steps, forms_of(redactor, [secret for secret, _ in read]))
    return search.problem(recording, list(key_inputs))


class _Search:
    """The search for derived texts in one recording."""

    def __init__(self, recorder: Recorder, steps: Sequence[RecordedStep], forms: DerivedForms) -> None:
        self._recorder = recorder
        self._steps = steps
        self._forms = forms
        self._outputs: dict[int, list[str]] = {}

    def problem(self, recording: Recording, key_inputs: list[Any]) -> Problem | None:
        """Return the first problem that is found."""
        for leaf in visible_leaves(key_inputs):
            found = self._forms.find(leaf)
            if found is not None:
                return _problem(f"the task contains {found.how} of a secret. Pass the secret itself.")
        records = recording.body.steps
        used = {name for record in records for _, expr in record.arguments for name in secrets_used(expr)}
        unbound = self._unbound(used)
        for at, record in enumerate(records):
            for piece in literal_pieces(record):
                found = self._forms.find(piece.value)
                if found is not None and (found.reversible or not used or not self._is_known(piece.value, at, ())):
                    return _step_problem(record, piece, f"is {found.how} of a secret")
                if unbound and self._may_be_derived(piece, at, key_inputs):
                    what = "looks random, is not part of the task, a param or an output, and the agent read a secret"
                    return _step_problem(record, piece, what)
        return self._snapshot_problem(recording)

    def _unbound(self, used: set[str]) -> bool:
        """Return whether the agent read a secret that no step binds."""
        named = self._recorder.known.redactor.named
        bound = [named[name] for name in used if name in named]
        return any(
            by_agent and not any(secret == one for one in bound)
            for secret, by_agent in self._recorder.secrets_read.values()
        )

    def _snapshot_problem(self, recording: Recording) -> Problem | None:
        for data in (*recording.row.pre, *recording.row.post):
            if data is None:
                continue
            for leaf in (leaf for value in literal_values(data) for leaf in stored_leaves(value)):
                found = self._forms.find(leaf)
                if found is not None:
                    return _problem(f"a snapshot contains {found.how} of a secret. Omit it in the capture.")
        return None

    def _may_be_derived(self, piece: Piece, at: int, key_inputs: list[Any]) -> bool:
        text = text_of(piece.value)
        if text is None or _is_default(piece.value, self._steps[at]):
            return False
        return any(
            not self._is_known(part, at, key_inputs)
            for part in looks_random(
                piece.value, tuple(random_parts(text)) if issubclass(type(piece.value), str) else ()
            )
        )

    def _is_known(self, part: Any, at: int, key_inputs: Sequence[Any]) -> bool:
        """Return whether the task, a param or an earlier output contains a text."""
        folded = (text_of(part) or "").lower()
        params = self._recorder.params
        given = [*key_inputs, *(params.values[name] for name in params.plain_names())]
        if any(folded in text for text in _texts(visible_leaves(given))):
            return True
        return any(folded in text for step in range(at) for text in self._output(step))

    def _output(self, at: int) -> list[str]:
        found = self._outputs.get(at)
        if found is None:
            step = self._steps[at]
            data = step.output_data
            output = step.output_copy if data is None else codec.decode(data, lenient=True)
            found = self._outputs[at] = list(_texts(leaf_values(output)))
        return found


def _texts(leaves: Iterable[Any]) -> Iterator[str]:
    for leaf in leaves:
        if issubclass(type(leaf), bytes | bytearray):
            yield bytes(leaf).hex()
        text = text_of(leaf)
        if text is not None:
            yield text.lower()


def _is_default(value: Any, step: RecordedStep) -> bool:
    signature = step.tool.signature
    defaults = [] if signature is None else [parameter.default for parameter in signature.parameters.values()]
    return any(type(one) is type(value) and one == value for one in defaults if one is not inspect.Parameter.empty)


def _problem(message: str, tool: str = "") -> Problem:
    return Problem(Reason.DERIVED_SECRET, message, tool)


def _step_problem(record: StepRecord, piece: Piece, what: str) -> Problem:
    return _problem(f"argument {piece.argument!r} of {record.tool!r} {what}. {_WAY_OUT}", record.tool)
