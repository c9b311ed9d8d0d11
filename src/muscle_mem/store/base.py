"""What every store promises: eight methods, and the plain records that go through them.

A store keeps *sealed* trajectories: canonical bytes that it does not interpret, beside a few plain columns for
people to search. It is synchronous, safe to call from any thread, and raises only `StoreError`s.
"""

from __future__ import annotations

from typing import Protocol, TypeGuard, runtime_checkable

import msgspec

FRESH = "fresh"
TRUSTED = "trusted"
QUARANTINED = "quarantined"
RETIRED = "retired"
STATES = (FRESH, TRUSTED, QUARANTINED, RETIRED)


class Sealed(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A whole trajectory as it is written: once, in one transaction, never changed afterwards.

    `id` is made by the client out of the key and the calls, so sealing the same calls twice is one trajectory.
    `key` is the 32-byte task key, `body` the canonical bytes of the steps. `task`, `scope` and `tags` are for people.
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
    """One recording of a trajectory: its whole row of snapshots, outputs and times, as canonical bytes.

    `id` is made out of the trajectory's id and the snapshots, so identical rows are one.
    `refresh` rows come from hits (sliding expiry): a trajectory has at most one, the newest.
    `blobs` are large parts of the recording that `body` names by their SHA-256 and does not hold. A store keeps equal
    blobs once, for all their users, gives them back in this order, and frees them with their last user.
    """

    __module__ = "muscle_mem.store"

    id: str
    body: bytes
    created: float = 0.0
    refresh: bool = False
    blobs: tuple[bytes, ...] = ()


class Tally(msgspec.Struct, frozen=True, gc=False):
    """How often a check, named by its tool and place as in `click pre`, passed and failed in replays."""

    __module__ = "muscle_mem.store"

    check: str
    yes: int = 0
    no: int = 0


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """A change to what is known about a trajectory: counters are added, the rest is set where it is not None.

    `agreed` and `disagreed` count what shadow runs said of it, `checks` what its checks said in replays.

    `held` says that only a person lifts the quarantine. A note with `by_person=False` leaves the state, reason and
    hold of a held trajectory as they are (its counters are still added).
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
    """What is known about a trajectory by now; see `Note`."""

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
    """A trajectory as it is read, with its observations, newest (highest sequence number) first.

    `seq` orders trajectories and observations of a store by their last agent recording; it only ever grows.
    Observations are pairs of sequence number and record.
    """

    __module__ = "muscle_mem.store"

    sealed: Sealed
    seq: int
    standing: Standing
    observations: tuple[tuple[int, Observation], ...] = ()


class Damaged(msgspec.Struct, frozen=True, kw_only=True):
    """A row that fails its digest. It is reported, never offered and never overwritten."""

    __module__ = "muscle_mem.store"

    id: str
    what: str
    key: bytes = b""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """The answer of `find` and `scan`: what is whole, newest first, and what is not."""

    __module__ = "muscle_mem.store"

    stored: tuple[Stored, ...] = ()
    damaged: tuple[Damaged, ...] = ()


@runtime_checkable
class Store(Protocol):
    """A place that remembers trajectories. `muscle_mem.testing.StoreContract` tests each sentence below.

    `url` names the store for people, without secrets. A store whose calls wait on a network says so by an attribute
    `waits_on_network = True`: where an event loop runs, as under `Engine.acall`, they are then made in a thread.
    """

    url: str

    def find(self, key: bytes) -> Found:
        """All trajectories of a key, newest first, each digest checked. Unknown keys give an empty `Found`."""
        ...

    def get(self, id: str) -> Stored | None:
        """One trajectory by its id, or None. Raises DamagedStoreError if its row fails its digest."""
        ...

    def seal(self, sealed: Sealed, observation: Observation, note: Note | None = None) -> int:
        """Write a trajectory, its observation and the note in one durable transaction; return the sequence number.

        A trajectory that is already there keeps its body and standing; an observation that is already there keeps its
        body and blobs, and takes the new one's `created`: it was recorded again. Both get the new sequence number. A
        `refresh` orders nothing again, and makes no trajectory: that of an unknown one is dropped (its note, too), and
        the answer is 0. When this returns, the recording survives a crash of process or machine.
        """
        ...

    def note(self, notes: tuple[Note, ...]) -> None:
        """Apply notes in order, in one transaction. Notes on unknown ids are dropped."""
        ...

    def forget(self, ids: tuple[str, ...] | None = None) -> int:
        """Delete these trajectories (None: all) with all they own; return how many there were."""
        ...

    def scan(self, *, after: int | None = None, limit: int = 100) -> Found:
        """A page of all trajectories, newest first: those with a sequence number below `after` (None: from the top)."""
        ...

    def version(self, key: bytes) -> int:
        """A number that changes when `find(key)` may have another answer, after a write of any process. Cheap:
        called before every run.

        Counters may change without it: what only counts decides nothing. See also `Confirming`.
        """
        ...

    def close(self) -> None:
        """Release files and connections. Closing twice is fine; any other call afterwards raises StoreError."""
        ...


Store.__module__ = "muscle_mem.store"


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """A trajectory without its contents: what deciding about growth takes. `size`: bytes, blobs counted in full."""

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


class Leadership(Protocol):
    """Being the only learner of a key, until it is released or the process that has it is gone."""

    def release(self) -> None:
        """Let the next one lead. Releasing twice is fine."""
        ...


Leadership.__module__ = "muscle_mem.store"


@runtime_checkable
class Leading(Protocol):
    """A store that can say, across processes, who learns a key. Beyond the eight methods; an engine does without."""

    def lead(self, key: bytes) -> Leadership | None:
        """Become the only learner of a key, without waiting; None while another has it. Raises StoreError."""
        ...


Leading.__module__ = "muscle_mem.store"


@runtime_checkable
class Surveying(Protocol):
    """A store that can list its contents without reading them, and drop some cheaply. Beyond the eight methods."""

    def survey(self, *, after: int | None = None, limit: int = 1000) -> tuple[Summary, ...]:
        """A page of all trajectories, newest first, as `scan` orders them; bodies are not read."""
        ...

    def drop(self, ids: tuple[str, ...]) -> int:
        """Delete trajectories with all they own in one short transaction; how many there were.

        Unlike `forget`, it may leave the room they took to be used again, and their bytes there until then.
        """
        ...


Surveying.__module__ = "muscle_mem.store"


@runtime_checkable
class Confirming(Protocol):
    """A store whose `version` may lag behind what others wrote. Beyond the eight methods."""

    def confirm(self, key: bytes) -> None:
        """Ask the store itself, in one round trip: afterwards `version(key)` is of now. Raises StoreError."""
        ...


Confirming.__module__ = "muscle_mem.store"


def _has(value: object, kind: type) -> bool:
    """Whether an object has what a protocol names.

    A store around another answers by `__getattr__`, which isinstance does not see from Python 3.12 on.
    """
    names = {*vars(kind), *kind.__annotations__}
    return all(hasattr(value, name) for name in names if not name.startswith("_"))


def is_store(value: object) -> TypeGuard[Store]:
    """Whether an object has the eight methods."""
    return _has(value, Store)


def is_leading(value: object) -> TypeGuard[Leading]:
    """Whether a store can say who learns a key."""
    return _has(value, Leading)


def is_surveying(value: object) -> TypeGuard[Surveying]:
    """Return whether a store can list its contents without reading them."""
    return _has(value, Surveying)


def is_confirming(value: object) -> TypeGuard[Confirming]:
    """Whether the version of a store may lag behind, and can be asked for."""
    return _has(value, Confirming)
