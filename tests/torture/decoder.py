"""Bytes that nobody wrote, a million of them: the decoders refuse, and touch nothing outside while they do.

An audit hook of the interpreter tells of every import, file, socket, process, compilation and pickle.
"""

from __future__ import annotations

import functools
import importlib
import pickle
import random
import sys
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any

import msgspec

from muscle_mem import Check, Engine
from muscle_mem._core import codec
from muscle_mem._core.plan import stored_trajectory as plan
from muscle_mem.errors import DecodeError
from muscle_mem.store import MemoryStore, Stored

from .children import in_child
from .figures import Figures, Proof, Size

WATCHED = (
    "import",
    "open",
    "exec",
    "compile",
    "os.",
    "socket.",
    "subprocess.",
    "ctypes.",
    "pickle.",
    "marshal",
    "code.",
)
BATCH = 5_000
# A time zone is read from the system's database by its key, so an invented key may look for a file there.
TIME_ZONES = "zoneinfo"
PICKLES = [pickle.dumps(one) for one in (PurePosixPath("a/b"), random.Random(1), print, ValueError("x"))]


@functools.cache
def _cases() -> Any:
    """What makes altered bytes; loaded for this proof alone, for half a second of libraries comes along."""
    return importlib.import_module("altered_bytes")


def run(seed: int, size: int, control: str) -> Figures:
    """So many inputs, in children that may die."""
    _cases()  # once, and not in each child
    figures = Figures()
    figures.wrong.update(dict.fromkeys(("crashes", "other errors", "touched"), 0))
    for start in range(0, size, BATCH):
        count = min(BATCH, size - start)
        code, said = in_child(lambda: _try(f"{seed}/{start}", count, control).as_dict())  # noqa: B023 - called at once
        if code == 0:
            figures.add(Figures.of(said))
        else:
            figures.fault("crashes", f"seed {seed}, inputs from {start}: the process ended with {code}")
    return figures


def _try(seed: str, count: int, control: str) -> Figures:
    """In a child, for the hook is for good: half of the inputs are values, half are stored trajectories."""
    chance, figures = random.Random(seed), Figures()
    decode = _trusting if control == "one decoder" else codec.decode
    stored = _some_stored()
    work: list[tuple[str, Callable[[], Any]]] = []
    for n in range(count):
        if n % 2:
            data = _bytes(chance)
            work.append(("values", lambda data=data, n=n: decode(data, lenient=n % 4 == 1)))
        else:
            one = _spoilt(chance.choice(stored), chance)
            work.append(("trajectories", lambda one=one: plan.align_groups([plan.load_trajectory(one)])))
    for one in stored:
        plan.load_trajectory(one)  # what is imported once is imported now
    seen = _watch()
    for kind, do in work:
        figures.counted[kind] += 1
        seen.clear()
        try:
            do()
            figures.counted["accepted"] += 1
        except (DecodeError, msgspec.DecodeError):
            figures.counted["refused"] += 1
        except Exception as error:
            figures.fault("other errors", f"seed {seed}, {kind}: {type(error).__name__}: {error}")
        touched = [event for event in seen if TIME_ZONES not in event]
        if touched:
            figures.fault("touched", f"seed {seed}, {kind}: {touched[:3]}")
    return figures


def _watch() -> list[str]:
    """What is done outside from now on, in this process."""
    seen: list[str] = []

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event.startswith(WATCHED):
            seen.append(f"{event} {arguments!r}")

    sys.addaudithook(hook)
    return seen


def _bytes(chance: random.Random) -> bytes:
    kind = chance.randrange(10)
    if kind < 4:
        return _cases().mutated(chance)
    if kind < 8:
        return _cases().grafted(chance)
    if kind == 8:
        return b"\x01" * chance.randrange(2) + chance.randbytes(chance.randrange(40))
    return chance.choice(PICKLES)


def _trusting(data: bytes, *, lenient: bool = False) -> Any:
    """A decoder that helps itself to another: the rule of S8 switched off."""
    try:
        return codec.decode(data, lenient=lenient)
    except DecodeError:
        try:
            return pickle.loads(data)
        except Exception as error:
            raise DecodeError(str(error)) from error


def _some_stored() -> list[Stored]:
    """Trajectories as engines write them."""
    store = MemoryStore()
    engine = Engine(store, observers=[lambda event: None])
    state = {"n": 0}
    check = Check(lambda *args, **kwargs: {"n": state["n"], "at": (1, 2.5)}, lambda one, two: True)

    def put(name: str, value: Any = None, *, more: Any = ()) -> dict[str, Any]:
        state["n"] += 1
        return {"name": name, "made": [name, state["n"]]}

    tool = engine.tool(pre_check=check, post_check=check)(put)

    def agent(task: str, who: str) -> None:
        made = tool(f"hello {who}", {"a": [1, 2.5, None], "b": b"bytes"}, more=("x" * 40, who))
        tool(made["name"], made, more=[1, 2])
        tool("third", 2**70)

    engine.set_agent(agent)
    for n in range(6):
        engine(f"task {n % 3}", f"somebody{n}", params={"who": f"somebody{n}"})
    return list(store.scan().stored)


def _spoilt(one: Stored, chance: random.Random) -> Stored:
    """A stored trajectory under whose digest is something else: what a forger without a signing key could write."""
    body, rows = one.sealed.body, list(one.observations)
    if chance.random() < 0.5:
        body = _spoil(body, chance)
    else:
        at = chance.randrange(len(rows))
        seq, row = rows[at]
        rows[at] = (seq, msgspec.structs.replace(row, body=_spoil(row.body, chance)))
    sealed = msgspec.structs.replace(one.sealed, body=body)
    return msgspec.structs.replace(one, sealed=sealed, observations=tuple(rows))


def _spoil(data: bytes, chance: random.Random) -> bytes:
    """Bits turned, bytes exchanged, cut, doubled; or parts of the message exchanged."""
    if chance.random() < 0.5:
        return msgspec.msgpack.encode(_graft(msgspec.msgpack.decode(data), chance))
    spoilt = bytearray(data)
    for _ in range(chance.randrange(1, 4)):
        at = chance.randrange(len(spoilt) or 1)
        end = at + chance.randrange(1, 5)
        kind = chance.randrange(4)
        if kind == 0 and spoilt:
            spoilt[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            spoilt[at:end] = chance.randbytes(chance.randrange(5))
        elif kind == 2:
            del spoilt[at:end]
        else:
            spoilt[at:at] = spoilt[at:end]
    return bytes(spoilt)


def _graft(tree: Any, chance: random.Random) -> Any:
    """The same message with some parts exchanged for others."""
    if chance.random() < 0.05:
        return chance.choice(_cases().ATOMS)
    if isinstance(tree, list):
        items = [_graft(item, chance) for item in tree]
        if items and chance.random() < 0.05:
            del items[chance.randrange(len(items)) :]
        return items
    if isinstance(tree, dict):
        return {key: _graft(item, chance) for key, item in tree.items() if chance.random() < 0.97}
    return tree


PROOF = Proof(
    run,
    promise="Nothing that is read from a store can run. Altered bytes are rejected with one error, and "
    "nothing is imported, opened, compiled or executed before.",
    blind="Types of values that the generator lacks, and classes registered with a user's decoder.",
    unit="inputs",
    small=Size(1, 4_000),
    large=Size(10, 100_000),
    controls={"one decoder": ("touched", Size(1, 500))},
)
