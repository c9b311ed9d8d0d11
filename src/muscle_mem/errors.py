"""The errors of muscle_mem: one root, and beside it the builtin a Python user would expect::

    MuscleMemError
    +-- InvalidTypeError (TypeError)        a thing of the wrong kind: a generator tool, an async agent
    |   +-- NotStorableError                a value without a canonical form, with the path to it
    |       +-- TooLargeError               more nodes, bytes or depth than fit
    +-- InvalidValueError (ValueError)      the right kind, a wrong value: an unknown mode, two of a class
    |   +-- DecodeError                     bytes that are not what the codec writes
    |       +-- UnknownTypeError            well-formed, but of a class this process does not know
    +-- NotFoundError (LookupError)         no such trajectory
    +-- NotReadyError (RuntimeError)        no agent, no context object
    +-- MissingExtraError (ImportError)     an optional part of the package is not installed
    +-- Missed (LookupError)                mode="replay", and nothing could be replayed
    +-- Diverged (RuntimeError)             a replay stopped in the middle, and the agent may not go on
    +-- StoreError (RuntimeError)           the store cannot do what was asked
        +-- ForeignStoreError               a file or database that is not ours
        +-- NewerStoreError                 written by a newer release; left untouched
        +-- DamagedStoreError               content that fails its digest, or a file SQLite cannot read

Each message says what happened, with which value, and what to do.
"""

from typing import Any


class MuscleMemError(Exception):
    """The root of all errors that muscle_mem raises on purpose."""

    __module__ = "muscle_mem"


class InvalidTypeError(MuscleMemError, TypeError):
    """Something of the wrong kind was given: a generator as a tool, an async agent to the plain call."""

    __module__ = "muscle_mem"


class NotStorableError(InvalidTypeError):
    """A value has no canonical form. `path` leads to it from the root, as in `items[3].conn`."""

    __module__ = "muscle_mem"

    def __init__(self, message: str, path: str = "", type_name: str = "") -> None:
        super().__init__(message)
        self.path = path
        self.type_name = type_name


class TooLargeError(NotStorableError):
    """A value is larger or deeper than what is kept inline."""

    __module__ = "muscle_mem"


class InvalidValueError(MuscleMemError, ValueError):
    """The right kind of thing with a wrong value: an unknown mode, two context objects of a class."""

    __module__ = "muscle_mem"


class DecodeError(InvalidValueError):
    """Bytes that the codec did not write, or that were altered since."""

    __module__ = "muscle_mem"


class UnknownTypeError(DecodeError):
    """Well-formed bytes of a class that this process does not know. `type_name` is the stored name."""

    __module__ = "muscle_mem"

    def __init__(self, message: str, type_name: str = "") -> None:
        super().__init__(message)
        self.type_name = type_name


class NotFoundError(MuscleMemError, LookupError):
    """No trajectory has this id."""

    __module__ = "muscle_mem"


class NotReadyError(MuscleMemError, RuntimeError):
    """The engine lacks something the call needs: an agent, or the object that a method tool acts on."""

    __module__ = "muscle_mem"


class MissingExtraError(MuscleMemError, ImportError):
    """Something needs a package that is not installed; the message names the extra that brings it."""

    __module__ = "muscle_mem"


class Missed(MuscleMemError, LookupError):  # noqa: N818 - the word of the field, as in KeyError's "missing"
    """`mode="replay"` and nothing could be replayed. `outcome` has the reason; nothing was executed."""

    __module__ = "muscle_mem"

    def __init__(self, message: str, outcome: Any = None) -> None:
        super().__init__(message)
        self.outcome = outcome


class Diverged(MuscleMemError, RuntimeError):  # noqa: N818 - names an event, not a mistake
    """A replay stopped in the middle and the agent was not asked to go on.

    `handover` holds the executed steps, their results, and where and why it stopped.
    """

    __module__ = "muscle_mem"

    def __init__(self, message: str, handover: Any = None) -> None:
        super().__init__(message)
        self.handover = handover


class StoreError(MuscleMemError, RuntimeError):
    """The store cannot do what was asked; the message says which store, why, and the way out.

    `outcome` is set where a task was done anyway, and only its recording was not taken.
    """

    __module__ = "muscle_mem"

    outcome: Any = None


class ForeignStoreError(StoreError):
    """The file or database exists and is not a muscle_mem store. It was not touched."""

    __module__ = "muscle_mem"


class NewerStoreError(StoreError):
    """The store was written by a newer release of muscle_mem. It was not touched."""

    __module__ = "muscle_mem"


class DamagedStoreError(StoreError):
    """The store's file cannot be read, or what it holds fails its digest."""

    __module__ = "muscle_mem"
