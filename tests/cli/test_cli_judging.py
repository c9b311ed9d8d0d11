"""`muscle-mem approve`, `report-good` and `report-bad`: a person's word from another process."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from muscle_mem import Engine, Reason
from muscle_mem.cli import main


@pytest.fixture
def shop(tmp_path: Path) -> tuple[Engine, str, str]:
    path = str(tmp_path / "memory.db")
    engine = Engine(path, trust="manual")
    buy = engine.tool(name="buy")(lambda what: None)
    engine.set_agent(buy)
    learned = engine("milk").trajectory_id
    assert learned is not None
    return engine, path, learned


def say(*words: str) -> str:
    result = CliRunner().invoke(main, list(words))
    assert result.exit_code == 0, result.output
    return result.output


def test_approve_lets_a_trajectory_be_replayed_under_trust_manual(shop: tuple[Engine, str, str]) -> None:
    engine, path, id = shop
    assert engine("milk").reason is Reason.NOT_APPROVED
    assert "Approved 1" in say("approve", id[:8], "--why", "read it", "--store", path)
    assert engine("milk")
    assert "approved: read it" in say("show", id, "--store", path)
    engine.close()


def test_report_bad_quarantines_until_report_good(shop: tuple[Engine, str, str]) -> None:
    engine, path, id = shop
    say("approve", id, "--store", path)
    say("report-bad", id, "--why", "wrong shop", "--store", path)
    outcome = engine("milk")
    assert outcome.reason is Reason.QUARANTINED
    assert "wrong shop" in outcome.message
    assert json.loads(say("report-good", id, "--json", "--store", path))["ids"] == [id]
    assert engine("milk")
    engine.close()


def test_a_running_engine_heeds_another_process(shop: tuple[Engine, str, str]) -> None:
    engine, path, id = shop
    command = [sys.executable, "-m", "muscle_mem", "approve", id, "--store", path]
    subprocess.run(command, check=True, capture_output=True)
    assert engine("milk")
    engine.close()


def test_an_unknown_id_is_told_and_nothing_is_said(shop: tuple[Engine, str, str]) -> None:
    engine, path, _ = shop
    result = CliRunner().invoke(main, ["approve", "ffffffff", "--store", path])
    assert result.exit_code == 1
    assert engine("milk").reason is Reason.NOT_APPROVED
    engine.close()
