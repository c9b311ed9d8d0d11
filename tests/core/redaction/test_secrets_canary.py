"""C11, proven: secrets planted in every position are in no file, log, error, event, text or command, in any form."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from canaries import ODD, PLAIN, Spy, all_logged, found_in
from muscle_mem import AskAgent, Call, Check, Engine, Finished, Secret, current_run

OTHER = "zweiter-Wj4-geheim"


@dataclass
class Login:
    user: str
    password: Any


class Page:
    """A context object that holds a secret, and shows it to whoever looks."""

    def __init__(self, secret: Any) -> None:
        self.password = secret
        self.typed: list[str] = []


@pytest.fixture(params=[PLAIN, ODD], ids=["plain", "odd"])
def canary(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@contextmanager
def clean_spy(tmp_path: Path, caplog: pytest.LogCaptureFixture, canary: str) -> Iterator[Spy]:
    """A spy, with everything logged; in all that it has seen at the end the canary must not be."""
    with all_logged(caplog):
        spy = Spy(tmp_path)
        yield spy
        assert found_in(spy.blob(caplog.text), canary) == []


def positions(secret: Any) -> dict[str, tuple[tuple[Any, ...], dict[str, Any]]]:
    """A tool's call with a secret in every position an argument can take."""
    raw = secret.value if isinstance(secret, Secret) else secret
    return {
        "positional": ((secret,), {}),
        "keyword": ((), {"a": secret}),
        "star": ((1, 2, secret), {}),
        "extra keyword": ((), {"extra": secret}),
        "keyword name": ((), {raw: 1}),
        "list": (([1, secret],), {}),
        "tuple": (((secret, 2),), {}),
        "dict value": (({"k": secret},), {}),
        "dict key": (({raw: 1},), {}),
        "deep": (({"k": [{"l": (secret,)}]},), {}),
        "set": (({raw, "x"},), {}),
        "dataclass": ((Login("bob", secret),), {}),
        "text": ((f"Bearer {raw}!",), {}),
        "upper": ((f"x{raw}x".upper(),), {}),
        "bytes": ((f"Bearer {raw}".encode(),), {}),
        "path": ((Path("/srv") / raw.replace("/", "_"),), {}),
        "array": ((np.array([raw, "b"]),), {}),
        "wide": ((f"Bearer {raw}".encode("utf-16-le"),), {}),
        "hex": ((raw.encode().hex() + "00",), {}),
    }


@pytest.mark.parametrize("wrapped", [True, False], ids=["wrapped", "raw"])
def test_c11_no_position_of_an_argument_shows_a_secret(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, canary: str, wrapped: bool
) -> None:
    secret: Any = Secret(canary) if wrapped else canary
    with clean_spy(tmp_path, caplog, canary) as spy:

        @spy.engine.tool(effect="read")
        def take(a: Any = None, b: Any = None, *more: Any, **named: Any) -> None: ...

        for name, (args, kwargs) in positions(secret).items():
            agent = lambda task, args=args, kwargs=kwargs: take(*args, **kwargs)
            for _ in range(2):
                spy.run(agent, name, secrets={"password": canary})


def test_c11_no_argument_of_the_agent_shows_a_secret(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, canary: str
) -> None:
    with clean_spy(tmp_path, caplog, canary) as spy:

        @spy.engine.tool
        def take(*args: Any, **kwargs: Any) -> None: ...

        def agent(*args: Any, **kwargs: Any) -> None:
            run = current_run()
            assert run is not None
            spy.tell(run.task)
            take("x")

        for name, (args, kwargs) in positions(Secret(canary)).items():
            if name in ("wide", "hex"):  # derived by the caller: no text of ours
                continue
            for given in ({}, {"params": {"p": Secret(canary)}}, {"secrets": {"p": canary}}):
                if not any(isinstance(value, str | bytes) for value in (*args, *kwargs, "")) or given:
                    spy.run(agent, *args, **kwargs, **given)
                    spy.run(
                        agent, *args, **kwargs, tags=["a", f"tag {canary}"], **(given or {"secrets": {"p": canary}})
                    )
        spy.run(agent, "log in", key=f"as {canary}", secrets={"password": canary})
        spy.run(agent, "x" * 190 + canary, secrets={"password": canary})
        spy.run(agent, ["x" * 110 + canary], secrets={"password": canary})


def test_c11_params_show_no_secret(tmp_path: Path, caplog: pytest.LogCaptureFixture, canary: str) -> None:
    with clean_spy(tmp_path, caplog, canary) as spy:

        @spy.engine.tool
        def take(*args: Any, **kwargs: Any) -> None: ...

        for params in (
            {"a": Secret(canary)},
            {"a": Secret(canary), "b": Secret(canary)},
            {"a": Secret(canary), "b": canary, "c": f"https://u:{canary}@host"},
            {"a": {"deep": [Secret(canary)]}},
        ):
            agent = lambda task, given=params: take(*given.values(), f"as {canary}")
            spy.run(agent, f"as {canary}", params=params)
            agent = lambda task, given=params: take(*given.values())
            spy.run(agent, f"as {canary}", params=params)
            spy.run(agent, f"as {canary}", params=params)
            spy.run(agent, f"as {canary}", params={name: Secret(OTHER) for name in params})
            spy.run(agent, f"as {canary}", params=dict.fromkeys(params, "x"), secrets={"p": canary})


def test_c11_outputs_snapshots_and_attributes_show_no_secret(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, canary: str
) -> None:
    with clean_spy(tmp_path, caplog, canary) as spy:
        answers = [canary, f"hi {canary}", {canary: 1}, {"k": [canary.encode()]}, Secret(canary), {canary}, 4711]

        @spy.engine.tool(Check(lambda n: answers[n]), Check(lambda n: [answers[n]]), effect="read")
        def look(n: int) -> Any:
            return answers[n]

        @spy.engine.tool(effect="read")
        def give(n: int) -> Any:
            return {"order_id": 4711, "answer": answers[n], canary: 5812}

        @spy.engine.tool
        def use(id: Any, more: Any = None) -> None: ...

        for n in range(len(answers)):
            for agent in (lambda task, n=n: look(n), lambda task, n=n: use(give(n)["order_id"], [5812, give(n)])):
                for _ in range(2):
                    spy.run(agent, f"task {n}", secrets={"password": canary})
                    answers.append(answers.pop(0))


def test_c11_a_context_objects_secret_shows_nowhere(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, canary: str
) -> None:
    with clean_spy(tmp_path, caplog, canary) as spy:

        class Form(Page):
            @spy.engine.method(Check(lambda self: [self.password, self.typed], refresh=True))
            def submit(self) -> str:
                self.typed.append(self.password.value)
                return f"sent {self.password.value}"

            @spy.engine.method(Check(lambda self: self.password.value, lambda a, b: True, refresh=True))
            def check(self) -> str:
                return f"sent {self.password.value}"

            @spy.engine.method(effect="read")
            def type(self, n: int) -> str:
                return f"typed {self.password.value}"

        form = Form(Secret(canary))
        for agent in (lambda task: form.submit(), lambda task: form.check(), lambda task: form.type(5)):
            for _ in range(2):
                spy.run(agent, "send", key=str(id(agent)), context=form)


def test_c11_declared_secrets_and_defaults_show_nowhere(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, canary: str
) -> None:
    with clean_spy(tmp_path, caplog, canary) as spy:
        hidden = Secret(canary)

        @spy.engine.tool(secret=["password"], effect="read")
        def log_in(user: str, password: Any = canary) -> Any:
            return f"welcome {user}: {password}"

        @spy.engine.tool(secret="headers", effect="read")
        def fetch(url: str, headers: Any = None, *, token: Any = hidden) -> Any:
            return {"sent": headers, "token": repr(token)}

        calls = [
            lambda task: log_in("bob", canary),
            lambda task: log_in("bob", password=Secret(canary)),
            lambda task: log_in("bob"),
            lambda task: (fetch("/x", {"Authorization": f"Bearer {canary}"}), log_in("bob", canary)),
            lambda task: (fetch("/x", {"Authorization": Secret(canary)}), fetch(f"/x?{canary}")),
            lambda task: (fetch("/x", token=canary), log_in("bob", OTHER), log_in("eve", canary)),
        ]
        for number, agent in enumerate(calls):
            for given in ({}, {}, {"secrets": {"password": OTHER}}, {"secrets": {"password": canary}}):
                spy.run(agent, f"task {number}", **given)
                spy.run(agent, f"task {number} as {canary}", **given)


@pytest.mark.parametrize("policy", ["auto", "absorb", "continue", "raise"])
@pytest.mark.parametrize("names", [True, False])
def test_c11_what_goes_wrong_in_the_middle_shows_no_secret(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, canary: str, policy: Any, names: bool
) -> None:
    with clean_spy(tmp_path, caplog, canary) as spy:
        trouble = {"tool": False, "check": False, "compare": False, "page": 1}

        def look(name: str) -> Any:
            if trouble["check"]:
                raise RuntimeError(f"cannot see: {canary}")
            return [name, trouble["page"]]

        def fits(now: Any, then: Any) -> bool:
            if trouble["compare"]:
                raise ValueError([canary])
            return bool(now == then)

        @spy.engine.tool(effect="write")
        def log_in(password: Any, note: Any = None) -> Any:
            return {"you are": canary, "raw": canary.encode(), "id": 4711}

        @spy.engine.tool(Check(look, fits, describe=lambda now, then: (f"{canary} {now}", f"{canary} {then}")))
        def press(name: str) -> Any:
            if trouble["tool"]:
                raise KeyError(f"no {name}: {canary}")
            return canary

        def agent(task: str, password: Any = None) -> Any:
            log_in(password.value, note=password)
            return press("ok")

        def careful(task: str, password: Any = None, handover: Any = None) -> Any:
            if handover is None:
                return agent(task, password)
            spy.tell(handover)
            return press("other")

        chosen = careful if names else agent
        for what, value in (("tool", True), ("check", True), ("compare", True), ("page", 2)):
            trouble.update(tool=False, check=False, compare=False, page=1)
            spy.run(agent, what, password=Secret(canary), mode="record")
            trouble[what] = value
            for _ in range(2):
                spy.run(chosen, what, password=Secret(canary), on_divergence=policy)
            spy.run(chosen, what, password=Secret(canary), mode="replay")
            trouble[what] = {"page": 1}.get(what, False)
            spy.run(
                chosen,
                what,
                password=Secret(canary),
                success=lambda value: (_ for _ in ()).throw(ValueError(canary)),
            )


def test_c11_two_engines_verdicts_demonstrations_and_misuse_show_no_secret(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, canary: str
) -> None:
    with clean_spy(tmp_path, caplog, canary) as spy:
        other = spy.open(scope=f"tenant {canary}")
        strict = spy.open(strict=True)
        for engine in (spy.engine, other, strict):

            @engine.tool(effect="read", name="take")
            def take(x: Any) -> Any:
                return x

            agent = lambda task, password, take=take: take(password)
            for _ in range(2):
                outcome = spy.run(agent, f"a {canary}", Secret(canary), engine=engine)
                if outcome is not None:
                    outcome.report_bad(f"the password {canary} was refused")
                spy.run(agent, [object(), canary, {canary: object()}], Secret(canary), engine=engine)
            with engine.record("shown", secrets={"password": canary}) as shown:
                take(canary)
                take([canary])
            spy.tell(shown.outcome)
        for wrong in ({"p": None}, {"p": ""}, canary, [canary], {1: canary}, {"p": True}):
            with pytest.raises((TypeError, ValueError)) as raised:
                spy.engine("task", "x", secrets=wrong)
            spy.seen.append(str(raised.value))


def test_c11_async_runs_show_no_secret(tmp_path: Path, caplog: pytest.LogCaptureFixture, canary: str) -> None:
    with clean_spy(tmp_path, caplog, canary) as spy:
        await_all(spy.engine, spy, canary)


@pytest.mark.parametrize("policy", ["auto", "absorb"])
def test_c11_sessions_show_no_secret(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, canary: str, policy: Any
) -> None:
    with clean_spy(tmp_path, caplog, canary) as spy:
        page = {"open": True}

        @spy.engine.tool(effect="write", secret=["password"])
        def log_in(user: str, password: str) -> str:
            return f"welcome {password}"

        @spy.engine.tool(Check(lambda: dict(page)))
        def press() -> None: ...

        for turn in range(3):
            page["open"] = turn < 2
            calls: list[Any] = [(log_in, {"user": "bob", "password": canary}), ("press", {})]
            with spy.engine.session("log in", secrets={"password": canary}, on_divergence=policy) as session:
                while True:
                    step = session.next()
                    spy.tell(step)
                    if isinstance(step, Finished):
                        break
                    if isinstance(step, Call):
                        session.done(step, step.fn(*step.args, **step.kwargs))
                    elif isinstance(step, AskAgent):
                        for wrong in ([(canary, {})], [("log_in", canary)], [f"call {canary}"], canary):
                            with pytest.raises((TypeError, ValueError)) as raised:
                                session.said(wrong)
                            spy.seen.append(str(raised.value))
                        session.said(calls[:1])
                        del calls[:1]
            spy.tell(session.outcome)
            with pytest.raises(RuntimeError) as over:
                session.next()
            spy.seen.append(str(over.value))
        session = spy.engine.session("other", Secret(canary))
        session.next()
        session.close(ValueError(f"x {canary}"))
        with pytest.raises(RuntimeError) as left:
            session.next()
        spy.seen.append(str(left.value))


def await_all(engine: Engine, spy: Spy, canary: str) -> None:
    @engine.tool(effect="read")
    async def take(x: Any, y: Any = None) -> Any:
        await asyncio.sleep(0)
        return [x, canary]

    async def agent(task: str, password: Any) -> None:
        await take(password)
        await take(password.value, [password.value])

    async def work() -> None:
        engine.set_agent(agent)
        for _ in range(2):
            spy.tell(await engine.aexplain(f"as {canary}", Secret(canary)))
            spy.tell(await engine.acall(f"as {canary}", Secret(canary)))

    asyncio.run(work())


def test_the_forms_are_found_where_they_are() -> None:
    """The proof would be worth nothing if the search did not find what is there."""
    import base64

    for text in (PLAIN, ODD):
        for before in range(5):
            assert found_in(b"-" + base64.b64encode(b"x" * before + text.encode() + b"yz"), text)
        assert found_in(text.encode("utf-16-le"), text)
        assert found_in(f"[{text!r}]".encode(), text)
        assert found_in(text.encode().hex().encode(), text)
        assert not found_in(b"kanarie-vogel", text)
