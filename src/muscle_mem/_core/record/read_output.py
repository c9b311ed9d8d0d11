"""The output of a recorded call, as it was when the call returned."""

from __future__ import annotations

from typing import Any

from .. import codec
from ..codec.walk import SCALARS
from ..redaction.redactor import Redactor
from ..run.recorder import RecordedStep


def read_output(step: RecordedStep, redactor: Redactor) -> tuple[Any, bool]:
    """Return an output as at its call's return, and whether it may name a secret.

    It does if one of the names in it may be a secret.
    """
    if type(step.result) in SCALARS:
        value = step.result
    else:
        value = step.output_copy if step.output_data is None else codec.decode_own(step.output_data)
    return value, bool(redactor) and (step.output_data is None or redactor.contains_secret(value))
