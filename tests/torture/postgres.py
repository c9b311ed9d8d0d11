"""A PostgreSQL server that is stopped at once in a loop, and connections that are cut at a piece of chance.

The proofs themselves stand beside the tests of that store (`postgres_proofs.py`); here they get seeds and a line.
Without a server on this machine they are skipped and say why.
"""

from __future__ import annotations

import importlib.util
from typing import Any

from .figures import Figures, Proof, Size

NOT_WRONG = ("seed", "size", "cuts", "acknowledged", "doubtful", "proof")


def _figures(said: dict[str, Any]) -> Figures:
    figures = Figures()
    for name, value in said.items():
        if name == "proof":
            continue
        (figures.counted if name in NOT_WRONG else figures.wrong)[name] += int(value)
    figures.counted.pop("seed", None)
    figures.counted.pop("size", None)
    return figures


def missing() -> str:
    """Why there is nothing to try this on; "" if there is."""
    if importlib.util.find_spec("postgres_server") is None or importlib.util.find_spec("postgres_proofs") is None:
        return "there is no PostgreSQL store in this tree"
    import postgres_server

    return "" if postgres_server.has_driver() and postgres_server.binaries() else postgres_server.HOW


def cut(seed: int, size: int, control: str) -> Figures:
    """`size` operations, each with its connection cut; a store in memory does the same and is not cut."""
    why = missing()
    if why:
        return Figures(skipped=why)
    import postgres_proofs
    import postgres_server

    base = postgres_server.dsn()
    if base is None:
        return Figures(skipped=postgres_server.HOW)
    return _figures(postgres_proofs.cut_connections(base, seed, size))


def stop(seed: int, size: int, control: str) -> Figures:
    """The server is stopped as a crash stops it, `size` times, while threads write."""
    why = missing()
    if why:
        return Figures(skipped=why)
    import postgres_proofs
    import postgres_server

    server = postgres_server.Server(postgres_server.binaries(), fsync=True)
    try:
        return _figures(postgres_proofs.stop_at_once(server, seed, size))
    finally:
        server.remove()


PROOFS = {
    "postgres-cut": Proof(
        cut,
        promise="With PostgreSQL, a connection that is cut at any moment costs a new one. What is done again "
        "is there once, and answers are the same as without the cut.",
        blind="Networks that deliver late or twice, and servers that fail over to another.",
        unit="operations",
        small=Size(1, 12),
        large=Size(20, 500),
    ),
    "postgres-stop": Proof(
        stop,
        promise="A PostgreSQL server that crashes loses nothing acknowledged, and comes back with each recording once.",
        blind="The durability of the server itself: its `fsync` is trusted.",
        unit="stops",
        small=Size(1, 1),
        large=Size(5, 40),
    ),
}
