"""A store that is a folder of JSON files, one a trajectory: to be read, compared and kept in git."""

from __future__ import annotations

import hashlib
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ..._forks import register_for_forks
from ...errors import DamagedStoreError, InvalidTypeError, InvalidValueError, StoreError
from ..base import Damaged, Found, Note, Observation, Sealed, Standing, Stored
from ..digest import SigningKey, checked_key, signer
from ..locking.deadline import AdaptiveTimeout
from ..locking.write_lock import WriteLock
from ..standing import apply_note
from .atomic import Stamp, read_file, remove, stamps, write_atomically
from .file import FileEntry, entry_text, read_entry

ENDING = ".json"
LOCK_TIMEOUT = 30.0
_IGNORED = "# made by muscle_mem\n.lock\n*.tmp\n"


class FolderStore:
    """Remembers in a folder, one JSON file a trajectory; see `muscle_mem.store.base.Store` for each method.

    The folder is made with its parents when something is first written. Safe to call from any thread, and from several
    processes of one machine. Each file is replaced whole and durably; a note that comes with a seal of *another*
    trajectory is written after it, so that a crash between the two loses the note. Blobs lie in the files of their
    users, not once for all. Files are looked at before every call, so the folder is for thousands of trajectories,
    not for millions. With a `signing_key`, bytes or a string of at least 16 bytes, digests are HMACs, and files written
    without it are refused like damaged ones.
    """

    __module__ = "muscle_mem.store.folder"

    def __init__(self, path: str | os.PathLike[str], *, signing_key: SigningKey | None = None) -> None:
        self._sign = signer(checked_key(signing_key))
        if not isinstance(path, str | os.PathLike):
            raise InvalidTypeError(f"A store's path is a string or a pathlib.Path, not {type(path).__name__}.")
        text = os.fsdecode(path)
        if not text or "\0" in text:
            raise InvalidValueError(f"{text!r} is not a path of a folder. Give the path of a folder.")
        self.path = os.path.realpath(text)
        if os.path.exists(self.path) and not os.path.isdir(self.path):
            raise StoreError(f"The store {self.path!r} is not a folder. Give the path of a folder for JSON files.")
        self.url = f"folder:///{self.path.replace(os.sep, '/')}"
        self._write_lock = WriteLock(os.path.join(self.path, ".lock"))
        self._timeout = AdaptiveTimeout(LOCK_TIMEOUT)
        self._closed = False
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

    # -- the contract

    def find(self, key: bytes) -> Found:
        with self._reading():
            return _found([entry for entry in self._ordered() if entry.key == key])

    def get(self, id: str) -> Stored | None:
        with self._reading():
            entry = self._entry_of(id)
            if entry is None:
                return None
            return self._ensure_intact(entry).stored()

    def seal(self, sealed: Sealed, observation: Observation, note: Note | None = None) -> int:
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
        if not notes:
            self._ensure_open()
            return
        with self._writing():
            for note in notes:
                self._note(note)

    def forget(self, ids: tuple[str, ...] | None = None) -> int:
        with self._writing():
            wanted = list(self._entries.values()) if ids is None else [self._entry_of(id) for id in dict.fromkeys(ids)]
            gone = 0
            for entry in wanted:
                if entry is not None:
                    remove(os.path.join(self.path, entry.name))
                    gone += 1
            return gone

    def scan(self, *, after: int | None = None, limit: int = 100) -> Found:
        with self._reading():
            ordered = self._ordered()
            page = [entry for entry in ordered if after is None or entry.seq < after]
            if limit <= 0:
                return Found()
            last = page[limit - 1].seq if len(page) >= limit else 0
            broken = [entry for entry in ordered if not entry.seq] if after is None else []
            return _found([entry for entry in page if entry.seq >= max(last, 1)] + broken)

    def version(self, key: bytes) -> int:  # noqa: ARG002 - one number serves all keys
        with self._reading():
            return self._generation

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._entries.clear()
            self._stamps.clear()

    # -- in step with the folder

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
                f"The store {self.path!r} cannot be used ({error.strerror or error}). Look at the folder's rights and "
                "at the space left on the disk."
            ) from error

    def _make_folder(self) -> None:
        if not os.path.isdir(self.path):
            os.makedirs(self.path, exist_ok=True)
        ignore = os.path.join(self.path, ".gitignore")
        if not os.path.exists(ignore):
            write_atomically(ignore, _IGNORED.encode())

    def _reload(self) -> None:
        """Read what has changed since the last look."""
        seen = stamps(self.path, ENDING)
        if seen == self._stamps:
            return
        for name in self._stamps.keys() - seen.keys():
            self._entries.pop(name, None)
        for name, stamp in seen.items():
            if self._stamps.get(name) != stamp:
                entry = read_entry(read_file(os.path.join(self.path, name)), self._sign)
                entry.name = name
                self._entries[name] = entry
                self._last = max(self._last, entry.seq)
        self._stamps = seen
        self._generation += 1
        self._renumber()

    def _renumber(self) -> None:
        """Two branches of a repository may have given one number twice: the later id is taken for the newer."""
        last = 0
        for entry in sorted(self._entries.values(), key=lambda one: (one.stored_seq, one.id)):
            if entry.stored_seq:
                entry.seq = last = max(entry.stored_seq, last + 1)
        self._last = max(self._last, last)

    def _ordered(self) -> list[FileEntry]:
        return sorted(self._entries.values(), key=lambda entry: (-entry.seq, entry.name))

    def _entry_of(self, id: str) -> FileEntry | None:
        return next((entry for entry in self._entries.values() if entry.id == id), None)

    # -- writing

    def _note(self, note: Note) -> None:
        entry = self._entry_of(note.id)
        if entry is None or entry.sealed is None or entry.standing is None:
            return  # unknown, or damaged: that is never overwritten
        changed = entry.copy()
        changed.standing = apply_note(entry.standing, note)
        self._write_entry(changed)

    def _write_entry(self, entry: FileEntry) -> None:
        entry.stored_seq = entry.seq
        write_atomically(os.path.join(self.path, entry.name), entry_text(entry, self._sign).encode())
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
            f"The store {self.path!r} holds a damaged file of trajectory {id}: {what}. It is not offered and was not "
            "overwritten; restore it, or forget it. If you changed it yourself: move it away, `muscle-mem forget` it, "
            "and `muscle-mem import` your version."
        )

    def _ensure_open(self) -> None:
        if self._closed:
            raise StoreError(f"The store {self.path!r} is closed. Make a new Engine or store to go on.")

    # -- forks

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
    """Whether two states of a trajectory differ in nothing but how often it was replayed, and when."""
    seen = [[(row.id, row.body, row.refresh) for _, row in stored.observations] for stored in (one, other)]
    was, now = one.standing, other.standing
    same_standing = (was.state, was.reason, was.held) == (now.state, now.reason, now.held)
    return one.sealed == other.sealed and same_standing and seen[0] == seen[1]
