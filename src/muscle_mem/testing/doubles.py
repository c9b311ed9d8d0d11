"""For your tests: an agent that follows a script, and a clock that you advance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import InvalidTypeError, InvalidValueError


class ScriptedAgent:
    """An agent without a model: each time it is asked it makes the same calls, in order.

    Each step is a function without arguments, or a tuple of a function and its arguments, such as `(press, "save")`;
    an exception as a step is raised there. `returns` is what the agent returns; a function gets the list of results.
    `asked` holds the arguments of every time it was asked, as (args, kwargs). Raises InvalidTypeError for another step.
    """

    __module__ = "muscle_mem.testing"

    def __init__(self, *steps: Any, returns: Any = None) -> None:
        self.steps = tuple(_step(step) for step in steps)
        self.returns = returns
        self.asked: list[tuple[tuple[Any, ...], dict[str, Any]]] = []

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.asked.append((args, kwargs))
        results = [step() for step in self.steps]
        return self.returns(results) if callable(self.returns) else self.returns

    def __repr__(self) -> str:
        return f"<ScriptedAgent of {len(self.steps)} steps, asked {len(self.asked)} times>"


def _step(step: Any) -> Callable[[], Any]:
    if isinstance(step, BaseException):
        return lambda: _raise(step)
    if isinstance(step, tuple) and step and callable(step[0]):
        function, *args = step
        return lambda: function(*args)
    if callable(step):
        return lambda: step()
    raise InvalidTypeError(
        f"a step of a ScriptedAgent is a function, a tuple of one and its arguments, or an exception, not {step!r}"
    )


def _raise(error: BaseException) -> Any:
    raise error


class FakeClock:
    """A clock for tests: calling it returns the time in seconds, `advance` and `sleep` move it, nothing else does.

    Give it where a clock is taken, as in `checks.age(60, clock=clock)`.
    """

    __module__ = "muscle_mem.testing"

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.now = float(now)

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        """Move on by some seconds, or back by a negative number of them, as clocks of real machines may."""
        self.now += seconds

    def sleep(self, seconds: float) -> None:
        """What `time.sleep` would do. Raises InvalidValueError for a negative time."""
        if seconds < 0:
            raise InvalidValueError(f"a sleep takes 0 or more seconds, not {seconds!r}")
        self.now += seconds
