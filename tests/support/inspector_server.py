"""An inspector that serves a store in a thread, and requests to it, as the tests of the inspector share them."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.parse import urlencode

from muscle_mem.inspector.serving import Serving
from muscle_mem.store import Store

FORM = "application/x-www-form-urlencoded"


class Answer(NamedTuple):
    """What a server answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


class Client:
    """A browser of the simplest kind: it has a cookie, and says where it comes from."""

    def __init__(self, serving: Serving) -> None:
        self.serving = serving
        self.host = f"127.0.0.1:{serving.port}"
        self.cookie = ""

    def enter(self) -> Answer:
        """Exchange the token for the cookie."""
        found = self.ask("GET", "/enter?token=" + self.serving.session.token, cookie="")
        self.cookie = found.headers["set-cookie"].split(";")[0]
        return found

    def ask(
        self,
        method: str,
        path: str,
        fields: Mapping[str, str] | None = None,
        *,
        body: bytes | None = None,
        host: str | None = None,
        cookie: str | None = None,
        csrf: bool = True,
        kind: str | None = FORM,
        **headers: str,
    ) -> Answer:
        """Send a request. A header of `headers` is named with underscores, and "" leaves it out."""
        given: list[tuple[str, str]] = [("Host", self.host if host is None else host)]
        if method not in ("GET", "HEAD"):
            headers.setdefault("origin", f"http://{given[0][1]}")
            sent = dict(fields or {})
            if csrf:
                sent.setdefault("csrf", self.serving.session.csrf)
            body = urlencode(sent).encode() if body is None else body
            if kind is not None:
                given.append(("Content-Type", kind))
            given.append(("Content-Length", str(len(body))))
        cookie = self.cookie if cookie is None else cookie
        if cookie:
            given.append(("Cookie", cookie))
        given += [(name.replace("_", "-"), value) for name, value in headers.items() if value]
        return self.raw(method, path, given, body)

    def raw(self, method: str, path: str, headers: list[tuple[str, str]], body: bytes | None = None) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.serving.port, timeout=30)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in headers:
                connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            found = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, found, answer.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, **headers)

    def post(self, path: str, **fields: str) -> Answer:
        return self.ask("POST", path, fields)


@contextmanager
def served(store: Store, **options: Any) -> Iterator[Client]:
    """Serve a store, and enter."""
    serving = Serving(store, **options)
    thread = threading.Thread(target=serving.run, daemon=True)
    thread.start()
    client = Client(serving)
    try:
        client.enter()
        yield client
    finally:
        serving.stop()
        thread.join(10)
        assert not thread.is_alive()
