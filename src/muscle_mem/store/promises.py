"""Promises of stores about acknowledged writes, order and changes."""

from __future__ import annotations

import msgspec

from ..errors import InvalidTypeError, InvalidValueError

ACKNOWLEDGED = ("cache", "machine", "quorum")
ORDERS = ("key", "store")


class Promises(msgspec.Struct, frozen=True, kw_only=True):
    """What a store promises; see the attribute `promises` of a store.

    `acknowledged` is what survives after `seal`, `note` or `forget` has returned. "machine": everything, unless the
    disk of the store's machine is lost. "quorum": everything, also if that machine is lost. "cache": nothing is
    guaranteed, and a recording may survive while the later verdict about it is lost.

    `order` is "store" if the sequence numbers of all recordings are in the order of their writing, and "key" if only
    those of one key are. `watch` is the number of seconds after which `version` shows a write of another process.
    `lasts` is false for a store that ends with the process: it loses a recording and the verdict about it together.

    Raises:
        InvalidValueError: A field has a value that is not allowed.
    """

    __module__ = "muscle_mem.store"

    acknowledged: str = "machine"
    order: str = "store"
    watch: float = 0.0
    lasts: bool = True

    def __post_init__(self) -> None:
        for name, value, words in (
            ("acknowledged", self.acknowledged, ACKNOWLEDGED),
            ("order", self.order, ORDERS),
        ):
            if value not in words:
                raise InvalidValueError(f"invalid {name}=: expected one of {', '.join(words)}, got {value!r}.")
        if not (isinstance(self.watch, int | float) and self.watch >= 0):
            raise InvalidValueError(f"invalid watch=: expected a number of seconds from 0, got {self.watch!r}.")

    @property
    def may_revive(self) -> bool:
        """Whether a recording may come back without the verdict that stopped its replays."""
        return self.acknowledged == "cache" and self.lasts


MACHINE = Promises()
"""The promises of a store without the attribute `promises`: those of the methods of `Store`."""


def promises_of(store: object) -> Promises:
    """Return what a store promises.

    Raises:
        InvalidTypeError: The attribute `promises` is not a `Promises`.
    """
    found = getattr(store, "promises", MACHINE)
    if isinstance(found, Promises):
        return found
    raise InvalidTypeError(
        f"invalid attribute promises of the store {getattr(store, 'url', store)!r}: expected a "
        f"muscle_mem.store.Promises, got {found!r}."
    )


def weakest(all: tuple[Promises, ...]) -> Promises:
    """Return what stores promise together that each hold a part of the keys."""
    return Promises(
        acknowledged=min((one.acknowledged for one in all), key=ACKNOWLEDGED.index),
        order="store" if len(all) == 1 and all[0].order == "store" else "key",
        watch=max(one.watch for one in all),
        lasts=any(one.lasts for one in all),
    )
