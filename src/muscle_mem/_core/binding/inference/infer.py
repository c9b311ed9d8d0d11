"""The inference of what explains an argument in several recordings (L2 to L7).

The candidates are found in one recording, and every other recording removes those that differ from the value there.
Nothing here decides what a run may do with the survivors; see `flow_levels`.
"""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec

from ...model.flow import OUTPUT, PARAM, Source, may_act
from ...model.records import StepRecord, Suspicion
from ..references.recorded_runs import NO_OUTPUT, Digest, Parent, RecordedRun
from ..references.skeletons import key_flags, skeleton
from ..references.sources import is_finite, is_telling
from ..suspicions.id_shapes import has_id_shape
from ..suspicions.kinds import CONVERTED, SAME
from ..suspicions.kinds import PARAM as PARAM_KIND
from ..texts.leaf_texts import bytes_of
from ..texts.named_leaves import named_leaves
from ..texts.pieces import Piece, literal_pieces
from .choices import extremes, may_be_filtered
from .facts import facts_of, is_fixed_way, is_from_agent, is_in_task, may_be_inferred
from .index import MAX_PLACES, FlowIndex, Found
from .leaf import CONSTANT, READ, VARIES, Leaf
from .levels import Facts, level
from .texts import text_sources
from .twins import block_twins
from .ways import Ways

__all__ = ["CONSTANT", "NO_OUTPUT", "READ", "VARIES", "Facts", "Leaf", "Parent", "infer", "skeleton"]

MAX_CANDIDATES = 64
MAX_SOURCES = 16

_LEAVES = (str, int, float, Decimal, datetime.date, datetime.time, UUID)


class _Open(msgspec.Struct, eq=False):
    """A leaf whose sources are searched for: its values, one for each parent."""

    step: int
    leaf: int
    piece: Piece
    values: list[Any]
    data: list[bytes]
    names: tuple[str, ...]
    sources: list[Source] = []
    support: dict[Source, set[bytes]] = {}
    is_frequent: bool = False

    def acts(self) -> bool:
        """Return whether nothing more is searched for.

        A source may act, or the value has too many places.
        """
        return self.is_frequent or any(map(may_act, self.sources))

    def supported(self, sources: Sequence[Source]) -> tuple[bytes, ...]:
        """Return the different values of the recordings that support acting sources."""
        known = set().union(*(self.support.get(source, ()) for source in sources if may_act(source)))
        return tuple(each for each in dict.fromkeys(self.data) if each in known)


def infer(
    parents: Sequence[Parent],
    effects: Sequence[str | None],
    task_words: Collection[str] = frozenset(),
    *,
    digest_of: Digest | None = None,
) -> list[Leaf]:
    """Return all literal leaves of the calls of recordings, and what explains them.

    A leaf that is equal in several recordings is constant. Of one recording, only values that look like ids made by an
    earlier step are explained.

    Args:
        parents: The recordings. Their calls have equal skeletons.
        effects: The effect of each step's tool, or None where it is not declared.
        task_words: The casefolded words of the task text.
        digest_of: Returns the digest of a value as `Parent.params` holds those of params. Without it, no element is
            found by a param.
    """
    if not parents:
        return []
    return _Inference(parents, effects, task_words, digest_of).leaves()


class _Inference:
    """The inference of one generalized trajectory."""

    def __init__(
        self,
        parents: Sequence[Parent],
        effects: Sequence[str | None],
        task_words: Collection[str],
        digest_of: Digest | None,
    ) -> None:
        order = sorted(range(len(parents)), key=lambda at: _breadth(parents[at]))
        self._order = order
        self._parents = parents
        self._runs = [RecordedRun(parents[at], digest_of) for at in order]
        self._effects = effects
        self._words = task_words
        self._found: dict[tuple[int, int], Leaf] = {}
        self._varying: set[tuple[int, str]] = set()
        digests = [parent.params for parent in parents]
        self._varying |= {(-1, name) for name in digests[0] if len({each.get(name) for each in digests}) > 1}

    def leaves(self) -> list[Leaf]:
        """Return the leaves of all steps, in order."""
        waiting = [leaf for step in range(len(self._parents[0].records)) for leaf in self._split(step)]
        if waiting:
            self._search(waiting)
        for leaf in waiting:
            self._found[leaf.step, leaf.leaf] = self._explained(leaf)
        return block_twins([self._found[key] for key in sorted(self._found)], self._runs, self._ended)

    # -- which leaves need an explanation

    def _split(self, step: int) -> Iterator[_Open]:
        """Yield the leaves of a step that are to be explained; the others are constant."""
        records = [parent.records[step] for parent in self._parents]
        pieces = literal_pieces(records[0])
        is_equal = all(record.arguments == records[0].arguments for record in records[1:])
        columns = [(piece,) for piece in pieces] if is_equal else zip(*map(literal_pieces, records), strict=True)
        flags = _may_be_made(records[0], pieces) if len(records) == 1 else [False] * len(pieces)
        names: list[tuple[str, ...]] = []
        for number, column in enumerate(columns):
            data = [bytes_of(piece.value) or b"" for piece in column]
            piece = column[0]
            if len(set(data)) == 1 and not flags[number]:
                leaf = Leaf(step, number, piece.argument, piece.path, (data[0],), (), CONSTANT, Facts())
                self._found[step, number] = leaf
                continue
            names = names or _names_of(records[0])
            self._varying.add((step, piece.argument))
            yield _Open(step, number, piece, [each.value for each in column], data, names[number])

    def _ended(self, step: int) -> frozenset[int]:
        """Return the steps that had ended before a step in every recording."""
        found = self._parents[0].ended[step]
        for parent in self._parents[1:]:
            found &= parent.ended[step]
        return found

    # -- what explains them

    def _search(self, waiting: Sequence[_Open]) -> None:
        """Search in one recording, and in a second one for what has moved in the first."""
        missing = [leaf for leaf in waiting if not leaf.piece.is_part and all(map(_is_searched, leaf.values))]
        for base in range(2 if len(self._runs) > 2 else 1):
            if missing:
                self._search_in(base, missing)
            missing = [leaf for leaf in missing if not leaf.acts()]

    def _search_in(self, base: int, searched: Sequence[_Open]) -> None:
        run = self._runs[base]
        index = self._indexed(run, max((step for leaf in searched for step in self._ended(leaf.step)), default=-1))
        ways = Ways(index, run.params, frozenset(self._varying))
        for leaf in searched:
            leaf.sources += self._candidates(leaf, base, index, ways)
        self._strike(searched)
        if len(self._runs) == 1:
            return
        missing = [leaf for leaf in searched if not leaf.acts()]
        order = [*self._order[base:], *self._order[:base]]
        runs = [*self._runs[base:], *self._runs[:base]]
        for leaf in missing:
            ended, values = self._ended(leaf.step), [leaf.values[at] for at in order]
            leaf.sources += self._sources(index.converted_places(values[0]), index, ways, ended)
            leaf.sources += text_sources(values, runs, index, ways, ended)
        self._strike(missing)
        for leaf in searched:
            leaf.sources += extremes(leaf.sources, run)
        self._strike(searched)

    def _strike(self, leaves: Sequence[_Open]) -> None:
        """Remove the sources that a recording contradicts, and those that too few support.

        At least two recordings with different values must support a source.
        """
        for leaf in leaves:
            leaf.support = {source: set() for source in leaf.sources}
        for place, run in zip(self._order, self._runs, strict=True):
            for leaf in leaves:
                value, data = leaf.values[place], leaf.data[place]
                for source in list(leaf.support):
                    has = source.origin == PARAM or run.verdict(source, value)
                    if has:
                        leaf.support[source].add(data)
                    elif has is False:
                        del leaf.support[source]
        for leaf in leaves:
            least = min(2, len(self._runs))
            leaf.sources = [source for source, data in leaf.support.items() if len(data) >= least]

    def _indexed(self, run: RecordedRun, last: int) -> FlowIndex:
        """Return the index of a recording's outputs and arguments up to a step."""
        index = FlowIndex()
        for step in range(last + 1):
            if run.parent.outputs[step] is not NO_OUTPUT:
                index.add_output(step, run.parent.outputs[step])
        for step in range(last + 1):
            for name, _ in run.parent.records[step].arguments:
                try:
                    index.add_argument(step, name, run.argument(step, name))
                except LookupError:
                    continue
        return index

    def _candidates(self, leaf: _Open, base: int, index: FlowIndex, ways: Ways) -> list[Source]:
        """Return the sources that one recording allows.

        The list is empty if the value has too many places.
        """
        ended = self._ended(leaf.step)
        places = list(index.places(leaf.values[self._order[base]]))
        counts = Counter(index.origin(place.node) for place in places)
        leaf.is_frequent = any(count > MAX_PLACES and origin.origin == OUTPUT for origin, count in counts.items())
        if leaf.is_frequent:
            return []
        return [*self._param_sources(leaf), *self._sources(places, index, ways, ended)]

    def _sources(
        self, places: Iterable[Found], index: FlowIndex, ways: Ways, ended: frozenset[int]
    ) -> Iterator[Source]:
        """Yield the sources that lead to places in outputs and arguments of ended steps."""
        count = 0
        for node, slot, convert in places:
            origin = index.origin(node)
            if origin.step not in ended:
                continue
            for way in ways.to(node, slot, ended):
                yield Source(origin.origin, origin.step, origin.name, way, convert)
                count += 1
            if count >= MAX_CANDIDATES:
                return

    def _param_sources(self, leaf: _Open) -> Iterator[Source]:
        """Yield the params that equal the leaf in every recording (E11).

        They differ wherever the leaf differs.
        """
        forms: dict[str, set[str]] = {}
        for parent in self._parents:
            own = {
                suspicion.params[0]: suspicion.form
                for suspicion in _suspicions(parent, leaf)
                if suspicion.form in (SAME, CONVERTED)
            }
            for name in [*forms] if forms else own:
                if name not in own:
                    forms.pop(name)
                    continue
                forms.setdefault(name, set()).add(own[name])
            if not forms:
                return
        for name, seen in sorted(forms.items()):
            digests = [parent.params.get(name) for parent in self._parents]
            pairs = set(zip(digests, leaf.data, strict=True))
            if None in digests or len(seen) > 1 or len({digest for digest, _ in pairs}) != len(pairs) or len(pairs) < 2:
                continue
            convert = "" if seen == {SAME} else "text" if type(leaf.values[0]) is str else "number"
            yield Source(PARAM, name=name, convert=convert)

    def _explained(self, leaf: _Open) -> Leaf:
        """Return a leaf with its surviving sources and what is known of them."""
        piece, data = leaf.piece, tuple(dict.fromkeys(leaf.data))
        made = Leaf(leaf.step, leaf.leaf, piece.argument, piece.path, data, (), VARIES, Facts())
        if len(self._parents) == 1:
            made = made._replace(state=CONSTANT)
        sources = sorted(leaf.sources, key=_preference)[:MAX_SOURCES]
        if not sources:
            return made
        data = leaf.supported(sources) or data
        values = [leaf.values[leaf.data.index(each)] for each in data]
        facts = facts_of(values, leaf.names, sources, self._effects[leaf.step], self._effects)
        facts = facts._replace(
            in_task=any(is_in_task(value, self._words) for value in values),
            may_be_filtered=len(self._runs) > 1 and may_be_filtered(sources, self._runs),
            is_param=any(True for parent in self._parents for _ in _suspicions(parent, leaf)),
        )
        if len(self._parents) == 1 and (level(facts, 1) == "none" or is_from_agent(sources)):
            return made
        is_param = any(source.origin == PARAM for source in sources)  # The caller named it, so no value is too small.
        if not is_param and not may_be_inferred(facts):
            return made._replace(facts=facts)
        return made._replace(values=data, sources=tuple(sources), state=READ, facts=facts)


def _suspicions(parent: Parent, leaf: _Open) -> Iterator[Suspicion]:
    """Yield the suspicions that a leaf is a param, in whatever form."""
    found = parent.suspicions[leaf.step] if leaf.step < len(parent.suspicions) else ()
    for suspicion in found:
        if suspicion.leaf == leaf.leaf and suspicion.kind == PARAM_KIND and len(suspicion.params) == 1:
            yield suspicion


def _may_be_made(record: StepRecord, pieces: Sequence[Piece]) -> list[bool]:
    """Return for each piece whether one recording may explain it: it looks like an id."""
    found = [not piece.is_part and has_id_shape(piece.value) for piece in pieces]
    if not any(found):
        return found
    return [may and not is_key for may, is_key in zip(found, key_flags(record), strict=True)]


def _names_of(record: StepRecord) -> list[tuple[str, ...]]:
    return [leaf.names for name, expr in record.arguments for leaf in named_leaves(name, expr)]


def _is_searched(value: Any) -> bool:
    """Return whether sources of a leaf are searched for.

    They are not for a bool, None, an enum member and an empty text.
    """
    if not issubclass(type(value), _LEAVES) or not is_telling(value):
        return False
    return not issubclass(type(value), float | Decimal) or is_finite(value)


def _preference(source: Source) -> tuple[Any, ...]:
    """Return a sort key: sources that may act come first.

    It is equal in every process.
    """
    return not may_act(source), not is_fixed_way(source), len(source.path), msgspec.msgpack.encode(source)


def _breadth(parent: Parent) -> tuple[int, bytes]:
    """Return a sort key: recordings with longer lists come first.

    They distinguish more ways. The key does not depend on the order of the recordings.
    """
    width = sum(map(_list_length, parent.outputs))
    return -width, msgspec.msgpack.encode([record.arguments for record in parent.records])


def _list_length(output: Any) -> int:
    """Return the length of an output and of the lists directly in it."""
    if type(output) is dict:
        return sum(len(child) for child in output.values() if type(child) is list)
    return len(output) if type(output) is list else 0
