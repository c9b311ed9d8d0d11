"""What the gateway for MCP adds to a call: both servers are called in turns, in one run."""

from __future__ import annotations

from collections.abc import Iterator

from ..gateway import beside
from ..scenario import Bench, Row, Target, scenario

LIMIT = Target(500, "<")  # us


@scenario("gateway")
def call(bench: Bench) -> Iterator[Row]:
    """A call that is passed on."""
    yield _row(bench, "call", "a call through the gateway, beyond the bare server", recorded=False)


@scenario("gateway")
def recorded(bench: Bench) -> Iterator[Row]:
    """A call that is recorded as well."""
    yield _row(bench, "recorded", "a call that is recorded, beyond the bare server", recorded=True)


def _row(bench: Bench, name: str, title: str, *, recorded: bool) -> Row:
    calls = bench.pick(20, 200, 2_000)
    bare, relayed = beside(calls, recorded=recorded)
    details = {"calls": calls, "relayed_us": relayed}
    return Row(f"gateway.{name}", title, "us", relayed - bare, loop=bare, loop_unit="us", target=LIMIT, details=details)
