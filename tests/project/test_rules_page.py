"""The page of rules defines every code that the source or a test cites, and every rule has a test that cites it."""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from muscle_mem import Reason
from paths import ROOT, TESTS

SRC = ROOT / "src"
PAGE = (ROOT / "docs" / "contributing" / "rules.md").read_text(encoding="utf-8")
HEADINGS = re.findall(r"(?m)^\(([a-z]\d+[a-z]?)\)=\n### ([A-Z]\d+[a-z]?)\. \S", PAGE)
RULES = {code for _, code in HEADINGS}
CODE = re.compile(r"\b[A-ILPS]\d{1,2}[a-c]?\b")
IN_NAME = re.compile(r"(?:[a-ilps]\d{1,2}[a-c]?_)+")  # as in test_c10_c11_...

# Rules that no test cites by their code, and tests that prove them.
PROVEN_BY = {
    "E0": ["test_show_reads_as_a_script"],
    "S1": ["test_the_promise_holds", "test_a_forged_row_is_refused_told_and_left_alone"],
    "S2": ["test_the_promise_holds"],
    "S3": ["test_who_waits_at_the_gate_is_next_and_makes_room_when_it_has_passed"],
    "S4": ["test_parent_and_child_of_a_fork_both_write_and_lose_nothing", "test_a_backup_under_load_is_one_state"],
    "S5": ["test_whatever_column_is_edited_the_task_is_done_and_nothing_false_is_replayed"],
    "S9": ["test_files_are_for_their_owner_only_whatever_the_umask"],
    "S10": ["test_what_is_not_ours_is_refused_and_untouched", "test_an_older_store_is_brought_up_step_by_step"],
    "S13": ["test_blobs_are_forgotten_to_the_last_byte"],
}


def prose(path: Path) -> Iterator[str]:
    """The comments and docstrings of a file."""
    text = path.read_text(encoding="utf-8")
    if not CODE.search(text):
        return
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.string
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node) or ""


@cache
def cited(folder: Path) -> dict[str, str]:
    """The codes that comments and docstrings cite, each with a file."""
    paths = [path for path in folder.rglob("*.py") if path.name != Path(__file__).name]
    return {code: path.name for path in paths for text in prose(path) for code in CODE.findall(text)}


def functions() -> set[str]:
    """The names of all test functions."""
    texts = [path.read_text(encoding="utf-8") for path in TESTS.rglob("test_*.py")]
    return {name for text in texts for name in re.findall(r"def (test_\w+)", text)}


def in_names() -> dict[str, str]:
    """The codes that test functions begin with, each with a name."""
    found = {}
    for name in functions():
        codes = IN_NAME.match(name.removeprefix("test_"))
        for code in codes.group().strip("_").split("_") if codes else ():
            found[code[0].upper() + code[1:]] = name
    return found


def test_each_rule_has_one_heading_and_a_target_of_its_code() -> None:
    assert len(HEADINGS) == len(RULES) == len(re.findall(r"(?m)^### ", PAGE)) > 70
    assert not [(target, code) for target, code in HEADINGS if target != code.lower()]


def test_every_link_on_the_page_leads_to_a_target() -> None:
    targets = re.findall(r"(?m)^\((\S+)\)=$", PAGE)
    assert not set(re.findall(r"\]\(#(\S+?)\)", PAGE)) - set(targets)


@pytest.mark.parametrize("folder", [SRC, TESTS], ids=["src", "tests"])
def test_every_code_in_a_comment_or_docstring_is_a_rule(folder: Path) -> None:
    assert len(cited(folder)) > 20
    assert not {code: where for code, where in cited(folder).items() if code not in RULES}


def test_every_code_in_the_name_of_a_test_is_a_rule() -> None:
    assert len(in_names()) > 50
    assert not {code: name for code, name in in_names().items() if code not in RULES}


def test_every_rule_is_cited_by_a_test_or_has_a_proof_by_name() -> None:
    by_code = cited(TESTS).keys() | in_names().keys()
    assert sorted(RULES - by_code) == sorted(PROVEN_BY), "PROVEN_BY has exactly the rules that no test cites"
    assert not {name for names in PROVEN_BY.values() for name in names} - functions()


def test_the_table_of_reasons_is_the_closed_set_and_names_a_rule_for_each() -> None:
    rows = re.findall(r"(?m)^\| `(\w+)` \| .+ \| .+ \| \[(\w+)\]\(#(\w+)\) \|$", PAGE)
    assert [reason for reason, _, _ in rows] == [reason.value for reason in Reason]
    assert not [rule for _, rule, target in rows if rule not in RULES or target != rule.lower()]
