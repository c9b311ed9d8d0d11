"""B12 outside of a run: snapshots with params in show, doctor, diff, export, import and folder stores."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cli_cases import as_json, run
from muscle_mem import Check, Engine, InvalidValueError, Outcome
from muscle_mem.store import open_store
from muscle_mem.store.document import from_document, to_document


class Office:
    """A form in a store of the given URL."""

    def __init__(self, store: str) -> None:
        self.fields: dict[str, Any] = {}
        self.engine = Engine(store)
        check = Check(lambda *_: dict(self.fields))

        @self.engine.tool(pre_check=check, name="enter")
        def enter(text: str) -> None:
            self.fields["name"] = text

        @self.engine.tool(pre_check=check, post_check=check, name="press")
        def press(button: str) -> None: ...

        self.engine.set_agent(lambda task, name: (enter(name), press("Submit")))

    def run(self, name: str, **start: Any) -> Outcome:
        self.fields = dict(start)
        return self.engine("register", name, params={"who": name})


def recorded(store: str, **start: Any) -> str:
    office = Office(store)
    id = office.run("Ann", **start).trajectory_id
    office.engine.close()
    return id


def test_b12_show_names_the_params_in_snapshots(tmp_path: Path) -> None:
    store = str(tmp_path / "m.db")
    id = recorded(store)
    shown = run("show", id, "--store", store).stdout
    assert "pre-snapshot: {'name': who}" in shown
    assert "'name': 'Ann'" not in shown
    steps = as_json("show", id, "--store", store)["observations"][0]["steps"]
    assert steps[1]["post"] == {"type": None, "text": "{'name': who}", "masked": True}
    assert steps[0]["pre"]["value"] == {}


def test_b12_doctor_finds_nothing_wrong_with_them(tmp_path: Path) -> None:
    store = str(tmp_path / "m.db")
    recorded(store, env="Ann")
    assert run("doctor", "--store", store).exit_code == 0
    assert "cannot be decoded" not in run("doctor", "--store", store).stdout


@pytest.mark.parametrize("start", [{}, {"env": "Ann"}], ids=["plain", "with chances"])
def test_b12_they_survive_files_and_folder_stores(tmp_path: Path, start: dict[str, Any]) -> None:
    store = str(tmp_path / "m.db")
    id = recorded(store, **start)
    run("export", id, "--output", str(tmp_path / "one.json"), "--store", store)
    document = json.loads((tmp_path / "one.json").read_text())
    assert "raw" not in json.dumps(document)
    assert document["observations"][0]["steps"][1]["pre"]["$masked"]
    folder = f"folder:///{tmp_path}/folder"
    assert as_json("import", str(tmp_path / "one.json"), "--approve", "--store", folder)["imported"] == [id]
    office = Office(folder)
    assert office.run("Bob", **start)
    assert not office.run("Bob", env="Bob")
    office.engine.close()
    assert run("diff", str(tmp_path / "one.json"), id, "--store", store).exit_code == 0


def test_b12_diff_shows_the_names(tmp_path: Path) -> None:
    one, other = str(tmp_path / "a.db"), str(tmp_path / "b.db")
    id = recorded(one)
    recorded(other, mode="x")
    run("export", id, "--output", str(tmp_path / "one.json"), "--store", one)
    assert "{'name': who}" in run("diff", str(tmp_path / "one.json"), id, "--store", other).stdout


@pytest.mark.parametrize(
    "edited",
    [
        {"$masked": {"$output": 0}},
        {"$masked": {"$param": "nobody"}},
        {"$masked": {"$secret": "key"}},
        {"$masked": {"$param": "who"}, "more": 1},
        {"$masked": {"$parts": ["list"], "items": [{"$ignored": True}]}},
    ],
)
def test_b12_an_edited_snapshot_of_another_form_is_refused(tmp_path: Path, edited: Any) -> None:
    store = str(tmp_path / "m.db")
    id = recorded(store)
    opened = open_store(store)
    document = to_document(opened.get(id)) if hasattr(opened, "get") else to_document(opened.scan().stored[0])
    opened.close()
    document["observations"][0]["steps"][1]["pre"] = edited
    with pytest.raises(InvalidValueError, match=r"steps"):
        from_document(document, strict=False)


def test_b12_exported_python_compares_with_its_arguments(tmp_path: Path) -> None:
    store = str(tmp_path / "m.db")
    id = recorded(store, env="Ann")
    run("export", id, "--format", "python", "--output", str(tmp_path / "one.py"), "--store", store)
    source = (tmp_path / "one.py").read_text()
    assert '"env": "Ann", "name": who' in source
