"""Values of every kind that a document holds, and a store of recordings to write down."""

from __future__ import annotations

import datetime as dt
import decimal
import pathlib
import uuid
from pathlib import Path

from cli_cases import Point, record_orders
from muscle_mem._core.codec.registry import restore, snapshot

VALUES = [
    2**53 + 1,
    2**63,
    -(2**70),
    10**5000,
    "\ud83d" + "\ude00",
    "\\u1234\ud800\\",
    "\u202eevil\x1b[0m",
    b"\x00\xff",
    float("nan"),
    float("-inf"),
    -0.0,
    1.0,
    {"$bytes": 1, "b": 2},
    {1: "one", (2,): None},
    {"a": {"$x": []}},
    {3, 1, 2},
    frozenset("ab"),
    (1, (2,)),
    complex(float("nan"), -0.0),
    dt.datetime(2024, 1, 2, 3, 4, 5, 6, fold=1),
    dt.datetime(2024, 1, 2, tzinfo=dt.UTC),
    dt.datetime(2024, 1, 2, tzinfo=dt.timezone(dt.timedelta(hours=2), "x")),
    dt.time(1, 2, tzinfo=dt.timezone(dt.timedelta(seconds=1))),
    dt.timedelta(-1, 2, 3),
    decimal.Decimal("1.10"),
    uuid.UUID(int=7),
    pathlib.PurePosixPath("/a"),
    ...,
    range(3),
    slice(1, None, 2),
    bytearray(b"q"),
    Point(1, "p"),
]


def orders_in(path: Path) -> list[str]:
    """A recorded store, whose classes are unknown again afterwards."""
    saved = snapshot()
    try:
        return record_orders(path)
    finally:
        restore(saved)
