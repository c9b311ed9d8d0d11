"""The recorded outputs of the steps of a trajectory (E12).

They count as far as they answer anything.
"""

from __future__ import annotations

import dis
import functools
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from .. import codec
from ..binding.outputs.answer_skeletons import skeleton
from ..binding.outputs.answers import block_texts
from ..binding.outputs.elements import rows_of_columns
from ..binding.outputs.paths import parsed_text
from ..model.records import Row
from .places import COLUMNS, ROWS, Names

if TYPE_CHECKING:
    from .step import PlanStep

MAX_CACHED = 256
"""Bytes of the largest output whose answers are kept from one recording to the next."""


def output_data(row: Row, position: int) -> bytes | None:
    """Return the bytes of a recorded output, or of its answers alone.

    They are empty if nothing is known of it, and None if it was not looked into.
    """
    data = row.outputs[position] if position < len(row.outputs) else b""
    if not data and position < len(row.answers):
        data = row.answers[position]
    if not data and position < len(row.notes) and row.notes[position]:
        return None
    return data


def answers_identity(row: Row) -> bytes:
    """Return the answers of a row, which make it another recording.

    It is empty if the row has none.
    """
    found = [answers_of(output_data(row, position) or b"") for position in range(len(row.outputs))]
    return codec.canonical(found) if any(found) else b""


def answers_of(data: bytes) -> bytes:
    """Return the answers in an output as bytes.

    They are empty for None, and if the output is not stored.
    """
    return _small_answers(data) if len(data) <= MAX_CACHED else _read_answers(data)


def _read_answers(data: bytes) -> bytes:
    if not data:
        return b""
    try:
        made = skeleton(codec.decode(data, lenient=True))
        return b"" if made is None else codec.canonical(made)
    except Exception:  # An output that cannot be read has no answers.
        return b""


_small_answers = functools.lru_cache(4096)(_read_answers)


def guarded_paths(steps: Iterable[PlanStep]) -> dict[int, dict[tuple[int, ...], None]]:
    """Return by step the paths in its output that guards of later steps look at."""
    found: dict[int, dict[tuple[int, ...], None]] = {}
    for step in steps:
        for guard in step.guards:
            found.setdefault(guard.step, {})[guard.path] = None
    return found


def used_items(paths: Iterable[tuple[int, ...]], output: Any) -> dict[Names, int]:
    """Return the number of items of each list that later steps use.

    `paths` are those that guards of later steps look at. It counts up to the last item from which something was taken.
    Of lists that stand side by side as columns, the items of all are used; COLUMNS behind their names says so.
    """
    found: dict[Names, int] = {}
    columns: dict[int, bool] = {}
    for path in paths:
        for names, index in _lists_on(output, path, columns):
            found[names] = max(found.get(names, 0), index + 1)
    return found


def _lists_on(value: Any, path: Sequence[int], columns: dict[int, bool]) -> Iterator[tuple[Names, int]]:
    """Yield the lists on the way to a part of an output, as `read` names them.

    Each comes with the index of the item that leads on. `columns` keeps which containers have lists side by side.
    """
    names: Names = ()
    beside: Sequence[Names] = ()
    left = deque(path)
    while left:
        index = left.popleft()
        if type(value) is str:  # The step into what it spells has no name.
            value = parsed_text(value)
            if type(value) is list and len(value) == 1 and type(value[0]) is dict and left:
                value = value[left.popleft()]
            continue
        if type(value) in (list, tuple):
            texts = block_texts(value)
            if texts:  # Content blocks are read as their texts.
                names = names if len(texts) == 1 else (*names, str(index))
                value = texts[index] if index < len(texts) else None
                left and left.popleft()
                continue
            yield names, index
            for column in beside:
                yield column, index
                yield (*column, COLUMNS), index
            names, beside = (*names, ROWS), ()
            value = value[index] if index < len(value) else None
            continue
        fields = value if type(value) is dict else codec.fields_of(value)
        if fields is None:
            return
        at = index // 2 if type(value) is dict else index
        items = list(fields.items())
        if at >= len(items) or (type(value) is dict and index % 2 == 0):
            return
        if type(items[at][1]) in (list, tuple) and len(items) > 1:
            if id(value) not in columns:
                columns[id(value)] = bool(rows_of_columns(fields))
            beside = [(*names, str(name)) for name, _ in items] if columns[id(value)] else ()
        names = (*names, str(items[at][0]))
        value = items[at][1]


@functools.lru_cache(1024)
def answers_nothing(code: Any) -> bool:
    """Return whether a function can only return None or an argument.

    The argument must be as it was given. `code` is its code object.
    """
    given = set(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]) - {*code.co_cellvars}
    returned: set[str] = set()
    last: Any = None
    for instruction in dis.get_instructions(code):
        name = instruction.opname
        if name.startswith(("STORE_FAST", "DELETE_FAST")) or name == "LOAD_FAST_AND_CLEAR":
            names = instruction.argval if isinstance(instruction.argval, tuple) else (instruction.argval,)
            given.difference_update(names)
        elif name == "RETURN_CONST" and instruction.argval is not None:
            return False
        elif name == "RETURN_VALUE":
            if last is not None and last.opname.startswith("LOAD_FAST") and isinstance(last.argval, str):
                returned.add(last.argval)
            elif last is None or last.opname != "LOAD_CONST" or last.argval is not None:
                return False
        last = instruction
    return returned <= given
