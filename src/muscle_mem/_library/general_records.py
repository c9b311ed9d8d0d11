"""Records of trajectories that are derived, not recorded, in the store."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from .._core.model.learned import NO_EVIDENCE
from .._core.plan.general_trajectory import GeneralTrajectory
from .._core.plan.ready_trajectory import ReadyTrajectory
from ..store.base import Observation, Sealed, Store
from .cache import CacheEntry
from .flows import MAX_VALUES, Flows, new_entries

if TYPE_CHECKING:
    from .store_health import StoreHealth

MAX_DERIVED = 1_000


class GeneralRecords:
    """The records of derived trajectories.

    They are stored once their standing is to change. Failures are reported to `health`. A method raises
    them only if its docstring says so.
    """

    def __init__(
        self,
        store: Callable[[], Store],
        health: StoreHealth,
        flows: Flows | None,
        entries: Callable[[], Iterable[CacheEntry]],
    ) -> None:
        """Keep the records of an engine.

        Args:
            store: Returns the store that the engine uses now.
            health: Receives failures of the store.
            flows: The generalized trajectories, or None if the engine learns none.
            entries: Returns the entries in memory.
        """
        self._store = store
        self._health = health
        self._flows = flows
        self._entries = entries
        self._derived: dict[str, tuple[Sealed, Observation]] = {}

    def remember(self, sealed: Sealed, observation: Observation) -> None:
        """Note a derived trajectory, to be stored if its standing changes (L10)."""
        for oldest in list(self._derived)[: max(0, len(self._derived) - MAX_DERIVED + 1)]:
            self._derived.pop(oldest, None)
        self._derived[sealed.id] = sealed, observation

    def knows(self, id: str) -> bool:
        """Return whether the store has a trajectory.

        One that was generalized from recordings in use is stored now if it was not. Raises what the store raises.
        """
        if self._store().get(id) is not None:
            return True
        if id in self._derived:
            self._store().seal(*self._derived[id])
            return True
        if self._flows is None:
            return False
        learned = [entry.candidate_set.learning for entry in self._entries()]
        general = next((found for learning in learned if learning and (found := learning.find(id))), None)
        if general is None:
            return False
        self._flows.store_record(general)
        return True

    def note_evidence(self, general: GeneralTrajectory, entries: list[bytes]) -> None:
        """Store what an agent's calls say of learned flows. Never raises."""
        known = general.learning.evidence(general) if general.learning is not None else NO_EVIDENCE
        self.keep(general, new_entries(entries, known, MAX_VALUES))

    def keep(self, trajectory: ReadyTrajectory, entries: Sequence[bytes] = ()) -> None:
        """Store a derived trajectory, so that its standing can change. Never raises."""
        if trajectory.id in self._derived:
            self._write(lambda: self._store().seal(*self._derived[trajectory.id]))
        flows = self._flows
        if flows is not None and isinstance(trajectory, GeneralTrajectory):
            self._write(lambda: flows.store_record(trajectory, entries))

    def _write(self, work: Callable[[], object]) -> None:
        try:
            work()
            self._health.succeeded("note")
        except Exception as error:  # A user-defined store may raise any exception (G4).
            self._health.failed("note", error)
