"""Snapshots that leave a run: bounded, and without the run's secrets."""

from __future__ import annotations

from typing import Any

from ...errors import DecodeError, NotStorableError
from .. import codec
from ..model.secret import MASK
from ..plan.snapshots import MAX_SNAPSHOT_BYTES
from ..redaction.derived import DerivedForms
from ..redaction.redactor import Redactor
from .derived import forms_of


def redacted_snapshot(data: bytes | None, text: str, redactor: Redactor) -> bytes | str:
    """Return the bytes of a snapshot without secrets.

    The result is `text`, also without secrets, if there are no bytes, or none that can be made free of secrets.
    """
    if not redactor:
        return text if data is None else data
    forms = forms_of(redactor)
    try:
        if data is not None:
            value = codec.decode(data, lenient=True)
            masked = _without_secrets(value, redactor, forms)
            made = data if masked is value else codec.encode(masked, max_bytes=MAX_SNAPSHOT_BYTES)
            if not redactor.leaked_into(made):
                return made
    except (DecodeError, NotStorableError):  # For example, two keys of a dict became equal.
        pass
    shown: str = _without_secrets(text, redactor, forms)
    return shown


def _without_secrets(value: Any, redactor: Redactor, forms: DerivedForms) -> Any:
    """Return a value with `***` for each secret and each text derived from one."""
    unfolded = codec.unfold(value)
    if unfolded is None:
        masked = redactor.redact(value) if type(value) is str else value
        return MASK if redactor.contains_secret(masked) or forms.find(masked) else masked
    kind, children = unfolded
    made = tuple(_without_secrets(child, redactor, forms) for child in children)
    if all(new is old for new, old in zip(made, children, strict=True)):
        return value
    return codec.fold(kind, made)
