"""Recordings of one test: staged while it runs, published when it passes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from .._core.model.reason import Mode
from .._engine.engine import Engine
from ..errors import InvalidValueError
from ..store.base import Standing, Stored
from ..store.folder.atomic import read_file, remove, write_atomically
from ..store.folder.file import FileEntry, entry_text, read_entry
from ..store.folder.store import ENDING, FolderStore, unchanged

RECORD_MODES: Final = ("none", "once", "new_episodes", "all")
SECRET_NAMES: Final = (
    "password",
    "passwd",
    "passphrase",
    "secret",
    "client_secret",
    "token",
    "access_token",
    "refresh_token",
    "id_token",
    "auth_token",
    "authorization",
    "api_key",
    "apikey",
    "private_key",
    "credentials",
    "cookie",
    "cookies",
)


class Recording:
    """Value of the pytest fixture `muscle_mem_recording`: engines for one test.

    The attribute `store` is the store of this test's engines, and `engine_mode` is the mode of such an engine. What the
    engines record reaches `folder` only if the test passes.

    Args:
        folder: The folder with the recordings of this test.
        staging: A folder for the recordings while the test runs.
        mode: One of none, once, new_episodes and all.
        secret_names: The names of tool arguments whose values are never recorded.

    Raises:
        InvalidValueError: `mode` has another value.
    """

    def __init__(self, folder: Path, staging: Path, mode: str, secret_names: Iterable[str] = SECRET_NAMES) -> None:
        if mode not in RECORD_MODES:
            raise InvalidValueError(
                f"mode=: expected one of {', '.join(RECORD_MODES)}, got {mode!r}. Pass one of these."
            )
        self.folder = folder
        self.mode = mode
        self.secret_names = frozenset(secret_names)
        self._staging = staging
        self._undo: list[Callable[[], None]] = []
        if mode != "all":
            _copy(folder, staging)
        there = any(path.suffix == ENDING for path in staging.iterdir()) if staging.is_dir() else False
        self.engine_mode: Mode = _engine_mode(mode, there=there)
        self.store = FolderStore(staging)

    def engine(self, **options: Any) -> Engine:
        """Return an engine for this test, which is closed when the test ends.

        Args:
            options: The options of `Engine`, without the store.
        """
        made = Engine(self.store, **{"mode": self.engine_mode, **options})
        made._runtime.tools.secret_names = self.secret_names
        self._undo.append(made._runtime.library.flush)
        return made

    def use(self, engine: Engine) -> Engine:
        """Make an existing engine use this test's folder until the test ends.

        Call this before the test calls the engine, and not while another thread calls it.

        Args:
            engine: The engine, with its tools.

        Returns:
            The same engine.
        """
        runtime = engine._runtime
        library, tools = runtime.library, runtime.tools
        library.flush()
        was = library.store, runtime.mode, tools.secret_names
        secrets = [(tool, tool.secret) for tool in tools]

        def give_back() -> None:
            library.flush()
            library.store, runtime.mode, tools.secret_names = was
            for tool, names in secrets:
                tool.secret = names
            tools.version += 1  # Discards what the engine read from the other store.

        self._undo.append(give_back)
        library.store, runtime.mode, tools.secret_names = self.store, self.engine_mode, self.secret_names
        for tool, names in secrets:
            tool.secret = names | self.secret_names
        tools.version += 1
        return engine

    def settle(self, *, passed: bool) -> None:
        """Restore the engines, and publish their recordings if the test passed.

        Args:
            passed: True if the test passed.
        """
        for undo in reversed(self._undo):
            undo()
        self._undo.clear()
        self.store.close()
        if passed and self.engine_mode != "replay":
            _publish(self._staging, self.folder, replace_all=self.mode == "all")
        shutil.rmtree(self._staging, ignore_errors=True)


def _engine_mode(mode: str, *, there: bool) -> Mode:
    if mode == "none" or (mode == "once" and there):
        return "replay"
    return "record" if mode == "all" else "auto"


def _copy(folder: Path, staging: Path) -> None:
    staging.mkdir(parents=True, exist_ok=True)
    if folder.is_dir():
        for path in folder.iterdir():
            if path.suffix == ENDING:
                shutil.copyfile(path, staging / path.name)


def _publish(staging: Path, folder: Path, *, replace_all: bool) -> None:
    """Publish the staged recordings to the folder, and remove all others.

    A file is not rewritten if only the counts of its trajectory changed.
    """
    staged = _entries(staging)
    there = _entries(folder)
    if staged and not folder.is_dir():
        folder.mkdir(parents=True)
    for name, entry in staged.items():
        known = there.get(name)
        if known is None or not _is_same_entry(known, entry):
            write_atomically(os.fspath(folder / name), _text_without_counts(entry, staging / name))
    if replace_all and not staged:  # A run that recorded nothing must not remove the recordings.
        return
    for name in there.keys() - staged.keys():
        remove(os.fspath(folder / name))


def _entries(folder: Path) -> dict[str, FileEntry]:
    paths = sorted(folder.iterdir()) if folder.is_dir() else []
    return {path.name: read_entry(read_file(os.fspath(path))) for path in paths if path.suffix == ENDING}


def _stored(entry: FileEntry) -> Stored | None:
    return entry.stored() if entry.sealed is not None and entry.standing is not None else None


def _is_same_entry(one: FileEntry, other: FileEntry) -> bool:
    was, now = _stored(one), _stored(other)
    if was is None or now is None:
        return was is now
    return unchanged(was, now)


def _text_without_counts(entry: FileEntry, path: Path) -> bytes:
    """Return the file of an entry without counts, which would change with each run."""
    if entry.standing is None:
        return read_file(os.fspath(path))
    known = entry.standing
    entry.standing = Standing(state=known.state, reason=known.reason, held=known.held, strikes=known.strikes)
    return entry_text(entry).encode()
