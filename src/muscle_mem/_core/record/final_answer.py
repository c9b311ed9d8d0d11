"""The answer at the end of a run, as it is stored (I5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...errors import NotStorableError
from .. import codec
from ..binding.outputs.index import OutputIndex
from ..binding.params.search import to_expression
from ..binding.suspicions.kinds import RANDOM
from ..binding.suspicions.literals import answer_suspicions
from ..binding.tasks.key import result_digest
from ..model.records import FinalAnswer
from ..run.recorder import MAX_OUTPUT_BYTES, MAX_OUTPUT_NODES, RecordedStep
from ..run.run import Run
from .doubt import surroundings_of
from .redact import holds_secret


def final_answer(
    run: Run, steps: Sequence[RecordedStep], value: Any, outputs: OutputIndex, words: Sequence[Any]
) -> FinalAnswer | None:
    """Return the answer of a finished run with what it rests on.

    Return None if a hit must not give it back.
    """
    if value is None or not run.keeps_answer:
        return None
    if not run.is_stepped and not any(_has_output(step) for step in steps):
        return None  # A tool that returns None vouches for nothing.
    params, redactor = run.recorder.params, run.recorder.known.redactor
    try:
        data = codec.encode(value, max_nodes=MAX_OUTPUT_NODES, max_bytes=MAX_OUTPUT_BYTES)
    except NotStorableError:
        return None
    if holds_secret(data, run.recorder):
        return None
    results = tuple(result_digest(step.output_data, params, redactor) for step in steps)
    if not all(results):
        return None
    expr = to_expression(codec.decode(data, lenient=True), params, None)
    now = run.policy.wall_clock()
    suspicions = answer_suspicions(expr, len(steps), outputs, params, surroundings_of(run, words, now))
    if run.recorder.secrets_read and any(suspicion.form == RANDOM for suspicion in suspicions):
        return None  # It may have been made of a secret.
    return FinalAnswer(expr, results, suspicions)


def _has_output(step: RecordedStep) -> bool:
    return step.output_data is not None and step.output_data != _NOTHING


_NOTHING = codec.encode(None)
