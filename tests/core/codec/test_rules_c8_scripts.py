"""C8: a class that was recorded while its module ran as a script is the one that is imported, and back."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from muscle_mem._core import codec
from muscle_mem._core.codec import registry
from muscle_mem.errors import UnknownTypeError

SHOP = """
import dataclasses, enum, sys, typing

import muscle_mem, pydantic
from muscle_mem import Check, Engine


class Color(enum.Enum):
    RED = "red"


@dataclasses.dataclass(frozen=True)
class Item:
    name: str
    color: Color


class Row(typing.NamedTuple):
    item: Item
    tags: tuple = ()


class Order(pydantic.BaseModel):
    name: str


class Money:
    def __init__(self, text):
        self.text = text


muscle_mem.register(Money, encode=lambda money: money.text, decode=Money)


def state(*args: object, **kwargs: object) -> list[Item]:
    return [Item("state", Color.RED)]


engine = Engine(sys.argv[1])


@engine.tool(pre_check=Check(state))
def buy(item: Item, row: "Row | None" = None, order: typing.Optional[Order] = None, money: typing.Any = None) -> None:
    print("bought", item.name, row.item.color.value, order.name, money.text, type(item).__module__)


@engine.set_agent
def agent(task, wanted):
    item = Item("shirt", Color.RED)
    buy(wanted, Row(item), order=Order(name="o"), money=Money("5 EUR"))


def main():
    print(engine("shopping", Item("shirt", Color.RED), params={"wanted": Item("shirt", Color.RED)}).status)


if __name__ == "__main__":
    main()
"""


def run(folder: Path, *args: str) -> list[str]:
    done = subprocess.run([sys.executable, *args], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


@pytest.mark.parametrize("script_first", [True, False])
@pytest.mark.parametrize("as_module", [True, False])
def test_c8_a_recording_of_a_script_hits_when_it_is_imported_and_back(
    script_first: bool, as_module: bool, tmp_path: Path
) -> None:
    (tmp_path / "shop.py").write_text(SHOP)
    store = str(tmp_path / "s.db")
    script = ["-m", "shop", store] if as_module else ["shop.py", store]
    imported = ["-c", "import shop; shop.main()", store]
    first, second = (script, imported) if script_first else (imported, script)
    names = ("__main__", "shop") if script_first else ("shop", "__main__")
    assert run(tmp_path, *first) == [f"bought shirt red o 5 EUR {names[0]}", "miss"]
    assert run(tmp_path, *second) == [f"bought shirt red o 5 EUR {names[1]}", "hit"]


@pytest.fixture
def known() -> object:
    saved = registry.snapshot()
    yield
    registry.restore(saved)


def make(module: str, name: str = "Thing") -> type:

    made = dataclasses.make_dataclass(name, ["x"])
    made.__module__, made.__qualname__ = module, name
    return made


@pytest.mark.usefixtures("known")
def test_c8_two_classes_of_one_name_are_not_guessed_between() -> None:
    data = codec.encode(make("__main__")(1))
    registry._by_name.pop("__main__:Thing")
    with pytest.raises(UnknownTypeError):
        codec.decode(data)
    codec.add_known_classes(make("a"))
    assert codec.decode(data).x == 1
    codec.add_known_classes(make("b"))
    with pytest.raises(UnknownTypeError):
        codec.decode(data)


@pytest.mark.usefixtures("known")
def test_c8_a_class_of_another_module_is_not_the_one_of_the_script() -> None:
    data = codec.encode(make("elsewhere")(1))
    registry._by_name.pop("elsewhere:Thing")
    codec.add_known_classes(make("__main__"))
    with pytest.raises(UnknownTypeError):
        codec.decode(data)


@pytest.mark.usefixtures("known")
def test_c8_a_class_that_is_in_no_annotation_is_not_meant() -> None:
    data = codec.encode(make("__main__")(1))
    registry._by_name.pop("__main__:Thing")
    codec.encode(make("a")(1))
    with pytest.raises(UnknownTypeError):
        codec.decode(data)
