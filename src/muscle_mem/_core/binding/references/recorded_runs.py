"""Recordings as runs whose sources can be read (L2)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from ... import codec
from ...codec.mappings import is_mapping_kind
from ...model.flow import OUTPUT, Source
from ...model.records import Expr, Lit, Node, Par, StepRecord, Suspicion
from ..outputs.paths import Fields
from .skeletons import HOLE
from .sources import AbsentError, Traced, is_equal, read

NO_OUTPUT: Any = object()
"""Stands for an output that was not stored, is opaque, or holds a secret."""

Digest = Callable[[Any], bytes]


class Parent(NamedTuple):
    """One recording.

    `records` are its calls as stored, `outputs` the decoded outputs (NO_OUTPUT where there is none), and `ended` holds
    for each step the steps that had ended when it began. `suspicions` are those of each step, `params` the digests of
    the params' values.
    """

    records: Sequence[StepRecord]
    outputs: Sequence[Any]
    ended: Sequence[frozenset[int]]
    suspicions: Sequence[tuple[Suspicion, ...]] = ()
    params: Mapping[str, bytes] = {}


class RecordedRun:
    """A recording whose sources can be read."""

    def __init__(self, parent: Parent, digest_of: Digest | None) -> None:
        self.parent = parent
        self.params = (
            {name: Traced(digest, digest_of) for name, digest in parent.params.items()} if digest_of is not None else {}
        )
        self._arguments: dict[tuple[int, str], Any] = {}

    def argument(self, step: int, name: str) -> Any:
        """Return what is known of an argument. Raises LookupError."""
        key = step, name
        if key not in self._arguments:
            found = next((expr for own, expr in self.parent.records[step].arguments if own == name), None)
            self._arguments[key] = HOLE if found is None else self._value(found)
        value = self._arguments[key]
        if value is HOLE:
            raise LookupError(f"the argument {name!r} is not known")
        return value

    def _value(self, expr: Expr) -> Any:
        if isinstance(expr, Lit):
            return codec.decode(expr.data, lenient=True)
        if type(expr) is Par:
            return self.params.get(expr.name, HOLE)
        if not isinstance(expr, Node):
            return HOLE
        items = [self._value(item) for item in expr.items]
        if is_mapping_kind(expr.kind):
            keys = (key for key in items[::2])
            return {key: value for key, value in zip(keys, items[1::2], strict=False) if type(key) is str}
        if expr.kind in ("list", "tuple"):
            return items if expr.kind == "list" else tuple(items)
        names = expr.kind.partition("\0\0")[0].split("\0")[2:]
        return Fields(names, items[: len(names)]) if names and len(items) >= len(names) else HOLE

    def verdict(self, source: Source, value: Any) -> bool | None:
        """Return whether a source has this value in the recording.

        Return None if a key or field on the way is not there, which says nothing.
        """
        try:
            found = read(source, self.parent.outputs, self.argument, self.params)
        except AbsentError:
            has_output = source.origin != OUTPUT or self.parent.outputs[source.step] is not NO_OUTPUT
            return None if has_output else False
        except LookupError:
            return False
        return is_equal(value, found)
