"""A recorded store, and the command line on it, as the tests of the commands share them."""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import json
import sqlite3
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from muscle_mem import Check, Engine
from muscle_mem._core import codec
from muscle_mem._core.model.records import FORM, Body, Lit, Ref, Row, StepRecord
from muscle_mem.cli import main
from muscle_mem.store import Observation, Sealed, SqliteStore

NASTY = "log in \x1b[31mred\x1b[0m \x07\x9b\u202eevil\u2028[bold]x[/bold]"


@dataclasses.dataclass(frozen=True)
class Point:
    x: int
    label: str


class Colour(enum.Enum):
    RED = 1


@pytest.fixture(autouse=True)
def no_store_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "MUSCLE_MEM_STORE",
        "MUSCLE_MEM_MODE",
        "MUSCLE_MEM_SIGNING_KEY",
        "FORCE_COLOR",
        "TTY_COMPATIBLE",
        "COLUMNS",
    ):
        monkeypatch.delenv(name, raising=False)


def run(*arguments: str, stdin: str = "", env: dict[str, str] | None = None) -> Result:
    result = CliRunner().invoke(main, list(arguments), input=stdin, env=env)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def as_json(*arguments: str, code: int = 0) -> Any:
    result = run(*arguments, "--json")
    assert result.exit_code == code, result.output

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    assert all(one.isprintable() or one == "\n" for one in result.stdout)
    return json.loads(result.stdout, parse_constant=refuse)


def record_orders(path: Path | str, **options: Any) -> list[str]:
    """A store of three trajectories by a real engine, with every kind of argument; their ids, oldest first."""
    engine = Engine(str(path), **options)
    world: dict[str, Any] = {"visits": 0}

    def saw(self: Any, target: str, text: str) -> Any:
        return {"at": Point(1, target)}

    class Page:
        @engine.tool(
            pre_check=Check(saw, lambda now, then: True),
            post_check=Check(lambda self, target, text: world["visits"], lambda now, then: True),
            effect="write",
        )
        def type_text(self, target: str, text: str) -> dict[str, Any]:
            world["visits"] += 1
            return {"order": {"id": "ORD-4711"}, "rows": [Point(3, "three"), Colour.RED]}

        @engine.tool(effect="read", ignore=["client"], inject={"client": lambda: None})
        def find(self, order_id: str, body: str, found: Any, client: Any, *rest: Any) -> str:
            return "found"

    page = Page()
    engine.set_context(page)

    def agent(task: str) -> str:
        name = world["name"]
        found = page.type_text("Username", name)
        return page.find("ORD-4711", f"Dear {name}, {{ok}}", [found, Point(2, name)], object(), 7)

    engine.set_agent(agent)

    def do(task: str, name: str, **options: Any) -> Any:
        world["name"] = name
        return engine(task, params={"name": name}, tags=["a", "[red]b"], **options)

    ids = []
    for task in ("order for", "second task", NASTY):
        outcome = do(task, "John Smith")
        assert outcome.learned
        ids.append(str(outcome.trajectory_id))
    assert do("order for", "Jane Doe")
    assert do("order for", "Jane Doe", mode="record").trajectory_id == ids[0]
    engine.report_bad(ids[1], "looks [bold]wrong\x07")
    engine.close()
    return ids


def lit(value: Any) -> Lit:
    return Lit(codec.encode(value))


def seal(
    path: Path, id: str, body: Body | bytes, row: Row | bytes, *, task: str = "task", steps: int = 1, **more: Any
) -> None:
    """A trajectory put into a store by hand."""
    store = SqliteStore(path)
    packed = [part if isinstance(part, bytes) else msgspec.msgpack.encode(part) for part in (body, row)]
    store.seal(
        Sealed(id=id, key=b"k" * 32, body=packed[0], steps=steps, task=task, created=1e9, **more),
        Observation(id="o" + id, body=packed[1], created=1e9),
    )
    store.close()


def plain_row(steps: int = 1, **more: Any) -> Row:
    none: tuple[None, ...] = (None,) * steps
    return msgspec.structs.replace(Row(FORM, none, none), **more)


def plain_body(*steps: StepRecord, **more: Any) -> Body:
    return Body(FORM, steps or (StepRecord("tool", "f", (("x", lit("hello")),)),), **more)


def edit(path: str | Path, sql: str, *values: Any) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute(sql, values)
        connection.commit()


def step(tool: str, *arguments: Any, **options: Any) -> StepRecord:
    named = tuple((f"a{n}", one if isinstance(one, Ref) else Lit(codec.encode(one))) for n, one in enumerate(arguments))
    return StepRecord(tool=tool, fingerprint="v:1", arguments=named, **options)
