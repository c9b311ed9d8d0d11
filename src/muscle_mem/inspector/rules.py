"""Which requests are answered, decided from the request alone."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from .session import Session

ENTRY = "/enter"
LOOPBACK_NAMES = frozenset(("127.0.0.1", "localhost", "[::1]"))
FORM = "application/x-www-form-urlencoded"
READING = ("GET", "HEAD")
FETCH_SITES = ("none", "same-origin")
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{1,5})?")


class Asked(msgspec.Struct, frozen=True):
    """A request: what the rules look at."""

    method: str
    path: str
    query: str
    headers: Mapping[str, tuple[str, ...]]
    scheme: str = "http"

    def only(self, name: str) -> str | None:
        """Return the value of a header; None if it is absent, "" if there are several."""
        found = self.headers.get(name, ())
        return None if not found else found[0] if len(found) == 1 else ""

    def cookies(self) -> Iterator[tuple[str, str]]:
        """Yield names and values of all cookies."""
        for header in self.headers.get("cookie", ()):
            for pair in header.split(";"):
                name, _, value = pair.partition("=")
                yield name.strip(), value.strip()

    def argument(self, name: str) -> str:
        """Return an argument of the query, or ""."""
        return next((value for key, value in parse_qsl(self.query, max_num_fields=100) if key == name), "")


class Refused(msgspec.Struct, frozen=True):
    """A request that is not answered: the status, and a sentence for the person."""

    status: int
    why: str


def asked(scope: Mapping[str, Any]) -> Asked:
    """Return the request of an ASGI scope."""
    headers: dict[str, tuple[str, ...]] = {}
    for name, value in scope["headers"]:
        key = name.decode("latin-1").lower()
        headers[key] = (*headers.get(key, ()), value.decode("latin-1"))
    query = scope.get("query_string", b"").decode("latin-1")
    return Asked(scope["method"].upper(), scope["path"], query, headers, scope.get("scheme", "http"))


def host_name(host: str | None) -> str | None:
    """Return the name in a Host header, in lower case; None if it is not valid."""
    found = _HOST.fullmatch(host.lower()) if host else None
    return found[1] if found else None


def is_entry(request: Asked) -> bool:
    """Return whether a request brings the token of the entry page."""
    return request.method == "GET" and request.path == ENTRY and bool(request.argument("token"))


def refusal(request: Asked, session: Session, allowed: Iterable[str] = ()) -> Refused | None:
    """Return why a request is not answered, or None.

    The token of a form is not in the headers; see `form_refusal`.

    Args:
        request: The request.
        session: The session of this inspector.
        allowed: Names of hosts beside those of the loopback.
    """
    host = request.only("host")
    if host_name(host) not in LOOPBACK_NAMES | set(allowed):
        return Refused(403, "the name of the host is not that of this machine. Use the printed URL, or --allow-host")
    if request.method not in (*READING, "POST"):
        return Refused(405, f"the method {request.method} is not allowed")
    origin = request.only("origin")
    if origin is None and request.method not in READING:
        return Refused(403, "a change must name its origin")
    if origin is not None and origin.lower() != f"{request.scheme}://{host}".lower():
        return Refused(403, "the request comes from another origin")
    if is_entry(request):
        return None
    site = request.only("sec-fetch-site")
    if site is not None and site not in FETCH_SITES:
        return Refused(403, "the request comes from another site. Type the address, or use a link of these pages")
    if not any(session.is_cookie(name, value) for name, value in request.cookies()):
        return Refused(403, "this browser has no session here. Run `muscle-mem inspect` again, and open the URL")
    if request.method == "POST" and media_type(request) != FORM:
        return Refused(415, f"a change must be sent as {FORM}")
    return None


def media_type(request: Asked) -> str:
    """Return the media type of a request's body, without parameters."""
    return (request.only("content-type") or "").partition(";")[0].strip().lower()


def form_refusal(form: Mapping[str, str], session: Session) -> Refused | None:
    """Return why a form is not accepted, or None.

    Args:
        form: The fields of the form.
        session: The session of this inspector.
    """
    if session.is_csrf(form.get("csrf", "")):
        return None
    return Refused(403, "the form does not come from a page of this session. Load the page again")
