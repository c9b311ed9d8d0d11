"""Which recordings do not fit the code any more: the engine's own look at its tools, without a run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from .._core.plan.stored_trajectory import load_trajectory
from .._engine.engine import Engine
from ..errors import DecodeError
from ..store import Store, Stored


class Stale(msgspec.Struct, frozen=True):
    """A trajectory that can no longer be replayed with the tools of now, and why: a reason code and its message."""

    id: str
    reason: str
    message: str


def stale(engine: Engine, found: Iterable[Stored]) -> Iterator[Stale]:
    """Those that a replay would refuse because tools or checks are missing or changed; of the engine's scope only."""
    for stored in found:
        if stored.sealed.scope != engine._runtime.policy.scope:
            continue
        try:
            refusal = load_trajectory(stored).join(engine._runtime.tools).refusal
        except (DecodeError, msgspec.DecodeError):
            continue  # damaged, which is another matter
        if refusal is not None:
            yield Stale(stored.sealed.id, refusal.reason.value, refusal.message)


def store_of(engine: Engine) -> Store:
    """The store that an engine remembers in."""
    return engine._runtime.library.store
