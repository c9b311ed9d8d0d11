"""A check of the response of a web address."""

from __future__ import annotations

import hashlib
import inspect
import math
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from .._core.model.text import safe_repr
from .._core.tools.check import Check
from ..errors import InvalidTypeError, InvalidValueError
from .given import Looking, ask, capture_of, identity, need_callable

if TYPE_CHECKING:
    import urllib.request

TIMEOUT = 5.0
"""The default timeout in seconds."""

LIMIT = 10 << 20
"""The default limit of a body in bytes."""

CHUNK = 1 << 16

Snapshot = tuple[str, int, str]


def http_unchanged(
    url: str | Callable[..., str],
    *,
    timeout: float = TIMEOUT,
    limit: int = LIMIT,
    fetch: Callable[[str], Any] | None = None,
    **options: Any,
) -> Check:
    """Return a check that passes while a GET of an address has the same response.

    It compares the ETag or, without one, the bytes of the body. The check errors if the status is an error. The GET
    blocks an event loop, so use an async `fetch` there.

    Args:
        url: An address with http or https, or a function that returns one. It gets those of the tool's arguments that
            it names.
        timeout: The maximum time of the whole response in seconds. The check errors if it takes longer.
        limit: The maximum size of the body in bytes. The check errors if it is larger.
        fetch: Gets the address and returns the bytes or text in place of the GET, for example with credentials. It may
            be async.
        options: Options of `Check`, such as wait= and every=.

    Raises:
        InvalidTypeError: An argument has the wrong type.
        InvalidValueError: An argument has a value that is not allowed.
    """
    if isinstance(url, str):
        _require_web(url)
    else:
        need_callable("http_unchanged", "url", url)
    if fetch is not None:
        need_callable("http_unchanged", "fetch", fetch)
    if isinstance(timeout, bool) or not isinstance(timeout, int | float):
        raise InvalidTypeError(f"invalid http_unchanged(timeout=...): expected a number of seconds, got {timeout!r}")
    if not 0 < timeout < math.inf:
        raise InvalidValueError(f"invalid http_unchanged(timeout=...): expected seconds above 0, got {timeout!r}")
    if type(limit) is not int or limit < 1:
        raise InvalidValueError(f"invalid http_unchanged(limit=...): expected a number of bytes from 1, got {limit!r}")
    return _web_check(url, float(timeout), limit, fetch, None, options)


def _web_check(
    url: str | Callable[..., str],
    timeout: float,
    limit: int,
    fetch: Callable[[str], Any] | None,
    signature: inspect.Signature | None,
    options: dict[str, Any],
) -> Check:
    def look(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Looking:
        address = url if isinstance(url, str) else (yield ask(url, signature, args, kwargs))
        _require_web(address)
        if fetch is None:
            return get(address, timeout, limit)
        body = yield fetch(address)
        if not isinstance(body, str | bytes | bytearray):
            raise InvalidTypeError(
                f"http_unchanged failed: expected bytes or text from fetch=, got type {type(body).__name__}"
            )
        return _digest([body.encode("utf-8", "surrogatepass") if isinstance(body, str) else bytes(body)], limit)

    def compare(current: Snapshot, candidate: Snapshot) -> bool:
        return current == candidate

    def describe(current: Snapshot, candidate: Snapshot) -> tuple[str, str]:
        return _told(current), _told(candidate)

    def bind(found: inspect.Signature) -> Check:
        return _web_check(url, timeout, limit, fetch, found, options)

    where = url if isinstance(url, str) else None
    functions = (None if isinstance(url, str) else url, fetch)
    given = {**identity("http_unchanged", where, functions, options), "describe": describe, **options}
    return Check(capture_of(look, *functions), compare, bind=bind if signature is None else None, **given)


def get(address: str, timeout: float, limit: int) -> Snapshot:
    """Return the ETag of a GET, or the size and digest of its body.

    Args:
        address: The address.
        timeout: The maximum time in seconds.
        limit: The maximum size of the body in bytes.

    Raises:
        OSError: The request failed or took too long.
        InvalidValueError: The body is too large.
    """
    import urllib.error
    import urllib.request  # Few programs need it, and it loads slowly.

    deadline = time.monotonic() + timeout
    request = urllib.request.Request(address, headers={"User-Agent": "muscle-mem", "Accept": "*/*"})
    try:
        answered = _opener().open(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        with error:
            raise OSError(f"GET failed: expected a success status, got {error.code}: {error.msg}") from None
    with answered as response:
        tag = response.headers.get("ETag")
        if tag:
            return "etag", 0, str(tag)
        return _digest(_chunks(response, deadline, timeout), limit)


def _chunks(response: Any, deadline: float, timeout: float) -> Iterator[bytes]:
    while chunk := response.read1(CHUNK):
        yield chunk
        if time.monotonic() > deadline:
            raise TimeoutError(f"GET failed: expected the body within {timeout:g} s. Raise timeout=.")


def _digest(chunks: Any, limit: int) -> Snapshot:
    digest = hashlib.sha256()
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > limit:
            raise InvalidValueError(
                f"GET failed: expected at most {limit} bytes in the body, got more. Raise limit=, or pass fetch=."
            )
        digest.update(chunk)
    return "body", size, digest.hexdigest()


def _opener() -> urllib.request.OpenerDirector:
    """Return an opener for http and https only, after redirects as well."""
    import urllib.request

    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.UnknownHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPRedirectHandler,
        urllib.request.HTTPErrorProcessor,
        urllib.request.HTTPSHandler,
    ):
        opener.add_handler(handler())
    return opener


def _require_web(address: Any) -> None:
    if not isinstance(address, str):
        raise InvalidTypeError(f"http_unchanged failed: expected an address as text, got type {type(address).__name__}")
    try:
        parts = urlsplit(address)
        wrong = parts.scheme.lower() not in ("http", "https") or not parts.hostname
    except ValueError:
        wrong = True
    if wrong:
        raise InvalidValueError(
            f"http_unchanged failed: expected an address with http and https only, got {safe_repr(address, 60)}"
        )


def _told(snapshot: Snapshot) -> str:
    kind, size, value = snapshot
    return f"the ETag {safe_repr(value, 60)}" if kind == "etag" else f"{size} bytes, sha256 {value[:12]}"
