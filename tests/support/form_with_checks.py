"""A form whose checks see what a test says, and names to type into it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

from muscle_mem import Check, Engine, Outcome


@dataclasses.dataclass(frozen=True)
class Screen:
    title: str
    amount: Any = 0


class Form:
    """A form that a test can change between runs; each tool's check sees what `look` makes of it."""

    def __init__(
        self,
        look: Callable[[Form], Any] | None = None,
        store: str | None = None,
        options: dict[str, Any] | None = None,
        agent: Callable[[Form, Any], Any] | None = None,
        **engine: Any,
    ) -> None:
        self.fields: dict[str, Any] = {}
        self.calls: list[tuple[Any, ...]] = []
        self.noise: Any = None
        sight = look or (lambda form: dict(form.fields))
        self.engine = Engine(store, **engine)
        check = Check(lambda *_, **__: sight(self), **(options or {}))

        @self.engine.tool(pre_check=check)
        def enter(name: Any) -> None:
            self.calls.append(("enter", name))
            self.fields["name"] = name

        @self.engine.tool(pre_check=check)
        def fill(target: str, text: Any) -> None:
            self.calls.append(("fill", target, text))
            self.fields[target] = text

        @self.engine.tool(pre_check=check)
        def press(button: str) -> None:
            self.calls.append(("press", button))

        @self.engine.tool(pre_check=check, effect="irreversible")
        def wire() -> None:
            self.calls.append(("wire",))

        self.enter, self.fill, self.press, self.wire = enter, fill, press, wire
        steps = agent or (lambda form, value: (form.enter(value), form.press("Submit")))
        self.engine.set_agent(lambda task, value: steps(self, value))

    def run(self, value: Any, start: dict[str, Any] | None = None, **options: Any) -> Outcome:
        self.fields = dict(start or {})
        self.calls = []
        return self.engine("register", value, params={"who": value}, **options)


NAMES = ("Ann", "Bob Ray", "Zoë", "O'Neill", "北京市", "x" * 6000, "a {b} c", "3 chairs")
