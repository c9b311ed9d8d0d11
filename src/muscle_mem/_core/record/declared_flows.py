"""Declared flows of a recording: each is compared with what was recorded (L8)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from .. import codec
from ..binding.outputs.paths import follow
from ..binding.references.declared_flows import (
    FlowError,
    Found,
    declared_sources,
    find_value,
    may_be_source,
    path_items,
    value_for,
)
from ..binding.tasks.freeze import Container, Encoded
from ..model.declared_flow import DeclaredFlow
from ..model.reason import Reason
from ..model.records import Expr, Par, Ref, StepRecord
from ..model.text import safe_repr
from ..run.recorder import Problem, RecordedStep, Recorder
from .read_output import read_output
from .same_call import is_same_value

_MAX_SHOWN = 40

References = list[dict[str, Ref]]
"""For each step the references of its arguments that have a declared flow."""


class DeclaredFlows(NamedTuple):
    """The references that a recording stores for declared flows.

    `problem` is the first declaration that does not fit the recording.
    """

    references: References
    problem: Problem | None


def compare_flows(
    recorder: Recorder, steps: Sequence[RecordedStep], ended: Mapping[int, frozenset[int]]
) -> DeclaredFlows:
    """Compare the arguments of a recording with their declared sources.

    Args:
        recorder: The recorder of the run.
        steps: The planned steps.
        ended: The steps that had ended when each step began.
    """
    references: References = [{} for _ in steps]
    problem: Problem | None = None
    comparison = _Comparison(recorder, steps)
    for at, sources in enumerate(declared_sources([step.tool for step in steps], ended)):
        named = dict(steps[at].arguments) if steps[at].record is None else {}
        for name, found in sources.items():
            if name not in named:  # It was left out, or the step is one of a replay, which has its reference.
                continue
            try:
                references[at][name] = comparison.reference(at, name, named[name], [source.step for source in found])
            except FlowError as error:
                problem = problem or Problem(Reason.FLOW_MISMATCH, str(error), steps[at].tool.name)
    return DeclaredFlows(references, problem)


class _Comparison:
    """The comparison of one recording with the declared flows of its tools."""

    def __init__(self, recorder: Recorder, steps: Sequence[RecordedStep]) -> None:
        self._recorder = recorder
        self._steps = steps
        self._read: dict[int, tuple[Any, bool]] = {}

    def reference(self, at: int, name: str, frozen: Any, sources: Sequence[int]) -> Ref:
        """Return the reference to the latest source that has the value of an argument.

        Raises FlowError if none has it.
        """
        tool = self._steps[at].tool
        flow = tool.flows[name]
        where = f"argument {name!r} of {tool.name!r} does not fit flows={flow!r}:"
        if not sources:
            raise FlowError(f"{where} no call of {flow.tool!r} ended before it. Correct the tool name, or remove it.")
        first = ""
        for source in sources:
            try:
                self._ensure_readable(source, flow)
                found = self._same_object(source, flow, frozen)
                if found is not None:
                    return found.reference(source)
                found = value_for(self._output(source)[0], flow, tool, name)
            except FlowError as error:
                first = first or f"{where} the output of {flow.tool!r} {error}. Correct the path, or remove it."
                continue
            value = self._argument(frozen, where)
            if is_same_value(found.value, value):
                return found.reference(source)
            first = first or (
                f"{where} expected {safe_repr(found.value, _MAX_SHOWN)} from the output, got "
                f"{safe_repr(value, _MAX_SHOWN)}. Correct it, or remove it."
            )
        raise FlowError(first)

    def _ensure_readable(self, source: int, flow: DeclaredFlow) -> None:
        tool = self._steps[source].tool
        if not may_be_source(tool, path_items(flow)):
            raise FlowError(f"has outputs={list(tool.outputs or ())}, which does not allow it")
        if self._output(source)[1]:
            raise FlowError("contains the value of a secret")

    def _output(self, source: int) -> tuple[Any, bool]:
        if source not in self._read:
            redactor = self._recorder.known.redactor
            step = self._steps[source]
            output, _ = read_output(step, redactor)
            self._read[source] = output, bool(redactor) and redactor.contains_secret(output)
        return self._read[source]

    def _argument(self, frozen: Any, where: str) -> Any:
        """Return the value of a recorded argument, as it was when the call was made."""
        if isinstance(frozen, Encoded):
            return codec.decode(frozen.data, lenient=True)
        if isinstance(frozen, Container):
            return codec.fold(frozen.kind, tuple(self._argument(item, where) for item in frozen.items))
        if isinstance(frozen, Par):
            return self._recorder.params.values[frozen.name]
        if isinstance(frozen, Ref):
            try:
                source = next(at for at, step in enumerate(self._steps) if step.index == frozen.step)
                return follow(self._output(source)[0], frozen.path, frozen.keys)
            except (LookupError, StopIteration):
                raise FlowError(f"{where} it is another object. Correct it, or remove it.") from None
        if isinstance(frozen, Expr):
            raise FlowError(f"{where} it is a secret or a context object. Remove it.")
        return frozen

    def _same_object(self, source: int, flow: DeclaredFlow, frozen: Any) -> Found | None:
        """Return the declared place if an argument is, by identity, the object there.

        Such an object may have no canonical form.
        """
        step = self._steps[source]
        if not isinstance(frozen, Ref) or step.index != frozen.step or step.result is None:
            return None
        try:
            found = find_value(step.result, flow)
            return found if found.value is follow(step.result, frozen.path, frozen.keys) else None
        except LookupError:
            return None


def without_declared(record: StepRecord, step: RecordedStep) -> StepRecord:
    """Return a record without the arguments whose source is declared.

    No other source of them is looked for.
    """
    tool = step.tool
    if not tool.flows:
        return record
    left = tuple((name, expr) for name, expr in record.arguments if not (name in tool.flows and isinstance(expr, Ref)))
    return msgspec.structs.replace(record, arguments=left)


def with_references(record: StepRecord, references: Mapping[str, Ref]) -> StepRecord:
    """Return a record with references in place of these arguments."""
    if not references:
        return record
    arguments = tuple((name, references.get(name, expr)) for name, expr in record.arguments)
    return msgspec.structs.replace(record, arguments=arguments)


def merged_arguments(record: StepRecord, explained: StepRecord) -> tuple[tuple[str, Expr], ...]:
    """Return the arguments of a record.

    Those that were explained since have their new form.
    """
    found = dict(explained.arguments)
    return tuple((name, found.get(name, expr)) for name, expr in record.arguments)
