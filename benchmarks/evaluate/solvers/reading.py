"""What to do follows from what the page shows: answers are typed with `answer`, things are clicked with `pick`."""

from __future__ import annotations

import re

from muscle_mem.demo.sight import Thing, View
from muscle_mem.demo.solvers import Action, PuzzledError

from .common import fill, named, only, pick, submit, texts

MEDIA = {"Reply": "reply", "Retweet": "retweet", "Like": "like", "Share": "share"}
WIDGETS = {"radio": "input radio", "checkbox": "input checkbox", "text": "input text", "textarea": "textarea textarea"}


def answer(view: View, text: str, field: str) -> Action:
    return fill(view, {field: text}, "answer") or submit(view)


def arithmetic(view: View, asked: re.Match[str]) -> Action:
    found = _problem(view, r"(-?\d+) ([-+x]) (-?\d+) =")
    one, sign, two = int(found[1]), found[2], int(found[3])
    result = one + two if sign == "+" else one - two if sign == "-" else one * two
    return answer(view, str(result), only(view, "textbox").name)


def algebra(view: View, asked: re.Match[str]) -> Action:
    found = _problem(view, r"(x|-?\d+) ([-+]) (x|-?\d+) = (-?\d+)")
    left, sign, right, result = found[1], found[2], found[3], int(found[4])
    if left == "x":
        value = result - int(right) if sign == "+" else result + int(right)
    else:
        value = result - int(left) if sign == "+" else int(left) - result
    return answer(view, str(value), only(view, "textbox").name)


def table_cell(view: View, asked: re.Match[str]) -> Action:
    return answer(view, _beside(view, asked["label"]), only(view, "textbox").name)


def table_form(view: View, asked: re.Match[str]) -> Action:
    wanted = {field.name: _beside(view, field.name.removesuffix(":")) for field in view.of("textbox")}
    return fill(view, wanted, "answer") or submit(view)


def last_word(view: View, asked: re.Match[str]) -> Action:
    text, field = view.of("textbox")
    return answer(view, re.sub(r"\W", "", text.state.split()[-1]), field.name)


def word_at(view: View, asked: re.Match[str]) -> Action:
    words = texts(view)[0].split()
    return answer(view, re.sub(r"\W", "", words[int(asked[1]) - 1]), only(view, "textbox").name)


def copy_text(view: View, asked: re.Match[str]) -> Action:
    fields = view.of("textbox")
    source = [field for field in fields if field.tag == "textarea textarea"][int(asked["at"] or 1) - 1]
    target = next(field for field in fields if field.tag == "input text")
    return answer(view, source.state, target.name)


def shown_letters(view: View, asked: re.Match[str]) -> Action:
    return answer(view, "".join(texts(view)), only(view, "textbox").name)


def guess(view: View, asked: re.Match[str]) -> Action:
    """From five on, up and down by one, as the page says."""
    shown, number = texts(view), 5
    for at, text in enumerate(shown):
        if text.startswith(("The number is lower", "The number is higher")):
            number = int(shown[at + 1]) + (-1 if "lower" in text else 1)
    field = only(view, "textbox")
    if field.state != str(number):
        return Action("answer", view.target(field), str(number))
    button = named(view, "button", "Submit")
    assert button is not None
    return pick(view, button)


def generate(view: View, asked: re.Match[str]) -> Action:
    """Generate numbers until one fits."""
    shown, kind, limit = texts(view)[0], asked[1], asked["limit"]
    fits = shown.isdigit() and {
        "odd": lambda n: n % 2 == 1,
        "even": lambda n: n % 2 == 0,
        "less": lambda n: n < int(limit),
        "greater": lambda n: n > int(limit),
    }[kind](int(shown))
    button = named(view, "button", "Submit" if fits else "Generate")
    assert button is not None
    return pick(view, button)


def contact(view: View, asked: re.Match[str]) -> Action:
    """Turn pages until the person is shown, then click what stands beside the label."""
    if texts(view)[0] == asked["person"]:
        return pick(view, view.of("link")[("phone", "email", "address").index(asked[2])])
    following = named(view, "link", ">")
    if following is None:
        raise PuzzledError(f"expected a page with {asked['person']!r}")
    return pick(view, following)


def posts(view: View, asked: re.Match[str]) -> Action:
    """Click a button on posts of a user, as many as asked, then submit."""
    icons = view.of("icon")
    row = len([icon for icon in icons if icon.name == "reply"])
    owners = [text for text in texts(view) if text.startswith("@")][:row]
    mine = [icon for icon, owner in zip(_icons(icons, MEDIA[asked[1]]), owners, strict=True) if owner == asked["user"]]
    wanted = len(mine) if asked["number"] == "all" else int(asked["number"])
    left = [icon for icon in mine if not icon.state]
    return pick(view, left[0]) if len(mine) - len(left) < wanted else submit(view)


def post_menu(view: View, asked: re.Match[str]) -> Action:
    """Click a button of a user's post, which may be in a menu."""
    owners = [text for text in texts(view) if text.startswith("@")]
    icons = view.of("icon")
    kind = MEDIA.get(asked[2], "more")
    if asked[2] == "Share via DM" or kind == "more":
        entry = next((thing for thing in view.things if thing.tag == "li" and thing.name.startswith(asked[2])), None)
        if entry is not None:
            return pick(view, entry)
    return pick(view, _icons(icons, kind)[owners.index(asked["user"])])


def widget(view: View, asked: re.Match[str]) -> Action:
    tag = WIDGETS.get(asked[1], "")
    return pick(view, next(thing for thing in view.things if thing.tag == tag or (not tag and thing.role == "button")))


def shape(view: View, asked: re.Match[str]) -> Action:
    return pick(view, next(one for one in view.of("shape") if _is(one, asked[1])))


def count_shapes(view: View, asked: re.Match[str]) -> Action:
    number = str(sum(_is(one, asked[1]) for one in view.of("shape")))
    button = named(view, "button", number)
    if button is None:
        raise PuzzledError(f"expected a button {number!r}")
    return pick(view, button)


def _is(one: Thing, described: str) -> bool:
    """Whether a shape is as described: "large", "small red letter", "item", "W"."""
    size, color, kind, *text = one.name.split()
    known = {size, color, kind, "item", *text}
    if kind not in ("letter", "digit"):
        known.add("shape")
    return all(word in known for word in described.split())


def _icons(icons: list[Thing], name: str) -> list[Thing]:
    return [icon for icon in icons if icon.name == name]


def _problem(view: View, pattern: str) -> re.Match[str]:
    for text in texts(view):
        found = re.fullmatch(pattern, text)
        if found:
            return found
    raise PuzzledError("expected a problem to solve")


def _beside(view: View, label: str) -> str:
    shown = texts(view)
    return shown[shown.index(label) + 1]
