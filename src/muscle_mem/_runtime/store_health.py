"""The state of the store: failures are counted, and reported at their beginning, as they repeat, and at their end."""

from __future__ import annotations

import threading
import weakref

from .._core.model.text import long_repr
from .._events import StoreEvent, log_event
from .._forks import ForkSafeLock, register_for_forks
from ..errors import StoreError
from .reporter import Reporter


class StoreHealthMonitor(ForkSafeLock):
    """`failures` has for each operation that fails how often it did since it last went well; empty is a healthy store.

    Keeps no engine alive: what is reported after the reporter's end goes to the log.
    """

    def __init__(self, reporter: Reporter) -> None:
        self.failures: dict[str, int] = {}
        self.last_error = ""
        self._reporter = weakref.ref(reporter)
        self._lock = threading.Lock()
        register_for_forks(self)

    def failed(self, operation: str, error: BaseException) -> None:
        """An operation of the store failed. Told the first time, the tenth, the hundredth, and so on."""
        message = str(error) or repr(error)
        with self._lock:
            times = self.failures[operation] = self.failures.get(operation, 0) + 1
            self.last_error = f"{operation}: {message}"
        if str(times).strip("0") == "1":
            again = f"{times} times in a row by now: " if times > 1 else ""
            self._report(StoreEvent(operation, again + message, error))
        else:
            self._count()

    def succeeded(self, operation: str) -> None:
        """An operation went well; its recovery is reported, if it had failed before."""
        if operation not in self.failures:
            return
        with self._lock:
            times = self.failures.pop(operation, 0)
        if times:
            message = f"the store does it again, after {times} failures"
            self._report(StoreEvent(operation, message, None, "info"), is_counted=False)

    def corrupted(self, message: str) -> None:
        """The store answers, and holds something damaged."""
        self._report(StoreEvent("damaged", message))

    def _count(self) -> None:
        reporter = self._reporter()
        if reporter is not None:
            reporter.count("store_errors")

    def _report(self, event: StoreEvent, *, is_counted: bool = True) -> None:
        reporter = self._reporter()
        if reporter is None:
            log_event(event)
            return
        if is_counted:
            reporter.count("store_errors")
        reporter.emit(event)


def as_store_error(error: Exception, what: str) -> StoreError:
    """Return the error to raise under on_store_error="raise"."""
    return StoreError(f"the store failed and on_store_error='raise', so {what}: {str(error) or long_repr(error)}")
