"""Recordings that no longer match the tools and checks of an engine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from .._core.plan.stored_trajectory import load_trajectory
from .._engine.engine import Engine
from .._reading.loading import holds_flows
from ..errors import DecodeError
from ..store import Store, Stored


class Stale(msgspec.Struct, frozen=True):
    """Trajectory that cannot be replayed with the current tools, with the reason."""

    id: str
    reason: str
    message: str


def stale(engine: Engine, found: Iterable[Stored]) -> Iterator[Stale]:
    """Yield the trajectories of the engine's scope whose tools or checks changed.

    A replay would reject them, because a tool or a check is missing or has another fingerprint.
    """
    for stored in found:
        if holds_flows(stored):
            continue  # Its recordings are judged.
        if engine._runtime.keys.fixed_scope not in (None, stored.sealed.scope):
            continue
        try:
            refusal = load_trajectory(stored).join(engine._runtime.tools).refusal
        except (DecodeError, msgspec.DecodeError):
            continue  # Damage is reported separately.
        if refusal is not None:
            yield Stale(stored.sealed.id, refusal.reason.value, refusal.message)


def store_of(engine: Engine) -> Store:
    """Return the store of an engine."""
    return engine._runtime.library.store
