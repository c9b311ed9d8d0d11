"""Telling what a call would do, and why, without doing it."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .._core.model.reason import Mode, Reason
from .._core.plan.step import Refusal
from .._core.plan.trajectory import Trajectory
from .._core.replay.explain import Explanation, explain_task
from .._core.run.run import Run
from .._runtime.context import Frame, frame_here
from .._runtime.drivers import adrive, aside, drive
from .._runtime.performer import perform_call
from .._runtime.runs import Runs


class Explaining(Runs):
    """What an engine offers to those who want to know before they call."""

    def explain(
        self,
        *args: Any,
        tags: str | Iterable[str] = (),
        params: Mapping[str, Any] | None = None,
        key: str | None = None,
        mode: Mode | None = None,
        context: Any = None,
        secrets: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> Explanation:
        """What a call with these arguments would do now, and why; nothing is executed but captures of first steps.

        The explanation's `plan` holds the steps that a replay would make, with the arguments of this call.
        """
        run, lookup, trajectories = self._explained(args, kwargs, tags, params, key, mode, context, secrets, plain=True)
        frame = Frame(self, run)
        token = frame_here.set(frame)
        try:
            return drive(explain_task(run, trajectories, self._tools, lookup), perform_call)
        finally:
            frame_here.reset(token)

    def dry_run(self, *args: Any, **kwargs: Any) -> Explanation:
        """The same as `explain`: its `plan` tells the bound steps, and nothing is executed but first captures."""
        return self.explain(*args, **kwargs)

    async def aexplain(
        self,
        *args: Any,
        tags: str | Iterable[str] = (),
        params: Mapping[str, Any] | None = None,
        key: str | None = None,
        mode: Mode | None = None,
        context: Any = None,
        secrets: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> Explanation:
        """The same where captures or compares are async."""
        asked = functools.partial(self._explained, args, kwargs, tags, params, key, mode, context, secrets, plain=False)
        run, lookup, trajectories = await aside(asked) if self._away else asked()
        frame = Frame(self, run)
        token = frame_here.set(frame)
        try:
            return await adrive(explain_task(run, trajectories, self._tools, lookup), perform_call)
        finally:
            frame_here.reset(token)

    def _explained(
        self,
        args: Any,
        kwargs: Any,
        tags: Any,
        params: Any,
        key: Any,
        mode: Any,
        context: Any,
        secrets: Any,
        *,
        plain: bool,
    ) -> tuple[Run, Refusal | None, Sequence[Trajectory]]:
        wanted = self._wanted_mode(mode)
        run, refusal = self._open_run(
            args, kwargs, tags, params, key, wanted, None, context, None, plain=plain, secrets=secrets
        )
        self._library.flush()
        if wanted in ("off", "record"):
            return run, Refusal(Reason.MODE, f"mode={wanted!r} always asks the agent"), []
        found, lookup = self._find(run, refusal)
        if not found.trajectories and lookup is None and self._agent is not None:
            misfit = self._agent.misfit(args, kwargs)
            if misfit:
                message = f"nothing was recorded for these arguments, and the agent does not take them: {misfit}"
                lookup = Refusal(Reason.NEW_TASK, message)
        return run, lookup, found.trajectories
