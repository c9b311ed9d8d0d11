"""The counts of the benchmark on learning: what is found, acted upon and wrong, over runs that are made by hand."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from benchmarks import learning

from flow_findings import Findings, Uses, by_chance, is_new
from flow_programs import FAMILIES, FIXED, MAY_ACT, ONLY_VOTES, Program
from flow_trials import Call, Ran, Trial, leaves
from learned_flows import LearnedFlow
from muscle_mem import Outcome, Reason


class Story:
    """A program of one family, recorded in two worlds, and a third run whose replayed calls a test may change."""

    def __init__(self, family: str = "id_over_three_steps", seed: int = 1) -> None:
        self.trial = Trial(Program(family, seed), declared=True, handover=False)
        self.recorded = [self.trial.alone(turn)[0] for turn in (0, 1)]
        self.alone = self.trial.alone(2)[0]
        self.replayed = [Call(call.tool, copy.deepcopy(call.arguments), {}) for call in self.alone]
        self.learned: list[LearnedFlow] = []

    def found(self, status: Any = "hit", asked: list[Call] | None = None) -> Findings:
        found = Findings()
        outcome = Outcome(status, reason=Reason.HIT if status == "hit" else Reason.STALE_OUTPUT)
        found.add(self.trial, self.recorded, Ran(outcome, self.replayed, asked or [], self.alone, self.learned))
        return found


def test_a_replay_with_all_values_of_the_agent_is_right_everywhere() -> None:
    found = Story().found()
    counts = found.counts
    assert (counts["flows"], counts["found"], counts["acting"], counts["acted"], counts["wrong"]) == (4, 4, 4, 4, 0)
    assert (counts["wrong writes"], counts["writes again"], counts["writes lacking"]) == (0, 0, 0)
    assert (found.precision, found.share("found"), counts["hits"]) == (100, 100, 1)
    assert found.kinds["key"]["acted"] == 4


def test_an_invented_value_is_a_wrong_leaf_and_a_wrong_write() -> None:
    story = Story()
    story.replayed[-1].arguments["order_id"] = "another"
    found = story.found()
    assert (found.counts["acted"], found.counts["wrong"], found.precision) == (4, 1, 75)
    assert (found.counts["wrong writes"], found.counts["writes lacking"], found.counts["writes again"]) == (1, 1, 0)
    assert [line.split(") ")[1].split()[0] for line in found.wrong] == ["was", "wrote", "did"]


def test_a_value_of_another_type_is_wrong() -> None:
    story = Story("number_and_text", 3)
    wanted = leaves(story.alone)
    [*_, (leaf, value)] = wanted.items()
    story.replayed[leaf[0]].arguments[leaf[1]] = int(value) if isinstance(value, str) else str(value)
    assert story.found().counts["wrong"] == 1


def test_a_recorded_value_that_is_sent_again_is_a_wrong_write_but_no_act_on_a_flow() -> None:
    story = Story()
    story.replayed[-1] = story.recorded[0][-1]
    counts = story.found().counts
    assert (counts["acted"], counts["wrong"], counts["wrong writes"]) == (2, 0, 1)


def test_a_write_that_the_agent_makes_after_the_replay_has_made_it_is_made_again() -> None:
    story = Story()
    story.replayed, rest = story.replayed[:2], story.replayed[1:]
    counts = story.found("diverged", rest).counts
    assert (counts["writes again"], counts["wrong writes"], counts["writes lacking"]) == (1, 0, 0)
    assert (counts["handed over"], counts["acted"], counts["flows"]) == (1, 1, 4)


def test_an_idempotent_call_that_is_made_again_changes_nothing_more() -> None:
    story = Story("create_then_use", 3001003)
    assert [story.trial.program.tools[call.tool].effect for call in story.alone] == ["write", "idempotent", "write"]
    story.replayed, rest = story.replayed[:2], story.replayed[1:]
    assert story.found("diverged", rest).counts["writes again"] == 0
    story.replayed, rest = story.alone, story.alone[2:]
    assert story.found("diverged", rest).counts["writes again"] == 1


def test_a_flow_on_probation_is_found_and_does_not_act() -> None:
    story = Story()
    story.replayed = story.replayed[:1]
    story.learned = [LearnedFlow(3, "order_id", (), "probation", ""), LearnedFlow(1, "customer_id", (), "acts", "")]
    counts = story.found("diverged").counts
    assert (counts["flows"], counts["found"], counts["acting"], counts["acted"]) == (4, 2, 1, 0)


def test_what_an_agent_makes_up_is_no_flow_and_found_it_is_noted() -> None:
    story = Story("made_up_values", 1)
    name = next(name for (name, _), taken in story.alone[1].sources.items() if taken.kind == "made")
    story.learned = [LearnedFlow(1, name, (), "probation", "")]
    found = story.found()
    assert found.counts["flows"] == 1
    assert found.counts["found without a flow"] == 1


def test_calls_that_no_agent_made_are_avoided() -> None:
    story, found = Story(), Uses()
    asked = [story.alone[-1]]
    found.add(story.trial, story.recorded, Ran(Outcome("diverged"), story.replayed[:-1], asked, story.alone, []))
    assert (found.share("avoided", "calls"), found.share("hits", "runs")) == (75, 0)
    assert (found.counts["wrong writes"], found.counts["writes lacking"]) == (0, 0)


def test_only_what_differs_from_every_recording_is_new() -> None:
    story = Story()
    leaf = (3, "order_id", ())
    assert is_new(leaf, "another", story.alone, story.recorded)
    assert not is_new(leaf, leaves(story.recorded[1])[leaf], story.alone, story.recorded)


def test_a_judgement_for_the_first_element_is_chance_only_if_each_recording_has_it() -> None:
    program = Program("judgement", 0)
    trial = Trial(program, declared=True, handover=False)
    made = {}
    for turn in range(40):
        calls = trial.alone(turn)[0]
        made.setdefault(calls[1].sources[program.argument, ()].source, []).append(calls)
    assert by_chance(made["first"][:2])
    assert by_chance(made["last"][:2])
    assert not by_chance(made["first"][:1])
    assert not by_chance([made["first"][0], made["last"][0]])
    assert not by_chance([made["items[1]"][0]] * 2)


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_each_way_of_a_family_is_one_that_the_counts_know(family: str) -> None:
    kinds = set()
    for seed in range(6):
        for turn in range(3):
            calls = Trial(Program(family, seed), declared=True, handover=False).alone(turn)[0]
            kinds |= {taken.kind for call in calls for taken in call.sources.values()}
    assert kinds
    assert kinds <= FIXED | MAY_ACT | ONLY_VOTES


def test_the_command_prints_a_line_for_each_number_of_recordings(capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        learning.main(["--programs", "6", "--recordings", "2", "--kinds", "--reasons", "--wrong", "--runs", "2"]) == 0
    )
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[0] for line in lines[-2:]] == ["| 1", "| 2"]
    assert lines[-2].split(" | ")[1] == "0.0 %"  # nothing is recorded before the first run
    assert [line.split(" | ")[:2] for line in lines[2:4]] == [["| 1", "6"], ["| 2", "6"]]
    assert any(line.startswith("| key | ") for line in lines)
