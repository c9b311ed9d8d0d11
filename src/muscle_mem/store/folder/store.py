"""A store in a folder of JSON files, with one file per trajectory."""

from __future__ import annotations

import hashlib
import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from ..._files import LARGEST_DOCUMENT, UnusableFileError
from ..._forks import register_for_forks
from ...errors import DamagedStoreError, InvalidTypeError, InvalidValueError, StoreError
from ..base import Damaged, Found, Note, Observation, Sealed, Standing, Stored
from ..digest import SigningKey, checked_key, signer
from ..history import HistoryMethods, HistoryTables
from ..locking.deadline import AdaptiveTimeout
from ..locking.key_locks import KeyLock, KeyLocks
from ..locking.write_lock import WriteLock
from ..promises import MACHINE
from ..standing import apply_note
from .atomic import Stamp, read_file, remove, stamps, write_atomically
from .file import FileEntry, entry_text, read_entry, unusable_entry
from .history import FolderHistory

ENDING = ".json"
LOCK_TIMEOUT = 30.0
LEADING = ".leading"
_IGNORED_BEFORE = f"# made by muscle_mem\n.lock\n*.tmp\n{LEADING}/\n"
_IGNORED = f"{_IGNORED_BEFORE}.history.db*\n"
T = TypeVar("T")


class FolderStore(HistoryMethods):
    """A store in a folder of JSON files, for review and version control.

    Each trajectory is one file. The first write creates the folder and its parents. You can use the store from any
    thread, and from several processes on one machine. See `muscle_mem.store.base.Store` for each method.

    Files are replaced atomically and durably. If `seal` gets a note on *another* trajectory, the note is written after
    the seal, and a crash between the two loses the note. Blobs are written to each file that uses them. Every call
    looks for changed files, so the store suits thousands of trajectories, not millions. The history is in a SQLite file
    in the folder, `.history.db`, which version control ignores.
    """

    __module__ = "muscle_mem.store.folder"

    promises = MACHINE

    def __init__(self, path: str | os.PathLike[str], *, signing_key: SigningKey | None = None) -> None:
        """Open the store. The folder does not have to exist.

        Args:
            path: The path of the folder.
            signing_key: A secret of at least 16 bytes, as bytes or a string, the same for all users of the store.
                Digests are then HMACs, and files that were written without the key are rejected like damaged ones.

        Raises:
            InvalidTypeError: The path or the key has the wrong type.
            InvalidValueError: The path is empty or contains NUL, or the key is too short.
            StoreError: The path is not a folder.
        """
        self._sign = signer(checked_key(signing_key))
        if not isinstance(path, str | os.PathLike):
            raise InvalidTypeError(
                f"invalid path=: expected a string or a pathlib.Path, got {type(path).__name__}. Pass a folder."
            )
        text = os.fsdecode(path)
        if not text or "\0" in text:
            raise InvalidValueError(
                f"invalid path=: expected the path of a folder, got {text!r}. Pass a path without NUL."
            )
        self.path = os.path.realpath(text)
        if os.path.exists(self.path) and not os.path.isdir(self.path):
            raise StoreError(f"cannot open the store {self.path!r}: it is not a folder. Pass the path of a folder.")
        self.url = f"folder:///{self.path.replace(os.sep, '/')}"
        self._write_lock = WriteLock(os.path.join(self.path, ".lock"))
        self._key_locks = KeyLocks(os.path.join(self.path, LEADING))
        self._history = FolderHistory(self.path)
        self._timeout = AdaptiveTimeout(LOCK_TIMEOUT)
        self._closed = False
        self._is_ignored = False
        self._begin()
        register_for_forks(self)

    def _begin(self) -> None:
        self._lock = threading.RLock()
        self._stamps: dict[str, Stamp] = {}
        self._entries: dict[str, FileEntry] = {}
        self._generation = 0
        self._last = 0

    def __repr__(self) -> str:
        return f"<FolderStore {self.path!r}>"

    def find(self, key: bytes) -> Found:
        """Return all trajectories of a key, newest first."""
        with self._reading():
            return _found([entry for entry in self._ordered() if entry.key == key])

    def get(self, id: str) -> Stored | None:
        """Return a trajectory by its id, or None. Raises DamagedStoreError."""
        with self._reading():
            entry = self._entry_of(id)
            if entry is None:
                return None
            return self._ensure_intact(entry).stored()

    def seal(self, sealed: Sealed, observation: Observation, note: Note | None = None) -> int:
        """Write a trajectory with an observation durably.

        Args:
            sealed: The trajectory. If its id is known, the stored one is kept.
            observation: The recording, or the refreshed snapshots of a hit.
            note: A change to the standing of this trajectory or of another.

        Returns:
            The sequence number of the recording, or 0 for a refresh of an unknown trajectory.

        Raises:
            DamagedStoreError: The trajectory or the observation is stored and damaged.
            StoreError: The folder cannot be written.
        """
        with self._writing():
            entry = self._entry_of(sealed.id)
            if entry is None and observation.refresh:
                return 0
            if entry is None:
                self._last += 1
                entry = FileEntry(
                    sealed.id, sealed.key, sealed, self._last, Standing(state=sealed.state, reason=sealed.reason)
                )
                entry.name = self._name_for(sealed)
            else:
                entry = self._ensure_intact(entry).copy()
                if not observation.refresh:
                    self._last += 1
                    entry.seq = self._last
            if entry.is_observation_damaged(observation.id):
                raise self._damaged(sealed.id, f"its observation {observation.id} fails its digest")
            entry.add(observation)
            if note is not None and note.id == sealed.id:
                entry.standing = apply_note(entry.standing or Standing(), note)
            self._write_entry(entry)
            if note is not None and note.id != sealed.id:
                self._note(note)
            return entry.seq

    def note(self, notes: tuple[Note, ...]) -> None:
        """Apply notes in order. Notes on unknown or damaged trajectories are dropped."""
        if not notes:
            self._ensure_open()
            return
        with self._writing():
            for note in notes:
                self._note(note)

    def forget(self, ids: tuple[str, ...] | None = None) -> int:
        """Delete trajectories (None: all), and return how many existed."""
        with self._writing():
            found = self._entries.values() if ids is None else map(self._entry_of, dict.fromkeys(ids))
            gone = [entry for entry in found if entry is not None]
            names = {entry.name for entry in gone}
            kept = {entry.key for entry in self._entries.values() if entry.name not in names}
            keys = {entry.key for entry in gone} - kept
            self._history.forget(None if ids is None else [entry.id for entry in gone], keys, rewrite=True)
            for entry in gone:
                remove(os.path.join(self.path, entry.name))
            return len(gone)

    def _read_history(self, work: Callable[[HistoryTables], T]) -> T:
        with self._reading():
            return self._history.read(work)

    def _write_history(self, work: Callable[[HistoryTables], T]) -> T:
        with self._writing():
            return self._history.write(work)

    def scan(self, *, after: int | None = None, limit: int = 100) -> Found:
        """Return a page of all trajectories, newest first.

        Args:
            after: Only return trajectories with a sequence number below this one. None starts with the newest.
            limit: The number of trajectories on the page. The page is longer if several have the last number.

        Returns:
            The trajectories. The first page also has the damaged files.

        Raises:
            StoreError: The folder cannot be read.
        """
        with self._reading():
            ordered = self._ordered()
            page = [entry for entry in ordered if after is None or entry.seq < after]
            if limit <= 0:
                return Found()
            last = page[limit - 1].seq if len(page) >= limit else 0
            broken = [entry for entry in ordered if not entry.seq] if after is None else []
            return _found([entry for entry in page if entry.seq >= max(last, 1)] + broken)

    def version(self, key: bytes) -> int:  # noqa: ARG002 - one number serves all keys
        """Return a number that changes with every change to the folder."""
        with self._reading():
            return self._generation

    def lead(self, key: bytes) -> KeyLock | None:
        """Become the only learner of a key, by a file lock.

        The file is in the folder `.leading` of the store.

        See `muscle_mem.store.base.Leading`.
        """
        with self._lock:
            self._ensure_open()
            with self._translated_errors():
                self._make_folder()
        return self._key_locks.lead(key)

    def close(self) -> None:
        """Close the store. Every later call except `close` raises StoreError."""
        with self._lock:
            self._closed = True
            self._entries.clear()
            self._stamps.clear()

    @contextmanager
    def _reading(self) -> Iterator[None]:
        with self._lock:
            self._ensure_open()
            with self._translated_errors():
                self._reload()
            yield

    @contextmanager
    def _writing(self) -> Iterator[None]:
        with self._lock:
            self._ensure_open()
            with self._translated_errors():
                self._make_folder()
                with self._timeout as seconds, self._write_lock.held(seconds, lambda: self._closed):
                    self._ignore_own_files()  # Two writers of a new folder would both rename the same file.
                    self._reload()
                    try:
                        yield
                    finally:
                        self._reload()

    @contextmanager
    def _translated_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreError(
                f"cannot use the store {self.path!r}: {error.strerror or error}. Check the folder's permissions and "
                "the free disk space."
            ) from error

    def _make_folder(self) -> None:
        if not os.path.isdir(self.path):
            os.makedirs(self.path, exist_ok=True)
            self._is_ignored = False

    def _ignore_own_files(self) -> None:
        ignore = os.path.join(self.path, ".gitignore")
        if not self._is_ignored:
            if not os.path.exists(ignore) or read_file(ignore) == _IGNORED_BEFORE.encode():
                write_atomically(ignore, _IGNORED.encode())
            self._is_ignored = True

    def _reload(self) -> None:
        """Read the files that changed since the last call."""
        seen = stamps(self.path, ENDING)
        if seen == self._stamps:
            return
        for name in self._stamps.keys() - seen.keys():
            self._entries.pop(name, None)
        for name, stamp in seen.items():
            if self._stamps.get(name) != stamp:
                entry = self._read_entry(name)
                entry.name = name
                self._entries[name] = entry
                self._last = max(self._last, entry.seq)
        self._stamps = seen
        self._generation += 1
        self._renumber()

    def _read_entry(self, name: str) -> FileEntry:
        try:
            return read_entry(read_file(os.path.join(self.path, name)), self._sign)
        except UnusableFileError as error:
            return unusable_entry(error)

    def _renumber(self) -> None:
        """Give each trajectory a distinct sequence number.

        Two branches of a repository may have used the same number. The later id then counts as the newer one.
        """
        last = 0
        for entry in sorted(self._entries.values(), key=lambda one: (one.stored_seq, one.id)):
            if entry.stored_seq:
                entry.seq = last = max(entry.stored_seq, last + 1)
        self._last = max(self._last, last)

    def _ordered(self) -> list[FileEntry]:
        return sorted(self._entries.values(), key=lambda entry: (-entry.seq, entry.name))

    def _entry_of(self, id: str) -> FileEntry | None:
        return next((entry for entry in self._entries.values() if entry.id == id), None)

    def _note(self, note: Note) -> None:
        entry = self._entry_of(note.id)
        if entry is None or entry.sealed is None or entry.standing is None:
            return  # A damaged file is never overwritten.
        changed = entry.copy()
        changed.standing = apply_note(entry.standing, note)
        self._write_entry(changed)

    def _write_entry(self, entry: FileEntry) -> None:
        entry.stored_seq = entry.seq
        data = entry_text(entry, self._sign).encode()
        if len(data) > LARGEST_DOCUMENT:
            raise StoreError(
                f"cannot write trajectory {entry.id} to {self.path!r}: expected at most {LARGEST_DOCUMENT} bytes, got "
                f"{len(data)}. Record fewer or smaller snapshots, or use another store."
            )
        write_atomically(os.path.join(self.path, entry.name), data)
        self._stamps.pop(entry.name, None)
        self._reload()

    def _name_for(self, sealed: Sealed) -> str:
        words = re.sub(r"[^a-z0-9]+", "-", sealed.task.casefold())[:40].strip("-") or "trajectory"
        digest = sealed.id if re.fullmatch(r"[0-9a-f]{32}", sealed.id) else _short_digest(sealed.id)
        return f"{words}-{digest[:12]}{ENDING}"

    def _ensure_intact(self, entry: FileEntry) -> FileEntry:
        if entry.sealed is None or entry.standing is None:
            raise self._damaged(entry.id, entry.problem)
        return entry

    def _damaged(self, id: str, what: str) -> DamagedStoreError:
        return DamagedStoreError(
            f"the file of trajectory {id} in the store {self.path!r} is damaged: {what}. Restore it, or delete it with "
            "`muscle-mem forget`. If you edited it, move your version away first, and then `muscle-mem import` it."
        )

    def _ensure_open(self) -> None:
        if self._closed:
            raise StoreError(f"the store {self.path!r} is closed. Create a new Engine or store.")

    def _before_fork(self) -> None:
        self._lock.acquire()

    def _after_fork_in_parent(self) -> None:
        self._lock.release()

    def _after_fork_in_child(self) -> None:
        self._lock.release()
        self._write_lock = WriteLock(os.path.join(self.path, ".lock"))


def _short_digest(id: str) -> str:
    return hashlib.sha256(id.encode("utf-8", "surrogatepass")).hexdigest()


def _found(entries: list[FileEntry]) -> Found:
    damaged: list[Damaged] = []
    stored: list[Stored] = []
    for entry in entries:
        if entry.sealed is None or entry.standing is None:
            damaged.append(Damaged(id=entry.id, what=entry.problem, key=entry.key))
            continue
        stored.append(entry.stored())
        damaged += [Damaged(id=entry.id, what=what, key=entry.key) for what in entry.damaged_observations.values()]
    return Found(stored=tuple(stored), damaged=tuple(damaged))


def unchanged(one: Stored, other: Stored) -> bool:
    """Return whether two states of a trajectory differ only in counts and times."""
    seen = [[(row.id, row.body, row.refresh) for _, row in stored.observations] for stored in (one, other)]
    was, now = one.standing, other.standing
    same_standing = (was.state, was.reason, was.held) == (now.state, now.reason, now.held)
    return one.sealed == other.sealed and same_standing and seen[0] == seen[1]
