"""Exported Python of a document that others wrote: no class or tool leads where the user did not point."""

from __future__ import annotations

import ast
import dataclasses
import enum
import http
import json
import re
import types
from pathlib import Path
from typing import Any

import pytest

from cli_cases import as_json, record_orders, run, step
from muscle_mem._core import codec
from muscle_mem._core.codec import leaves as tags
from muscle_mem._core.codec.writer import pack
from muscle_mem._core.export.literals import UnwritableError
from muscle_mem._core.export.python_names import tool_parts
from muscle_mem._core.export.python_source import python_source
from muscle_mem._core.export.source_options import PythonSource, SourceOptions
from muscle_mem._core.model.records import FORM, Body, Guard, Lit, Node, Part, Row, StepRecord


class Color(enum.Enum):
    RED = 1


class Might(enum.Flag):
    READ = 1
    WRITE = 2


@dataclasses.dataclass
class Item:
    name: str


def stored(tree: Any) -> Lit:
    """A stored value of a given tree, as a document of others may contain it."""
    return Lit(bytes([codec.VERSION]) + pack(tree))


def an_object(name: str, /, **fields: Any) -> Lit:
    return stored([tags.OBJECT, name, fields])


def source_of(*steps: StepRecord, **options: Any) -> PythonSource:
    count = len(steps)
    row = Row(FORM, pre=(None,) * count, post=(None,) * count, outputs=(b"",) * count)
    body = Body(FORM, steps)
    return python_source(body, row, task="t", id="0" * 32, options=SourceOptions(**options))


def names_in(source: str) -> set[str]:
    tree = ast.parse(source)
    found = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    found |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            found |= {alias.name for alias in node.names} | {getattr(node, "module", None) or ""}
    return found


EVIL = [
    an_object("os:system", command="touch /tmp/evil"),
    an_object("builtins:eval", source="1"),
    an_object("builtins:exec", source="1"),
    an_object("builtins:open", file="x"),
    an_object("subprocess:run", args="x"),
    an_object("subprocess:CompletedProcess", args="x", returncode=1),
    an_object("os.path:join", a="x"),
    an_object("shutil:rmtree", path="/"),
    an_object("_posixsubprocess:fork_exec", a=1),
    an_object("pty:spawn", argv="sh"),
    an_object("antigravity:fly", x=1),
    an_object("this:s", x=1),
    stored([tags.ROW, "os:system", {"command": "x"}]),
    stored([tags.MODEL, "os:system", {"command": "x"}, None, None, None]),
    stored([tags.FLAG, "os:system", 1]),
    stored([tags.FLAG, "os:_exit", 1]),
    stored([tags.MEMBER, "os:environ", "clear"]),
    stored([tags.MEMBER, "antigravity:webbrowser", "open"]),
    an_object("unheard_of:Item", name="x"),
    an_object("msgspec:json", x=1),
    an_object("click:launch", url="http://evil"),
    an_object("muscle_mem:open_store", given="x"),
    an_object("shop:os.system", command="x"),
    an_object("shop:subprocess.run", args="x"),
    an_object("shop:eval", source="x"),
    an_object("shop:__builtins__.eval", source="x"),
    an_object("shop:Item.__init__.__globals__", x=1),
    an_object("shopping:Item", name="x"),
    stored([tags.MEMBER, "shop:Color", "__class__"]),
]


@pytest.mark.parametrize("evil", EVIL, ids=lambda evil: re.sub(r"[^\w:.]+", "-", evil.data[2:40].decode("latin-1")))
@pytest.mark.parametrize("deep", [0, 1, 2])
def test_a_type_of_others_is_left_out_and_shown(evil: Lit, deep: int) -> None:
    expr: Any = evil
    if deep == 1:
        expr = Node("list", (evil, Lit(codec.encode("text"))))
    if deep == 2:
        expr = Node("dict", (Lit(codec.encode("key")), Node("tuple", (evil,))))
    act = StepRecord("act", "", (("order", expr), ("text", Lit(codec.encode("fine")))))
    try:
        made = source_of(act, step("act", 1), tools_from="shop")
    except UnwritableError:  # Such a value is refused altogether.
        assert evil is EVIL[-1]
        return
    lines = [line for line in made.text.splitlines() if "import" in line and not line.startswith(("#", "    #"))]
    assert lines == ["from shop import act"]
    code = "\n".join(line for line in made.text.splitlines() if not line.strip().startswith("#"))
    assert names_in(code) <= {"act", "order", "shop", ""}
    assert "# Left out, pass order=: step 0 (act), argument order: " in made.text
    assert len(made.left_out) == 1
    calls: list[Any] = []
    place: dict[str, Any] = {"act": lambda *args, **kwargs: calls.append((args, kwargs))}
    exec(made.text.replace("from shop import act\n", ""), place)
    with pytest.raises(TypeError):
        place["t"]()
    assert not calls
    place["t"](order="mine")
    assert calls[0] == ((), {"order": "mine", "text": "fine"})


def test_types_in_named_modules_and_known_ones_are_written() -> None:
    sent = source_of(step("act", 1), StepRecord("act", "", (("x", an_object("shop:Item", name="tea")),)))
    assert sent.left_out
    for options in (
        {"tools_from": "shop"},
        {"types_from": ("shop",)},
        {"tools_from": "tools", "types_from": ("other", "shop")},
    ):
        made = source_of(StepRecord("act", "", (("x", an_object("shop:Item", name="tea")),)), **options)
        assert 'x=Item(name="tea")' in made.text
        assert not made.left_out
    made = source_of(StepRecord("act", "", (("x", an_object("shop.models:Item.Part", name="t")),)), tools_from="shop")
    assert "from shop.models import Item\n" in made.text
    for value in (Item("a"), Color.RED, Might.READ | Might.WRITE, [Item("a"), {"b": Color.RED}]):
        made = source_of(StepRecord("act", "", (("x", Lit(codec.encode(value))),)))
        assert not made.left_out
        place: dict[str, Any] = {}
        exec(made.text.replace("x=", "", 1), place)
        seen: list[Any] = []
        place["t"](types.SimpleNamespace(act=seen.append))
        assert seen == [value]


def test_a_member_of_an_enum_of_the_standard_library_is_written_if_it_is_one() -> None:
    made = source_of(StepRecord("act", "", (("x", Lit(codec.encode(http.HTTPStatus.NOT_FOUND))),)))
    assert "http.HTTPStatus.NOT_FOUND" in made.text or "HTTPStatus.NOT_FOUND" in made.text
    assert not made.left_out
    lie = stored([tags.MEMBER, "http:HTTPStatus", "mro"])
    assert source_of(StepRecord("act", "", (("x", lie),))).left_out


def test_a_type_of_others_in_a_guard_or_snapshot_is_left_out() -> None:
    evil = EVIL[0]
    checked = StepRecord("act", "", (), pre="fingerprint", guards=(Guard(0, (), evil.data),))
    row = Row(FORM, pre=(None, evil.data), post=(None, None), outputs=(evil.data, b""))
    body = Body(FORM, (StepRecord("look", "", ()), checked))
    made = python_source(body, row, task="t", id="0", options=SourceOptions(tools_from="shop"))
    code = "\n".join(line for line in made.text.splitlines() if not line.strip().startswith("#"))
    assert "system" not in code
    assert "is left out" in made.text


@pytest.mark.parametrize(
    "tool",
    ["os.system", "subprocess.run", "sys.modules.clear", "msgspec.json.encode", "__builtins__.eval", "Shop.__class__"],
)
def test_a_tool_that_leads_into_another_module_is_refused(tool: str) -> None:
    for options in ({}, {"tools_from": "shop"}):
        with pytest.raises(UnwritableError, match="name="):
            source_of(StepRecord(tool, "", ()), **options)


def test_tools_of_every_usual_name_are_written() -> None:
    for tool in ("send", "os", "_private", "__mangled", "Shop.send", "Shop.Inner.send", "f.<locals>.Shop.send", "copy"):
        assert tool_parts(tool)
    assert tool_parts("copy.send", is_method=True) == ["copy", "send"]
    assert tool_parts("Sender.__call__") == ["Sender", "__call__"]


def test_an_imported_document_cannot_call_what_it_likes(tmp_path: Path) -> None:
    store = str(tmp_path / "a.db")
    id = record_orders(tmp_path / "a.db")[0]
    document = json.loads(run("export", id, "--store", store).stdout)
    first = document["steps"][0]
    name = next(iter(first["arguments"]))
    first["arguments"][name] = {"$object": "os:system", "fields": {"command": f"touch {tmp_path}/evil"}}
    del document["id"]
    for seen in document["observations"]:
        seen.pop("id", None)
    (tmp_path / "evil.json").write_text(json.dumps(document))
    other = str(tmp_path / "b.db")
    assert run("import", str(tmp_path / "evil.json"), "--store", other).exit_code == 0
    (one,) = as_json("ls", "--store", other)
    result = run("export", one["id"], "--format", "python", "--tools-from", "shop", "--store", other)
    assert result.exit_code == 0, result.output
    assert "from os" not in result.stdout
    assert "Left out of" in result.stderr
    assert "'os:system'" in result.stderr
    (told,) = as_json("export", one["id"], "--format", "python", "--tools-from", "shop", "--store", other)["left_out"]
    assert "os:system" in told
    result = run("export", "--all", str(tmp_path / "all"), "--format", "python", "--store", other)
    assert "Left out of" in result.stderr
    (file,) = (tmp_path / "all").glob("*.py")
    assert "from os" not in file.read_text()
    assert not (tmp_path / "evil").exists()


def test_types_from_is_validated(tmp_path: Path) -> None:
    record_orders(tmp_path / "a.db")
    result = run("export", "x", "--format", "python", "--types-from", "not a name", "--store", str(tmp_path / "a.db"))
    assert result.exit_code == 2
    assert "--types-from" in result.output


@pytest.mark.parametrize(
    ("part", "source"),
    [
        (Part("p", ("city", 0)), 'act(x=p["city"][0])'),
        (Part("p", (".name",)), "act(x=p.name)"),
        (Part("p", (), "number"), "act(x=int(p))"),
        (Part("p", (-1,), "text"), "act(x=str(p[-1]))"),
        (Part("p", ('"] or __import__("os")["',)), """act(x=p['"] or __import__("os")["'])"""),
    ],
)
def test_a_part_of_a_param_is_written_and_stays_in_its_quotes(part: Part, source: str) -> None:
    made = source_of(StepRecord("act", "", (("x", part),)), tools_from="shop")
    assert source in made.text
    assert names_in(made.text) <= {"act", "p", "shop", "name", "int", "str", ""}


@pytest.mark.parametrize(
    "part",
    [
        Part("p", (".x or __import__('os').system('x')",)),
        Part("p", (".__class__",)),
        Part("p", (".class",)),
        Part("p", (".",)),
        Part("p", (), "eval"),
    ],
)
def test_a_part_of_a_param_that_is_no_part_is_refused(part: Part) -> None:
    with pytest.raises(UnwritableError):
        source_of(StepRecord("act", "", (("x", part),)), tools_from="shop")
