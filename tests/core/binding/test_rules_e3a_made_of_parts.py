"""E3a, E11: a literal that may be made of a part of a param is sent for that param only, until a recording tells."""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from muscle_mem import Engine, Reason
from param_cases import Play, World

Make = Callable[[str], Any]


def without_accents(text: str) -> str:
    return "".join(char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))


MADE: dict[str, tuple[Make, str, str]] = {
    "greeting with the first name": (lambda p: f"Dear {p.split()[0]},", "Ann Lee", "Bob Ray"),
    "short first name": (lambda p: f"Dear {p.split()[0]},", "Jo Lee", "Al Ray"),
    "last name in a sentence": (lambda p: f"Mr {p.split()[1]} has called", "Ann Lee", "Bob Ray"),
    "last four digits": (lambda p: p[-4:], "4111 1111 1111 1234", "5500 0000 0000 0004"),
    "last four digits in a text": (lambda p: f"card ending in {p[-4:]}", "4111 1111 1111 1234", "5500 0000 0000 9904"),
    "last four digits as a number": (lambda p: int(p[-4:]), "4111 1111 1111 1234", "5500 0000 0000 9904"),
    "digits without spaces": (lambda p: p.replace(" ", ""), "4111 1111 1111 1234", "5500 0000 0000 0004"),
    "a phone number, respelled": (lambda p: "0049-" + p[4:].replace(" ", "-"), "+49 170 12345", "+49 171 98765"),
    "the domain": (lambda p: f"https://{p.split('@')[1]}/login", "john@acme.com", "mary@example.org"),
    "the user": (lambda p: p.split("@")[0], "john@acme.com", "mary@example.org"),
    "the day of a date": (lambda p: p[-2:], "2031-05-17", "2031-05-29"),
    "the year of a date": (lambda p: f"in {p[:4]}", "2031-05-17", "2044-05-29"),
    "year and month": (lambda p: p[:7], "2031-05-17", "2031-06-29"),
    "without the hyphen": (lambda p: p.replace("-", " "), "Mary-Ann", "Lee-Anne"),
    "without accents": (without_accents, "José García", "Zoë Müller"),
    "umlauts spelled out": (lambda p: p.replace("ü", "ue"), "Müller", "Kühn"),
    "quoted for a URL": (quote, "Ann Lee", "Bob Ray"),
    "quoted in a URL": (lambda p: f"https://x.com/?q={quote(p)}&page=1", "李明", "王芳"),
    "plus signs": (lambda p: p.replace(" ", "+"), "Ann Lee", "Bob Ray"),
    "a slug": (lambda p: f"/u/{p.lower().replace(' ', '-')}/edit", "Ann Lee", "Bob Ray"),
    "joined": (lambda p: p.lower().replace(" ", ""), "Ann Lee", "Bob Ray"),
    "a handle": (lambda p: (p[0] + p.split()[1]).lower(), "John Smith", "Bob Raymond"),
    "an address": (lambda p: f"{p.split()[0].lower()}@acme.com", "Ann Lee", "Bob Ray"),
    "initials": (lambda p: "".join(word[0] for word in p.split()), "John Smith", "Bob Ray"),
    "initials with dots": (lambda p: ".".join(word[0] for word in p.split()) + ".", "John Smith", "Bob Ray"),
    "the first letter": (lambda p: p[0], "Ann Lee", "Bob Ray"),
    "three letters": (lambda p: p[:3], "Roberta Lee", "Catherine Ray"),
    "two letters at the end": (lambda p: p[-2:], "Munich", "Oslo"),
    "two letters at the begin": (lambda p: p[:2].upper(), "Munich", "Oslo"),
    "turned round": (lambda p: ", ".join(reversed(p.split())), "Ann Lee", "Bob Ray"),
    "backwards": (lambda p: p[::-1], "Berlin", "Oslo"),
    "the words": (str.split, "Ann Lee", "Bob Ray"),
    "the stem of a file": (lambda p: p.rsplit(".")[0], "report.pdf", "minutes.txt"),
    "another suffix": (lambda p: p.rsplit(".")[0] + ".txt", "report.pdf", "minutes.pdf"),
    "the suffix": (lambda p: p.rsplit(".")[1], "report.pdf", "minutes.txt"),
    "a house number": (lambda p: int(p.split()[0]), "5 Main Street", "7 Oak Road"),
    "a part of a word": (lambda p: p[1:4], "AB-4711-X", "CD-9932-Y"),
    "a name in a long text": (
        lambda p: f"call {p.split()[-1]}",
        "please order two boxes of tea and then call Roberta",
        "please order two boxes of tea and then call Catherine",
    ),
    "in bytes": (lambda p: p.split()[0].encode(), "Ann Lee", "Bob Ray"),
}


@pytest.mark.parametrize("kind", MADE)
def test_e3a_what_is_made_of_a_part_of_a_param_is_not_sent_for_another(kind: str) -> None:
    make, first, then = MADE[kind]
    play = Play()
    outcome = play.twice(lambda p: (play.send(to=p), play.send(text=make(p))), {"p": first}, {"p": then})
    assert outcome.reason in (Reason.PARAM_GUARD, Reason.UNCONFIRMED)
    assert "'p'" in outcome.message
    for value in (first, then):
        assert play.run(lambda p: (play.send(to=p), play.send(text=make(p))), key="task", params={"p": value}, p=value)


@pytest.mark.parametrize("kind", sorted(MADE.keys() - {"the first letter", "a part of a word"}))
def test_e3a_in_a_template_too(kind: str) -> None:
    make, first, then = MADE[kind]
    play = Play()
    play.twice(
        lambda p, q: (play.send(to=p), play.send(text=f"{q}: {make(p)}")),
        {"p": first, "q": "quentin"},
        {"p": then, "q": "zacharias"},
    )


CONSTANT: dict[str, tuple[Any, str, str]] = {
    "another word": ("Save", "Ann Lee", "Bob Ray"),
    "a sentence": ("Please sign in to go on", "Ann Lee", "Bob Ray"),
    "a function word": ("the list for you", "The Who and the band", "Abba"),
    "a file suffix": ("summary.pdf", "report.pdf", "minutes.txt"),
    "the last part of a domain": ("https://www.shop.com/login", "john@acme.com", "mary@example.org"),
    "a button": ("#submit", "Ann Lee", "Bob Ray"),
    "a number": (4900, "Ann Lee", "Bob Ray"),
    "a short number": (7, "Ann Lee", "Bob Ray"),
    "nothing": ("", "Ann Lee", "Bob Ray"),
    "no value": (None, "Ann Lee", "Bob Ray"),
    "a bool": (True, "Ann Lee", "Bob Ray"),
    "a word of a long text": (
        "order now",
        "please order two boxes of green tea for the office",
        "buy a lot of things for us all",
    ),
}


@pytest.mark.parametrize("kind", CONSTANT)
def test_e3a_a_constant_that_shares_nothing_hits_after_one_recording(kind: str) -> None:
    literal, first, then = CONSTANT[kind]
    play = Play()
    assert play.twice(lambda p: (play.send(to=p), play.send(text=literal)), {"p": first}, {"p": then})


def test_e3a_what_stands_in_the_task_or_in_a_default_is_a_constant() -> None:
    world = World()
    mail = world.tool("mail", lambda to, text="Dear Ann, hello": None)
    agent = lambda task, who: mail(to=who, text="Dear Ann, hello")
    world.run(agent, "write", "Ann Lee", params={"p": "Ann Lee"})
    assert world.run(agent, "write", "Bob Ray", params={"p": "Bob Ray"})
    told = lambda task, who: world.send(to=who, text="Ann says hello")
    world.run(told, "say it for Ann", "Ann Lee", params={"p": "Ann Lee"})
    assert world.run(told, "say it for Ann", "Bob Ray", params={"p": "Bob Ray"})


def test_e3a_a_text_of_the_task_is_no_constant_where_a_key_replaces_it() -> None:
    world = World()
    told = lambda task, who: world.send(to=who, text=f"{who.split()[0]} says hello")
    world.run(told, "for Ann", "Ann Lee", key="k", params={"p": "Ann Lee"})
    assert world.run(told, "for Bob", "Bob Ray", key="k", params={"p": "Bob Ray"}).reason is Reason.PARAM_GUARD


def test_e11_two_values_of_which_the_literal_may_be_a_part_do_not_confirm_it() -> None:
    play = Play()
    agent = lambda p: (play.send(to=p), play.send(text=f"Dear {p.split()[0]},"))
    for value in ("Ann Lee", "Ann Ray", "Bob Ray", "Ann Poe"):
        assert not play.run(agent, key="task", params={"p": value}, p=value), value
        assert play.made()[-1] == ("send", ("text", f"Dear {value.split()[0]},"))


def test_e11_a_recording_with_another_value_and_the_same_text_confirms_it() -> None:
    play = Play()
    agent = lambda p: (play.send(to=p), play.send(text="Ann says hello"))
    assert play.twice(agent, {"p": "Ann Lee"}, {"p": "Bob Ray"}).reason is Reason.PARAM_GUARD
    for value in ("Carl Poe", "Ann Ray", "Eve"):
        assert play.run(agent, key="task", params={"p": value}, p=value)


def test_e3a_each_of_several_params_is_confirmed_by_itself() -> None:
    play = Play()
    agent = lambda p, q: (play.send(to=p, n=q), play.send(text="Ann and Bob"))

    def run(p: str, q: str) -> Any:
        return play.run(agent, key="task", params={"p": p, "q": q}, p=p, q=q)

    run("Ann Lee", "Bob Ray")
    assert "'p'" in run("Eve Poe", "Bob Ray").message
    assert "'q'" in run("Eve Poe", "Tom Fox").message
    assert run("Lea Fox", "Jim Nun")


# -- random agents


VALUES = {
    "names": [
        "Ann Lee",
        "Bob Ray",
        "Mary-Ann Smith",
        "José García",
        "Zoë Kravitz",
        "John Smith",
        "Lee Ann",
        "Tom Ford",
    ],
    "mails": ["john@acme.com", "little.john@acme.com", "mary@x.org", "bob.ray@mail.example.net", "sam+x@y.io"],
    "cards": ["4111 1111 1111 1234", "5500-0000-0000-0004", "340000000000009", "6011 0009 9013 9424"],
    "dates": ["2031-05-01", "2032-11-12", "24.12.2030", "2031-05-17"],
    "files": ["report.pdf", "old.report.pdf", "photo-2024.jpg", "minutes.txt"],
}
FORMS: list[Make] = [
    lambda p: p,
    lambda p: f"Dear {p},",
    lambda p: f"{p}.bak",
    lambda p: f"x-{p}",
    lambda p: f"https://x.com/?q={quote(p)}&a=1",
    str.upper,
    lambda p: p.lower().replace(" ", "-"),
    lambda p: p.split()[0],
    lambda p: p.split()[-1],
    lambda p: f"Dear {p.split()[0]},",
    lambda p: p.split("@")[0],
    lambda p: p.split("@")[-1],
    lambda p: p[-4:],
    lambda p: p.rsplit(".")[0],
    lambda p: "".join(word[0] for word in p.split()) if p[0].isalpha() else "x",
    lambda p: [p, p.split()],
    lambda p: {p: 1},
    lambda p: "Save",
    lambda p: 4900,
    lambda p: "https://shop.example.com/login",
]


def same(value: str) -> list[Any]:
    return [value, [value, [value]], f"Dear {value},"]


@pytest.mark.parametrize("seed", range(10))
def test_e3a_no_hit_of_a_random_agent_differs_from_what_the_agent_would_do(seed: int) -> None:
    random_ = random.Random(seed)
    hits = 0
    for _ in range(25):
        kind = random_.choice(list(VALUES))
        forms = random_.choices(FORMS, k=3)
        play = Play()

        def agent(p: str, play: Play = play, forms: list[Make] = forms) -> None:
            play.send(to=p)
            for form in forms:
                play.send(text=form(p))

        for value in random_.choices(VALUES[kind], k=4):
            if any(form(value) in same(value) for form in forms if form not in FORMS[:2]):
                continue  # A form that changes nothing cannot be told from the value itself.
            play.made()
            hits += bool(play.run(agent, key="task", params={"p": value}, p=value))
            made = play.made()
            play.run(agent, mode="off", p=value)
            assert made == play.made()
    assert hits


def test_e3a_a_message_names_the_step_the_argument_and_the_way_out() -> None:
    engine = Engine()
    send = engine.tool(name="send")(lambda to, text: None)
    given = {"name": "Ann Lee"}
    engine.set_agent(lambda task: send(given["name"], f"Dear {given['name'].split()[0]},"))
    engine("greet", params=given)
    given = {"name": "Bob Ray"}
    message = engine("greet", params=given).message
    for part in ("'text'", "send (step 0)", "'Dear Ann,'", "'name'", "another param"):
        assert part in message
