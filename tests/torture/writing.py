"""Writers that may be killed: each goes on where the log of its last life ends."""

from __future__ import annotations

import time
from pathlib import Path

from muscle_mem.store import SqliteStore

from .figures import Figures
from .history import DONE, Log, dump_file, judge, read_log, read_logs
from .tampering import switched_off
from .work import KEYS, SHARED, fits, fresh_id, own_id, plan, write_on

STORE = "store.db"
PATIENCE = 60.0  # seconds; nobody waits so long, unless a lock outlives its holder


class Writer:
    """A writer's lives: a name, a folder with the store and the logs, and a rule that is switched off."""

    def __init__(self, folder: Path, name: str, rule: str = "", settings: tuple[str, ...] = ()) -> None:
        self.folder = folder
        self.name = name
        self.lives = 0
        self._rule = rule
        self._settings = settings
        self._log = folder / "none"

    def be_born(self) -> None:
        """In the parent, before each life."""
        self._start = self.next()
        self._log = self.folder / f"{self.name}.{self.lives:05}.log"
        self.lives += 1

    def next(self) -> int:
        """The number of the first deed that was not acknowledged."""
        done = {(verb, item) for what, verb, item in read_log(self._log) if what == DONE}
        n = getattr(self, "_start", 0)
        while plan(self.name, n) in done:
            n += 1
        return n

    def await_deed(self, seconds: float) -> None:
        """In the parent: until this life has begun with something, or so long."""
        give_up = time.monotonic() + seconds
        while time.monotonic() < give_up and not (self._log.exists() and self._log.stat().st_size):
            time.sleep(0.001)

    def live(self, end: int = 1_000_000) -> None:
        """In the child: open the store and work, from the deed that was under way when the last life ended."""
        with switched_off(self._rule, self._settings):
            store = SqliteStore(self.folder / STORE, busy_timeout=PATIENCE)
            log = Log(self._log)
            write_on(store, log, self.name, self._start, end, fresh_id if self._rule == "own ids" else own_id)
            store.close()
            log.close()


def verdict(folder: Path) -> Figures:
    """What the store in a folder owes to the logs in it. A store that cannot be opened has lost everything."""
    events = read_logs(folder)
    if not events and not (folder / STORE).exists():
        return Figures()
    return judge(events, dump_file(folder / STORE, KEYS), fits, SHARED)
