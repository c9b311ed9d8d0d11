"""What a web address answers: unchanged by its ETag, or by a digest of its body."""

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

TIMEOUT = 5.0  # seconds
LIMIT = 10 << 20  # bytes
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
    """Passes while a GET of `url` is answered as when recorded: with the same ETag or, without one, the same bytes.

    `url` is an address with http or https, or a function of those of the tool's arguments that it names that returns
    one. It must be answered within `timeout` seconds and with at most `limit` bytes, or the check cannot decide; nor
    can it if the status is an error. `fetch` gets the address and returns the bytes or text in our stead, for addresses
    that ask for credentials; it may be async, while our own GET keeps an event loop waiting. Raises InvalidTypeError
    or InvalidValueError for misuse.
    """
    if isinstance(url, str):
        _require_web(url)
    else:
        need_callable("http_unchanged", "url", url)
    if fetch is not None:
        need_callable("http_unchanged", "fetch", fetch)
    if isinstance(timeout, bool) or not isinstance(timeout, int | float):
        raise InvalidTypeError(f"http_unchanged(timeout=...) must be a number of seconds, got {timeout!r}")
    if not 0 < timeout < math.inf:
        raise InvalidValueError(f"http_unchanged(timeout=...) must be above 0 seconds, got {timeout!r}")
    if type(limit) is not int or limit < 1:
        raise InvalidValueError(f"http_unchanged(limit=...) must be a number of bytes from 1 on, got {limit!r}")
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
            raise InvalidTypeError(f"fetch must return bytes or text, got {type(body).__name__}")
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
    """The ETag that a GET is answered with, or the size and digest of the body. Raises OSError or InvalidValueError."""
    import urllib.error
    import urllib.request  # takes a while to load, and few need it

    deadline = time.monotonic() + timeout
    request = urllib.request.Request(address, headers={"User-Agent": "muscle-mem", "Accept": "*/*"})
    try:
        answered = _opener().open(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        with error:
            raise OSError(f"the server answered {error.code}: {error.msg}") from None
    with answered as response:
        tag = response.headers.get("ETag")
        if tag:
            return "etag", 0, str(tag)
        return _digest(_chunks(response, deadline, timeout), limit)


def _chunks(response: Any, deadline: float, timeout: float) -> Iterator[bytes]:
    while chunk := response.read1(CHUNK):
        yield chunk
        if time.monotonic() > deadline:
            raise TimeoutError(f"the body did not come within {timeout:g} s")


def _digest(chunks: Any, limit: int) -> Snapshot:
    digest = hashlib.sha256()
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > limit:
            raise InvalidValueError(
                f"the body has more than {limit} bytes; give a higher limit=, or fetch= a part of it"
            )
        digest.update(chunk)
    return "body", size, digest.hexdigest()


def _opener() -> urllib.request.OpenerDirector:
    """Opens nothing but http and https, also where a redirect leads elsewhere."""
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
        raise InvalidTypeError(f"http_unchanged needs an address as text, got {type(address).__name__}")
    try:
        parts = urlsplit(address)
        wrong = parts.scheme.lower() not in ("http", "https") or not parts.hostname
    except ValueError:
        wrong = True
    if wrong:
        raise InvalidValueError(f"http_unchanged looks at http and https addresses only, got {safe_repr(address, 60)}")


def _told(snapshot: Snapshot) -> str:
    kind, size, value = snapshot
    return f"the ETag {safe_repr(value, 60)}" if kind == "etag" else f"{size} bytes, sha256 {value[:12]}"
