"""Where the leaves of a finished run's arguments came from (P1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .. import codec
from ..binding.guards.given import Given
from ..binding.guards.provenance import (
    COMPOSED,
    CONSTANT,
    DECLARED,
    DEFAULT,
    FIELD,
    ID_FIELD,
    PARAM,
    TASK,
    TEXT,
    UNEXPLAINED,
    UNTRUSTED,
    Leaf,
    exposed_steps,
    leaves_of,
    untrusted_steps,
    with_trust,
)
from ..binding.guards.sources import GuardSources
from ..binding.outputs.index import OutputIndex
from ..binding.suspicions.id_shapes import has_id_shape
from ..binding.texts.field_names import is_id_name
from ..binding.texts.figure_places import kind_of, spans_of
from ..binding.texts.leaf_texts import bytes_of, text_of
from ..binding.texts.tokens import contains_token
from ..model.records import Guard, StepRecord
from ..run.recorder import RecordedStep, Recorder
from ..tools.tool import Tool, defaults_of

_MAX_UNIT = 4  # characters beside a number in a field that is a number with its unit


class OriginSearch:
    """The search for the provenance of a recording's leaves.

    `task` are the words of the task, `params` the leaves of the params, and `tools` those of the steps.
    """

    def __init__(
        self,
        records: Sequence[StepRecord],
        outputs: OutputIndex,
        task: Iterable[Any],
        params: Iterable[Any],
        tools: Sequence[Tool],
    ) -> None:
        self._records = records
        self.guarded = [GuardSources(record.guards) for record in records]
        self._outputs = outputs
        self._task = Given(task)
        self._params = Given(params)
        self._tools = tools
        self._defaults = [frozenset(map(bytes_of, defaults_of(tool))) for tool in tools]

    def words(self, failures: Mapping[int, Sequence[str]]) -> list[list[str]]:
        """Return the provenance of each leaf, with all outputs taken for trusted.

        `failures` are, for each step, what failed calls of untrusted tools had said before.
        """
        return [
            [self._word(step, leaf, sources, failures.get(step, ())) for leaf in leaves_of(record)]
            for step, (record, sources) in enumerate(zip(self._records, self.guarded, strict=True))
        ]

    def _word(self, step: int, leaf: Leaf, sources: GuardSources, failures: Sequence[str]) -> str:
        value = leaf.value
        if leaf.source >= 0:
            return FIELD
        if leaf.argument in self._tools[step].const:
            return DECLARED
        if bytes_of(value) in self._defaults[step]:
            return DEFAULT
        if value is None or isinstance(value, bool):
            return CONSTANT
        if self._task.holds(value):
            return TASK
        if self._params.holds(value):
            return PARAM
        return self._read_word(value, sources) or _unread_word(value, failures)

    def _read_word(self, value: Any, sources: GuardSources) -> str:
        found = sources.matching(value)
        whole = [guard for guard in found.equal if not guard.around]
        whole += [guard for guard in found.figures if self._is_field(guard)]
        if whole:
            return ID_FIELD if any(map(self._is_id, whole)) else FIELD
        if found.equal or found.figures or found.lines:
            return TEXT
        is_read = any(not self._task.holds(part) and not self._params.holds(part) for _, part in found.parts)
        return COMPOSED if is_read else ""

    def _is_field(self, guard: Guard) -> bool:
        """Return whether a figure is all of its leaf but for a unit."""
        place = self._outputs.node_at(guard.step, guard.path)
        leaf = self._outputs.child(*place) if place is not None else None
        text = leaf if isinstance(leaf, str) else ""
        value = str(codec.decode(guard.data, lenient=True))
        spans = list(spans_of(text, kind_of(value), value)) if 0 < len(text) <= 40 else []
        return bool(leaf is not None and not text) or any(
            len(text.strip()) - (end - start) <= _MAX_UNIT for start, end in spans
        )

    def _is_id(self, guard: Guard) -> bool:
        place = self._outputs.node_at(guard.step, guard.path)
        return place is not None and is_id_name(self._outputs.name(*place))


def origins_of(
    recorder: Recorder,
    steps: Sequence[RecordedStep],
    records: Sequence[StepRecord],
    search: OriginSearch,
) -> tuple[tuple[str, ...], ...]:
    """Return the provenance of each leaf of each step, as it is stored.

    It is empty if there is none.
    """
    words = search.words(_failures_before(recorder, steps))
    found = with_trust(records, words, untrusted_steps([step.tool for step in steps]), search.guarded)
    return tuple(map(tuple, found)) if any(found) else ()


def exposed(recorder: Recorder, steps: Sequence[RecordedStep], records: Sequence[StepRecord]) -> frozenset[int]:
    """Return the steps that were made after an untrusted output was read.

    That of a failed call counts.
    """
    found = exposed_steps(records, untrusted_steps([step.tool for step in steps]))
    return found | _failures_before(recorder, steps).keys()


def _failures_before(recorder: Recorder, steps: Sequence[RecordedStep]) -> dict[int, list[str]]:
    """Return what calls of untrusted tools had said that are not in the plan.

    It is kept for each step that began after such a call.
    """
    if all(step.tool.trusted or not step.is_dropped for step in recorder.events):
        return {}
    positions = {step: at for at, step in enumerate(steps)}
    said: list[str] = []
    found: dict[int, list[str]] = {}
    for step in recorder.events:
        if step.is_dropped:
            said += [] if step.tool.trusted else [step.failure]
        elif said:
            found.setdefault(positions[step], list(said))
    return found


def _unread_word(value: Any, failures: Sequence[str]) -> str:
    """Return the provenance of a literal that no output of the plan holds."""
    text = text_of(value) or ""
    if len(text) > 2 and any(contains_token(failure, text) for failure in failures):
        return UNTRUSTED + TEXT
    looks_like_address = "@" in text or "://" in text
    return UNEXPLAINED if looks_like_address or has_id_shape(value) else CONSTANT
