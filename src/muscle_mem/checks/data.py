"""A check of the rows that a database query finds."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .._core import codec
from .._core.tools.check import Check
from ..errors import InvalidTypeError, InvalidValueError, NotStorableError
from .given import Looking, ask, capture_of, identity

MOST_ROWS = 100_000

Rows = tuple[str, int, str]


def row_unchanged(
    connect: Any,
    sql: str,
    params: Sequence[Any] | Mapping[str, Any] | Callable[..., Any] = (),
    *,
    ordered: bool = False,
    **options: Any,
) -> Check:
    """Return a check that passes while a query finds the same rows.

    It compares column names, and values with their types and NULLs. It stores the number of rows and a SHA-256 digest,
    not the rows. More than 100,000 rows are an error.

    Args:
        connect: A function without arguments that opens a connection of any DB-API module, which is closed afterwards.
            Or an open connection, which is neither closed nor committed. Prefer a function: a query in a transaction
            that began earlier sees the rows of that time.
        sql: The query.
        params: The parameters of the query, or a function that returns them. It gets those of the tool's arguments that
            it names.
        ordered: Whether the order of the rows counts.
        options: Options of `Check`, such as wait= and every=.

    Raises:
        InvalidTypeError: An argument has the wrong type.
    """
    if not callable(connect) and not hasattr(connect, "cursor"):
        raise InvalidTypeError(
            f"invalid row_unchanged(connect=...): expected a connection or a function that opens one, got {connect!r}"
        )
    if not isinstance(sql, str) or not sql.strip():
        raise InvalidTypeError(f"invalid row_unchanged(sql=...): expected the query as text, got {sql!r}")
    if isinstance(params, str | bytes) or not (callable(params) or isinstance(params, Sequence | Mapping)):
        raise InvalidTypeError(
            f"invalid row_unchanged(params=...): expected a sequence, a mapping or a function, got {params!r}"
        )
    return _row_check(connect, sql, params, bool(ordered), None, options)


def _row_check(
    connect: Any, sql: str, params: Any, ordered: bool, signature: inspect.Signature | None, options: dict[str, Any]
) -> Check:
    def look(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Looking:
        given = (yield ask(params, signature, args, kwargs)) if callable(params) else params
        opened = not hasattr(connect, "cursor")
        connection = connect() if opened else connect
        try:
            return _rows(connection, sql, given, ordered)
        finally:
            if opened:
                connection.close()

    def compare(current: Rows, candidate: Rows) -> bool:
        return current == candidate

    def describe(current: Rows, candidate: Rows) -> tuple[str, str]:
        return _told(current), _told(candidate)

    def bind(found: inspect.Signature) -> Check:
        return _row_check(connect, sql, params, ordered, found, options)

    fixed = None if callable(params) else codec.canonical(params if isinstance(params, Mapping) else list(params))
    functions = (connect if not hasattr(connect, "cursor") else None, params if callable(params) else None)
    known = identity("row_unchanged", (sql, fixed, ordered), functions, options)
    given = {**known, "describe": describe, **options}
    return Check(capture_of(look, *functions), compare, bind=bind if signature is None else None, **given)


def _rows(connection: Any, sql: str, params: Any, ordered: bool) -> Rows:
    cursor = connection.cursor()
    try:
        cursor.execute(sql, params) if params else cursor.execute(sql)
        names = [str(column[0]) for column in cursor.description or ()]
        if not names:
            raise InvalidValueError(
                "row_unchanged failed: expected a query that returns rows, got another statement. Use a SELECT."
            )
        digests: list[bytes] = []
        while found := cursor.fetchmany(500):
            digests += [hashlib.sha256(_canonical(row, names)).digest() for row in found]
            if len(digests) > MOST_ROWS:
                raise InvalidValueError(
                    f"row_unchanged failed: expected at most {MOST_ROWS} rows, got more. Select fewer, or count them."
                )
    finally:
        cursor.close()
    whole = hashlib.sha256(codec.canonical(names))
    for digest in digests if ordered else sorted(digests):
        whole.update(digest)
    return "rows", len(digests), whole.hexdigest()


def _told(rows: Rows) -> str:
    _, number, digest = rows
    return f"{number} row{'' if number == 1 else 's'}, sha256 {digest[:12]}"


def _canonical(row: Any, names: list[str]) -> bytes:
    values = [row[name] for name in names] if isinstance(row, Mapping) else list(row)
    plain = [bytes(value) if isinstance(value, memoryview) else value for value in values]
    try:
        return codec.canonical(plain)
    except NotStorableError as error:
        message = f"row_unchanged failed: expected values that can be stored: {error}. Cast them to text."
        raise InvalidTypeError(message) from error
