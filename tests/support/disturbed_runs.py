"""A world that counts effects, and one engine over it: the bench on which the cases of disturbed_cases are tried."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any

from disturbed_cases import OTHER, Agent, AgentError, Case, Step, Stop, ToolError, program
from muscle_mem import Check, Engine


class World:
    """Counts every effect, and makes go wrong what the case says, in a replay of the tested call alone."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.testing = False
        self.epoch = "old"
        self.begin()

    def begin(self, testing: bool = False) -> None:
        self.testing = testing
        self.calls: list[tuple[str, str, str]] = []  # (who, tool, argument) for every tool that was entered
        self.log: list[tuple[str, ...]] = []
        self.entered: Counter[tuple[str, str]] = Counter()
        self.starts = 0
        self.handovers: list[Any] = []
        self.raised: BaseException | None = None  # what passed out of a callback of the user's last
        self.requests: list[tuple[str, str]] = []
        self.no_agent = ""

    def stop(self, error: BaseException) -> BaseException:
        self.raised = error
        return error

    def faulty(self, role: str, tool: str = "", arg: str = "") -> str:
        """How this goes wrong now, or an empty string."""
        case = self.case
        if not self.testing or self.starts:
            return ""
        if case.gone >= 0 and role == "pre" and tool == case.steps[case.gone].tool:
            return "no"
        fault = case.fault
        if fault.role != role:
            return ""
        if fault.step >= 0:
            step = case.steps[fault.step]
            before = sum(one[:2] == step[:2] for one in case.steps[: fault.step])
            if step.tool != tool or self.entered[tool, arg] - (role == "post") != before:
                return ""
        return fault.how

    def see(self, role: str, tool: str, arg: str) -> Any:
        self.log.append(("capture", role, tool))
        how = self.faulty(role, tool, arg)
        if how == "raise":
            raise OSError("no sight")
        return [how or "fine", tool, self.epoch]

    def compare(self, role: str, tool: str, now: Any, then: Any) -> Any:
        self.log.append(("compare", role, tool))
        if now[0] == "compare":
            raise OSError("no verdict")
        return float("nan") if now[0] == "nan" else now == then

    def do(self, tool: str, arg: str) -> str:
        how = self.faulty("tool", tool, arg)
        who = "agent" if self.starts else "replay"
        self.calls.append((who, tool, arg))
        self.log.append(("do", who, tool))
        self.entered[tool, arg] += 1
        if how in ("before", "after"):
            raise self.stop(ToolError(f"{tool} is down"))
        case = self.case
        stale = (
            self.testing and case.fault.role == "stale" and tool == case.steps[case.steps[case.fault.step].feeds].tool
        )
        return f"{'fresh ' if stale else ''}ticket of {tool}"

    def answer(self, role: str, tool: str = "", arg: str = "") -> bool:
        """What approve and success say."""
        self.log.append((role, tool))
        how = self.faulty(role, tool, arg)
        if how == "raise":
            raise OSError(f"{role} is down")
        if how == "no":
            return False
        return True if role == "approve" or not self.testing or not self.starts else self.case.agent_ok

    def interrupted(self, role: str, tool: str = "", arg: str = "") -> bool:
        return self.faulty(role, tool, arg) == "interrupt"

    def interrupt(self) -> BaseException:
        return self.stop(KeyboardInterrupt() if self.case.interrupt == "keyboard" else asyncio.CancelledError())

    async def cancelled(self) -> None:
        """The interrupt where one can wait: a real cancellation."""
        if self.case.interrupt == "keyboard":
            raise self.interrupt()
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        try:
            await asyncio.sleep(0)
        except BaseException as error:
            self.stop(error)
            raise


def wrap(style: str, world: World, role: str, name: str, plain: Callable[..., Any]) -> Callable[..., Any]:
    """A callback of the user's in the case's style, which may be interrupted."""

    def straight(x: Any) -> Any:
        if world.interrupted(role, *_place(x, name)):
            if role == "tool":
                plain(x)
            raise world.interrupt()
        return plain(x)

    async def awaited(x: Any) -> Any:
        await asyncio.sleep(0)
        if world.interrupted(role, *_place(x, name)):
            if role == "tool":
                plain(x)
            await world.cancelled()
        return plain(x)

    return awaited if style == "async" else straight


def _place(x: Any, name: str) -> tuple[str, str]:
    return (name, x) if isinstance(x, str) else (x.tool, x.arguments["x"]) if hasattr(x, "tool") else ("", "")


class Bench:
    """One engine over one world, with the case's tools, callbacks and agent."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.world = world = World(case)
        self.runner = asyncio.Runner() if case.style != "plain" else None
        self.kwargs: dict[str, Any] = {}
        options: dict[str, Any] = {"mode": case.engine_mode, "trust": case.trust}
        (self.kwargs if case.policy_at_call else options)["on_divergence"] = case.policy
        if case.approve:
            ask = wrap(case.style, world, "approve", "", lambda s: world.answer("approve", s.tool, s.arguments["x"]))
            (options if case.approve == "engine" else self.kwargs)["approve"] = ask
        self.success = wrap(case.style, world, "success", "", lambda value: world.answer("success"))
        if case.judge:
            (options if case.judge == "engine" else self.kwargs)["success"] = self.success
        if case.call_mode is not None:
            self.kwargs["mode"] = case.call_mode
        self.engine = Engine(observers=[], **options)
        self.tools: dict[str, Callable[..., Any]] = {}
        for step in {step.tool: step for step in [*case.steps, Step(OTHER, "odd", "write", False, False)]}.values():
            self.tools[step.tool] = self._register(step)
        self.agent = Agent()
        self.engine.set_agent(self._agent())

    def _register(self, step: Step) -> Callable[..., Any]:
        style, world, name = self.case.style, self.world, step.tool

        def check(role: str) -> Check:
            see = wrap(style, world, role, name, lambda x: world.see(role, name, x))

            def compare(now: Any, then: Any) -> Any:
                return world.compare(role, name, now, then)

            return Check(see, compare, version=f"{role} {name}")

        pre, post = (check(role) if there else None for role, there in (("pre", step.pre), ("post", step.post)))
        function = wrap(style, world, "tool", name, lambda x: world.do(name, x))
        options: Any = {"effect": step.effect, "optional": step.optional, "trust": step.trust}
        tool: Callable[..., Any] = self.engine.tool(pre, post, name=name, version=1, **options)(function)
        return tool

    def _agent(self) -> Callable[..., Any]:
        world = self.world

        def begin(handover: Any) -> Any:
            world.starts += 1
            world.handovers.append(handover)
            return program(self.case, self.agent, handover)

        def asked(asking: Any, going: Any) -> Any:
            try:
                request = getattr(asking, going[0])(going[1])
            except Stop:
                return Stop
            except (AgentError, ToolError) as error:
                world.stop(error)
                raise
            world.requests.append(request)
            return request

        def plain(task: str, handover: Any = None) -> Any:
            asking: Any = begin(handover)
            going: Any = ("send", None)
            try:
                while (request := asked(asking, going)) is not Stop:
                    try:
                        going = ("send", self.tools[request[0]](request[1]))
                    except Exception as error:
                        going = ("throw", error)
            except StopIteration as stop:
                return stop.value
            raise world.interrupt()

        async def awaited(task: str, handover: Any = None) -> Any:
            asking: Any = begin(handover)
            going: Any = ("send", None)
            try:
                while (request := asked(asking, going)) is not Stop:
                    try:
                        going = ("send", await self.tools[request[0]](request[1]))
                    except Exception as error:
                        going = ("throw", error)
            except StopIteration as stop:
                return stop.value
            return await world.cancelled()

        full: Callable[..., Any] = awaited if self.case.style == "async" else plain
        if self.case.handover:
            return full

        async def awaited_without(task: str) -> Any:
            return await awaited(task)

        return awaited_without if self.case.style == "async" else lambda task: plain(task)

    def call(self, **kwargs: Any) -> tuple[Any, BaseException | None]:
        """One call of the engine: the outcome, or what it raised."""

        async def awaited() -> tuple[Any, BaseException | None]:
            try:
                return await self.engine.acall("task", **kwargs), None
            except BaseException as error:
                return None, error

        try:
            return self.runner.run(awaited()) if self.runner else (self.engine("task", **kwargs), None)
        except BaseException as error:
            return None, error

    def close(self) -> None:
        if self.runner:
            self.runner.close()
        self.engine.close()


@contextmanager
def environment(mode: str | None) -> Generator[None]:
    before = os.environ.pop("MUSCLE_MEM_MODE", None)
    if mode is not None:
        os.environ["MUSCLE_MEM_MODE"] = mode
    try:
        yield
    finally:
        os.environ.pop("MUSCLE_MEM_MODE", None)
        if before is not None:
            os.environ["MUSCLE_MEM_MODE"] = before
