"""The trajectories of the keys in use: kept in memory, in step with the store, and judged by what became of them."""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import msgspec

from ._core import codec
from ._core.groups import stored_row
from ._core.model import Reason, Row
from ._core.plan import Candidate, Registry, Trajectory, align, load
from ._core.recorder import Problem, Recording
from ._core.run import Run
from ._core.trust import SUCCESS, TWICE, level
from .errors import DecodeError
from .store import verdicts
from .store.base import FRESH, QUARANTINED, RETIRED, TRUSTED, Note, Observation, Sealed, Standing, Store

MAX_KEYS = 10_000
HITS_A_NOTE = 1_000
Tell = Callable[[str, str, BaseException | None], None]


class Entry(msgspec.Struct):
    """What is in memory of one key, and as of when."""

    trajectories: list[Trajectory]
    store_version: int
    tools_version: int
    damaged: int


class Tally(msgspec.Struct):
    """Hits that have been counted and not been written yet."""

    hits: int = 0
    last: float = 0.0


class Library:
    """The way to the store. Trouble with it is told to `tell` and raised as StoreError only by what says so."""

    def __init__(self, store: Store, registry: Registry, tell: Tell) -> None:
        self.store = store
        self._registry = registry
        self._tell = tell
        self._entries: OrderedDict[bytes, Entry] = OrderedDict()
        self._tallies: dict[str, Tally] = {}
        self._lock = threading.RLock()
        self._damage_told: set[str] = set()
        self._pid = os.getpid()

    def find(self, key: bytes) -> Entry:
        """The trajectories of a key, newest first, joined with the tools of now. Raises StoreError."""
        entry = self._entries.get(key)
        version = self.store.version(key)
        if entry is not None and entry.store_version == version and entry.tools_version == self._registry.version:
            return entry
        with self._lock:
            tools_version = self._registry.version
            found = self.store.find(key)
            entry = Entry([], version, tools_version, len(found.damaged))
            for damaged in found.damaged:
                self._tell_damage(damaged.id, damaged.what)
            for stored in found.stored:
                trajectory = self._load(stored)
                if trajectory is None:
                    entry.damaged += 1
                    continue
                entry.trajectories.append(trajectory)
            align(entry.trajectories)
            for trajectory in entry.trajectories:
                trajectory.join(self._registry)
            self._entries[key] = entry
            if len(self._entries) > MAX_KEYS:
                self._entries.popitem(last=False)
        return entry

    def _load(self, stored: Any) -> Trajectory | None:
        try:
            return load(stored)
        except (DecodeError, msgspec.DecodeError) as error:
            self._tell_damage(stored.sealed.id, str(error))
            return None

    def _tell_damage(self, id: str, what: str) -> None:
        if id not in self._damage_told:
            self._damage_told.add(id)
            self._tell("damaged", f"trajectory {id} is damaged ({what}) and is not used; see `muscle-mem doctor`", None)

    def seal(self, run: Run, recording: Recording, quarantine: list[Problem], accepted: bool) -> str:
        """Write a recording in one transaction, with what it says about the standing; its state. Raises StoreError."""
        assert run.key is not None
        state, reason = (TRUSTED, SUCCESS) if accepted else (FRESH, "")
        if quarantine:
            state, reason = QUARANTINED, f"{quarantine[0].reason.value}: {quarantine[0].message}"
        now = time.time()
        sealed = Sealed(
            id=recording.id,
            key=run.key,
            body=msgspec.msgpack.encode(recording.body),
            steps=len(recording.body.steps),
            task=run.task,
            scope=run.scope,
            tags=run.tags,
            created=now,
            state=state,
            reason=reason,
        )
        observation = Observation(id=recording.observation_id, body=msgspec.msgpack.encode(recording.row), created=now)
        note = None
        known = self._standing(run.key, recording.id)
        if known is not None:
            if quarantine:  # a trajectory offers all its rows: this one would be replayed with the good ones (C5)
                return QUARANTINED
            note = _evidence(recording.id, known, accepted, alone=not run.recorder.prefix)
            state = note.state or known.state if note is not None else known.state
            if state != QUARANTINED and known.reason.startswith(Reason.FAILED_WRITE.value):
                self.store.forget((recording.id,))  # what lifts the quarantine is this good row, not the old one
                note = None
        self.flush()
        self.store.seal(sealed, observation, note)
        return state

    def _standing(self, key: bytes, id: str) -> Standing | None:
        for trajectory in self.find(key).trajectories:
            if trajectory.id == id:
                standing: Standing = trajectory.standing
                return standing
        return None

    def refresh(self, run: Run, candidate: Candidate) -> None:
        """Keep a hit's refreshed snapshots as one more row, replacing the last such (B7). Raises StoreError."""
        row = candidate.row
        seen = run.progress.refreshed
        fresh: Row = msgspec.structs.replace(
            row, pre=candidate.renewed(seen, post=False), post=candidate.renewed(seen, post=True)
        )
        fresh = stored_row(fresh, candidate.trajectory.body.order)
        id = candidate.trajectory.id
        body = msgspec.msgpack.encode(fresh)
        sealed: Sealed = candidate.trajectory.sealed
        observation_id = codec.digest(id.encode() + msgspec.msgpack.encode((fresh.pre, fresh.post)))[:16].hex()
        self.store.seal(sealed, Observation(id=observation_id, body=body, created=time.time(), refresh=True))

    def hit(self, candidate: Candidate) -> None:
        """Count a hit; it is written with the next seal, or with many others."""
        trajectory = candidate.trajectory
        if trajectory.standing.strikes:
            self._note(Note(id=trajectory.id, strikes=0))
            trajectory.standing = msgspec.structs.replace(trajectory.standing, strikes=0)
        with self._lock:
            tally = self._tallies.get(trajectory.id)
            if tally is None:
                tally = self._tallies[trajectory.id] = Tally()
            tally.hits += 1
            tally.last = time.time()
            full = tally.hits >= HITS_A_NOTE
        if full:
            self.flush()

    def verified(self, candidate: Candidate) -> None:
        """A success callback accepted what a replay did: a positive verdict, written if it is the first."""
        standing = candidate.trajectory.standing
        if level(standing) == 0:
            self._note(Note(id=candidate.trajectory.id, state=TRUSTED, reason=SUCCESS, strikes=0, by_person=True))

    def shadowed(self, id: str, *, agreed: bool) -> None:
        """Count what a shadow run said of a trajectory."""
        self._note(Note(id=id, agreed=int(agreed), disagreed=int(not agreed)))

    def failed(self, candidate: Candidate, failure: Problem) -> None:
        """Count what speaks against a trajectory, and quarantine it when the rules say so (D6)."""
        trajectory = candidate.trajectory
        standing = trajectory.standing
        strikes = standing.strikes + 1
        after = failure.reason in (Reason.POST_CHECK_REFUSED, Reason.CHECK_ERROR)
        at_once = after and not _reads_only(trajectory, failure)
        note = Note(id=trajectory.id, failures=1, strikes=strikes)
        if strikes >= 2 or at_once:
            note = msgspec.structs.replace(
                note,
                state=QUARANTINED,
                reason=f"{failure.reason.value}: {failure.message}",
                held=failure.reason is Reason.UNSUCCESSFUL,
            )
        self._note(note)

    def judge(self, id: str, *, good: bool, why: str) -> None:
        """A person's verdict. Raises StoreError; unknown ids are dropped by the store."""
        self.store.note((verdicts.good(id, why) if good else verdicts.bad(id, why),))

    def forget(self, ids: tuple[str, ...] | None) -> int:
        """Delete trajectories (None: all). Raises StoreError."""
        with self._lock:
            for id in ids if ids is not None else tuple(self._tallies):
                self._tallies.pop(id, None)
            return self.store.forget(ids)

    def clear(self, scope: str) -> None:
        """Delete every trajectory of a scope. Damaged rows stay, for `doctor` to tell of. Raises StoreError."""
        after: int | None = None
        found: list[str] = []
        while True:
            page = self.store.scan(after=after, limit=500)
            found += [stored.sealed.id for stored in page.stored if stored.sealed.scope == scope]
            if not page.stored:
                break
            after = page.stored[-1].seq
        self.forget(tuple(found))

    def _note(self, note: Note) -> None:
        try:
            self.store.note((note,))
        except Exception as error:  # a store of the user's own may raise anything (G4)
            self._tell("note", str(error), error)

    def flush(self) -> None:
        """Write the hits that were counted. Never raises: they are only counts."""
        with self._lock:
            tallies, self._tallies = self._tallies, {}
            if self._pid != os.getpid():  # a forked child: the counts are its parent's to write
                self._pid = os.getpid()
                return
        if not tallies:
            return
        notes = tuple(Note(id=id, hits=tally.hits, last_hit=tally.last) for id, tally in tallies.items())
        try:
            self.store.note(notes)
        except Exception as error:  # a store of the user's own may raise anything (G4)
            self._tell("count", str(error), error)

    def __len__(self) -> int:
        return sum(len(entry.trajectories) for entry in list(self._entries.values()))

    def close(self) -> None:
        """Write what was counted and let the store go."""
        self.flush()
        self.store.close()


def _evidence(id: str, known: Standing, accepted: bool, *, alone: bool) -> Note | None:
    """What another agent run of the same calls says; a replay's own prefix says nothing for itself."""
    if accepted:
        reason = known.reason if level(known) == 2 else SUCCESS
        return Note(id=id, state=TRUSTED, reason=reason, held=False, strikes=0, by_person=True)
    if known.held or not alone:
        return None
    if known.state in (QUARANTINED, RETIRED):
        return Note(id=id, state=FRESH, reason="", strikes=0)
    reason = known.reason if known.state == TRUSTED else TWICE
    return Note(id=id, state=TRUSTED, reason=reason, strikes=0)


def _reads_only(trajectory: Trajectory, failure: Problem) -> bool:
    return all(step.tool.reads_only for step in trajectory.steps if step.tool.name == failure.tool)
