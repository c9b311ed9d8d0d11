"""Functions whose fingerprints are written down in fingerprints.json: each kind of syntax and of callable."""

# Syntax that a linter would simplify is what this file is for.
# ruff: noqa: C416, F541, ISC004, PIE800

from __future__ import annotations

import contextlib
import dataclasses
import enum
import functools
import operator
import re
from typing import Any


class Colour(enum.Enum):
    RED = 1


class Door:
    def open(self, angle=90):
        "Turn."
        return super().__init__(), angle

    @staticmethod
    def shut(force: float = 0.5) -> str:
        return f"shut {force!r:>{10}}"

    @classmethod
    def of(cls, *names):
        return [cls() for _ in names]

    def __call__(self, *, softly=True):
        return softly


def factory(level, helper=len):
    def made(x, /, y=1.5, *rest, key=b"\xff", **more):
        nonlocal level
        level = helper(x) + y
        return level, rest, key, more

    return made


def logged(fn):
    @functools.wraps(fn)
    def wrapper(*args, **kwargs):
        return fn(*args, **kwargs)

    return wrapper


def strings(x, width=3):
    """Docstring."""
    # fmt: off
    text = f"{x:>{width}.{width}} {x!r} {{}} {x=}" f"{x:%H:%M}" "\N{SNOWMAN} ü \\ \x00\ud800"
    return text, rb"\d", r"\d", "a" "b", f"", f"{x:{'a'}}"
    # fmt: on


def numbers():
    return 1, -1, 1_000, 0x10, 10**40, 1.0, 1e400, 0.1, 2j, True, None, ..., 1 < 2 <= 3 != 4


def control(items):
    while (n := len(items)) > 3 and not items[0]:
        items = items[1:n:2]
    else:
        items = [*items, *range(3)]
    for a, *b in items:
        if a is None or b not in items:
            continue
        break
    try:
        assert items, "none"
        del items[0]
    except (ValueError, KeyError) as error:
        raise RuntimeError from error
    else:
        pass
    finally:
        print(items)
    with contextlib.suppress(OSError), contextlib.nullcontext(1) as one:
        one += 1
    return {**{"a": 1}, "b": lambda q, *, r=2: q @ r}, {i for i in items}, (i for i in items if i)


def groups(call):
    try:
        call()
    except* ValueError as group:
        print(group.exceptions)


def matching(value):
    match value:
        case {"kind": "a" | "b" as kind, **rest} if rest:
            return kind
        case [1, -2.5, *_] | Door(angle=None) | Colour.RED | True:
            return 1
        case str(text):
            return text
        case _:
            return None


async def asynchronous(source):
    async with source as opened:
        async for item in opened:
            yield item
        listed = [await item async for item in opened if item]
    yield {k: v async for k, v in opened}, listed


def nested(x: int) -> Any:
    """Docstring."""
    count: int = 0

    def inner(y: int = 2) -> int:
        """Docstring."""
        nonlocal count
        global total
        count, total = y, x
        return inner(count)

    @dataclasses.dataclass(frozen=True)
    class Row:
        """Docstring."""

        name: str
        size: int = 0

    return inner, Row


def recursive(n):
    return n and recursive(n - 1)


def local_recursion():
    def down(n):
        return n and down(n - 1)

    return down


@functools.lru_cache(maxsize=8)
def cached(x):
    return x


lambdas = [lambda x: True, lambda x: False, lambda x: (x, lambda: x)]  # fmt: skip

SAMPLES: dict[str, Any] = {
    "method": Door.open,
    "bound method": Door().open,
    "static method": Door.shut,
    "class method": Door.of,
    "callable object": Door(),
    "class": Door,
    "factory 1": factory(1),
    "factory 2": factory(2),
    "factory with a function": factory(1, recursive),
    "factory with a tuple": factory((1, "a", None, 2.5, Colour.RED, frozenset("abc"))),
    "factory with state": factory([1]),
    "wrapped": logged(recursive),
    "cached": cached,
    "partial": functools.partial(control, 1, key=print),
    "strings": strings,
    "numbers": numbers,
    "control": control,
    "groups": groups,
    "matching": matching,
    "asynchronous": asynchronous,
    "nested": nested,
    "recursive": recursive,
    "local recursion": local_recursion(),
    "lambda True": lambdas[0],
    "lambda False": lambdas[1],
    "lambda in lambda": lambdas[2],
    "inner lambda": lambdas[2](1)[1],
    "builtin": len,
    "builtin class": dict,
    "builtin method": "abc".startswith,
    "method descriptor": str.upper,
    "operator": operator.itemgetter("url"),
    "pattern": re.compile("a+", re.IGNORECASE).search,
}
