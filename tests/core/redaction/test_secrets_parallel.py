"""Secrets in calls that overlap: never written, and given anew to every member of the group."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from muscle_mem import Engine, Secret


def test_c10_c11_overlapping_calls_get_this_run_s_secret_and_none_is_written(tmp_path: Path) -> None:
    path = tmp_path / "memory.db"
    engine = Engine(path)
    got: list[tuple[str, Any]] = []

    @engine.tool(name="login", effect="write")
    async def login(user: str, password: Secret) -> None:
        got.append((user, password.value))
        await asyncio.sleep(0)

    async def agent(task: str, password: Secret) -> None:
        await asyncio.gather(login("ann", password), login("bob", password))

    engine.set_agent(agent)

    async def main() -> None:
        assert (await engine.acall("log in", Secret("canary-hunter-2"))).learned
        assert await engine.acall("log in", Secret("canary-other-3"))

    asyncio.run(main())
    engine.close()
    assert sorted(got[2:]) == [("ann", "canary-other-3"), ("bob", "canary-other-3")]
    assert not [file.name for file in tmp_path.iterdir() if b"canary" in file.read_bytes()]
