"""`muscle-mem export --format python --async` writes a function that awaits the tools that are async."""

from __future__ import annotations

import asyncio
import types
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from muscle_mem import Check, Engine
from muscle_mem.cli import main


def test_an_exported_function_awaits_what_is_async(tmp_path: Path) -> None:
    store = tmp_path / "memory.db"
    with Engine(store) as engine:

        async def fetch(url: str) -> str:
            return f"text of {url}"

        fetched = engine.tool(name="fetch", effect="read", pre_check=Check(lambda url: 1))(fetch)
        kept = engine.tool(name="keep")(lambda text: len(text))

        async def agent(task: str) -> Any:
            return kept(await fetched("https://shop.test/a-rather-long-address/of-a-page-that-was-once-read.html"))

        engine.set_agent(agent)
        id = asyncio.run(engine.acall("fetch it")).trajectory_id
    assert id
    done = CliRunner().invoke(
        main, ["export", id, "--store", str(store), "--format", "python", "--async", "--name", "run"]
    )
    assert done.exit_code == 0, done.output
    made: dict[str, Any] = {}
    exec(compile(done.output, "exported", "exec"), made)
    calls: list[Any] = []

    async def fetch_again(url: str) -> str:
        calls.append(url)
        return f"text of {url}"

    async def looks(expected: int, url: str) -> bool:
        calls.append(expected)
        return True

    tools = types.SimpleNamespace(fetch=fetch_again, keep=lambda text: calls.append(text) or len(text))
    result = asyncio.run(made["run"](tools, before_fetch=looks))
    assert calls[:1] == [1]
    assert result == len(calls[2])
