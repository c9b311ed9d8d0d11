"""Two stores in lock-step: whatever is done to both, their answers are compared."""

from __future__ import annotations

import os
import tempfile
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from muscle_mem.store import STATES, MemoryStore, Note, Observation, Sealed, SqliteStore, Store, Tally
from muscle_mem.testing import confirm

TORTURE = int(os.environ.get("MUSCLE_MEM_TORTURE", "1"))

NAMES = st.sampled_from(["a", "b", "c", "ü \ud800", ""])
KEYS = st.sampled_from([b"k" * 32, b"l" * 32, b""])
TEXTS = st.text(st.characters(codec=None), max_size=6)
TIMES = st.floats(allow_nan=False)
COUNTS = st.integers(-3, 2**40)
MAYBE_STATES = st.none() | st.sampled_from(STATES)

SEALED = st.builds(
    Sealed,
    id=NAMES,
    key=KEYS,
    body=st.binary(max_size=40),
    steps=st.integers(0, 9),
    task=TEXTS,
    scope=TEXTS,
    tags=st.lists(TEXTS, max_size=3).map(tuple),
    created=TIMES,
    state=st.sampled_from(STATES),
    reason=TEXTS,
)
BLOBS = st.lists(st.sampled_from([b"", b"b", b"c" * 9000]), max_size=3).map(tuple)
OBSERVED = st.builds(
    Observation, id=NAMES, body=st.binary(max_size=40), created=TIMES, refresh=st.booleans(), blobs=BLOBS
)
TALLIES = st.lists(st.builds(Tally, TEXTS, COUNTS, COUNTS), max_size=2).map(tuple)
NOTES = st.builds(
    Note,
    id=NAMES,
    hits=COUNTS,
    failures=COUNTS,
    last_hit=st.none() | TIMES,
    strikes=st.none() | st.integers(0, 5),
    state=MAYBE_STATES,
    reason=st.none() | TEXTS,
    held=st.none() | st.booleans(),
    by_person=st.booleans(),
    checks=TALLIES,
)


class LockStep(RuleBasedStateMachine):
    """Each rule does the same to both stores and compares the answers."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None)
        self.memory = MemoryStore()
        self.sqlite = self.open()
        self.changed = False

    def open(self) -> Store:
        return SqliteStore(os.path.join(self.folder.name, "store.db"))

    def both(self, method: str, *args: Any, **options: Any) -> Any:
        answers = [getattr(store, method)(*args, **options) for store in (self.memory, self.sqlite)]
        assert answers[0] == answers[1]
        return answers[0]

    @rule(sealed=SEALED, observation=OBSERVED, note=st.none() | NOTES)
    def seal(self, sealed: Sealed, observation: Observation, note: Note | None) -> None:
        self.both("seal", sealed, observation, note)
        self.changed = True

    @rule(notes=st.lists(NOTES, max_size=3).map(tuple))
    def note(self, notes: tuple[Note, ...]) -> None:
        self.both("note", notes)
        self.changed = True

    @rule(ids=st.lists(NAMES, max_size=3).map(tuple))
    def forget(self, ids: tuple[str, ...]) -> None:
        self.both("forget", ids)
        self.changed = True

    @rule()
    def forget_all(self) -> None:
        self.both("forget")
        self.changed = True

    @rule(id=NAMES)
    def get(self, id: str) -> None:
        self.both("get", id)

    @rule(key=KEYS)
    def find(self, key: bytes) -> None:
        self.both("find", key)

    @rule(after=st.none() | st.integers(0, 40), limit=st.integers(0, 4))
    def scan(self, after: int | None, limit: int) -> None:
        self.both("scan", after=after, limit=limit)

    @rule(after=st.none() | st.integers(0, 40), limit=st.integers(0, 4))
    def survey(self, after: int | None, limit: int) -> None:
        self.both("survey", after=after, limit=limit)

    @rule(ids=st.lists(NAMES, max_size=3).map(tuple))
    def drop(self, ids: tuple[str, ...]) -> None:
        self.both("drop", ids)
        self.changed = True

    @rule()
    def reopen(self) -> None:
        self.sqlite.close()
        self.sqlite = self.open()

    @rule()
    def write_through_another_object(self) -> None:
        other = self.open()
        one = Sealed(id="other", key=b"k" * 32, body=b"", steps=0)
        try:
            before = self.sqlite.version(one.key)
            other.seal(one, Observation(id="o", body=b""))
            confirm(self.sqlite, one.key)
            assert self.sqlite.version(one.key) != before
        finally:
            other.close()
        self.memory.seal(one, Observation(id="o", body=b""))
        self.changed = True

    @precondition(lambda self: self.changed)
    @invariant()
    def same_content(self) -> None:
        self.both("scan", limit=100)
        assert not self.sqlite.inspect()
        assert self.blobs() == len(self.memory._blobs)
        self.changed = False

    def blobs(self) -> int:
        assert isinstance(self.sqlite, SqliteStore)
        return self.sqlite._read(lambda file: int(file.execute("SELECT count(*) FROM blob").fetchone()[0]))

    def teardown(self) -> None:
        self.memory.close()
        self.sqlite.close()
        self.folder.cleanup()
