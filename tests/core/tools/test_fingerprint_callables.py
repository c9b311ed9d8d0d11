"""Partials, methods, objects, builtins and wrappers: their fingerprints, names and kinds."""

from __future__ import annotations

import asyncio
import functools
import operator
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from fingerprint_cases import ROW, all_differ, define, fingerprint, make
from muscle_mem._core.tools.fingerprint import is_async, is_async_generator, is_generator, made_in_function, stored_name

# --- other callables ---


class Clicker:
    def __init__(self, times: int = 1) -> None:
        self.times = times

    def __call__(self) -> int:
        return self.times

    def click(self) -> int:
        return self.times

    @staticmethod
    async def later() -> None: ...


class Other(Clicker):
    pass


def test_partials_count_with_function_and_arguments() -> None:
    def partial(*args: Any, **kwargs: Any) -> Any:
        return functools.partial(*args, **kwargs)

    assert all_differ(make, partial(make), partial(make, 1), partial(make, 2), partial(make, level=1))
    assert all_differ(len, partial(len), partial(len, 1))
    assert fingerprint(partial(make, a=1, b=2)) == fingerprint(partial(make, b=2, a=1))
    assert fingerprint(partial(make, [1])) == fingerprint(partial(make, [2]))
    assert fingerprint(partial(make, 1)).startswith("s:")


def test_bound_methods_and_objects_count_with_class_and_code() -> None:
    assert all_differ(Clicker.click, Clicker().click, Other().click, Clicker(), Other(), Clicker, Other)
    assert fingerprint(Clicker(1).click) == fingerprint(Clicker(2).click)
    assert fingerprint(Clicker(1)) != fingerprint(Clicker(2))
    assert fingerprint(vars(Clicker)["later"]) == fingerprint(Clicker.later)


def test_d7_the_state_of_a_callable_object_counts_as_a_closure_does() -> None:
    class Act:
        def __init__(self, *values: Any) -> None:
            for number, value in enumerate(values):
                setattr(self, f"value{number}", value)

        def __call__(self) -> None: ...

    class Slotted:
        __slots__ = ("_Slotted__hidden", "empty", "value")

        def __init__(self, value: Any) -> None:
            self.value = value

        def __call__(self) -> None: ...

    class Derived(Slotted):
        __slots__ = ("more",)

        def __init__(self, value: Any, more: Any) -> None:
            super().__init__(value)
            self.more = more

        def __call__(self) -> None: ...

    values: list[Any] = [
        None,
        True,
        1,
        1.0,
        "1",
        b"1",
        (1,),
        ("1",),
        re.compile("1"),
        len,
        make,
        make(1),
        Clicker,
        dict,
    ]
    assert all_differ(*map(Act, values), Act(), Act(1, 2), Act(2, 1))
    assert all_differ(Slotted(1), Slotted("1"), Derived(1, 1), Derived(1, 2), Derived(2, 1))
    assert all_differ(*(functools.partial(Act(value)) for value in values))
    for one, other in [([1], [2]), ({"a": 1}, {}), ({1}, {2}), (object(), object()), (Clicker(1), Clicker(2))]:
        assert fingerprint(Act(one)) == fingerprint(Act(other))  # State that may change counts by its type.
        assert fingerprint(Slotted(one)) == fingerprint(Slotted(other))
    ordered, turned = Act(), Act()
    ordered.a, ordered.b = 1, 2
    turned.b, turned.a = 2, 1
    assert fingerprint(ordered) == fingerprint(turned)
    documented = Act(1)
    documented.__doc__ = "What it does."
    documented.__name__ = "act"
    assert fingerprint(documented) == fingerprint(Act(1))


def test_d7_a_decorator_object_counts_with_what_it_wraps_and_its_settings() -> None:
    class Retry:
        def __init__(self, fn: Any, times: int) -> None:
            functools.update_wrapper(self, fn)
            self.fn, self.times = fn, times

        def __call__(self, *args: Any) -> Any:
            return self.fn(*args)

    assert all_differ(make, Retry(make, 1), Retry(make, 2), Retry(fingerprint, 1))
    assert fingerprint(Retry(make, 1)) == fingerprint(Retry(make, 1))
    itself = Retry(make, 1)
    itself.fn = itself.again = itself.more = itself
    assert fingerprint(itself)


def test_builtins_count_by_name() -> None:
    assert fingerprint(len) == "b:builtins.len"
    assert fingerprint(dict) == "b:builtins.dict"
    assert all_differ(len, print, dict, list, str.upper, "a".upper, "b".upper, [].append, dict.fromkeys)
    assert all_differ(
        operator.itemgetter(0),
        operator.itemgetter(1),
        operator.attrgetter("a"),
        operator.methodcaller("a", 1, k=1),
        operator.methodcaller("a", 1, k=2),
        operator.methodcaller("a", 2),
    )


def test_a_cache_around_a_function_does_not_matter_and_other_wrappers_do() -> None:
    def plain(x: int) -> int:
        return x

    def logged(fn: Callable[..., Any], level: int) -> Callable[..., Any]:
        @functools.wraps(fn)
        def wrapper(*args: Any) -> Any:
            return level, fn(*args)

        return wrapper

    assert fingerprint(functools.lru_cache(plain)) == fingerprint(plain)
    assert all_differ(plain, logged(plain, 1), logged(plain, 2), logged(make, 1))


def test_a_wrapper_of_this_library_stands_for_what_it_wraps() -> None:
    wrapper = define(
        "def f(fn):\n    def tool(*args): return fn(*args)\n    return tool\n", __name__="muscle_mem._engine.engine"
    )(make)
    functools.update_wrapper(wrapper, make)
    assert fingerprint(wrapper) == fingerprint(make)
    assert fingerprint(make(wrapper)) == fingerprint(make(make))


def test_nothing_makes_it_raise() -> None:
    class Hostile:
        def __getattribute__(self, name: str) -> Any:
            raise RuntimeError(name)

        __hash__ = None

    class Endless:
        @property
        def __wrapped__(self) -> Any:
            return Endless()

    loop = functools.partial(print)
    loop.__setstate__((loop, (), {}, None))
    for thing in (Hostile(), Endless(), loop):
        assert fingerprint(thing).startswith("b:")
        assert stored_name(thing)
    broken = make(1)
    broken.__wrapped__ = broken
    assert fingerprint(broken) == fingerprint(make(1))


# --- names and kinds ---


def test_stored_names() -> None:
    assert stored_name(make) == "make"
    assert stored_name(make(1)) == "make.<locals>.<lambda>"
    assert stored_name(Clicker().click) == "Clicker.click"
    assert stored_name(vars(Clicker)["later"]) == "Clicker.later"
    assert stored_name(functools.partial(functools.partial(make, 1))) == "make"
    assert stored_name(functools.lru_cache(make)) == "make"
    assert stored_name(Clicker()) == "Clicker"
    assert stored_name(Clicker) == "Clicker"
    assert stored_name(len) == "len"
    assert stored_name([].append) == "list.append"
    assert stored_name(operator.itemgetter(1)) == "itemgetter"
    assert stored_name(ROW[0]) == "<lambda>"


def test_made_in_function() -> None:
    assert made_in_function(make(1))
    assert made_in_function(functools.partial(make(1)))
    assert not made_in_function(make)
    assert not made_in_function(Clicker().click)
    assert not made_in_function(Clicker())


async def coroutine() -> None: ...


def generator() -> Iterator[int]:
    yield 1


async def stream() -> Any:
    yield 1


def ways_around(fn: Any) -> list[Any]:
    class Box:
        __call__ = fn
        method = fn
        static = staticmethod(fn)

    plain = [fn, functools.partial(functools.partial(fn)), staticmethod(fn), functools.lru_cache(fn)]
    return [*plain, Box(), Box().method, Box.static, vars(Box)["static"], functools.partial(Box())]


@pytest.mark.parametrize(
    ("fn", "expected"),
    [
        (coroutine, (True, False, False)),
        (generator, (False, True, False)),
        (stream, (False, False, True)),
        (make, (False, False, False)),
    ],
)
def test_kinds_are_seen_through_whatever_is_around(fn: Any, expected: tuple[bool, bool, bool]) -> None:
    for thing in ways_around(fn):
        assert (is_async(thing), is_generator(thing), is_async_generator(thing)) == expected


@pytest.mark.parametrize("thing", [len, dict, asyncio.sleep, Clicker, None, functools.partial(len)], ids=stored_name)
def test_kinds_of_what_has_no_code(thing: object) -> None:
    assert is_async(thing) == (thing is asyncio.sleep)
    assert not is_generator(thing)
    assert not is_async_generator(thing)
