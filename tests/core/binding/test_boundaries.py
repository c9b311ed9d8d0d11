"""Values at the edges of what binding distinguishes: digits of ids, times of day, epochs, spans, mixed keys."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import pytest

from answering_desk import Desk
from muscle_mem import Engine
from muscle_mem._core.binding.outputs.elements import field_rank
from muscle_mem._core.binding.outputs.figure_digest import figures_digest
from muscle_mem._core.binding.outputs.index import indexed
from muscle_mem._core.binding.params.words import _plain_texts
from muscle_mem._core.binding.suspicions.id_shapes import has_id_shape
from muscle_mem._core.binding.texts.figure_places import spans_of

NOW = 1_790_000_000.0
EARLIER = NOW - 100_000_000.0


@pytest.mark.parametrize(("text", "is_id"), [("AB-123", True), ("abcd123", True), ("AB-C12", False), ("room17", False)])
def test_a_token_with_three_digits_looks_like_an_id_and_one_with_two_does_not(text: str, is_id: bool) -> None:
    assert has_id_shape(text) is is_id


def test_times_of_day_are_ranked_by_their_seconds() -> None:
    assert field_rank(datetime.time(1, 2, 3)) == 3_723.0
    assert field_rank(datetime.time(23, 59)) == 86_340.0


@pytest.mark.parametrize("epoch", [1_790_000_000, 1_790_000_000_123, 1_790_000_000_123_456_789])
def test_a_text_of_the_present_moment_is_no_figure_in_any_unit(epoch: int) -> None:
    """Ten digits are seconds, nineteen are nanoseconds."""
    assert figures_digest({"at": str(epoch)}, NOW) == figures_digest({"at": str(epoch + 1)}, NOW)
    assert figures_digest({"at": str(epoch)}, EARLIER) != figures_digest({"at": str(epoch + 1)}, EARLIER)


def test_the_span_of_a_number_that_stands_late_in_a_text_is_where_it_stands() -> None:
    text = "word " * 40 + "total 1,234.50 EUR"
    assert [text[start:end] for start, end in spans_of(text, "number", "1234.5")] == ["1,234.50"]


@pytest.mark.parametrize("leaf", [Decimal("12.50"), datetime.date(2026, 3, 4)])
def test_words_of_params_that_are_no_plain_values_are_known_by_their_texts(leaf: Any) -> None:
    assert _plain_texts(leaf)
    assert _plain_texts(None) == []


def test_a1_a_key_function_that_fails_says_so_in_plain_words() -> None:
    def key(task: str) -> str:
        raise ValueError("no customer")

    engine = Engine(key=key, observers=[])
    engine.set_agent(lambda task: None)
    outcome = engine("task")
    assert not outcome
    assert "no canonical form (Engine(key=...) raised ValueError('no customer'))" in outcome.message


def test_texts_that_begin_or_end_with_letters_are_found_and_the_letters_alone_are_not() -> None:
    index = indexed([({"user": "annabel", "mail": "at.anna", "name": "anna", "town": "hannover"}, False)])
    assert sorted(place.leaf for place in index.places_at_ends("anna")) == ["annabel", "at.anna"]


def test_a_key_behind_one_that_is_no_text_is_found() -> None:
    index = indexed([({7: "seven", "sku-4711": {"price": 3}}, False)])
    assert len(list(index.places_of_text("sku-4711"))) == 1


def test_e6_a_loop_over_a_longer_list_stops_before_its_first_call() -> None:
    """The guard of the length is at the first step that the list led to."""
    desk = Desk(lambda desk: [desk.take(mail["id"]) for mail in desk.look()])
    mails = [{"id": number, "subject": f"subject {number}"} for number in range(501, 505)]
    desk.run(mails[:2])
    assert desk.run(mails[:2]).steps == 3
    assert desk.run(mails[:3]).steps == 1
