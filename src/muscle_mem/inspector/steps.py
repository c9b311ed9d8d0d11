"""The steps of a trajectory as the pages show them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from .._core.binding.guards.provenance import provenance_text
from .._core.model.records import Body, Row, StepRecord
from .._core.plan.flows import ShownFlow
from .._reading.expressions import Outputs, Piece, Source, guard_text, pieces, sources
from .._reading.flows import Learned, leaf_name
from .._reading.script import origins_at
from .._reading.text import duration, printable
from ..store import Tally
from .pictures import is_picture, picture_name
from .values import Block, block, cut


class Picture(msgspec.Struct, frozen=True):
    """A picture of a step, by its name in addresses."""

    name: str


class Recording(NamedTuple):
    """The recording of a trajectory that is shown.

    `pictures` are those that the history has of its steps.
    """

    id: str
    number: int
    row: Row | None
    pictures: Mapping[int, str] = {}

    def picture(self, step: int, role: str) -> Picture:
        """Return the picture of a step.

        Args:
            step: The position of the step.
            role: "picture", "pre", "post" or "output".
        """
        return Picture(picture_name(self.id, self.number, step, role))


class Flow(msgspec.Struct, frozen=True):
    """Where an argument comes from, by several recordings.

    `id` and `place` name it in forms.
    """

    id: str
    at: int
    place: str
    shown: ShownFlow


class Argument(msgspec.Struct, frozen=True):
    """An argument: its text in pieces by origin, and descriptions of the origins."""

    name: str
    pieces: tuple[Piece, ...]
    sources: tuple[Source, ...]
    flows: tuple[Flow, ...] = ()


class Checked(msgspec.Struct, frozen=True):
    """A check of a step: what it expects, and how often it passed and failed."""

    role: str
    expected: Block | None
    picture: Picture | None
    passed: int
    failed: int


class Step(msgspec.Struct, frozen=True):
    """A step of a trajectory, ready to be shown."""

    index: int
    tool: str
    arguments: tuple[Argument, ...]
    effect: str
    seconds: str
    checks: tuple[Checked, ...]
    output: Block | None
    output_note: str
    output_picture: Picture | None
    picture: Picture | None
    notes: tuple[str, ...]
    is_result: bool
    is_unchecked_write: bool

    @property
    def pictures(self) -> Iterator[Picture]:
        """Yield the pictures of the step, that of the screen first."""
        found = (self.picture, *(check.picture for check in self.checks), self.output_picture)
        yield from (one for one in found if one is not None)


def steps(
    body: Body, recording: Recording, learned: Sequence[Learned], tallies: Sequence[Tally], hits: int
) -> list[Step]:
    """Return the steps of a trajectory.

    Args:
        body: The steps.
        recording: The recording to show.
        learned: The flows that the trajectory is a recording of.
        tallies: The results of its checks in replays.
        hits: The number of its hits. Each hit is one pass of each check.
    """
    outputs = Outputs(recording.row, body.steps)
    counts = {tally.check: (tally.yes + hits, tally.no) for tally in tallies}
    flows = list(_flows(learned))
    return [_step(index, step, body, recording, outputs, flows, counts, hits) for index, step in enumerate(body.steps)]


def _flows(learned: Sequence[Learned]) -> Iterator[Flow]:
    for one in learned:
        for at, shown in enumerate(one.shown()):
            yield Flow(one.id, at, leaf_name(shown), shown)


def _step(
    index: int,
    step: StepRecord,
    body: Body,
    recording: Recording,
    outputs: Outputs,
    flows: Sequence[Flow],
    counts: dict[str, tuple[int, int]],
    hits: int,
) -> Step:
    row = recording.row
    effect = row.effects[index] if row is not None and index < len(row.effects) else ""
    checks = tuple(_checks(index, step, recording, counts, hits))
    output = row.outputs[index] if row is not None and index < len(row.outputs) else b""
    return Step(
        index=index,
        tool=printable(step.tool, 200),
        arguments=tuple(_arguments(step, body, outputs, [one for one in flows if one.shown.step == index])),
        effect=printable(effect) if effect else "write, undeclared",
        seconds=duration(row.seconds[index]) if row is not None and index < len(row.seconds) else "",
        checks=checks,
        output=block(output) if output else None,
        output_note=printable(row.notes[index], 200) if row is not None and index < len(row.notes) else "",
        output_picture=recording.picture(index, "output") if is_picture(output) else None,
        picture=_screen(index, recording),
        notes=tuple(_notes(index, step, body, row, outputs)),
        is_result=row is not None and row.result == index,
        is_unchecked_write=not checks and effect not in ("read", "idempotent"),
    )


def _screen(index: int, recording: Recording) -> Picture | None:
    """Return the picture of the recording, or else that of the history."""
    row = recording.row
    if row is not None and index < len(row.pictures) and row.pictures[index]:
        return recording.picture(index, "picture")
    return Picture(f"run.{recording.pictures[index]}") if index in recording.pictures else None


def _arguments(step: StepRecord, body: Body, outputs: Outputs, flows: Sequence[Flow]) -> Iterator[Argument]:
    for name, expr in step.arguments:
        here = [one for one in flows if _is_of(one.shown.argument, name)]
        found = tuple(Piece(kind, cut(text)) for kind, text in pieces(expr, outputs))
        if here and {piece.kind for piece in found} <= {"constant", ""}:
            found = tuple(Piece("inferred" if piece.kind else "", piece.text) for piece in found)
        yield Argument(printable(name, 100), found, tuple(sources(name, expr, step, body, outputs)), tuple(here))


def _is_of(place: str, name: str) -> bool:
    rest = place.removeprefix(name)
    return place.startswith(name) and (not rest or rest[0] in ".[")


def _checks(
    index: int, step: StepRecord, recording: Recording, counts: dict[str, tuple[int, int]], hits: int
) -> Iterator[Checked]:
    row = recording.row
    for role, fingerprint in (("pre", step.pre), ("post", step.post)):
        seen = () if row is None else row.pre if role == "pre" else row.post
        data = seen[index] if index < len(seen) else None
        if not fingerprint and data is None:
            continue
        passed, failed = counts.get(f"{step.tool} {role}", (hits, 0))
        yield Checked(
            role,
            None if data is None else block(data),
            recording.picture(index, role) if data is not None and is_picture(data) else None,
            passed,
            failed,
        )


def _notes(index: int, step: StepRecord, body: Body, row: Row | None, outputs: Outputs) -> Iterator[str]:
    if step.method:
        yield "method of an object of the run's context"
    if step.group:
        began = "started after another one ended" if step.late else "started while the others were running"
        yield f"parallel group of step {step.group - 1}; {began}"
    told = [one for name, expr in step.arguments for one in sources(name, expr, step, body, outputs)]
    shown = {id(guard) for one in told for guard in one.guards}
    for guard in step.guards:
        if id(guard) in shown:
            continue
        yield printable(f"only if {guard_text(guard, outputs)}", 300)
    came_from = provenance_text(step, origins_at(index, row))
    if came_from:
        yield printable(f"provenance: {came_from}", 300)
