"""Notes of a recording about its literals: where they came from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ..binding.outputs.elements import ECHO_KINDS
from ..binding.outputs.index import OutputIndex
from ..binding.params.search import Params
from ..binding.references.resolve import references_in
from ..binding.suspicions.derived import Knowledge, derived_suspicions
from ..binding.suspicions.id_shapes import has_id_shape
from ..binding.suspicions.kinds import local_day
from ..binding.suspicions.literals import (
    StepFacts,
    Surroundings,
    guarded_values,
    infer_suspicions,
    is_guarded,
    witness,
)
from ..binding.tasks.key import masked_task, masked_text
from ..binding.texts.pieces import expression_pieces, literal_pieces
from ..codec.walk import LazyLeaves
from ..model.records import Ctx, Lit, Par, StepRecord, Suspicion, Witness
from ..run.recorder import RecordedStep
from ..run.run import Run
from ..tools.tool import defaults_of
from .origins import OriginSearch, origins_of


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
    outputs: OutputIndex,
    result: int,
    words: Sequence[Any],
    given: Sequence[Any],
    ended: Mapping[int, frozenset[int]],
) -> Doubts:
    """Return what to note about the literals of a finished run.

    `outputs` is the index of the outputs, `result` the step whose output the agent returned, or -1. `words` are what
    `task_words` returns, and `given` the leaves of the params. `ended` are the steps that had ended when each step
    began.
    """
    recorder, policy = run.recorder, run.policy
    params = recorder.params
    now = policy.wall_clock()
    used = _used_outputs(records) | {result}
    facts = [
        StepFacts(step.tool.effect != "read" or at in used, step.tool.effect == "irreversible", defaults_of(step.tool))
        for at, step in enumerate(steps)
    ]
    task = masked_text(run.label, params, recorder.known.redactor)
    suspicions = infer_suspicions(records, facts, outputs, params, surroundings_of(run, words, now))
    leaves = LazyLeaves(lambda: [*words, *given])
    acts = [step.tool.effect != "read" for step in steps]
    known = Knowledge(leaves, [fact.defaults for fact in facts], acts, ended, now)
    suspicions = joined_suspicions(suspicions, derived_suspicions(records, outputs, known))
    suspicions = _without_constants(suspicions, records, steps)
    _report_blind_outputs(run, steps, records, known)
    seen = witness(run.key or b"", params, local_day(now), policy.process)
    search = OriginSearch(records, outputs, words, given, [step.tool for step in steps])
    return Doubts(suspicions, seen, origins_of(recorder, steps, records, search), task)


def _without_constants(
    suspicions: tuple[tuple[Suspicion, ...], ...], records: Sequence[StepRecord], steps: Sequence[RecordedStep]
) -> tuple[tuple[Suspicion, ...], ...]:
    """Return the suspicions without the mere doubts about declared constants.

    A constant that equals a param, or a part of one, is still suspected.
    """
    if not suspicions or not any(step.tool.const for step in steps):
        return suspicions
    left: list[tuple[Suspicion, ...]] = []
    for found, record, step in zip(suspicions, records, steps, strict=True):
        pieces = literal_pieces(record) if found and step.tool.const else []
        left.append(
            tuple(
                one
                for one in found
                if not pieces or one.kind in ("param", "part") or pieces[one.leaf].argument not in step.tool.const
            )
        )
    return tuple(left) if any(left) else ()


def surroundings_of(run: Run, words: Sequence[Any], now: float) -> Surroundings:
    """Return what a literal of a run may come from, apart from params and outputs."""
    fixed = () if run.has_custom_key else tuple(_masked_leaves(run, run.recorder.params))
    return Surroundings(tuple(words), now, fixed)


def task_words(run: Run) -> tuple[Any, ...]:
    """Return the leaves of a run's task, with params masked, and its words.

    The words are the pieces of the task's text.
    """
    params = run.recorder.params
    return (*_masked_leaves(run, params), *masked_text(run.label, params, run.recorder.known.redactor)[::2])


def _masked_leaves(run: Run, params: Params) -> list[Any]:
    given = {**run.kwargs, **run.parts}
    exprs = masked_task(run.args, given, params, run.recorder.known)
    return [piece.value for expr in exprs for piece in expression_pieces("", expr)]


def _report_blind_outputs(
    run: Run, steps: Sequence[RecordedStep], records: Sequence[StepRecord], known: Knowledge
) -> None:
    """Report an unread output if an unexplained id was used after it (C12)."""
    blind = {at for at, step in enumerate(steps) if _is_blind(run, step)}
    if not blind:
        return
    texts = [str(leaf) for leaf in known.leaves if isinstance(leaf, str | int)]
    for at, record in enumerate(records):
        before = sorted(blind & known.ended.get(at, frozenset()))
        guarded = guarded_values(record)
        for piece in literal_pieces(record) if before else ():
            if not has_id_shape(piece.value) or is_guarded(piece, guarded) or any(str(piece.value) in t for t in texts):
                continue
            source = steps[before[-1]].tool.name
            message = (
                f"argument {piece.argument!r} of {record.tool} looks like an id, and the output of {source} could not "
                "be searched for it: a replay sends the recorded value. Return plain data from the tool"
            )
            run.notify("warning", "unsearched_output", message, source)
            return


def _is_blind(run: Run, step: RecordedStep) -> bool:
    """Return whether nothing could be read in an output.

    An object that the run was given does not count.
    """
    if step.result is None or step.output_data is not None or step.output_copy:
        return False
    return not isinstance(run.recorder.known.find(step.result), Ctx | Par)


def joined_suspicions(
    found: Sequence[tuple[Suspicion, ...]], derived: Sequence[tuple[Suspicion, ...]]
) -> tuple[tuple[Suspicion, ...], ...]:
    """Return the suspicions of both searches, by step.

    The tuple is empty if there are none at all.
    """
    joined = tuple((*one, *two) for one, two in zip(found or [()] * len(derived), derived, strict=True))
    return joined if any(joined) else ()


def _used_outputs(records: Sequence[StepRecord]) -> set[int]:
    """Return the steps whose outputs later steps refer to, or are guarded by."""
    found = {guard.step for record in records for guard in record.guards if guard.kind not in ECHO_KINDS}
    for record in records:
        for _, expr in record.arguments:
            if type(expr) is not Lit:
                found |= references_in(expr)
    return found
