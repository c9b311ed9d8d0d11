"""The `Store` protocol with its eight methods, and the records that they use.

A store keeps *sealed* trajectories: canonical bytes that it does not interpret, and a few plain fields for searching.
It is synchronous, safe to call from any thread, and raises only `StoreError`.
"""

from __future__ import annotations

from typing import Protocol, TypeGuard, runtime_checkable

import msgspec

FRESH = "fresh"
TRUSTED = "trusted"
QUARANTINED = "quarantined"
RETIRED = "retired"
HEAD_BYTES = 2
"""The first bytes of a body in a `Summary`."""

STATES = (FRESH, TRUSTED, QUARANTINED, RETIRED)


class Sealed(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A whole trajectory, written once in one transaction and never changed.

    `id` is derived from the key and the calls, so sealing the same calls again does not add a trajectory. `key` is the
    32-byte task key, and `body` holds the canonical bytes of the steps. `task`, `scope` and `tags` are for searching.
    `created` is in seconds since the epoch. `state` and `reason` are the standing that a *new* trajectory starts with.
    """

    __module__ = "muscle_mem.store"

    id: str
    key: bytes
    body: bytes
    steps: int
    task: str = ""
    scope: str = ""
    tags: tuple[str, ...] = ()
    created: float = 0.0
    state: str = FRESH
    reason: str = ""


class Observation(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One recording of a trajectory: snapshots, outputs and times, as canonical bytes.

    `id` is derived from the trajectory's id and the snapshots, so identical recordings share one observation.
    `refresh` marks an observation that comes from a hit (sliding expiry). A trajectory has at most one, the newest.
    `blobs` are large parts of the recording, which `body` names by their SHA-256 instead of containing them. A store
    keeps equal blobs once, returns them in this order, and deletes them with the last observation that uses them.
    """

    __module__ = "muscle_mem.store"

    id: str
    body: bytes
    created: float = 0.0
    refresh: bool = False
    blobs: tuple[bytes, ...] = ()


class Tally(msgspec.Struct, frozen=True, gc=False):
    """Counts of how often a check passed (`yes`) and failed (`no`) in replays.

    `check` names the check by its tool and place, for example `click pre`.
    """

    __module__ = "muscle_mem.store"

    check: str
    yes: int = 0
    no: int = 0


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """A change to a standing: counters are added, other fields set if not None.

    `agreed` and `disagreed` count results of shadow runs, `checks` the results of its checks in replays. `last_hit` is
    in seconds since the epoch.

    `held` means that only a person can lift the quarantine. A note with `by_person=False` leaves the state, reason and
    hold of a held trajectory unchanged. Its counters are still added.
    """

    __module__ = "muscle_mem.store"

    id: str
    hits: int = 0
    failures: int = 0
    agreed: int = 0
    disagreed: int = 0
    last_hit: float | None = None
    strikes: int | None = None
    state: str | None = None
    reason: str | None = None
    held: bool | None = None
    by_person: bool = False
    checks: tuple[Tally, ...] = ()


class Standing(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The trust state of a trajectory and its counters; see `Note`."""

    __module__ = "muscle_mem.store"

    state: str = FRESH
    reason: str = ""
    held: bool = False
    strikes: int = 0
    hits: int = 0
    failures: int = 0
    agreed: int = 0
    disagreed: int = 0
    last_hit: float = 0.0
    checks: tuple[Tally, ...] = ()


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    """A trajectory as read from a store, with its observations, newest first.

    `seq` orders the trajectories and observations of a store by their last recording; it only grows. Observations are
    pairs of sequence number and record.
    """

    __module__ = "muscle_mem.store"

    sealed: Sealed
    seq: int
    standing: Standing
    observations: tuple[tuple[int, Observation], ...] = ()


class Damaged(msgspec.Struct, frozen=True, kw_only=True):
    """A row that fails its digest.

    A store reports it, and neither returns it as a trajectory nor overwrites it.
    """

    __module__ = "muscle_mem.store"

    id: str
    what: str
    key: bytes = b""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """Result of `find` and `scan`: intact trajectories and damaged rows.

    Trajectories are ordered newest first.
    """

    __module__ = "muscle_mem.store"

    stored: tuple[Stored, ...] = ()
    damaged: tuple[Damaged, ...] = ()


@runtime_checkable
class Store(Protocol):
    """Storage for trajectories.

    `muscle_mem.testing.StoreContract` tests each rule below.

    `url` names the store in messages, without secrets. A store whose calls wait for a network sets the attribute
    `waits_on_network = True`. If an event loop is running, as in `Engine.acall`, its calls are then made in a thread.
    A store whose promises differ from those of the methods below declares its promises in the attribute `promises`.
    """

    url: str

    def find(self, key: bytes) -> Found:
        """Return all trajectories of a key, newest first, with their digests verified.

        An unknown key returns an empty `Found`.
        """
        ...

    def get(self, id: str) -> Stored | None:
        """Return one trajectory by its id, or None.

        Raises:
            DamagedStoreError: A row of the trajectory fails its digest.
        """
        ...

    def seal(self, sealed: Sealed, observation: Observation, note: Note | None = None) -> int:
        """Write a trajectory, its observation and a note in one durable transaction.

        An existing trajectory keeps its body and standing. An existing observation keeps its body and blobs, and takes
        the new `created` time. Both get the new sequence number. A `refresh` changes no sequence number and creates no
        trajectory: if the trajectory is unknown, the refresh and its note are dropped. When this method returns, the
        recording survives a crash of the process or the machine.

        Args:
            sealed: The trajectory.
            observation: One recording of it.
            note: A change to the trajectory's standing, applied after it is written.

        Returns:
            The sequence number, or 0 if a refresh was dropped.

        Raises:
            StoreError: The recording could not be stored.
        """
        ...

    def note(self, notes: tuple[Note, ...]) -> None:
        """Apply notes in order, in one transaction. Notes on unknown ids are ignored."""
        ...

    def forget(self, ids: tuple[str, ...] | None = None) -> int:
        """Delete trajectories with their observations, and return how many existed.

        None deletes all trajectories.
        """
        ...

    def scan(self, *, after: int | None = None, limit: int = 100) -> Found:
        """Return a page of all trajectories, newest first.

        Args:
            after: Only trajectories with a lower sequence number are returned. None starts with the newest.
            limit: The maximum number of trajectories.

        Returns:
            The page. A page without intact trajectories is the last. Damaged rows do not count for the limit.
        """
        ...

    def version(self, key: bytes) -> int:
        """Return a number that changes when the result of `find(key)` may have changed.

        It reflects writes of all processes. It must be cheap, because it is called before every run. A change to
        counters alone may leave it unchanged, because counters do not affect replays. See also `Confirming`.
        """
        ...

    def close(self) -> None:
        """Release files and connections.

        Closing again has no effect. Any other call afterwards raises StoreError.
        """
        ...


Store.__module__ = "muscle_mem.store"


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """A trajectory without its contents, as used for pruning.

    `size` is in bytes and includes every blob in full. `head` are the first bytes of its body, which say what it is;
    a store may leave them out, and does for large bodies. `created`, `recorded` and `last_hit` are in seconds since the
    epoch.
    """

    __module__ = "muscle_mem.store"

    id: str
    key: bytes
    seq: int
    state: str = FRESH
    created: float = 0.0
    recorded: float = 0.0
    hits: int = 0
    last_hit: float = 0.0
    size: int = 0
    head: bytes = b""


class Leadership(Protocol):
    """Exclusive right to learn a key, until it is released or its process ends."""

    def release(self) -> None:
        """Allow another caller to lead. Releasing again has no effect."""
        ...


Leadership.__module__ = "muscle_mem.store"


@runtime_checkable
class Leading(Protocol):
    """A store that elects the only learner of a key across processes."""

    def lead(self, key: bytes) -> Leadership | None:
        """Become the only learner of a key, without waiting.

        Returns None while another caller is the learner.

        Raises:
            StoreError: The store cannot elect a learner.
        """
        ...


Leading.__module__ = "muscle_mem.store"


@runtime_checkable
class Surveying(Protocol):
    """A store that lists summaries without reading bodies, and deletes cheaply."""

    def survey(self, *, after: int | None = None, limit: int = 1000) -> tuple[Summary, ...]:
        """Return a page of summaries, newest first, without reading bodies.

        Args:
            after: Only trajectories with a lower sequence number are returned. None starts with the newest.
            limit: The maximum number of summaries.
        """
        ...

    def drop(self, ids: tuple[str, ...]) -> int:
        """Delete trajectories in one short transaction, and return how many existed.

        Unlike `forget`, it may leave the deleted bytes in the storage until their space is used again.
        """
        ...


Surveying.__module__ = "muscle_mem.store"


@runtime_checkable
class Confirming(Protocol):
    """A store whose `version` may lag behind the writes of other processes."""

    def confirm(self, key: bytes) -> None:
        """Bring `version(key)` up to date, in one round trip.

        Raises:
            StoreError: The store cannot be reached.
        """
        ...


Confirming.__module__ = "muscle_mem.store"


def _has(value: object, kind: type) -> bool:
    """Return whether an object has all members of a protocol.

    A wrapper around a store may use `__getattr__`, which isinstance ignores from Python 3.12 on.
    """
    names = {*vars(kind), *kind.__annotations__}
    return all(hasattr(value, name) for name in names if not name.startswith("_"))


def is_store(value: object) -> TypeGuard[Store]:
    """Return whether an object has the eight methods of `Store`."""
    return _has(value, Store)


def is_leading(value: object) -> TypeGuard[Leading]:
    """Return whether a store can elect the only learner of a key."""
    return _has(value, Leading)


def is_surveying(value: object) -> TypeGuard[Surveying]:
    """Return whether a store can list its contents without reading them."""
    return _has(value, Surveying)


def is_confirming(value: object) -> TypeGuard[Confirming]:
    """Return whether the version of a store may lag behind and can be confirmed."""
    return _has(value, Confirming)
