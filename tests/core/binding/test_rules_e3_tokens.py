"""E3, E11: a param is replaced in a text only where it stands as a token that nothing joins to its neighbors."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from muscle_mem import Reason
from muscle_mem._core.binding.texts.tokens import contains_token, word_positions
from param_cases import Play

JOINED = {
    "150": [
        "VAT 150.75",
        "1,150",
        "1.150,00",
        "-150",
        "\u2212150",
        "+150",
        "\u2013150",
        "1 150 EUR",
        "1\u00a0150",
        "150\u202f000",
        "192.168.150.1",
        "12:150",
        "5/150",
        "150/5",
        "150-5",
        "1'150",
        "1\u2019150",
        "150%5",
        "A-150",
    ],
    "john": [
        "little.john@acme.com",
        "john@acme.com",
        "john.doe",
        "mary-john",
        "o'john",
        "john+x@y.io",
        "a&john",
        "john%20doe",
    ],
    "Ann": [
        "Mary-Ann",
        "Ann\u2010Lee",
        "Ann\u2014Lee",
        "Ann%20Lee",
        "Ann.pdf",
        "Ann,Bob",
        "Jo+Ann",
        "R&Ann",
        "O\u2019Ann",
    ],
    "report": ["old.report.pdf", "report.pdf", "report-2", "my.report"],
}
TOKENS = {
    "150": [
        "150",
        "pay 150",
        "pay 150.",
        "150, please",
        "(150)",
        "$150",
        "150 EUR",
        "/orders/150/pay",
        "no:150",
        "150%",
        "#150",
    ],
    "john": [
        "dear john, hello",
        "john",
        "<john>",
        "user:john",
        "/u/john/",
        "john's",
        "john\u2019s list",
        '"john"',
        "john: hi",
    ],
    "Ann": [
        "Dear Ann, hello.",
        "Ann's car",
        "Ann - Lee",
        "'Ann'",
        "Ann. Then",
        "Ann! Lee",
        "Ann (Lee)",
        "Ann; Lee",
        "Ann's.",
    ],
    "report": ["the report", "report.", "/files/report/new", "report, please", "[report]"],
}


def pairs(table: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [(part, text) for part, texts in table.items() for text in texts]


@pytest.mark.parametrize(("part", "text"), pairs(JOINED))
def test_e3_a_joined_value_is_no_token(part: str, text: str) -> None:
    assert not contains_token(text, part)


@pytest.mark.parametrize(("part", "text"), pairs(TOKENS))
def test_e3_what_stands_by_itself_is_a_token(part: str, text: str) -> None:
    assert contains_token(text, part)


OTHERS: dict[str, Any] = {"150": "200", "john": "peter", "Ann": "Zoe", "report": "letter"}


@pytest.mark.parametrize(("part", "text"), pairs(JOINED))
def test_e3_a_joined_value_is_not_replaced_and_misses_for_another(part: str, text: str) -> None:
    """The agent may have written the value there, or the larger token may be a constant: both are right."""
    for is_made in (True, False):
        play = Play()

        def agent(x: str, play: Play = play, is_made: bool = is_made) -> None:
            play.send(to=x, text=text.replace(part, x) if is_made else text)

        outcome = play.twice(agent, {"x": part}, {"x": OTHERS[part]})
        assert outcome.reason is Reason.PARAM_GUARD
        assert "'text' of send (step 0)" in outcome.message
        assert "'x'" in outcome.message
        assert "bind=['send.text']" in outcome.message
        outcome = play.run(agent, key="task", params={"x": "Carla"}, x="Carla")
        assert bool(outcome) is not is_made, "a constant is confirmed by two recordings that differ in the param"
        assert play.made()[-1][1] == ("text", text.replace(part, "Carla") if is_made else text)


@pytest.mark.parametrize(("part", "text"), pairs(TOKENS))
def test_e3_a_token_is_replaced_at_once(part: str, text: str) -> None:
    play = Play()
    assert play.twice(lambda x: play.send(to=x, text=text.replace(part, x)), {"x": part}, {"x": OTHERS[part]})


@pytest.mark.parametrize("text", ["INV150.75", "-150", "1 150 EUR", "150,5", "1.150"])
def test_e3_a_number_inside_a_larger_number_is_no_token_for_an_int_param_either(text: str) -> None:
    play = Play()
    assert not play.twice(lambda n: play.send(to=n, text=text), {"n": 150}, {"n": 200})


@pytest.mark.parametrize(
    "make",
    [lambda x: f"pre{x}", lambda x: f"{x}.pdf", lambda x: x.upper(), lambda x: f"file={x}_1", lambda x: x.encode()],
)
def test_e3_hidden_values_hit_again_for_each_recorded_value(make: Callable[[str], Any]) -> None:
    play = Play()

    def agent(x: str) -> None:
        play.send(to=x, text=make(x))

    for value in ("Ann", "Bob"):
        assert play.run(agent, key="task", params={"x": value}, x=value).status == "miss"
    for value in ("Ann", "Bob"):
        assert play.run(agent, key="task", params={"x": value}, x=value)


def test_e11_two_values_that_share_the_literal_do_not_confirm_it() -> None:
    play = Play()

    def agent(x: str) -> None:
        play.send(to=x, text=x.lower() + ".pdf")

    for value in ("Ann", "ANN", "aNN", "Bob"):
        assert not play.run(agent, key="task", params={"x": value}, x=value)
        assert play.made()[-1] == ("send", ("text", value.lower() + ".pdf"), ("to", value))


ADDRESSES = ["john@acme.com", "little.john@acme.com", "mary@x.org", "j@y.io", "ann+shop@mail.example.net"]
NAMES = ["Ann", "Mary-Ann", "Ann Lee", "O'Neil", "José", "Li", "北京", "Smith, John"]
FILES = ["report.pdf", "old.report.pdf", "a.txt", "photo-2024.jpg", "notes"]
NUMBERS: list[Any] = [150, 75, 7, 1500, "150", "75.50", "1,150", "-20", 168, "007"]
AROUND = [
    "",
    " ",
    ".",
    ",",
    "-",
    "/",
    ":",
    "'",
    "%",
    "@",
    "&",
    "+",
    "1",
    "x",
    "0",
    " 1",
    "1 ",
    "-1",
    ".5",
    "'s",
    "_",
    "(",
    "€",
    "\u00a0",
]


@pytest.mark.parametrize("seed", range(12))
def test_e3_a_replaced_text_is_what_the_agent_would_have_written(seed: int) -> None:
    """Texts in which a value stands anywhere, constant or made of the param: a replay does what the agent would do."""
    random_ = random.Random(seed)
    for _ in range(25):
        values = random_.choice([ADDRESSES, NAMES, FILES, NUMBERS])
        first, then = random_.choice(values), random_.choice(values)
        if type(first) is not type(then):
            continue
        before, after = random_.choice(AROUND), random_.choice(AROUND)
        is_made = random_.random() < 0.6
        play = Play()

        text = f"{before}{first}{after}"

        def agent(x: Any, play: Play = play, made: Any = (is_made, before, after, text)) -> None:
            play.send(to=x)
            play.send(text=f"{made[1]}{x}{made[2]}" if made[0] else made[3])

        is_token = not is_made and contains_token(f"{before}{first}{after}", str(first)) and first != then
        if is_token or (not is_made and not before and not after):
            continue  # A constant that stands there by itself cannot be told from the param.
        for value in (first, then, first):
            play.made()
            play.run(agent, key="task", params={"x": value}, x=value)
            made = play.made()
            play.run(agent, mode="off", x=value)
            assert made == play.made(), (first, then, before, after, is_made)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("去北京旅游", "北京"),
        ("付150元", "150"),
        ("约John去", "John"),
        ("ไปกรุงเทพวันนี้", "กรุงเทพ"),
        ("東京へ行く", "東京"),
    ],
)
def test_a1b_in_a_script_without_spaces_a_value_is_masked_wherever_it_stands(text: str, part: str) -> None:
    assert list(word_positions(text, part))
    assert not contains_token(text, part), "but it is not replaced there"


def test_e3_a_value_in_a_script_without_spaces_binds_as_a_whole_and_is_suspected_in_a_sentence() -> None:
    play = Play()
    assert play.twice(lambda p: play.send(to=p), {"p": "北京"}, {"p": "上海"})
    outcome = Play()
    sentence = lambda p: (outcome.send(to=p), outcome.send(text=f"我去{p}旅游"))
    assert outcome.twice(sentence, {"p": "北京"}, {"p": "上海"}).reason is Reason.PARAM_GUARD
    constant = Play()
    said = lambda p: (constant.send(to=p), constant.send(text="我去北京旅游"))
    assert not constant.twice(said, {"p": "北京"}, {"p": "上海"})
    assert constant.run(said, key="task", params={"p": "广州"}, p="广州")
