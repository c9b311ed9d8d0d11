"""Serving of the inspector on the loopback, and opening of a browser."""

from __future__ import annotations

import os
import socket
import sys
import tempfile
import webbrowser
from collections.abc import Iterable
from html import escape
from pathlib import Path

import uvicorn

from ..errors import StoreError
from ..store import Store
from .app import make_app
from .rules import ENTRY
from .session import Session

ADDRESS = "127.0.0.1"
_OPENING = (
    '<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0; url={url}"><title>Opening</title>\n'
)


class Serving:
    """An inspector that is bound to a port, and runs until it is stopped.

    It binds 127.0.0.1 alone; there is no option for another address.
    """

    def __init__(
        self,
        store: Store,
        *,
        port: int = 0,
        why_read_only: str = "",
        is_unverified: bool = False,
        allowed: Iterable[str] = (),
    ) -> None:
        """Bind the port.

        Args:
            store: The open store.
            port: The port, or 0 for a free one.
            why_read_only: Why there are no changes, or "".
            is_unverified: Whether the store's rows could not be verified.
            allowed: Names of hosts beside those of the loopback.

        Raises:
            StoreError: The port is not available.
        """
        self.session = Session()
        app = make_app(
            store,
            self.session,
            why_read_only=why_read_only,
            is_unverified=is_unverified,
            allowed=allowed,
            is_closing=lambda: self._server.should_exit,
        )
        self._socket = _bound(port)
        self.port: int = self._socket.getsockname()[1]
        self._file: Path | None = None
        self._server = uvicorn.Server(
            uvicorn.Config(
                app,
                http="h11",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_keep_alive=5,
                timeout_graceful_shutdown=1,
                limit_concurrency=100,
            )
        )

    @property
    def url(self) -> str:
        """The URL with the token, for one use."""
        return f"http://{ADDRESS}:{self.port}{ENTRY}?token={self.session.token}"

    def open(self) -> bool:
        """Open a browser, and return whether it was tried.

        It gets the name of a file that only this user can read, so that no token stands in a list of processes.
        """
        if sys.platform.startswith("linux") and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
            return False  # A browser for terminals would take over this one.
        handle, name = tempfile.mkstemp(prefix="muscle-mem-", suffix=".html")  # mode 0600
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(_OPENING.format(url=escape(self.url)))
        self._file = Path(name)
        self.session.on_entry = self._remove_file
        return webbrowser.open(self._file.as_uri())

    def run(self) -> None:
        """Answer requests until the process is interrupted or `stop` is called."""
        try:
            self._server.run(sockets=[self._socket])
        finally:
            self.close()

    def stop(self) -> None:
        """End `run` soon, from any thread."""
        self._server.should_exit = True

    def close(self) -> None:
        """Release the port, and remove the file for the browser."""
        self._socket.close()
        self._remove_file()

    def _remove_file(self) -> None:
        if self._file is not None:
            self._file.unlink(missing_ok=True)
            self._file = None


def _bound(port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        if sys.platform != "win32":
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((ADDRESS, port))
        made.listen(64)
    except OSError as error:
        made.close()
        raise StoreError(f"port {port} of {ADDRESS} is not available: {error.strerror}. Pass --port 0.") from error
    return made
