"""Models for the benchmark of an agent that need no weights: one that is always right, and one that errs on demand."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.agent import oracle, tasks
from benchmarks.agent.model import Answer, Prompt

SECONDS = 0.5


def blank_stream(seed: int) -> list[tasks.Task]:
    """The tasks of a seed, all on forms that open blank."""
    return [replace(task, leftover={}) for task in tasks.stream(seed)]


def right_actions(text: str, opened_as: str) -> list[str]:
    """What a task needs, in the order of the examples."""
    asked = oracle.TEXT.fullmatch(text)
    assert asked is not None
    return [
        *(["press clear"] if opened_as != "empty" else []),
        f"fill name {asked['name']}",
        f"choose topic {asked['topic']}",
        *(["choose priority high"] if asked["high"] else []),
        *([f"fill note {asked['note']}"] if asked["note"] else []),
        "press send",
    ]


def task_of(prompt: Prompt) -> tuple[str, str]:
    """The task and what the form shows."""
    task, form = prompt.head.split("\n")
    return task.removeprefix("Task: "), form.removeprefix("Form: ")


class Solver:
    """A model that always writes the next right action."""

    def ask(self, prompt: Prompt, seed: int) -> Answer:
        done = [action for action in prompt.actions if action != "press draft"]
        return Answer(right_actions(*task_of(prompt))[len(done)], 100, 5, SECONDS)


class Fails:
    """A model that begins the first attempts at some tasks with a wrong line.

    Args:
        attempts: How many attempts at a task fail, by its text.
        line: What the model writes in place of the first action.
        goes_on: Whether the model goes on with the right actions after that.
    """

    def __init__(self, attempts: dict[str, int], line: str, *, goes_on: bool = False) -> None:
        self._attempts = dict(attempts)
        self._line = line
        self._goes_on = goes_on

    def ask(self, prompt: Prompt, seed: int) -> Answer:
        text, _ = task_of(prompt)
        if not prompt.actions and self._attempts.get(text, 0):
            self._attempts[text] -= 1
            return Answer(self._line, 100, 5, SECONDS)
        return Solver().ask(prompt, seed)
