from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway_peers import LocalClient


@pytest.fixture
def store(tmp_path: Path) -> str:
    return str(tmp_path / "memory.db")


@pytest.fixture(params=["handshake", "envelopes"])
def modern(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "envelopes")


@pytest.fixture
def connect(store: str) -> Iterator[Callable[..., LocalClient]]:
    """Makes a client of a gateway in this process; `person=True` if it can ask a person."""
    made: list[LocalClient] = []

    def make(*, person: bool = True, **options: Any) -> LocalClient:
        client = LocalClient(options.pop("store", store), **options)
        made.append(client)
        client.open(**({"elicitation": {}} if person else {}))
        return client

    yield make
    for client in made:
        client.close()
