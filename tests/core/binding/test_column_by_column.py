"""What is found in lists of records column by column is what is found in them one by one (E5)."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

import pytest

from muscle_mem import Engine
from muscle_mem._core import codec
from muscle_mem._core.binding.guards import made_texts
from muscle_mem._core.binding.outputs import answer_rows, figure_digest, index, leaves, traits
from muscle_mem._core.binding.outputs.answer_skeletons import skeleton
from muscle_mem._core.binding.outputs.index import indexed
from muscle_mem._core.binding.outputs.places import Parsed, Root
from muscle_mem._core.binding.params import leaf_index
from muscle_mem._core.binding.texts import needles
from muscle_mem._core.binding.texts.figures import FigureMemo, scalar_figures
from muscle_mem._core.codec import reader, writer
from muscle_mem._core.codec.walk import leaves_of, stored_leaves
from muscle_mem._core.model.records import body_bytes
from muscle_mem._core.plan.places import Place
from muscle_mem._core.record import learn
from muscle_mem._core.run import recorder
from muscle_mem.errors import NotStorableError
from support import searched_values

NEVER = 10**9
SWITCHES = (  # (module, name, value for one by one, value for all together)
    (writer, "FEW", NEVER, 1),
    (reader, "FEW", NEVER, 1),
    (answer_rows, "_FEW", NEVER, 1),
    (leaves, "_FEW", NEVER, 1),
    (figure_digest, "_FEW", NEVER, 1),
    (index, "_FEW_SEARCHES", NEVER, 0),
    (index, "_MAX_PARTS", 0, 1_000),
    (leaf_index, "_FEW_FINDS", 0, NEVER),
    (made_texts, "_FEW_SEARCHES", 0, NEVER),
    (needles, "_CHEAP", 0, NEVER),
)


def both_ways(monkeypatch: pytest.MonkeyPatch, work: Callable[[], Any]) -> tuple[Any, Any]:
    """What a piece of work returns or raises with each of the two forms of the searches."""
    found = []
    for together in (False, True):
        with monkeypatch.context() as patch:
            for module, name, *values in SWITCHES:
                patch.setattr(module, name, values[together])
            try:
                found.append(work())
            except Exception as error:
                found.append(repr(error))
    return found[0], found[1]


def index_of(output: Any) -> Any:
    index = indexed([(output, False), ([output], False)])
    nodes = [node.value if isinstance(node, Root | Parsed) else node for node in index.nodes]
    return index.texts, index.text_places, index.numbers, index.others, index.links, index.key_places, nodes


def figures_of(output: Any, most: int) -> Any:
    found = figure_digest._Figures(1.9e9)
    found._left = most
    found.add(output, "", 0)
    return found.lines, found.flags


def answers_at(output: Any) -> Any:
    """What is known of the places of an output of which later steps use some items."""
    place = Place()
    place.add(output, {(): 2, ("items",): 1, ("[]", "tags"): 1})
    return parts_of(place)


def parts_of(place: Place | None) -> Any:
    if place is None:
        return None
    fields = {name: parts_of(part) for name, part in place.fields.items()}
    found = sorted(place.known), sorted(place.words), sorted(map(sorted, place.key_sets)), place.is_open, place.column
    return found, bool(place.count), fields, parts_of(place.items), [*map(parts_of, place.rows)]


@pytest.mark.parametrize("seed", range(30))
def test_e5_lists_of_records_are_read_as_their_records_are(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(seed)
    for _ in range(12):
        given = searched_values.value(rng)
        most = rng.choice([20, 400])
        for work in (
            lambda: skeleton(given, most),  # noqa: B023 - called within the round
            lambda: index_of(given),  # noqa: B023
            lambda: figures_of(given, most),  # noqa: B023
            lambda: answers_at(given),  # noqa: B023
            lambda: codec.encode(given, max_nodes=most),  # noqa: B023
            lambda: codec.encode(given, max_bytes=most),  # noqa: B023
            lambda: codec.canonical(given),  # noqa: B023
            lambda: codec.decode(codec.encode(given)),  # noqa: B023
        ):
            one, two = both_ways(monkeypatch, work)
            assert repr(one) == repr(two), given
        assert repr(leaves_of(given)) == repr(list(stored_leaves(given)))


@pytest.mark.parametrize("cell", ["<tr><td>ok<td>7</tr>", "name,n\nAnn,1\nBob,2", "State: open\nCount: 0"])
def test_e5_tables_in_texts_of_records_are_read_alike(cell: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given = [{"id": at, "note": cell if at % 2 else f"line {at}"} for at in range(9)]
    for most in range(5, 80):
        for work in (
            lambda: skeleton(given, most),  # noqa: B023
            lambda: index_of(given),
            lambda: figures_of(given, most),  # noqa: B023
            lambda: answers_at(given),
        ):
            one, two = both_ways(monkeypatch, work)
            assert repr(one) == repr(two), most
    assert "Ann" in index_of(given)[0] or "ok" in index_of(given)[0] or "open" in index_of(given)[0]


@pytest.mark.parametrize("seed", range(30))
def test_e10_traits_of_a_list_are_those_of_its_values(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(seed)
    given = [json.loads(json.dumps(searched_values.value(rng), default=str).replace("-0.0", "0.0")) for _ in range(12)]
    given += [[{"note": searched_values.text(rng), "at": at} for at in range(20)] for _ in range(4)]
    found = [traits.traits_digest(each, 1.9e9) for each in given]
    monkeypatch.setattr(traits._Traits, "_told_of", lambda self, column: [self._told(value) for value in column])
    assert found == [traits.traits_digest(each, 1.9e9) for each in given]
    assert len(set(found)) > 5


@pytest.mark.parametrize("seed", range(20))
def test_e9_texts_of_earlier_outputs_are_those_of_their_leaves(seed: int) -> None:
    rng = random.Random(seed)
    index = indexed([(searched_values.value(rng), False) for _ in range(6)])
    for count in range(7):
        steps = frozenset(range(count))
        places = zip(index.texts, index.text_places, strict=True)
        found = [text for text, (node, _) in places if index.step_of(node) in steps]
        numbers = [n for n, places in index.numbers.items() if any(index.step_of(node) in steps for node, _ in places)]
        found += [text for text, node, _ in index.others if index.step_of(node) in steps]
        assert sorted(index.texts_before(steps)) == sorted([*found, *map(str, numbers)])


@pytest.mark.parametrize("seed", range(20))
def test_e5_altered_bytes_are_refused_alike(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(seed)
    data = codec.encode([{"id": at, "x": [1.5, "a"][at % 2], "y": [at]} for at in range(3)] * 2)
    for _ in range(60):
        altered = bytearray(data)
        altered[rng.randrange(1, len(data))] = rng.randrange(256)
        one, two = both_ways(monkeypatch, lambda: codec.decode(bytes(altered)))  # noqa: B023
        assert repr(one) == repr(two)


@pytest.mark.parametrize("seed", range(40))
def test_e5_recordings_are_the_same_however_their_literals_are_looked_for(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Guards, suspicions, bound params and conditions are those of the plain searches."""
    one, two = both_ways(monkeypatch, lambda: recorded(random.Random(seed)))
    assert one == two
    assert len(one[0]) > 50


def recorded(rng: random.Random) -> tuple[bytes, str]:
    """The body of a random recording, and what its row says of the literals."""
    engine = Engine()
    outputs = [searched_values.value(rng), searched_values.records(rng, 20)]
    params = {"a": searched_values.value(rng), "who": rng.choice(searched_values.NAMES)}
    pool = [*searched_values.leaves(params), *searched_values.leaves(outputs)]
    plan = [{"x": searched_values.literal(rng, pool), "id": searched_values.literal(rng, pool)} for _ in range(12)]
    looks = [engine.tool(name=f"look{at}", effect="read")(lambda at=at: outputs[at]) for at in range(2)]
    use = engine.tool(name="use")(lambda x, id: None)
    made: list[Any] = []
    seal = learn.make_recording

    def agent(task: str) -> None:
        for look in looks:
            look()
        for arguments in plan:
            use(**arguments)

    def kept(run: Any, **given: Any) -> Any:
        made.append(seal(run, **given))
        return made[-1]

    engine.set_agent(agent)
    learn.make_recording, before = kept, seal
    try:
        assert engine("use them", params=params).learned
    finally:
        learn.make_recording = before
    row = made[0].row
    return body_bytes(made[0].body), repr((row.suspicions, row.origins, row.answers, row.witness.params))


@pytest.mark.parametrize("most", [10, 60, 300])
def test_c12_an_output_is_stored_if_a_walk_finds_it_small_enough(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "MAX_OUTPUT_NODES", most)
    rng = random.Random(most)
    seen = set()
    for _ in range(200):
        given = searched_values.value(rng)
        try:
            codec.encode(given, max_nodes=most)
            is_small = True
        except NotStorableError:
            is_small = False
        assert recorder._is_storable_size(given, codec.encode(given)) is is_small, given
        seen.add(is_small)
    assert seen == {True, False}


def test_e10_figures_are_worked_out_once_for_each_text() -> None:
    memo = FigureMemo()
    for given in ("12.50 EUR on 3 March 2031", 12.5, None, "no figure"):
        assert memo.of(given) == scalar_figures(given)
    assert memo.of("1,234") is memo.of("1,234")


def test_e10_a_month_with_a_long_s_is_no_month() -> None:
    assert [figure.kind for figure in scalar_figures("5 \u017fep 2031")] == ["number", "number"]
