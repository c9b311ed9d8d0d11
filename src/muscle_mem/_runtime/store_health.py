"""The health of the store: failures are counted and reported, and so is recovery."""

from __future__ import annotations

import threading
import weakref

from .._core.model.text import long_repr
from .._events import StoreEvent, log_event
from .._forks import ForkSafeLock, register_for_forks
from ..errors import StoreError
from .reporter import Reporter


class StoreHealthMonitor(ForkSafeLock):
    """The consecutive failures of each operation of the store.

    It does not keep the engine alive. Events after the reporter was garbage-collected go to the log.

    Attributes:
        failures: The number of failures of each operation since it last succeeded. It is empty for a healthy store.
        last_error: The last failed operation and its message.
    """

    def __init__(self, reporter: Reporter) -> None:
        self.failures: dict[str, int] = {}
        self.last_error = ""
        self._reporter = weakref.ref(reporter)
        self._lock = threading.Lock()
        register_for_forks(self)

    def failed(self, operation: str, error: BaseException) -> None:
        """Note a failed operation, and report the 1st, 10th, 100th failure and so on."""
        message = str(error) or repr(error)
        with self._lock:
            times = self.failures[operation] = self.failures.get(operation, 0) + 1
            self.last_error = f"{operation}: {message}"
        if str(times).strip("0") == "1":
            again = f"{times} consecutive failures: " if times > 1 else ""
            self._report(StoreEvent(operation, again + message, error))
        else:
            self._count()

    def succeeded(self, operation: str) -> None:
        """Note a successful operation, and report its recovery if it had failed before."""
        if operation not in self.failures:
            return
        with self._lock:
            times = self.failures.pop(operation, 0)
        if times:
            message = f"store operation {operation!r} recovered after {times} failures"
            self._report(StoreEvent(operation, message, None, "info"), is_counted=False)

    def corrupted(self, message: str) -> None:
        """Report that the store works and contains damaged data."""
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
    return StoreError(f"the store failed with on_store_error='raise', and {what}: {str(error) or long_repr(error)}")
