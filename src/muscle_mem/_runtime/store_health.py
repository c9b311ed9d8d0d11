"""How the store is doing: its troubles are counted, and told when they begin, as they pile up, and when they end."""

from __future__ import annotations

import threading
import weakref

from .._core.model.text import retold
from .._events import StoreEvent, log_event
from .._forks import Brief, watch
from ..errors import StoreError
from .reporter import Teller


class Health(Brief):
    """`since` has for each operation that fails how often it did since it last went well; empty is a healthy store.

    Keeps no engine alive: what is told after the teller's end goes to the log.
    """

    def __init__(self, teller: Teller) -> None:
        self.since: dict[str, int] = {}
        self.last = ""
        self._teller = weakref.ref(teller)
        self._lock = threading.Lock()
        watch(self)

    def trouble(self, operation: str, error: BaseException) -> None:
        """An operation of the store failed. Told the first time, the tenth, the hundredth, and so on."""
        message = str(error) or repr(error)
        with self._lock:
            times = self.since[operation] = self.since.get(operation, 0) + 1
            self.last = f"{operation}: {message}"
        if str(times).strip("0") == "1":
            again = f"{times} times in a row by now: " if times > 1 else ""
            self._tell(StoreEvent(operation, again + message, error))
        else:
            self._count()

    def fine(self, operation: str) -> None:
        """An operation went well; the end of its trouble is told, if it had been in any."""
        if operation not in self.since:
            return
        with self._lock:
            times = self.since.pop(operation, 0)
        if times:
            message = f"the store does it again, after {times} failures"
            self._tell(StoreEvent(operation, message, None, "info"), counted=False)

    def damage(self, message: str) -> None:
        """The store answers, and holds something damaged."""
        self._tell(StoreEvent("damaged", message))

    def _count(self) -> None:
        teller = self._teller()
        if teller is not None:
            teller.count("store_errors")

    def _tell(self, event: StoreEvent, *, counted: bool = True) -> None:
        teller = self._teller()
        if teller is None:
            log_event(event)
            return
        if counted:
            teller.count("store_errors")
        teller.emit(event)


def as_store_error(error: Exception, what: str) -> StoreError:
    """The error that a user gets who asked to be told of the store's trouble."""
    return StoreError(f"the store failed and on_store_error='raise', so {what}: {str(error) or retold(error)}")
