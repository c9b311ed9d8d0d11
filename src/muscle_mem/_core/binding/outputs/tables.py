"""Tables of other libraries and in texts, opened as plain lists and dicts.

So ids in them are found. Nothing is imported here: a value is recognized by the name of its class and module.
"""

from __future__ import annotations

from typing import Any

MAX_CELLS = 10_000
"""Cells of a table that is searched; a larger one is not."""

MAX_TABLE_TEXT = 60_000
"""Characters of a text that is read as a table; a longer one is not."""

_FRAMES = ("pandas", "polars")
_DRIVERS = frozenset(
    "sqlite3 sqlalchemy asyncpg psycopg psycopg2 pyodbc duckdb oracledb cx_Oracle MySQLdb mysql pymysql databases "
    "aiosqlite records pymssql".split()
)


def rows_in(text: str) -> list[Any] | None:
    """Return the rows of a text that holds a table, by its lines or its HTML.

    Return None for any other text.
    """
    if not 8 <= len(text) <= MAX_TABLE_TEXT or ("\n" not in text and "<tr" not in text):
        return None
    from .text_tables import table_of  # Loaded with the first text that may hold a table.

    return table_of(text)


def opened_table(value: Any) -> Any:
    """Return a data frame, series or row as plain lists and dicts.

    A data frame is a list of dicts, a series a list and a database row a dict. Return others as they are.
    """
    kind = type(value)
    root = kind.__module__.partition(".")[0]
    if root in _FRAMES:
        return _opened_frame(value, root)
    if root in _DRIVERS:
        return _opened_row(value)
    return value


def is_table(value: Any) -> bool:
    """Return whether a value is a data frame or series.

    These are not read as other objects are.
    """
    kind = type(value)
    return kind.__module__.partition(".")[0] in _FRAMES and kind.__name__ in ("DataFrame", "Series", "LazyFrame")


def _opened_frame(value: Any, root: str) -> Any:
    name = type(value).__name__
    if name == "DataFrame":
        rows, columns = value.shape
        if rows * max(columns, 1) > MAX_CELLS:
            return value
        if root == "polars":
            return value.to_dicts()
        if type(value.index).__name__ != "RangeIndex":
            value = value.reset_index()
        return value.to_dict("records")
    if name == "Series":
        if len(value) > MAX_CELLS:
            return value
        if root == "polars":
            return value.to_list()
        return value.tolist() if type(value.index).__name__ == "RangeIndex" else value.to_dict()
    return value


def _opened_row(value: Any) -> Any:
    """Return a named row as a dict.

    Only the methods of a driver's own rows are called.
    """
    mapping = getattr(value, "_mapping", None)
    if mapping is not None:
        return dict(mapping)
    keys = getattr(value, "keys", None)
    if callable(keys) and hasattr(type(value), "__getitem__") and "Row" in _class_names(value):
        return {key: value[key] for key in keys()}
    return value


def _class_names(value: Any) -> str:
    names = " ".join(base.__name__ for base in type(value).__mro__)
    return names + (" Row" if "Record" in names else "")
