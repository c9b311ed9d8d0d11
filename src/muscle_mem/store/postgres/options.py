"""Parsing of a PostgreSQL URL into options for libpq and options of the store."""

from __future__ import annotations

import math
import re
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import msgspec
import psycopg
from psycopg.conninfo import conninfo_to_dict

from ...errors import InvalidTypeError, InvalidValueError
from ..naming import is_postgres, without_secrets

KNOWN = ("mm_schema", "mm_timeout", "mm_connections", "mm_pooling", "mm_notify", "mm_read")
SWITCH = ("off", "on")
POOLING = ("auto", "session", "transaction")
SECRETS = ("password", "sslpassword", "oauth_client_secret")

# Defaults for what the URL does not set. Without them, calls could wait for a dead peer.
DEADLINES: dict[str, str] = {
    "connect_timeout": "5",
    "keepalives": "1",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "20000",
    "application_name": "muscle_mem",
}


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """The options in a URL.

    `conninfo` is for libpq and has the secrets. `url` is for messages and has none. `timeout` is the deadline of one
    operation in seconds. `connections` is the maximum number of connections of a process, with the one that watches for
    changes. `pooling` is the kind of proxy before the server: "transaction" lends a server for one transaction at a
    time. `notify` announces changes with NOTIFY. `read` is the host and port of a replica, or ("", 0).
    """

    conninfo: dict[str, Any]
    url: str
    schema: str = "muscle_mem"
    timeout: float = 10.0
    connections: int = 2
    pooling: str = "auto"
    notify: bool = False
    read: tuple[str, int] = ("", 0)

    def __repr__(self) -> str:
        return f"Options({self.url!r})"


def parse(url: str) -> Options:
    """Return the options in a URL. Messages contain no password.

    Raises InvalidTypeError or InvalidValueError.
    """
    if not isinstance(url, str):
        raise InvalidTypeError(f"invalid url=: expected the URL of a PostgreSQL store, got {type(url).__name__}")
    _, _, rest = url.partition("://")
    if not is_postgres(url) or "\0" in url:
        raise InvalidValueError(
            f"invalid url=: expected the URL of a PostgreSQL store, got {without_secrets(url)!r}. Write "
            "'postgresql://user@host/database'."
        )
    location, mark, query = rest.partition("?")
    ours: dict[str, str] = {}
    theirs: list[str] = []
    for part in query.split("&") if mark else []:
        pairs = parse_qsl(part, keep_blank_values=True)
        if pairs and pairs[0][0].startswith("mm_"):
            ours[pairs[0][0]] = pairs[0][1]
        elif part:
            theirs.append(part)
    plain = f"postgresql://{location}" + (f"?{'&'.join(theirs)}" if theirs else "")
    try:
        conninfo = conninfo_to_dict(plain)
        for port in str(conninfo.get("port", "")).split(","):
            if port and not port.isdecimal():
                raise psycopg.ProgrammingError(f"{port!r} is not a port")
    except psycopg.ProgrammingError as error:
        why = _without(secrets_in(location, query), str(error))
        raise InvalidValueError(
            f"cannot parse the store URL {without_secrets(url)!r}: {why}. Write "
            "'postgresql://user:password@host:5432/database?option=value', with characters such as @ / # in the "
            "password percent-encoded."
        ) from None
    options = _checked(ours, url)
    return Options(
        conninfo={**DEADLINES, **conninfo, "client_encoding": "UTF8"},
        url=_shown(conninfo, options["schema"]),
        **options,
    )


def _checked(ours: dict[str, str], url: str) -> dict[str, Any]:
    wrong = [name for name in ours if name not in KNOWN]
    if wrong:
        raise InvalidValueError(
            f"invalid option in the store URL {without_secrets(url)!r}: expected one of {', '.join(KNOWN)}, got "
            f"{wrong[0]!r}. Options for libpq do not begin with mm_."
        )
    schema = ours.get("mm_schema", "muscle_mem")
    if (
        not schema
        or len(schema.encode("utf-8", "replace")) > 63
        or schema.startswith("pg_")
        or not schema.isprintable()
    ):
        raise InvalidValueError(
            f"invalid mm_schema=: expected a name of 1 to 63 bytes that does not begin with pg_, got {schema!r}"
        )
    pooling = ours.get("mm_pooling", "auto")
    if pooling not in POOLING:
        raise InvalidValueError(f"invalid mm_pooling=: expected one of {', '.join(POOLING)}, got {pooling!r}")
    notify = ours.get("mm_notify", "off")
    if notify not in SWITCH:
        raise InvalidValueError(f"invalid mm_notify=: expected one of {', '.join(SWITCH)}, got {notify!r}")
    timeout = _number("mm_timeout", ours.get("mm_timeout", "10"))
    connections = _number("mm_connections", ours.get("mm_connections", "2"))
    if not 0.1 <= timeout <= 86_400:
        raise InvalidValueError(f"invalid mm_timeout=: expected a number of seconds from 0.1 to 86400, got {timeout:g}")
    if connections != int(connections) or not 1 <= connections <= 1000:
        raise InvalidValueError(f"invalid mm_connections=: expected a whole number from 1 to 1000, got {connections:g}")
    return {
        "schema": schema,
        "timeout": timeout,
        "connections": int(connections),
        "pooling": pooling,
        "notify": notify == "on",
        "read": _replica(ours["mm_read"]) if "mm_read" in ours else ("", 0),
    }


def _replica(text: str) -> tuple[str, int]:
    """Return the host and the port that `mm_read` names."""
    found = re.fullmatch(r"(?P<host>\[[0-9A-Fa-f:.%]+\]|[^\s:,@?#\[\]]+)(?::(?P<port>[0-9]{1,5}))?", text)
    port = int(found["port"] or 5432) if found else 0
    if found is None or not text.isprintable() or not 1 <= port <= 65535:
        raise InvalidValueError(
            "invalid mm_read=: expected HOST or HOST:PORT of one replica, such as replica.example:5432, got "
            f"{text.rpartition('@')[2]!r}"
        )
    return found["host"].strip("[]"), port


def _number(name: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InvalidValueError(f"invalid {name}=: expected a number, got {text!r}")
    return number


def secrets_in(location: str, query: str) -> list[str]:
    """Return the parts of a URL that no message may contain."""
    pieces = [location[: location.rindex("@")]] if "@" in location else []
    if pieces:
        pieces += [piece for piece in re.split(r"[:@/]", pieces[0]) if piece]
    return pieces + [value for name, value in parse_qsl(query) if name in SECRETS and value]


def _without(secrets: list[str], text: str) -> str:
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "...")
    return text


def _shown(conninfo: dict[str, Any], schema: str) -> str:
    """Return the URL for messages: server, user and schema, without secrets."""
    named = {name: str(value) for name, value in conninfo.items() if name not in SECRETS}
    user = named.pop("user", "")
    database = named.pop("dbname", "")
    host, port = named.get("host", ""), named.get("port", "")
    place = ""
    if host and not set(host) & set("/,:@[]"):
        place = host + (f":{port}" if port else "")
        named.pop("host")
        named.pop("port", None)
    if schema != "muscle_mem":
        named["mm_schema"] = schema
    query = f"?{urlencode(named, quote_via=quote)}" if named else ""
    return f"postgresql://{quote(user, safe='') + '@' if user else ''}{place}/{quote(database, safe='')}{query}"
