"""Not a test: code that mypy --strict must accept, or refuse where a line says so. Checked by test_typing.py."""

from __future__ import annotations

from typing import assert_type

from muscle_mem import (
    Answered,
    AskAgent,
    Call,
    Check,
    DeclaredEach,
    DeclaredFlow,
    Engine,
    Explanation,
    Finished,
    Handover,
    Outcome,
    Param,
    Pruned,
    current_run,
    each,
    ref,
)

engine = Engine("memory.db", scope="a", mode="auto")
scoped = Engine(scope=lambda context, args: str(context[0]))
scoped.cache_clear("a")
named = Engine(name="search")

assert_type(Param(2, bind=["fill.text"]).value, int)
assert_type(Param("a").bind, tuple[str, ...])
Param(2, bind=5)  # type: ignore[arg-type]


@engine.tool
def bare(x: int) -> str:
    return str(x)


@engine.tool(pre_check=Check(lambda x: x), effect="read")
def checked(x: int, *, y: str = "") -> float:
    return x / 2


@engine.tool()
async def later(x: int) -> bytes:
    return b""


@engine.function(
    Check(lambda x: x, params="literal"),
    None,
    name="sent",
    aliases=["post"],
    version=2,
    ignore=["ctx"],
    inject={"ctx": object},
    secret=["token"],
    trust="verified",
    undo="unsend {x}",
    optional=True,
)
def with_all_options(x: int, ctx: object = None, token: str = "") -> bool:
    return True


@engine.tool(Check(len), post_check=Check(len))
def checked_by_position(text: str) -> int:
    return len(text)


class Page:
    @engine.method(pre_check=Check(lambda self, target: target))
    def click(self, target: str) -> None: ...


assert_type(bare(1), str)
assert_type(checked(1, y="z"), float)
bare("1")  # type: ignore[arg-type]
checked(1, z=2)  # type: ignore[call-arg]
assert_type(with_all_options(1, token="t"), bool)
assert_type(checked_by_position("text"), int)
Page().click(3)  # type: ignore[arg-type]
engine.tool(effect="harmless")  # type: ignore[call-overload]
engine.tool(failed=lambda result: result == "error", refuses=(ValueError, KeyError), answers="any")
engine.tool(failed=False, refuses=ValueError)
engine.tool(trusted=False, sink=["account", "url"])
engine.tool(trusted=True, sink="account")
engine.tool(failed=True)  # type: ignore[call-overload]
engine.tool(answers="some")  # type: ignore[call-overload]
engine.tool(flows={"order_id": ref("create_order", "orders", -1, "id")}, const=["currency"], outputs=["order.id"])
engine.method(flows=None, const="currency", outputs=())
engine.function(flows={"order_id": "create_order"})  # type: ignore[dict-item]
assert_type(ref("create_order"), DeclaredFlow)
assert_type(each("list_orders", "id", where={"status": "pending"}), DeclaredEach)
ref("create_order", 1.5)  # type: ignore[arg-type]
engine.tool(trusted="no")  # type: ignore[call-overload]
engine.tool(sink=5)  # type: ignore[call-overload]
engine.tool(efect="read")  # type: ignore[call-overload]
engine.function(aliases=[1])  # type: ignore[list-item]
engine.method(version=1.5)  # type: ignore[call-overload]
engine.tool(pre_check=len)  # type: ignore[call-overload]
Engine(mode="fast")  # type: ignore[arg-type]

outcome = engine("task", tags=["a"], params={"name": "x"}, mode="replay", on_divergence="absorb")
if outcome.divergence is not None:
    assert_type(outcome.divergence.seen_snapshot, bytes | str | None)
assert_type(outcome, Outcome)
assert_type(outcome.steps, int)
assert_type(outcome.trajectory_id, str | None)
assert_type(engine.set_agent(bare).set_context(Page()).finalize(), Engine)
assert_type(engine.session("task", mode="replay").next(), Call | Answered | AskAgent | Finished)
engine.session("task", mode="fast")  # type: ignore[arg-type]
engine("task", params=["x"])  # type: ignore[arg-type]
assert_type(engine.explain("task", context=Page()), Explanation)
assert_type(engine.prune(ttl=3600.0), Pruned)
with engine.record("task", secrets={"token": "t"}) as shown:
    checked(1)
assert_type(shown.outcome, Outcome | None)


async def main() -> None:
    async with engine.asession("task") as session:
        assert_type(await session.next(), Call | Answered | AskAgent | Finished)
    assert_type(await engine.acall("task"), Outcome)
    assert_type(await later(1), bytes)
    run = current_run()
    if run is not None:
        assert_type(run.handover, Handover | None)
