"""Sealing of a finished run.

The body contains the calls, the row what was captured and measured in the run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from ...errors import NotStorableError
from .. import codec
from ..binding.guards.literals import GuardFacts, ended_before, infer_guards
from ..binding.guards.param_echoes import infer_echoes
from ..binding.guards.whole_outputs import Explained
from ..binding.outputs.answer_skeletons import skeleton
from ..binding.outputs.index import OutputIndex, indexed
from ..binding.params.search import NO_PARAMS, Params, params_used_in
from ..binding.references.resolve import secrets_used
from ..binding.suspicions.params import params_in_name, params_with_keys_in
from ..binding.tasks.freeze import frozen_to_expression
from ..codec.walk import LazyLeaves
from ..model.records import FORM, Body, FinalAnswer, Leafwise, PartOf, Row, StepRecord, body_bytes
from ..plan.identity import observation_id
from ..plan.parallel import (
    Placement,
    canonical_order,
    covered_seconds,
    group_spans,
    remap_record,
    row_to_stored_order,
    sorted_body,
    stored_judged,
)
from ..run.recorder import Problem, RecordedStep, Recorder, Recording
from ..run.run import Run
from ..tools.tool import defaults_of
from ..tools.typed_arguments import has_types
from .declared_flows import compare_flows, merged_arguments, with_references, without_declared
from .doubt import Doubts, note_doubts, task_words
from .final_answer import final_answer
from .masked_rows import MaskedRow, Snapshots, mask_row
from .read_output import read_output


def make_recording(
    run: Run,
    *,
    value: Any,
    run_seconds: float,
) -> Recording:
    """Return the recording of a finished run.

    Raises NotStorableError if the recording cannot be stored.
    """
    recorder = run.recorder
    key = run.key or b""
    steps = recorder.planned_steps()
    params = recorder.params
    shapes = recorder.placements(steps)
    outputs = output_index(recorder, steps)
    words = task_words(run)
    given = LazyLeaves(params.leaves)
    records = step_records(recorder, steps, shapes, outputs, words, given)
    result = result_step(steps, value)
    doubts = note_doubts(run, steps, records, outputs, result, words, given, _all_ended(recorder, steps))
    order = canonical_order(records)
    redactor = recorder.known.redactor
    names = [name for step in steps for name in variadic_names(step)]
    fixed, parts = _param_conditions(records, params, names)
    body = Body(
        form=FORM,
        steps=tuple(records),
        params=tuple(params.plain_names()),
        fixed=fixed,
        equal=params.equal_groups(),
        kinds=tuple(params.type_name(name) for name in params.plain_names()),
        equal_secrets=redactor.equal_groups(_used_secrets(records), params) if redactor else (),
        order=() if list(order) == sorted(order) else order,
        leafwise=_leafwise(records, params) if params else (),
        parts=parts,
    )
    try:
        data = body_bytes(sorted_body(body))
    except UnicodeEncodeError as error:
        raise NotStorableError(f"a name in the recording contains a lone surrogate: {error}") from error
    trajectory_id = codec.digest(key + data)[:16].hex()
    seen = [Snapshots(step.tool, step.pre, step.post, step.has_stored, step.chances) for step in steps]
    masked = mask_row(seen, records, params)
    final = final_answer(run, steps, value, outputs, words)
    judged = stored_judged(shapes)
    said = run.is_stepped and any(has_types(step.tool) for step in steps)
    row = _make_row(recorder, steps, value, run_seconds, judged, doubts, run.detour, masked, outputs, final, said)
    row = row_to_stored_order(row, body.order)
    return Recording(trajectory_id, body, row, observation_id(trajectory_id, row))


def output_index(recorder: Recorder, steps: Sequence[RecordedStep]) -> OutputIndex:
    """Return the index of what was read in the outputs of these steps."""
    return indexed([read_output(step, recorder.known.redactor) for step in steps])


def flow_problem(recorder: Recorder) -> Problem | None:
    """Return why a run does not fit the declared flows of its tools, or None."""
    steps = recorder.planned_steps()
    if any(step.tool.each for step in steps):
        from .declared_each import each_problem

        found = each_problem(recorder, steps, _all_ended(recorder, steps))
        if found is not None:
            return found
    if not any(step.tool.flows for step in steps):
        return None
    return compare_flows(recorder, steps, _all_ended(recorder, steps)).problem


def _used_secrets(records: Sequence[StepRecord]) -> set[str]:
    return {name for record in records for _, expr in record.arguments for name in secrets_used(expr)}


def step_records(
    recorder: Recorder,
    steps: Sequence[RecordedStep],
    shapes: Sequence[Placement],
    outputs: OutputIndex | None = None,
    words: Sequence[Any] = (),
    given: Sequence[Any] | None = None,
) -> list[StepRecord]:
    """Return the planned steps as stored, with references, guards and groups.

    `words` are what is left of the task when its params are masked, and `given` the leaves of the params.
    """
    positions = {step: at for at, step in enumerate(steps)}
    indexes = {step.index: at for step, at in positions.items() if step.index >= 0}
    records = [step.record or remap_record(step_record(step, recorder.params), indexes) for step in steps]
    if any(step.tool.flows for step in steps):
        found_flows = compare_flows(recorder, steps, _all_ended(recorder, steps)).references
        records = list(map(with_references, records, found_flows))
    whole = records
    records = list(map(without_declared, records, steps))
    if outputs is None:
        outputs = output_index(recorder, steps)
    start = len(recorder.prefix)
    events = [positions[step] for step in recorder.events if not step.is_dropped]
    explained = Explained(records, outputs, _ended(start, events), recorder.params)
    records = explained.records
    known = [record.guards for record in records]
    if recorder.has_general_prefix or not any(record.group for record in records[:start]):
        events = _prefix_events(records[:start]) + events  # what the replay has seen is this run's own evidence
        start = 0
    given = LazyLeaves(recorder.params.leaves) if given is None else given
    facts = GuardFacts(tuple(words), [defaults_of(step.tool) for step in steps], given)
    guards = known[:start] + infer_guards(
        records, outputs, start=start, events=events, names=list(map(variadic_names, steps)), facts=facts
    )
    echoes = infer_echoes(records, outputs, ended_before(start, events), recorder.params, guards)
    return [
        msgspec.structs.replace(
            record,
            arguments=merged_arguments(whole[at], record),
            guards=(*found, *explained.guards.get(at, ()), *(echoes.get(at, ()) if at >= start else ())),
            group=shape.group,
            late=shape.late,
        )
        for at, (record, found, shape) in enumerate(zip(records, guards, shapes, strict=True))
    ]


def _prefix_events(prefix: Sequence[StepRecord]) -> list[int]:
    """Return where the steps of a replay began and ended.

    The opening members of a group count as overlapping.
    """
    events: list[int] = []
    groups = {first: stop for first, stop in group_spans(prefix) if prefix[first].group}
    at = 0
    while at < len(prefix):
        stop = groups.get(at, at + 1)
        opening = [member for member in range(at, stop) if member == at or not prefix[member].late]
        late = [member for member in range(at, stop) if member not in opening]
        events += [*opening, *opening, *(member for member in late for _ in range(2))]
        at = stop
    return events


def _all_ended(recorder: Recorder, steps: Sequence[RecordedStep]) -> dict[int, frozenset[int]]:
    """Return the steps that had ended when each step began.

    Steps that a replay has made count, too.
    """
    positions = {step: at for at, step in enumerate(steps)}
    events = [positions[step] for step in recorder.events if not step.is_dropped]
    prefix = [step.record for step in recorder.prefix if step.record is not None]
    ended = ended_before(len(prefix), events)
    for first, stop in group_spans(prefix):
        for at in range(first, stop):
            if not prefix[at].late:
                ended[at] = frozenset(range(first))
    return ended


def _ended(start: int, events: Sequence[int]) -> dict[int, frozenset[int]]:
    """Return the steps that had ended when each step from `start` on began."""
    return {step: ended for step, ended in ended_before(start, events).items() if step >= start}


def step_record(step: RecordedStep, params: Params) -> StepRecord:
    """Return a recorded call in its stored form, with bound params."""
    tool = step.tool
    return StepRecord(
        tool=tool.name,
        fingerprint=tool.fingerprint,
        arguments=tuple(
            (
                name,
                frozen_to_expression(
                    frozen, NO_PARAMS if name in tool.const else params, name, params.vouched_for(tool.name, name)
                ),
            )
            for name, frozen in step.arguments
        ),
        method=tool.method,
        pre=tool.check_fingerprints[0],
        post=tool.check_fingerprints[1],
        instance=tool.instance,
    )


def variadic_names(step: RecordedStep) -> list[str]:
    """Return the argument names that the tool takes in **kwargs.

    These names are data and are never replaced.
    """
    named = step.record.arguments if step.record is not None else step.arguments
    return [name for name, _ in named if name not in step.tool.parameter_order and not name.startswith("*")]


def _leafwise(records: Sequence[StepRecord], params: Params) -> tuple[Leafwise, ...]:
    exprs = (expr for record in records for _, expr in record.arguments)
    return params.leafwise(exprs, params_with_keys_in(params, records))


def _param_conditions(
    records: Sequence[StepRecord], params: Params, variadic: Sequence[str]
) -> tuple[tuple[tuple[str, bytes], ...], tuple[PartOf, ...]]:
    """Return the params with a required value, and those that were parts of others.

    The plan is valid for the recorded value of the first alone. The first are unused, changed, in the name of an
    argument, or may be confused with another. `variadic` are the names of arguments that are data.
    """
    if not params:
        return (), ()
    used = {name for record in records for _, expr in record.arguments for name in params_used_in(expr)}
    for group in params.equal_groups():  # which of them was used cannot be determined
        used.update(group if used.intersection(group) else ())
    confused, parts = params.ambiguous()
    embedded = params_in_name(params, variadic) if variadic else set()
    names = ((set(params.values) - used) | embedded | params.changed_names() | confused) - params.secret
    fixed = tuple((name, params.digest_of(name)) for name in sorted(names))
    return fixed, tuple(part for part in parts if part.name not in names)


def _make_row(
    recorder: Recorder,
    steps: Sequence[RecordedStep],
    value: Any,
    run_seconds: float,
    judged: tuple[int, ...],
    doubts: Doubts,
    detour: tuple[int, tuple[str, ...]],
    masked: MaskedRow,
    outputs: OutputIndex,
    final: FinalAnswer | None,
    said: bool,
) -> Row:
    inside = covered_seconds((step.began_at, step.began_at + step.wall_seconds) for step in recorder.steps)
    return Row(
        form=FORM,
        pre=masked.pre,
        post=masked.post,
        outputs=tuple(step.output for step in steps),
        notes=tuple(step.note for step in steps),
        keywords=tuple(step.keywords for step in steps),
        effects=tuple(step.tool.effect or "" for step in steps),
        seconds=tuple(step.seconds for step in steps),
        run_seconds=run_seconds,
        agent_seconds=max(0.0, run_seconds - inside),
        tokens=sum(recorder.tokens),
        result=result_step(steps, value),
        judged=judged,
        suspicions=doubts.suspicions,
        witness=doubts.witness,
        origins=doubts.origins,
        pauses=_pauses(steps),
        task=doubts.task,
        overrides=tuple(step.override for step in steps) if any(step.override for step in steps) else (),
        refused=detour[1],
        refused_at=detour[0],
        chances=masked.chances,
        answers=_unstored_answers(recorder, steps, outputs),
        final=final,
        said=said,
    )


def _unstored_answers(recorder: Recorder, steps: Sequence[RecordedStep], outputs: OutputIndex) -> tuple[bytes, ...]:
    """Return the answers in the outputs that are not stored.

    It is empty if there are none.
    """
    found = tuple(
        b"" if step.output else _answers(recorder, step, outputs.output_of(at)) for at, step in enumerate(steps)
    )
    return found if any(found) else ()


def _answers(recorder: Recorder, step: RecordedStep, output: Any) -> bytes:
    made = step.output_answers if step.output_data is None else skeleton(output)
    redactor = recorder.known.redactor
    if made is None or (redactor and redactor.contains_secret(made)):
        return b""
    return codec.canonical(made)


def _pauses(steps: Sequence[RecordedStep]) -> tuple[float, ...]:
    """Return the seconds between the end of each step and the next one's start.

    The tuple is empty without pauses. Inside groups a pause is 0.
    """
    ends = (0.0, *(step.began_at + step.wall_seconds for step in steps))
    found = tuple(
        round(max(0.0, step.began_at - ends[at]), 3) if at and step.began_at and ends[at] else 0.0
        for at, step in enumerate(steps)
    )
    return found if any(found) else ()


def result_step(steps: Sequence[RecordedStep], value: Any) -> int:
    """Return the step whose output the agent returned, or -1.

    It is the last step with the same object as its output, or else the only step with an equal output.
    """
    if value is None:
        return -1
    from_identity = [i for i, step in enumerate(steps) if step.result is value or step.handed_over is value]
    try:
        data = codec.encode(value)
    except NotStorableError:
        data = None
    if from_identity and not issubclass(type(value), bool | int | float | str | bytes):
        last = from_identity[-1]
        return last if steps[last].output_data == data else -1  # The agent may have changed it.
    if data is None:
        return -1
    equal = [i for i, step in enumerate(steps) if step.output_data == data]
    return equal[0] if len(equal) == 1 else -1
