"""The session of one inspector: its tokens and its cookie."""

from __future__ import annotations

import hmac
import secrets
import threading
from collections.abc import Callable

BYTES = 32


class Session:
    """The secrets of one process.

    The first browser that presents the token gets the cookie. Cookies apply to all ports of a host, so the name of the
    cookie is different in each process: two inspectors in one browser do not overwrite each other's cookies.
    """

    def __init__(self) -> None:
        self.cookie_name = f"muscle_mem_{secrets.token_hex(8)}"
        self.csrf = secrets.token_urlsafe(BYTES)
        self._token: str | None = secrets.token_urlsafe(BYTES)
        self._cookie = secrets.token_urlsafe(BYTES)
        self._lock = threading.Lock()
        self.on_entry: Callable[[], None] | None = None

    @property
    def token(self) -> str:
        """The token of the entry page; an empty text once it is used."""
        return self._token or ""

    def exchange(self, given: str) -> bool:
        """Use up the token. Return False for another token, or the second time."""
        with self._lock:
            if self._token is None or not _equal(given, self._token):
                return False
            self._token = None
        if self.on_entry is not None:
            self.on_entry()
        return True

    @property
    def set_cookie(self) -> str:
        """The header that gives the cookie to a browser."""
        return f"{self.cookie_name}={self._cookie}; Path=/; HttpOnly; SameSite=Strict"

    def is_cookie(self, name: str, value: str) -> bool:
        """Return whether a cookie is that of this session.

        Args:
            name: The name of the cookie.
            value: Its value.
        """
        return name == self.cookie_name and _equal(value, self._cookie)

    def is_csrf(self, given: str) -> bool:
        """Return whether a form has the token of this session's pages."""
        return _equal(given, self.csrf)


def _equal(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "surrogatepass"), other.encode("utf-8", "surrogatepass"))
