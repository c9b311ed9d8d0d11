"""The official SDK's client, around a gateway in front of the official SDK's server."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway_peers import environment
from sdk_peers import SHOP, Person


@pytest.fixture
def person() -> Person:
    return Person()


@pytest.fixture(params=["auto", "legacy"])
def mode(request: pytest.FixtureRequest) -> str:
    """The era: today's SDK begins without a handshake, or is told to use one."""
    return str(request.param)


@pytest.fixture
def store(tmp_path: Path) -> str:
    return str(tmp_path / "memory.db")


@pytest.fixture
def rules(tmp_path: Path) -> str:
    path = tmp_path / "rules.toml"
    path.write_text('trust = "auto"\n')
    return str(path)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """The shop behind streamable HTTP."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, str(SHOP), str(port)], env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        end = time.monotonic() + 30
        while True:
            with socket.socket() as tried:
                if tried.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.kill()
        process.wait()
