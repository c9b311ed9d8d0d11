"""The engine's access to its store: loaded trajectories, and what is written."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Any

import msgspec

from .._core.flow import RunResult
from .._core.model.blobs import pack_row
from .._core.plan.candidate_set import CandidateSet
from .._core.plan.evidence import weigh
from .._core.plan.general_trajectory import GeneralTrajectory
from .._core.plan.identity import observation_id
from .._core.plan.parallel import row_to_stored_order
from .._core.plan.ready_trajectory import Candidate, ReadyTrajectory
from .._core.plan.step import Registry
from .._core.plan.stored_trajectory import StoredTrajectory, join_trajectories, load_trajectory
from .._core.plan.trust import SUCCESS
from .._core.run.recorder import Problem, Recording
from .._core.run.run import Run
from .._forks import register_for_forks
from ..errors import DecodeError
from ..store import verdicts
from ..store.base import FRESH, QUARANTINED, TRUSTED, Note, Observation, Sealed, Standing, Store, is_confirming
from ..store.history import keeps_history
from ..store.paging import each
from ..store.pruning import Limits, Pruned, is_old, prune, recorded_at
from . import evidence
from .cache import Cache, CacheEntry, estimate_bytes, has_irreversible_step
from .counters import HITS_PER_WRITE, Counters
from .flows import Flows, split_learned
from .general_records import GeneralRecords
from .history import HIT_DELAY, History, HistoryOptions
from .limits import GrowthMonitor
from .stored_records import has_same_body, is_same_trajectory, store_records

if TYPE_CHECKING:
    from .store_health import StoreHealth

LIBRARY_BYTES = 64 * 2**20
MAX_DAMAGE_REPORTS = 10_000


class Library:
    """The store as the engine uses it.

    Failures are reported to `health`. A method raises them only if its docstring says so.
    """

    def __init__(
        self,
        store: Store,
        registry: Registry,
        health: StoreHealth,
        *,
        max_bytes: int = LIBRARY_BYTES,
        limits: Limits | None = None,
        clock: Callable[[], float] = time.time,
        learns_flows: bool = True,
        probation: int = 0,
        approves: bool = False,
        keeping: HistoryOptions | None = None,
    ) -> None:
        self.store = store
        self.health = health
        self._clock = clock
        self.confirms_versions = is_confirming(store)
        self.growth = GrowthMonitor(limits or Limits())
        self.cache = Cache(max_bytes)
        self.history = History(store, health, clock, keeping)
        self.counters = Counters(self.history)
        self.history.add_up = self.counters.add_up
        self._registry = registry
        self._flows = Flows(lambda: self.store, clock, probation, approves, health.corrupted) if learns_flows else None
        self._lock = threading.RLock()
        self._reported_damage: set[str] = set()
        self.kept_quarantines: Any = None
        self.general_records = GeneralRecords(lambda: self.store, health, self._flows, self.entries)
        register_for_forks(self)

    def find(self, key: bytes) -> CacheEntry:
        """Return the trajectories of a key, newest first, joined with the current tools.

        Raises what the store raises.
        """
        entry = self.cache.get(key)
        version = self.store.version(key)
        if entry is None or entry.store_version != version or entry.tools_version != self._registry.version:
            entry = self._load(key, version)
        if self.health.failures:
            self.health.succeeded("find")
        return entry

    def entries(self) -> list[CacheEntry]:
        """Return the entries in memory."""
        return self.cache.entries()

    def confirm(self, key: bytes) -> CacheEntry:
        """Return what `find` returns, after a store that may lag behind was asked.

        This takes one round trip. Raises what the store raises.
        """
        if is_confirming(self.store):
            self.store.confirm(key)
            self.health.succeeded("confirm")
        return self.find(key)

    def _load(self, key: bytes, version: int) -> CacheEntry:
        with self._lock:
            tools_version = self._registry.version
            before = self.cache.get(key)
            known: dict[str, ReadyTrajectory] = {}
            if before is not None and before.tools_version == tools_version:
                if before.store_version == version:
                    return before  # Another thread has loaded it.
                known = {trajectory.id: trajectory for trajectory in before.trajectories}
            incarnation: int = getattr(self.store, "incarnation", 0)
            found = self.store.find(key)
            if getattr(self.store, "incarnation", 0):  # It may have changed meanwhile.
                from .quarantines import with_known_quarantines

                found = with_known_quarantines(self, before, found)
            for damaged in found.damaged:
                self._report_damage(damaged.id, damaged.what)
            records, learned = split_learned(found.stored)
            loaded = [self._load_trajectory(stored, known.get(stored.sealed.id)) for stored in records]
            trajectories = join_trajectories(
                [trajectory for trajectory in loaded if trajectory is not None], self._registry
            )
            weigh(trajectories)
            if self._flows is not None:
                self._flows.attach(key, trajectories, learned)
            damaged_count = len(found.damaged) + loaded.count(None)
            irreversible = any(map(has_irreversible_step, trajectories))
            entry = CacheEntry(
                CandidateSet(trajectories, before.candidate_set if before is not None else None),
                version,
                tools_version,
                damaged_count,
                estimate_bytes(trajectories),
                irreversible,
                is_unconditional=bool(trajectories)
                and not (damaged_count or irreversible or self.growth.limits.ttl is not None),
                incarnation=incarnation,
            )
            self.cache.put(key, entry)
            return entry

    def _load_trajectory(self, stored: Any, known: ReadyTrajectory | None) -> StoredTrajectory | ReadyTrajectory | None:
        """Return a stored trajectory, loaded, or None if it is damaged.

        The known trajectory is returned if only its standing has changed.
        """
        if known is not None and is_same_trajectory(stored, known):
            known.standing = stored.standing
            return known
        try:
            same = known if known is not None and has_same_body(stored, known) else None
            return load_trajectory(stored, same, recorded_at=recorded_at(stored))
        except DecodeError as error:
            self._report_damage(stored.sealed.id, str(error))
            return None

    def _report_damage(self, id: str, what: str) -> None:
        if id not in self._reported_damage:
            if len(self._reported_damage) >= MAX_DAMAGE_REPORTS:
                self._reported_damage.clear()
            self._reported_damage.add(id)
            self.health.corrupted(f"trajectory {id} is damaged and not used: {what}. Run `muscle-mem doctor`.")

    def expire_old(self, entry: CacheEntry, *, mark: bool) -> None:
        """Mark trajectories that are older than the time to live as expired.

        With `mark`, the store records it, too, so that a clock that is set back does not revive them.
        """
        ttl = self.growth.limits.ttl
        assert ttl is not None
        for trajectory in entry.trajectories:
            if not trajectory.is_expired and is_old(trajectory.recorded_at, ttl, self._clock()):
                trajectory.is_expired = True
                # The set keeps whether its trajectories are unrestricted, and has to be made again.
                entry.candidate_set = CandidateSet(entry.trajectories, entry.candidate_set)
            if mark and trajectory.is_expired and trajectory.standing.state in (FRESH, TRUSTED):
                self._note(evidence.expired_note(trajectory.id))

    def seal(self, run: Run, recording: Recording, quarantine: list[Problem], accepted: bool) -> str:
        """Write a recording with its effect on the standing, and return its state.

        Both are written in one transaction. Raises what the store raises.
        """
        assert run.key is not None
        state, reason = (TRUSTED, SUCCESS) if accepted else (FRESH, "")
        known = self._standing(run.key, recording.id)
        quarantine = evidence.unapproved(quarantine, known)
        held = evidence.held_note(recording.id, quarantine)
        if quarantine:
            state, reason = QUARANTINED, f"{quarantine[0].reason.value}: {quarantine[0].message}"
        sealed, observation = store_records(run, recording, state, reason, self._clock())
        note = held
        if known is not None:
            if quarantine:
                # A trajectory offers all its rows, so this row would be replayed like the good ones (C5).
                if held is not None and known.state != QUARANTINED:
                    self.store.note((msgspec.structs.replace(held, by_person=False),))
                return QUARANTINED
            note = evidence.recorded_again_note(
                recording.id,
                known,
                accepted,
                alone=not run.progress.entered_calls,
                in_a_row=evidence.is_latest(self.find(run.key).trajectories, recording.id),
            )
            state = note.state or known.state if note is not None else known.state
            if state != QUARANTINED and known.reason.startswith(evidence.UNUSED_ROWS):
                # The new row lifts the quarantine, but the old rows are not to be replayed again.
                self.store.forget((recording.id,))
                note = None
        self.flush()
        if known is not None and evidence.has_enough_witnesses(self.find(run.key).trajectories, recording):
            self.store.note((note,) if note is not None else ())
            return state
        self.store.seal(sealed, observation, note)
        self.health.succeeded("seal")
        self.growth.note_sealed(len(sealed.body) + len(observation.body) + sum(map(len, observation.blobs)))
        self._preload(run.key, recording.id)
        self.history.add_step_pictures(run, recording.id)
        return state

    def _preload(self, key: bytes, id: str) -> None:
        """Load what was just recorded, so that its first hit does not read it."""
        try:
            candidate_set = self.find(key).candidate_set
            for first in candidate_set.candidates[:1]:
                first.replay_plan()
            surplus = set(evidence.surplus(candidate_set.trajectories))
            if self._flows is not None and candidate_set.learning is not None:
                surplus |= self._flows.keep(candidate_set.learning, id)
            if surplus:
                self.forget(tuple(sorted(surplus)))
            self.find(key)
        except Exception as error:  # The recording is stored anyway (G4).
            self.health.failed("find", error)

    def _standing(self, key: bytes, id: str) -> Standing | None:
        for trajectory in self.find(key).trajectories:
            if trajectory.id == id:
                standing: Standing = trajectory.standing
                return standing
        return None

    def refresh(self, run: Run, candidate: Candidate) -> None:
        """Store a hit's refreshed snapshots in place of the previous refresh (B7).

        The store drops them if the trajectory has been deleted. Raises what the store raises.
        """
        from .._core.record.masked_rows import refreshed_row

        fresh = refreshed_row(run, candidate)
        if isinstance(candidate.trajectory, GeneralTrajectory):  # Its observations belong to its parents (L2).
            if candidate.trajectory.loop_steps:
                return  # An iteration has the snapshots of several recorded ones.
            candidate = candidate.trajectory.origin(candidate)
            fresh = msgspec.structs.replace(candidate.row, pre=fresh.pre, post=fresh.post, chances=fresh.chances)
        fresh = row_to_stored_order(fresh, candidate.trajectory.head.order)
        id = candidate.trajectory.id
        body, blobs = pack_row(fresh)
        sealed: Sealed = candidate.trajectory.sealed
        name = observation_id(id, fresh)
        self.store.seal(sealed, Observation(id=name, body=body, created=self._clock(), refresh=True, blobs=blobs))
        self.health.succeeded("refresh")

    def count_hit(self, candidate: Candidate, seconds: float) -> None:
        """Count a hit. It is written with the next recording, or with many other hits."""
        trajectory = candidate.trajectory
        if trajectory.standing.strikes:
            self._note(Note(id=trajectory.id, strikes=0))
            trajectory.standing = msgspec.structs.replace(trajectory.standing, strikes=0)
        hits = self.counters.hits
        hits.append((trajectory.id, trajectory.sealed, candidate.row, self._clock(), seconds))
        if trajectory.parent_ids:  # It is worth nothing without its parents.
            self.counters.parents[trajectory.id] = trajectory.parent_ids
        if len(hits) >= HITS_PER_WRITE:
            self.flush()
        if self.history.is_due:
            self.history.wake(HIT_DELAY)

    def note_run(self, run: Run, finished: RunResult, seconds: float) -> None:
        """Add a run other than a hit to the history. Never raises."""
        if self.history.keeps == "off":
            return
        from .past_runs import add_past_run

        try:
            add_past_run(self.history, run, finished, seconds, self._clock())
        except Exception as error:  # An internal error must not affect the run.
            self.health.failed("history", error)

    def note_verified(self, candidate: Candidate) -> None:
        """Note that the success callback accepted a replay."""
        self._note(evidence.accepted_note(candidate.trajectory))

    def note_shadow(self, id: str, *, agreed: bool) -> None:
        """Count whether a shadow run agreed with a trajectory."""
        self._note(Note(id=id, agreed=int(agreed), disagreed=int(not agreed)))

    def note_failure(self, candidate: Candidate, failure: Problem) -> None:
        """Count a failed replay, and quarantine its trajectory if that is due (D6)."""
        self.general_records.keep(candidate.trajectory)
        self._note(evidence.failed_note(candidate.trajectory, failure))

    def quarantine(self, candidate: Candidate, problem: Problem) -> None:
        """Quarantine the trajectory of a replay immediately, although no step failed (D6)."""
        self.general_records.keep(candidate.trajectory)
        self._note(evidence.quarantine_note(candidate.trajectory.id, problem))

    def report(self, id: str, *, good: bool, why: str) -> None:
        """Write the verdict of a manual review.

        The store drops unknown ids. Raises what the store raises.
        """
        self.store.note((verdicts.good(id, why) if good else verdicts.bad(id, why),))

    def forget(self, ids: tuple[str, ...] | None) -> int:
        """Delete trajectories (None: all); return how many. Raises what the store does."""
        with self._lock:
            self.counters.drop(ids)
            if ids is None:
                self.history.clear()
            self.history.flush()
            return self.store.forget(ids)

    def clear(self, scope: str) -> None:
        """Delete the intact trajectories and the history of a scope.

        Raises what the store raises.
        """
        self.forget(tuple([stored.sealed.id for stored in each(self.store) if stored.sealed.scope == scope]))
        if keeps_history(self.store):
            keys = {count.key for count in self.store.history_counts(scope=scope)}
            self.store.prune_history(keys=tuple(keys))

    def prune(self, limits: Limits, in_use: Collection[str] = ()) -> Pruned:
        """Write the counts, then prune by limits. Raises what the store raises."""
        self.flush()
        self.history.prune()
        done = prune(self.store, limits, time.time(), in_use=in_use)
        self.health.succeeded("prune")
        return done

    def prune_if_due(self, in_use: Collection[str] = ()) -> int:
        """Prune by the engine's limits if they are probably exceeded. Never raises.

        Returns the number of deleted trajectories.
        """
        limits = self.growth.begin_pruning(self._clock())
        if limits is None:
            return 0
        done: Pruned | None = None
        try:
            done = self.prune(limits, in_use)
            return done.dropped
        except Exception as error:  # A user-defined store may raise any exception (G4).
            self.health.failed("prune", error)
            return 0
        finally:
            self.growth.end_pruning(done, self._clock())

    def _note(self, note: Note | None) -> None:
        if note is not None:
            self.write("note", (note,))

    def flush(self) -> None:
        """Write the counts. Never raises: a lost count changes no decision."""
        notes = self.counters.drain()
        if notes:
            self.write("count", notes)
        self.history.flush_in_memory()

    def write(self, operation: str, notes: tuple[Note, ...]) -> None:
        """Write notes. Never raises."""
        try:
            self.store.note(notes)
            self.health.succeeded(operation)
        except Exception as error:  # A user-defined store may raise any exception (G4).
            self.health.failed(operation, error)

    def _before_fork(self) -> None:
        """Do nothing: the lock may be held for as long as the store takes to answer."""

    def _after_fork_in_parent(self) -> None:
        """Do nothing."""

    def _after_fork_in_child(self) -> None:
        """Replace the locks, which threads of the parent may have held."""
        self._lock = threading.RLock()
        self.growth = GrowthMonitor(self.growth.limits)

    def __len__(self) -> int:
        return sum(len(entry.trajectories) for entry in self.entries())

    def close(self) -> None:
        """Write the counts and the history, and close the store. Never raises."""
        self.flush()
        self.history.flush()
        try:
            self.store.close()
        except Exception as error:  # A user-defined store may raise any exception (G4).
            self.health.failed("close", error)
