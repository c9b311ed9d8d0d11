"""Notes of a recording about its literals: where they came from."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any, NamedTuple

from ...errors import NotStorableError
from .. import codec
from ..binding.guards import OutputLeaves
from ..binding.params import Params
from ..binding.pieces import expression_pieces, literal_pieces
from ..binding.resolve import references_in
from ..binding.suspicion import StepFacts, Surroundings, infer_suspicions, local_day, witness
from ..binding.task_key import masked_task, masked_text
from ..model.records import Lit, StepRecord, Suspicion, Witness
from ..run.recorder import RecordedStep
from ..run.run import Run


class Doubts(NamedTuple):
    """Notes about the literals of one recording, for its row."""

    suspicions: tuple[tuple[Suspicion, ...], ...]
    witness: Witness
    origins: tuple[tuple[str, ...], ...]
    task: tuple[str, ...]


def note_doubts(
    run: Run,
    steps: Sequence[RecordedStep],
    records: Sequence[StepRecord],
    outputs: Sequence[OutputLeaves],
    result: int,
) -> Doubts:
    """Return what to note about the literals of a finished run.

    `outputs` are the leaves of each step's output, `result` is the step whose output the agent returned, or -1.
    """
    recorder, policy = run.recorder, run.policy
    params = recorder.params
    now = policy.wall_clock()
    used = _used_outputs(records) | {result}
    facts = [
        StepFacts(step.tool.effect != "read" or at in used, step.tool.effect == "irreversible", _defaults_of(step))
        for at, step in enumerate(steps)
    ]
    task = masked_text(run.label, params, recorder.known.redactor)
    leaves = tuple(_masked_leaves(run, params))
    words = (*leaves, *task[::2])
    surroundings = Surroundings(words, now, () if run.has_custom_key else leaves)
    suspicions = infer_suspicions(records, facts, outputs, params, surroundings)
    seen = witness(run.key or b"", params, local_day(now), policy.process)
    origins = tuple(tuple(_origins(record, fact, words)) for record, fact in zip(records, facts, strict=True))
    return Doubts(suspicions, seen, origins if any(origins) else (), task)


def _masked_leaves(run: Run, params: Params) -> list[Any]:
    exprs = masked_task(run.args, run.kwargs, params, run.recorder.known)
    return [piece.value for expr in exprs for piece in expression_pieces("", expr)]


def _used_outputs(records: Sequence[StepRecord]) -> set[int]:
    """Return the steps whose outputs later steps refer to, or are guarded by."""
    found = {guard.step for record in records for guard in record.guards}
    for record in records:
        for _, expr in record.arguments:
            if type(expr) is not Lit:
                found |= references_in(expr)
    return found


def _defaults_of(step: RecordedStep) -> tuple[Any, ...]:
    signature = step.tool.signature
    if signature is None:
        return ()
    defaults = (parameter.default for parameter in signature.parameters.values())
    return tuple(default for default in defaults if default is not inspect.Parameter.empty)


def _origins(record: StepRecord, fact: StepFacts, task: Sequence[Any]) -> list[str]:
    """Return the origin of each literal: default, output, task or constant."""
    guarded = {guard.data for guard in record.guards}
    defaults = set(map(_canonical, fact.defaults))
    words = [leaf for leaf in task if isinstance(leaf, str)]
    found: list[str] = []
    for piece in literal_pieces(record):
        data = _canonical(piece.value)
        if data in defaults:
            found.append("default")
        elif data in guarded:
            found.append("output")
        elif isinstance(piece.value, str) and piece.value and any(piece.value in text for text in words):
            found.append("task")
        else:
            found.append("constant")
    return found


def _canonical(value: Any) -> bytes | None:
    try:
        return codec.canonical(value)
    except NotStorableError:
        return None
