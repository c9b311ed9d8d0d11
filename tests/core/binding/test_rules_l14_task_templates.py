"""L14: which texts line up, what the holes are, and what has no template."""

from __future__ import annotations

import itertools
import time

import pytest

from muscle_mem._core.binding.tasks.templates import Template, fill, line_up, read_text
from muscle_mem._core.binding.texts.turning_words import TURNING, language_of, turns_meaning


def lined_up(*texts: str) -> Template | str:
    readings = [read_text(text) for text in texts]
    return line_up([reading for reading in readings if reading is not None])


def template_of(*texts: str) -> Template:
    found = lined_up(*texts)
    assert isinstance(found, Template), found
    return found


def fills_of(template: Template, text: str) -> object:
    reading = read_text(text)
    return "not read" if reading is None else fill(template, reading)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("Refund order 7001 for Ann Lee", "Refund order 7002 for Bob Ray", "Refund order {number_1} for {name_2}"),
        ("Erstatte die Bestellung 7", "Erstatte die Bestellung 8", "Erstatte die Bestellung {number_1}"),
        (
            "Mail a.b@c.de about T-7001, please.",
            "Mail x@y.com about T-9, please.",
            "Mail {mail_1} about {id_2}, please.",
        ),
        ("Book it for 2026-03-01", "Book it for 2026-04-12", "Book it for {date_1}"),
        ("Transfer 40.50 to Ann", "Transfer 12.25 to Bob", "Transfer {decimal_1} to {name_2}"),
        ("Send the Paris report to Ann", "Send the Paris report to Bob", "Send the Paris report to {name_1}"),
        ("Refund Ann's order", "Refund Bob's order", "Refund {name_1}'s order"),
    ],
)
def test_l14_texts_line_up_slot_by_slot(first: str, second: str, expected: str) -> None:
    assert str(template_of(first, second)) == expected
    assert str(template_of(second, first)) == expected


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        ("Refund order 7", "Cancel order 8", "differ in more than numbers"),
        ("Refund order 7", "Refund order A-8", "differ in more than numbers"),
        ("Send it to Ann", "Send it to Everyone", "turn the meaning"),
        ("Send it to Ann", "Send it to Bob And Cid", "turn the meaning"),
        ("Send it to Ann", "Send it to All", "turn the meaning"),
        ("Schicke es an den Kunden Meier", "Schicke es an den Kunden Alle", "turn the meaning"),
        ("Annule la commande 7", "Annule la commande 8", "language"),
        ("Frobnicate 7", "Frobnicate 8", "language"),
        ("Move 3 to 3", "Move 4 to 5", "twice"),
        ("Send Ann Lee to Bob Lee", "Send Cid Ray to Dan Fox", "twice"),
        ("Send the order Order to Ann", "Send the order Parcel to Bob", "constant word"),
        ("Send it to Ann Bea Cid Dan Eve", "Send it to Fay", "more than 4 words"),
        ("Refund 7 for Ann, 8 for Bob, 9 for Cid", "Refund 7 for Ann, 8 for Bob, 9 for Cid", "equal"),
    ],
)
def test_l14_texts_that_have_no_template(first: str, second: str, why: str) -> None:
    found = lined_up(first, second)
    assert isinstance(found, str), str(found)
    assert why in found


def test_l14_a_hole_differs_in_all_of_three_texts() -> None:
    found = lined_up("Refund 7 for Ann", "Refund 8 for Ann", "Refund 9 for Bob")
    assert found == "'Ann' is the same in some of the texts only"


HOSTILE = [
    "Refund order 7003 for Ann Lee and Bob",
    "Refund order 7003 for Ann Lee and Bob Ray",
    "Refund order 7003 for Everyone",
    "Refund order 7003 for everyone",
    "Do not refund order 7003 for Ann Lee",
    "Don't refund order 7003 for Ann Lee",
    "Refund order 7003 for Ann Lee, but only half",
    "Refund order 7003 for Ann Lee.",
    "Refund order 7003 for Ann Lee if she asked",
    "Refund all but order 7003 for Ann Lee",
    "Refund order -7003 for Ann Lee",
    "Refund order 7,003 for Ann Lee",
    "Refund order 7003a for Ann Lee",
    "Refund order 07003 for Ann Lee",
    "Refund order Ann Lee for 7003",
    "Refund order 7003 for  Ann Lee",
    "Refund order 7003 for Ann Lee\nand delete the account",
    "Refund order 7003 for Not Ann Lee",
    "Refund order 7003 for Ann Or Bob",
    "Refund order 7003 for Nobody",
    "Refund order 7003 for Ann Lee Please",
    "Refund order 7003 for Ann Lee Express",
    "Refund order 7003 for Himself",
    "Refund order 7003 for Refund",
    "Refund order 7003 for Ann Bea Cid Dan Eve",
    "REFUND ORDER 7003 FOR ANN LEE",
    "Refund order 7003 from Ann Lee",
    "Erstatte die Bestellung 7003 für Ann Lee",
    "Rembourse la commande 7003 pour Ann Lee",
    "",
    "7003 Ann Lee",
    "Refund order 7003 for Ann Lee. Refund order 7004 for Bob",
    "Refund order 7003 for Ann Lee " * 50_000,
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_l14_hostile_texts_fit_nothing(text: str) -> None:
    template = template_of("Refund order 7001 for Eva Fox", "Refund order 7002 for Bob Ray")
    assert fills_of(template, "Refund order 7003 for Ann Lee") == {"number_1": "7003", "name_2": "Ann Lee"}
    assert isinstance(fills_of(template, text), str)


def test_l14_swapped_roles_are_never_confused() -> None:
    template = template_of("Transfer 40 from Ann to Bob", "Transfer 60 from Bob to Cid")
    for first, second in itertools.permutations(("Dan", "Eve", "Ann Bea", "Fay"), 2):
        found = fills_of(template, f"Transfer 7 from {first} to {second}")
        assert found == {"number_1": "7", "name_2": first, "name_3": second}
        assert isinstance(fills_of(template, f"Transfer 7 to {second} from {first}"), str)
        assert isinstance(fills_of(template, f"Transfer 7 from {first} to {first}"), str)


def test_l14_a_megabyte_is_not_read_and_others_take_little_time() -> None:
    began = time.perf_counter()
    assert read_text("a1 " * 350_000) is None
    assert read_text("Send 1 " * 280) is None
    for text in ("a-" * 900, "1." * 900, "A'" * 900, "a@" * 900, "A " * 900, "-" * 1_900):
        read_text(text)
    assert time.perf_counter() - began < 2


def test_l14_every_turning_word_turns_a_fill_in_any_case() -> None:
    for language, words in TURNING.items():
        for word in words:
            assert turns_meaning(word, language)
            assert turns_meaning(f"Ann {word.upper()}", language)
    assert turns_meaning("Ann", "")
    assert not turns_meaning("Ann Lee", "en")
    assert turns_meaning("Don\u2019t Ann", "en")
    assert turns_meaning("Ann-And-Bob", "de")


def test_l14_a_language_is_known_by_its_words_only() -> None:
    assert (language_of(["refund", "the"]), language_of(["erstatte", "die"])) == ("en", "de")
    assert language_of(["hotel"]) == "" == language_of(["the", "der"]) == language_of(["refund", "commande"])
