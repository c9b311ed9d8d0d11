"""The exceptions of muscle_mem.

Each one derives from MuscleMemError and from the builtin exception that fits it::

    MuscleMemError
    +-- InvalidTypeError (TypeError)        an argument of the wrong type: a generator tool, an async agent
    |   +-- NotStorableError                a value without a canonical form, with the path to it
    |       +-- TooLargeError               more values, bytes or nesting than allowed
    +-- InvalidValueError (ValueError)      an argument of the right type with a wrong value: an unknown mode
    |   +-- DecodeError                     bytes that the codec did not write
    |       +-- UnknownTypeError            valid bytes of a class that this process does not know
    +-- NotFoundError (LookupError)         no trajectory with this id
    +-- NotReadyError (RuntimeError)        no agent, no context object
    +-- MissingExtraError (ImportError)     an optional part of the package is not installed
    +-- Missed (LookupError)                mode="replay", and nothing could be replayed
    +-- Diverged (RuntimeError)             a replay stopped in the middle, and the agent may not continue
    +-- StoreError (RuntimeError)           a store operation failed
        +-- ForeignStoreError               a file or database that is not a muscle_mem store
        +-- NewerStoreError                 a store of a newer release, left unchanged
        +-- DamagedStoreError               content that does not match its digest, or an unreadable file

Each message states what failed, with which value, and how to fix it.
"""

from typing import Any


class MuscleMemError(Exception):
    """The base class of all exceptions that muscle_mem raises on purpose."""

    __module__ = "muscle_mem"


class InvalidTypeError(MuscleMemError, TypeError):
    """An argument has the wrong type.

    Examples are a generator as a tool, or an async agent in a synchronous call.
    """

    __module__ = "muscle_mem"


class NotStorableError(InvalidTypeError):
    """A value has no canonical form.

    Attributes:
        path: The path from the value to the part that is not storable, as in `items[3].conn`.
        type_name: The name of that part's type.
    """

    __module__ = "muscle_mem"

    def __init__(self, message: str, path: str = "", type_name: str = "") -> None:
        super().__init__(message)
        self.path = path
        self.type_name = type_name


class TooLargeError(NotStorableError):
    """A value is too large or too deeply nested to be stored."""

    __module__ = "muscle_mem"


class InvalidValueError(MuscleMemError, ValueError):
    """An argument has the right type and a wrong value.

    Examples are an unknown mode, or two context objects of one class.
    """

    __module__ = "muscle_mem"


class DecodeError(InvalidValueError):
    """Bytes were not written by the codec, or were altered since."""

    __module__ = "muscle_mem"


class UnknownTypeError(DecodeError):
    """Valid bytes contain an instance of a class that this process does not know.

    Attributes:
        type_name: The stored name of the class.
    """

    __module__ = "muscle_mem"

    def __init__(self, message: str, type_name: str = "") -> None:
        super().__init__(message)
        self.type_name = type_name


class NotFoundError(MuscleMemError, LookupError):
    """No trajectory has this id."""

    __module__ = "muscle_mem"


class NotReadyError(MuscleMemError, RuntimeError):
    """The engine lacks something that the call needs.

    Examples are an agent, or the context object of a method tool.
    """

    __module__ = "muscle_mem"


class MissingExtraError(MuscleMemError, ImportError):
    """A package that is needed is not installed.

    The message names the extra that installs it.
    """

    __module__ = "muscle_mem"


class Missed(MuscleMemError, LookupError):  # noqa: N818 - names an event, not a mistake
    """Nothing could be replayed in a run with mode="replay".

    No step was executed.

    Attributes:
        outcome: The outcome of the run, with the reason.
    """

    __module__ = "muscle_mem"

    def __init__(self, message: str, outcome: Any = None) -> None:
        super().__init__(message)
        self.outcome = outcome


class Diverged(MuscleMemError, RuntimeError):  # noqa: N818 - names an event, not a mistake
    """A replay stopped in the middle, and the agent was not called to continue.

    Attributes:
        handover: The executed steps, their results, and where and why the replay stopped.
    """

    __module__ = "muscle_mem"

    def __init__(self, message: str, handover: Any = None) -> None:
        super().__init__(message)
        self.handover = handover


class StoreError(MuscleMemError, RuntimeError):
    """A store operation failed.

    The message states which store, why, and how to fix it.

    Attributes:
        outcome: The outcome of the run, if the task was done and only its recording failed; else None.
    """

    __module__ = "muscle_mem"

    outcome: Any = None


class ForeignStoreError(StoreError):
    """The file or database exists and is not a muscle_mem store.

    It was not changed.
    """

    __module__ = "muscle_mem"


class NewerStoreError(StoreError):
    """The store was written by a newer release of muscle_mem.

    It was not changed.
    """

    __module__ = "muscle_mem"


class DamagedStoreError(StoreError):
    """The store's file cannot be read, or its content does not match its digest."""

    __module__ = "muscle_mem"
