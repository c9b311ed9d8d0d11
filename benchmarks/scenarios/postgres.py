"""A PostgreSQL store: what goes over the wire on the path of a hit."""

from __future__ import annotations

from collections.abc import Iterator

from ..scenario import Bench, Row, Target, scenario


@scenario("postgres")
def round_trips(bench: Bench) -> Iterator[Row]:
    yield Row(
        "postgres.trips",
        "round trips to the server on the path of a hit",
        "count",
        target=Target(0, "=="),
        note="skipped: there is no PostgreSQL store in this version",
    )
