"""The tasks that a store has recordings of, for lists."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from .._core.model.learned import is_flows_body
from .._core.model.records import Body, Expr, Node, Sec
from ..store.base import RETIRED
from ..store.paging import each
from .runtime import Runtime


class LearnedTask(msgspec.Struct, frozen=True):
    """A task with recordings.

    Attributes:
        task: Its text.
        params: The names of its params.
        secrets: The names of the secrets that its steps need.
        state: The state of the newest recording, such as "fresh".
        steps: The number of steps of the newest recording.
    """

    task: str
    params: tuple[str, ...]
    secrets: tuple[str, ...]
    state: str
    steps: int


def learned_tasks(runtime: Runtime, words: tuple[str, ...], limit: int) -> list[LearnedTask]:
    """Return the tasks of the engine's scope with all words, the newest first.

    Raises StoreError.
    """
    found: dict[tuple[str, tuple[str, ...]], LearnedTask] = {}
    scope = runtime.keys.fixed_scope
    for stored in each(runtime.library.store):
        sealed = stored.sealed
        is_other = sealed.scope != scope or stored.standing.state == RETIRED or is_flows_body(sealed.body)
        text = sealed.task.casefold()
        if is_other or not all(word in text for word in words):
            continue
        try:
            body = msgspec.msgpack.decode(sealed.body, type=Body)
        except (msgspec.MsgspecError, UnicodeError, ValueError):
            continue  # Of another release, or damaged: `muscle-mem doctor` reports it.
        key = sealed.task, tuple(sorted(body.params))
        if key not in found:
            secrets = sorted({name for step in body.steps for _, expr in step.arguments for name in _secrets_in(expr)})
            found[key] = LearnedTask(*key, tuple(secrets), stored.standing.state, sealed.steps)
        if len(found) >= limit:
            break
    return list(found.values())


def _secrets_in(expr: Expr) -> Iterator[str]:
    if isinstance(expr, Sec):
        yield expr.name
    elif isinstance(expr, Node):
        for item in expr.items:
            yield from _secrets_in(item)
