"""The stored form of flows: its golden bytes, what other releases make of it, and how evidence is joined (L9)."""

from __future__ import annotations

import itertools
import json
from typing import Any

import msgspec
import pytest

from muscle_mem._core.model.learned import (
    AGREED,
    CONFIRMED,
    FLOWS_FORM,
    REJECTED,
    STRUCK,
    FlowsBody,
    entry_problem,
    evidence_bytes,
    flows_body,
    is_flows_body,
    join_evidence,
    read_entries,
    read_flows_body,
    verdict_entry,
)
from muscle_mem._core.model.records import FORM, Body, Row
from muscle_mem._core.plan.identity import evidence_id, general_id
from muscle_mem._core.plan.parallel import decode_body
from muscle_mem.errors import DecodeError
from paths import GOLDEN

GOLDEN_FLOWS: dict[str, Any] = json.loads((GOLDEN / "flows.json").read_text())
ONE, TWO = b"1" * 16, b"2" * 16
GOOD, OTHER = AGREED + ONE + b"v" * 16, AGREED + ONE + b"w" * 16


def test_the_bytes_of_flows_are_those_of_the_golden_file() -> None:
    made = flows_body(GOLDEN_FLOWS["tools"], bytes.fromhex(GOLDEN_FLOWS["skeleton"]))
    assert made.hex() == GOLDEN_FLOWS["body"]
    found = read_flows_body(bytes.fromhex(GOLDEN_FLOWS["body"]))
    assert (list(found.tools), found.digest.hex(), found.steps) == (
        GOLDEN_FLOWS["tools"],
        GOLDEN_FLOWS["skeleton"],
        (),
    )
    assert general_id(bytes.fromhex(GOLDEN_FLOWS["key"]), found.digest) == GOLDEN_FLOWS["id"]


def test_the_bytes_of_evidence_are_those_of_the_golden_file() -> None:
    entries = [bytes.fromhex(entry) for entry in GOLDEN_FLOWS["entries"]]
    row = bytes.fromhex(GOLDEN_FLOWS["row"])
    assert evidence_bytes(reversed(entries)) == row
    assert list(read_entries(row)) == entries
    assert [entry_problem(entry) for entry in entries] == [""] * 6
    assert evidence_id(GOLDEN_FLOWS["id"], row) == GOLDEN_FLOWS["evidence_id"]
    joined = join_evidence(entries)
    assert {name.hex(): sorted(value.hex() for value in values) for name, values in joined.values.items()} == (
        GOLDEN_FLOWS["values"]
    )
    assert [name.hex() for name in joined.struck] == GOLDEN_FLOWS["struck"]
    assert {name.hex(): kind.decode() for name, kind in joined.verdicts.items()} == GOLDEN_FLOWS["verdicts"]


def test_the_rule_of_an_earlier_release_refuses_flows_by_their_form() -> None:
    body = msgspec.msgpack.decode(bytes.fromhex(GOLDEN_FLOWS["body"]), type=Body)
    assert (body.form, body.steps) == (FLOWS_FORM, ())
    assert body.form != FORM
    row = msgspec.msgpack.decode(bytes.fromhex(GOLDEN_FLOWS["row"]), type=Row)
    assert (row.form, row.pre, row.post) == (FLOWS_FORM, (), ())
    assert sorted(body.order) != list(range(len(body.steps)))  # Its engine looks no further than at the order.


def test_another_form_is_refused_with_its_number() -> None:
    later = msgspec.msgpack.encode(FlowsBody(form=3, tools=("a",)))
    assert not is_flows_body(later)
    with pytest.raises(DecodeError, match="expected form 2, got 3"):
        read_flows_body(later)
    with pytest.raises(DecodeError, match=r"expected form 1, got 3\. Use the release that wrote them"):
        decode_body(later)
    with pytest.raises(DecodeError, match="expected form 2, got 3"):
        read_entries(msgspec.msgpack.encode([3, [], [], [GOOD]]))
    with pytest.raises(DecodeError, match="expected a digest of 16 bytes, got 2"):
        read_flows_body(flows_body(["a"], b"ab"))
    for data in (b"", b"\x92", b"\xc1", b"\x94\x02\x90"):
        with pytest.raises(DecodeError):
            read_flows_body(data + b"\xc1")


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        (GOOD, ""),
        (STRUCK + ONE, ""),
        (CONFIRMED + ONE, ""),
        (REJECTED + ONE + bytes(8), ""),
        (GOOD[:-1], "expected 33 bytes of evidence, got 32"),
        (STRUCK + ONE + b"x", "expected 17 bytes of evidence, got 18"),
        (CONFIRMED + ONE + b"x", "expected 17 or 25 bytes of evidence, got 18"),
        (b"?" + ONE, "unknown kind of evidence b'?'"),
        (b"", "unknown kind of evidence b''"),
    ],
)
def test_a_piece_of_evidence_that_cannot_be_read_says_why(entry: bytes, problem: str) -> None:
    assert entry_problem(entry) == problem


def test_l9_evidence_is_joined_as_a_set_in_any_order() -> None:
    entries = [GOOD, OTHER, STRUCK + TWO, verdict_entry(CONFIRMED, ONE, (), 5.0), verdict_entry(REJECTED, ONE, (), 6.0)]
    wanted = join_evidence(entries)
    assert wanted.values == {ONE: frozenset({b"v" * 16, b"w" * 16})}
    assert (wanted.struck, wanted.verdicts) == (frozenset({TWO}), {ONE: REJECTED})
    for order in itertools.permutations(entries):
        assert join_evidence([*order, *order]) == wanted


def test_l9_the_later_verdict_counts_even_within_a_millisecond_and_with_a_clock_set_back() -> None:
    known: list[bytes] = []
    for kind, now in ((CONFIRMED, 9.0), (REJECTED, 9.0), (CONFIRMED, 2.0), (REJECTED, -1.0)):
        known.append(verdict_entry(kind, ONE, known, max(now, 0.0)))
        assert join_evidence(reversed(known)).verdicts == {ONE: kind}
    assert len(set(known)) == 4
    other = verdict_entry(CONFIRMED, TWO, known, 1.0)
    assert other == CONFIRMED + TWO + (1000).to_bytes(8, "big")
    assert join_evidence([*known, other]).verdicts == {ONE: REJECTED, TWO: CONFIRMED}
    assert join_evidence([CONFIRMED + ONE, REJECTED + ONE]).verdicts == {ONE: REJECTED}
    assert join_evidence([REJECTED + ONE, CONFIRMED + ONE]).verdicts == {ONE: CONFIRMED}
