"""What the methods of the engine in other files need of it."""

from __future__ import annotations

from typing import Protocol

from .._runtime.runtime import Runtime


class HasRuntime(Protocol):
    """An engine, to those of its methods that only need its runtime."""

    _runtime: Runtime
