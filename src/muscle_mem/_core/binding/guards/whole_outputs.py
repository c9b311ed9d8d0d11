"""Texts that are whole outputs (E6).

They are explained by the output first, and by the params in them second.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from ... import codec
from ...model.records import Expr, Guard, Lit, Node, Ref, StepRecord, Tpl
from ...redaction.traces import SHORT_TEXT, fold_text
from ..outputs.index import OutputIndex
from ..outputs.places import Place
from ..params.search import Params, params_used_in
from ..suspicions.params import params_in_name


class Explained:
    """The records of a recording with such texts replaced by references.

    With them are the guards of those that are not replaced.
    """

    def __init__(
        self, records: Sequence[StepRecord], index: OutputIndex, ended: Mapping[int, frozenset[int]], params: Params
    ) -> None:
        self._index = index
        self._params = params
        self.records = list(records)
        self.guards: dict[int, list[Guard]] = {}
        self._used = [{name for _, expr in record.arguments for name in params_used_in(expr)} for record in records]
        for step, record in enumerate(records):
            if step in ended and params.values:
                arguments = tuple((name, self._explained(expr, step, ended[step])) for name, expr in record.arguments)
                self.records[step] = msgspec.structs.replace(record, arguments=arguments)

    def _explained(self, expr: Expr, step: int, ended: frozenset[int]) -> Expr:
        if isinstance(expr, Node):
            return Node(expr.kind, tuple(self._explained(item, step, ended) for item in expr.items))
        text = self._text_of(expr)
        if len(text) < SHORT_TEXT:
            return expr
        places = [place for place in self._index.places_of_text(text) if self._is_field(place, ended)]
        names = self._params_in(expr, text) if places else set()
        if not names:
            return expr
        for place in sorted(places, key=lambda place: place.node, reverse=True):
            source = self._index.step_of(place.node)
            if names & self._used[source]:
                return Ref(source, *self._index.path(place.node, place.slot))
        if isinstance(expr, Tpl):
            for place in places:
                path, keys = self._index.path(place.node, place.slot)
                guard = Guard(
                    self._index.step_of(place.node), path, codec.canonical(list(expr.parts)), keys, (), "output"
                )
                self.guards.setdefault(step, []).append(guard)
        return expr

    def _text_of(self, expr: Expr) -> str:
        """Return the text that an argument was; empty for other arguments."""
        if isinstance(expr, Tpl):
            return "".join(self._params.texts[part] if at % 2 else part for at, part in enumerate(expr.parts))
        text = codec.decode(expr.data, lenient=True) if isinstance(expr, Lit) else ""
        return text if type(text) is str else ""

    def _params_in(self, expr: Expr, text: str) -> set[str]:
        """Return the params inside of a text, but not one that is all of it."""
        if isinstance(expr, Tpl):
            return set(expr.parts[1::2])
        folded = fold_text(text)
        found = params_in_name(self._params, [text])
        return {name for name in found if fold_text(self._params.texts.get(name, text)) != folded}

    def _is_field(self, place: Place, ended: frozenset[int]) -> bool:
        """Return whether a place is a whole output, or a field of one.

        No position in a list leads to such a field.
        """
        if type(place.leaf) is not str or self._index.step_of(place.node) not in ended:
            return False
        if self._index.hides_names(place.node) or self._index.is_key(place.node, place.slot):
            return False
        return not any(
            isinstance(self._index.nodes[node], list) for node, _ in self._index.ancestors(place.node, place.slot)
        )
