"""Test doubles: an agent that follows a script, and a clock that you advance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import InvalidTypeError, InvalidValueError


class ScriptedAgent:
    """Agent without a model, which makes the same calls in order on each run.

    The attribute `asked` lists the arguments of each run as (args, kwargs).

    Args:
        steps: Functions without arguments, or tuples of a function and its arguments, such as `(press, "save")`. An
            exception is raised at its place.
        returns: The return value of the agent, or a function that computes it from the list of results.

    Raises:
        InvalidTypeError: A step is not a function, a tuple or an exception.
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
        f"steps= of ScriptedAgent: expected a function, a tuple of a function and its arguments, or an exception, "
        f"got {step!r}. Pass one of these."
    )


def _raise(error: BaseException) -> Any:
    raise error


class FakeClock:
    """Clock for tests, whose time only `advance` and `sleep` change.

    A call returns the time. Pass it as `clock=`, as in `checks.age(60, clock=clock)`.

    Args:
        now: The initial time in seconds since the epoch.
    """

    __module__ = "muscle_mem.testing"

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.now = float(now)

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        """Change the time by a number of seconds, which may be negative."""
        self.now += seconds

    def sleep(self, seconds: float) -> None:
        """Advance the clock like `time.sleep`.

        Args:
            seconds: The seconds to advance, 0 or more.

        Raises:
            InvalidValueError: The number is negative.
        """
        if seconds < 0:
            raise InvalidValueError(
                f"seconds=: expected 0 or more, got {seconds!r}. Use advance() to move the clock back."
            )
        self.now += seconds
