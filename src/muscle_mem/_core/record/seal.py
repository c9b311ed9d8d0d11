"""What a finished run is sealed as: a body of calls, and a row of what was seen and measured in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from ...errors import NotStorableError
from .. import codec
from ..binding.freeze import thaw
from ..binding.guards import Read, infer, look_into
from ..binding.params import Params, literal_leaves, used_in, whole_leaves
from ..binding.resolve import secrets_used
from ..model.records import FORM, Body, Row, StepRecord
from ..plan.parallel import Shape, covered, judged_of, moved, order_of, sorted_body, stored_row
from ..redaction.redactor import Veil
from ..run.recorder import Recorder, Recording, Step


def finish(
    recorder: Recorder,
    *,
    key: bytes,
    value: Any,
    run_seconds: float,
) -> Recording:
    """The recording of a finished run. Raises NotStorableError if it cannot be written."""
    steps = recorder.planned()
    params = recorder.params
    shapes = recorder.shapes(steps)
    records = records_of(recorder, steps, shapes)
    order = order_of(records)
    veil = recorder.known.veil
    body = Body(
        form=FORM,
        steps=tuple(records),
        params=tuple(params.plain()),
        fixed=_fixed(records, params, [name for step in steps for name in free_names(step)]),
        equal=params.equal_groups(),
        kinds=tuple(params.kind(name) for name in params.plain()),
        equal_secrets=veil.equal_groups(_used_secrets(records), params) if veil else (),
        order=() if list(order) == sorted(order) else order,
    )
    try:
        data = msgspec.msgpack.encode(sorted_body(body))
    except UnicodeEncodeError as error:
        raise NotStorableError(f"a name in the recording holds a lone surrogate: {error}") from error
    trajectory_id = codec.digest(key + data)[:16].hex()
    row = stored_row(_row(recorder, steps, value, run_seconds, judged_of(shapes)), body.order)
    seen = msgspec.msgpack.encode((row.pre, row.post))
    return Recording(trajectory_id, body, row, codec.digest(trajectory_id.encode() + seen)[:16].hex())


def _read(step: Step, veil: Veil) -> Read:
    """What was read in an output; without the names that lead there, which are digests, where one may be a secret."""
    value = None if step.output_data is None else codec.decode(step.output_data, lenient=True)
    read = step.read if step.output_data is None else look_into(value)
    if veil and (step.output_data is None or veil.holds(value)):
        return [((path, (b"",) * len(keys)), leaf) for (path, keys), leaf in read]
    return read


def _used_secrets(records: Sequence[StepRecord]) -> set[str]:
    return {name for record in records for _, expr in record.arguments for name in secrets_used(expr)}


def records_of(recorder: Recorder, steps: Sequence[Step], shapes: Sequence[Shape]) -> list[StepRecord]:
    """The planned steps in their stored form, with references, guards and groups."""
    places = {step: at for at, step in enumerate(steps)}
    indexes = {step.index: at for step, at in places.items() if step.index >= 0}
    records = [step.record or moved(record_of(step, recorder.params), indexes) for step in steps]
    outputs = [_read(step, recorder.known.veil) for step in steps]
    fresh = len(recorder.prefix)
    events = [places[step] for step in recorder.events if not step.dropped]
    guards = [record.guards for record in records[:fresh]] + infer(
        records, outputs, start=fresh, events=events, names=list(map(free_names, steps))
    )
    return [
        msgspec.structs.replace(record, guards=found, group=shape.group, late=shape.late)
        for record, found, shape in zip(records, guards, shapes, strict=True)
    ]


def record_of(step: Step, params: Params) -> StepRecord:
    """A recorded call in its stored form, params bound in it; references still lead to the indexes of steps."""
    tool = step.tool
    return StepRecord(
        tool=tool.name,
        fingerprint=tool.fingerprint,
        arguments=tuple((name, thaw(frozen, params, name)) for name, frozen in step.arguments),
        method=tool.method,
        pre=tool.check_prints[0],
        post=tool.check_prints[1],
        instance=tool.instance,
    )


def free_names(step: Step) -> list[str]:
    """The names of a step's arguments that its tool gathers in **kwargs: they are data, and never replaced."""
    return [name for name, _ in step.arguments if name not in step.tool.order and not name.startswith("*")]


def _fixed(records: Sequence[StepRecord], params: Params, free: Sequence[str]) -> tuple[tuple[str, bytes], ...]:
    """The params for whose recorded value alone the plan is valid: unused ones, and those in a literal.

    They may be hidden in it, or it is made of their words. `free` names are literals, too.
    """
    if not params:
        return ()
    used: set[str] = set()
    hidden: set[str] = set()
    for record in records:
        for _, expr in record.arguments:
            used.update(used_in(expr))
            for leaf in literal_leaves(expr):
                hidden.update(params.hidden_in(leaf))
            for leaf in whole_leaves(expr):
                hidden.update(params.split_into(leaf))
    for name in free:
        hidden.update(params.hidden_in(name))
    for group in params.equal_groups():  # which of them was used cannot be told
        used.update(group if used.intersection(group) else ())
    names = ((set(params.values) - used) | hidden | params.changed() | params.alike()) - params.secret
    return tuple((name, params.fingerprint(name)) for name in sorted(names))


def _row(recorder: Recorder, steps: Sequence[Step], value: Any, run_seconds: float, judged: tuple[int, ...]) -> Row:
    inside = covered((step.began, step.began + step.wall) for step in recorder.steps)
    return Row(
        form=FORM,
        pre=tuple(step.pre for step in steps),
        post=tuple(step.post for step in steps),
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
    )


def result_step(steps: Sequence[Step], value: Any) -> int:
    """The step whose output the agent returned: the last by identity, or the only one of an equal value; else -1."""
    if value is None:
        return -1
    from_identity = [i for i, step in enumerate(steps) if step.result is value]
    try:
        data = codec.encode(value)
    except NotStorableError:
        data = None
    if from_identity and not isinstance(value, bool | int | float | str | bytes):
        last = from_identity[-1]
        return last if steps[last].output_data == data else -1  # unless the agent has changed it since
    if data is None:
        return -1
    equal = [i for i, step in enumerate(steps) if step.output_data == data]
    return equal[0] if len(equal) == 1 else -1
