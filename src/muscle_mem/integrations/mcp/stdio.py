"""A server that is a process: frames are lines on its standard input and output."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence

GRACE_SECONDS = 2.0


class StartError(Exception):
    """A server that cannot be started."""


class LineWriter:
    """Writes whole lines to a file descriptor, from any thread."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._lock = threading.Lock()

    def write(self, line: bytes) -> None:
        """Write a line. Raises OSError if the other end is closed."""
        with self._lock:
            written = os.write(self._fd, line)
            while written < len(line):
                written += os.write(self._fd, line[written:])


class ProcessServer:
    """A server that the gateway starts, in a new process group.

    Args:
        command: The command and its arguments.
        environment: Its environment.
        on_line: Gets each line of its output.
        on_end: Gets the reason when its output has ended.
    """

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        on_line: Callable[[bytes], None],
        on_end: Callable[[str], None],
    ) -> None:
        self._command = list(command)
        self._environment = dict(environment)
        self._on_line = on_line
        self._on_end = on_end
        self._process: subprocess.Popen[bytes] | None = None
        self._writer: LineWriter | None = None
        self._reader = threading.Thread(target=self._read, name="muscle_mem server", daemon=True)

    def start(self) -> None:
        """Start the process. Raises StartError."""
        try:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=self._environment,
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            raise StartError(
                f"the server cannot be started: {self._command[0]!r}: {why}. Correct the command after `--`, or "
                "install the server."
            ) from error
        assert self._process.stdin is not None
        self._writer = LineWriter(self._process.stdin.fileno())
        self._reader.start()

    def send(self, line: bytes) -> None:
        """Send a line. One for a server that has ended is dropped."""
        assert self._writer is not None
        try:
            self._writer.write(line)
        except (OSError, ValueError):
            pass  # The reader sees the end, and answers what is outstanding.

    def _read(self) -> None:
        process = self._process
        assert process is not None
        assert process.stdout is not None
        try:
            for line in process.stdout:
                self._on_line(line)
        except (OSError, ValueError):  # Closed from the other thread.
            pass
        self._on_end(self._reason(process))

    @staticmethod
    def _reason(process: subprocess.Popen[bytes]) -> str:
        try:
            code = process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            return "the server has closed its output"
        if code < 0:
            return f"the server has ended: killed by {signal.Signals(-code).name}"
        return f"the server has ended: exit code {code}"

    def close(self) -> None:
        """End the process by the end of its input, then by signals."""
        process = self._process
        if process is None:
            return
        assert process.stdin is not None
        try:
            process.stdin.close()
        except OSError:
            pass
        for stop in (None, signal.SIGTERM, signal.SIGKILL):
            if stop is not None:
                _signal_group(process.pid, stop)
            try:
                process.wait(GRACE_SECONDS)
                break
            except subprocess.TimeoutExpired:
                continue
        _signal_group(process.pid, signal.SIGKILL)  # What it has left behind.
        self._reader.join(GRACE_SECONDS)


def _signal_group(pid: int, stop: signal.Signals) -> None:
    try:
        os.killpg(pid, stop)
    except (OSError, PermissionError):
        pass
