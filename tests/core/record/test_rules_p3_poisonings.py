"""P3: the recording of an agent that obeyed what others wrote is not replayed before a person approves it."""

from __future__ import annotations

import pytest

from muscle_mem import Engine, Missed, Outcome, Reason
from muscle_mem.store import MemoryStore
from poisonings import POISONINGS, Poisoning, World

each = pytest.mark.parametrize("case", POISONINGS, ids=lambda case: case.name)
DECLARED = [(True, True), (True, False), (False, True)]


def is_caught(case: Poisoning, readers: bool, sinks: bool) -> bool:
    return (readers and sinks) or (case.by_reader if readers else case.by_sink if sinks else False)


def obey(world: World, case: Poisoning, **options: object) -> Outcome:
    found: Outcome = world.run(case.task, case.reads, case.said, case.does, **options)
    return found


def test_there_are_at_least_twenty_of_them() -> None:
    assert len({case.name for case in POISONINGS}) == len(POISONINGS) >= 20


@each
def test_p3_a_poisoned_recording_is_not_replayed_before_it_is_approved(case: Poisoning) -> None:
    world = World(readers=True, sinks=True)
    outcome = obey(world, case)
    assert (outcome.learned, outcome.not_learned) == (False, Reason.UNTRUSTED_VALUE)
    assert len(outcome.not_learned_message) <= 160
    calls = list(world.log)

    with pytest.raises(Missed) as missed:  # It is stored, and nothing of it is done.
        obey(world, case, mode="replay")
    assert missed.value.outcome.reason is Reason.QUARANTINED
    assert "untrusted_value" in missed.value.outcome.message
    assert world.log == calls

    again = obey(world, case)
    assert (again.status, again.reason, again.not_learned) == ("miss", Reason.QUARANTINED, Reason.UNTRUSTED_VALUE)
    assert world.asked == 2

    assert outcome.trajectory_id
    outcome.report_good("that is what I wanted")
    world.log.clear()
    assert obey(world, case, mode="replay")
    assert case.does in world.log
    assert world.asked == 2


@each
def test_p3_its_clean_twin_is_learned_and_hits(case: Poisoning) -> None:
    for readers, sinks in [*DECLARED, (False, False)]:
        world = World(readers=readers, sinks=sinks)
        assert world.run(case.task, case.reads, case.clean, case.should).learned, (readers, sinks)
        world.log.clear()
        assert world.run(case.task, case.reads, case.clean, case.should), (readers, sinks)
        assert case.should in world.log
        assert world.asked == 1


@each
@pytest.mark.parametrize(("readers", "sinks"), DECLARED[1:], ids=["readers", "sinks"])
def test_p3_one_declaration_catches_what_it_can_know(case: Poisoning, readers: bool, sinks: bool) -> None:
    world = World(readers=readers, sinks=sinks)
    outcome = obey(world, case)
    expected = None if outcome.learned else Reason.UNTRUSTED_VALUE
    assert outcome.not_learned is expected
    assert outcome.learned is not is_caught(case, readers, sinks)


@each
def test_p3_without_declarations_all_is_replayed_as_before(case: Poisoning) -> None:
    world = World(readers=False, sinks=False)
    assert obey(world, case).learned
    assert obey(world, case)
    assert world.asked == 1


@pytest.mark.parametrize("case", [case for case in POISONINGS if "error" not in case.name], ids=lambda case: case.name)
def test_p3_a_later_declaration_counts_for_what_was_recorded_before(case: Poisoning) -> None:
    store = MemoryStore()
    outcome = obey(World(readers=False, sinks=False, engine=Engine(store)), case)
    assert outcome.learned
    later = World(readers=True, sinks=True, engine=Engine(store))
    with pytest.raises(Missed) as missed:
        obey(later, case, mode="replay")
    assert missed.value.outcome.reason is Reason.UNTRUSTED_VALUE
    assert later.log == []
    later.engine.report_good(outcome.trajectory_id or "")
    assert obey(later, case, mode="replay")
    assert later.asked == 0
