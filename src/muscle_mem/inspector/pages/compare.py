"""Two trajectories side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from ..._reading.comparing import Change, Side, align_steps, side_of
from ..._reading.comparing import compare as changes_between
from ..._reading.script import call_text
from ...errors import InvalidValueError
from ..diffs import Line, side_by_side
from ..pictures import is_picture, picture_name
from ..values import MOST_TO_COMPARE, Block, block, cut
from ..web import Inspector, inspector_of


class Seen(msgspec.Struct, frozen=True):
    """What a check captured on both sides, with the difference as lines or pictures."""

    role: str
    left: Block | None
    right: Block | None
    lines: tuple[Line, ...]
    pictures: tuple[str, str] | None


class Pair(msgspec.Struct, frozen=True):
    """A step of both sides, or of one: "same", "changed", "removed" or "added"."""

    kind: str
    left: str
    right: str
    left_at: int
    right_at: int
    changes: tuple[Change, ...]
    seen: tuple[Seen, ...]


def compare(request: Request) -> Response:
    """Show the differences between two trajectories, or a form that asks for them."""
    inspector = inspector_of(request)
    a, b = (request.query_params.get(name, "").strip() for name in ("a", "b"))
    if not (a and b):
        return inspector.page(request, "compare", a=a, b=b, sides=None, general=(), pairs=())
    left, right = _side(inspector, a), _side(inspector, b)
    changes = [_bounded(one) for one in changes_between(left, right)]
    general = [change for change in changes if change.step < 0 and change.other < 0]
    pairs = list(_pairs(left, right, changes))
    return inspector.page(request, "compare", a=a, b=b, sides=(left, right), general=general, pairs=pairs)


def _bounded(one: Change) -> Change:
    return Change(one.step, one.other, cut(one.what), cut(one.a), cut(one.b))


def _side(inspector: Inspector, id: str) -> Side:
    try:
        return side_of(id, inspector.stored(id))
    except InvalidValueError as error:
        raise HTTPException(409, str(error)) from error


def _pairs(a: Side, b: Side, changes: Sequence[Change]) -> Iterator[Pair]:
    for at, other in align_steps(a.body.steps, b.body.steps):
        here = tuple(one for one in changes if (one.step, one.other) == (at, other) and one.what != "step")
        kind = "removed" if other < 0 else "added" if at < 0 else "changed" if here else "same"
        yield Pair(
            kind,
            cut(call_text(a.body.steps[at], a.outputs())) if at >= 0 else "",
            cut(call_text(b.body.steps[other], b.outputs())) if other >= 0 else "",
            at,
            other,
            tuple(one for one in here if one.what not in ("pre saw", "post saw")),
            tuple(_seen(a, b, at, other)) if kind == "changed" else (),
        )


def _seen(a: Side, b: Side, at: int, other: int) -> Iterator[Seen]:
    for role, post in (("pre", False), ("post", True)):
        one, two = a.snapshot(at, post=post), b.snapshot(other, post=post)
        if one == two:
            continue
        pictures = None
        if one is not None and two is not None and is_picture(one) and is_picture(two):
            pictures = (
                picture_name(a.stored.sealed.id, a.number, at, role),
                picture_name(b.stored.sealed.id, b.number, other, role),
            )
        left, right = (None if data is None else block(data, MOST_TO_COMPARE) for data in (one, two))
        lines = tuple(side_by_side(left.text if left else "", right.text if right else ""))
        yield Seen(role, left, right, lines, pictures)
