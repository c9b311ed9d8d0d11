"""Which trajectories a task would find, by its key, params and trust.

Checks are in the program, so they are not run.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from .._core.binding.params.search import Params
from .._core.binding.tasks.key import NoKeyError, normalize_tags, task_key
from .._core.model.records import Body
from .._core.plan.compatibility import params_refusal
from .._core.plan.ready_trajectory import ReadyTrajectory
from .._core.plan.trust import TRUSTS, trust_level
from .._reading.loading import LoadedBody, holds_flows, load_body
from .._reading.text import printable
from ..errors import MuscleMemError
from ..store import QUARANTINED, RETIRED, Store, Stored

MOST_PARAMS = 40


class Answer(msgspec.Struct, frozen=True):
    """Whether a trajectory would be found.

    `why` is empty if nothing but its checks can refuse it.
    """

    stored: Stored
    why: str
    trust: str


class Question(msgspec.Struct, frozen=True):
    """A task as a person types it.

    `params` are names and texts; a text is read by the recorded type.
    """

    task: str
    params: tuple[tuple[str, str], ...] = ()
    scope: str = ""
    tags: str = ""


class Found(msgspec.Struct, frozen=True):
    """The answers to a question; `error` says why there are none."""

    key: bytes = b""
    answers: tuple[Answer, ...] = ()
    others: tuple[Answer, ...] = ()
    error: str = ""


def question(given: Mapping[str, str]) -> Question | None:
    """Return the question in the query of a page, or None."""
    if "ask" not in given:
        return None
    params = [(name.removeprefix("p."), text) for name, text in given.items() if name.startswith("p.")]
    if given.get("new_name"):
        params.append((given["new_name"], given.get("new_value", "")))
    kept = tuple((name, text) for name, text in params[:MOST_PARAMS] if text)
    return Question(given["ask"], kept, given.get("scope", ""), given.get("tags", ""))


def find(store: Store, asked: Question, here: Sequence[Stored]) -> Found:
    """Return what a task would find, and why not the trajectories of the page.

    Args:
        store: The store.
        asked: The task.
        here: The trajectories of the page, whose types the params are read by.
    """
    bodies = [loaded for loaded in map(load_body, here) if loaded.body is not None]
    kinds = _kinds(bodies)
    try:
        params = Params({name: _value(text, kinds.get(name, "")) for name, text in asked.params})
        tags = normalize_tags([tag.strip() for tag in asked.tags.split(",") if tag.strip()])
        key = task_key(((asked.task,), {}), params, scope=asked.scope, tags=tags)
    except (MuscleMemError, NoKeyError) as error:
        return Found(error=printable(error, 300))
    found = store.find(key)
    others = [one for one in here if one.sealed.key != key]
    return Found(
        key,
        tuple(_answers(found.stored, params)),
        tuple(
            Answer(one, "it has another key: the text, the names of params, the scope or the tags differ", "")
            for one in others
            if not holds_flows(one)
        ),
    )


def _kinds(bodies: Sequence[LoadedBody]) -> dict[str, str]:
    found: dict[str, str] = {}
    for loaded in bodies:
        if loaded.body is not None:
            found |= dict(zip(loaded.body.params, loaded.body.kinds, strict=False))
    return found


def _value(text: str, kind: str) -> Any:
    """Return the value of a text: by JSON, unless the recorded param was a text."""
    if kind.rpartition(":")[2] in ("str", ""):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _answers(found: Sequence[Stored], params: Params) -> Iterator[Answer]:
    for stored in found:
        loaded = load_body(stored)
        if loaded.flows is None:
            yield Answer(
                stored, _refusal(stored, loaded.body, loaded.error, params), TRUSTS[trust_level(stored.standing)]
            )


def _refusal(stored: Stored, body: Body | None, error: str, params: Params) -> str:
    standing = stored.standing
    if body is None:
        return printable(f"it cannot be read: {error}", 300)
    if standing.state in (QUARANTINED, RETIRED):
        return printable(f"it is {standing.state}: {standing.reason or 'it failed'}", 300)
    ready = ReadyTrajectory(stored.sealed, stored.seq, standing, body, time.time())
    refused = params_refusal(body, ready.params_in_texts, ready.params_as_numbers, params)
    return "" if refused is None else printable(f"{refused.reason.value}: {refused.message}", 400)
