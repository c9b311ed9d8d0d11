"""The comparison of an agent's calls with learned flows (L9)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ...errors import NotStorableError
from .. import codec
from ..binding.inference.infer import NO_OUTPUT
from ..binding.references.replace_leaves import bound_leaves, with_literals
from ..binding.references.sources import agreed, read
from ..binding.texts.pieces import literal_pieces
from ..model.flow import Source
from ..model.learned import AGREED, STRUCK
from ..model.records import StepRecord
from ..plan.flows import flow_id, value_id
from ..plan.general_trajectory import GeneralTrajectory
from ..plan.ready_trajectory import Candidate
from ..run.recorder import RecordedStep
from ..run.run import Run
from .seal import step_record


def compared_flows(run: Run, followed: Candidate) -> tuple[GeneralTrajectory, list[bytes]] | None:
    """Return what an agent's calls after a replay say of learned flows.

    The calls of tools that are not `read` are lined up with the remaining steps by tool and order. A call of another
    tool ends the comparison. Absorbed calls do not count, because they repeat what the replay did. Return None without
    any evidence.
    """
    trajectory = followed.trajectory
    general = trajectory.learning.of(trajectory) if trajectory.learning is not None else None
    if general is None or run.mode == "frozen":
        return None
    try:
        entries = list(_Comparison(run, general).entries())
    except Exception:  # An internal error must not affect the run.
        return None
    return (general, entries) if entries else None


def as_made(run: Run, general: GeneralTrajectory) -> GeneralTrajectory | None:
    """Return what a generalized trajectory would have done in a run of the agent.

    The values of this run are in place of what it reads. Return None if they cannot be read.
    """
    try:
        return general.with_records(_Comparison(run, general).records())
    except Exception:  # Its sources do not agree in this run, or an internal error must not affect it.
        return None


class _Comparison:
    """The calls of one run beside the steps of a generalized trajectory."""

    def __init__(self, run: Run, general: GeneralTrajectory) -> None:
        self._run = run
        self._general = general
        executed = len(run.progress.results)
        self._results: list[Any] = [*run.progress.results, *[NO_OUTPUT] * (general.length - executed)]
        self._made: dict[int, RecordedStep] = {}
        own = [step for step in run.recorder.steps if not (step.is_dropped or step.is_absorbed)]
        for position, step in _lined_up(general, executed, own):
            self._made[position] = step
            self._results[position] = step.result

    def entries(self) -> Iterator[bytes]:
        """Yield what each call says of each source of its arguments."""
        key = self._general.learning.asks.key if self._general.learning is not None else self._run.key or b""
        for leaf in self._general.leaves:
            made = self._made.get(leaf.step)
            if made is None or self._general.steps[leaf.step].tool.is_read_only:
                continue
            data = self._value(made, leaf.argument, leaf.path)
            if data is None:
                continue
            for source in leaf.sources:
                found = self._read(source)
                if found is not None:
                    name = flow_id(leaf.step, leaf.leaf, source)
                    yield AGREED + name + value_id(key, data) if found == data else STRUCK + name

    def records(self) -> tuple[StepRecord, ...]:
        """Return the calls of the trajectory with the values of this run.

        Raises Unclear if one has no clear source.
        """
        params = self._run.params.values
        found: list[StepRecord] = []
        for record in self._general.body.steps:
            reads = [get for _, expr in record.arguments for get in bound_leaves(expr)]
            values = [codec.canonical(agreed(get, self._results, self._argument, params)) for get in reads]
            found.append(with_literals(record, iter(values)))
        return tuple(found)

    def _value(self, made: RecordedStep, argument: str, path: tuple[int, ...]) -> bytes | None:
        try:
            for piece in literal_pieces(step_record(made, self._run.recorder.params)):
                if (piece.argument, piece.path) == (argument, path) and not piece.is_part:
                    return codec.canonical(piece.value)
        except NotStorableError:
            return None
        return None

    def _read(self, source: Source) -> bytes | None:
        try:
            return codec.canonical(read(source, self._results, self._argument, self._run.params.values))
        except Exception:  # What cannot be read in this run says nothing.
            return None

    def _argument(self, step: int, name: str) -> Any:
        calls = self._run.progress.calls
        if step < len(calls):
            planned, args, kwargs = calls[step]
            return dict(planned.tool.name_arguments(args[planned.method :], kwargs))[name]
        for piece in literal_pieces(step_record(self._made[step], self._run.recorder.params)):
            if piece.argument == name and not piece.path:
                return piece.value
        raise LookupError(name)


def _lined_up(
    general: GeneralTrajectory, executed: int, own: Sequence[RecordedStep]
) -> Iterator[tuple[int, RecordedStep]]:
    """Yield the remaining steps with the agent's calls of the same tools, in order."""
    acts = iter([step for step in own if not step.tool.is_read_only])
    looks = [step for step in own if step.tool.is_read_only]
    for position in range(executed, general.length):
        tool = general.steps[position].tool
        if tool.is_read_only:
            found = next((step for step in looks if step.tool is tool), None)
            if found is not None:
                looks.remove(found)
        else:
            found = next(acts, None)
            if found is None or found.tool is not tool:
                return
        if found is not None:
            yield position, found
