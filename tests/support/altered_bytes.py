"""Bytes that the codec did not write: valid ones with bits turned, or with parts exchanged."""

from __future__ import annotations

import msgspec

from codec_cases import EXAMPLES
from muscle_mem._core import codec

SEEDS = [codec.encode(value) for value in EXAMPLES.values()] + [codec.encode([*EXAMPLES.values()][:40])]


def mutated(rng):
    """A valid encoding with bits turned, bytes changed, cut, doubled, or joined with another."""
    data = bytearray(rng.choice(SEEDS))
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(data)) if data else 0
        match rng.randrange(7):
            case 0 if data:
                data[at] ^= 1 << rng.randrange(8)
            case 1 if data:
                data[at] = rng.randrange(256)
            case 2:
                del data[at:]
            case 3:
                del data[at : at + rng.randrange(1, 5)]
            case 4:
                data[at:at] = rng.randbytes(rng.randrange(1, 5))
            case 5:
                other = rng.choice(SEEDS)
                data[at:] = other[rng.randrange(len(other)) :]
            case _:
                data[at:at] = data[at : at + rng.randrange(1, 9)]
    return bytes(data)


ATOMS = [
    None,
    True,
    False,
    0,
    1,
    2,
    -1,
    2**63,
    10**9,
    1.0,
    -0.0,
    "",
    "x",
    "<i8",
    "2024-01-01",
    b"",
    b"\x00" * 8,
    [],
    {},
]
TREES = [msgspec.msgpack.decode(seed[1:]) for seed in SEEDS]


def grafted(rng):
    """A well-formed message whose parts are exchanged: what gets past msgpack and has to be refused later."""

    def change(tree, depth=0):
        if rng.random() < 0.12:
            return rng.choice([rng.choice(ATOMS), rng.choice(TREES), rng.randrange(40)])
        if isinstance(tree, list):
            items = [change(item, depth + 1) for item in tree]
            match rng.randrange(12):
                case 0:
                    rng.shuffle(items)
                case 1:
                    items.append(rng.choice(ATOMS))
                case 2:
                    items = items[:-1]
                case 3:
                    items[:1] = [rng.randrange(36)]
            return items
        if isinstance(tree, dict):
            items = [(key, change(item, depth + 1)) for key, item in tree.items() if rng.random() < 0.95]
            return dict(items)
        return tree

    return b"\x01" + msgspec.msgpack.encode(change(rng.choice(TREES)))
