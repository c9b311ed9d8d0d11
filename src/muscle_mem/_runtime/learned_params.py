"""Params that are learned from the texts of tasks (L16).

A run whose text fits a template acts as if it had named them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .._core.binding.params.search import NO_PARAMS, Params
from .._core.binding.tasks.freeze import known_objects_of
from .._core.binding.tasks.key import NoKeyError
from .._core.binding.tasks.templates import read_text
from .._core.model.param import Param
from .._core.plan.candidate_set import NO_CANDIDATES, CandidateSet
from .._core.plan.step import Refusal
from .._core.run.run import Run
from .._library.task_texts import TaskTexts
from .._library.templates import Met, Templates
from ..errors import StoreError

LEARNED = "learned params"
"""The tag of recordings whose params were learned; templates are not derived from them."""


class LearnedParams:
    """The templates of an engine."""

    def __init__(self, runtime: Any) -> None:
        self._runtime = runtime
        self._texts = TaskTexts(lambda: runtime.library.store)
        self._templates = Templates(runtime.library, runtime.tools)

    def meet(self, run: Run) -> Met | str:
        """Return the template that a task fits, or why it has none.

        Raises what the store raises.
        """
        why = _unfit(run)
        if why:
            return why
        reading = read_text(run.args[0])
        if reading is None:
            return "the text is too long, or it has no number, date, mail address, id or capitalized words"
        alike = self._texts.alike(run.scope, run.tags, reading)
        others = [(text, other) for text, other in alike if text != run.args[0]]
        if len(others) < 2:
            return f"{len(others) or 'no'} recorded text{'s'[: len(others) != 1]} with its words can be lined up"
        return self._templates.meet(reading, others, self._key_of(run))

    def _key_of(self, run: Run) -> Callable[[str, bool], bytes]:
        known = known_objects_of(NO_PARAMS, run.context, None)

        def key_of(text: str, is_template: bool) -> bytes:
            tags = _with_learned(run.tags) if is_template else run.tags
            key: bytes = self._runtime.keys.derive(run.agent, (text,), {}, NO_PARAMS, tags, None, known, run.scope)
            return key

        return key_of


def _unfit(run: Run) -> str:
    """Return why no params are learned for a task, if so."""
    if run.params:
        return "the task names its params"
    if len(run.args) != 1 or run.kwargs or type(run.args[0]) is not str:
        return "the task is not one text"
    if run.has_custom_key or run.parts or run.initial_redactor is not None:
        return "the task has key=, secrets, or what a framework adds"
    return ""


def find_by_template(runtime: Any, run: Run) -> tuple[CandidateSet, Refusal | None]:
    """Return what may be replayed for a task without recordings, or why nothing.

    If its text fits a template, the run gets its key and its params. Nothing is raised: without a template, the agent
    does the task.
    """
    if runtime.learned_params is None:
        runtime.learned_params = LearnedParams(runtime)
    try:
        met = runtime.learned_params.meet(run)
    except NoKeyError as error:
        met = str(error)
    except StoreError as error:
        runtime.store_health.failed("find", error)
        met = f"the store cannot be read: {error}"
    except Exception as error:  # An internal error must not affect the run.
        runtime.store_health.corrupted(f"a template of task texts could not be derived: {error!r}. Report this.")
        met = "it could not be derived"
    if isinstance(met, str) or run.recorder_slot:
        run.template = f"no template: {met}" if isinstance(met, str) else "no template: the run has begun"
        return NO_CANDIDATES, None
    run.key = met.key
    run.tags = _with_learned(run.tags)
    bound = {name: Param(value, bind=met.places[name]) for name, value in met.fills.items()}
    run.params = Params(bound, is_learned=True)
    run.may_wait = False
    run.template = describe(met)
    return met.candidates, met.refusal


def _with_learned(tags: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted({*tags, LEARNED}))


def describe(met: Met) -> str:
    """Return a template, what a text has in its holes, and its state, in words."""
    holes = ", ".join(f"{name}={value!r}" for name, value in met.fills.items())
    state = f"on probation: {met.state}" if met.state else "acts"
    return f"template {str(met.template)!r} ({len(met.texts)} recordings; {state}) with {holes}"
