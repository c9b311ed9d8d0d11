"""Data flow that several recordings of a task prove together.

A *source* says where the value of an argument can be read in a run. Sources are derived from stored recordings when a
key is loaded. They are never stored themselves; their digests name the evidence for them.
"""

from __future__ import annotations

import msgspec

OUTPUT, ARGUMENT, PARAM = "output", "argument", "param"
"""The origins of a source."""


class Name(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="n"):
    """The value under a dict's key, or in a field or attribute."""

    name: str


class Slot(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="t"):
    """A position in a tuple, which has a fixed meaning."""

    index: int


class Element(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="e"):
    """An element of a list.

    0 is the first and -1 the last. Other positions only vote.
    """

    index: int


class NthKey(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="k"):
    """The key of a dict at a position.

    It only votes.
    """

    index: int


class Extreme(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="x"):
    """The only element of a list whose field is the largest, or smallest.

    It only votes.
    """

    field: tuple[str | int, ...]
    is_largest: bool


class Only(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="o"):
    """The only element of a list whose field equals an earlier argument or a param."""

    field: tuple[str | int, ...]
    equals: Source


class Parsed(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="j"):
    """The value that a text is the JSON form of."""


class Between(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="b"):
    """The only place in a text between these words.

    An empty text is the start or the end of the text.
    """

    before: str
    after: str


PathItem = Name | Slot | Element | NthKey | Extreme | Only | Parsed | Between


class Source(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="s"):
    """A place from which a run can read the value of an argument.

    `origin` is `output`, `argument` (of the earlier step `step`, called `name`) or `param` (called `name`). `path`
    leads from there to the value. `convert` is one of the conversions of `binding.references.sources`, or empty.
    """

    origin: str
    step: int = -1
    name: str = ""
    path: tuple[PathItem, ...] = ()
    convert: str = ""


VOTING_ONLY = (NthKey, Extreme)


def may_act(source: Source) -> bool:
    """Return whether the way to a value is one that may act alone.

    The n-th element and key, and the smallest and largest, only vote.
    """
    return all(
        not isinstance(item, VOTING_ONLY) and not (isinstance(item, Element) and item.index not in (0, -1))
        for item in source.path
    )


class Get(msgspec.Struct, frozen=True, array_like=True, gc=False, tag="G"):
    """An argument's leaf that is read from its sources, all of which must agree.

    `sources` are those that no recording contradicts; at least one of them may act. It is part of a generalized
    trajectory in memory, and is not stored. `kinds` are the names of the types that the recordings had there. They do
    not vouch for a value of another type. Without names, any type will do.
    """

    sources: tuple[Source, ...]
    kinds: tuple[str, ...] = ()


class Unclear(Exception):  # noqa: N818 - it is not an error, but a reason to ask the agent
    """The sources of an argument do not agree, or none that may act was found.

    `votes` holds each source with the text of its value, or with "not found".
    """

    def __init__(self, votes: list[tuple[Source, str]]) -> None:
        super().__init__(f"the sources of an argument do not agree: {[text for _, text in votes]}")
        self.votes = votes
