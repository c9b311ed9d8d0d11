"""What the iterations of a loop read from their elements (L11)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ....errors import NotStorableError
from ... import codec
from ...model.flow import OUTPUT, Unclear
from ...model.text import safe_repr
from .for_each import Item, ItemRef
from .resolve import Env, argument_reader
from .sources import AbsentError, read


def item_resolver(expr: Any) -> Callable[[Env], Any]:
    """Return a function that computes the value of an element, or a leaf of it.

    It is the value that the element had when the loop began. Other sources must agree with it.
    """
    assert isinstance(expr, Item | ItemRef)
    loop, iteration, number = expr.loop, expr.iteration, expr.number

    def resolve(env: Env) -> Any:
        return env.loops[loop][iteration][number]

    if isinstance(expr, ItemRef):
        return resolve
    list_step = expr.sources[0].step
    others = [source for source in expr.sources if source.origin != OUTPUT or source.step != list_step]
    if not others:
        return resolve

    def resolve_agreed(env: Env) -> Any:
        value = resolve(env)
        votes = [(expr.sources[0], safe_repr(value))]
        wanted = codec.canonical(value)
        for source in others:
            try:
                found = read(source, env.results, argument_reader(env), env.params)
                if codec.canonical(found) == wanted:
                    continue
                votes.append((source, safe_repr(found)))
            except AbsentError:
                continue
            except (LookupError, NotStorableError):
                votes.append((source, "not found"))
        if len(votes) > 1:
            raise Unclear(votes)
        return value

    return resolve_agreed
