"""The table for users in docs/performance.md: a few questions, answered from the rows of a result."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .markdown import figure

HEAD = "| question | measured |\n| --- | --- |"


@dataclass(frozen=True)
class Question:
    """What a user wants to know, and the row that answers it; `{title}` and `{number}` come from the row."""

    text: str
    id: str  # a pattern; of several rows, the last one answers
    answer: Callable[[dict[str, Any]], str]


def duration(microseconds: float) -> str:
    """A time in the unit that suits it."""
    if microseconds < 1000:
        return f"{figure(microseconds)} microseconds"
    return f"{figure(microseconds / 1000)} milliseconds"


def _beside_loop(row: dict[str, Any]) -> str:
    """The time of a hit and of its loop; a row in microseconds has the hit itself, another one a multiple."""
    hit = row["details"].get("ours_us", row["ours"])
    return f"{duration(hit)}; the checks and tools alone: {duration(row['loop'])}"


def _whole(row: dict[str, Any]) -> str:
    return duration(row["details"]["ours_us"])


def _microseconds(row: dict[str, Any]) -> str:
    return duration(row["ours"])


def _milliseconds(row: dict[str, Any]) -> str:
    return duration(row["ours"] * 1000)


def _plain(row: dict[str, Any]) -> str:
    return f"{figure(row['ours'])} {row['unit']}"


def _times_empty(row: dict[str, Any]) -> str:
    return f"{figure(row['ours'])} times as long as in an empty store"


QUESTIONS = (
    Question("A hit of 1 step", r"one\.whole", _beside_loop),
    Question("A hit of 10 steps", r"steady\.10", _beside_loop),
    Question("A hit of 100 steps", r"steady\.100", _beside_loop),
    Question("A hit of 10 steps whose tool takes 1 millisecond", r"slow", _beside_loop),
    Question("The first hit of a new engine over a filled store, 10 steps", r"anew\.10", _whole),
    Question("A recorded tool call, beyond the plain call", r"record\.scalar", _microseconds),
    Question("A tool call outside a run, beyond the plain call", r"record\.outside", _microseconds),
    Question("Writing a recording of ten steps to SQLite", r"sqlite\.seal", _whole),
    Question("A recording of ten steps in SQLite", r"sqlite\.bytes", _plain),
    Question("Opening a SQLite store of {title}", r"sqlite\.open", _milliseconds),
    Question("The first hit of a task in that store", r"sqlite\.cold", _milliseconds),
    Question("A miss beside {number} recordings of other tasks", r"miss\.\d+", _times_empty),
    Question("Memory of a recorded step", r"memory\.step", _plain),
    Question("{title}", r"hits\.memory", _plain),
    Question("`from muscle_mem import Engine`", r"import\.engine", _milliseconds),
)


def summary(result: dict[str, Any]) -> str:
    """The questions that the result has figures for, as a table."""
    lines = []
    for question in QUESTIONS:
        found = [row for row in result["rows"] if re.fullmatch(question.id, row["id"]) and row["ours"] is not None]
        if found:
            row = found[-1]
            number = row["id"].rpartition(".")[2]
            text = question.text.format(
                title=row["title"].partition(": ")[0], number=f"{int(number):,}" if number.isdigit() else ""
            )
            lines.append(f"| {text[0].upper()}{text[1:]} | {question.answer(row)} |")
    return "\n".join([HEAD, *lines])
