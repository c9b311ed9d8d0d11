"""`muscle-mem export --output` never replaces another file unasked."""

from __future__ import annotations

from pathlib import Path

from click.testing import CliRunner, Result

from muscle_mem import Engine
from muscle_mem.cli import main


def exported(store: Path, id: str, *options: str) -> Result:
    return CliRunner().invoke(main, ["export", id, "--store", str(store), *options])


def test_export_asks_before_it_replaces_another_file(tmp_path: Path) -> None:
    store, file = tmp_path / "memory.db", tmp_path / "run.py"
    with Engine(store) as engine:
        tool = engine.tool(name="tool", effect="read")(lambda: 1)
        engine.set_agent(lambda task: tool())
        id = engine("task").trajectory_id
    assert id
    assert exported(store, id, "--output", str(file)).exit_code == 0
    assert exported(store, id, "--output", str(file)).exit_code == 0, "the same text is there"
    file.write_text("edited by hand")
    refused = exported(store, id, "--output", str(file))
    assert refused.exit_code == 1
    assert "--overwrite" in refused.output
    assert file.read_text() == "edited by hand"
    assert exported(store, id, "--output", str(file), "--overwrite").exit_code == 0
    assert id in file.read_text()
