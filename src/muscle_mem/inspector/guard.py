"""Guard around the pages: the rules for requests, and the headers of answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from html import escape
from typing import Any
from urllib.parse import parse_qsl

from .rules import ENTRY, Asked, Refused, asked, form_refusal, is_entry, refusal
from .session import Session

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

MOST_FORM_BYTES = 65_536
MOST_FIELDS = 50
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# With `no-referrer` a browser sends `Origin: null` with a form, which the rules refuse. `same-origin` sends no referrer
# to others, and the true origin to us. The entry page has a token in its URL and no form.
HEADERS = {
    "content-security-policy": CSP,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "x-frame-options": "DENY",
}
ENTRY_HEADERS = HEADERS | {"referrer-policy": "no-referrer"}

_PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title>{more}</head>
<body><h1>{title}</h1><p>{text}</p></body>
</html>
"""


class Guard:
    """An ASGI application that answers only what the rules allow."""

    def __init__(self, app: App, session: Session, allowed: Iterable[str] = ()) -> None:
        self._app = app
        self._session = session
        self._allowed = frozenset(name.lower() for name in allowed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            return
        request = asked(scope)
        refused = refusal(request, self._session, self._allowed)
        if refused is not None:
            await _answer(send, request, refused)
        elif is_entry(request):
            await self._enter(request, send)
        else:
            await self._go_on(request, scope, receive, send)

    async def _go_on(self, request: Asked, scope: Scope, receive: Receive, send: Send) -> None:
        if request.method == "POST":
            form = await _form(receive)
            refused = form if isinstance(form, Refused) else form_refusal(form, self._session)
            if refused is not None:
                await _answer(send, request, refused)
                return
            scope.setdefault("state", {})["form"] = form
        await self._app(scope, receive, _with_headers(send))

    async def _enter(self, request: Asked, send: Send) -> None:
        """Exchange the token for the cookie, by a page that goes on by itself.

        After a redirect from another site, a browser would not send the cookie, which is for requests of this site.
        """
        if not self._session.exchange(request.argument("token")):
            text = (
                "This link was already used, or belongs to another inspector. If it was you, go on to the "
                '<a href="/">overview</a>. Otherwise, run <code>muscle-mem inspect</code> again.'
            )
            await _send_page(send, 403, "Not allowed", text, ENTRY_HEADERS)
            return
        more = '<meta http-equiv="refresh" content="0; url=/">'
        headers = ENTRY_HEADERS | {"set-cookie": self._session.set_cookie}
        await _send_page(send, 200, "muscle_mem inspector", '<a href="/">Go on</a>', headers, more)


async def _form(receive: Receive) -> dict[str, str] | Refused:
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return Refused(400, "the form was not sent to its end")
        body += message.get("body", b"")
        if len(body) > MOST_FORM_BYTES:
            return Refused(413, f"a form must have at most {MOST_FORM_BYTES} bytes")
        if not message.get("more_body", False):
            break
    try:
        return dict(parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=MOST_FIELDS))
    except ValueError:  # UnicodeDecodeError is one, too.
        return Refused(400, "the form cannot be read: expected UTF-8 and few fields")


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            names = {name.encode() for name in HEADERS}
            kept = [(name, value) for name, value in message.get("headers", ()) if name.lower() not in names]
            message["headers"] = [*kept, *_raw(HEADERS)]
        await send(message)

    return sending


def _raw(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in headers.items()]


async def _answer(send: Send, request: Asked, refused: Refused) -> None:
    headers = ENTRY_HEADERS if request.path == ENTRY else HEADERS
    if refused.status == 405:
        headers = headers | {"allow": "GET, HEAD, POST"}
    await _send_page(send, refused.status, "Not allowed", escape(refused.why) + ".", headers)


async def _send_page(send: Send, status: int, title: str, text: str, headers: dict[str, str], more: str = "") -> None:
    """Send a small page without style; `text` and `more` are HTML."""
    body = _PAGE.format(title=title, text=text, more=more).encode()
    given = headers | {"content-type": "text/html; charset=utf-8", "content-length": str(len(body))}
    await send({"type": "http.response.start", "status": status, "headers": _raw(given)})
    await send({"type": "http.response.body", "body": body})
